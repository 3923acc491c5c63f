package stream

import "dozo/arena"

// What a command takes out of a stream may be millions of blocks. Where they hang on
// one index they go to a stream of their own, the rest, which has nothing else and
// which FreeSome frees in steps. A zero Stream is no rest: all is freed already.

// restMin is how many nodes or pending entries are worth a rest.
const restMin = 256

// IsNone tells whether there is no stream.
func (s *Stream) IsNone() bool { return s.r == 0 }

// takeNodes makes a rest of all nodes.
func (s *Stream) takeNodes() (rest Stream) {
	rest = New(s.heap)
	rest.h.nodes, s.h.nodes = s.h.nodes, indexRoot{}
	rest.h.state = s.h.state
	s.h.state.Length, s.h.state.First = 0, ID{}
	stays := int64(arena.UsableSize(headerBytes))
	if d := &s.h.groups; d.refs != 0 {
		stays += int64(arena.UsableSize(int(d.room) * refSize))
	}
	s.passBytes(s.h.used-stays, &rest.space)
	return rest
}

// passBytes says that blocks of s are to's from now on.
func (s *space) passBytes(n int64, to *space) {
	*s.used -= n
	*to.used += n
}

// DestroyGroup takes a group out of the stream and makes a rest of it.
func (s *Stream) DestroyGroup(g Group) (rest Stream) {
	i, _ := s.search(&s.h.groups, g.Name())
	s.strike(&s.h.groups, i)
	rest = New(s.heap)
	rest.enter(&rest.h.groups, 0, g.r)
	return rest
}

// takeConsumer makes a rest of a consumer, the i-th, with what is pending for it. The
// others' entries get another index: it is for consumers who have more than they.
func (g *Group) takeConsumer(i int, c Consumer) (rest Stream) {
	g.strike(&g.p.consumers, i)
	rest = New(g.heap)
	out, _ := rest.CreateGroup(nil, ID{}, 0)
	out.enter(&out.p.consumers, 0, c.r)
	out.p.pending, g.p.pending = g.p.pending, indexRoot{}
	g.passBytes(out.p.pending.bytes+c.p.pending.bytes+int64(arena.UsableSize(c.p.size()))+
		int64(c.Pending())*int64(arena.UsableSize(pendingBytes)), &out.space)
	old, x := out.index(), g.index()
	for j := range g.Consumers() {
		who := g.ConsumerAt(j)
		for it := g.PendingOf(&who, ID{}); it.Next(); {
			old.remove(it.Pending.ID)
			x.insert(it.Pending.ID, uint64(it.Pending.r))
		}
	}
	return rest
}
