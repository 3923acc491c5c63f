package arena

// Which slabs active defragmentation empties.
//
// Moving a block helps only if all others of its slab move, too. So the slabs are
// chosen first, and stay chosen while their blocks, which lie anywhere in the
// data set, are met one by one.

const (
	// markMax bounds the slabs that one call of MarkSparse looks at: some 100 us.
	markMax = 1024
	// fillSteps is how finely slabs are told apart by their filling, and
	// fillEnough from where on emptying one costs more than it gives.
	fillSteps  = 64
	fillEnough = 60
)

// marking is how far MarkSparse has come. The zero marking is the start.
type marking struct {
	class  int
	opened int    // lists of the class that it has come to
	slab   uint32 // the next to look at, on the last of them; 0 = none is left there
}

// MarkSparse looks at some of the slabs that have room, and marks the emptiest:
// as many as could be spared if their blocks lay in the others. It returns how
// many it marked, and whether there are more to look at. A caller goes on until
// there are not, and then moves the blocks that are Sparse.
//
// No block is taken from a marked slab any more, unless a new one would have to be
// made otherwise; so moving takes no more memory than there is. A slab stays
// marked until it is empty, or needed.
func (h *Heap) MarkSparse() (marked int, more bool) {
	var room [markMax]uint32
	for n := 0; n < markMax && h.marking.class < numClasses; {
		c := h.marking.class
		seen := h.survey(room[:0], markMax-n)
		marked += h.markEmptiest(c, seen)
		n += len(seen)
	}
	if more = h.marking.class < numClasses; !more {
		h.marking = marking{}
	}
	return marked, more
}

// survey appends the next slabs of one class that have room, up to n of them.
// When there are no more it goes on to the next class.
func (h *Heap) survey(seen []uint32, n int) []uint32 {
	m := &h.marking
	for len(seen) < n {
		switch {
		case m.slab != 0:
			seen = append(seen, m.slab)
			m.slab = h.desc(m.slab).next
		case m.opened < listFull:
			m.slab = h.classes[m.class].lists[m.opened]
			m.opened++
		default:
			*m = marking{class: m.class + 1}
			return seen
		}
	}
	return seen
}

// fillStep is how full a slab is, 0 to fillSteps.
func fillStep(d *desc, capacity int) int { return int(d.used) * fillSteps / capacity }

// markEmptiest marks those of the slabs of a class that can be spared.
func (h *Heap) markEmptiest(c int, slabs []uint32) (marked int) {
	k, capacity := &h.classes[c], int(h.class(c).capacity)
	var at [fillSteps + 1]int // slabs by their filling
	blocks := 0
	for _, g := range slabs {
		d := h.desc(g)
		at[fillStep(d, capacity)]++
		blocks += int(d.used)
	}
	if k.slab != 0 {
		blocks -= min(blocks, capacity-int(h.desc(k.slab).used))
	}
	spare := len(slabs) - (blocks+capacity-1)/capacity
	last := 0 // slabs filled less than this can all be spared, and some that are filled so
	for last < fillEnough && at[last] <= spare {
		spare -= at[last]
		last++
	}
	for _, g := range slabs {
		d := h.desc(g)
		step := fillStep(d, capacity)
		if step == last && last < fillEnough && spare > 0 {
			spare--
		} else if step >= last {
			continue
		}
		h.unlink(&k.lists[d.list], d)
		d.list, d.low = listSparse, 1
		h.push(&k.lists[listSparse], d, g)
		marked++
	}
	return marked
}

// Sparse tells whether the block of n bytes at r lies in a slab that is to be
// emptied: whoever can move it should do so. Nothing is sparse unless MarkSparse
// has found it so.
func (h *Heap) Sparse(r Ref, n int) bool {
	if uint(n-1) >= smallMax {
		return false
	}
	return h.desc(uint32(r>>granuleShift)&^h.class(classOf(n)).granMask).list == listSparse
}

// MoveSparse moves the block of n bytes at r to another place if it is Sparse. The
// old block is free then. It returns where the block is, and whether it was moved.
func (h *Heap) MoveSparse(p Purpose, r Ref, n int) (to Ref, moved bool) {
	if !h.Sparse(r, n) {
		return r, false
	}
	to = h.Alloc(p, n)
	copy(h.arena.Bytes(to, n), h.arena.Bytes(r, n))
	h.Free(p, r, n)
	return to, true
}

// HasSparse tells whether any slab is marked.
func (h *Heap) HasSparse() bool {
	for c := range numClasses {
		if h.classes[c].lists[listSparse] != 0 {
			return true
		}
	}
	return false
}
