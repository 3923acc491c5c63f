package object

import (
	"encoding/binary"
	"math"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/text"
)

const (
	// embstrMax is the longest string that Redis reports as embstr.
	embstrMax = 44
	// inlineMax is the longest string that is kept inside its entry. A longer
	// one has a block of its own, so that growing it does not move the key.
	inlineMax = 1024
	// intDigitsMax is the longest decimal text of an int64.
	intDigitsMax = 20
	// growDoubleMax is where APPEND stops doubling the room and adds this much, or
	// an eighth.
	growDoubleMax = 1 << 20
)

// Attrs are the parts of an entry that are not key or value.
type Attrs struct {
	Deadline int64 // milliseconds since the epoch, 0 = none
	Age      uint32
}

// encodeString chooses the encoding that SET gives a value.
func encodeString(val []byte) (enc Encoding, n int64) {
	if len(val) <= intDigitsMax {
		if n, ok := text.ParseInt(val); ok {
			return EncInt, n
		}
	}
	if len(val) <= embstrMax {
		return EncEmbstr, 0
	}
	return EncRaw, 0
}

// NewString makes an entry for a string, encoded as SET does, and returns its
// ref for the table.
func NewString(h *arena.Heap, key, val []byte, at Attrs) arena.Ref {
	enc, n := encodeString(val)
	if enc == EncInt {
		return newInt(h, key, n, at)
	}
	return newBytes(h, key, val, enc, at)
}

// NewRawString makes an entry for a string that must not be encoded as an
// integer: embstr or raw by its length, as results of SETRANGE or BITOP are.
func NewRawString(h *arena.Heap, key, val []byte, at Attrs) arena.Ref {
	enc := EncRaw
	if len(val) <= embstrMax {
		enc = EncEmbstr
	}
	return newBytes(h, key, val, enc, at)
}

// NewZeros makes an entry for a raw string of n zero bytes, to be filled in.
func NewZeros(h *arena.Heap, key []byte, n int, at Attrs) arena.Ref {
	s := bytesShape(n, EncRaw, at)
	ref := h.Alloc(arena.PurposeEntry, entry.SizeFor(len(key), s))
	putZeros(h, entry.Init(h.Arena(), ref, key, s), n)
	return ref
}

// bytesShape is the shape of an entry for a string of n bytes.
func bytesShape(n int, enc Encoding, at Attrs) entry.Shape {
	s := entry.Shape{
		Type: uint8(String), Encoding: uint8(enc), Deadline: at.Deadline, Age: at.Age,
		Payload: n, Outside: n > inlineMax,
	}
	if s.Outside {
		s.Payload = entry.OutsideSize
	}
	return s
}

// putZeros gives an entry that was just shaped for n bytes their zeros.
func putZeros(h *arena.Heap, e entry.Entry, n int) {
	if e.IsOutside() {
		e.SetOutside(entry.Outside{Ref: h.AllocZero(arena.PurposeValue, n), Len: n, Cap: n})
		return
	}
	clear(e.Payload())
}

func newInt(h *arena.Heap, key []byte, n int64, at Attrs) arena.Ref {
	s := entry.Shape{Type: uint8(String), Encoding: uint8(EncInt), Deadline: at.Deadline, Age: at.Age, Payload: 8}
	ref := h.Alloc(arena.PurposeEntry, entry.SizeFor(len(key), s))
	e := entry.Init(h.Arena(), ref, key, s)
	binary.LittleEndian.PutUint64(e.Payload(), uint64(n))
	return ref
}

func newBytes(h *arena.Heap, key, val []byte, enc Encoding, at Attrs) arena.Ref {
	return newShaped(h, key, val, bytesShape(len(val), enc, at))
}

// newShaped makes an entry for val in a shape that bytesShape gave.
func newShaped(h *arena.Heap, key, val []byte, s entry.Shape) arena.Ref {
	ref := h.Alloc(arena.PurposeEntry, entry.SizeFor(len(key), s))
	e := entry.Init(h.Arena(), ref, key, s)
	if s.Outside {
		putOutside(h, e, val)
	} else {
		copy(e.Payload(), val)
	}
	return ref
}

// putOutside allocates a block of just val's size and writes it there.
func putOutside(h *arena.Heap, e entry.Entry, val []byte) {
	b := h.Alloc(purposeOf(e), len(val))
	copy(h.Arena().Bytes(b, len(val)), val)
	e.SetOutside(entry.Outside{Ref: b, Len: len(val), Cap: len(val)})
}

// SetString replaces the value, of whatever type, as SET does. Deadline and age
// are replaced too.
func (c *Cell) SetString(val []byte, at Attrs) {
	enc, n := encodeString(val)
	if enc == EncInt {
		c.leave()
		c.replace(entry.Shape{
			Type: uint8(String), Encoding: uint8(EncInt), Deadline: at.Deadline, Age: at.Age, Payload: 8,
		})
		binary.LittleEndian.PutUint64(c.Entry.Payload(), uint64(n))
		return
	}
	c.setBytes(val, enc, at)
}

// SetRawString replaces the value by a string that is not encoded as an
// integer, whatever it looks like.
func (c *Cell) SetRawString(val []byte, at Attrs) {
	enc := EncRaw
	if len(val) <= embstrMax {
		enc = EncEmbstr
	}
	c.setBytes(val, enc, at)
}

func (c *Cell) setBytes(val []byte, enc Encoding, at Attrs) {
	c.leave()
	s := bytesShape(len(val), enc, at)
	if s.Outside && c.Entry.IsOutside() && Type(c.Entry.Type()) == String {
		c.overwrite(val, s)
		return
	}
	c.replace(s)
	if s.Outside {
		putOutside(c.Heap, c.Entry, val)
		return
	}
	copy(c.Entry.Payload(), val)
}

// overwrite is setBytes where both values have blocks of their own: the block
// stays if it is of the right size.
func (c *Cell) overwrite(val []byte, s entry.Shape) {
	o := c.Entry.Outside()
	if arena.UsableSize(o.Cap) != arena.UsableSize(len(val)) {
		c.Heap.Free(arena.PurposeValue, o.Ref, o.Cap)
		o.Ref = c.Heap.Alloc(arena.PurposeValue, len(val))
	}
	o.Len, o.Cap = len(val), len(val)
	c.Reshape(s)
	copy(c.Heap.Arena().Bytes(o.Ref, o.Len), val)
	c.Entry.SetOutside(o)
}

// SetZeros replaces the value, of whatever type, by a raw string of n zero
// bytes, to be filled in.
func (c *Cell) SetZeros(n int, at Attrs) {
	c.replace(bytesShape(n, EncRaw, at))
	putZeros(c.Heap, c.Entry, n)
}

// leave tells that all bytes of a string go.
func (c *Cell) leave() {
	if c.Type() == String {
		c.bytes(0, c.Len())
	}
}

// replace drops the old value and shapes the entry for a new one.
func (c *Cell) replace(s entry.Shape) {
	freeValue(c.Heap, c.Entry)
	c.Reshape(s)
}

// SetInt replaces a string by an integer; deadline and age stay.
func (c *Cell) SetInt(n int64) {
	if c.Encoding() != EncInt {
		c.leave()
		s := c.Entry.Shape()
		s.Encoding, s.Payload, s.Outside = uint8(EncInt), 8, false
		c.replace(s)
	}
	binary.LittleEndian.PutUint64(c.Entry.Payload(), uint64(n))
}

// Int is the value of a string in the int encoding.
func (c *Cell) Int() (int64, bool) {
	if c.Encoding() != EncInt {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64(c.Entry.Payload())), true
}

// Bytes is the string's text. Integers are written into scratch; otherwise the
// result is the value in place, to be read before anything changes it.
func (c *Cell) Bytes(scratch []byte) []byte {
	if n, ok := c.Int(); ok {
		return text.AppendInt(scratch[:0], n)
	}
	return c.room()
}

// room is the bytes of a string that is not an integer, in place.
func (c *Cell) room() []byte {
	if c.Entry.IsOutside() {
		o := c.Entry.Outside()
		return c.Heap.Arena().Bytes(o.Ref, o.Len)
	}
	return c.Entry.Payload()
}

// Len is the length of the string's text.
func (c *Cell) Len() int {
	if n, ok := c.Int(); ok {
		var b [intDigitsMax]byte
		return len(text.AppendInt(b[:0], n))
	}
	if c.Entry.IsOutside() {
		return c.Entry.Outside().Len
	}
	return c.Entry.PayloadLen()
}

// Grow is GrowFor where any byte may be written.
func (c *Cell) Grow(n int) []byte { return c.GrowFor(n, 0, math.MaxInt) }

// GrowFor makes the string raw and at least n bytes long, filling with zero bytes,
// and returns it in place for writing those from one index up to another. It never
// shortens. Room is doubled, so that repeated appends cost O(1) each.
func (c *Cell) GrowFor(n, from, to int) []byte {
	c.toRaw()
	have := c.Len()
	c.bytes(from, min(to, have))
	if n <= have {
		return c.room()
	}
	if !c.Entry.IsOutside() && n <= inlineMax {
		c.resizeInside(n)
	} else {
		c.growOutside(n, roomFor(n))
	}
	b := c.room()
	clear(b[have:])
	return b
}

// Resize makes the string raw and exactly n bytes long, cutting it or filling
// with zero bytes, and returns it in place for writing. It takes no more room
// than n bytes need.
func (c *Cell) Resize(n int) []byte {
	c.toRaw()
	have := c.Len()
	c.bytes(0, have)
	switch {
	case c.Entry.IsOutside():
		o := c.Entry.Outside()
		o.Ref = c.Heap.Realloc(arena.PurposeValue, o.Ref, o.Cap, max(n, 1))
		o.Len, o.Cap = n, max(n, 1)
		c.Entry.SetOutside(o)
	case n <= inlineMax:
		c.resizeInside(n)
	default:
		c.growOutside(n, n)
	}
	b := c.room()
	if have < n {
		clear(b[have:])
	}
	return b
}

// resizeInside changes the length of a string that is kept in its entry.
func (c *Cell) resizeInside(n int) {
	s := c.Entry.Shape()
	s.Payload = n
	c.Reshape(s)
}

// growOutside gives the string n bytes in a block of its own, which is asked for
// with size bytes if there is none or it is too small.
func (c *Cell) growOutside(n, size int) {
	a := c.Heap.Arena()
	if !c.Entry.IsOutside() {
		old := c.Entry.Payload()
		ref := c.Heap.Alloc(c.purpose(), size)
		copy(a.Bytes(ref, len(old)), old)
		s := c.Entry.Shape()
		s.Payload, s.Outside = entry.OutsideSize, true
		c.Reshape(s)
		c.Entry.SetOutside(entry.Outside{Ref: ref, Len: n, Cap: size})
		return
	}
	o := c.Entry.Outside()
	if n > o.Cap {
		o.Ref = c.Heap.Realloc(c.purpose(), o.Ref, o.Cap, size)
		o.Cap = size
	}
	o.Len = n
	c.Entry.SetOutside(o)
}

// roomFor is how much to ask for a string that has grown to n bytes.
func roomFor(n int) int {
	if n < growDoubleMax {
		return 2 * n
	}
	return n + max(growDoubleMax, n/8)
}

// toRaw turns an integer or an embstr into raw bytes, as the commands that
// change a string in place do.
func (c *Cell) toRaw() {
	if n, ok := c.Int(); ok {
		var b [intDigitsMax]byte
		digits := text.AppendInt(b[:0], n)
		s := c.Entry.Shape()
		s.Encoding, s.Payload = uint8(EncRaw), len(digits)
		c.Reshape(s)
		copy(c.Entry.Payload(), digits)
		return
	}
	c.Entry.SetEncoding(uint8(EncRaw))
}
