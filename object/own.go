package object

import (
	"encoding/binary"
	"math"
	"unsafe"

	"dozo/arena"
	"dozo/container/entry"
)

// A large value that has many elements, or long ones, has a part of the heap to itself
// (arena.Heap.NewPart), in which all lies that is inside the value: tables, elements,
// trees, nodes. So it can be given to the heap of another shard, or be abandoned,
// without a step for each element: RENAME and MOVE are O(1), and freeing takes a step
// for each slab. It moves to its part once, as soon as it is worth that, and back when
// it has become far smaller; that takes as long as a copy, about a
// millisecond. The bounds are a compromise: below them RENAME and MOVE to another shard
// copy the elements, and the lower they are the larger a share of the value the part and
// its partly filled slabs become (package arena has figures).
//
// The payload of a large value is the Ref of its part (0 = it has none, and its blocks
// lie in the heap of the shard), followed by its roots. The entry of the key, payload
// included, lies in the heap of the shard in any case.

// partWordSize is what precedes the roots in the payload of a large value.
const partWordSize = 8

// holdsGraves is set in the word of a part in which something lies that is still to be
// freed: see Grave.Settle.
const holdsGraves = 1

const (
	// ownCheck is how often tables that grow are asked whether they are worth a part:
	// each time that so many elements have come.
	ownCheck = 64
	// ownSamples is how many elements tell what all of them weigh.
	ownSamples = 16
	// heavyElement is the size of a value that lets the others be weighed.
	heavyElement = 4 << 10
	// homeShare is the part of its bound below which a value goes back.
	homeShare = 8
)

// The bounds from which on a value has a part. Elements of tables are counted, since
// each of them is copied; their bytes, and those of nodes, matter when they are many.
const (
	ownElements = 8192
	ownWeight   = 1 << 20
	ownList     = 1 << 20
	ownStream   = 512 << 10
)

// bound is one of them.
func (c *Cell) bound(n int) int {
	if d := c.Kit.PartDivisor; d > 0 {
		return n / d
	}
	return n
}

func partWord(e entry.Entry) uint64 { return binary.LittleEndian.Uint64(e.Payload()) }

// partOf is the part of a large value; 0 = it has none.
func partOf(e entry.Entry) arena.Ref { return arena.Ref(partWord(e) &^ holdsGraves) }

func putPart(e entry.Entry, r arena.Ref) { binary.LittleEndian.PutUint64(e.Payload(), uint64(r)) }

// rootsOf is where the roots of a large value are.
func rootsOf(e entry.Entry) []byte { return e.Payload()[partWordSize:] }

// inside is the heap that all blocks inside a large value come from.
func (c *Cell) inside() *arena.Heap {
	h, _ := c.open()
	return h
}

// open is the heap that all blocks inside a large value come from, and where its roots
// are, which may be unaligned.
func (c *Cell) open() (h *arena.Heap, roots unsafe.Pointer) {
	p := unsafe.Pointer(unsafe.SliceData(c.Entry.Payload()))
	h = c.Heap
	if r := *(*uint64)(p) &^ holdsGraves; r != 0 {
		h = h.Part(arena.Ref(r))
	}
	return h, unsafe.Add(p, partWordSize)
}

// ownsFreely tells whether the value has a part, to which nobody else refers.
func (c *Cell) ownsFreely() bool {
	w := partWord(c.Entry)
	return w != 0 && w&holdsGraves == 0
}

// grown is to be called when a table has got an element, as the last thing.
func (c *Cell) grown(n int) {
	if n%ownCheck == 0 {
		c.outgrow(n)
	}
}

// outgrow gives a table with n elements a part if it is worth one.
func (c *Cell) outgrow(n int) {
	if n < ownCheck || partOf(c.Entry) != 0 {
		return
	}
	if n >= c.bound(ownElements) || n&(n-1) == 0 && c.tableUsage(ownSamples) >= c.bound(ownWeight) {
		c.rehouse(c.Heap.NewPart())
	}
}

// weighed is grown for a table of which an element has got a long value.
func (c *Cell) weighed(n int) {
	if n >= ownCheck && partOf(c.Entry) == 0 && c.tableUsage(ownSamples) >= c.bound(ownWeight) {
		c.rehouse(c.Heap.NewPart())
	}
}

// shrunk is to be called when a table has lost elements, as the last thing.
func (c *Cell) shrunk(n int) {
	if n > c.bound(ownElements)/homeShare {
		return
	}
	if c.ownsFreely() && c.inside().Used() <= int64(c.bound(ownWeight)/homeShare) {
		c.rehouse(0)
	}
}

// fit is grown and shrunk for a value whose bytes are known. It tells whether the value
// has moved.
func (c *Cell) fit(bytes int64, own int) (moved bool) {
	bound := int64(c.bound(own))
	switch {
	case bytes >= bound && partOf(c.Entry) == 0:
		c.rehouse(c.Heap.NewPart())
		return true
	case bytes <= bound/homeShare && c.ownsFreely():
		c.rehouse(0)
		return true
	}
	return false
}

// rehouse moves all that is inside a large value to a part, or out of its part with 0.
func (c *Cell) rehouse(part arena.Ref) {
	s := c.Entry.Shape()
	size := entry.SizeFor(0, s)
	ref := c.Heap.Alloc(arena.PurposeEntry, size)
	to := Cell{Heap: c.Heap, Kit: c.Kit, Entry: entry.Init(c.Heap.Arena(), ref, nil, s)}
	clear(to.Entry.Payload())
	putPart(to.Entry, part)
	copyInside(c, &to, true)
	g := graveOf(c.Heap, c.Entry)
	g.FreeSome(c.Heap, math.MaxInt)
	copy(c.Entry.Payload(), to.Entry.Payload())
	c.Heap.Free(arena.PurposeEntry, ref, size)
}

// copyInside copies what is inside a large value to an empty one of the same encoding, which
// has its part already. With take, blocks of which whole granules are go over instead
// of being copied; the value is good for nothing but to be freed then.
func copyInside(from, to *Cell, take bool) {
	switch from.Encoding() {
	case EncHashtable:
		putRoot(to.Entry, copyTable(from, to.inside(), take))
	case EncHashtableEx:
		putRoot(to.Entry, copyTable(from, to.inside(), take))
		copyDates(to)
	case EncSkiplist:
		ZSetValue{from}.copyTo(to)
	case EncQuicklist:
		copyList(from, to, take)
	case EncStream:
		s := StreamValue{from}.Open()
		made := s.Copy(to.inside(), take)
		putStream(to.Entry, &made)
	}
}

// partUsage is what a part takes.
func partUsage(h *arena.Heap, r arena.Ref) int {
	return arena.UsableSize(arena.PartSize) + int(h.Part(r).Used())
}

// PartHoldingGraves is the part of a value in which there are graves (see Grave.Within);
// 0 = it has none, or none of that kind.
func PartHoldingGraves(e entry.Entry) arena.Ref {
	if Encoding(e.Encoding()) == EncStream && partWord(e)&holdsGraves != 0 {
		return partOf(e)
	}
	return 0
}

// takePart makes an entry the owner of a part that belongs to another heap.
func takePart(e entry.Entry, to, from *arena.Heap) {
	word := partWord(e)
	binary.LittleEndian.PutUint64(e.Payload(), uint64(to.AdoptPart(from, partOf(e)))|word&holdsGraves)
}

// dropPart gives a part back with all that is in it, which is little.
func dropPart(h *arena.Heap, r arena.Ref) {
	h.AbandonPart(r)
	h.ClosePart(r, math.MaxInt)
}
