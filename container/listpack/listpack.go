// Package listpack is a sequence of strings and integers in one run of bytes: how
// small lists, hashes, sets and sorted sets, the nodes of large lists, and the
// blocks of streams are stored. The bytes are Redis' own, so snapshots are read and
// written by copying.
//
//	offset  size  what
//	0       4     total size, little endian, this header and the end included
//	4       2     number of elements, little endian; 65535: 65535 or more, count them
//	6       -     elements
//	-       1     0xff, the end
//
// An element is a head, data, and its own size again, to walk backwards:
//
//	0vvvvvvv                     0..127
//	10llllll data                string of 0..63 bytes
//	110vvvvv vvvvvvvv            13-bit integer, high bits first
//	1110llll llllllll data       string of 64..4095 bytes
//	11110000 llll data           longer string, length in 4 bytes little endian
//	11110001 vv                  16-bit integer, little endian, and so on:
//	11110010 vvv                 24 bits
//	11110011 vvvv                32 bits
//	11110100 vvvvvvvv            64 bits
//	then the size of head and data, 7 bits a byte, high bits first, all bytes but
//	the first with the top bit set; so it can be read from its end
//
// A string that is the decimal text of an int64 is always stored as integer.
//
// A listpack is a []byte whose length is the total size. Elements are named by
// their offset, which an edit in front of them changes; 0 is no element. Functions
// that edit work as append does: in place while the capacity allows (so a caller
// with memory of its own makes room first, by Element.Size), and what they return
// takes the place of the argument. Only edits that need room allocate.
//
// Errors: Validate looks at every byte of a listpack that came from outside; all
// other functions believe what it has accepted, and index out of range otherwise.
//
// Invariants: equal sequences of elements, however they came about, are equal bytes
// (but for foreign ones that were encoded wider than needed).
//
// LIMITATIONS: beyond 65534 elements Len walks all of them, and the number stays
// unknown when they become fewer; Redis writes it back on occasion.
package listpack

import (
	"encoding/binary"

	"dozo/internal/invariants"
)

const (
	// HeaderSize is where the elements begin.
	HeaderSize = 6
	// EmptySize is the size of a listpack without elements.
	EmptySize = HeaderSize + 1
	// SizeMax is how large a listpack may become. Callers look with Fits before
	// they add.
	SizeMax = 1 << 30

	countAt      = 4
	countUnknown = 1<<16 - 1
	end          = 0xff
)

// Fits reports that b may grow by n bytes.
func Fits(b []byte, n int) bool { return len(b)+n <= SizeMax }

// AppendEmpty appends a listpack without elements to other bytes.
func AppendEmpty(dst []byte) []byte { return append(dst, EmptySize, 0, 0, 0, 0, 0, end) }

// TotalSize reads the size from a header, for a listpack that has other bytes behind
// it.
func TotalSize(b []byte) int { return int(binary.LittleEndian.Uint32(b)) }

func count(b []byte) int { return int(binary.LittleEndian.Uint16(b[countAt:])) }

// setHeader makes the header say what is true after an edit of b that added n
// elements.
func setHeader(b []byte, n int) {
	if invariants.Enabled {
		invariants.Check(len(b) <= SizeMax, "a listpack grew to %d bytes: Fits was not asked", len(b))
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	if c := count(b); c != countUnknown {
		binary.LittleEndian.PutUint16(b[countAt:], uint16(min(c+n, countUnknown)))
	}
}

// Len is the number of elements.
func Len(b []byte) int {
	n := count(b)
	if n != countUnknown {
		return n
	}
	n = 0
	for p := First(b); p != 0; p = Next(b, p) {
		n++
	}
	return n
}

// First is the first element, 0 if there is none.
func First(b []byte) int { return elementAt(b, HeaderSize) }

// Last is the last element, 0 if there is none.
func Last(b []byte) int { return Prev(b, len(b)-1) }

// End is the offset behind the last element, where Insert appends.
func End(b []byte) int { return len(b) - 1 }

// elementAt is p unless it is the end.
func elementAt(b []byte, p int) int {
	if b[p] == end {
		return 0
	}
	return p
}

// Next is the element behind p, 0 if p is the last.
func Next(b []byte, p int) int { return elementAt(b, after(b, p)) }

// after is the offset behind the element at p. Short strings, which most elements
// are, have a size that takes one byte.
func after(b []byte, p int) int {
	if c := int(b[p]); c&headMask6 == headStr6 {
		return p + c - headStr6 + 2
	}
	return afterOther(b, p)
}

func afterOther(b []byte, p int) int {
	n := encodedSize(b, p)
	return p + n + backSize(n)
}

// Prev is the element before p, 0 if p is the first. p may be End.
func Prev(b []byte, p int) int {
	if p == HeaderSize {
		return 0
	}
	n := readBack(b, p)
	return p - n - backSize(n)
}

// Seek finds the element with an index from 0 on, or from -1 on backwards from the
// end; 0 if there is none. It walks from the nearer end.
func Seek(b []byte, index int) int {
	if n := count(b); n != countUnknown {
		if index < -n || index >= n {
			return 0
		}
		if index < 0 && -index > n/2 {
			index += n
		} else if index > n/2 {
			index -= n
		}
	}
	if index < 0 {
		return seekBack(b, index)
	}
	p := HeaderSize
	for ; index > 0 && b[p] != end; index-- {
		if c := int(b[p]); c&headMask6 == headStr6 {
			p += c - headStr6 + 2
		} else {
			p = afterOther(b, p)
		}
	}
	return elementAt(b, p)
}

// seekBack is Seek from the end. Elements below 128 bytes, which most are, have a
// size of one byte behind them.
func seekBack(b []byte, index int) int {
	p := End(b)
	for ; index < 0; index++ {
		if p == HeaderSize {
			return 0
		}
		if n := int(b[p-1]); n < 0x80 {
			p -= n + 1
		} else {
			p = Prev(b, p)
		}
	}
	return p
}
