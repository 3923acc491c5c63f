package rdb

import (
	"encoding/binary"
	"errors"
)

// Type is the byte that says how a value is written. A value type of Redis has
// several: one for each encoding, and older ones that are only read.
type Type uint8

// TypeString is a string in any of its encodings.
const TypeString Type = 0

// footerSize is the version in two bytes and the checksum in eight.
const footerSize = 10

// ErrPayload tells that the footer of a DUMP payload is not right.
var ErrPayload = errors.New("ERR DUMP payload version or checksum are wrong")

// Value is a value as it is written, apart from its key.
type Value struct {
	Type Type
	Str  []byte // of TypeString
}

// AppendValue appends the type of a value and its body.
func (e *Encoder) AppendValue(dst []byte, v Value) []byte {
	return e.AppendString(append(dst, byte(v.Type)), v.Str)
}

// AppendDump appends the payload that DUMP gives for v.
func (e *Encoder) AppendDump(dst []byte, v Value) []byte {
	start := len(dst)
	return e.AppendFooter(e.AppendValue(dst, v), start)
}

// AppendFooter makes dst[start:], a type and its body, a DUMP payload.
func (e *Encoder) AppendFooter(dst []byte, start int) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(e.Version))
	return binary.LittleEndian.AppendUint64(dst, CRC64(0, dst[start:]))
}

// CheckDump verifies the footer of a payload and returns what is before it, the
// type and the body. The checksum is not looked at when skipChecksum is set, as
// DEBUG SET-SKIP-CHECKSUM-VALIDATION wants it.
func CheckDump(payload []byte, skipChecksum bool) (body []byte, version int, err error) {
	n := len(payload) - footerSize
	if n < 0 {
		return nil, 0, ErrPayload
	}
	version = int(binary.LittleEndian.Uint16(payload[n:]))
	sum := binary.LittleEndian.Uint64(payload[n+2:])
	if version > VersionMax || !skipChecksum && CRC64(0, payload[:n+2]) != sum {
		return nil, 0, ErrPayload
	}
	return payload[:n], version, nil
}

// ParseDump reads a DUMP payload. The parts of the value alias payload or buf, as
// those of Decoder.String do. Bytes behind the value are allowed, as in Redis.
func ParseDump(payload, buf []byte, skipChecksum bool) (Value, error) {
	body, _, err := CheckDump(payload, skipChecksum)
	if err != nil {
		return Value{}, err
	}
	d := NewDecoder(body)
	return d.Value(buf)
}

// Value reads a type and its body.
func (d *Decoder) Value(buf []byte) (Value, error) {
	t, err := d.Byte()
	if err != nil || Type(t) != TypeString {
		return Value{}, ErrFormat
	}
	s, err := d.String(buf)
	return Value{Type: TypeString, Str: s}, err
}
