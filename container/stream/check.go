package stream

import (
	"bytes"
	"fmt"

	"dozo/arena"
)

// Check recounts everything that the package comment promises and returns what does
// not hold. It reads all of the stream: it is for tests.
func (s *Stream) Check() error {
	c := census{used: int64(arena.UsableSize(headerBytes))}
	x := s.index()
	c.index(&x)
	live := uint64(0)
	for at := x.ceil(ID{}); at.ok() && c.err == nil; at = x.after(at) {
		live += uint64(c.node(s, at.pair()))
	}
	st := s.h.state
	if live != st.Length {
		c.fail("%d entries, the stream says %d", live, st.Length)
	}
	if first, _ := s.FirstEntry(); first != st.First {
		c.fail("the first entry is %v, the stream says %v", first, st.First)
	}
	if last, ok := s.LastEntry(); ok && st.Last.Less(last) {
		c.fail("the last entry is %v, the last ID %v", last, st.Last)
	}
	c.directory(&s.space, &s.h.groups)
	c.count("stream", s.h.used)
	for i := range s.Groups() {
		g := s.GroupAt(i)
		c.group(&g)
	}
	return c.err
}

// census is what Check counts.
type census struct {
	err  error
	used int64
}

func (c *census) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("stream: "+format, args...)
	}
}

// count compares the bytes seen so far with those that somebody says.
func (c *census) count(what string, says int64) {
	if c.used != says {
		c.fail("%s: %d bytes, it says %d", what, c.used, says)
	}
	c.used = 0
}

func (c *census) block(n int) { c.used += int64(arena.UsableSize(n)) }

// node checks a node and tells how many entries it has.
func (c *census) node(s *Stream, v *pair) int64 {
	b := s.node(arena.Ref(v.value))
	c.block(nodeBlock(len(b)))
	if !ValidNode(b) {
		c.fail("node %v is not valid", v.key)
		return 0
	}
	m := readMaster(b)
	for p := m.first(b); p != 0; {
		e := readRecord(b, p, v.key, &m)
		if e.id.Less(v.key) {
			c.fail("node %v has an entry %v", v.key, e.id)
		}
		p = behind(b, e.data, e.elements())
	}
	return m.live
}

func (c *census) directory(s *space, d *directory) {
	if d.refs != 0 {
		c.block(int(d.room) * refSize)
	}
	l := s.list(d)
	for i, r := range l {
		if i > 0 && bytes.Compare(s.named(l[i-1]).name(), s.named(r).name()) >= 0 {
			c.fail("the names %q and %q are out of order", s.named(l[i-1]).name(), s.named(r).name())
		}
	}
}

func (c *census) group(g *Group) {
	c.block(g.p.size())
	x := g.index()
	c.index(&x)
	for it := g.PendingFrom(ID{}); it.Next() && c.err == nil; {
		n := &it.Pending
		c.block(pendingBytes)
		who := n.Consumer()
		own := who.index()
		if at := own.find(n.ID); !at.ok() || arena.Ref(at.pair().value) != n.r {
			c.fail("%v is pending for %q, who does not know", n.ID, who.Name())
		}
	}
	c.directory(&g.space, &g.p.consumers)
	n := 0
	for i := range g.Consumers() {
		who := g.ConsumerAt(i)
		own := who.index()
		c.index(&own)
		c.block(who.p.size())
		n += who.Pending()
	}
	if n != g.Pending() {
		c.fail("group %q: %d entries pending, %d for its consumers", g.Name(), g.Pending(), n)
	}
	c.count(string(g.Name()), g.p.used)
}

func (c *census) index(x *index) {
	if x.root.top == 0 {
		if x.root.count != 0 || x.root.bytes != 0 {
			c.fail("an index without pages has %d pairs", x.root.count)
		}
		return
	}
	before := c.used
	w := walk{census: c, x: x}
	w.page(x.top(), x.height())
	if w.pairs != x.root.count || c.used-before != x.root.bytes {
		c.fail("an index of %d pairs in %d bytes says %d in %d", w.pairs, c.used-before, x.root.count, x.root.bytes)
	}
}

// walk goes through an index in order.
type walk struct {
	*census
	x     *index
	pairs uint64
	last  ID   // the last key of a leaf
	bound bool // there was one
	floor ID   // what the next key may not be below
}

func (w *walk) page(r arena.Ref, level int) {
	g := w.x.page(r)
	w.block(pageBytes(g.step))
	if g.count == 0 || level == w.x.height() && level > 0 && g.count == 1 {
		w.fail("a page of level %d has %d pairs", level, g.count)
		return
	}
	for i, v := range g.pairs() {
		if level > 0 {
			if i > 0 {
				w.separator(v.key)
			}
			w.page(arena.Ref(v.value), level-1)
			continue
		}
		if v.key.Less(w.floor) || w.bound && !w.last.Less(v.key) {
			w.fail("the key %v stands behind %v and %v", v.key, w.last, w.floor)
		}
		w.pairs++
		w.last, w.bound = v.key, true
	}
}

// separator is the key of a page that is not the first of its parent.
func (w *walk) separator(k ID) {
	if w.bound && !w.last.Less(k) {
		w.fail("a page from %v on follows the key %v", k, w.last)
	}
	w.floor = k
}
