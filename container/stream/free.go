package stream

import "dozo/arena"

// Free gives all memory of the stream back. Its Root names nothing then.
func (s *Stream) Free() {
	const many = 1 << 20
	for s.FreeSome(many) {
	}
}

// FreeSome gives some of it back, which takes about n steps: a step is a node or a
// pending entry. It is to be called until more is false, and nothing else may be
// done with the stream then.
func (s *Stream) FreeSome(n int) (more bool) {
	x := s.index()
	for ; n > 0 && x.root.count > 0; n-- {
		v := *x.last().pair()
		if v.value != 0 { // nobody has taken it
			s.freeNode(arena.Ref(v.value))
		}
		x.remove(v.key)
	}
	for n > 0 && s.Groups() > 0 {
		g := s.GroupAt(s.Groups() - 1)
		if n = g.freeSome(n); n > 0 {
			s.strike(&s.h.groups, s.Groups()-1)
			s.heap.Free(purpose, g.r, g.p.size())
			n--
		}
	}
	if n <= 0 {
		return true
	}
	s.heap.Free(purpose, s.r, headerBytes)
	return false
}

// freeSome frees what is in the group, and tells what is left of n: nothing if it
// is not done.
func (g *Group) freeSome(n int) int {
	x := g.index()
	for n > 0 && x.root.count > 0 {
		n -= x.dropLeaf(func(v *pair) { g.freePending(arena.Ref(v.value)) })
	}
	for n > 0 && g.Consumers() > 0 {
		c := g.ConsumerAt(g.Consumers() - 1)
		own := c.index()
		for n > 0 && own.root.count > 0 {
			n -= own.dropLeaf(nil)
		}
		if n > 0 {
			g.strike(&g.p.consumers, g.Consumers()-1)
			g.free(c.r, c.p.size())
			n--
		}
	}
	return n
}
