package arena

import "unsafe"

// A part is a heap within a heap, for blocks that are to come and go together, such
// as the elements of one large value: it has slabs of its own, so it can be given to
// another heap, or be abandoned, without a step for each of its blocks. Parts are
// many and small, so a part is itself a block of the heap that it belongs to, and its
// Ref is all that its owner keeps. What it takes is counted by that heap as well,
// which makes its counters, and what is found to be flushed, the whole truth.
//
// A *Heap that Part gave is good until the part is given to another heap, moved or
// abandoned. It must not be closed or trimmed, nor have parts.

// PartSize is what the block of a part takes, the blocks in it apart: a Heap with the
// classes there are.
const PartSize = int(unsafe.Offsetof(Heap{}.classes)) + numClasses*int(unsafe.Sizeof(heapClass{}))

// smallPart is how much a part holds at the most when its slabs are taken from memory
// without pages: many small parts have many slabs of which little is ever touched.
const smallPart = 1 << 20

// NewPart makes an empty part of the heap.
func (h *Heap) NewPart() Ref {
	a := h.arena
	r := h.AllocZero(PurposeHeap, PartSize)
	s := a.part(r)
	s.base, s.descs, s.arena, s.layout = a.base, a.descs, a, classSlots
	a.parts.Add(1)
	a.mu.Lock()
	a.heapIDs++
	s.id = a.heapIDs
	a.mu.Unlock()
	h.enlist(r, s)
	return r
}

func (a *Arena) part(r Ref) *Heap { return (*Heap)(unsafe.Add(a.base, r)) }

// Part is the part at r, of this heap or of another one of the same arena.
func (h *Heap) Part(r Ref) *Heap { return (*Heap)(unsafe.Add(h.base, r)) }

// enlist makes a part one of the heap's, and counts what it has.
func (h *Heap) enlist(r Ref, s *Heap) {
	s.books = h
	s.prev, s.next = 0, h.parts
	if s.next != 0 {
		h.arena.part(s.next).prev = r
	}
	h.parts = r
	h.countPart(s, 1)
}

// delist undoes enlist.
func (h *Heap) delist(s *Heap) {
	h.countPart(s, -1)
	h.unlinkPart(s)
}

func (h *Heap) unlinkPart(s *Heap) {
	if s.prev != 0 {
		h.arena.part(s.prev).next = s.next
	} else {
		h.parts = s.next
	}
	if s.next != 0 {
		h.arena.part(s.next).prev = s.prev
	}
}

// countPart adds what a part has to the heap's counters, or takes it off with
// sign -1.
func (h *Heap) countPart(s *Heap, sign int64) {
	for p := range NumPurposes {
		if n := s.used[p]; n != 0 {
			h.account(p, sign*n)
		}
	}
	h.held += sign * s.held
	h.handed += sign * s.handed
}

// AdoptPart takes a part over from another heap of the same arena, or moves it to
// another place in its heap, and returns where it is then. That takes a moment,
// however much is in the part. Whoever calls holds both heaps.
func (h *Heap) AdoptPart(from *Heap, r Ref) Ref {
	a := h.arena
	from.delist(a.part(r))
	to := h.Alloc(PurposeHeap, PartSize)
	copy(a.Bytes(to, PartSize), a.Bytes(r, PartSize))
	from.Free(PurposeHeap, r, PartSize)
	h.enlist(to, a.part(to))
	return to
}

// SparsePart tells whether the block of a part lies in a slab that is to be emptied.
func (h *Heap) SparsePart(r Ref) bool { return h.Sparse(r, PartSize) }

// HasParts tells whether the heap has any part.
func (h *Heap) HasParts() bool { return h.parts != 0 }

// AbandonPart forgets all blocks of a part, which count as free from then on. Nothing
// may be done with it any more but ClosePart.
func (h *Heap) AbandonPart(r Ref) {
	s := h.arena.part(r)
	h.countPart(s, -1)
	s.used = [purposeSlots]int64{}
	s.held, s.handed, s.marking = 0, 0, marking{}
}

// ClosePart gives back about n slabs and large blocks of an abandoned part, and tells
// whether there may be more. If not, there is no such part any more.
func (h *Heap) ClosePart(r Ref, n int) (more bool) {
	s := h.arena.part(r)
	if s.giveRuns(n) <= 0 {
		return true
	}
	h.unlinkPart(s)
	h.Free(PurposeHeap, r, PartSize)
	h.arena.parts.Add(-1)
	return false
}

// Runs is how many slabs and large blocks the heap has at the most, for a part that
// is to be closed.
func (h *Heap) Runs() int { return int(h.held >> granuleShift) }
