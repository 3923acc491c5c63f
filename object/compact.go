package object

import (
	"dozo/arena"
	"dozo/internal/invariants"
)

// A small collection is a listpack or an intset: a run of bytes, kept where strings
// are kept, in the key's entry or in a block of its own, and edited in place.

// NewCompact makes an entry for a collection whose bytes are b.
func (p Place) NewCompact(t Type, enc Encoding, b []byte) arena.Ref {
	s := bytesShape(len(b), enc, p.Attrs)
	s.Type = uint8(t)
	return newShaped(p.Heap, p.Key, b, s)
}

// Bare is the bytes of a small collection, in place: read only.
func (c *Cell) Bare() []byte { return c.room() }

// compactRoom is the bytes of a small collection, in place, with room for more of
// them behind. storeCompact must follow.
func (c *Cell) compactRoom(more int) []byte {
	have := c.bytesLen()
	n := have + more
	switch {
	case c.Entry.IsOutside():
		if n > c.Entry.Outside().Cap {
			c.growOutside(n, n+n/8)
		}
		o := c.Entry.Outside()
		return c.Heap.Arena().Bytes(o.Ref, o.Cap)[:have]
	case n <= inlineMax:
		c.resizeInside(n)
	default:
		c.growOutside(n, n+n/8)
	}
	return c.room()[:have]
}

// storeCompact says what an edit of the bytes from compactRoom has made of them.
func (c *Cell) storeCompact(b []byte) {
	n := len(b)
	if invariants.Enabled {
		invariants.Check(&b[0] == &c.room()[0], "object: a small collection left its place")
	}
	if !c.Entry.IsOutside() {
		c.resizeInside(n)
		return
	}
	o := c.Entry.Outside()
	switch {
	case n <= inlineMax/2:
		c.comeInside(b)
		return
	case n < o.Cap/2:
		o.Ref = c.Heap.Realloc(c.purpose(), o.Ref, o.Cap, n)
		o.Cap = n
	}
	o.Len = n
	c.Entry.SetOutside(o)
}

// comeInside takes a value that has become small into its entry.
func (c *Cell) comeInside(b []byte) {
	o := c.Entry.Outside()
	s := c.Entry.Shape()
	s.Payload, s.Outside = len(b), false
	c.Reshape(s)
	copy(c.Entry.Payload(), b)
	c.Heap.Free(c.purpose(), o.Ref, o.Cap)
}

// bytesLen is the length of what room gives.
func (c *Cell) bytesLen() int {
	if c.Entry.IsOutside() {
		return c.Entry.Outside().Len
	}
	return c.Entry.PayloadLen()
}

// become gives a collection another encoding and a payload of n bytes in its
// entry; what the old one had is the caller's.
func (c *Cell) become(enc Encoding, n int) {
	s := c.Entry.Shape()
	s.Encoding, s.Payload, s.Outside = uint8(enc), n, false
	c.Reshape(s)
}

// becomeLarge is become for a large encoding, whose roots take n bytes and are empty.
func (c *Cell) becomeLarge(enc Encoding, n int) {
	c.become(enc, partWordSize+n)
	clear(c.Entry.Payload())
}

// recompact replaces the bytes of a small collection by others in another
// encoding.
func (c *Cell) recompact(enc Encoding, b []byte) {
	freeValue(c.Heap, c.Entry)
	s := bytesShape(len(b), enc, Attrs{})
	old := c.Entry.Shape()
	s.Type, s.Deadline, s.Age, s.Stamp = old.Type, old.Deadline, old.Age, old.Stamp
	c.Reshape(s)
	if s.Outside {
		putOutside(c.Heap, c.Entry, b)
		return
	}
	copy(c.Entry.Payload(), b)
}
