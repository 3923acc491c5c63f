package server

import (
	"dozo/command"
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
	cl := clientOf(c)
	if abort {
		return command.ReplyError("ERR No shutdown in progress.")
	}
	w := cl.worker
	w.srv.logf(Warning, "User requested shutdown...")
	w.block(cl, 0, func(out *resp.Writer) { out.Error("ERR Errors trying to SHUTDOWN. Check logs.") })
	w.srv.requestShutdown(m)
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

// requestShutdown tells the owner, once, that the server is to end.
func (s *Server) requestShutdown(m ShutdownMode) {
	s.shutdownOnce.Do(func() {
		s.attend(attnShutdown, true)
		if s.opts.OnShutdown != nil {
			go func() {
				s.WarnOfDrift()
				s.opts.OnShutdown(m)
			}()
		}
	})
}
