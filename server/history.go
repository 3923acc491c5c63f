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
	s.noteHistory()
}

// noteHistory has the append only file say which history the log is of. Only alone.
func (s *Server) noteHistory() {
	if p := s.opts.Persistence; p != nil {
		p.NoteHistory()
	}
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
// A size that somebody has set (config.Given) is what is kept, no more and no less.
type backlog struct {
	offset uint64 // of the log when it was looked at last
	at     time.Duration
	peak   float64 // bytes a second
	known  bool    // a whole second of this history was seen

	restored uint64        // what was found in a file at the start is kept, too,
	until    time.Duration // as long as replicas may need it that were cut off by the end of the last run
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
	return covering(b.peak, cfg, memory)
}

// keep is how many bytes are kept.
func (b *backlog) keep(cfg *config.Config, memory int64) uint64 {
	if b.known {
		return b.size(cfg, memory)
	}
	return covering(math.Inf(1), cfg, memory)
}

// covering is how many bytes are to be kept at a rate.
func covering(rate float64, cfg *config.Config, memory int64) uint64 {
	v := cfg.Values()
	least, seconds := v.Int(config.ReplBacklogSize), v.Int(config.ReplBacklogTime)
	if seconds == 0 || cfg.Given(config.ReplBacklogSize) {
		return uint64(least)
	}
	return max(uint64(least), uint64(min(rate*float64(seconds)*1.25, float64(memory/backlogShare))))
}

// keepBacklog has as much of the log kept as is wanted now. Only alone.
func (s *Server) keepBacklog() {
	s.backlog.observe(s.log.Offset(), s.clock.Monotonic())
	size := uint64(0)
	if s.logUsers&LogReplicas != 0 {
		if size = s.backlog.keep(s.cfg, s.memoryLimit()); s.clock.Monotonic() < s.backlog.until {
			size = max(size, s.backlog.restored)
		}
	}
	if size != s.kept {
		s.kept = size
		s.log.SetRetain(size)
	}
}

// restoredMax is how much of the log is had back from a file at most: it takes some time.
const restoredMax = 64 << 20

// TailWanted is how much of the log is worth having back from a file at the start: what is
// kept of it in any case, and if nobody has set that, what replicas may need that were cut off
// while much was written. It may be called by anyone: the rate, which loops take, is not known
// yet.
func (s *Server) TailWanted() uint64 {
	least := uint64(s.cfg.Int(config.ReplBacklogSize))
	return min(covering(math.Inf(1), s.cfg, s.memoryLimit()), max(least, restoredMax))
}

// restore begins the log with what a file had of it, and has it kept for a while. Only alone.
func (s *Server) restore(t *LogTail, at uint64) {
	s.BeginHistory(t.From)
	s.log.AppendRaw(nil, t.DB)
	for _, p := range t.Pieces {
		s.log.AppendRaw(p.Bytes, p.DB)
	}
	s.backlog.at = 0 // it was not written at a rate
	s.backlog.restored = at - t.From
	s.backlog.until = s.clock.Monotonic() + max(restoredFor, time.Duration(s.cfg.Values().Int(config.ReplBacklogTime))*time.Second)
	s.keepBacklog()
}

// restoredFor is how long that is at least.
const restoredFor = time.Minute

// backlogSize is how many bytes of the log are kept for replicas, if there are any, once the
// rate is known.
func (s *Server) backlogSize() uint64 { return s.backlog.size(s.cfg, s.memoryLimit()) }

// Proof is what there is to say of the end of the log (replication/proof.go). Only alone.
func (s *Server) Proof() string { return replication.Prove(s.log.Offset(), s.sumLog) }

// LogKept is the oldest offset from which the log is kept. Only alone.
func (s *Server) LogKept() uint64 { return s.log.First() }

// sumLog is the sum of what the log has between two offsets, false if that is not kept.
func (s *Server) sumLog(from, to uint64) (sum uint64, ok bool) {
	r, err := s.log.NewReader(from, nil)
	if err != nil {
		return 0, false
	}
	defer r.Close()
	for r.Pos() < to {
		p, err := r.Peek()
		if err != nil || len(p) == 0 {
			return 0, false
		}
		p = p[:min(uint64(len(p)), to-r.Pos())]
		sum = replication.Sum(sum, p)
		r.Advance(len(p))
	}
	return sum, true
}
