package replication

// What a Primary wants done, in the order given. Replica is the ID of a connection.
type (
	// Reply: write a line of the protocol, without its end.
	Reply struct {
		Replica uint64
		Line    string
	}
	// Refuse: write an error reply. The connection stays what it was, a client's, unless
	// Close says that it is to end then.
	Refuse struct {
		Replica uint64
		Text    string
		Close   bool
	}
	// Promote: a primary hands over to this server. Become one, then call Sync again
	// with these arguments and the view of then.
	Promote struct {
		Replica uint64
		Again   []string
	}
	// KeepLog: write the log from now on, as a new history with a new name.
	KeepLog struct{}
	// DropLog: nobody was there for repl-backlog-ttl. The log may be ended; what is
	// written without it belongs to no history, so its name must not be used again.
	DropLog struct{}
	// Snapshot: begin one; SnapshotBegan and SnapshotEnded are to follow, in both of
	// which a failure can be told. If Filter is not 0 the file is not all of the data.
	Snapshot struct {
		Number uint64
		Filter Filter
	}
	// CancelSnapshot: nobody wants it any more. SnapshotEnded need not follow.
	CancelSnapshot struct{ Number uint64 }
	// Release: nobody will be attached to a snapshot any more, so that its body can go as
	// soon as those who read it are done. It comes for each that began and was not canceled.
	Release struct{ Number uint64 }
	// Attach: hold on to the log from an offset (if Log), and to the body of a snapshot,
	// for a replica that gets both, but nothing yet.
	Attach struct {
		Replica, Number uint64
		From            uint64
		Log             bool
	}
	// Transfer: send the preamble, the snapshot's body, and the trailer; then call Sent.
	Transfer struct {
		Replica, Number   uint64
		Preamble, Trailer string
	}
	// Start: from here on the replica's output is the log from where it was held.
	Start struct{ Replica uint64 }
	// Continue: from here on the replica's output is the log from an offset. If that is
	// not kept any more by now, close the connection: it will come again.
	Continue struct {
		Replica uint64
		From    uint64
	}
	// Keepalive: write a line break.
	Keepalive struct{ Replica uint64 }
	// SendAck: this server's own primary wants to know how far it is.
	SendAck struct{}
	// Ping: append a PING to the log.
	Ping struct{}
	// Disconnect: close the connection; Gone need not be called.
	Disconnect struct {
		Replica uint64
		Why     string
	}
)

// Order is one of these, or a Log.
type Order interface{ order() }

func (Reply) order()          {}
func (Refuse) order()         {}
func (Promote) order()        {}
func (KeepLog) order()        {}
func (DropLog) order()        {}
func (Snapshot) order()       {}
func (CancelSnapshot) order() {}
func (Release) order()        {}
func (Attach) order()         {}
func (Transfer) order()       {}
func (Start) order()          {}
func (Continue) order()       {}
func (Keepalive) order()      {}
func (SendAck) order()        {}
func (Ping) order()           {}
func (Disconnect) order()     {}
func (Log) order()            {}
