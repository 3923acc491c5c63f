package object

import (
	"dozo/arena"
	"dozo/container/entry"
	"dozo/container/hashtable"
)

// Draft is a value that is being made and has no place in the keyspace yet. It
// must not be copied. In the end the keyspace takes it, or Discard frees it.
type Draft struct {
	Cell
	word uint64 // what the cell's slot points at
}

// Begin makes the draft hold the entry at ref, which was made for the place.
func (d *Draft) Begin(p Place, ref arena.Ref) {
	d.Cell = Cell{Heap: p.Heap, Slot: hashtable.Apart(&d.word, ref), Entry: entry.At(p.Heap.Arena(), ref), Kit: p.Kit}
}

// Discard gives the draft up; what is left of a large value is in the grave.
func (d *Draft) Discard() Grave {
	g := Free(d.Heap, d.Slot.Ref())
	d.Cell = Cell{}
	return g
}
