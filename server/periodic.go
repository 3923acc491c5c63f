package server

import (
	"fmt"
	"time"

	"dozo/command"
	"dozo/config"
	"dozo/text"
)

// samples are rates, taken each tick over the last second or so: what INFO
// calls instantaneous.
type samples struct {
	ops, in, out    rate
	replIn, replOut rate // of them, from the primary and to replicas
	rounds, micros  rate // of the loops: how many, and the time they took
}

// rateSlots is how many ticks a rate is averaged over.
const rateSlots = 16

// rate averages the growth of a counter over the last ticks.
type rate struct {
	last    int64
	at      time.Duration
	slots   [rateSlots]int64 // per second
	current int
}

func (r *rate) sample(count int64, now time.Duration) {
	if r.at != 0 && now > r.at {
		r.slots[r.current] = max(0, count-r.last) * int64(time.Second) / int64(now-r.at)
		r.current = (r.current + 1) % rateSlots
	}
	r.last, r.at = count, now
}

// perSecond is the average.
func (r *rate) perSecond() int64 {
	var sum int64
	for _, n := range r.slots {
		sum += n
	}
	return sum / rateSlots
}

// tick is the server's periodic work, done by the first worker inside the gate.
func (s *Server) tick(w *worker) {
	if s.attends(attnPaused) && s.pauseIsOver() {
		w.alone(s.endOverPauses)
	}
	w.alone(func() {
		s.sample()
		s.recheckLog()
		s.keepBacklog()
		s.replicas.tick()
		if f := s.opts.Following; f != nil {
			f.Tick()
		}
		if p := s.opts.Persistence; p != nil {
			p.Tick(w.view)
		}
	})
	s.watchDrift()
}

// sample takes rates, the memory peak and the time of shortage. Only in exclusive
// mode.
func (s *Server) sample() {
	t, now := s.totals(), s.clock.Monotonic()
	s.sampled.ops.sample(t.commands, now)
	received := s.receivedBytes.Load()
	s.sampled.in.sample(int64(t.loops.BytesIn)+received, now)
	s.sampled.replIn.sample(t.appliedBytes+received, now)
	s.sampled.replOut.sample(int64(t.loops.BytesFed), now)
	s.sampled.out.sample(int64(t.loops.BytesOut), now)
	s.sampled.rounds.sample(int64(t.loops.Rounds), now)
	s.sampled.micros.sample(int64(t.loopTime/time.Microsecond), now)
	s.shortage.note(s.ks.Over() > 0, now)
	s.notePeak(s.usedMemory())
}

// permitProtected refuses DEBUG, or what loads modules, to clients that the
// configuration does not allow it.
func (s *Server) permitProtected(cl *Client, cmd *command.Command) error {
	name, guard := "DEBUG", config.EnableDebugCommand
	if cmd.Parent != nil {
		name, guard = "MODULE", config.EnableModuleCommand
	}
	if s.cfg.Values().Allows(guard, cl.isLocal()) {
		return nil
	}
	return command.ReplyError(fmt.Sprintf("ERR %s command not allowed. If the %s option is set to \"local\", "+
		"you can run it from a local connection, otherwise you need to set this option in the configuration file, "+
		"and then restart the server.", name, guard.Name()))
}

// redactedConfig finds the values in CONFIG SET that must not be shown.
func redactedConfig(args [][]byte) (from, to int) {
	for i := 2; i+1 < len(args); i += 2 {
		if config.IsSensitive(string(args[i])) {
			return i + 1, len(args)
		}
	}
	return 0, 0
}

// lower is an argument folded to lower case, as a string.
func lower(b []byte) string { return string(text.AppendFold(nil, b)) }
