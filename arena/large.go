package arena

// granulesFor is the number of granules that hold n bytes.
func granulesFor(n int) uint32 { return uint32((n + granuleSize - 1) >> granuleShift) }

// holdLarge counts what the heap holds for a large block of n bytes that came, or
// went with sign -1.
func (h *Heap) holdLarge(n int, sign int64) {
	h.hold(sign*int64(granulesFor(n))<<granuleShift, sign*int64(UsableSize(n)))
}

// allocLarge is Alloc for blocks that have granules of their own.
func (h *Heap) allocLarge(p Purpose, n int, zero bool) Ref {
	if n <= 0 {
		return h.Alloc(p, 1)
	}
	h.account(p, int64(UsableSize(n)))
	g, clean := h.arena.takeRun(kindLarge, granulesFor(n), 1, false)
	d := h.desc(g)
	d.heap = h.id
	h.push(&h.larges, d, g)
	h.holdLarge(n, 1)
	r := Ref(g) << granuleShift
	if checked {
		h.allocated(p, r, UsableSize(n), false)
		clean = false
	}
	if zero && !clean {
		clear(h.arena.Bytes(r, n))
	}
	return r
}

// freeLarge is Free for blocks that have granules of their own.
func (h *Heap) freeLarge(p Purpose, r Ref, n int) {
	if n <= 0 {
		h.Free(p, r, 1)
		return
	}
	g := uint32(r >> granuleShift)
	d := h.desc(g)
	if checked {
		h.checkLarge(d, r, n)
		h.freed(p, r, UsableSize(n))
	}
	h.account(p, -int64(UsableSize(n)))
	h.unlink(&h.larges, d)
	h.holdLarge(n, -1)
	h.giveRun(g)
}

// resizeLarge changes the size of a large block in place, if it can.
func (h *Heap) resizeLarge(p Purpose, r Ref, old, size int) bool {
	g := uint32(r >> granuleShift)
	if checked {
		h.checkLarge(h.desc(g), r, old)
	}
	if n := granulesFor(size); n != granulesFor(old) && !h.arena.resizeRun(g, n) {
		return false
	}
	if checked {
		h.resized(p, r, UsableSize(old), UsableSize(size))
	}
	h.account(p, int64(UsableSize(size)-UsableSize(old)))
	h.holdLarge(old, -1)
	h.holdLarge(size, 1)
	return true
}

// Adopt takes over a block of n bytes that another heap of the same arena handed
// out for p, without a copy; whoever calls holds both. False means that it cannot
// be done: blocks that share a slab stay where they are.
func (h *Heap) Adopt(from *Heap, p Purpose, r Ref, n int) bool {
	if h == from {
		return true
	}
	if n <= smallMax {
		return false
	}
	g := uint32(r >> granuleShift)
	d := h.desc(g)
	if checked {
		from.checkLarge(d, r, n)
		from.checkMark(p, r, UsableSize(n))
	}
	from.unlink(&from.larges, d)
	from.account(p, -int64(UsableSize(n)))
	from.holdLarge(n, -1)
	h.holdLarge(n, 1)
	d.heap = h.id
	h.push(&h.larges, d, g)
	h.account(p, int64(UsableSize(n)))
	return true
}
