package rdb

import (
	"encoding/binary"
	"errors"
)

// footerSize is the version in two bytes and the checksum in eight.
const footerSize = 10

// ErrPayload tells that the footer of a DUMP payload is not right.
var ErrPayload = errors.New("ERR DUMP payload version or checksum are wrong")

// AppendFooter makes dst[start:], a type and its body, a DUMP payload. What older
// versions do not have is marked with the version that has it.
func (e *Encoder) AppendFooter(dst []byte, start int) []byte {
	version := e.Version
	if len(dst) > start && (Type(dst[start]) == TypeHashDated || Type(dst[start]) == TypeHashDatedLP) {
		version = max(version, datedHashes)
	}
	dst = binary.LittleEndian.AppendUint16(dst, uint16(version))
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

// Libraries gives the libraries of functions of a payload that FUNCTION DUMP made.
func Libraries(payload []byte) (codes [][]byte, err error) {
	body, _, err := CheckDump(payload, false)
	if err != nil {
		return nil, err
	}
	for d := NewDecoder(body); d.Left() > 0; {
		op, err := d.Byte()
		if err != nil || op != opFunction {
			return nil, ErrFormat
		}
		code, err := d.String(nil)
		if err != nil {
			return nil, err
		}
		codes = append(codes, code)
	}
	return codes, nil
}
