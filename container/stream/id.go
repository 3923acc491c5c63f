package stream

import (
	"encoding/binary"
	"math"
	"strconv"
)

// ID names an entry: a time in milliseconds, and a number that tells entries of one
// millisecond apart. IDs are ordered as 128-bit numbers.
type ID struct{ Ms, Seq uint64 }

// MaxID is the last ID that there can be; the first is the zero ID, which no entry
// has.
var MaxID = ID{math.MaxUint64, math.MaxUint64}

// IDSize is the length of an ID as a key in a snapshot.
const IDSize = 16

// Less tells whether id comes before other.
func (id ID) Less(other ID) bool {
	return id.Ms < other.Ms || id.Ms == other.Ms && id.Seq < other.Seq
}

// Compare is -1, 0 or 1, as id comes before other, is the same, or comes after it.
func (id ID) Compare(other ID) int {
	switch {
	case id == other:
		return 0
	case id.Less(other):
		return -1
	}
	return 1
}

// IsZero tells whether id is 0-0.
func (id ID) IsZero() bool { return id == ID{} }

// Next is the ID behind id; false if id is the last one.
func (id ID) Next() (ID, bool) {
	if id.Seq++; id.Seq == 0 {
		id.Ms++
	}
	return id, !id.IsZero()
}

// Prev is the ID before id; false if id is 0-0.
func (id ID) Prev() (ID, bool) {
	if id.Seq--; id.Seq == math.MaxUint64 {
		id.Ms--
	}
	return id, id != MaxID
}

// Append appends the text of id, 1526919030474-55.
func (id ID) Append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, id.Ms, 10)
	return strconv.AppendUint(append(dst, '-'), id.Seq, 10)
}

// String is the text of id.
func (id ID) String() string { return string(id.Append(nil)) }

// AppendKey appends id as snapshots have it: IDSize bytes, big endian.
func (id ID) AppendKey(dst []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, id.Ms), id.Seq)
}

// KeyID reads what AppendKey wrote; b has IDSize bytes at least.
func KeyID(b []byte) ID {
	return ID{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

// plus is id with the differences of an entry added. They wrap around: the sequence
// of a later millisecond may be lower than the master's.
func (id ID) plus(ms, seq int64) ID { return ID{id.Ms + uint64(ms), id.Seq + uint64(seq)} }
