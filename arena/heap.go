package arena

import "unsafe"

// The lists of a class: lists 0 to 3 hold the slabs that are filled to a
// quarter, a half, three quarters and more; listFull those without a free
// block; listSparse those that are to be emptied (see MarkSparse). The slab that
// blocks are taken from is on no list.
const (
	numLists   = 6
	listFull   = 4
	listSparse = 5
	listNone   = 6
)

// heapClass is a heap's part of one size class.
type heapClass struct {
	slab  uint32 // blocks are taken from here; 0 = no slab
	lists [numLists]uint32
	lent  uint8 // blocks that came from the lender class
	_     [3]byte
}

// Heap hands out blocks. It is not safe for concurrent use: whoever holds the
// shard holds its heap.
type Heap struct {
	// The first cache line is all that Alloc and Free need but for the counter
	// and the class.
	base   unsafe.Pointer
	descs  unsafe.Pointer
	level  uint64 // change not published yet, plus half the span
	span   uint64 // twice the step in which it is published
	arena  *Arena
	books  *Heap // where bytes are counted, too: the heap itself, or the one it is a part of
	total  int64 // published
	id     uint32
	larges uint32 // list of large blocks
	layout uint32 // where its part of the table of classes begins

	// The counts include those of its parts.
	held    int64 // bytes of slabs and large blocks
	handed  int64 // of these, what was handed out at some time
	idle    int   // slabs kept though empty
	marking marking

	// The parts of a heap (see Part) are a list, and those of that are links of it.
	parts, next, prev Ref

	used    [purposeSlots]int64
	classes [classSlots]heapClass // the last, for a part has fewer
}

// lentMax is how many blocks of a class come from the slabs of a larger class
// before the class gets a slab of its own.
const lentMax = 4

// idleMax is how many empty slabs a heap keeps, so that a block which comes and
// goes alone in its class does not take and give a slab each time.
const idleMax = 4

// NewHeap makes a heap.
func (a *Arena) NewHeap() *Heap {
	h := &Heap{base: a.base, descs: a.descs, arena: a}
	h.books = h
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heapIDs++
	h.id = a.heapIDs
	a.heaps = append(a.heaps, h)
	return h
}

func (h *Heap) desc(g uint32) *desc {
	return (*desc)(unsafe.Add(h.descs, uintptr(g)<<descShift))
}

// link is the place in a free block that says where the next one is.
func (h *Heap) link(r Ref) *uint16 { return (*uint16)(unsafe.Add(h.base, r)) }

// Alloc returns a block of n bytes, n > 0, with arbitrary contents. A block
// of a multiple of 64 bytes lies on a multiple of 64. It panics when the
// arena's reserve is exhausted or the system has no memory.
func (h *Heap) Alloc(p Purpose, n int) Ref {
	if uint(n-1) >= smallMax {
		return h.allocLarge(p, n, false)
	}
	c := classOf(n) & (classSlots - 1)
	h.account(p, int64(classes[c].size))
	slab := h.classes[c].slab
	d := h.desc(slab)
	f := d.free
	if f == 0 {
		return h.allocSlow(p, c)
	}
	r := Ref(slab)<<granuleShift + Ref(f-1)<<3
	d.free = *h.link(r)
	d.used++
	if checked {
		h.allocated(p, r, int(classes[c].size), true)
	}
	return r
}

// AllocZero returns a block of n bytes, all zero.
func (h *Heap) AllocZero(p Purpose, n int) Ref {
	if uint(n-1) >= smallMax {
		return h.allocLarge(p, n, true)
	}
	r := h.Alloc(p, n)
	clear(unsafe.Slice((*byte)(unsafe.Add(h.base, r)), n))
	return r
}

// Free takes back the block at r. p and n are those of its Alloc, or n is
// another size with the same UsableSize.
func (h *Heap) Free(p Purpose, r Ref, n int) {
	if uint(n-1) >= smallMax {
		h.freeLarge(p, r, n)
		return
	}
	c := classOf(n) & (classSlots - 1)
	k := h.class(c)
	d := h.desc(uint32(r>>granuleShift) &^ k.granMask)
	if checked {
		h.checkSlab(d, c, r)
		h.freed(p, r, int(classes[d.class].size))
	}
	*h.link(r) = d.free
	d.free = uint16(uint32(r)&k.offMask>>3) + 1
	d.used--
	h.account(p, -int64(k.size))
	if d.used < d.low {
		h.freeSlow(d, uint32(r>>granuleShift)&^k.granMask)
	}
}

// Realloc makes the block of old bytes at r one of size bytes, which may be
// another block, and returns it; the first min(old, size) bytes are kept. It is
// the same block whenever both sizes have the same UsableSize.
func (h *Heap) Realloc(p Purpose, r Ref, old, size int) Ref {
	if UsableSize(old) == UsableSize(size) {
		return r
	}
	if old > smallMax && size > smallMax && h.resizeLarge(p, r, old, size) {
		return r
	}
	to := h.Alloc(p, size)
	n := min(old, size)
	copy(h.arena.Bytes(to, n), h.arena.Bytes(r, n))
	h.Free(p, r, old)
	return to
}

// Arena is the arena that the heap takes its memory from.
func (h *Heap) Arena() *Arena { return h.arena }

// account counts n bytes, and publishes when the step is exceeded.
func (h *Heap) account(p Purpose, n int64) {
	h.used[p&(purposeSlots-1)] += n
	h.level += uint64(n)
	if h.level > h.span {
		h.publish(p)
	}
}

// pending is the change that is not published yet.
func (h *Heap) pending() int64 { return int64(h.level - h.span/2) }

// publish passes on what is pending, of which the last was for p. The span of a part
// is 0, so that this is called for each change there, which is all pending then.
func (h *Heap) publish(p Purpose) {
	if h.books == h {
		h.Publish()
		return
	}
	n := h.pending()
	h.level = h.span / 2
	h.books.account(p, n)
}

// Publish adds what is pending to the arena's count.
func (h *Heap) Publish() {
	h.arena.used.Add(h.pending())
	h.total += h.pending()
	h.level = h.span / 2
}

// SetPublishStep says how many bytes the arena's count may be wrong by because
// of this heap. 0, the start, publishes every change, which costs an atomic
// addition each.
func (h *Heap) SetPublishStep(n int64) {
	h.Publish()
	h.span = 2 * uint64(max(n, 0))
	h.level = h.span / 2
}

// Used is the number of bytes in use, as UsableSize counts them, those of its parts
// included.
func (h *Heap) Used() int64 {
	if h.books == h {
		return h.total + h.pending()
	}
	var n int64
	for _, by := range h.used {
		n += by
	}
	return n
}

// hold counts what a slab or large block adds to the heap, and what of that is handed
// out.
func (h *Heap) hold(held, handed int64) {
	h.held += held
	h.handed += handed
	if b := h.books; b != h {
		b.held += held
		b.handed += handed
	}
}

// Untouched is the number of bytes that the heap holds and that were never handed
// out since: the rest of its slabs, and what lies behind the ends of large blocks.
// As a rule they have no pages.
func (h *Heap) Untouched() int64 { return h.held - h.handed }

// Handed is the number of bytes that were handed out at some time, of what the heap
// holds: what it costs.
func (h *Heap) Handed() int64 { return h.handed }

// Waste is the number of bytes in freed blocks of slabs that have others in use:
// what fragmentation costs.
func (h *Heap) Waste() int64 { return h.handed - h.Used() }

// UsedBy is the part of Used that is for p.
func (h *Heap) UsedBy(p Purpose) int64 { return h.used[p&(purposeSlots-1)] }
