package server

import (
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"dozo/command"
	"dozo/eventloop"
	"dozo/grouptime"
	"dozo/oplog"
	"dozo/replication"
	"dozo/resp"
	"dozo/text"
)

// Applying the primary's stream.
//
// The connection to the primary belongs to a loop like any other, which executes what
// comes through it between the commands of its clients, with the same locks, while the
// other loops serve reads. What is different: the commands have been executed once, so
// they are obeyed whatever memory there is, as what the log's file holds is (Replay); no
// key's time is over for them, since the removals are among them; and nobody is answered.
//
// The log gets the very bytes that came, with what they change still held, so that an
// offset means the same here and there: a replica of this server, its append only file and
// whoever follows it after a promotion go on in one history. A transaction goes there in
// one piece with its EXEC: before that none of it has happened.
//
// A primary that stamps its stream with its time is told after each burst how far this server
// is, though not for every few bytes: who waits for that there asks (REPLCONF GETACK). Others
// hear of it once a second, as of a Redis.

// Upstream is the stream of a primary's writes.
type Upstream struct {
	// Ended is called on a loop, inside the gate, when the connection is lost, with why.
	Ended  func(err error)
	client *Client
	over   bool   // it was detached
	raw    []byte // what has come of a transaction,
	// leftOut is what of that is not executed (oplog).
	leftOut []oplog.Span
	db      int    // that what comes next is for; it need not be one that there is here
	asked   bool   // the primary wants to know how far this server is,
	bursts  bool   // and does after each burst
	acked   uint64 // what it was told last,
	told    time.Duration
	unread  int // bytes that have come and are not dealt with; written inside the gate

	complaints int // in the log, since complained
	complained time.Duration
}

const (
	// ackGap is how long a primary hears nothing of what comes behind a burst that it was
	// told of, unless that is ackBytes or more.
	ackGap   = 200 * time.Microsecond
	ackBytes = 64 << 10
)

// errUpstream is why a connection to a primary was ended by this side.
var (
	errUpstream       = errors.New("the primary is no longer followed")
	errInlineUpstream = errors.New("a command that is not in the form of the protocol")
)

// AttachUpstream has the server execute what a primary sends. pending is what was read of
// it already; the stream begins at the log's end, in database db. Only alone.
func (s *Server) AttachUpstream(conn net.Conn, up *Upstream, db int, pending []byte) error {
	s.upstream = up
	up.db = db
	up.client = &Client{flags: fromPrimary, proto: 2, db: db, user: "default"}
	return s.group.AttachTo(s.workers[0].loop, conn, up, pending)
}

// DetachUpstream ends the connection: nothing of it is executed any more, and Ended is not
// called. Only alone.
func (s *Server) DetachUpstream(up *Upstream) {
	up.over = true
	if s.upstream == up {
		s.upstream = nil
	}
	if cl := up.client; cl.conn != nil && !cl.freed {
		cl.worker.bury(cl)
		cl.worker.call(func(*worker) { cl.conn.Close(errUpstream) })
	}
}

// openUpstream begins the life of a connection to a primary.
func (w *worker) openUpstream(conn *eventloop.Conn, up *Upstream) {
	cl := up.client
	cl.ID, cl.conn, cl.worker, cl.created = conn.ID, conn, w, w.srv.clock.Monotonic()
	cl.fd, cl.remote, cl.local = conn.FD(), conn.RemoteAddr(), conn.LocalAddr()
	cl.lastUsed, cl.upstream = cl.created, up
	cl.parser.Limits = resp.Limits{MaxArgs: argsMax, MaxBulk: bulkMax}
	conn.User = cl
	if cl.freed = up.over; cl.freed {
		conn.Close(errUpstream)
		return
	}
	w.clients[cl.ID] = cl
	w.recount(cl)
}

// end tells that the connection is lost.
func (up *Upstream) end(err error) {
	if up != nil && !up.over {
		up.Ended(err)
	}
}

// bulkMax is the longest word that is obeyed: what a primary has let in.
const bulkMax = 1<<63 - 1

// applyBatch executes what the primary has sent, and returns how much of it is dealt with.
func (w *worker) applyBatch(cl *Client, in []byte) (consumed int) {
	w.beginApplying(cl)
	defer func() {
		w.stats.appliedBytes += int64(consumed)
		w.endApplying(cl)
	}()
	for consumed < len(in) {
		if consumed >= batchBytesMax {
			cl.conn.Kick() // the others have their turn first
			return consumed
		}
		args, n, err := cl.parser.Next(in[consumed:])
		if err != nil {
			return w.breakUpstream(cl, err, len(in))
		}
		if n == 0 {
			if missing := cl.parser.Missing(); missing > 0 {
				cl.conn.ExpectMore(missing)
			}
			return consumed
		}
		w.lookAhead(cl, in, consumed+n, args)
		for _, c := range w.ahead.commands[:w.ahead.n] {
			if len(c.args) > 0 && in[consumed] != '*' {
				return w.breakUpstream(cl, errInlineUpstream, len(in))
			}
			if len(c.args) > 0 && w.mustHold(cl, c.args) {
				w.stayUnread(cl, len(in)-consumed)
				return consumed
			}
			w.apply(cl, c.args, in[consumed:c.end])
			if consumed = c.end; cl.freed {
				return len(in)
			}
		}
	}
	return consumed
}

// lookAhead takes the command args, which ends at end, and those that follow it if it pays to
// look for their keys before the first is executed.
func (w *worker) lookAhead(cl *Client, in []byte, end int, args [][]byte) {
	a := &w.ahead
	if !w.warming || end == len(in) || len(args) > aheadArgsMax || cl.db >= w.ks.Databases() {
		a.commands[0], a.n = parsed{args, end}, 1
		return
	}
	w.view.DB = cl.db
	w.collect(cl, in, end, args)
	w.view.Warm(&a.warm)
}

// breakUpstream ends a connection to a primary that sends what cannot be understood.
func (w *worker) breakUpstream(cl *Client, err error, all int) (consumed int) {
	w.srv.logf(Warning, "Protocol error (%v) in the stream of the primary at offset %d. The link is made anew.", err, w.srv.log.Offset())
	cl.conn.Close(err)
	return all
}

func (w *worker) beginApplying(cl *Client) {
	w.current = cl
	w.readTime()
	w.view.Timeless = true
	w.out.Buf, w.out.Proto = w.unheard[:0], 2
	w.ctx.Session, w.ctx.OutMax, w.ctx.Set = cl, 0, w.srv.settings.Load()
	w.ctx.Effects.Enabled = false
}

func (w *worker) endApplying(cl *Client) {
	if w.unheard, w.out.Buf = w.out.Buf[:0], nil; cap(w.unheard) > scratchMax {
		w.unheard = nil
	}
	w.view.Timeless = false
	w.current, w.raw = nil, nil
	cl.lastUsed = w.mono
	w.srv.appliedAt.Store(int64(w.mono))
	w.handOut()
	if up := cl.upstream; up.asked || up.bursts {
		w.answer(cl)
	}
}

// answer tells the primary how far this server is, or sees to it that it will be told soon.
func (w *worker) answer(cl *Client) {
	up, at := cl.upstream, w.srv.log.Offset()
	if w.owed = nil; !up.asked && at-up.acked < ackBytes && w.mono-up.told < ackGap {
		if at != up.acked {
			w.owed = cl
			w.loop.WakeBy(up.told + ackGap)
		}
		return
	}
	w.acknowledge(cl)
}

// answerOwed is for the end of a round: what was put off is said when its time has come.
func (w *worker) answerOwed() {
	w.mono = w.watch.Read()
	if cl := w.owed; cl.freed {
		w.owed = nil
	} else {
		w.answer(cl)
	}
}

// apply executes one command of the stream, whose bytes are raw.
func (w *worker) apply(cl *Client, args [][]byte, raw []byte) {
	w.out.Buf = w.out.Buf[:0]
	if len(args) == 0 { // a sign of life between commands
		w.leaveOut(cl, raw)
		return
	}
	cmd := w.table.Called(args)
	switch {
	case cmd == nil && w.keepsLibrary(args):
		w.passOn(cl, raw)
		return
	case !w.obeys(cl, cmd, args):
		w.leaveOut(cl, raw)
		return
	case cl.has(inMulti) && cmd.FullName != "exec":
		cl.tx.push(cmd, args)
		cl.upstream.raw = append(cl.upstream.raw, raw...)
		return
	}
	if ms, ok := grouptime.ParseStamp(args); ok {
		w.srv.HearClock(ms)
		cl.upstream.bursts = true
		w.tellTime()
	}
	cl.last = cmd
	if w.raw = raw; cl.has(inMulti) || cmd.FullName == "multi" {
		cl.upstream.raw = append(cl.upstream.raw, raw...)
		w.raw = cl.upstream.raw
	}
	if cmd.FullName == "multi" {
		w.raw = nil
		cl.set(inMulti, true)
		return
	}
	if !w.mayObey(cl, cmd) {
		return
	}
	w.run(cl, cmd, args) // and logs it
	if up := cl.upstream; cl.db != up.db || len(up.raw) != 0 {
		cl.db, up.raw, up.leftOut = up.db, up.raw[:0], up.leftOut[:0]
		if cap(up.raw) > scratchMax {
			up.raw, up.leftOut = nil, nil
		}
	}
	if out := w.out.Buf; len(out) > 0 && out[0] == '-' {
		w.complainUpstream(args, string(out[1:len(out)-2]))
	}
}

// obeys tells whether a command of the stream is executed: what a primary sends are writes,
// and little else. Others would make the link what it is not (MONITOR, PSYNC), or this
// server (REPLICAOF). What writes to a database that there is not here is not executed in
// another one; a primary that has such data has been complained of when it chose that.
func (w *worker) obeys(cl *Client, cmd *command.Command, args [][]byte) bool {
	up := cl.upstream
	why := ""
	switch {
	case cmd == nil:
		why = w.wrongCall(args)
	case cmd.Flags&(command.Write|command.MayReplicate) != 0:
		return up.db < w.ks.Databases() || concernsAll(cmd)
	case cmd.FullName == "select":
		why = w.chooseUpstream(cl, args[1])
	case cmd.FullName == "multi" && cl.has(inMulti):
		why = errNestedMulti.Error()
	case cmd.FullName == "exec" && !cl.has(inMulti):
		why = errExecAlone.Error()
	default:
		if !ofStream(cmd) {
			why = "ERR it is no command that a primary sends"
		}
	}
	if why != "" {
		w.complainUpstream(args, why)
	}
	return why == ""
}

// concernsAll tells which writes do not depend on the database that was chosen.
func concernsAll(cmd *command.Command) bool {
	switch cmd.FullName {
	case "flushall", "swapdb", "publish", "spublish":
		return true
	}
	return false
}

// ofStream tells what a primary sends besides writes.
func ofStream(cmd *command.Command) bool {
	switch cmd.FullName {
	case "ping", "replconf", "multi", "exec":
		return true
	}
	return false
}

// wrongCall is what is wrong with a call that there is no command for.
func (w *worker) wrongCall(args [][]byte) string {
	if cmd := w.table.Lookup(args[0]); cmd != nil && !cmd.IsContainer() {
		return wrongNumber(cmd)
	}
	return unknownCommand(args)
}

// chooseUpstream takes note of the database that is chosen, or says why it cannot be had.
func (w *worker) chooseUpstream(cl *Client, word []byte) (why string) {
	n, ok := text.ParseInt(word)
	if !ok || n < 0 || n > math.MaxInt32 {
		return command.ErrDBRange.Error()
	}
	up := cl.upstream
	if up.db = int(n); up.db < w.ks.Databases() {
		return ""
	}
	if !cl.has(inMulti) {
		cl.db = up.db
	}
	return fmt.Sprintf("%v: there are %d databases here, and what the primary writes to this one is left out (see the directive databases)",
		command.ErrDBRange, w.ks.Databases())
}

// keepsLibrary tells whether a command concerns libraries of functions, which are kept for
// when there are scripts.
func (w *worker) keepsLibrary(args [][]byte) (keeps bool) {
	if p := w.srv.opts.Persistence; p != nil && text.EqualFold(args[0], "FUNCTION") {
		w.alone(func() { keeps = p.KeepLibrary(args[1:]) })
	}
	return keeps
}

// passOn has the log have what is not executed by the loop.
func (w *worker) passOn(cl *Client, raw []byte) {
	if up := cl.upstream; cl.has(inMulti) {
		up.raw = append(up.raw, raw...)
	} else {
		w.srv.log.AppendRaw(raw, up.db)
	}
}

// leaveOut is passOn for what no start can execute, either.
func (w *worker) leaveOut(cl *Client, raw []byte) {
	up := cl.upstream
	if !cl.has(inMulti) {
		w.srv.log.AppendRaw(raw, up.db, oplog.Span{To: len(raw)})
		return
	}
	from := len(up.raw)
	up.raw = append(up.raw, raw...)
	up.leftOut = append(up.leftOut, oplog.Span{From: from, To: len(up.raw)})
}

// logRaw appends the bytes of what was executed to the log, and says where they end there.
func (w *worker) logRaw() (end uint64, logged bool) {
	if w.raw == nil {
		return 0, false
	}
	up := w.current.upstream
	end = w.srv.log.AppendRaw(w.raw, up.db, up.leftOut...)
	w.raw = nil
	return end, true
}

// acknowledge tells the primary how far this server is.
func (w *worker) acknowledge(cl *Client) {
	up := cl.upstream
	up.asked, up.acked, up.told = false, w.srv.log.Offset(), w.mono
	synced := int64(-1)
	if g := w.srv.synced; g != nil && w.srv.syncedAll {
		synced = int64(g.Passed())
	}
	cl.conn.MarkDirty()
	cl.conn.Out = replication.AppendAck(cl.conn.Out, up.acked, synced)
}
