package object

import (
	"dozo/arena"
	"dozo/container/btree"
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/container/quicklist"
	"dozo/container/stream"
)

// Active defragmentation: the blocks of a value that lie in slabs which are to be
// emptied (arena.Heap.Sparse) move to others. A value's entry and the block of a small
// one move at once (Defrag), the elements of a large one some at a time
// (DefragElements), and between two steps anything may happen to the value: a mark is
// a place that means something in any value, if not always the same.
//
// LIMITATIONS: the roots, groups and consumers of streams stay where they are. Elements that come or go between two steps may be met twice, or wait
// for the next pass.

// A value that has a part of the heap is looked at only if that is fragmented: then the
// slabs of the part are marked first.

// Moves counts blocks that were looked at: how many were moved, and how many were
// left where they are; and the slabs that were found in values to be emptied.
type Moves struct{ Hits, Misses, Found int64 }

// note counts one block.
func (m *Moves) note(moved bool) {
	if moved {
		m.Hits++
	} else {
		m.Misses++
	}
}

// move moves the block of n bytes at r, if it is sparse.
func (m *Moves) move(h *arena.Heap, p arena.Purpose, r arena.Ref, n int) (to arena.Ref, moved bool) {
	to, moved = h.MoveSparse(p, r, n)
	m.note(moved)
	return to, moved
}

// outside moves the block that the value of an entry has.
func (m *Moves) outside(h *arena.Heap, e entry.Entry) {
	if !e.IsOutside() {
		return
	}
	o := e.Outside()
	if to, moved := m.move(h, purposeOf(e), o.Ref, o.Cap); moved {
		o.Ref = to
		e.SetOutside(o)
	}
}

// DefragMark is how far the defragmentation of a large value has come. The zero mark
// is the start.
type DefragMark struct {
	marked bool   // the slabs of the value's part of the heap are
	part   int    // of values that have several
	at     uint64 // cursor, rank or index
	stream stream.Position
}

// Defrag moves the entry, the block outside it, and that of the value's part of the
// heap.
func (c *Cell) Defrag(m *Moves) {
	if ref, moved := m.move(c.Heap, arena.PurposeEntry, c.Slot.Ref(), c.Entry.Size()); moved {
		c.Slot.SetRef(ref)
		c.Entry = entry.At(c.Heap.Arena(), ref)
	}
	m.outside(c.Heap, c.Entry)
	if c.Encoding().isLarge() && c.ownsFreely() {
		sparse := c.Heap.SparsePart(partOf(c.Entry))
		if m.note(sparse); sparse {
			takePart(c.Entry, c.Heap, c.Heap)
		}
	}
}

// wasteShare is which share of a part must be wasted for it to be defragmented.
const wasteShare = 16

// markPart marks slabs of the value's part that are to be emptied, if it has one, and
// tells whether it is time to look at its elements, and whether that is of no use.
func (c *Cell) markPart(at *DefragMark, m *Moves) (ready, useless bool) {
	if at.marked || partOf(c.Entry) == 0 {
		return true, false
	}
	h := c.inside()
	if !h.HasSparse() && h.Waste() < h.Handed()/wasteShare {
		return false, true
	}
	marked, more := h.MarkSparse()
	m.Found += int64(marked)
	at.marked = !more
	return false, !more && !h.HasSparse()
}

// DefragElements looks at about n of the elements of a large value, from the mark on,
// and moves them. It tells what that has cost, in elements, and whether there are no
// more; a small value has none.
func (c *Cell) DefragElements(at *DefragMark, n int, m *Moves) (cost int, done bool) {
	if !c.Encoding().isLarge() {
		return 0, true
	}
	if ready, useless := c.markPart(at, m); useless {
		return 1, true
	} else if !ready {
		return n, false
	}
	switch c.Encoding() {
	case EncHashtable:
		t := c.table()
		cost, done = defragTable(&t, &at.at, n, m, nil)
		c.storeTable(&t)
		return cost, done
	case EncHashtableEx:
		return HashValue{Cell: c}.defragDated(at, n, m)
	case EncSkiplist:
		return ZSetValue{c}.defrag(at, n, m)
	case EncQuicklist:
		return ListValue{c}.defrag(at, n, m)
	case EncStream:
		return StreamValue{c}.defrag(at, n, m)
	}
	return 0, true
}

// defragBatch is how many elements of a table are asked for from memory together.
const defragBatch = 32

// defragTable looks at about n elements of a table, from a cursor on. Before an element
// moves, move is told of it, if there is such a function.
func defragTable(t *hashtable.Table, cursor *uint64, n int, m *Moves, move func(e entry.Entry, to arena.Ref)) (looked int, done bool) {
	var room [2 * defragBatch]hashtable.Slot
	for looked < n && !done {
		slots, next, moved, left := t.Gather(*cursor, room[:0], min(n-looked, defragBatch))
		m.Hits += int64(moved)
		m.Misses += int64(left)
		for _, s := range slots {
			m.element(t.Heap(), s, move)
		}
		looked += max(len(slots), 1)
		*cursor, done = next, next == 0
	}
	return looked, done
}

// element moves the blocks of a member or field. The old block is there until move was
// told.
func (m *Moves) element(h *arena.Heap, s hashtable.Slot, move func(e entry.Entry, to arena.Ref)) {
	old := s.Ref()
	e := entry.At(h.Arena(), old)
	m.outside(h, e)
	size := e.Size()
	sparse := h.Sparse(old, size)
	if m.note(sparse); !sparse {
		return
	}
	to := h.Alloc(arena.PurposeEntry, size)
	copy(h.Arena().Bytes(to, size), h.Arena().Bytes(old, size))
	if move != nil {
		move(e, to)
	}
	h.Free(arena.PurposeEntry, old, size)
	s.SetRef(to)
}

// nodeCost is how many elements a node of many counts for: it may have 8 KiB.
const nodeCost = 4

// defrag moves a sorted set's members, and then the nodes of its tree.
func (z ZSetValue) defrag(at *DefragMark, n int, m *Moves) (cost int, done bool) {
	tree := z.tree()
	cost, done = z.defragOrdered(&tree, at, n, m, func(e entry.Entry, to arena.Ref) {
		tree.Replace(entryScore(e), e.Key(), to)
	})
	z.storeTree(&tree)
	return cost, done
}

// defragDated moves the fields of a large dated hash, and then the nodes of its tree.
func (h HashValue) defragDated(at *DefragMark, n int, m *Moves) (cost int, done bool) {
	tree := h.order()
	cost, done = h.defragOrdered(&tree, at, n, m, func(e entry.Entry, to arena.Ref) {
		if e.HasDeadline() {
			tree.Replace(float64(e.Deadline()), e.Key(), to)
		}
	})
	h.putOrder(&tree)
	return cost, done
}

// defragOrdered moves elements first, of whose new places replace tells the tree, and
// then the nodes of the tree.
func (c *Cell) defragOrdered(tree *btree.Tree, at *DefragMark, n int, m *Moves, replace func(e entry.Entry, to arena.Ref)) (cost int, done bool) {
	if at.part == 0 {
		t := c.table()
		cost, done = defragTable(&t, &at.at, (n+1)/2, m, replace)
		c.storeTable(&t)
		if cost *= 2; !done { // the tree is searched for each that moves
			return cost, false
		}
		*at = DefragMark{part: 1, marked: at.marked}
	}
	if cost >= n {
		return cost, false
	}
	leaves := (n - cost + nodeCost - 1) / nodeCost
	h := c.inside()
	next := tree.MoveNodes(int(at.at), leaves, func(r arena.Ref, size int) bool {
		sparse := h.Sparse(r, size)
		m.note(sparse)
		return sparse
	})
	at.at = uint64(next)
	return cost + leaves*nodeCost, next == 0
}

// defrag moves the list's nodes, and the blocks of their index.
func (v ListValue) defrag(at *DefragMark, n int, m *Moves) (cost int, done bool) {
	if n <= 0 {
		return 0, false
	}
	q := quicklist.Attach(v.large())
	nodes := (n + nodeCost - 1) / nodeCost
	next, moved := q.MoveSparse(int(at.at), nodes)
	m.Hits += int64(moved)
	m.Misses += int64(max(nodes-moved, 0))
	at.at = uint64(next)
	return nodes * nodeCost, next == 0
}

// defrag moves the stream's nodes, and what is pending in its groups.
func (v StreamValue) defrag(at *DefragMark, n int, m *Moves) (cost int, done bool) {
	if n <= 0 {
		return 0, false
	}
	s := v.Open()
	nodes := (n + nodeCost - 1) / nodeCost
	next, moved, done := s.Defrag(at.stream, nodes)
	m.Hits += int64(moved)
	m.Misses += int64(max(nodes-moved, 0))
	at.stream = next
	return nodes * nodeCost, done
}
