package arena

import "math"

// push puts slab or large block g on a list.
func (h *Heap) push(head *uint32, d *desc, g uint32) {
	d.prev, d.next = 0, *head
	if d.next != 0 {
		h.desc(d.next).prev = g
	}
	*head = g
}

// unlink takes slab or large block g off the list.
func (h *Heap) unlink(head *uint32, d *desc) {
	if g := h.marking.slab; g != 0 && h.desc(g) == d {
		h.marking.slab = d.next
	}
	if d.prev != 0 {
		h.desc(d.prev).next = d.next
	} else {
		*head = d.next
	}
	if d.next != 0 {
		h.desc(d.next).prev = d.prev
	}
}

// allocSlow is Alloc when the slab at hand has no freed block: it carves a new
// one from it, or goes on to another slab, perhaps of the lender class.
func (h *Heap) allocSlow(p Purpose, c int) Ref {
	if h.borrows(c) {
		h.classes[c].lent++
		c = lender(c)
	}
	k, t := &h.classes[c], h.class(c)
	d := h.desc(k.slab)
	if d.free == 0 && d.carved >= t.end {
		d = h.nextSlab(c)
	}
	r := Ref(k.slab) << granuleShift
	recycled := d.free != 0
	if recycled {
		r += Ref(d.free-1) << 3
		d.free = *h.link(r)
	} else {
		r += Ref(d.carved) << 3
		d.carved += uint16(t.size >> 3)
		h.hold(0, int64(t.size))
	}
	d.used++
	if checked {
		h.allocated(p, r, int(t.size), recycled)
	}
	return r
}

// borrows tells whether the next block of class c should come from the lender
// class: c has no slab, and has not borrowed much.
func (h *Heap) borrows(c int) bool {
	k := &h.classes[c]
	return k.slab == 0 && k.lent < lentMax && k.lists == [numLists]uint32{} && lender(c) != c
}

// roomiest is the order in which slabs with room are taken: the fullest first, so
// that the emptier ones have a chance to become empty, and before a new one is
// made one of those that were to be emptied.
var roomiest = [...]int{3, 2, 1, 0, listSparse}

// nextSlab finds another slab to take blocks from.
func (h *Heap) nextSlab(c int) *desc {
	k := &h.classes[c]
	if k.slab != 0 {
		h.retire(c)
	}
	for _, l := range roomiest {
		if g := k.lists[l]; g != 0 {
			d := h.desc(g)
			h.unlink(&k.lists[l], d)
			return h.current(k, d, g)
		}
	}
	granules := h.class(c).granMask + 1
	g, _ := h.arena.takeRun(kindSlab, granules, granules, h.books != h && h.held < smallPart)
	h.hold(int64(granules)<<granuleShift, 0)
	d := h.desc(g)
	d.class, d.heap = uint8(c), h.id
	d.free, d.carved, d.used = 0, 0, 0
	return h.current(k, d, g)
}

// current makes g, described by d, the slab that blocks are taken from.
func (h *Heap) current(k *heapClass, d *desc, g uint32) *desc {
	d.list, d.low = listNone, 1
	k.slab = g
	return d
}

// retire puts the full slab at hand on its list.
func (h *Heap) retire(c int) {
	k := &h.classes[c]
	g := k.slab
	d := h.desc(g)
	if d.low == 0 {
		h.idle--
	}
	d.list, d.low = listFull, h.class(c).capacity
	h.push(&k.lists[listFull], d, g)
}

// freeSlow is called when a slab has got so empty that it changes lists, or has
// become empty.
func (h *Heap) freeSlow(d *desc, g uint32) {
	c := d.class & (classSlots - 1)
	k := &h.classes[c]
	if d.list == listNone {
		h.emptied(k, d, g)
		return
	}
	h.unlink(&k.lists[d.list], d)
	if d.used == 0 {
		h.giveSlab(d, g)
		return
	}
	h.sort(k, d, g)
}

// sort puts a slab that is neither full nor empty on the list that its filling
// says.
func (h *Heap) sort(k *heapClass, d *desc, g uint32) {
	capacity := uint32(h.class(int(d.class & (classSlots - 1))).capacity)
	l := uint32(d.used) * 4 / capacity
	d.list, d.low = uint8(l), uint16(max((l*capacity+3)/4, 1))
	h.push(&k.lists[l], d, g)
}

// emptied is called when the slab at hand has become empty. A few small ones
// are kept, but not by a part; low = 0 marks them and keeps freeSlow from being
// called again.
func (h *Heap) emptied(k *heapClass, d *desc, g uint32) {
	if d.length == 1 && h.idle < idleMax && h.books == h {
		h.idle++
		d.low = 0
		return
	}
	k.slab = 0
	h.giveSlab(d, g)
}

// giveSlab gives an empty slab back.
func (h *Heap) giveSlab(d *desc, g uint32) {
	h.hold(-int64(d.length)<<granuleShift, -int64(d.carved)<<3)
	h.giveRun(g)
}

// giveRun gives a run back, and at times a bit of free memory to the system.
func (h *Heap) giveRun(g uint32) {
	if h.arena.giveRun(g) {
		h.arena.trimStep()
	}
}

// Trim gives back the empty slabs that the heap keeps for the next block.
func (h *Heap) Trim() {
	for c := range numClasses {
		k := &h.classes[c]
		d := h.desc(k.slab)
		if k.slab == 0 || d.used != 0 {
			continue
		}
		if d.low == 0 {
			h.idle--
		}
		h.hold(-int64(d.length)<<granuleShift, -int64(d.carved)<<3)
		h.arena.giveRun(k.slab)
		k.slab, k.lent = 0, 0
	}
}

// Close gives back everything at once, also blocks that are in use.
func (h *Heap) Close() {
	h.Abandon()
	h.CloseSome(math.MaxInt)
}

// Abandon forgets all blocks, also those in use: FLUSHALL. They count as free from
// then on. Nothing may be done with the heap any more but CloseSome, which gives the
// memory back.
func (h *Heap) Abandon() {
	h.level -= uint64(h.Used())
	h.Publish()
	h.used = [purposeSlots]int64{}
	h.held, h.handed, h.marking = 0, 0, marking{}
}

// CloseSome gives back about n slabs and large blocks of an abandoned heap, and tells
// whether there may be more. It leaves the pages to the arena's Trim, which has less
// work with runs that have joined.
func (h *Heap) CloseSome(n int) (more bool) {
	for h.parts != 0 {
		s := h.arena.part(h.parts)
		if n = s.giveRuns(n); n <= 0 {
			return true
		}
		h.parts = s.next
		h.arena.parts.Add(-1)
	}
	if h.giveRuns(n) <= 0 {
		return true
	}
	clear(h.classes[:])
	h.idle = 0
	h.arena.forget(h)
	return false
}

// giveRuns gives back about n slabs and large blocks, and says how many of n are
// left: if any, there are no more.
func (h *Heap) giveRuns(n int) int {
	for c := range numClasses {
		k := &h.classes[c]
		if k.slab != 0 {
			h.give(k.slab)
			k.slab = 0
		}
		for l := range k.lists {
			n = h.giveSome(&k.lists[l], n)
		}
	}
	return h.giveSome(&h.larges, n)
}

// giveSome gives back at most n runs of a list, and says how many of n are left.
func (h *Heap) giveSome(head *uint32, n int) int {
	for ; *head != 0 && n > 0; n-- {
		g := *head
		*head = h.desc(g).next
		h.give(g)
	}
	return n
}

func (h *Heap) give(g uint32) {
	if checked {
		h.forgetRun(g)
	}
	h.arena.giveRun(g)
}

// forget takes a closed heap off the list.
func (a *Arena) forget(h *Heap) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.heaps {
		if a.heaps[i] == h {
			a.heaps = append(a.heaps[:i], a.heaps[i+1:]...)
			return
		}
	}
}
