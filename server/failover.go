package server

import (
	"slices"
	"strings"
	"time"

	"dozo/command"
	"dozo/keyspace"
	"dozo/oplog"
	"dozo/replication"
)

// Handing a primary's duty over to a replica (FAILOVER).
//
// What is to be done when is decided by a replication.Failover; this file has it done, and
// package follower is the link over which the replica is asked. The steps:
//
//  1. Writes wait, and so does all else that would be appended to the log: keys whose time
//     is over stay, hidden, nothing is evicted, replicas get no PING. They are asked once how
//     far they are (GETACK), since a genuine Redis says so only each second.
//  2. A replica has acknowledged the last byte of the log. In that very step, alone, this
//     server becomes its replica: whatever was still about to be appended, no matter by
//     whom, cannot be any more, so that the pause is for progress and not for safety.
//     Clients in blocking commands are told UNBLOCKED.
//  3. The replica is asked by PSYNC FAILOVER to take over. It becomes a primary and goes on
//     under a new name of the history, of which our position is a part: CONTINUE.
//  4. Clients that waited go on, and learn by READONLY that this is a replica.
//
// Until 3 this can be taken back at any moment, and is as soon as it cannot succeed: when
// the time is over, when the replica is gone or cannot be reached, when it refuses.
//
// From 3 on it depends on who knows what. When the request has left and no answer has come,
// the connection being cut or the replica standing still, it may be a primary that takes
// writes by now. Were this server to become a primary again, there would be two of one
// history, both with writes that the other lacks, and one side's would be lost. (Redis does
// that: it asks again, is refused by who is a primary already, and takes the refusal for a
// failure.) So as long as that is open, nothing is taken back:
//
//   - the replica is asked again, without end; one that has taken over says that it is a
//     primary, and is then followed as one;
//   - clients that waited are told READONLY, and may look for who takes writes;
//   - FAILOVER ABORT is refused. Who knows that the replica is no primary, because it is
//     dead and was not replaced, says REPLICAOF NO ONE, which is otherwise refused during
//     a failover: it is a person's decision.
//
// Whether the request has left is one word (follower, Manager.asked) that changes from "may
// be asked" either to "asked", by who is about to send it, or to "withdrawn", by who takes
// back; so it cannot be sent after that. A refusal that answers the first request is
// certain, and makes room for taking back.
//
// When this process ends half way, what it follows is lost with it: like every server it
// starts as its configuration says. What it has acknowledged is on the replica by step 2. If
// the request was under way in the network then, it may arrive when the replica follows the
// process that was started anew: that has another name for its history, and so has who says
// REPLICAOF NO ONE, so that the replica refuses. If the replica has taken over, who was
// started anew is another primary until it is told to follow; by the names what it has written
// is told from what the other has, and it is kept (package rescue).
//
// LIMITATIONS: FORCE gives up what the replica has not got when the time is over, as its
// name says.

// errInDoubt is the answer to FAILOVER ABORT then.
const errInDoubt command.ReplyError = "ERR The replica was asked to take over and has not answered yet: it may be a primary that takes writes. " +
	"It is asked again until it answers. If it is known not to be a primary, REPLICAOF NO ONE makes this server one again."

const errNoLink command.ReplyError = "ERR FAILOVER is not possible: this server cannot be a replica"

// FailingOver tells whether this server hands over. Inside the gate.
func (s *Server) FailingOver() bool { return s.replicas.handing.State() != replication.FailoverNone }

// failover is FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT ms].
func failover(c *command.Context) error {
	s := serverOf(c)
	args := asStrings(c.Args[1:])
	switch abort := len(args) == 1 && strings.EqualFold(args[0], "abort"); {
	case s.opts.Following == nil:
		return errNoLink
	case abort && s.replicas.handing.State() == replication.FailoverUnderWay && !s.opts.Following.Withdraw():
		return errInDoubt
	}
	err := s.handOver(c, func(f *replication.Failover, p *replication.Primary, v replication.View, now time.Duration) []replication.Order {
		return f.Command(clientOf(c).ID, args, p, v, now)
	})
	s.Alone(func(*keyspace.View) { s.stepFailover() }) // not here: it may be within a transaction
	return err
}

// stepFailover looks how far replicas are. Only alone, and not within a transaction: what
// that has done is not in the log yet.
func (s *Server) stepFailover() {
	if s.replicas.handing.State() == replication.FailoverWaits {
		_ = s.handOver(nil, (*replication.Failover).Tick) // it answers nobody
	}
}

// HandedOver says what became of Following.HandOver, "" = it succeeded. Only alone.
func (s *Server) HandedOver(why string) {
	_ = s.handOver(nil, func(f *replication.Failover, _ *replication.Primary, _ replication.View, _ time.Duration) []replication.Order {
		return f.Ended(why)
	})
}

// HandOverInDoubt says that what becomes of Following.HandOver is not known for the moment.
// Only alone.
func (s *Server) HandOverInDoubt() {
	_ = s.handOver(nil, func(f *replication.Failover, _ *replication.Primary, _ replication.View, _ time.Duration) []replication.Order {
		return f.InDoubt()
	})
}

// handOver has the machine decide, and carries its orders out: without the lock, for they
// change what the server is. c is the call that is answered, nil = none. Only alone.
func (s *Server) handOver(c *command.Context,
	decide func(f *replication.Failover, p *replication.Primary, v replication.View, now time.Duration) []replication.Order,
) (refusal error) {
	r, v := s.replicas, s.view()
	r.mu.Lock()
	orders := slices.Clone(decide(&r.handing, r.machine, v, s.clock.Monotonic()))
	r.mu.Unlock()
	for _, order := range orders {
		switch o := order.(type) {
		case replication.Reply:
			c.Out.OK()
		case replication.Refuse:
			refusal = command.ReplyError(o.Text)
		case replication.PauseWrites:
			s.startPause(pauseFailover, pauseForever, true)
		case replication.AskReplicas:
			s.log.Append(oplog.NoDB, getAckBytes)
			s.log.Append(oplog.NoDB, getAckBytes)
		case replication.ResumeWrites:
			s.endPause(pauseFailover)
		case replication.HandOver:
			s.opts.Following.HandOver(o.Host, o.Port)
		case replication.TakeBack:
			s.opts.Following.TakeBack()
		case replication.Log:
			s.logf(Notice, "%s", o.Text)
		}
	}
	return refusal
}
