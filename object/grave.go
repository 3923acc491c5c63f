package object

import (
	"encoding/binary"

	"dozo/arena"
	"dozo/container/btree"
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/container/quicklist"
	"dozo/internal/invariants"
)

// freeAtOnce is the number of elements that are freed together with their key.
// More take longer than a client of another key should have to wait.
const freeAtOnce = 256

// runsAtOnce is the number of slabs and large blocks of a part that are given back
// together with their key.
const runsAtOnce = 16

// Grave is what is left of a large value whose key is gone: its part, to be given back
// a few slabs at a time, or its elements, to be freed a few at a time. The zero Grave
// is empty.
type Grave struct {
	part   arena.Ref // abandoned
	runs   int       // left of it, at the most, and one for the part itself
	holds  bool      // graves lie in the part that need not be freed any more
	within arena.Ref // the part that the others lie in
	table  hashtable.Remains
	tree   btree.Root // of a sorted set, or of a hash with deadlines: of elements of the table
	list   quicklist.Root
	stream streamRemains
}

// graveOf takes what is inside a large value out of it.
func graveOf(h *arena.Heap, e entry.Entry) (g Grave) {
	r := partOf(e)
	if r == 0 {
		return insideGrave(h, e)
	}
	s := h.Part(r)
	g = Grave{part: r, runs: s.Runs() + 1, holds: partWord(e)&holdsGraves != 0}
	if invariants.Enabled && r>>8&1 == 0 && !g.holds { // so that a leaked block is found
		for all, more := insideGrave(s, e), true; more; more = all.Len() > 0 {
			all.FreeSome(s, freeAtOnce) // an empty table has a segment
		}
		invariants.Check(s.Used() == 0, "object: %d bytes left in the part of %q after its last element", s.Used(), e.Key())
	}
	h.AbandonPart(r)
	return g
}

// insideGrave is graveOf for a value whose elements are in a heap.
func insideGrave(h *arena.Heap, e entry.Entry) (g Grave) {
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
// that of steps, of a part that of slabs.
func (g *Grave) Len() int { return g.runs + g.table.Len() + g.list.Nodes() + g.stream.left }

// Part is the abandoned part that graves lie in which need not be freed any more; 0 =
// none.
func (g *Grave) Part() arena.Ref {
	if g.holds {
		return g.part
	}
	return 0
}

// Within is the part of a value that the grave lies in; 0 = none. When the value goes,
// so does the grave.
func (g *Grave) Within() arena.Ref { return g.within }

// SetWithin tells the grave that the part has moved.
func (g *Grave) SetWithin(r arena.Ref) { g.within = r }

// Settle tells a grave what value it was taken out of, which stays.
func (g *Grave) Settle(e entry.Entry) {
	if g.Len() > 0 && Encoding(e.Encoding()) == EncStream && partOf(e) != 0 {
		g.within = partOf(e)
		binary.LittleEndian.PutUint64(e.Payload(), partWord(e)|holdsGraves)
	}
}

// atOnce tells whether it takes no time to speak of to free it all.
func (g *Grave) atOnce() bool {
	if g.part != 0 {
		return g.runs <= runsAtOnce && !g.holds
	}
	return g.Len() <= freeAtOnce
}

// FreeSome frees about n elements and says how many it were. h is the heap of the
// value's shard.
func (g *Grave) FreeSome(h *arena.Heap, n int) int {
	if g.part != 0 {
		return g.closeSome(h, n)
	}
	if g.within != 0 {
		h = h.Part(g.within)
	}
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

// closeSome gives back about n slabs and large blocks of a part.
func (g *Grave) closeSome(h *arena.Heap, n int) int {
	if h.ClosePart(g.part, n) {
		g.runs -= n
		return n
	}
	n = g.runs
	*g = Grave{}
	return n
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
