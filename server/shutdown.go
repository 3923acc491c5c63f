package server

import (
	"time"

	"dozo/command"
	"dozo/keyspace"
	"dozo/resp"
)

// ShutdownMode is how a server is asked to end.
type ShutdownMode struct {
	Save, NoSave bool // whatever the configuration says
	Now          bool // without waiting for replicas
	Force        bool // even if saving fails
}

// shutdown ends the server. A success has no reply: the connection just ends.
func shutdown(c *command.Context) error {
	m, abort, err := parseShutdown(c.Args[1:])
	if err != nil {
		return err
	}
	if abort {
		return command.ReplyError("ERR No shutdown in progress.")
	}
	s := serverOf(c)
	s.logf(Warning, "User requested shutdown...")
	s.enders = append(s.enders, c.Blocker.Postpone())
	s.RequestShutdown(m)
	return nil
}

func parseShutdown(args [][]byte) (m ShutdownMode, abort bool, err error) {
	for _, a := range args {
		switch lower(a) {
		case "nosave":
			m.NoSave = true
		case "save":
			m.Save = true
		case "now":
			m.Now = true
		case "force":
			m.Force = true
		case "abort":
			abort = true
		default:
			return m, false, command.ErrSyntax
		}
	}
	if abort && m != (ShutdownMode{}) || m.Save && m.NoSave {
		return m, false, command.ErrSyntax
	}
	return m, abort, nil
}

// RequestShutdown asks the owner to end the server, unless somebody has already. It may
// be called by anyone.
func (s *Server) RequestShutdown(m ShutdownMode) {
	if s.ending.CompareAndSwap(false, true) && s.opts.OnShutdown != nil {
		go func() {
			s.WarnOfDrift()
			s.opts.OnShutdown(m)
		}()
	}
}

// Ending tells whether a shutdown was asked for and not taken back.
func (s *Server) Ending() bool { return s.ending.Load() }

// HoldWrites has everything wait that would change the data, so that it can be saved as
// it stays. It returns when that is so.
func (s *Server) HoldWrites() {
	done := make(chan struct{})
	s.Alone(func(*keyspace.View) {
		s.beforeEnd = s.pause
		s.startPause(time.Duration(pauseMaxMillis)*time.Millisecond, true)
		close(done)
	})
	<-done
}

// StayAlive takes a shutdown back that cannot be finished: whoever asked for it is told,
// and the server serves on.
func (s *Server) StayAlive() {
	s.Alone(func(*keyspace.View) {
		if s.pause = s.beforeEnd; s.pause.until == 0 {
			s.endPause()
		}
		for _, finish := range s.enders {
			finish(func(*resp.Writer) error { return errNotEnding })
		}
		s.enders = nil
		s.ending.Store(false)
	})
}

const errNotEnding command.ReplyError = "ERR Errors trying to SHUTDOWN. Check logs."
