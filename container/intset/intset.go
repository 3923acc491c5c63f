// Package intset is a sorted array of distinct integers, all of one width: how small
// sets of integers are stored. The bytes are Redis' own.
//
//	offset  size  what
//	0       4     width of a member: 2, 4 or 8 bytes, little endian
//	4       4     number of members, little endian
//	8       -     members in ascending order, little endian
//
// The width is that of the widest member that was ever added; it never shrinks.
//
// An intset is a []byte whose length is the size of header and members. Functions
// that change it work as append does: in place while the capacity allows (so a
// caller with memory of its own makes room first, by SizeWith), and what they return
// takes the place of the argument.
//
// Errors: Validate looks at every byte of an intset that came from outside; all other
// functions believe what it has accepted, and index out of range otherwise.
//
// Invariants: members ascend strictly; the size follows from width and number.
package intset

import (
	"encoding/binary"
	"math"
	"slices"
)

const (
	// HeaderSize is where the members begin.
	HeaderSize = 8
	countAt    = 4
)

// Width is the size of a member.
type Width int

// The widths.
const (
	Int16 Width = 2
	Int32 Width = 4
	Int64 Width = 8
)

// AppendEmpty appends an intset without members to other bytes.
func AppendEmpty(dst []byte) []byte { return append(dst, byte(Int16), 0, 0, 0, 0, 0, 0, 0) }

// WidthOf is the width of the members of b.
func WidthOf(b []byte) Width { return Width(b[0]) }

// WidthFor is the least width that v fits.
func WidthFor(v int64) Width {
	switch {
	case v == int64(int16(v)):
		return Int16
	case v == int64(int32(v)):
		return Int32
	}
	return Int64
}

// Len is the number of members.
func Len(b []byte) int { return int(binary.LittleEndian.Uint32(b[countAt:])) }

func setHeader(b []byte, w Width, n int) {
	binary.LittleEndian.PutUint32(b, uint32(w))
	binary.LittleEndian.PutUint32(b[countAt:], uint32(n))
}

// SizeWith is the size that b has once v, which is no member, has been added.
func SizeWith(b []byte, v int64) int {
	return HeaderSize + (Len(b)+1)*int(max(WidthOf(b), WidthFor(v)))
}

// At is the member with index i, from the smallest.
func At(b []byte, i int) int64 { return load(b, WidthOf(b), i) }

// Min is the smallest member; there must be one.
func Min(b []byte) int64 { return At(b, 0) }

// Max is the largest member; there must be one.
func Max(b []byte) int64 { return At(b, Len(b)-1) }

func load(b []byte, w Width, i int) int64 {
	p := b[HeaderSize+i*int(w):]
	switch w {
	case Int16:
		return int64(int16(binary.LittleEndian.Uint16(p)))
	case Int32:
		return int64(int32(binary.LittleEndian.Uint32(p)))
	}
	return int64(binary.LittleEndian.Uint64(p))
}

func store(b []byte, w Width, i int, v int64) {
	p := b[HeaderSize+i*int(w):]
	switch w {
	case Int16:
		binary.LittleEndian.PutUint16(p, uint16(v))
	case Int32:
		binary.LittleEndian.PutUint32(p, uint32(v))
	default:
		binary.LittleEndian.PutUint64(p, uint64(v))
	}
}

// Search finds v, or the index that it would have.
func Search(b []byte, v int64) (i int, found bool) {
	w := WidthOf(b)
	if WidthFor(v) > w { // beyond all members, on the side of its sign
		if v < 0 {
			return 0, false
		}
		return Len(b), false
	}
	low, high := 0, Len(b)
	if high > 0 && load(b, w, high-1) < v { // ascending additions are common
		return high, false
	}
	for low < high {
		mid := int(uint(low+high) >> 1)
		if load(b, w, mid) < v {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < Len(b) && load(b, w, low) == v
}

// Contains reports whether v is a member.
func Contains(b []byte, v int64) bool {
	_, found := Search(b, v)
	return found
}

// Add makes v a member. added is false if it was one.
func Add(b []byte, v int64) (out []byte, added bool) {
	i, found := Search(b, v)
	if found {
		return b, false
	}
	w, n := WidthOf(b), Len(b)
	size := SizeWith(b, v)
	b = slices.Grow(b, size-len(b))[:size]
	if wide := WidthFor(v); wide > w {
		widen(b, w, wide, n, i)
		w = wide
	} else {
		at := HeaderSize + i*int(w)
		copy(b[at+int(w):], b[at:size-int(w)])
	}
	store(b, w, i, v)
	setHeader(b, w, n+1)
	return b, true
}

// widen gives n members another width, and leaves room for a new one at index gap,
// which is 0 or n. It begins with the last, so none is overwritten before it is read.
func widen(b []byte, from, to Width, n, gap int) {
	shift := 0
	if gap == 0 {
		shift = 1
	}
	for i := n - 1; i >= 0; i-- {
		store(b, to, i+shift, load(b, from, i))
	}
}

// Remove takes v out. removed is false if it was no member.
func Remove(b []byte, v int64) (out []byte, removed bool) {
	i, found := Search(b, v)
	if !found {
		return b, false
	}
	return RemoveAt(b, i), true
}

// RemoveAt takes the member with index i out.
func RemoveAt(b []byte, i int) []byte {
	w, n := WidthOf(b), Len(b)
	at := HeaderSize + i*int(w)
	copy(b[at:], b[at+int(w):])
	setHeader(b, w, n-1)
	return b[:len(b)-int(w)]
}

// Validate reports that b is an intset in all its bytes: a width that there is, the
// size that follows from the header, and members that ascend strictly. One without
// members is not valid, since no key can hold it.
func Validate(b []byte) bool {
	if len(b) < HeaderSize {
		return false
	}
	w := binary.LittleEndian.Uint32(b)
	if w != uint32(Int16) && w != uint32(Int32) && w != uint32(Int64) {
		return false
	}
	n := Len(b)
	if n == 0 || uint64(n)*uint64(w) != uint64(len(b)-HeaderSize) {
		return false
	}
	last := int64(math.MinInt64)
	for i := range n {
		v := load(b, Width(w), i)
		if v <= last && i > 0 {
			return false
		}
		last = v
	}
	return true
}
