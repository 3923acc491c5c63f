package wheel

import (
	"fmt"

	"dozo/arena"
)

// Check recounts everything that the package comment promises and returns what
// does not hold. It reads every record: it is for tests.
func (w *Wheel) Check() error {
	c := census{w: w}
	c.ring(&w.loose, 0, 0, false)
	for l := range w.level {
		c.level(l)
	}
	if c.err == nil && (c.count != w.count || c.bytes != w.bytes) {
		c.fail("%d records and %d bytes, the wheel says %d and %d", c.count, c.bytes, w.count, w.bytes)
	}
	return c.err
}

// census is what Check counts.
type census struct {
	w     *Wheel
	err   error
	count int
	bytes int64
}

func (c *census) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("wheel: "+format, args...)
	}
}

func (c *census) level(l int) {
	w := c.w
	v := &w.level[l]
	if v.rings == 0 {
		if v.occupied != 0 || v.count != 0 {
			c.fail("level %d has no rings, but %d records", l, v.count)
		}
		return
	}
	c.bytes += int64(arena.UsableSize(ringsSize))
	before := c.count
	for s := range slots {
		g := w.ring(l, s)
		if (v.occupied>>s&1 != 0) != (g.tail != 0) {
			c.fail("level %d slot %d: the bit is %d, the ring has %d records", l, s, v.occupied>>s&1, g.count)
		}
		if g.tail == 0 {
			continue
		}
		if at := slotOf(w.now, l); s < at || s == at && l > 0 {
			c.fail("level %d slot %d is occupied, the time %#x is past it", l, s, w.now)
		}
		start := w.startOf(l, s)
		c.ring(g, start, start+width(l)-1, true)
	}
	if n := c.count - before; n != v.count {
		c.fail("level %d has %d records, it says %d", l, n, v.count)
	}
}

// ring counts a ring, and demands that its deadlines lie within first and last.
func (c *census) ring(g *ring, first, last int64, bound bool) {
	n := 0
	for r := g.tail; r != 0 && c.err == nil; {
		r = c.w.chunk(r).next
		k := c.w.chunk(r)
		c.bytes += int64(arena.UsableSize(chunkBytes(k.size)))
		n += int(k.count)
		if k.count == 0 || k.size > sizeMax {
			c.fail("chunk of size %d with %d records", k.size, k.count)
			return
		}
		for i := range int(k.count) {
			if _, d := k.record(i); bound && (d < first || d > last) {
				c.fail("deadline %d in the slot from %d to %d", d, first, last)
			}
		}
		if r == g.tail {
			break
		}
	}
	if n != g.count {
		c.fail("ring of %d records says %d", n, g.count)
	}
	c.count += n
}

// Each calls visit for every record, in no order, with what Advance gives to
// due. It is for tests.
func (w *Wheel) Each(visit func(hash40 uint64, deadlineMs int64)) {
	w.eachIn(&w.loose, visit)
	for l := range w.level {
		for s := range slots {
			if w.level[l].occupied>>s&1 != 0 {
				w.eachIn(w.ring(l, s), visit)
			}
		}
	}
}

func (w *Wheel) eachIn(g *ring, visit func(uint64, int64)) {
	for r := g.tail; r != 0; {
		r = w.chunk(r).next
		c := w.chunk(r)
		for i := range int(c.count) {
			visit(c.record(i))
		}
		if r == g.tail {
			return
		}
	}
}
