package arena

import (
	"bytes"
	"unsafe"

	"dozo/internal/invariants"
)

// checked is true in builds that look for misuse.
const checked = invariants.Enabled

// Patterns that the invariants build writes: over freed blocks, and over new
// ones, so that nobody relies on what happens to be there.
const (
	poisonFreed = 0xdb
	poisonNew   = 0xcd
	// linkSize is the part of a freed block that the heap itself writes to.
	linkSize = 2
)

// mark is the invariants build's note on the block at r: 0 when there is none
// in use, else its purpose + 1.
func (h *Heap) mark(r Ref) *uint8 {
	return (*uint8)(unsafe.Add(h.arena.markBase, r>>3))
}

// allocated notes that a block is in use. recycled says that it was freed
// before, and must have the pattern of a freed block still.
func (h *Heap) allocated(p Purpose, r Ref, size int, recycled bool) {
	if *h.mark(r) != 0 {
		invariants.Failf("arena: block %#x of %d bytes handed out twice", r, size)
	}
	*h.mark(r) = uint8(p) + 1
	b := h.arena.Bytes(r, size)
	if recycled && !bytes.Equal(b[linkSize:], h.arena.poison[linkSize:size]) {
		for i := linkSize; ; i++ {
			if b[i] != poisonFreed {
				invariants.Failf("arena: freed block %#x of %d bytes was written to at offset %d", r, size, i)
			}
		}
	}
	fill(b, poisonNew)
}

// freed checks that a block is in use for p, and poisons it.
func (h *Heap) freed(p Purpose, r Ref, size int) {
	h.checkMark(p, r, size)
	*h.mark(r) = 0
	fill(h.arena.Bytes(r, size), poisonFreed)
}

func (h *Heap) checkMark(p Purpose, r Ref, size int) {
	switch m := *h.mark(r); {
	case m == 0:
		invariants.Failf("arena: block %#x of %d bytes (%v) freed twice, or never handed out", r, size, p)
	case m != uint8(p)+1:
		invariants.Failf("arena: block %#x of %d bytes freed as %v, but it is %v", r, size, p, Purpose(m-1))
	}
}

// resized poisons what a block gained.
func (h *Heap) resized(p Purpose, r Ref, old, size int) {
	h.checkMark(p, r, old)
	if size > old {
		fill(h.arena.Bytes(r, size)[old:], poisonNew)
	}
}

// checkSlab checks that r can be a block of class c of this heap.
func (h *Heap) checkSlab(d *desc, c int, r Ref) {
	t := h.class(c)
	h.checkRef(r)
	switch {
	case d.kind != kindSlab:
		invariants.Failf("arena: block %#x freed with %d bytes, but it is in no slab", r, t.size)
	case d.heap != h.id:
		invariants.Failf("arena: block %#x of heap %d freed by heap %d", r, d.heap, h.id)
	case int(d.class) != c && int(d.class) != lender(c):
		invariants.Failf("arena: block %#x of %d bytes freed with %d", r, classes[d.class].size, t.size)
	case uint32(r)&t.offMask%classes[d.class].size != 0:
		invariants.Failf("arena: %#x freed, which is inside a block of %d bytes", r, classes[d.class].size)
	}
}

// checkLarge checks that r is a large block of n bytes of this heap.
func (h *Heap) checkLarge(d *desc, r Ref, n int) {
	h.checkRef(r)
	switch {
	case d.kind != kindLarge || r&(granuleSize-1) != 0:
		invariants.Failf("arena: block %#x freed with %d bytes, but it is no large block", r, n)
	case d.heap != h.id:
		invariants.Failf("arena: block %#x of heap %d freed by heap %d", r, d.heap, h.id)
	case d.length != granulesFor(n):
		invariants.Failf("arena: large block %#x of %d granules freed with %d bytes", r, d.length, n)
	}
}

func (h *Heap) checkRef(r Ref) {
	h.arena.mu.Lock()
	top := h.arena.top
	h.arena.mu.Unlock()
	if r == 0 || r&7 != 0 || r>>granuleShift >= Ref(top) {
		invariants.Failf("arena: %#x is not a block", r)
	}
}

// forgetRun clears the notes on all blocks of a run that Close gives back.
func (h *Heap) forgetRun(g uint32) {
	n := int(h.desc(g).length) << granuleShift
	r := Ref(g) << granuleShift
	clear(unsafe.Slice(h.mark(r), n>>3))
	fill(h.arena.Bytes(r, n), poisonFreed)
}

// fill sets all of b, which is not empty, to c.
func fill(b []byte, c byte) {
	b[0] = c
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}
