package wheel

import "dozo/arena"

// MoveSparse moves chunks out of sparse slabs (arena.Sparse): it looks at some with
// about budget records, from where the last MoveSparse or Compact stopped, and
// returns how many records those have and how many blocks it moved. When Len
// records have been seen, the wheel has been gone round.
func (w *Wheel) MoveSparse(budget int) (seen, moved int) {
	for l := range w.level {
		if r, ok := w.heap.MoveSparse(arena.PurposeExpiry, w.level[l].rings, ringsSize); ok {
			w.level[l].rings = r
			moved++
		}
	}
	budget = min(budget, w.count-w.loose.count)
	for seen < budget && w.seek() {
		n, ok := w.moveChunk()
		if seen += n; ok {
			moved++
		}
	}
	return seen, moved
}

// moveChunk looks at the next chunk of the sweep, tells how many records it has,
// and whether it was moved.
func (w *Wheel) moveChunk() (records int, ok bool) {
	p := &w.sweep
	g := w.ring(p.level, p.slot)
	before := p.prev
	if before == 0 {
		before = g.tail
	}
	old := w.chunk(before).next
	c := w.chunk(old)
	records = int(c.count)
	r, ok := w.heap.MoveSparse(arena.PurposeExpiry, old, chunkBytes(c.size))
	if ok {
		if before == old {
			before = r
		}
		w.chunk(before).next = r
	}
	if g.tail != old {
		p.prev = r
		return records, ok
	}
	g.tail = r
	p.slot++
	p.prev = 0
	return records, ok
}
