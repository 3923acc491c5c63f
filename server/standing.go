package server

import (
	"strings"

	"dozo/config"
	"dozo/grouptime"
	"dozo/rdb"
	"dozo/replication"
)

// A history across a restart.
//
// A file says which moment of a history its data is. A replica that loads it asks its
// primary to go on from there; a primary goes on under a new name, with the file's as the
// former one that is valid up to there: replicas that were not ahead go on, those that were
// have writes that are lost here, and get a snapshot.

// Standing is which moment of which history the data is, nil if nobody could go on from it.
// Only alone, or when the server has ended.
func (s *Server) Standing() *rdb.ReplicationInfo {
	if !s.log.Active() || s.logUsers&LogReplicas == 0 || s.doubted || s.InTransaction() {
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

// ResumeHistory goes on where the data stands that was loaded, and tells whether it can.
// Only alone, before any client is served.
func (s *Server) ResumeHistory(r *rdb.ReplicationInfo) bool {
	if len(r.ID) != replication.IDLength || r.ID == strings.Repeat("0", replication.IDLength) || r.Offset < 0 || r.DB < 0 || r.DB >= s.ks.Databases() {
		return false
	}
	at := uint64(r.Offset)
	l, err := replication.ParseLineage(r.Lineage)
	if err != nil || l.ID() != r.ID || l.SecondOffset() > r.Offset+1 {
		l = replication.NewLineage(r.ID)
	}
	s.logUsers |= LogReplicas
	s.doubtIfWritable(s.cfg.Values())
	if s.Follows() {
		s.lineage, s.origin = l, r.Primary
		s.BeginHistory(at)
		s.log.AppendRaw(nil, r.DB) // what comes next may rely on it
		if r.Time != 0 {
			s.NewClock(r.Time)
		}
		return true
	}
	s.lineage = l.Shift(replication.NewID(s.env.NewRand()), at)
	s.BeginHistory(at)
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
func (s *Server) SetOrigin(primary string) { s.origin = primary }
