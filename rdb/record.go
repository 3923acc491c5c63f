package rdb

import (
	"encoding/binary"

	"dozo/object"
)

// RecordHead is what a file says of a key beside its value.
type RecordHead struct {
	Key      []byte
	Deadline int64 // Unix milliseconds; 0 = none
	Idle     int64 // seconds for which the key was not used; -1 = not said
	Freq     int   // its LFU counter; -1 = not said
}

// AppendRecord appends what a file has for a key.
func (e *Encoder) AppendRecord(dst []byte, h *RecordHead, c *object.Cell) []byte {
	if h.Deadline != 0 {
		dst = binary.LittleEndian.AppendUint64(append(dst, opExpireMillis), uint64(h.Deadline))
	}
	if h.Idle >= 0 {
		dst = AppendLen(append(dst, opIdle), uint64(h.Idle))
	}
	if h.Freq >= 0 {
		dst = append(dst, opFreq, byte(h.Freq))
	}
	e.record = h
	dst = e.AppendObject(dst, c)
	e.record = nil
	return dst
}

// begin appends a type, and after it the key when a record is written.
func (e *Encoder) begin(dst []byte, t Type) []byte {
	dst = append(dst, byte(t))
	if e.record != nil {
		dst = e.AppendString(dst, e.record.Key)
	}
	return dst
}
