package server

import (
	"dozo/command"
	"dozo/grouptime"
)

// A node that follows a primary obeys its stream (replay.go) and lets clients read. What
// is over is hidden from them and stays until the primary removes it (keyspace/follow.go),
// by the primary's time (package grouptime). It records nothing of its own: its log is
// the primary's, byte by byte.
//
// LIMITATIONS: what clients write to such a node (replica-read-only no) is not in the
// append only file until that is rewritten, since that is made of the log. A primary's
// snapshot replaces it, as in Redis.

var errReadOnly error = command.ReplyError("READONLY You can't write against a read only replica.")

// Follow says whether the node follows a primary. It is called alone, or before Start.
//
// From then on clients cannot write (unless replica-read-only is no), nothing expires or is
// evicted here, and nothing is recorded: the log is for whoever reads the primary's stream
// to append to. Clients in blocking commands are told to ask elsewhere. When it ends, time
// goes on as it was, and what is over is removed at once.
func (s *Server) Follow(on bool) {
	if on == s.Follows() {
		return
	}
	s.attend(attnFollows, on)
	s.judgeStale(s.cfg.Values())
	s.judgeReplicas()
	if s.opts.RoleChanged != nil {
		s.opts.RoleChanged(on)
	}
	s.time.change(s.clock, func(clock *grouptime.Clock, now grouptime.Moment) {
		if on {
			clock.Follow(now)
		} else {
			clock.Lead(now)
		}
	})
	s.tellAll()
	for _, w := range s.workers {
		w.view.SetFollows(on)
	}
	s.Record()
	s.doubtIfWritable(s.cfg.Values())
	if on {
		s.disownAll()
	} else {
		s.expireSoon()
	}
}

// Follows tells whether the node follows a primary.
func (s *Server) Follows() bool { return s.attends(attnFollows) }

// records tells whether what commands do is appended to the log.
func (s *Server) records() bool { return s.log.Active() && !s.attends(attnFollows) }

// refusesWrites tells whether clients may only read.
func (s *Server) refusesWrites() bool {
	return s.attends(attnFollows) && s.live.Load().replicaReadOnly
}

// expireSoon has all loops look for what is over, at the end of their rounds.
func (s *Server) expireSoon() {
	for _, w := range s.workers {
		w.call(func(own *worker) { own.expirePending = true })
	}
}

// disownAll ends all clients that are in blocking commands: what they wait for would be
// taken from under the primary. Only alone.
func (s *Server) disownAll() {
	for _, w := range s.workers {
		for _, cl := range w.clients {
			if cl.has(blocked) && cl.block.claim() {
				cl.worker.call(func(w *worker) { w.disown(cl) })
			}
		}
	}
}

// disown ends a wait that was claimed, and the connection: its client believes to talk to
// a primary.
func (w *worker) disown(cl *Client) {
	if cl.freed {
		return
	}
	w.unblockAs(cl, "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)")
	cl.closeSoon()
}
