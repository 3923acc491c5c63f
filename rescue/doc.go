// Package rescue keeps what a node wrote and the primary that it follows from now on never
// saw: before the node takes over that primary's data, the end of its own log goes to a file
// of its own,
//
//	rescue-<time>-<replid>.aof
//
// where time is UTC to the millisecond and replid the history that the writes were of. The
// file is an append only file that every tool for those reads: annotations (lines that begin
// with #) say where it is from, a SELECT where it begins, and the commands follow as they
// were logged, byte for byte and transactions whole. PING and REPLCONF, which are no writes,
// are left out. A tail without a single write leaves no file.
//
//	f, err := rescue.Write(...)   File.Name has it, durably, once err is nil
//	rescue.List(fs, dir)          what lies in a folder
//	rescue.Open(fs, path)         the head, and a reader of the commands
//
// Invariants: a file of that name is whole and was synced, its name too. No file is ever
// changed or removed by a server: what is in it belongs to the operator.
//
// Offsets are counts of bytes of the log (oplog, offset.go).
//
// LIMITATIONS: where the log no longer has the first bytes of the tail (Head.Missing), the
// first command is found by its form; it can be mistaken for one only by a value that holds
// nothing but protocol up to the end of the first MiB.
package rescue
