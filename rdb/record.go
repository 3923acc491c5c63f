package rdb

import (
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
	e.record = h
	dst = e.AppendObject(h.head(dst), c)
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
