package server

import (
	"math"

	"dozo/command"
	"dozo/oplog"
	"dozo/resp"
)

// WAITAOF: a client waits until the file of the log is durable up to the end of the
// client's last write. The gate that says so is the file's (SetLocalGate), whatever
// replies wait for. No replicas are attached, so who waits for some can only run out
// of time, or lose the file.

// fsyncWait is a client's place among those that wait.
type fsyncWait struct {
	active bool
	need   uint64 // the offset; never = replicas are missing as well
	index  int    // in fsyncWaits.clients
}

const never = math.MaxUint64

// fsyncWaits are a loop's clients that wait for the file.
type fsyncWaits struct {
	clients []*Client
	gate    *oplog.Waiter // nil without a file
	want    uint64        // what gate was asked for last
}

// SetLocalGate says what the log's file has durable; nil = there is no such file, and
// who waits for it is told so. complete tells whether the file holds what was there when
// it was begun: before that nothing is durable. It is called alone, or before Start.
func (s *Server) SetLocalGate(g *oplog.Gate, complete bool) {
	s.synced, s.syncedAll = g, complete
	for _, w := range s.workers {
		w.fsyncs.watch(g, func(uint64) { w.call((*worker).endFsyncWaits) })
		if len(w.fsyncs.clients) != 0 {
			w.call((*worker).endFsyncWaits)
		}
	}
}

// watch has post called when the gate passes what is wanted.
func (f *fsyncWaits) watch(g *oplog.Gate, post func(offset uint64)) {
	if f.gate != nil {
		f.gate.Close()
	}
	f.gate, f.want = nil, never
	if g != nil {
		f.gate = g.NewWaiter(post)
	}
}

// add has a client wait, and tells whether the gate will be heard of: if not, it has
// passed already.
func (f *fsyncWaits) add(cl *Client, need uint64) bool {
	cl.block.fsync = fsyncWait{active: true, need: need, index: len(f.clients)}
	f.clients = append(f.clients, cl)
	return need >= f.want || f.ask(need)
}

func (f *fsyncWaits) ask(need uint64) bool {
	f.want = need
	return f.gate == nil || f.gate.Want(need)
}

func (f *fsyncWaits) remove(cl *Client) {
	at, last := cl.block.fsync.index, len(f.clients)-1
	f.clients[at] = f.clients[last]
	f.clients[at].block.fsync.index = at
	f.clients[last] = nil
	f.clients = f.clients[:last]
	cl.block.fsync.active = false
}

// endFsyncWaits answers those who need not wait any more.
func (w *worker) endFsyncWaits() {
	for again := true; again; {
		passed, least := w.srv.syncedTo(), uint64(never)
		w.fsyncs.want = never // what was asked for is over
		for i := 0; i < len(w.fsyncs.clients); {
			cl := w.fsyncs.clients[i]
			switch need := cl.block.fsync.need; {
			case w.srv.synced != nil && !w.srv.syncedAll:
				i++ // SetLocalGate will be called
			case w.srv.synced != nil && need > passed:
				least = min(least, need)
				i++
			case cl.block.claim():
				w.finish(cl, w.answerFsync) // another one takes place i
			default:
				i++ // somebody else is about to end it
			}
		}
		again = least != never && !w.fsyncs.ask(least)
	}
}

// answerFsync answers who has waited long enough, or for a file that is gone.
func (w *worker) answerFsync(out *resp.Writer) error {
	if w.srv.synced == nil {
		return errNoAOF
	}
	writeAcks(out, true)
	return nil
}

// syncedTo is how far the file is durable.
func (s *Server) syncedTo() uint64 {
	if s.synced == nil {
		return 0
	}
	return s.synced.Passed()
}

// hasSynced tells whether a write that ends at offset is durable in the file. Without
// a file nothing is, not even what no client has written.
func (s *Server) hasSynced(offset uint64) bool {
	return s.synced != nil && s.syncedAll && offset <= s.synced.Passed()
}

var errNoAOF error = command.ReplyError("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")

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
	if local > 0 && w.srv.synced == nil {
		return errNoAOF
	}
	synced := w.srv.hasSynced(cl.lastWrite)
	if replicas == 0 && (synced || local == 0) || cl.has(inMulti) {
		writeAcks(c.Out, synced)
		return nil
	}
	w.block(cl, timeout, func(out *resp.Writer) { writeAcks(out, w.srv.hasSynced(cl.lastWrite)) })
	if local > 0 {
		w.awaitFsync(cl, replicas)
	}
	return nil
}

// awaitFsync has a blocked client wait for the file.
func (w *worker) awaitFsync(cl *Client, replicas int64) {
	need := cl.lastWrite
	if replicas > 0 {
		need = never
	}
	if !w.fsyncs.add(cl, need) {
		w.call((*worker).endFsyncWaits)
	}
}

// writeAcks is the reply of WAITAOF.
func writeAcks(out *resp.Writer, synced bool) {
	out.Array(2)
	if synced {
		out.Int(1)
	} else {
		out.Int(0)
	}
	out.Int(0) // replicas
}
