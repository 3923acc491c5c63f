package commands

import (
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
)

// The bit operations on strings. Bit 0 is the highest of the first byte, as in
// all commands on bitmaps. Whole words are worked on where there are any; the
// bytes at the ends are few.

const (
	wordBytes = 8
	wordBits  = 64
	// blockBytes is how much of a result BITOP finishes before it goes on, so that
	// it stays in the processor's cache while source after source is joined to it.
	blockBytes = 16 << 10
)

// countBits is the number of bits that are set.
func countBits(b []byte) (n int64) {
	var x, y, z, w int
	for ; len(b) >= 4*wordBytes; b = b[4*wordBytes:] {
		x += bits.OnesCount64(binary.NativeEndian.Uint64(b))
		y += bits.OnesCount64(binary.NativeEndian.Uint64(b[wordBytes:]))
		z += bits.OnesCount64(binary.NativeEndian.Uint64(b[2*wordBytes:]))
		w += bits.OnesCount64(binary.NativeEndian.Uint64(b[3*wordBytes:]))
	}
	for ; len(b) >= wordBytes; b = b[wordBytes:] {
		x += bits.OnesCount64(binary.NativeEndian.Uint64(b))
	}
	for _, v := range b {
		x += bits.OnesCount8(v)
	}
	return int64(x + y + z + w)
}

// countBitRange is the number of bits that are set among those from first to
// last.
func countBitRange(b []byte, first, last int64) int64 {
	from, to := first>>3, last>>3
	n := countBits(b[from : to+1])
	n -= int64(bits.OnesCount8(b[from] & headMask(first)))
	n -= int64(bits.OnesCount8(b[to] & tailMask(last)))
	return n
}

// headMask is the bits of a byte before bit i, tailMask those after it.
func headMask(i int64) byte { return ^(0xff >> (i & 7)) }
func tailMask(i int64) byte { return 0xff >> (i&7 + 1) }

// findBit is the first bit from first to last that is set, or clear; -1 if there
// is none.
func findBit(b []byte, first, last int64, set bool) int64 {
	if i := findBitFrom(b[:last>>3+1], first, set); i <= last {
		return i
	}
	return -1
}

// findBitFrom is findBit without an end; it goes as far as the bytes do and may
// return any negative number.
func findBitFrom(b []byte, first int64, set bool) int64 {
	flip := byte(0) // makes what is searched for a set bit
	if !set {
		flip = 0xff
	}
	i := int(first >> 3)
	if v := (b[i] ^ flip) &^ headMask(first); v != 0 {
		return int64(i)<<3 + int64(bits.LeadingZeros8(v))
	}
	i++
	for skip := uint64(int8(flip)); i+wordBytes <= len(b) && binary.BigEndian.Uint64(b[i:]) == skip; {
		i += wordBytes
	}
	for ; i < len(b); i++ {
		if v := b[i] ^ flip; v != 0 {
			return int64(i)<<3 + int64(bits.LeadingZeros8(v))
		}
	}
	return -1
}

// combine joins the sources into dst, which is as long as the longest of them;
// shorter ones count as if zeros followed.
func combine(dst []byte, op bitOp, sources [][]byte) {
	for at := 0; at < len(dst); at += blockBytes {
		block := dst[at:min(at+blockBytes, len(dst))]
		n := copy(block, from(sources[0], at))
		clear(block[n:])
		if op == opNot {
			invert(block)
		}
		for _, s := range sources[1:] {
			s = from(s, at)
			s = s[:min(len(s), len(block))]
			switch op {
			case opAnd:
				and(block, s)
				clear(block[len(s):])
			case opOr:
				or(block, s)
			case opXor:
				subtle.XORBytes(block, block, s)
			}
		}
	}
}

// from is s[at:], or nothing.
func from(s []byte, at int) []byte { return s[min(at, len(s)):] }

func and(dst, src []byte) {
	word := binary.NativeEndian
	for len(src) >= 4*wordBytes && len(dst) >= 4*wordBytes {
		word.PutUint64(dst, word.Uint64(dst)&word.Uint64(src))
		word.PutUint64(dst[8:], word.Uint64(dst[8:])&word.Uint64(src[8:]))
		word.PutUint64(dst[16:], word.Uint64(dst[16:])&word.Uint64(src[16:]))
		word.PutUint64(dst[24:], word.Uint64(dst[24:])&word.Uint64(src[24:]))
		dst, src = dst[4*wordBytes:], src[4*wordBytes:]
	}
	for i, v := range src {
		dst[i] &= v
	}
}

func or(dst, src []byte) {
	word := binary.NativeEndian
	for len(src) >= 4*wordBytes && len(dst) >= 4*wordBytes {
		word.PutUint64(dst, word.Uint64(dst)|word.Uint64(src))
		word.PutUint64(dst[8:], word.Uint64(dst[8:])|word.Uint64(src[8:]))
		word.PutUint64(dst[16:], word.Uint64(dst[16:])|word.Uint64(src[16:]))
		word.PutUint64(dst[24:], word.Uint64(dst[24:])|word.Uint64(src[24:]))
		dst, src = dst[4*wordBytes:], src[4*wordBytes:]
	}
	for i, v := range src {
		dst[i] |= v
	}
}

func invert(b []byte) {
	for ; len(b) >= wordBytes; b = b[wordBytes:] {
		binary.NativeEndian.PutUint64(b, ^binary.NativeEndian.Uint64(b))
	}
	for i, v := range b {
		b[i] = ^v
	}
}

// A field is up to 64 bits anywhere in a string, so it lies in at most nine
// bytes: a window, the first eight of which are a word.
type window [wordBytes + 1]byte

// getField reads the width bits from offset on; bits beyond the string are 0.
func getField(b []byte, offset uint64, width uint) uint64 {
	var w window
	if at := offset >> 3; at < uint64(len(b)) {
		copy(w[:], b[at:])
	}
	shift := offset & 7
	v := binary.BigEndian.Uint64(w[:])<<shift | uint64(w[wordBytes])>>(8-shift)
	return v >> (wordBits - width)
}

// putField writes the low width bits of v at offset, which the string has.
func putField(b []byte, offset uint64, width uint, v uint64) {
	var w window
	b = b[offset>>3:]
	n := copy(w[:], b)
	shift := offset & 7
	mask := ^uint64(0) << (wordBits - width)
	v <<= wordBits - width
	head := binary.BigEndian.Uint64(w[:])
	binary.BigEndian.PutUint64(w[:], head&^(mask>>shift)|v>>shift)
	w[wordBytes] = w[wordBytes]&^byte(mask<<(8-shift)) | byte(v<<(8-shift))
	copy(b[:n], w[:])
}

// signed extends the sign of a number of width bits.
func signed(v uint64, width uint) int64 {
	return int64(v<<(wordBits-width)) >> (wordBits - width)
}
