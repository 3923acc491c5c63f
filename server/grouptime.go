package server

import (
	"sync"
	"sync/atomic"

	"dozo/env"
	"dozo/grouptime"
)

// groupTime is the time that commands go by. It is read without a lock, once in a batch.
type groupTime struct {
	line  atomic.Pointer[grouptime.Line]
	mu    sync.Mutex // protects clock
	clock grouptime.Clock
}

func moment(c env.Clock) grouptime.Moment {
	return grouptime.Moment{Wall: c.Wall(), Mono: c.Monotonic()}
}

func (g *groupTime) init(c env.Clock) {
	g.clock = grouptime.New(moment(c))
	line := g.clock.Line()
	g.line.Store(&line)
}

// change calls fn, and has everybody go by what the clock says then.
func (g *groupTime) change(c env.Clock, fn func(clock *grouptime.Clock, now grouptime.Moment)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fn(&g.clock, moment(c))
	if line := g.clock.Line(); line != *g.line.Load() {
		g.line.Store(&line)
	}
}

// adjust looks at the wall clock.
func (g *groupTime) adjust(c env.Clock) {
	g.change(c, func(clock *grouptime.Clock, now grouptime.Moment) { clock.Adjust(now) })
}

// readTime reads the clock, and has the commands to come go by it. Inside the gate, as
// tellTime.
func (w *worker) readTime() {
	w.mono = w.watch.Read()
	w.tellTime()
}

// tellTime sets the time of the commands to come, by the worker's reading of the clock. It
// is called inside the gate: who runs alone sets it, too (tellAll).
func (w *worker) tellTime() { w.view.Now = w.srv.time.line.Load().Millis(w.mono) }

// AppendClock appends the stamp of this moment to dst: the command in a stream that tells
// replicas what time it is (grouptime). From then on time does not go back here. It may
// be called by anyone.
func (s *Server) AppendClock(dst []byte) []byte { return grouptime.AppendStamp(dst, s.stamp()) }

// stamp is what time it is, Unix milliseconds, for somebody who relies on it.
func (s *Server) stamp() (ms int64) {
	s.time.change(s.clock, func(clock *grouptime.Clock, now grouptime.Moment) { ms = clock.Stamp(now) })
	return ms
}

// HearClock takes what grouptime.ParseStamp has found in the stream of the primary. It may
// be called by anyone; the commands behind it in the stream come later.
func (s *Server) HearClock(ms int64) {
	s.time.change(s.clock, func(clock *grouptime.Clock, now grouptime.Moment) { clock.Hear(ms, now) })
}

// NewClock says that the data is another history's from now on: time may go back to what
// its primary has, ms, or with ms 0, if that is not known, to this machine's clock. Only
// alone, at the moment in which the data changes.
func (s *Server) NewClock(ms int64) {
	s.time.change(s.clock, func(clock *grouptime.Clock, now grouptime.Moment) {
		if clock.Anew(now); ms != 0 {
			clock.Hear(ms, now)
		}
	})
	s.tellAll()
}

// tellAll gives all workers the time. Only alone.
func (s *Server) tellAll() {
	mono := s.clock.Monotonic()
	for _, w := range s.workers {
		w.view.Now = s.time.line.Load().Millis(mono)
	}
}

// Time is the group's time, in Unix milliseconds.
func (s *Server) Time() int64 { return s.time.line.Load().Millis(s.clock.Monotonic()) }

// sparesMemory tells whether the limit of memory is not for this node to keep.
func (s *Server) sparesMemory() bool {
	return s.attends(attnFollows) && s.live.Load().replicaIgnoresMemory
}
