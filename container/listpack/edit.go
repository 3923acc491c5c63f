package listpack

import (
	"encoding/binary"
	"slices"

	"dozo/text"
)

// splice makes the n bytes at p m bytes, whose content is undefined.
func splice(b []byte, p, n, m int) []byte {
	old := len(b)
	if m > n {
		b = slices.Grow(b, m-n)[:old+m-n]
	}
	copy(b[p+m:], b[p+n:old])
	return b[:old+m-n]
}

// Insert puts e before the element at p, or behind all when p is End.
func Insert(b []byte, p int, e *Element) []byte {
	b = splice(b, p, 0, e.Size())
	e.put(b[p:])
	setHeader(b, 1)
	return b
}

// InsertAfter puts e behind the element at p.
func InsertAfter(b []byte, p int, e *Element) []byte { return Insert(b, after(b, p), e) }

// Append puts e behind all.
func Append(b []byte, e *Element) []byte { return Insert(b, End(b), e) }

// Prepend puts e before all.
func Prepend(b []byte, e *Element) []byte { return Insert(b, HeaderSize, e) }

// Replace puts e in the place of the element at p.
func Replace(b []byte, p int, e *Element) []byte {
	b = splice(b, p, after(b, p)-p, e.Size())
	e.put(b[p:])
	setHeader(b, 0)
	return b
}

// Delete takes the element at p out. What was behind it is then at p.
func Delete(b []byte, p int) []byte {
	b = splice(b, p, after(b, p)-p, 0)
	setHeader(b, -1)
	return b
}

// DeleteFrom takes n elements out, or as many as there are, from the one at p on.
func DeleteFrom(b []byte, p, n int) []byte {
	stop, deleted := p, 0
	for ; deleted < n && b[stop] != end; deleted++ {
		stop = after(b, stop)
	}
	b = splice(b, p, stop-p, 0)
	setHeader(b, -deleted)
	return b
}

// DeleteRange takes n elements out, or as many as there are, from the one with an
// index (as for Seek) on.
func DeleteRange(b []byte, index, n int) []byte {
	if p := Seek(b, index); p != 0 {
		return DeleteFrom(b, p, n)
	}
	return b
}

// Concat appends the elements of other to b.
func Concat(b, other []byte) []byte {
	n := Len(b) + Len(other)
	b = append(b[:len(b)-1], other[HeaderSize:]...)
	binary.LittleEndian.PutUint16(b[countAt:], uint16(min(n, countUnknown)))
	setHeader(b, 0)
	return b
}

// Find finds an element that is s, from the one at p on, looking only at each
// (skip+1)th: with 1, at the fields of a hash. It gives 0 if there is none, or if p
// is 0.
//
// The two forms that nearly all elements have are looked at here; whether s is an
// integer is found out when the first integer is met.
func Find(b []byte, p int, s []byte, skip int) int {
	if p == 0 {
		return 0
	}
	f := needle{s: s}
	for left := 0; b[p] != end; left-- {
		c := b[p]
		if left > 0 {
			p = after(b, p)
			continue
		}
		left = skip + 1
		if c&headMask6 == headStr6 {
			n := int(c & str6Max)
			if n == len(s) && string(b[p+1:p+1+n]) == string(s) {
				return p
			}
			p += n + 2
			continue
		}
		v, n := read(b, p)
		if f.equal(v) {
			return p
		}
		p += n + backSize(n)
	}
	return 0
}

// needle is what Find looks for.
type needle struct {
	s      []byte
	n      int64
	parsed bool
	isInt  bool
}

func (f *needle) equal(v Value) bool {
	if v.Str != nil {
		return string(v.Str) == string(f.s)
	}
	if !f.parsed {
		f.parsed = true
		f.n, f.isInt = text.ParseInt(f.s)
	}
	return f.isInt && f.n == v.Int
}
