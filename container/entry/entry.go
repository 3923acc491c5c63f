// Package entry is the layout of the one block that holds a key with all that
// belongs to it: type and encoding, the LRU or LFU bits, an optional deadline,
// and the value itself or its root.
//
// One allocation a key is what makes Dozo smaller than servers that keep a
// dictionary entry, a key string, an object header and a value apart. The same
// block serves the fields of a big hash and the members of a big set, which is
// why it knows nothing of the keyspace.
//
//	offset  size  what
//	0       8     header, little endian
//	                bits  0-3   type        (object's numbers)
//	                bits  4-7   encoding    (object's numbers)
//	                bit   8     deadline present
//	                bit   9     key longer than 255 bytes: its length follows
//	                bit   10    value is outside: the payload is an Outside
//	                bit  11     zero
//	                bits 12-15  stamp: see Entry.Stamp
//	                bits 16-39  LRU clock or LFU counter, 24 bits
//	                bits 40-47  key length, when bit 9 is clear
//	                bits 48-63  payload length
//	8       8     deadline, milliseconds since the Unix epoch   (bit 8)
//	+0      4     key length                                    (bit 9)
//	+0      klen  key
//	+0      vlen  payload
//
// Fields after the header have no padding between them; the payload may be
// unaligned, so numbers in it are read bytewise (one load on the machines that
// Dozo runs on).
//
// Invariants: Size is a function of the first 12 to 20 bytes alone, so a block
// can be freed without knowing who made it. The key never changes in place.
package entry

import (
	"encoding/binary"
	"unsafe"

	"dozo/arena"
	"dozo/internal/invariants"
)

const (
	headerSize   = 8
	deadlineSize = 8
	longKeySize  = 4
	shortKeyMax  = 255

	// PayloadMax is the longest payload a block can hold.
	PayloadMax = 1<<16 - 1
	// OutsideSize is the payload length of an entry whose value is outside.
	OutsideSize = 24

	flagDeadline = 1 << 8
	flagLongKey  = 1 << 9
	flagOutside  = 1 << 10

	stampShift = 12
	stampMask  = 1<<4 - 1
	ageShift   = 16
	ageMask    = 1<<24 - 1
	klenShift  = 40
	vlenShift  = 48
)

// Entry points at a block. It is a plain address: it stays valid until the
// block is freed or moved, which only its owner does.
type Entry struct{ p unsafe.Pointer }

// At is the entry at ref.
func At(a *arena.Arena, ref arena.Ref) Entry { return Entry{a.Ptr(ref)} }

// Shape is what must be known to lay a block out.
type Shape struct {
	Type, Encoding uint8 // 0 to 15
	Deadline       int64 // milliseconds since the epoch; 0 = none
	Age            uint32
	Stamp          uint8 // 0 to 15; see Entry.Stamp
	Outside        bool  // the payload is an Outside
	Payload        int   // bytes, at most PayloadMax; OutsideSize when Outside
}

// SizeFor is the number of bytes that a block of this shape needs.
func SizeFor(keyLen int, s Shape) int {
	n := headerSize + keyLen + s.Payload
	if s.Deadline != 0 {
		n += deadlineSize
	}
	if keyLen > shortKeyMax {
		n += longKeySize
	}
	return n
}

// Init writes header, deadline and key at ref; the payload is left to the
// caller. The block must have SizeFor bytes.
func Init(a *arena.Arena, ref arena.Ref, key []byte, s Shape) Entry {
	if invariants.Enabled {
		s.check()
	}
	e := At(a, ref)
	h := s.bits()
	off := headerSize
	if s.Deadline != 0 {
		h |= flagDeadline
		*(*int64)(unsafe.Add(e.p, off)) = s.Deadline
		off += deadlineSize
	}
	if len(key) > shortKeyMax {
		h |= flagLongKey
		*(*uint32)(unsafe.Add(e.p, off)) = uint32(len(key))
		off += longKeySize
	} else {
		h |= uint64(len(key)) << klenShift
	}
	*(*uint64)(e.p) = h
	copy(unsafe.Slice((*byte)(unsafe.Add(e.p, off)), len(key)), key)
	return e
}

// bits is the part of the header that the shape gives, the deadline apart.
func (s Shape) bits() uint64 {
	h := uint64(s.Type) | uint64(s.Encoding)<<4 | uint64(s.Stamp&stampMask)<<stampShift |
		uint64(s.Age&ageMask)<<ageShift | uint64(s.Payload)<<vlenShift
	if s.Outside {
		h |= flagOutside
	}
	return h
}

// check demands that each field fits the bits it has.
func (s Shape) check() {
	invariants.Check(s.Type < 16 && s.Encoding < 16, "entry: type %d or encoding %d too large", s.Type, s.Encoding)
	invariants.Check(uint(s.Payload) <= PayloadMax, "entry: payload of %d bytes", s.Payload)
	invariants.Check(!s.Outside || s.Payload == OutsideSize, "entry: a value outside, and a payload of %d bytes", s.Payload)
}

func (e Entry) header() uint64     { return *(*uint64)(e.p) }
func (e Entry) setHeader(h uint64) { *(*uint64)(e.p) = h }

// Valid tells whether e points anywhere.
func (e Entry) Valid() bool { return e.p != nil }

// Type is the value's type, in the numbers of package object.
func (e Entry) Type() uint8 { return uint8(e.header() & 15) }

// Encoding is the value's encoding, in the numbers of package object.
func (e Entry) Encoding() uint8 { return uint8(e.header() >> 4 & 15) }

// SetEncoding changes the encoding; the payload is the caller's business.
func (e Entry) SetEncoding(enc uint8) { e.setHeader(e.header()&^0xf0 | uint64(enc)<<4) }

// Age is the LRU clock or the LFU counter: 24 bits.
func (e Entry) Age() uint32 { return uint32(e.header()>>ageShift) & ageMask }

// SetAge stores the low 24 bits of age.
func (e Entry) SetAge(age uint32) {
	e.setHeader(e.header()&^(ageMask<<ageShift) | uint64(age&ageMask)<<ageShift)
}

// HasDeadline tells whether the block has room for a deadline, and so has one.
func (e Entry) HasDeadline() bool { return e.header()&flagDeadline != 0 }

// Deadline is when the entry dies, in milliseconds since the epoch; 0 = never.
func (e Entry) Deadline() int64 {
	if e.header()&flagDeadline == 0 {
		return 0
	}
	return *(*int64)(unsafe.Add(e.p, headerSize))
}

// SetDeadline changes the deadline of an entry that has one.
func (e Entry) SetDeadline(ms int64) { *(*int64)(unsafe.Add(e.p, headerSize)) = ms }

// Stamp is a number that the owner keeps with the deadline: it tells which of
// the timing wheel's records is the entry's (see package wheel).
func (e Entry) Stamp() uint8 { return uint8(e.header()>>stampShift) & stampMask }

// SetStamp stores the low four bits of stamp.
func (e Entry) SetStamp(stamp uint8) {
	e.setHeader(e.header()&^(stampMask<<stampShift) | uint64(stamp&stampMask)<<stampShift)
}

// keyAt is the offset and the length of the key.
func (e Entry) keyAt() (off, n int) {
	h := e.header()
	off = headerSize + int(h>>8&1)*deadlineSize
	if h&flagLongKey == 0 {
		return off, int(h >> klenShift & 0xff)
	}
	return off + longKeySize, int(*(*uint32)(unsafe.Add(e.p, off)))
}

// Key is the key's bytes, in place: read only.
func (e Entry) Key() []byte {
	off, n := e.keyAt()
	return unsafe.Slice((*byte)(unsafe.Add(e.p, off)), n)
}

// KeyIs tells whether the key equals key.
func (e Entry) KeyIs(key []byte) bool {
	off, n := e.keyAt()
	return n == len(key) && string(unsafe.Slice((*byte)(unsafe.Add(e.p, off)), n)) == string(key)
}

// Payload is the payload's bytes, in place: they may be changed, not grown.
func (e Entry) Payload() []byte {
	off, n := e.keyAt()
	return unsafe.Slice((*byte)(unsafe.Add(e.p, off+n)), int(e.header()>>vlenShift))
}

// SetPayloadLen changes the recorded length. The block must have the bytes:
// the caller has compared arena.UsableSize of both sizes.
func (e Entry) SetPayloadLen(n int) {
	e.setHeader(e.header()&(1<<vlenShift-1) | uint64(n)<<vlenShift)
}

// PayloadLen is the length of the payload.
func (e Entry) PayloadLen() int { return int(e.header() >> vlenShift) }

// Size is the length of the whole block as it was asked from the arena.
func (e Entry) Size() int {
	off, n := e.keyAt()
	return off + n + e.PayloadLen()
}

// IsOutside tells whether the payload is an Outside.
func (e Entry) IsOutside() bool { return e.header()&flagOutside != 0 }

// Outside is a value that has a block of its own.
type Outside struct {
	Ref arena.Ref
	Len int // bytes used
	Cap int // bytes asked from the arena
}

// Outside reads the payload of an entry whose value is outside.
func (e Entry) Outside() Outside {
	p := e.Payload()
	return Outside{
		Ref: arena.Ref(binary.LittleEndian.Uint64(p)),
		Len: int(binary.LittleEndian.Uint64(p[8:])),
		Cap: int(binary.LittleEndian.Uint64(p[16:])),
	}
}

// SetOutside writes the payload of an entry whose value is outside.
func (e Entry) SetOutside(o Outside) {
	p := e.Payload()
	binary.LittleEndian.PutUint64(p, uint64(o.Ref))
	binary.LittleEndian.PutUint64(p[8:], uint64(o.Len))
	binary.LittleEndian.PutUint64(p[16:], uint64(o.Cap))
}

// DropOutside forgets that the value is outside: somebody else has it now. The
// payload keeps its length and means nothing.
func (e Entry) DropOutside() { e.setHeader(e.header() &^ flagOutside) }

// Restate gives the entry another shape of the same size class and the same
// answer to HasDeadline: the key stays where it is, and so does the payload.
func (e Entry) Restate(s Shape) {
	h := e.header() & (flagLongKey | flagDeadline | 0xff<<klenShift)
	e.setHeader(h | s.bits())
	if s.Deadline != 0 {
		e.SetDeadline(s.Deadline)
	}
}

// Shape is the entry's present shape, to make a changed copy from.
func (e Entry) Shape() Shape {
	return Shape{
		Type: e.Type(), Encoding: e.Encoding(), Deadline: e.Deadline(), Age: e.Age(),
		Stamp: e.Stamp(), Outside: e.IsOutside(), Payload: e.PayloadLen(),
	}
}
