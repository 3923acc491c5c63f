package server

import (
	"math"
	"time"

	"dozo/config"
	"dozo/replication"
)

// The log as a history that others follow: who needs it, and how much of it is kept for
// replicas that come back.

// LogUser is somebody for whose sake the log is written.
type LogUser uint8

// The users of the log.
const (
	LogFile     LogUser = 1 << iota // the append only file
	LogReplicas                     // replicas, or those that may come back
)

// UseLog says that somebody needs the log, or needs it no more: without anybody nothing
// is written down. What is logged after a gap is another history, in which no replica
// of the former one could go on. Only alone, or before Start.
func (s *Server) UseLog(who LogUser, on bool) {
	if on {
		s.logUsers |= who
	} else {
		s.logUsers &^= who
	}
	switch active := s.log.Active(); {
	case s.logUsers != 0 && !active:
		s.renameHistory()
		s.BeginHistory(s.log.Offset())
	case s.logUsers == 0 && active:
		s.log.Deactivate()
		s.Record()
		s.renameHistory()
	}
	s.keepBacklog() // from now on, not from the next tick on: a link may be cut before
}

// renameHistory says that what is logged from now on continues nothing.
func (s *Server) renameHistory() {
	s.lineage, s.doubted = replication.NewLineage(replication.NewID(s.env.NewRand())), false
	s.doubtIfWritable(s.cfg.Values())
}

// backlog finds how much of the log is kept for replicas that come back.
//
// A replica that was away for less than repl-backlog-time is to go on where it was. So
// what is kept is what was written in the busiest second of late, for as many seconds and
// a quarter more, up to a twentieth of the memory; repl-backlog-size is the least. Rates
// of an hour ago are forgotten bit by bit: what was kept for the busy hour would else be
// dropped in the quiet that a failure brings.
//
// In the first second of a history nobody knows the rate, and it is then that replicas come
// back to a server that was restarted under load: all is kept, up to that share of the memory.
//
// A size other than the default is what somebody has set, and what is kept, no more and no
// less.
type backlog struct {
	offset uint64 // of the log when it was looked at last
	at     time.Duration
	peak   float64 // bytes a second
	known  bool    // a whole second of this history was seen
}

const (
	// backlogShare is the part of the memory that the backlog may take by itself.
	backlogShare = 20
	// backlogHalf is after how long a rate that does not come again counts half.
	backlogHalf = time.Hour
	// backlogLook is how often the rate is taken.
	backlogLook = time.Second
)

// observe takes the rate of writing.
func (b *backlog) observe(offset uint64, now time.Duration) {
	if offset < b.offset || b.at == 0 { // another history
		b.offset, b.at, b.known = offset, now, false
		return
	}
	passed := now - b.at
	if passed < backlogLook { // what is written in a second that has just begun counts at once
		b.peak = max(b.peak, float64(offset-b.offset)/backlogLook.Seconds())
		return
	}
	b.peak *= math.Exp2(-float64(passed) / float64(backlogHalf))
	b.peak = max(b.peak, float64(offset-b.offset)/passed.Seconds())
	b.offset, b.at, b.known = offset, now, true
}

// size is how many bytes are to be kept, going by the rate.
func (b *backlog) size(cfg *config.Config, memory int64) uint64 {
	return b.covering(b.peak, cfg, memory)
}

// keep is how many bytes are kept.
func (b *backlog) keep(cfg *config.Config, memory int64) uint64 {
	if b.known {
		return b.size(cfg, memory)
	}
	return b.covering(math.Inf(1), cfg, memory)
}

// covering is how many bytes are to be kept at a rate.
func (*backlog) covering(rate float64, cfg *config.Config, memory int64) uint64 {
	v := cfg.Values()
	least, seconds := v.Int(config.ReplBacklogSize), v.Int(config.ReplBacklogTime)
	if seconds == 0 || v.String(config.ReplBacklogSize) != cfg.Default(config.ReplBacklogSize) {
		return uint64(least)
	}
	return max(uint64(least), uint64(min(rate*float64(seconds)*1.25, float64(memory/backlogShare))))
}

// keepBacklog has as much of the log kept as is wanted now. Only alone.
func (s *Server) keepBacklog() {
	s.backlog.observe(s.log.Offset(), s.clock.Monotonic())
	size := uint64(0)
	if s.logUsers&LogReplicas != 0 {
		size = s.backlog.keep(s.cfg, s.memoryLimit())
	}
	if size != s.kept {
		s.kept = size
		s.log.SetRetain(size)
	}
}

// backlogSize is how many bytes of the log are kept for replicas, if there are any, once the
// rate is known.
func (s *Server) backlogSize() uint64 { return s.backlog.size(s.cfg, s.memoryLimit()) }
