package server

import (
	"math"
	"time"

	"dozo/command"
	"dozo/oplog"
	"dozo/resp"
)

// WAIT and WAITAOF: a client waits until its last write is where it wants it: in the file
// of the log here, on replicas, in the files of replicas. What the file here has is said by
// its gate (SetLocalGate), whatever replies wait for; what replicas have by their
// acknowledgements, for which they are asked when somebody begins to wait.

// ackWait is a client's place among those that wait.
type ackWait struct {
	active   bool
	need     uint64 // the end of its last write
	local    bool   // in the file here
	replicas int64  // on so many replicas
	files    bool   // in their files
	index    int    // in ackWaits.clients
}

// ackWaits are a loop's clients that wait.
type ackWaits struct {
	clients []*Client
	gate    *oplog.Waiter // nil without a file
	want    uint64        // what gate was asked for last
	// asks is set when replicas are to be asked how far they are, at the end of the round.
	asks bool
}

const never = math.MaxUint64

// SetLocalGate says what the log's file has durable; nil = there is no such file, and
// who waits for it is told so. complete tells whether the file holds what was there when
// it was begun: before that nothing is durable. It is called alone, or before Start.
func (s *Server) SetLocalGate(g *oplog.Gate, complete bool) {
	s.synced, s.syncedAll = g, complete
	for _, w := range s.workers {
		w.acks.watch(g, func(uint64) { w.call((*worker).endAckWaits) })
	}
	s.acknowledged()
}

// acknowledged has those looked after who wait: something has become durable somewhere.
func (s *Server) acknowledged() {
	if s.ackWaiters.Load() == 0 {
		return
	}
	for _, w := range s.workers {
		w.call((*worker).endAckWaits)
	}
}

// watch has post called when the gate passes what is wanted.
func (a *ackWaits) watch(g *oplog.Gate, post func(offset uint64)) {
	if a.gate != nil {
		a.gate.Close()
	}
	a.gate, a.want = nil, never
	if g != nil {
		a.gate = g.NewWaiter(post)
	}
}

// add has a client wait.
func (a *ackWaits) add(cl *Client, wait ackWait) {
	wait.active, wait.index = true, len(a.clients)
	cl.block.ack = wait
	a.clients = append(a.clients, cl)
}

// ask has the gate tell of an offset; false if it has passed that already.
func (a *ackWaits) ask(need uint64) bool {
	a.want = need
	return a.gate == nil || a.gate.Want(need)
}

func (a *ackWaits) remove(cl *Client) {
	at, last := cl.block.ack.index, len(a.clients)-1
	a.clients[at] = a.clients[last]
	a.clients[at].block.ack.index = at
	a.clients[last] = nil
	a.clients = a.clients[:last]
	cl.block.ack.active = false
}

// endAckWaits answers those who need not wait any more.
func (w *worker) endAckWaits() {
	for again := true; again; {
		least := uint64(never)
		w.acks.want = never // what was asked for is over
		for i := 0; i < len(w.acks.clients); {
			cl := w.acks.clients[i]
			wait := &cl.block.ack
			lost := wait.local && w.srv.synced == nil
			switch {
			case !lost && wait.local && !w.srv.hasSynced(wait.need):
				if w.srv.syncedAll { // else SetLocalGate will be called
					least = min(least, wait.need)
				}
				i++
			case !lost && !w.srv.reached(wait):
				i++ // acknowledged will be called
			case cl.block.claim():
				w.finish(cl, w.answerAcks(cl)) // another one takes place i
			default:
				i++ // somebody else is about to end it
			}
		}
		again = least != never && !w.acks.ask(least)
	}
}

// answerAcks is the answer to who has waited long enough, or for a file that is gone.
func (w *worker) answerAcks(cl *Client) func(out *resp.Writer) error {
	wait, timedOut := cl.block.ack, cl.block.timedOut
	return func(out *resp.Writer) error {
		if wait.local && w.srv.synced == nil {
			return errNoAOF
		}
		timedOut(out)
		return nil
	}
}

// hasSynced tells whether a write that ends at offset is durable in the file. Without
// a file nothing is, not even what no client has written.
func (s *Server) hasSynced(offset uint64) bool {
	return s.synced != nil && s.syncedAll && offset <= s.synced.Passed()
}

// holding is how many replicas have a write, or have it in their files.
func (s *Server) holding(offset uint64, files bool) int64 {
	s.replicas.mu.Lock()
	defer s.replicas.mu.Unlock()
	applied, synced := s.replicas.machine.Holding(offset)
	if files {
		return int64(synced)
	}
	return int64(applied)
}

// reached tells whether enough replicas have what somebody waits for.
func (s *Server) reached(wait *ackWait) bool {
	return wait.replicas <= 0 || s.holding(wait.need, wait.files) >= wait.replicas
}

const (
	errNoAOF command.ReplyError = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."

	errWaitOnReplica command.ReplyError = "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured " +
		"to be writable (which is not the default) writes to replicas are just local and are not propagated."
	errWaitAOFOnReplica command.ReplyError = "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated."
)

// wait is WAIT numreplicas timeout.
func wait(c *command.Context) error {
	cl := clientOf(c)
	w := cl.worker
	if w.srv.Follows() {
		return errWaitOnReplica
	}
	n, err := argInt(c.Args[1])
	if err != nil {
		return err
	}
	timeout, err := command.MillisTimeout(c.Args[2])
	if err != nil {
		return err
	}
	waits := ackWait{need: cl.lastWrite, replicas: n}
	reply := func(out *resp.Writer) { out.Int(w.srv.holding(waits.need, false)) }
	if w.srv.reached(&waits) || cl.has(inMulti) {
		reply(c.Out)
		return nil
	}
	w.await(cl, timeout, waits, reply)
	return nil
}

// waitAOF is WAITAOF numlocal numreplicas timeout.
func waitAOF(c *command.Context) error {
	local, err := argInt(c.Args[1])
	if err != nil {
		return err
	}
	if local < 0 || local > 1 {
		return command.ReplyError("ERR value is out of range, value must between 0 and 1")
	}
	replicas, err := argInt(c.Args[2])
	if err != nil {
		return err
	}
	if replicas < 0 {
		return command.ErrMustBePositive
	}
	timeout, err := command.MillisTimeout(c.Args[3])
	if err != nil {
		return err
	}
	cl := clientOf(c)
	w := cl.worker
	switch {
	case w.srv.Follows():
		return errWaitAOFOnReplica
	case local > 0 && w.srv.synced == nil:
		return errNoAOF
	}
	waits := ackWait{need: cl.lastWrite, local: local > 0, replicas: replicas, files: true}
	reply := func(out *resp.Writer) {
		out.Array(2)
		out.Int(number(w.srv.hasSynced(waits.need)))
		out.Int(w.srv.holding(waits.need, true))
	}
	if (!waits.local || w.srv.hasSynced(waits.need)) && w.srv.reached(&waits) || cl.has(inMulti) {
		reply(c.Out)
		return nil
	}
	w.await(cl, timeout, waits, reply)
	return nil
}

// await has a client wait for the file, or for replicas, which are asked how far they are.
func (w *worker) await(cl *Client, timeout time.Duration, waits ackWait, reply func(out *resp.Writer)) {
	w.block(cl, timeout, reply)
	w.acks.add(cl, waits)
	w.srv.ackWaiters.Add(1)
	if waits.replicas > 0 {
		w.acks.asks = true
	}
	if waits.local && waits.need < w.acks.want && !w.acks.ask(waits.need) || waits.replicas > 0 {
		w.call((*worker).endAckWaits) // what it waits for may have come meanwhile
	}
}

// askReplicas has replicas say how far they are; not during a pause, in which nothing is
// appended to the log.
func (w *worker) askReplicas() {
	if w.srv.pausing() {
		return
	}
	w.acks.asks = false
	if w.srv.log.Active() && !w.srv.Follows() {
		w.srv.log.Append(oplog.NoDB, getAckBytes)
	}
}
