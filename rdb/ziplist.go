package rdb

import (
	"encoding/binary"

	"dozo/container/listpack"
)

// A ziplist is what small collections were before listpacks. It is only read.
//
//	offset  size  what
//	0       4     total size, little endian
//	4       4     offset of the last entry
//	8       2     number of entries; 65535: 65535 or more
//	10      -     entries
//	-       1     0xff, the end
//
// An entry is the size of the entry before it (1 byte, or 0xfe and 4 bytes), a head,
// and data:
//
//	00llllll data                 string of 0..63 bytes
//	01llllll llllllll data        longer string, length with high bits first
//	10000000 llll data            the same with 4 bytes of length
//	11000000 vv                   16-bit integer, little endian, and so on:
//	11010000 vvvv                 32 bits
//	11100000 vvvvvvvv             64 bits
//	11110000 vvv                  24 bits
//	11111110 v                    8 bits
//	1111vvvv                      0..12, stored as 1..13
const (
	ziplistHeader = 10
	ziplistEnd    = 0xff
	ziplistFar    = 0xfe // 4 bytes of size follow

	ziplistInt16 = 0xc0
	ziplistInt32 = 0xd0
	ziplistInt64 = 0xe0
	ziplistInt24 = 0xf0
	ziplistInt8  = 0xfe
)

// ziplist walks through the entries of one. After a fault ok is false for good.
type ziplist struct {
	b  []byte
	ok bool
}

// take gives the next n bytes; none after a fault.
func (z *ziplist) take(n uint64) []byte {
	if z.ok = z.ok && n <= uint64(len(z.b)); !z.ok {
		return make([]byte, 8)
	}
	out := z.b[:n]
	z.b = z.b[n:]
	return out
}

// previous reads the size of the entry before.
func (z *ziplist) previous() int {
	if n := z.take(1)[0]; n != ziplistFar {
		return int(n)
	}
	return int(binary.LittleEndian.Uint32(z.take(4)))
}

// entry reads what follows the size of the entry before.
func (z *ziplist) entry() listpack.Element {
	head := z.take(1)[0]
	if z.ok = z.ok && head != ziplistEnd; !z.ok {
		return listpack.Int(0)
	}
	switch head >> 6 {
	case 0:
		return z.text(uint64(head))
	case 1:
		return z.text(uint64(head&0x3f)<<8 | uint64(z.take(1)[0]))
	case 2:
		return z.text(uint64(binary.BigEndian.Uint32(z.take(4))))
	}
	return listpack.Int(z.integer(head))
}

// text reads the bytes of a string.
func (z *ziplist) text(n uint64) listpack.Element {
	s := z.take(n)
	if !z.ok {
		s = nil
	}
	return listpack.String(s)
}

func (z *ziplist) integer(head byte) int64 {
	switch head {
	case ziplistInt8:
		return int64(int8(z.take(1)[0]))
	case ziplistInt16:
		return int64(int16(binary.LittleEndian.Uint16(z.take(2))))
	case ziplistInt24:
		v := z.take(3)
		return int64(int32(uint32(v[0])<<8|uint32(v[1])<<16|uint32(v[2])<<24) >> 8)
	case ziplistInt32:
		return int64(int32(binary.LittleEndian.Uint32(z.take(4))))
	case ziplistInt64:
		return int64(binary.LittleEndian.Uint64(z.take(8)))
	}
	n := int64(head&0x0f) - 1
	z.ok = z.ok && head > ziplistInt24 && n >= 0 && n <= 12
	return n
}

// listpackOf makes a listpack of what is in the ziplist b.
func listpackOf(b []byte) (out []byte, ok bool) {
	if len(b) < ziplistHeader+1 || binary.LittleEndian.Uint32(b) != uint32(len(b)) || b[len(b)-1] != ziplistEnd {
		return nil, false
	}
	last, want := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint16(b[8:])
	out = listpack.AppendEmpty(make([]byte, 0, len(b)))
	z := ziplist{b: b[ziplistHeader : len(b)-1], ok: true}
	at, before, n := ziplistHeader, 0, 0
	for ; z.ok && len(z.b) > 0; n++ {
		left := len(z.b)
		at += before
		z.ok = z.previous() == before && z.ok
		e := z.entry()
		out = listpack.Append(out, &e)
		before = left - len(z.b)
	}
	known := want != 1<<16-1
	return out, z.ok && (n == 0 || int(last) == at) && (!known || int(want) == n)
}
