// Package oplog is the one log of writes. Every write of the server is appended
// to it once, as the RESP bytes a replica would be sent, while the shard of the
// written key is held. The AOF writer, each replica's stream and the backlog for
// partial resyncs are readers of the same bytes, and a reply that must wait for
// a disk or for replicas waits for an offset of this log (see gate.go).
//
//	if log.Active() {
//		end := log.Append(db, command)   // the shard's lock is held
//		...                              // hold the reply until the gate is past end
//	}
//
//	r, err := log.NewReader(from, signal.Notify)
//	for {
//		p, err := r.Peek()               // bytes in place, no copy
//		if len(p) == 0 && r.Arm() { <-signal; continue }
//		n := write(p)
//		r.Advance(n)
//	}
//
// Units. An offset counts bytes from the beginning of the history and is also a
// position: the byte at position p is the one that p bytes precede. How this
// meets the numbers on the wire is told in offset.go.
//
// Errors. NewReader and Reader.Peek give ErrTrimmed, ErrFuture, ErrInactive,
// ErrReset, ErrLagging or ErrClosed, wrapped with the numbers: test with
// errors.Is. Append cannot fail.
//
// Invariants:
//   - an append, or a unit of several, is contiguous, and its bytes become
//     readable all at once: the end is published after the last byte is there,
//     so no reader sees half of it in the log (it may take it in pieces);
//   - appends of one shard stand in the order in which the shard executed them,
//     since they are made under its lock; appends of two shards in some order
//     that all readers agree on;
//   - a SELECT stands before the first command of another database;
//   - bytes from First to Offset never change and never move; a block is freed
//     only when it lies before the retained part and before every reader.
//
// Memory. The bytes live in blocks from the arena, so that a backlog of any size
// is nothing to the garbage collector; a block costs one small Go struct. Each
// block carries the database in force at its start and, growing down from its
// end, a mark for each change of database within it, so that a reader may start
// at any retained offset and know where it is.
//
// The idea of one buffer that all replicas and the backlog share is that of
// Redis 7's replication buffer blocks; to let the AOF read it too, and to hold
// replies back instead of stopping at fsync, is DESIGN's third idea.
package oplog
