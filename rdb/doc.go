// Package rdb is Redis' binary format of values and databases: what DUMP and
// RESTORE carry, what snapshots hold and what a full resynchronization sends.
//
// It has three layers. The codec (codec.go, lzf.go, crc64.go, dump.go) knows
// lengths, strings and their encodings, the checksum and the frame of a DUMP
// payload, over plain bytes. The values of each type are built on it (object.go and
// a file for each type). Files are read by a Reader (reader.go) in windows of a stream
// (window.go), and written by a Writer (writer.go), which packs what others have
// written plainly (pack.go). Where a value ends is known without reading it, from the
// shape of its type (shape.go, skim.go).
//
// Encoding appends to a slice and cannot fail. Decoding reads bytes that anyone
// may have sent: nothing in them is believed before it is checked, and no memory
// is taken for a length that the bytes at hand cannot bear out.
//
// Units: lengths are bytes, or elements for aggregates. Errors: ErrPayload and
// ErrFormat, whose texts are the replies of RESTORE; of files a FileError, which says
// where, in which key, and what is wrong.
//
// Invariants: what an Encoder writes is byte for byte what a genuine server
// writes for the same value at the same version (see lzf.go for the one
// exception), so dumps can be compared and digests of files agree.
package rdb
