package server

import (
	"dozo/command"
	"dozo/config"
	"dozo/keyspace"
	"dozo/oplog"
	"dozo/replication"
)

// Following keeps the link to the primary (package follower). A server without one is
// always a primary.
type Following interface {
	// Tick is called some times a second, alone; Status and Rescues by anyone.
	Tick()
	Status() replication.LinkStatus
	Rescues() RescueStatus
	// HandOver has the server follow a replica, which is asked to take over; what became
	// of that is told to HandedOver. TakeBack makes it a primary again. Both alone.
	HandOver(host string, port int)
	TakeBack()
	// Withdraw tells whether the replica was not asked, and then never is, until
	// HandOver. Alone.
	Withdraw() bool
	// TakeOver makes the server a primary since its own has asked for it. Alone.
	TakeOver(by string)
}

// RescueStatus is what is known of the writes that no primary has (package rescue).
type RescueStatus struct {
	Files    int // that lie in the folder
	Bytes    int64
	LastName string // the newest one's, empty if there is none
	LastTime int64  // Unix seconds
	// Incomplete counts the times that something was dropped that is in no file.
	Incomplete int64
	Trouble    string // why a file could not be written; empty since one could
}

// Lineage is whose history the log is of. Only alone.
func (s *Server) Lineage() replication.Lineage { return s.lineage }

// Position is where the data stands: in which history, and how much of it. Only alone.
func (s *Server) Position() replication.Position {
	return replication.Position{ID: s.lineage.ID(), Offset: s.log.Offset()}
}

// KnownPosition is Position by a name that others may know: one that this server has given
// itself says nothing to them as long as nothing was written under it. Only alone.
func (s *Server) KnownPosition() replication.Position {
	if s.lineage.ID() != s.ownName {
		return s.Position()
	}
	return s.lineage.Earliest(s.log.Offset())
}

// StreamDB is the database that the next command of the history is for, unless it says
// another. Only alone.
func (s *Server) StreamDB() int {
	db, err := s.log.DBAt(s.log.Offset())
	if err != nil || db == oplog.NoDB {
		return 0
	}
	return db
}

// ShiftHistory goes on under another name, "" = a new one: this server has become a
// primary, or its primary has. Those who follow it learn that by connecting again. Only
// alone.
func (s *Server) ShiftHistory(id string) {
	if id == s.lineage.ID() {
		return
	}
	if id == "" {
		id = s.newName()
		s.log.ForgetDB() // a primary's own writes bring their SELECT
	}
	s.lineage = s.lineage.Shift(id, s.log.Offset())
	s.noteHistory()
	s.logf(Notice, "Setting secondary replication ID to %s, valid up to offset: %d. New replication ID is %s", s.lineage.ID2(), s.lineage.SecondOffset(), id)
	s.replicas.renamed("the history has a new name")
}

// newName is the name of a history that this server writes by itself.
func (s *Server) newName() string {
	s.ownName = replication.NewID(s.env.NewRand())
	return s.ownName
}

// AdoptHistory begins the history that the data is of now, and goes by its time: ms, or 0 if
// that is not known. A history that nobody knows has a name of its own. db is the database in
// force: whoever goes on from this very point (the link when it is cut before anything came,
// replicas, the append only file) is told by nobody else. Only alone.
func (s *Server) AdoptHistory(at replication.Position, db int, ms int64) {
	if !at.Known() {
		at = replication.Position{ID: replication.NewID(s.env.NewRand())}
	}
	s.lineage, s.doubted = replication.NewLineage(at.ID), false
	s.doubtIfWritable(s.cfg.Values())
	s.replicas.renamed("the data is another primary's now")
	s.BeginHistory(at.Offset)
	s.log.AppendRaw(nil, db)
	s.NewClock(ms)
	s.noteHistory()
}

// CountReceived counts bytes of a snapshot that came from the primary.
func (s *Server) CountReceived(n int) { s.receivedBytes.Add(int64(n)) }

// AppliedAt is when something of the primary's was executed last, by the clock that never
// goes back.
func (s *Server) AppliedAt() int64 { return s.appliedAt.Load() }

// SetLinkUp says whether the primary is there, for clients that do not want to read old data
// (replica-serve-stale-data). Only alone.
func (s *Server) SetLinkUp(up bool) {
	s.linkUp = up
	s.judgeStale(s.cfg.Values())
}

// judgeStale decides whether reads are refused. Only alone.
func (s *Server) judgeStale(v *config.Values) {
	s.attend(attnStale, s.Follows() && !s.linkUp && !v.Bool(config.ReplicaServeStaleData))
}

// AcknowledgeUpstream tells the primary how far this server is. Only alone.
func (s *Server) AcknowledgeUpstream(up *Upstream) {
	if up == nil {
		return
	}
	s.workers[0].call(func(w *worker) {
		if cl := up.client; cl.conn != nil && !cl.freed {
			w.acknowledge(cl)
		}
	})
}

// DescribeCaller is the caller's line in CLIENT LIST, for the log.
func (s *Server) DescribeCaller(c *command.Context) string {
	cl := clientOf(c)
	return cl.worker.describe(cl)
}

// CallerFollows tells whether the caller is a replica of this server.
func (s *Server) CallerFollows(c *command.Context) bool { return clientOf(c).has(isReplica) }

// KeyCount is how many keys there are. Only alone.
func (s *Server) KeyCount(v *keyspace.View) (n int) {
	for db := range s.ks.Databases() {
		n += v.Len(db)
	}
	return n
}
