package server

import (
	"time"

	"dozo/command"
)

// pauseReason is on whose behalf clients wait. Each has its own end, and none ends the
// pause of another.
type pauseReason uint8

const (
	pauseClient   pauseReason = iota // CLIENT PAUSE
	pauseShutdown                    // the data is being saved for the last time
	pauseFailover                    // a replica is to have everything
	pauseReasons
)

// pauseState is the pause for one reason. It is changed in exclusive mode only.
type pauseState struct {
	until  time.Duration // monotonic; 0 = not paused
	writes bool          // only commands that write
}

// pauseForever is longer than any pause.
const pauseForever = time.Duration(pauseMaxMillis) * time.Millisecond

// mustPause tells whether a command has to wait for the end of a pause. Replicas do not:
// what they acknowledge is what a failover waits for.
// Workers read the state while none is alone, so it does not change under them.
func (s *Server) mustPause(cl *Client, cmd *command.Command) bool {
	if attention(s.attention.Load())&attnPaused == 0 {
		return false
	}
	if cl.flags&(monitoring|isReplica) != 0 || cmd.Flags&command.Exclusive != 0 && cmd.FullName == "client|unpause" {
		return false
	}
	now, writes := s.clock.Monotonic(), changes(cl.mayChange(cmd))
	for _, p := range s.pauses {
		if now < p.until && (writes || !p.writes) {
			return true
		}
	}
	return false
}

// loadGrace is how long clients wait for a load before they are told of it. Redis serves
// nobody before it has read some megabytes, so of little data it never answers LOADING, and
// few programs expect that right after a start.
const loadGrace = 100 * time.Millisecond

// mustAwaitLoad tells whether a command has to wait for the end of a load that has just
// begun. The state is changed as that of a pause is.
func (s *Server) mustAwaitLoad(cmd *command.Command) bool {
	return s.attends(attnLoading) && !allowedLoading(cmd) && s.loadIsYoung()
}

func (s *Server) loadIsYoung() bool { return s.clock.Monotonic() < s.loadTold }

// mayChange are the flags of a command that tell of changes to the data: EXEC has those
// of what is queued.
func (cl *Client) mayChange(cmd *command.Command) command.Flags {
	if cmd.FullName == "exec" {
		return cmd.Flags | cl.tx.flags
	}
	return cmd.Flags
}

// pausing tells whether nothing may be changed by the server itself either: keys
// are not evicted, nor removed when their time is over.
func (s *Server) pausing() bool {
	return s.attends(attnPaused) && s.clock.Monotonic() < s.pausedUntil()
}

// pausedUntil is the end of the last pause.
func (s *Server) pausedUntil() (end time.Duration) {
	for _, p := range s.pauses {
		end = max(end, p.until)
	}
	return end
}

// hold keeps a client's input unread until the pause, or what else it waits for, ends. Reading goes on up to
// a limit (see unread), so that a client that leaves meanwhile is noticed, and
// what it had sent is not executed.
func (w *worker) hold(cl *Client) {
	cl.set(held, true)
	w.heldClients = append(w.heldClients, cl)
}

// holding is how many clients wait for the end of a pause.
func (w *worker) holding() (n int) {
	for _, cl := range w.heldClients {
		if !cl.freed {
			n++
		}
	}
	return n
}

// releaseHeld lets the clients of this worker go on.
func (w *worker) releaseHeld() {
	for i, cl := range w.heldClients {
		w.heldClients[i] = nil
		if cl.freed {
			continue
		}
		cl.set(held, false)
		cl.conn.ResumeRead()
		cl.conn.Kick()
	}
	w.heldClients = w.heldClients[:0]
}

// wakeFromPause lets this worker's clients go on when a pause has just ended, and
// else has the loop wake for its end. Inside the gate.
func (w *worker) wakeFromPause() {
	switch {
	case len(w.heldClients) == 0 || !w.srv.attends(attnPaused|attnLoading):
	case w.srv.pausing():
		w.loop.WakeBy(w.srv.pausedUntil())
	case w.srv.attends(attnLoading) && w.srv.loadIsYoung():
		w.loop.WakeBy(w.srv.loadTold)
	default:
		w.releaseHeld()
	}
}

// startPause begins or prolongs a pause. Only in exclusive mode. A pause of all
// commands is not weakened to one of writes while it lasts, nor shortened.
func (s *Server) startPause(why pauseReason, length time.Duration, writesOnly bool) {
	now, p := s.clock.Monotonic(), &s.pauses[why]
	if p.until > now {
		p.writes = p.writes && writesOnly
		p.until = max(p.until, now+length)
	} else {
		*p = pauseState{until: now + length, writes: writesOnly}
	}
	s.attend(attnPaused, true)
}

// endPause ends a pause. Only in exclusive mode. Clients who must wait for another reason
// all the same find that out when they are read again.
func (s *Server) endPause(why pauseReason) {
	s.pauses[why].until = 0
	s.attend(attnPaused, s.pausedUntil() != 0)
	for _, w := range s.workers {
		w.call((*worker).releaseHeld)
	}
}

// pauseIsOver tells whether the time of a pause is over that nobody has ended.
func (s *Server) pauseIsOver() bool {
	now := s.clock.Monotonic()
	for _, p := range s.pauses {
		if p.until != 0 && p.until <= now {
			return true
		}
	}
	return false
}

// endOverPauses ends the pauses whose time is over. Only in exclusive mode.
func (s *Server) endOverPauses() {
	now := s.clock.Monotonic()
	for why, p := range s.pauses {
		if p.until != 0 && p.until <= now {
			s.endPause(pauseReason(why))
		}
	}
}
