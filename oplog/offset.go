package oplog

import "fmt"

// Offset arithmetic.
//
// A history of writes is a sequence of bytes that grows at one end. Dozo counts
// as one counts gaps, not bytes: offset p is the gap that p bytes precede. Then
// a length is a plain difference, an empty log at offset p begins and ends at p,
// "I have applied p bytes" and "send me what follows p" are the same number, and
// nothing in this package ever adds or subtracts one.
//
// The protocol mixes this count with another in which bytes are numbered from 1:
//
//	what                                    number on the wire
//	master_repl_offset, REPLCONF ACK,       the count p: so many bytes were
//	  FACK, +FULLRESYNC id p, WAIT's          written, applied, synced
//	  target, GETACK's answer
//	PSYNC id n                              n = p+1: the number of the first
//	                                          byte that is wanted
//	repl_backlog_first_byte_offset          First+1, the number of a byte
//	second_repl_offset                      p+1, p being the switch: the first
//	                                          byte that is NOT of the old history
//
// ToWire and FromWire are the one place where the one is added and taken away.
// With them the question "can this replica continue" has no special case: it
// may ask for any byte from number First+1 to End+1, the last being the byte
// that does not exist yet, which is what a replica asks that is up to date. In
// gaps that is First <= p <= End: what NewReader allows. A replica that asks for
// more than End has seen writes that this server has not: it belongs to another
// history even if the id is the same, and gets ErrFuture, never an empty stream.
//
// Two histories. On promotion a server keeps the old id as second id, valid up
// to the switch offset, and appends under a new id with the count going on. A
// replica that stands at or before the switch (n <= second_repl_offset on the
// wire) shares every byte it has with the new primary and may continue. One that
// stands behind it has bytes that nobody else has. The log therefore goes on
// through a promotion without a change (no Activate): offsets of both ids are
// positions in the same bytes.
//
// What is counted. Everything in the stream: the SELECT that the log puts in
// itself, PING, REPLCONF GETACK, the term markers of safe mode. A replica counts
// the bytes it reads, so a byte that is sent and not appended here, or appended
// and not sent, moves every later number by one. Bare newlines that keep a link
// alive before the snapshot are outside the stream and not counted. A replica of
// a replica gets its master's bytes as they came (AppendRaw), SELECTs included,
// or the counts would differ.
//
// Database in force. Since SELECT changes what later bytes mean, a position
// means something only with a database. A replica that continues by PSYNC
// remembers the database itself. One that starts from a snapshot at p, or an AOF
// file that begins at p, does not: either it learns DBAt(p) (the snapshot says
// repl-stream-db, the AOF begins with a SELECT of its own, not counted), or
// ForgetDB is called at p, so that the next command brings its SELECT along.
//
// Wrap-around. At 10 GB/s a uint64 lasts 58 years, and the wire's signed number
// half of that. Differences are taken only after the larger was made sure of.
//
// LIMITATIONS
//   - Offsets of different histories must not be compared, here or anywhere
//     (safe mode compares the term first). The log cannot tell: it has one
//     history at a time, and Activate begins another.
//   - Offsets are of bytes, not commands: a position inside a command is legal
//     for a stream that goes on from there, and useless to start executing at.
//     Only ends that Append returned, and Offset, are known to be boundaries.
//   - A mirrored stream (AppendRaw) is trusted to be what the caller says; its
//     SELECTs are not parsed, the database is what the caller passes.

// ToWire is the number of the byte that follows offset p: PSYNC's argument.
func ToWire(p uint64) int64 { return int64(p) + 1 }

// FromWire is the offset that precedes byte number n of a PSYNC request.
func FromWire(n int64) (uint64, error) {
	if n < 1 {
		return 0, fmt.Errorf("oplog: byte number %d is none of the stream, which counts from 1: treat the request as one for a full resync", n)
	}
	return uint64(n - 1), nil
}
