package wheel

import "math/bits"

const (
	// earliestPicks is how many records SampleEarliest compares.
	earliestPicks = 8
	// pickTurns is how many chunks pick passes over at the most.
	pickTurns = 8
)

// Sample is one of the records, chosen by r. Over many calls all have nearly
// the same chance: the slot is drawn by its number of records, and within a
// large slot the chunks take turns.
func (w *Wheel) Sample(r uint64) (hash40 uint64, deadlineMs int64, ok bool) {
	if w.count == 0 {
		return 0, 0, false
	}
	i := below(r, w.count)
	hash40, deadlineMs = w.pick(w.ringOf(i), mix(r))
	return hash40, deadlineMs, true
}

// SampleEarliest is a record among those that are due next, chosen by r: of
// eight of the earliest slot the one that is due first.
func (w *Wheel) SampleEarliest(r uint64) (hash40 uint64, deadlineMs int64, ok bool) {
	g := &w.loose
	if g.count == 0 {
		l, s, any := w.earliest()
		if !any {
			return 0, 0, false
		}
		g = w.ring(l, s)
	}
	for i := range min(earliestPicks, g.count) {
		r = mix(r)
		if h, d := w.pick(g, r); i == 0 || d < deadlineMs {
			hash40, deadlineMs = h, d
		}
	}
	return hash40, deadlineMs, true
}

// ringOf is the ring with the i-th record.
func (w *Wheel) ringOf(i int) *ring {
	if i < w.loose.count {
		return &w.loose
	}
	i -= w.loose.count
	l := 0
	for i >= w.level[l].count {
		i -= w.level[l].count
		l++
	}
	o := w.level[l].occupied
	g := w.ring(l, bits.TrailingZeros64(o))
	for i >= g.count {
		i -= g.count
		o &= o - 1
		g = w.ring(l, bits.TrailingZeros64(o))
	}
	return g
}

// pick is some record of a ring that has any. The head is drawn by its share of
// the records. Else the other chunks take turns, small ones not every time.
func (w *Wheel) pick(g *ring, r uint64) (hash uint64, deadline int64) {
	_, c := w.head(g)
	if below(r, g.count) >= int(c.count) {
		head := c
		for range pickTurns {
			r = mix(r)
			if c = w.turnOver(g, head); below(r, chunkRecords(sizeMax)) < int(c.count) {
				break
			}
		}
	}
	return c.record(below(mix(r), int(c.count)))
}

// turnOver moves the chunk after the head to the end of the ring, and returns
// it. There must be one.
func (w *Wheel) turnOver(g *ring, head *chunk) *chunk {
	second := head.next
	s := w.chunk(second)
	if second != g.tail {
		t := w.chunk(g.tail)
		head.next = s.next
		s.next, t.next = t.next, second
		g.tail = second
	}
	return s
}

// below is a number from 0 to n-1, chosen by r.
func below(r uint64, n int) int {
	hi, _ := bits.Mul64(r, uint64(n))
	return int(hi)
}

// mix makes another number of r (the finalizer of splitmix64).
func mix(r uint64) uint64 {
	r += 0x9e3779b97f4a7c15
	r = (r ^ r>>30) * 0xbf58476d1ce4e5b9
	r = (r ^ r>>27) * 0x94d049bb133111eb
	return r ^ r>>31
}
