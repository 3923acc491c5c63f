// Package resp speaks the Redis serialization protocol, versions 2 and 3, and
// the inline commands of a human with telnet.
//
// It has three parts that share only the notation:
//
//   - Parser takes commands out of a connection's bytes (the server's side of
//     the wire). It copies nothing: arguments alias the caller's buffer.
//   - Writer appends replies to a byte slice, each in the dialect that the
//     client asked for (Proto 2 or 3).
//   - ReadValue reads one reply of any type from a stream (the client's side).
//
// Lengths are bytes. What is malformed on the wire is reported with the words
// that Redis 7.2 uses (ProtocolError), because test suites and clients match on
// them; leniencies of Redis are kept too: the byte after a '\r' is not looked at,
// nor are the two bytes behind a bulk string.
//
// Invariants:
//
//   - Splitting the input at any point gives the same commands and the same
//     error as passing it whole (FuzzParser checks it).
//   - The work for a command is linear in its bytes, however it is cut up.
//   - Memory grows with bytes received, never with a number that a peer announced.
package resp
