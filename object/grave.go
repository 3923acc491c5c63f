package object

import (
	"dozo/arena"
	"dozo/container/btree"
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/container/quicklist"
)

// freeAtOnce is the number of elements that are freed together with their key.
// More take longer than a client of another key should have to wait.
const freeAtOnce = 256

// Grave is what is left of a large value whose key is gone: its elements, to be
// freed a few at a time. The zero Grave is empty.
type Grave struct {
	table  hashtable.Remains
	tree   btree.Root // of a sorted set, or of a hash with deadlines: of elements of the table
	list   quicklist.Root
	stream streamRemains
}

// graveOf takes the elements out of a large value.
func graveOf(h *arena.Heap, e entry.Entry) (g Grave) {
	if Encoding(e.Encoding()) == EncQuicklist {
		g.list = *listRoot(e)
		return g
	}
	if Encoding(e.Encoding()) == EncStream {
		g.stream = streamRemainsAt(h, streamRoot(e))
		return g
	}
	t := hashtable.Attach(h, nil, rootOf(e))
	g.table = t.Remains()
	switch Encoding(e.Encoding()) {
	case EncSkiplist:
		g.tree = treeRootOf(e)
	case EncHashtableEx:
		g.tree = datesOf(e).tree
	}
	return g
}

// Empty takes the elements out of a large value, which is about to be replaced or
// deleted; a small value keeps what it has, and the grave is empty.
func (c *Cell) Empty() (g Grave) {
	if c.Encoding().isLarge() {
		g = graveOf(c.Heap, c.Entry)
		clear(c.Entry.Payload())
	}
	return g
}

// Len is the number of elements that are left; of a list, that of nodes, of a stream
// that of steps.
func (g *Grave) Len() int { return g.table.Len() + g.list.Nodes() + g.stream.left }

// FreeSome frees about n elements and says how many it were. h is the heap that
// they came from.
func (g *Grave) FreeSome(h *arena.Heap, n int) int {
	if nodes := g.list.Nodes(); nodes > 0 {
		q := quicklist.Attach(h, &g.list)
		q.FreeSome(n)
		return nodes - q.Nodes()
	}
	if g.stream.left > 0 {
		return g.stream.freeSome(h, n)
	}
	done, _ := g.table.FreeSome(h, n, func(ref arena.Ref) { freeElement(h, ref) })
	if g.tree.Len() > 0 {
		tree := btree.Attach(h, g.tree)
		tree.FreeSome(done, nil)
		g.tree = tree.Root()
	}
	return done
}

// freeElement gives back the block of a member or field.
func freeElement(h *arena.Heap, ref arena.Ref) {
	e := entry.At(h.Arena(), ref)
	if e.IsOutside() {
		o := e.Outside()
		h.Free(arena.PurposeValue, o.Ref, o.Cap)
	}
	h.Free(arena.PurposeEntry, ref, e.Size())
}
