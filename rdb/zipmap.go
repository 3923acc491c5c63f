package rdb

import (
	"encoding/binary"

	"dozo/container/listpack"
)

// A zipmap is what small hashes were before ziplists. It is only read.
//
//	size  what
//	1     number of fields; 254 and more: not known
//	-     for each field: its length and bytes, the length of its value, one byte that
//	      says how many bytes are unused behind it, the value, and those bytes
//	1     0xff, the end
//
// A length is one byte, or 0xfe and four bytes, little endian.
const (
	zipmapFar = 0xfe
	zipmapEnd = 0xff
)

// zipmap walks through one. After a fault ok is false for good.
type zipmap struct{ ziplist }

// len reads a length.
func (z *zipmap) len() uint64 {
	switch head := z.take(1)[0]; head {
	case zipmapFar:
		return uint64(binary.LittleEndian.Uint32(z.take(4)))
	case zipmapEnd:
		z.ok = false
		return 0
	default:
		return uint64(head)
	}
}

// listpackOfZipmap makes a listpack of the fields and values in the zipmap b, which
// has one at least.
func listpackOfZipmap(b []byte) (out []byte, ok bool) {
	if len(b) < 2 || b[len(b)-1] != zipmapEnd {
		return nil, false
	}
	out = listpack.AppendEmpty(make([]byte, 0, len(b)))
	z := zipmap{ziplist{b: b[1 : len(b)-1], ok: true}}
	n := 0
	for ; z.ok && len(z.b) > 0; n++ {
		field := z.text(z.len())
		size := z.len()
		unused := z.take(1)[0]
		value := z.text(size)
		z.take(uint64(unused))
		out = listpack.Append(listpack.Append(out, &field), &value)
	}
	return out, z.ok && n > 0 && (b[0] >= zipmapFar || int(b[0]) == n)
}
