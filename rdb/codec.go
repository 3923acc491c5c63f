package rdb

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"dozo/text"
)

// The versions of the format.
const (
	// VersionMax is the newest version that is read.
	VersionMax = 12
	// VersionShared is the newest version that all servers from 7.0 on read: replicas get
	// nothing newer, but what that version does not have.
	VersionShared = 10
	// VersionDefault is what is written unless an older one is asked for.
	VersionDefault = 11
)

// The leading two bits of a length, and the bytes for long ones.
const (
	kindMask = 0xc0
	kind6    = 0x00
	kind14   = 0x40
	kindEnc  = 0xc0
	mark32   = 0x80
	mark64   = 0x81

	len6Max  = 1<<6 - 1
	len14Max = 1<<14 - 1

	lenBytesMax = 9 // the longest length

	unseenMax = 4096 // what memory is taken for without a look at what gives it
)

// The special encodings of a string.
const (
	encInt8 = iota
	encInt16
	encInt32
	encLZF
)

const (
	intTextMax     = 11 // longest text that is tried as an integer
	compressMin    = 21 // shortest text that is tried with LZF
	compressSaving = 4  // what compression must save at least
)

// ErrFormat tells that bytes are not what a value is written as: damaged, or of
// a type or version that is not known here.
var ErrFormat = errors.New("ERR Bad data format")

// AppendLen appends a length in 1, 2, 5 or 9 bytes.
func AppendLen(dst []byte, n uint64) []byte {
	switch {
	case n <= len6Max:
		return append(dst, kind6|byte(n))
	case n <= len14Max:
		return append(dst, kind14|byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, mark32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, mark64), n)
}

// AppendInt appends the string that is the decimal text of v.
func AppendInt(dst []byte, v int64) []byte {
	if out, ok := appendIntEncoded(dst, v); ok {
		return out
	}
	n := text.IntLen(v)
	return text.AppendInt(AppendLen(dst, uint64(n)), v)
}

// appendIntEncoded writes v in 2, 3 or 5 bytes if it fits 32 bits.
func appendIntEncoded(dst []byte, v int64) ([]byte, bool) {
	switch {
	case v == int64(int8(v)):
		return append(dst, kindEnc+encInt8, byte(v)), true
	case v == int64(int16(v)):
		return binary.LittleEndian.AppendUint16(append(dst, kindEnc+encInt16), uint16(v)), true
	case v == int64(int32(v)):
		return binary.LittleEndian.AppendUint32(append(dst, kindEnc+encInt32), uint32(v)), true
	}
	return dst, false
}

// Encoder writes values. Its zero value writes version 0 without compression;
// NewEncoder is what one wants. It holds the table that compression needs (256
// KiB, taken when first needed), so it is kept and used again, by one goroutine
// at a time.
type Encoder struct {
	Version  int  // of the footer, and of the forms chosen for values
	Compress bool // rdbcompression
	// Plain has strings written as they are, for a Packer to do the rest.
	Plain bool
	// Now is when fields of hashes are left out that are due, 0 = never.
	Now int64
	// key of the record that is being written; it follows the type.
	record *RecordHead
	lzf    compressor
}

// NewEncoder gives an encoder for a version of the format, 0 for the default.
func NewEncoder(version int, compress bool) *Encoder {
	if version == 0 {
		version = VersionDefault
	}
	return &Encoder{Version: version, Compress: compress}
}

// AppendString appends a string: as an integer if it is the text of one that fits
// 32 bits, compressed if that is wanted and saves at least 4 bytes, else as it is.
func (e *Encoder) AppendString(dst, s []byte) []byte {
	if e.Plain {
		return append(AppendLen(dst, uint64(len(s))), s...)
	}
	if len(s) <= intTextMax {
		if v, ok := text.ParseInt(s); ok {
			if out, ok := appendIntEncoded(dst, v); ok {
				return out
			}
		}
	}
	if e.Compress && len(s) >= compressMin {
		if out, ok := e.appendCompressed(dst, s); ok {
			return out
		}
	}
	return append(AppendLen(dst, uint64(len(s))), s...)
}

// appendCompressed compresses into the room behind dst, leaving space for the
// longest head, and then closes the gap.
func (e *Encoder) appendCompressed(dst, s []byte) ([]byte, bool) {
	const headMax = 1 + 9 + 9
	start, limit := len(dst), len(s)-compressSaving
	dst = slices.Grow(dst, headMax+limit)
	body := dst[start+headMax : start+headMax+limit]
	n := e.lzf.compress(body, s)
	if n == 0 {
		return dst[:start], false
	}
	dst = append(dst[:start], kindEnc+encLZF)
	dst = AppendLen(AppendLen(dst, uint64(n)), uint64(len(s)))
	return append(dst, body[:n]...), true
}

// Decoder reads from bytes in memory, or from a stream, a window at a time. After an
// error its position means nothing.
type Decoder struct {
	in []byte
	// inBuffer: the last string lies in the caller's buffer, not in the input.
	inBuffer bool
	// src is where the bytes behind in come from; nil: there are none.
	src *window
}

// NewDecoder reads from in.
func NewDecoder(in []byte) Decoder { return Decoder{in: in} }

// Left is the number of bytes that are not read yet; of a stream that does not say
// how long it is, more than there can be.
func (d *Decoder) Left() int {
	if d.src != nil {
		return d.src.left()
	}
	return len(d.in)
}

// Take returns the next n bytes, which alias the input. Those of a stream are valid
// until the next read.
func (d *Decoder) Take(n uint64) ([]byte, error) {
	if n > uint64(len(d.in)) && (d.src == nil || !d.src.fill(n)) {
		return nil, errEnds
	}
	b := d.in[:n:n]
	d.in = d.in[n:]
	return b, nil
}

// Byte reads one byte.
func (d *Decoder) Byte() (byte, error) {
	b, err := d.Take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// Len reads a length.
func (d *Decoder) Len() (uint64, error) {
	n, special, err := d.lenOrEncoding()
	if special && err == nil {
		err = errLength
	}
	return n, err
}

// lenOrEncoding reads a length, or the number of a special encoding.
func (d *Decoder) lenOrEncoding() (n uint64, special bool, err error) {
	n, size, special, err := lenAt(d.in)
	if size == 0 && err == nil && d.src != nil {
		d.src.fill(uint64(min(lenBytesMax, d.Left())))
		n, size, special, err = lenAt(d.in)
	}
	if size == 0 && err == nil {
		err = errEnds
	}
	d.in = d.in[size:]
	return n, special, err
}

// String reads a string. It is a part of the input, or, when it had to be decoded,
// appended to buf[:0]; so it is valid while neither of them is used otherwise.
func (d *Decoder) String(buf []byte) ([]byte, error) {
	n, special, err := d.lenOrEncoding()
	if err != nil {
		return nil, err
	}
	return d.content(n, special, buf)
}

// content reads what follows the head of a string.
func (d *Decoder) content(n uint64, special bool, buf []byte) ([]byte, error) {
	d.inBuffer = special
	switch {
	case !special:
		return d.Take(n)
	case n == encLZF:
		return d.compressed(buf)
	}
	v, err := d.integer(n)
	if err != nil {
		return nil, err
	}
	return text.AppendInt(buf[:0], v), nil
}

func (d *Decoder) integer(encoding uint64) (int64, error) {
	if encoding > encInt32 {
		return 0, errStringKind
	}
	b, err := d.Take(1 << encoding)
	if err != nil {
		return 0, err
	}
	switch encoding {
	case encInt8:
		return int64(int8(b[0])), nil
	case encInt16:
		return int64(int16(binary.LittleEndian.Uint16(b))), nil
	}
	return int64(int32(binary.LittleEndian.Uint32(b))), nil
}

// compressed reads an LZF string. Before much memory is taken for it, its bytes are
// gone through to see whether they give what it claims.
func (d *Decoder) compressed(buf []byte) ([]byte, error) {
	packed, err := d.Len()
	if err != nil {
		return nil, err
	}
	length, err := d.Len()
	if err != nil {
		return nil, err
	}
	src, err := d.Take(packed)
	if err != nil {
		return nil, err
	}
	if length > uint64(max(cap(buf), unseenMax)) && !unpacksTo(src, length) {
		return nil, errLZF
	}
	out := slices.Grow(buf[:0], int(length))[:length]
	if !decompress(out, src) {
		return nil, errLZF
	}
	return out, nil
}
