package stream

import "dozo/arena"

// Copy makes an equal stream in a heap of the same arena. With take, nodes that have
// whole granules go over to it instead of being copied; the stream is good for nothing
// but Free and FreeSome then.
func (s *Stream) Copy(h *arena.Heap, take bool) Stream {
	to := New(h)
	to.h.state = s.h.state
	x, y := s.index(), to.index()
	for at := x.ceil(ID{}); at.ok(); at = x.after(at) {
		v := at.pair()
		y.insert(v.key, 0)
		if !take || !to.takeNode(y.last().pair(), s, v) {
			to.copyNode(y.last().pair(), s.node(arena.Ref(v.value)))
		}
	}
	for i := range s.Groups() {
		g := s.GroupAt(i)
		n, _ := to.CreateGroup(g.Name(), g.p.last, g.p.read)
		g.copyTo(&n)
	}
	return to
}

// takeNode takes over the node of another stream, if that can be done.
func (s *Stream) takeNode(at *pair, from *Stream, v *pair) bool {
	r := arena.Ref(v.value)
	n := nodeBlock(len(s.node(r)))
	if !s.heap.Adopt(from.heap, purpose, r, n) {
		return false
	}
	*from.used -= int64(arena.UsableSize(n))
	*s.used += int64(arena.UsableSize(n))
	at.value, v.value = v.value, 0
	return true
}

func (g *Group) copyTo(to *Group) {
	for it := g.PendingFrom(ID{}); it.Next(); {
		to.LoadPending(it.Pending.ID, it.Pending.p.delivered, it.Pending.p.count)
	}
	for i := range g.Consumers() {
		c := g.ConsumerAt(i)
		n, _ := to.CreateConsumer(c.Name(), c.p.seen)
		n.p.active = c.p.active
		for it := g.PendingOf(&c, ID{}); it.Next(); {
			to.Claim(&n, it.Pending.ID)
		}
	}
}

// Position is how far Defrag has come. The zero Position is the start.
type Position struct {
	Group int // 0: the nodes; i: what is pending in the group before the i-th
	From  ID
}

// Defrag moves blocks that lie in sparse slabs. It looks at n nodes, pending entries
// or groups, and tells where to go on, and how many blocks it has moved; done when
// there is nothing further. Streams, groups and consumers stay where they are.
func (s *Stream) Defrag(at Position, n int) (next Position, moved int, done bool) {
	for ; n > 0; n-- {
		if at.Group > s.Groups() {
			return at, moved, true
		}
		x := s.index()
		var g Group
		if at.Group > 0 {
			g = s.GroupAt(at.Group - 1)
			x = g.index()
		}
		spot := x.ceil(at.From)
		if !spot.ok() {
			at = Position{Group: at.Group + 1}
			continue
		}
		k := spot.pair().key
		if spot.i == 0 {
			moved += x.moveSparse(k)
			spot = x.find(k)
		}
		if at.Group == 0 {
			moved += s.moveNode(spot.pair())
		} else {
			moved += g.movePending(spot.pair())
		}
		var ok bool
		if at.From, ok = k.Next(); !ok {
			at = Position{Group: at.Group + 1}
		}
	}
	return at, moved, false
}

func (s *Stream) moveNode(v *pair) int {
	r := arena.Ref(v.value)
	n := nodeBlock(len(s.node(r)))
	if !s.heap.Sparse(r, n) {
		return 0
	}
	v.value = uint64(s.move(r, n))
	return 1
}

// movePending moves an entry, and the page of its consumer's index on the way.
func (g *Group) movePending(v *pair) (moved int) {
	n := g.pending(v)
	c := n.Consumer()
	own := c.index()
	at := own.find(v.key)
	if at.i == 0 {
		moved = own.moveSparse(v.key)
		at = own.find(v.key)
	}
	if g.heap.Sparse(n.r, pendingBytes) {
		v.value = uint64(g.move(n.r, pendingBytes))
		at.pair().value = v.value
		moved++
	}
	return moved
}
