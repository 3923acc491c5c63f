package server

import (
	"time"

	"dozo/command"
	"dozo/config"
	"dozo/oplog"
)

// A bound for what the disk has not kept yet.
//
// The log is kept in memory from what is durable on. While a disk hangs in an fsync, with
// appendfsync everysec, writes are answered, and the log would grow until memory is used
// up. So when what is kept passes a bound, commands that write wait, like in CLIENT PAUSE,
// and reads go on; when the disk has caught up with half of it, all goes on by itself.
// (Redis, whose memory is bounded by write(2) having everybody wait, does not even read
// then.) The bound is an eighth of maxmemory, or of the machine's memory without one, but
// within logBoundMin and logBoundMax.
//
// LIMITATIONS: it is looked at once a round, so that what one round writes comes on top.
// What the server removes by itself (expiry, eviction) is logged all the same: it frees more
// than it takes. While an append only file is being turned off, or BGREWRITEAOF writes one
// with appendonly no, nothing waits, and a disk that hangs then bounds nothing.

const (
	logBoundMin = 64 << 20
	logBoundMax = 1 << 30
)

// logHold is the state of that. It changes alone.
type logHold struct {
	kept  *oplog.Gate // what the file does not need from memory any more; nil = there is none
	since time.Duration
	times int64
}

// BoundLog has writes wait when too much of the log is not kept by the disk, which has what
// kept says; nil = no more. Only alone, or before Start.
func (s *Server) BoundLog(kept *oplog.Gate) {
	s.logHold.kept = kept
	s.boundLog(s.cfg.Values())
}

// boundLog finds the bound.
func (s *Server) boundLog(v *config.Values) {
	most := int64(0)
	if s.logHold.kept != nil {
		if most = v.Int(config.MaxMemory); most == 0 {
			most = systemMemory()
		}
		most = min(max(most/8, logBoundMin), logBoundMax)
	}
	s.logMax.Store(most)
}

// checkLog has writes wait if the log is too long. It ends a round, inside the gate.
func (w *worker) checkLog() {
	s := w.srv
	if !s.logIsLong() {
		return
	}
	w.alone(func() {
		if !s.logIsLong() {
			return
		}
		s.logHold.since = s.clock.Monotonic()
		s.logHold.times++
		s.attend(attnLogFull, true)
		s.logf(Warning, "The disk does not keep up: %d MiB of what was written wait in memory to be on it, which is all that may. "+
			"Commands that write wait until it has caught up; what only reads goes on. (The bound follows maxmemory.)", s.unkept()>>20)
	})
}

// mayBeLong tells, outside the gate, whether the log may be too long.
func (s *Server) mayBeLong() bool {
	most := s.logMax.Load()
	return most != 0 && s.log.Extra() > most
}

// logIsLong tells whether it is, and writes do not wait yet. Inside the gate.
func (s *Server) logIsLong() bool {
	return s.mayBeLong() && s.unkept() > s.logMax.Load() && !s.attends(attnLogFull)
}

// unkept is how many bytes of memory the log takes for the sake of the disk. Others may
// keep it from being shorter, too. Inside the gate.
func (s *Server) unkept() int64 {
	if s.logHold.kept == nil {
		return 0
	}
	return min(s.log.Extra(), int64(s.log.Offset()-min(s.log.Offset(), s.logHold.kept.Passed())))
}

// recheckLog lets writes go on when the disk has caught up. Only alone, some times a second.
func (s *Server) recheckLog() {
	if most := s.logMax.Load(); !s.attends(attnLogFull) || most != 0 && s.unkept() > most/2 {
		return
	}
	s.attend(attnLogFull, false)
	s.logf(Notice, "The disk has caught up: commands that write go on after %.1f s", (s.clock.Monotonic() - s.logHold.since).Seconds())
	for _, w := range s.workers {
		w.call((*worker).releaseHeld)
	}
}

// awaitsDisk tells whether a command has to wait until the disk has caught up.
func (s *Server) awaitsDisk(cl *Client, cmd *command.Command) bool {
	return s.attends(attnLogFull) && changes(cl.mayChange(cmd))
}
