package server

import (
	"time"

	"golang.org/x/sys/unix"

	"dozo/command"
	"dozo/config"
	"dozo/text"
)

// When a replica does not obey its primary at once, or ends rather than obey: while clients
// are paused (CLIENT PAUSE), when what it obeys cannot be kept (replica-ignore-disk-write-errors),
// and when it cannot do what the primary has done (propagation-error-behavior).

// obeyedNoteEvery is how often the log says that the disk does not keep what is obeyed.
const obeyedNoteEvery = 10 * time.Second

// mustHold tells whether the stream waits at a command for the end of a pause: it stays unread
// then, so that the log, and with it what the primary is told, stands still.
func (w *worker) mustHold(cl *Client, args [][]byte) bool {
	if cl.has(held) {
		return true
	}
	if !w.srv.attends(attnPaused) {
		return false
	}
	cmd := w.table.Called(args)
	if cmd == nil || !w.srv.mustPause(cl, cmd) {
		return false
	}
	w.hold(cl)
	return true
}

// stayUnread leaves what is held to be read again. More commands may have been parsed, or
// begun with.
func (w *worker) stayUnread(cl *Client, unread int) {
	cl.parser.Reset()
	if unread > heldInputMax {
		cl.conn.PauseRead() // until it is released
	}
}

// hearHeld is for a stream that is held, and of which so much was read ahead that no more
// is: that nothing of the primary is heard says nothing then.
func (w *worker) hearHeld() {
	for _, cl := range w.heldClients {
		if cl.has(fromPrimary) && !cl.freed && cl.conn.QueryBuffered() > heldInputMax {
			w.srv.appliedAt.Store(int64(w.mono))
		}
	}
}

// unapplied is how many bytes have come from the primary that are not in the log yet. Only
// in exclusive mode.
func (s *Server) unapplied() int64 {
	up := s.upstream
	if up == nil || up.client.conn == nil || up.client.freed {
		return 0
	}
	return int64(len(up.raw) + up.unread)
}

// mayObey tells whether a command of the stream may be executed although the disk does not
// keep it. Else the process ends: a replica that is behind its own disk would come back
// with less than it has acknowledged.
func (w *worker) mayObey(cl *Client, cmd *command.Command) bool {
	if !w.srv.attends(attnMisconf) || cl.mayChange(cmd)&command.Write == 0 {
		return true
	}
	why := string(*w.srv.refusal.Load())
	if !w.srv.cfg.Bool(config.ReplicaIgnoreDiskWriteErrors) {
		w.srv.giveUp("Replica was unable to write command to disk (replica-ignore-disk-write-errors is no): %s", why)
		return false
	}
	if last := w.srv.obeyedNote.Load(); last == 0 || w.mono-time.Duration(last) >= obeyedNoteEvery {
		w.srv.obeyedNote.Store(int64(w.mono))
		w.srv.logf(Warning, "Replica is applying a command even though it is unable to write to disk: %s", why)
	}
	return true
}

// complaintsMax is how many commands of a stream that were not executed are logged in a
// second: a primary with what this server does not have sends them by the thousand.
const complaintsMax = 10

// complainUpstream logs that a command of the stream was not executed: from here on the
// data may differ from the primary's. Who does not want that has the process end.
func (w *worker) complainUpstream(args [][]byte, why string) {
	s, name := w.srv, shown(args[0], shownOfCall)
	s.applyErrors.Add(1)
	if more, ok := w.mayComplain(); ok {
		s.logf(Warning, "== CRITICAL == This replica is sending an error to its master: '%s' after processing the command '%s'. "+
			"The data here may differ from the primary's from now on.%s", text.Shorten(why), name, more)
	}
	if s.cfg.Int(config.PropagationErrorBehavior) != config.PropagationIgnore && s.cfg.Bool(config.ReplicaReadOnly) {
		s.giveUp("This replica panicked sending an error to its master after processing the command '%s' (see propagation-error-behavior)", name)
	}
}

// mayComplain tells whether one more complaint is logged in this second, and with what more.
func (w *worker) mayComplain() (more string, ok bool) {
	up := w.current.upstream
	if w.mono-up.complained >= time.Second {
		up.complained, up.complaints = w.mono, 0
	}
	if up.complaints++; up.complaints == complaintsMax {
		more = " More of them within this second are not logged, but counted (unexpected_error_replies in INFO)."
	}
	return more, up.complaints <= complaintsMax
}

// giveUp ends the process at once, as an operator has asked for it.
func (s *Server) giveUp(format string, args ...any) {
	s.logf(Warning, format+". The process ends.", args...)
	if exit := s.opts.Exit; exit != nil {
		exit(crashStatus)
		return
	}
	unix.Exit(crashStatus)
}
