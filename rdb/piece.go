package rdb

import (
	"encoding/binary"
	"math"

	"dozo/container/stream"
)

// A value that is too large to be written at once is written in pieces: its beginning
// with the number of elements, and then those, in any order that the type allows, as
// AppendRecord would have it.

// head appends what stands before a type.
func (h *RecordHead) head(dst []byte) []byte {
	if h.Deadline != 0 {
		dst = binary.LittleEndian.AppendUint64(append(dst, opExpireMillis), uint64(h.Deadline))
	}
	if h.Idle >= 0 {
		dst = AppendLen(append(dst, opIdle), uint64(h.Idle))
	}
	if h.Freq >= 0 {
		dst = append(dst, opFreq, byte(h.Freq))
	}
	return dst
}

// begin appends the beginning of a record of n elements.
func (e *Encoder) beginRecord(dst []byte, h *RecordHead, t Type) []byte {
	e.record = h
	dst = e.begin(h.head(dst), t)
	e.record = nil
	return dst
}

// BeginString begins a string of n bytes, which follow as they are.
func (e *Encoder) BeginString(dst []byte, h *RecordHead, n int) []byte {
	return AppendLen(e.beginRecord(dst, h, TypeString), uint64(n))
}

// BeginSet begins a set of n members: AppendString follows for each.
func (e *Encoder) BeginSet(dst []byte, h *RecordHead, n int) []byte {
	return AppendLen(e.beginRecord(dst, h, TypeSet), uint64(n))
}

// BeginZSet begins a sorted set of n members: AppendScored follows for each.
func (e *Encoder) BeginZSet(dst []byte, h *RecordHead, n int) []byte {
	return AppendLen(e.beginRecord(dst, h, TypeZSet2), uint64(n))
}

// AppendScored appends a member of a sorted set.
func (e *Encoder) AppendScored(dst, member []byte, score float64) []byte {
	return binary.LittleEndian.AppendUint64(e.AppendString(dst, member), math.Float64bits(score))
}

// BeginHash begins a hash of n fields, the earliest deadline of which is first, 0 =
// none has one: AppendField follows for each.
func (e *Encoder) BeginHash(dst []byte, h *RecordHead, n int, first int64) []byte {
	if first == 0 {
		return AppendLen(e.beginRecord(dst, h, TypeHash), uint64(n))
	}
	dst = binary.LittleEndian.AppendUint64(e.beginRecord(dst, h, TypeHashDated), uint64(first))
	return AppendLen(dst, uint64(n))
}

// AppendField appends a field of a hash with its deadline, 0 = none; first is as it was
// for BeginHash.
func (e *Encoder) AppendField(dst, field, value []byte, deadline, first int64) []byte {
	if first != 0 {
		if deadline != 0 {
			deadline -= first - 1
		}
		dst = AppendLen(dst, uint64(deadline))
	}
	return e.AppendString(e.AppendString(dst, field), value)
}

// BeginList begins a list of n nodes: AppendNode follows for each.
func (e *Encoder) BeginList(dst []byte, h *RecordHead, n int) []byte {
	return AppendLen(e.beginRecord(dst, h, TypeListQuicklist2), uint64(n))
}

// AppendNode appends a node of a list, a listpack.
func (e *Encoder) AppendNode(dst, listpack []byte) []byte {
	return e.AppendString(AppendLen(dst, nodePacked), listpack)
}

// BeginStream begins a stream of n nodes: AppendStreamNode follows for each, then what
// AppendStreamEnd gives.
func (e *Encoder) BeginStream(dst []byte, h *RecordHead, n int) []byte {
	return AppendLen(e.beginRecord(dst, h, e.streamType()), uint64(n))
}

// AppendStreamNode appends a node of a stream.
func (e *Encoder) AppendStreamNode(dst []byte, id stream.ID, listpack []byte) []byte {
	var key [stream.IDSize]byte
	return e.AppendString(e.AppendString(dst, id.AppendKey(key[:0])), listpack)
}

// AppendStreamEnd appends what a stream has besides its nodes.
func (e *Encoder) AppendStreamEnd(dst []byte, s *stream.Stream) []byte {
	t := e.streamType()
	dst = AppendLen(appendState(dst, t, s.State()), uint64(s.Groups()))
	for i := range s.Groups() {
		dst = e.appendGroup(dst, t, s.GroupAt(i))
	}
	return dst
}
