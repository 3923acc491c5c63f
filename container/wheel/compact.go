package wheel

import (
	"math/bits"

	"dozo/arena"
)

// sweep is how far Compact has come.
type sweep struct {
	level, slot int
	prev        arena.Ref // the last chunk that was looked at in that slot, 0 = none yet
}

// Compact drops the records that live denies: it looks at about budget records,
// whole chunks, goes on in the next call where it stopped, and begins anew when
// it has come round. It returns how many it dropped. live gets what Advance
// gives to due, and must not use the wheel.
func (w *Wheel) Compact(budget int, live func(hash40 uint64, deadlineMs int64) bool) (dropped int) {
	budget = min(budget, w.count-w.loose.count)
	for budget > 0 && w.seek() {
		seen, gone := w.compactChunk(live)
		budget -= seen
		dropped += gone
	}
	return dropped
}

// seek makes sure that the sweep is at a slot with a chunk to look at, and
// returns false when there is none in the whole wheel.
func (w *Wheel) seek() bool {
	p := &w.sweep
	if p.prev != 0 {
		if w.ring(p.level, p.slot).tail != p.prev {
			return true
		}
		p.slot++ // a shift by 64 leaves no slot
		p.prev = 0
	}
	for range levels + 1 {
		if o := w.level[p.level].occupied >> p.slot; o != 0 {
			p.slot += bits.TrailingZeros64(o)
			return true
		}
		p.level, p.slot = (p.level+1)%levels, 0
	}
	return false
}

// compactChunk looks at the next chunk of the sweep.
func (w *Wheel) compactChunk(live func(uint64, int64) bool) (seen, dropped int) {
	p := &w.sweep
	g := w.ring(p.level, p.slot)
	before := p.prev
	if before == 0 {
		before = g.tail
	}
	r := w.chunk(before).next
	c := w.chunk(r)
	last := r == g.tail
	seen = int(c.count)
	dropped = c.filter(live)
	g.count -= dropped
	w.level[p.level].count -= dropped
	w.count -= dropped
	switch {
	case c.count == 0 || p.prev != 0 && w.chunk(p.prev).absorb(c):
		w.unlink(g, before, r)
	default:
		p.prev = r
	}
	if g.tail == 0 {
		w.level[p.level].occupied &^= 1 << p.slot
	}
	if last {
		p.slot++
		p.prev = 0
	}
	return seen, dropped
}

// filter keeps the records that live grants, and returns how many went.
func (c *chunk) filter(live func(uint64, int64) bool) (dropped int) {
	for i := int(c.count) - 1; i >= 0; i-- {
		if live(c.record(i)) {
			continue
		}
		c.count--
		*c.word(i) = *c.word(int(c.count))
		dropped++
	}
	return dropped
}

// absorb takes the records of o in, if they fit and mean the same here.
func (c *chunk) absorb(o *chunk) bool {
	n := int(c.count) + int(o.count)
	if c.start != o.start || c.level != o.level || n > chunkRecords(c.size) {
		return false
	}
	for i := range int(o.count) {
		*c.word(int(c.count) + i) = *o.word(i)
	}
	c.count = uint16(n)
	return true
}
