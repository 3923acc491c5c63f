package server

import (
	"time"

	"dozo/command"
)

// pauseState is CLIENT PAUSE. It is changed in exclusive mode only.
type pauseState struct {
	until  time.Duration // monotonic; 0 = not paused
	writes bool          // only commands that write
}

// mustPause tells whether a command has to wait for the end of CLIENT PAUSE.
// Workers read the state while none is alone, so it does not change under them.
func (s *Server) mustPause(cl *Client, cmd *command.Command) bool {
	if attention(s.attention.Load())&attnPaused == 0 {
		return false
	}
	if cl.has(monitoring) || s.clock.Monotonic() >= s.pause.until || cmd.Flags&command.Exclusive != 0 && cmd.FullName == "client|unpause" {
		return false
	}
	if !s.pause.writes {
		return true
	}
	return changes(cl.mayChange(cmd))
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
	return s.attends(attnPaused) && s.clock.Monotonic() < s.pause.until
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
		w.loop.WakeBy(w.srv.pause.until)
	case w.srv.attends(attnLoading) && w.srv.loadIsYoung():
		w.loop.WakeBy(w.srv.loadTold)
	default:
		w.releaseHeld()
	}
}

// startPause begins or prolongs a pause. Only in exclusive mode. A pause of all
// commands is not weakened to one of writes while it lasts, nor shortened.
func (s *Server) startPause(length time.Duration, writesOnly bool) {
	until := s.clock.Monotonic() + length
	running := s.pause.until > s.clock.Monotonic()
	if running {
		s.pause.writes = s.pause.writes && writesOnly
		s.pause.until = max(s.pause.until, until)
	} else {
		s.pause = pauseState{until: until, writes: writesOnly}
	}
	s.attend(attnPaused, true)
}

// endPause ends a pause. Only in exclusive mode.
func (s *Server) endPause() {
	s.pause.until = 0
	s.attend(attnPaused, false)
	for _, w := range s.workers {
		w.call((*worker).releaseHeld)
	}
}
