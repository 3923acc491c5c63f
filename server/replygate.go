package server

import (
	"sync/atomic"

	"dozo/command"
	"dozo/keyspace"
	"dozo/oplog"
)

// Replies that wait for the log.
//
// There are two kinds of gates. With GateWrites only replies to writes wait: for what is
// done at once, such as handing the log to the system, which keeps it when the process is
// killed. Of what a client has sent in one go the replies from the first write on wait
// together, for the last write. What follows is about the other kind.
//
// While a gate is set (GateReplies) no reply shows what the gate has not passed:
// neither the reply to the write itself, nor one that shows what the write made. What
// a reply depends on is one offset of the log (oplog/gate.go says why that is
// enough), found at the end of the call while all that it works on is still held:
//
//   - A call that may change data and was logged, with what it met that had to be
//     removed, depends on its own end there. That is behind everything it has seen.
//   - Any other call that names keys depends on the last writes to those
//     keys. Ends of writes are kept by the first bits of the keys' hashes, not by
//     keys: so two keys may share one, and a read waits now and then for a write to
//     another key, but nothing grows. A key that nobody writes to is read at once.
//   - A call that works on data without naming its keys (SCAN, KEYS, DBSIZE, scripts)
//     depends on the end of the log as it is then; so does SORT with patterns. See
//     browses.
//   - EXEC depends on the most that any of its calls does.
//   - A client that was served while it waited depends on what served it.
//
// Writes that may have touched any key (FLUSHALL) raise a floor under all entries; so
// does a gate that comes when it has not passed the end of the log, since nobody has
// noted what was written before.
//
// A reply that waits keeps those behind it on its connection waiting, also those that
// CLIENT REPLY drops, whose place is kept; it counts as output of the client, for its
// limits and for the back-pressure of a client that does not read.
//
// Absence. That a key is missing is shown by the same rules: its removal was a write.
// That its time is over nobody waits for, although whoever meets it removes it and logs
// that: it is over after a restart as well, and a disk that is full for an hour must not
// keep those waiting who only read.
//
// LIMITATIONS
//   - Published messages, events of keys and lines of MONITOR leave at once, though
//     they may tell of a write that is lost later. Nothing is promised about them:
//     who misses one does not get it again. Who hears of a key and reads it waits for
//     its write. (In Redis they leave after the fsync, as everything does.)
//   - INFO, MEMORY STATS, SLOWLOG and other reports show numbers and calls as they
//     are. They are asked when something is wrong with the disk.
//   - A reply from before the gate came is not held, nor is one after it has gone. One
//     that was held when it went (CONFIG SET appendonly no) leaves when it would
//     have, and those behind it on its connection after it. One that was held when
//     another gate took its place (CONFIG SET appendfsync everysec) waits for that one.
//   - A client that has left does not learn what became of its writes; they stay.

// replyGate is what replies wait for.
type replyGate struct {
	gate   *oplog.Gate
	cancel func()
	// floor is the end of the last write that may have touched any key.
	floor atomic.Uint64
	// ends has the end of the last write to any key whose hash begins with the bits
	// of the index. It belongs to the shard of these keys.
	ends []uint64 // nil: reads do not wait
}

// endsBits is how many bits of a hash index replyGate.ends: all shards' parts are
// then apart, and together they take 512 KiB.
const (
	endsBits = 16
	_        = uint(1<<endsBits - keyspace.ShardsMax) // an entry is one shard's
)

// GateReplies makes replies wait until the gate has passed what they show; nil ends
// that. What waits then goes on waiting, since it was to be durable: see ReleaseReplies.
// It is called alone, or before Start. The gate is of the server's log.
func (s *Server) GateReplies(g *oplog.Gate) { s.setGate(g, true) }

// GateWrites makes replies to writes wait until the gate has passed these writes, in
// place of what GateReplies has set. What waits for a former gate waits for this one.
func (s *Server) GateWrites(g *oplog.Gate) { s.setGate(g, false) }

func (s *Server) setGate(g *oplog.Gate, reads bool) {
	if old := s.gating(); old != nil {
		if old.gate == g && reads == (s.replies != nil) {
			return
		}
		s.replies, s.writes, s.formerGate = nil, nil, old // what waits may also wait for one before it
	}
	if g == nil {
		return
	}
	if old := s.formerGate; old != nil {
		old.cancel() // it releases nothing any more
		s.formerGate = nil
	}
	r := &replyGate{gate: g}
	r.floor.Store(s.log.Offset())
	for _, l := range s.group.Loops() {
		l.Restrain(g.Passed())
	}
	r.cancel = g.Subscribe(s.release)
	s.release(g.Passed())
	if !reads {
		s.writes = r
		return
	}
	r.ends = make([]uint64, 1<<endsBits)
	s.replies = r
}

// gating is the gate that replies wait for; nil = none.
func (s *Server) gating() *replyGate {
	if s.replies != nil {
		return s.replies
	}
	return s.writes
}

// ReleaseReplies has everything leave that waits for a gate that is gone: what it waits
// for will not come. It is called alone.
func (s *Server) ReleaseReplies() {
	if old := s.formerGate; old != nil && s.gating() == nil {
		s.formerGate = nil
		old.cancel()
		s.release(s.log.Offset())
	}
}

// BeginHistory begins the log at an offset. What clients have written before is not in
// it: it counts as its beginning. No reply may wait for a later offset of the history
// before. It is called alone, or before Start.
func (s *Server) BeginHistory(at uint64) {
	var gate *oplog.Gate
	reads := s.replies != nil
	if g := s.gating(); g != nil {
		gate = g.gate
	}
	s.GateReplies(nil)
	s.ReleaseReplies()
	s.log.Activate(at)
	s.backlog.at = 0 // no rate follows from this offset and former ones
	s.keepBacklog()  // what is written before the next tick is for those who come back, too
	for _, w := range s.workers {
		for _, cl := range w.clients {
			cl.lastWrite = at
		}
	}
	s.Record()
	s.setGate(gate, reads)
}

// release lets replies leave that depend on no more than offset.
func (s *Server) release(offset uint64) {
	for _, l := range s.group.Loops() {
		l.Release(offset)
	}
}

// at is the place of a key.
func (r *replyGate) at(hash uint64) *uint64 { return &r.ends[hash>>(64-endsBits)] }

// raise lifts the floor.
func (r *replyGate) raise(end uint64) {
	for old := r.floor.Load(); old < end && !r.floor.CompareAndSwap(old, end); old = r.floor.Load() {
	}
}

// browses tells whether a command works on keys that its calls do not name. Those
// that read or write and are about the keyspace do; so may scripts, and DEBUG, which
// is protected (as MODULE is, which only refuses). What has neither flag asks the server, or the connection, about
// itself (PING, INFO, CONFIG), although some are filed under keyspace for their
// family's sake (WAIT, OBJECT HELP); LOLWUT reads, but no keys.
func browses(cmd *command.Command) bool {
	if isScript(cmd) || cmd.Flags&command.Protected != 0 {
		return true
	}
	return cmd.Categories&command.CatKeyspace != 0 && cmd.Flags&(command.ReadOnly|command.Write) != 0
}

// isScript tells whether a command may touch other keys than its calls name.
func isScript(cmd *command.Command) bool { return cmd.Categories&command.CatScripting != 0 }

// settle has the reply to a call, or to an EXEC of it, wait for what it shows.
func (w *worker) settle(cl *Client, cmd *command.Command, args [][]byte, end uint64, logged bool) {
	if logged && changes(cmd.Flags) {
		w.noteWrite(cmd, args, end)
	} else {
		end = w.shownBy(cmd, args)
	}
	w.holdReply(cl, end)
}

// changes tells whether what a call has logged may be more than removals of keys whose
// time was over.
func changes(flags command.Flags) bool { return flags&(command.Write|command.MayReplicate) != 0 }

// settleExec is settle for all calls of an EXEC.
func (w *worker) settleExec(cl *Client, end uint64, logged bool) {
	if logged = logged && changes(cl.tx.flags); !logged {
		end = 0
	}
	for i := range cl.tx.queue {
		q := &cl.tx.queue[i]
		if logged {
			w.noteWrite(q.cmd, q.args, end)
		} else {
			end = max(end, w.shownBy(q.cmd, q.args))
		}
	}
	w.holdReply(cl, end)
}

// settleBatch has the replies to what a client has sent in one go wait for its writes.
func (w *worker) settleBatch(cl *Client) {
	if w.wroteMark >= 0 && w.srv.writes != nil {
		w.holdFrom(cl, w.wroteMark, cl.lastWrite)
	}
}

// holdFrom keeps replies to a client until the gate that there is has passed end.
func (w *worker) holdFrom(cl *Client, mark int, end uint64) {
	if r := w.srv.gating(); r != nil && r.gate.Passed() < end {
		cl.conn.HoldFrom(mark, end)
	}
}

// holdReply keeps the replies written since the command began until the gate has
// passed end.
func (w *worker) holdReply(cl *Client, end uint64) {
	if w.srv.replies.gate.Passed() < end && !cl.has(fromPrimary) {
		cl.conn.HoldFrom(w.replyMark, end)
	}
}

// noteWrite notes where a call that was logged ends.
func (w *worker) noteWrite(cmd *command.Command, args [][]byte, end uint64) {
	r := w.srv.replies
	switch {
	case !changes(cmd.Flags):
	case cmd.OneKey != 0:
		*r.at(w.ks.Hash(args[cmd.OneKey])) = end
	default:
		w.refs, _ = cmd.KeysOf(w.refs[:0], args)
		noted := w.noteKeys(args, command.RO|command.NotKey, end) || w.noteKeys(args, command.NotKey, end)
		if browses(cmd) && (!noted || isScript(cmd)) {
			r.raise(end)
		}
	}
}

// noteKeys notes the end of a write for the keys in w.refs without these flags, and
// tells whether there are any. Not all keys that are declared as only read are so:
// XREADGROUP changes the group in them.
func (w *worker) noteKeys(args [][]byte, but command.KeyFlags, end uint64) (some bool) {
	for _, k := range w.refs {
		if k.Flags&but == 0 {
			*w.srv.replies.at(w.ks.Hash(args[k.Index])) = end
			some = true
		}
	}
	return some
}

// shownBy is the end of what a call may show that was not logged.
func (w *worker) shownBy(cmd *command.Command, args [][]byte) uint64 {
	onData := cmd.Flags&(command.ReadOnly|command.Write) != 0
	switch {
	case cmd.OneKey != 0 && onData:
		r := w.srv.replies
		return max(r.floor.Load(), *r.at(w.ks.Hash(args[cmd.OneKey])))
	case isScript(cmd) || onData && cmd.RunsAlone(args) || len(cmd.Keys) == 0 && browses(cmd):
		return w.srv.log.Offset()
	case onData && len(cmd.Keys) != 0: // not WATCH
		return w.shownByKeys(cmd, args)
	}
	return 0
}

// shownByKeys is the last write to any of a call's keys.
func (w *worker) shownByKeys(cmd *command.Command, args [][]byte) (end uint64) {
	r := w.srv.replies
	end = r.floor.Load()
	w.refs, _ = cmd.KeysOf(w.refs[:0], args)
	for _, k := range w.refs {
		if k.Flags&command.NotKey == 0 {
			end = max(end, *r.at(w.ks.Hash(args[k.Index])))
		}
	}
	return end
}

// settleServed finds what the reply to a client that was served shows, and notes what
// serving wrote. Only the keys that are ready are held, and the destination.
func (w *worker) settleServed(b *waiter, ready []int) {
	r := w.srv.replies
	b.shown = max(b.wrote, r.floor.Load())
	for _, i := range ready {
		w.settleKey(b, i)
	}
	if b.dest != 0 {
		w.settleKey(b, b.dest)
	}
}

func (w *worker) settleKey(b *waiter, i int) {
	end := w.srv.replies.at(w.ks.Hash(b.args[i]))
	*end = max(*end, b.wrote)
	b.shown = max(b.shown, *end)
}
