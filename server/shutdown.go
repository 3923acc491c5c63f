package server

import (
	"net"
	"strconv"
	"time"

	"dozo/command"
	"dozo/config"
	"dozo/keyspace"
	"dozo/replication"
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
	s := serverOf(c)
	if abort {
		return s.abortShutdown(c)
	}
	s.logf(Notice, "User requested shutdown...")
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

// How far a shutdown has come.
const (
	notEnding int32 = iota
	endAsked
	endAborted // it is to be taken back
	endDecided // nothing keeps the server from its end
)

// RequestShutdown asks the owner to end the server, unless somebody has already. It may
// be called by anyone.
func (s *Server) RequestShutdown(m ShutdownMode) {
	if s.opts.OnShutdown != nil && s.ending.CompareAndSwap(notEnding, endAsked) {
		go s.shutDown(m)
	}
}

// shutDown does what was asked for. That waits for DEBUG PAUSE-CRON: tests want a
// shutdown that can be aborted.
func (s *Server) shutDown(m ShutdownMode) {
	for s.debug.pauseCron.Load() && s.ending.Load() == endAsked {
		Sleep(pausePoll)
	}
	if s.ending.Load() == endAborted {
		s.Alone(func(*keyspace.View) { s.takeBackEnd() })
		return
	}
	s.WarnOfDrift()
	s.opts.OnShutdown(m)
}

const pausePoll = time.Millisecond

// abortShutdown is SHUTDOWN ABORT. It ends a save that runs.
func (s *Server) abortShutdown(c *command.Context) error {
	if !s.ending.CompareAndSwap(endAsked, endAborted) {
		return command.ReplyError("ERR No shutdown in progress.")
	}
	s.logf(Notice, "Shutdown manually aborted.")
	if p := s.opts.Persistence; p != nil {
		p.AbortShutdown()
	}
	c.Out.OK()
	return nil
}

// Ending tells whether a shutdown was asked for and not taken back.
func (s *Server) Ending() bool { return s.ending.Load() != notEnding }

// EndAborted tells whether a shutdown is to be taken back.
func (s *Server) EndAborted() bool { return s.ending.Load() == endAborted }

// DecideEnd tells whether the shutdown was not aborted: then it is too late for that.
func (s *Server) DecideEnd() bool { return s.ending.CompareAndSwap(endAsked, endDecided) }

// HoldWrites has everything wait that would change the data, so that it can be saved as
// it stays. It returns when that is so.
func (s *Server) HoldWrites() {
	done := make(chan struct{})
	s.Alone(func(*keyspace.View) {
		s.startPause(pauseShutdown, pauseForever, true)
		s.holdUpstream()
		close(done)
	})
	<-done
}

// holdUpstream has what the primary sends wait, too: replicas of this server would not get all
// of it before it ends, and could not go on when it is back. Only alone.
func (s *Server) holdUpstream() {
	if up := s.upstream; up != nil && up.client.conn != nil && !up.client.freed {
		up.client.worker.hold(up.client)
	}
}

// AwaitReplicas gives replicas the time to get what was written last (shutdown-timeout): then
// nothing is lost with this server, and they can go on where they are when it comes back.
// Writes are held. It returns early when the shutdown is aborted.
func (s *Server) AwaitReplicas(m ShutdownMode) {
	patience := time.Duration(s.cfg.Int(config.ShutdownTimeout)) * time.Second
	if behind, _ := s.behind(s.log.Offset()); m.Now || patience == 0 || len(behind) == 0 {
		return
	}
	s.logf(Notice, "Waiting for replicas before shutting down.")
	asked := make(chan uint64, 1)
	s.Alone(func(*keyspace.View) {
		s.workers[0].askReplicas()
		asked <- s.log.Offset()
	})
	target := <-asked
	behind, all := s.behind(target)
	until := s.clock.Monotonic() + patience
	s.endWaits.Store(int64(until))
	defer s.endWaits.Store(0)
	for len(behind) > 0 && s.clock.Monotonic() < until && !s.EndAborted() {
		Sleep(replicaPoll)
		behind, all = s.behind(target)
	}
	if s.EndAborted() {
		return
	}
	for _, r := range behind {
		s.logf(Notice, "Lagging replica %s reported offset %d behind master, lag=%d, state=%s.",
			net.JoinHostPort(r.IP, strconv.Itoa(r.Port)), target-min(target, r.Ack), int(r.Lag.Seconds()), r.State)
	}
	s.logf(Notice, "%d of %d replicas are in sync when shutting down.", all-len(behind), all)
}

// behind are the replicas that have not acknowledged an offset, and how many there are in
// all. One that still gets a snapshot could not go on in any case.
func (s *Server) behind(offset uint64) (list []replication.ReplicaStatus, all int) {
	for _, r := range s.replicas.status() {
		if r.Online {
			if all++; r.Ack < offset {
				list = append(list, r)
			}
		}
	}
	return list, all
}

// replicaPoll is how often it is looked at what replicas have.
const replicaPoll = 2 * time.Millisecond

// StayAlive takes a shutdown back that cannot be finished: whoever asked for it is told,
// and the server serves on.
func (s *Server) StayAlive() {
	s.Alone(func(*keyspace.View) {
		s.endPause(pauseShutdown)
		s.takeBackEnd()
	})
}

// takeBackEnd tells those who have asked for the end that it does not come. Only alone.
func (s *Server) takeBackEnd() {
	for _, finish := range s.enders {
		finish(func(*resp.Writer) error { return errNotEnding })
	}
	s.enders = nil
	s.ending.Store(notEnding)
}

const errNotEnding command.ReplyError = "ERR Errors trying to SHUTDOWN. Check logs."
