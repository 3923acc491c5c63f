// Package hll is HyperLogLog: the number of distinct elements of a set, to within
// about 0.81%, in at most 12 KiB whatever the set.
//
// An element is hashed to 64 bits. 14 of them choose one of 16384 registers; the
// register keeps the largest count of trailing zeros (plus one) seen in the other
// 50. The estimate is computed from the histogram of registers with Otmar Ertl's
// formula ("New cardinality estimation algorithms for HyperLogLog sketches",
// arXiv:1702.01284).
//
// The structure is a plain byte string in Redis' own format, since users GET,
// SET, DUMP and replicate it as one:
//
//	offset  size  what
//	0       4     "HYLL"
//	4       1     0 dense, 1 sparse
//	5       3     zero
//	8       8     cached estimate, little endian; top bit set: out of date
//	16      -     registers
//
// Dense: 16384 registers of 6 bits, from the low bits of the bytes up.
// Sparse: a run-length code (sparse.go), for sets of up to a few thousand.
//
// Functions that change a value take the bytes and give the bytes, as append does:
// they work in place while the capacity allows and the result replaces the value.
// A dense value is always changed in place. Nothing here allocates except where a
// result does not fit.
//
// Errors: ErrNotHLL from Check alone; all other functions want bytes that Check
// has accepted, and answer ErrCorrupt if the registers make no sense.
//
// Invariants: the same elements added in the same order give the same bytes as
// in a genuine server. The estimate is computed without fused operations, so that
// it is the same number on every processor.
package hll

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

const (
	// Registers is the number of registers.
	Registers = 1 << indexBits
	// HeaderSize is where the registers begin.
	HeaderSize = 16
	// DenseSize is the size of a dense value.
	DenseSize = HeaderSize + Registers*registerBits/8

	indexBits    = 14
	rankBits     = 64 - indexBits
	registerBits = 6
	registerMax  = 1<<registerBits - 1

	encodingAt   = 4
	cacheAt      = 8
	cacheExpired = 0x80 // in the last byte of the cache
)

// Encoding is how the registers are stored.
type Encoding uint8

// The encodings, with the numbers of the format.
const (
	Dense  Encoding = 0
	Sparse Encoding = 1
)

// String is the answer of PFDEBUG ENCODING.
func (e Encoding) String() string {
	if e == Dense {
		return "dense"
	}
	return "sparse"
}

var (
	// ErrNotHLL tells that a string is no HyperLogLog at all.
	//lint:ignore ST1005 these are Redis' words, with its full stop
	ErrNotHLL = errors.New("WRONGTYPE Key is not a valid HyperLogLog string value.")
	// ErrCorrupt tells that the sparse registers are damaged.
	ErrCorrupt = errors.New("INVALIDOBJ Corrupted HLL object detected")
	// ErrNotSparse tells that PFDEBUG DECODE was asked for a dense value.
	ErrNotSparse = errors.New("ERR HLL encoding is not sparse")
)

// Check looks at what tells a HyperLogLog from any other string: the header, and
// the size if it is dense.
func Check(b []byte) error {
	if len(b) < HeaderSize || string(b[:4]) != "HYLL" || b[encodingAt] > byte(Sparse) ||
		EncodingOf(b) == Dense && len(b) != DenseSize {
		return ErrNotHLL
	}
	return nil
}

// EncodingOf is the encoding of a checked value.
func EncodingOf(b []byte) Encoding { return Encoding(b[encodingAt]) }

// AppendEmpty appends a value without elements; it is sparse.
func AppendEmpty(dst []byte) []byte {
	dst = append(dst, "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	return appendZeros(dst, Registers)
}

// Add adds an element. changed tells that a register grew; then the cached
// estimate is out of date. A sparse value becomes dense when it would be larger
// than sparseMax bytes (hll-sparse-max-bytes), or when a register grows beyond 32.
func Add(b, element []byte, sparseMax int) (out []byte, changed bool, err error) {
	index, rank := place(element)
	return set(b, index, rank, sparseMax)
}

func set(b []byte, index int, rank uint8, sparseMax int) (out []byte, changed bool, err error) {
	if EncodingOf(b) == Sparse {
		return sparseSet(b, index, rank, sparseMax)
	}
	if changed = rank > denseGet(b, index); changed {
		densePut(b, index, rank)
		Invalidate(b)
	}
	return b, changed, nil
}

// place finds the register of an element and the rank that it has there, 1 to 51.
func place(element []byte) (index int, rank uint8) {
	h := murmur(element)
	rest := h>>indexBits | 1<<rankBits
	return int(h & (Registers - 1)), uint8(bits.TrailingZeros64(rest) + 1)
}

// murmur is MurmurHash64A of Austin Appleby with Redis' seed.
func murmur(p []byte) uint64 {
	const (
		m    = 0xc6a4a7935bd1e995
		r    = 47
		seed = 0xadc83b19
	)
	h := seed ^ uint64(len(p))*m
	for ; len(p) >= 8; p = p[8:] {
		k := binary.LittleEndian.Uint64(p) * m
		h = (h ^ (k^k>>r)*m) * m
	}
	if len(p) > 0 {
		tail := uint64(0)
		for i, c := range p {
			tail |= uint64(c) << (8 * i)
		}
		h = (h ^ tail) * m
	}
	h = (h ^ h>>r) * m
	return h ^ h>>r
}

// denseGet reads a register of a dense value.
func denseGet(b []byte, index int) uint8 {
	bit := index * registerBits
	at, shift := HeaderSize+bit>>3, bit&7
	v := uint16(b[at])
	if shift > 8-registerBits {
		v |= uint16(b[at+1]) << 8
	}
	return uint8(v>>shift) & registerMax
}

// densePut writes a register of a dense value.
func densePut(b []byte, index int, v uint8) {
	bit := index * registerBits
	at, shift := HeaderSize+bit>>3, bit&7
	b[at] = b[at]&^(registerMax<<shift) | v<<shift
	if shift > 8-registerBits {
		rest := 8 - shift
		b[at+1] = b[at+1]&^(registerMax>>rest) | v>>rest
	}
}

// Invalidate marks the cached estimate as out of date. Add does so when it changes
// a register; PFADD and PFMERGE want it whenever they count as a change.
func Invalidate(b []byte) { b[HeaderSize-1] |= cacheExpired }

// Cached is the estimate that was stored, unless it is out of date.
func Cached(b []byte) (n uint64, ok bool) {
	n = binary.LittleEndian.Uint64(b[cacheAt:])
	return n, b[HeaderSize-1]&cacheExpired == 0
}

// SetCached stores an estimate in the value.
func SetCached(b []byte, n uint64) { binary.LittleEndian.PutUint64(b[cacheAt:], n) }

// ToDense makes a sparse value dense; changed is false if it is dense already. The
// cached estimate is kept.
func ToDense(b []byte) (out []byte, changed bool, err error) {
	if EncodingOf(b) == Dense {
		return b, false, nil
	}
	var u Union
	if err := u.Merge(b); err != nil {
		return b, false, err
	}
	if cap(b) < DenseSize {
		b = append(make([]byte, 0, DenseSize), b...)
	}
	b = b[:DenseSize]
	b[encodingAt] = byte(Dense)
	u.pack(b)
	return b, true, nil
}
