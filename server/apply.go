package server

import (
	"errors"
	"net"
	"time"

	"dozo/eventloop"
	"dozo/grouptime"
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
	raw    []byte // what has come of a transaction
	asked  bool   // the primary wants to know how far this server is,
	bursts bool   // and does after each burst
	acked  uint64 // what it was told last,
	told   time.Duration
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
		if len(args) > 0 && in[consumed] != '*' {
			err = errInlineUpstream
		}
		if err != nil {
			w.srv.logf(Warning, "Protocol error (%v) in the stream of the primary at offset %d. The link is made anew.", err, w.srv.log.Offset())
			cl.conn.Close(err)
			return len(in)
		}
		if n == 0 {
			if missing := cl.parser.Missing(); missing > 0 {
				cl.conn.ExpectMore(missing)
			}
			return consumed
		}
		w.apply(cl, args, in[consumed:consumed+n])
		consumed += n
		if cl.freed {
			return len(in)
		}
	}
	return consumed
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
		w.srv.log.AppendRaw(raw, cl.db)
		return
	}
	cmd := w.table.Called(args)
	switch {
	case cmd == nil:
		if cl.has(inMulti) { // it keeps its place
			cl.upstream.raw = append(cl.upstream.raw, raw...)
		} else {
			w.srv.log.AppendRaw(raw, cl.db)
		}
		w.complainUpstream(args, unknownCommand(args))
		return
	case cl.has(inMulti) && !runsInsideMulti(cmd):
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
	w.run(cl, cmd, args) // and logs it
	if cl.upstream.raw = cl.upstream.raw[:0]; cap(cl.upstream.raw) > scratchMax {
		cl.upstream.raw = nil
	}
	if out := w.out.Buf; len(out) > 0 && out[0] == '-' {
		w.complainUpstream(args, string(out[1:len(out)-2]))
	}
}

// complainUpstream logs that a command of the stream was not executed: from here on the
// data may differ from the primary's.
func (w *worker) complainUpstream(args [][]byte, why string) {
	w.srv.applyErrors.Add(1)
	w.srv.logf(Warning, "== CRITICAL == This replica is sending an error to its primary: '%s' after processing the command '%s'. "+
		"The data here may differ from the primary's from now on.", text.Shorten(why), shown(args[0], shownOfCall))
}

// logRaw appends the bytes of what was executed to the log, and says where they end there.
func (w *worker) logRaw() (end uint64, logged bool) {
	if w.raw == nil {
		return 0, false
	}
	end = w.srv.log.AppendRaw(w.raw, w.current.db)
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
