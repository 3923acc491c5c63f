// Package replication decides what replicas and their primaries say to each other. It is
// machines: they are told what happened and when, and say what is to be done; they have
// no socket, no goroutine, no clock and no file, so that a test plays years of bad luck in
// a second. On the wire they do what Redis 7.2 does (PSYNC2), and understand whoever does.
//
// # Lineage
//
// A Lineage tells whose history the bytes of the log are (oplog, offset.go): the names
// behind master_replid and master_replid2. It is a value; a server holds one beside its
// log and replaces it
//
//	l := NewLineage(NewID(rand))      // begins with nothing
//	l = l.Shift(NewID(rand), offset)  // promoted, or a primary that loaded a file of l
//	l = l.Shift(s.At.ID, s.At.Offset) // Stream that is not Full, with a new name
//	l = NewLineage(s.At.ID)           // Stream that is Full
//
// and whenever the name changes, its own replicas are disconnected, so that they learn it.
//
// # Link
//
// A Link is the replica's side. Its owner passes events to Step and does what Step
// returns, in order, before the next event:
//
//	link := NewLink(settings, rand)
//	for _, e := range link.Step(Follow{Host: host, Port: port}, now) { ... }
//
//	Dial       connect; then Connected with where the data stands
//	Send       write the command; pass on each line that comes as a Line
//	Receive    read the snapshot that begins here and load it beside the data; Received
//	           for what comes (in steps of a second at most), Loaded when it took the
//	           place of the data, Lost when it cannot
//	Stream     give the connection to those who apply writes; Heard when bytes came, at
//	           most once a second, and Lost when it ended and all that came was applied
//	Newline, Ack, Close, Ask, HandedOver, Log   as their comments say
//
// and Tick when the time of Due has come. All tries to connect, and questions to a primary
// that are not of the link itself, have a number; what is of a former one is not heard, so
// that a goroutine for each can just pass on what it sees.
//
// Times are on a clock that never goes back. Offsets are counts of bytes, as in oplog.
//
// Invariants: at most one connection is open, the one of Try. Stream comes at most once
// for a connection, and only after CONTINUE or Loaded. Between Connected and Stream the
// link promises nothing about the data: it stays as it was until Loaded.
//
// LIMITATIONS: terms and seals (safe mode) are not here; a Lineage is ready for them.
package replication
