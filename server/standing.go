package server

import (
	"dozo/config"
	"dozo/grouptime"
	"dozo/rdb"
	"dozo/replication"
)

// A history across a restart.
//
// A file says which moment of a history its data is, and the append only file has the end of
// the log besides, from which replicas can be served that had less. What follows from that:
//
// A replica is at that moment of its primary's history. It asks to go on from there; that the
// end was lost, because the process was killed or the machine has failed, is only that it asks
// for more.
//
// A primary must not go on under the same name: it may have sent its replicas, and they others,
// what it does not know any more, and its next writes would have the same offsets. Two
// histories under one name are never found out, since a name and an offset are all that is
// compared. So it goes on under a new name, always, whatever it believes to have lost; the
// file's is the former one, valid up to where the file ends. Replicas that were not ahead go
// on; those that were have writes that are lost here, which they keep in a rescue file, and get
// a snapshot. Nor do two servers that were started from copies of one file write under one
// name, and each other's replicas can go on with either up to where the copies end.
//
// A primary of before that comes back to follow its successor asks under the former name as
// long as nothing was written under the new one, which nobody else has ever heard
// (KnownPosition).

// Standing is which moment of which history the data is, nil if nobody could go on from it.
// Only alone, or when the server has ended.
func (s *Server) Standing() *rdb.ReplicationInfo {
	if !s.HasReplicas() || s.doubted || s.InTransaction() {
		return nil
	}
	at := s.Position()
	r := &rdb.ReplicationInfo{DB: s.StreamDB(), ID: at.ID, Offset: int64(at.Offset), Lineage: s.lineage.String(), Primary: s.origin}
	s.time.mu.Lock()
	shown := s.time.clock.Shown()
	s.time.mu.Unlock()
	if shown {
		r.Time = s.Time()
	}
	return r
}

// HasReplicas tells whether there are replicas that go by the log, or may come back. Only alone.
func (s *Server) HasReplicas() bool { return s.log.Active() && s.logUsers&LogReplicas != 0 }

// LogTail is the end of a log, as it was found in a file. DB is the database in force where it
// begins; a piece's is in force at its end.
type LogTail struct {
	From   uint64
	DB     int
	Pieces []LogPiece
}

// LogPiece is a part of it.
type LogPiece struct {
	Bytes []byte
	DB    int
}

// ResumeHistory goes on where the data stands that was loaded, and tells whether it can. tail
// ends there; it is nil where the data is from a snapshot. Only alone, before any client is
// served.
func (s *Server) ResumeHistory(r *rdb.ReplicationInfo, tail *LogTail) bool {
	if len(r.ID) != replication.IDLength || r.ID == replication.NoID || r.Offset < 0 || r.DB < 0 || r.DB >= s.ks.Databases() {
		return false
	}
	at := uint64(r.Offset)
	if s.resumedFrom = "aof"; tail == nil {
		s.resumedFrom = "rdb"
		tail = &LogTail{From: at, DB: r.DB}
	}
	l, err := replication.ParseLineage(r.Lineage)
	if err != nil || l.ID() != r.ID || l.SecondOffset() > r.Offset+1 {
		l = replication.NewLineage(r.ID)
	}
	s.logUsers |= LogReplicas
	s.doubtIfWritable(s.cfg.Values())
	if s.Follows() {
		s.lineage, s.origin = l, r.Primary
		s.restore(tail, at)
		s.log.AppendRaw(nil, r.DB) // what comes next may rely on it
		if r.Time != 0 {
			s.NewClock(r.Time)
		}
		return true
	}
	s.lineage = l.Shift(s.newName(), at)
	s.restore(tail, at)
	s.log.ForgetDB() // a primary's own writes bring their SELECT
	s.time.change(s.clock, func(clock *grouptime.Clock, now grouptime.Moment) { clock.Resume(r.Time, now) })
	s.tellAll()
	return true
}

// LogStanding is Standing of what the log alone would bring back. Only alone, or when the
// server has ended.
func (s *Server) LogStanding() *rdb.ReplicationInfo {
	if s.unlogged {
		return nil
	}
	return s.Standing()
}

// DoubtHistory says that the data has changed by something that is not in the log: files do
// not say any more which moment of the history it is. Only alone.
func (s *Server) DoubtHistory() { s.doubted = true }

// doubtIfWritable is for a replica to which clients may write.
func (s *Server) doubtIfWritable(v *config.Values) {
	if s.Follows() && !v.Bool(config.ReplicaReadOnly) {
		s.doubted = true
	}
}

// Origin is the address of the primary from which the data was had, "" = it is nobody's
// else. SetOrigin changes it. Only alone.
func (s *Server) Origin() string { return s.origin }

// SetOrigin sets what Origin gives.
func (s *Server) SetOrigin(primary string) {
	if s.origin != primary {
		s.origin = primary
		s.noteHistory()
	}
}
