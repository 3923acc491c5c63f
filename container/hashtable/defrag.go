package hashtable

import "dozo/arena"

// Gather is Scan for active defragmentation: it appends the slots of the entries
// from cursor on to slots, until it has n, and returns the next cursor. The entries
// are asked for from memory, so that the waits for them overlap. Segments on the way
// that are sparse (arena.Heap.Sparse) are moved, and so is the directory with cursor
// 0; moved and left are how many blocks were moved and how many were not. The slots
// are good until the next change: the caller looks at the entries, and says SetRef of
// those that it moves.
//
// LIMITATIONS. The blocks of chains stay where they are: with a good hash there are
// none.
func (t *Table) Gather(cursor uint64, slots []Slot, n int) (_ []Slot, next uint64, moved, left int) {
	count := func(ok bool) {
		if ok {
			moved++
		} else {
			left++
		}
	}
	if cursor == 0 && t.root.depth > 0 {
		count(t.moveDirectory())
	}
	for in := seg(0); len(slots) < n; {
		s := t.at(cursor)
		if s == 0 {
			return slots, 0, moved, left
		}
		if s != in {
			count(t.moveSegment(cursor, s))
			in = t.at(cursor)
		}
		cursor = t.ScanSlots(cursor, func(s Slot) {
			t.arena.PrefetchBlock(s.Ref())
			slots = append(slots, s)
		})
		if cursor == 0 {
			break
		}
	}
	return slots, cursor, moved, left
}

func (t *Table) moveDirectory() bool {
	r, ok := t.heap.MoveSparse(arena.PurposeTable, arena.Ref(t.root.top), directoryBytes(t.root.depth))
	t.root.top = uint64(r)
	return ok
}

// moveSegment moves the segment s, in which pos lies, if it is sparse.
func (t *Table) moveSegment(pos uint64, s seg) bool {
	r, ok := t.heap.MoveSparse(arena.PurposeTable, s.ref(), int(s.lines())*lineSize)
	if ok {
		t.setRange(pos, segOf(r, s.buckets(), s.depth(), s.base()))
	}
	return ok
}
