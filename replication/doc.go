// Package replication decides what replicas and their primaries say to each other. It is
// machines: they are told what happened and when, and say what is to be done; they have
// no socket, no goroutine, no clock and no file (but for Spool), so that a test plays years of bad luck in
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
// # Primary
//
// A Primary is the side that has replicas, which a replica with replicas of its own has,
// too. Its methods are called under one lock, and return orders, which name connections by
// their IDs; they are done in order and before the next call. A connection gets a Replica
// when it first says REPLCONF, SYNC or PSYNC. What the machine has to know of the server
// comes in a View, which must be of the moment of the call.
//
//	p := NewPrimary(settings, rand, now)
//	r := NewReplica(client, address)
//	p.Replconf(r, args, now); p.Sync(r, args, pending, view, now)   the commands
//	p.Gone(r, why, now)                                             its connection ended
//	p.Alive(r, now)                                                 it sent an empty line
//	p.Tick(view, now)                                               a few times a second
//	p.Lagging(r, lag, cut, now); p.Progress(r, sent, more, now)     once a second
//	p.SnapshotBegan, p.SnapshotEnded                                answers to Snapshot
//	p.Sent(r, now)                                                  all of a Transfer has left
//	p.Renamed(why, now)                                             after each new name
//
// A replica that can go on gets Reply and Continue. One that cannot waits for a snapshot
// that it shares with others (shot.go); then it gets Attach, Reply and Transfer, and in the
// end Start, which makes the log its output from where Attach has held it.
//
// Who must not come now is told NOMASTERLINK, upon which replicas of every make try again
// a little later: that is how a full resync is put off for a reason.
//
// # Spool
//
// A Spool is the body of a snapshot that replicas share (spool.go); it is no machine, but
// memory, a file and a goroutine that reads it back. Its owner writes to it what Snapshot
// asked for, makes a SpoolReader for each Attach, and calls
//
//	r.Begin(t.Preamble, t.Trailer)   on Transfer: it is an eventloop.Source now
//	s.Release()                      on Release
//	s.Fail(err)                      on CancelSnapshot, or when the snapshot failed
//	p.DontJoin(number)               when NewReader says ErrReleased
//
// # Failover
//
// A Failover hands a primary's duty over to a replica (FAILOVER); it looks at the Primary,
// and is called under the same lock.
//
// Times are on a clock that never goes back. Offsets are counts of bytes, as in oplog.
//
// Invariants of a Link: at most one connection is open, the one of Try. Stream comes at most once
// for a connection, and only after CONTINUE or Loaded. Between Connected and Stream the
// link promises nothing about the data: it stays as it was until Loaded.
//
// Of a Primary: at most one snapshot is being made. Nothing is sent behind a snapshot with
// a mark before the replica has acknowledged. Attach comes only between SnapshotBegan and
// Release, Start at most once for each Attach.
//
// LIMITATIONS: terms and seals (safe mode) are not here; a Lineage is ready for them.
package replication
