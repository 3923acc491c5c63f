package server

import (
	"errors"
	"fmt"

	"dozo/command"
	"dozo/keyspace"
	"dozo/resp"
)

// Replay executes commands that a file holds. fn is run by a loop, while no other
// executes, with the function that executes one command in a database; it must not take
// long, for others wait. Replay returns when fn has. It may be called by anyone but a
// loop, while the server is loading (SetLoading).
//
// The commands have been executed once: they are obeyed, whatever memory there is, and
// no key's time is over for them, since the removals are among them. Nobody is told of
// them. exec gives the error that the command was answered with, or one that wraps
// ErrNotReplayed.
func (s *Server) Replay(fn func(v *keyspace.View, exec func(db int, args [][]byte) error)) {
	done := make(chan struct{})
	s.workers[0].call(func(w *worker) {
		defer close(done)
		w.alone(func() { s.ReplayHere(w.view, fn) })
	})
	<-done
}

// ReplayHere is Replay by the loop that runs alone and has the view.
func (s *Server) ReplayHere(v *keyspace.View, fn func(v *keyspace.View, exec func(db int, args [][]byte) error)) {
	for _, w := range s.workers {
		if w.view == v {
			w.replayAll(fn)
		}
	}
}

// replayAll runs fn with the view as replayed commands see it, and everything else as it
// was before.
func (w *worker) replayAll(fn func(v *keyspace.View, exec func(db int, args [][]byte) error)) {
	now, ctx, out := w.view.Now, w.ctx, w.out
	w.out = resp.Writer{Proto: 2}
	w.view.Now, w.view.Timeless = w.srv.Time(), true
	w.ctx.Effects = command.Effects{}
	fn(w.view, w.replay)
	w.view.Now, w.view.Timeless = now, false
	w.ctx, w.out = ctx, out
}

// replay executes one command.
func (w *worker) replay(db int, args [][]byte) error {
	cmd := w.table.Lookup(args[0])
	if cmd != nil && cmd.IsContainer() && len(args) > 1 {
		cmd = cmd.Sub(args[1])
	}
	if cmd == nil || cmd.Handler == nil || !cmd.Accepts(len(args)) {
		return unknownReplayError(shown(args[0], shownOfCall))
	}
	ctx := &w.ctx
	ctx.Args, ctx.Cmd, ctx.DB, ctx.Doing = args, cmd, db, cmd.FullName
	ctx.NoTouch, ctx.NotifyMask, ctx.Set = false, 0, w.srv.settings.Load()
	ctx.Session = w.srv.replayer
	ctx.Effects.Reset()
	err := cmd.Handler(ctx)
	w.out.Buf = w.out.Buf[:0]
	return err
}

// ErrNotReplayed says that a file holds something that cannot be executed.
var ErrNotReplayed = errors.New("it cannot be executed again")

// unknownReplayError is a command of the log that there is not, or not with so many words.
type unknownReplayError string

func (e unknownReplayError) Error() string {
	return fmt.Sprintf("Unknown command '%s' reading the append only file, or with a wrong number of arguments: it cannot be executed again", string(e))
}

func (unknownReplayError) Unwrap() error { return ErrNotReplayed }

// newReplayer is the client that replayed commands come from, as far as handlers look.
func newReplayer(w *worker) *Client {
	return &Client{worker: w, proto: 2, user: "default"}
}

// SetLoading says that the data is being loaded: commands that need it are refused. Only
// alone, or before the start.
func (s *Server) SetLoading(on bool) {
	s.loadTold = s.clock.Monotonic() + loadGrace
	s.attend(attnLoading, on)
	if !on {
		for _, w := range s.workers {
			w.dirty = 0
			w.call((*worker).releaseHeld)
		}
	}
}
