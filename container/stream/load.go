package stream

import (
	"dozo/arena"
	"dozo/container/listpack"
)

// Nodes is the number of nodes: radix-tree-keys of XINFO STREAM.
func (s *Stream) Nodes() int { return int(s.h.nodes.count) }

// NodeFrom is the first node whose master ID is id or later, in place; false if
// there is none. A walk goes on at the ID.Next of what it got.
func (s *Stream) NodeFrom(id ID) (master ID, b []byte, ok bool) {
	x := s.index()
	at := x.ceil(id)
	if !at.ok() {
		return ID{}, nil, false
	}
	v := at.pair()
	return v.key, s.node(arena.Ref(v.value)), true
}

// AddNode takes a copy of a node that was saved. The stream is good for nothing
// before Load was called. The error is ErrNode.
func (s *Stream) AddNode(id ID, b []byte) error {
	x := s.index()
	if len(b) > listpack.SizeMax || !ValidNode(b) || !x.insert(id, 0) {
		return ErrNode
	}
	s.copyNode(x.find(id).pair(), b)
	return nil
}

func (s *Stream) copyNode(at *pair, b []byte) {
	n := nodeBlock(len(b))
	r := s.alloc(n)
	copy(s.arena.Bytes(r, n), b)
	at.value = uint64(r)
}

// Load says what was saved besides the nodes, which are all there. (What comes from
// before Redis 7.0 has Length and Last alone: Added is the Length then, and First is
// FirstEntry.) The error is ErrState.
func (s *Stream) Load(st State) error {
	live := uint64(0)
	x := s.index()
	for at := x.ceil(ID{}); at.ok(); at = x.after(at) {
		m := readMaster(s.node(arena.Ref(at.pair().value)))
		live += uint64(m.live)
	}
	if st.Length != live {
		return ErrState
	}
	s.h.state = st
	return nil
}

// LoadPending adds an entry that was pending for a consumer, who is not known yet;
// false if it is there already.
func (g *Group) LoadPending(id ID, deliveredMs int64, deliveries uint64) bool {
	if _, found := g.Lookup(id); found {
		return false
	}
	n := g.addPending(id)
	n.p.delivered, n.p.count = deliveredMs, deliveries
	return true
}

// LoadOwner says for whom a loaded entry is pending; false if it is not pending at
// all, or somebody has it.
func (g *Group) LoadOwner(c *Consumer, id ID) bool {
	n, found := g.Lookup(id)
	if !found || n.Owned() {
		return false
	}
	g.Claim(c, id)
	return true
}

// Loaded tells whether all that is pending has a consumer.
func (g *Group) Loaded() bool {
	n := 0
	for i := range g.Consumers() {
		c := g.ConsumerAt(i)
		n += c.Pending()
	}
	return n == g.Pending()
}

// ValidNode tells whether b is the listpack of a node, to be asked of all that comes
// from outside. It wants what Redis wants after its deep check, and that the master
// entry counts the live and the deleted entries right.
func ValidNode(b []byte) bool {
	if !listpack.Validate(b) {
		return false
	}
	c := checker{b: b, p: listpack.First(b), ok: true}
	live, deleted, fields := c.number(), c.number(), c.number()
	if !c.ok || live < 0 || deleted < 0 || fields < 0 {
		return false
	}
	c.skip(fields)
	if c.number() != 0 {
		return false
	}
	for c.ok && c.p != 0 {
		if c.entry(fields) {
			deleted--
		} else {
			live--
		}
	}
	return c.ok && live == 0 && deleted == 0
}

// checker reads a valid listpack that may be no node.
type checker struct {
	b  []byte
	p  int
	ok bool
}

func (c *checker) number() int64 {
	if c.p == 0 {
		c.ok = false
		return 0
	}
	v, next := listpack.Read(c.b, c.p)
	c.p = next
	n, ok := asInt(v)
	c.ok = c.ok && ok
	return n
}

func (c *checker) skip(n int64) {
	for ; n > 0 && c.ok; n-- {
		if c.p == 0 {
			c.ok = false
			return
		}
		c.p = listpack.Next(c.b, c.p)
	}
}

// entry reads an entry and tells whether it is deleted.
func (c *checker) entry(fields int64) (deleted bool) {
	flags := c.number()
	c.number()
	c.number()
	n := fields
	fixed := int64(3)
	if flags&flagSameFields == 0 {
		n, fixed = c.number(), 4
		if n < 0 || n > int64(len(c.b)) {
			c.ok = false
			return false
		}
		n *= 2
	}
	c.skip(n)
	if c.number() != n+fixed {
		c.ok = false
	}
	return flags&flagDeleted != 0
}
