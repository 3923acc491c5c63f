package listpack

import (
	"encoding/binary"

	"dozo/text"
)

// The heads that stand alone, and the limits of the forms.
const (
	headInt16 = 0xf1
	headInt24 = 0xf2
	headInt32 = 0xf3
	headInt64 = 0xf4
	headStr32 = 0xf0

	headStr6  = 0x80
	headMask6 = 0xc0
	headInt13 = 0xc0
	headStr12 = 0xe0

	int7Max   = 1<<7 - 1
	str6Max   = 1<<6 - 1
	str12Max  = 1<<12 - 1
	headMax   = 9 // bytes before the data, which for integers is all
	intDigits = 20
)

// Value is an element as it is stored: a string, which is a part of the listpack, or
// an integer.
type Value struct {
	Str []byte // nil for an integer
	Int int64
}

// IsInt tells an integer from a string.
func (v Value) IsInt() bool { return v.Str == nil }

// Append appends the element as a string.
func (v Value) Append(dst []byte) []byte {
	if v.Str == nil {
		return text.AppendInt(dst, v.Int)
	}
	return append(dst, v.Str...)
}

// Text is the element as a string; an integer is written to buf[:0].
func (v Value) Text(buf []byte) []byte {
	if v.Str == nil {
		return text.AppendInt(buf[:0], v.Int)
	}
	return v.Str
}

// Len is the length of the element as a string.
func (v Value) Len() int {
	if v.Str == nil {
		return text.IntLen(v.Int)
	}
	return len(v.Str)
}

// Equal compares the element, as a string, with s.
func (v Value) Equal(s []byte) bool {
	if v.Str != nil {
		return string(v.Str) == string(s)
	}
	n, ok := text.ParseInt(s)
	return ok && n == v.Int
}

// Get reads the element at p.
func Get(b []byte, p int) Value {
	v, _ := read(b, p)
	return v
}

// Read reads the element at p and finds the next one, 0 if p is the last.
func Read(b []byte, p int) (v Value, next int) {
	if c := b[p]; c&headMask6 == headStr6 {
		n := p + 1 + int(c&str6Max)
		return Value{Str: b[p+1 : n : n]}, elementAt(b, n+1)
	}
	v, n := read(b, p)
	return v, elementAt(b, p+n+backSize(n))
}

// read also gives the size of head and data.
func read(b []byte, p int) (v Value, size int) {
	switch c := b[p]; {
	case c < headStr6:
		return Value{Int: int64(c)}, 1
	case c < headInt13:
		n := 1 + int(c&str6Max)
		return Value{Str: b[p+1 : p+n : p+n]}, n
	case c < headStr12:
		// The sign is the fifth bit from the right.
		u := uint16(c)<<8 | uint16(b[p+1])
		return Value{Int: int64(int16(u<<3) >> 3)}, 2
	case c < headStr32:
		n := 2 + (int(c&0x0f)<<8 | int(b[p+1]))
		return Value{Str: b[p+2 : p+n : p+n]}, n
	}
	return readWide(b, p)
}

func readWide(b []byte, p int) (v Value, size int) {
	switch b[p] {
	case headStr32:
		n := 5 + int(binary.LittleEndian.Uint32(b[p+1:]))
		return Value{Str: b[p+5 : p+n : p+n]}, n
	case headInt16:
		return Value{Int: int64(int16(binary.LittleEndian.Uint16(b[p+1:])))}, 3
	case headInt24:
		// A whole word read from the head on has the three bytes on top.
		return Value{Int: int64(int32(binary.LittleEndian.Uint32(b[p:])) >> 8)}, 4
	case headInt32:
		return Value{Int: int64(int32(binary.LittleEndian.Uint32(b[p+1:])))}, 5
	}
	return Value{Int: int64(binary.LittleEndian.Uint64(b[p+1:]))}, 9
}

// encodedSize is the size of head and data of the element at p, 0 for a head that
// there is not.
func encodedSize(b []byte, p int) int {
	switch c := b[p]; {
	case c < headStr6:
		return 1
	case c < headInt13:
		return 1 + int(c&str6Max)
	case c < headStr12:
		return 2
	case c < headStr32:
		return 2 + (int(c&0x0f)<<8 | int(b[p+1]))
	case c == headStr32:
		return 5 + int(binary.LittleEndian.Uint32(b[p+1:]))
	case c <= headInt32:
		return int(c-headInt16) + 3
	case c == headInt64:
		return 9
	}
	return 0
}

// backSize is how many bytes the size n takes behind an element. (That the limits
// are one less than 7 bits a byte would allow, but for the first, is part of the
// format.)
func backSize(n int) int {
	switch {
	case n <= 127:
		return 1
	case n < 1<<14-1:
		return 2
	case n < 1<<21-1:
		return 3
	case n < 1<<28-1:
		return 4
	}
	return 5
}

// putBack writes the size n in dst, which is as long as backSize says.
func putBack(dst []byte, n int) {
	for i := len(dst) - 1; i > 0; i-- {
		dst[i] = byte(n) | 0x80
		n >>= 7
	}
	dst[0] = byte(n)
}

// readBack reads the size that ends before p, -1 if it has over five bytes or does
// not begin behind the header.
func readBack(b []byte, p int) int {
	n := 0
	for shift := 0; shift <= 28; shift += 7 {
		p--
		if p < HeaderSize {
			break
		}
		n |= int(b[p]&0x7f) << shift
		if b[p] < 0x80 {
			return n
		}
	}
	return -1
}

// Element is a string or integer ready to be stored: what kind it is has been found
// out, and how many bytes it takes.
type Element struct {
	data []byte // of a string
	size int    // of head and data
	head [headMax]byte
	n    uint8 // bytes of head
}

// String prepares s, which must not change until the Element has been used.
func String(s []byte) Element {
	if len(s) <= intDigits {
		if v, ok := text.ParseInt(s); ok {
			return Int(v)
		}
	}
	e := Element{data: s}
	switch n := len(s); {
	case n <= str6Max:
		e.head[0] = headStr6 | byte(n)
		e.n = 1
	case n <= str12Max:
		e.head[0], e.head[1] = headStr12|byte(n>>8), byte(n)
		e.n = 2
	default:
		e.head[0] = headStr32
		binary.LittleEndian.PutUint32(e.head[1:], uint32(n))
		e.n = 5
	}
	e.size = int(e.n) + len(s)
	return e
}

// Int prepares an integer.
func Int(v int64) (e Element) {
	switch {
	case v >= 0 && v <= int7Max:
		e.head[0], e.n = byte(v), 1
	case v >= -1<<12 && v < 1<<12:
		e.head[0], e.head[1], e.n = headInt13|byte(v>>8)&0x1f, byte(v), 2
	default:
		binary.LittleEndian.PutUint64(e.head[1:], uint64(v))
		switch {
		case v == int64(int16(v)):
			e.head[0], e.n = headInt16, 3
		case v >= -1<<23 && v < 1<<23:
			e.head[0], e.n = headInt24, 4
		case v == int64(int32(v)):
			e.head[0], e.n = headInt32, 5
		default:
			e.head[0], e.n = headInt64, 9
		}
	}
	e.size = int(e.n)
	return e
}

// Prepare is the Element that makes a copy of v.
func Prepare(v Value) Element {
	if v.Str == nil {
		return Int(v.Int)
	}
	return String(v.Str)
}

// Size is the number of bytes that the element adds to a listpack.
func (e *Element) Size() int { return e.size + backSize(e.size) }

// put writes the element to b, which has Size bytes at least.
func (e *Element) put(b []byte) {
	n := copy(b, e.head[:e.n])
	copy(b[n:], e.data)
	putBack(b[e.size:e.size+backSize(e.size)], e.size)
}
