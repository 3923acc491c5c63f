package server

import (
	"errors"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"dozo/command"
	"dozo/env"
	"dozo/eventloop"
	"dozo/keyspace"
	"dozo/oplog"
	"dozo/pubsub"
	"dozo/resp"
)

const (
	// outPauseBytes is how much reply one batch may pile up before it is written
	// and the rest of the input waits its turn.
	outPauseBytes = 1 << 20
	// batchBytesMax is how much input of one client is executed in one go. A read
	// brings no more, but a client that had to wait may have sent megabytes.
	batchBytesMax = 64 << 10
	// heldInputMax is how much input of a held client is read ahead.
	heldInputMax = 1 << 20
	// scratchMax is the largest scratch buffer that is kept between commands.
	scratchMax = 64 << 10
)

// worker executes commands on one event loop: it is the loop's Handler. What it
// has is touched by its loop only, or by whoever runs alone.
type worker struct {
	srv   *Server
	loop  *eventloop.Loop
	index int
	table *command.Table
	ks    *keyspace.Keyspace
	view  *keyspace.View
	ctx   command.Context
	out   resp.Writer
	refs  []command.KeyRef

	clients map[uint64]*Client
	current *Client // whose batch is being executed
	// batchLen is how many bytes the batch under way began with.
	batchLen int
	// wroteMark is where in the output the replies begin that follow the first write of
	// the batch; -1 = it has written nothing.
	wroteMark int
	// served are the clients to recount at the end of the round.
	served  []*Client
	recent  recentPeaks
	inExec  bool
	running bool // inside a command: removals become part of its effects
	inside  bool // inside the gate
	isAlone bool // ... and nobody else is
	// replyMark is where in the output the replies of the present call begin.
	replyMark int
	// unmuted is what CLIENT REPLY does not take from the present reply: the
	// confirmations of subscriptions, which are messages like those that follow.
	unmuted []byte
	raw     []byte      // what the primary's command that runs is logged as
	unheard []byte      // room for replies to the primary
	owed    *Client     // a primary that is to hear how far this server is
	removal resp.Writer // the DEL of a key that went by itself

	// warming: the data is large, so keys of pipelined commands are loaded ahead.
	warming bool
	ahead   readAhead

	defrag        loopDefrag
	expirePending bool // dead keys are left for the next round
	trimDue       int  // bytes that may still be given back in this tick
	heldClients   []*Client
	// timers are the clients whose blocking command has a timeout.
	timers         timers
	timed          atomic.Int32 // how many they are, to be asked outside the gate
	blockedClients int
	acks           ackWaits
	// servedHere are clients of this loop that it has served and has not told yet.
	servedHere []*waiter
	serveBuf   []byte // for replies to clients that are served
	// beside is the memory of connections as far as counted; read by all.
	beside atomic.Int64

	mono  time.Duration // when the last command ended, or the batch began
	watch env.Stopwatch // for mono between commands

	// The notes of package-level comment in notes.go.
	waitingNotes atomic.Int64 // bytes of notes that wait for this worker
	hasAuthors   atomic.Bool  // authors wait until they are fewer
	congested    *worker      // whom the present command has told too much
	pushed       int          // bytes handed out in this round
	monitorsHere atomic.Int32 // this loop's clients in MONITOR

	// thread are the processor times of the loop's thread, as of the last tick.
	// INFO calls the first loop's the main thread.
	thread cpuTimes

	stats workerStats
	dirty int64 // changes to the data
	// busy is how many nanoseconds rounds took, up to the end of their last
	// command; read by all.
	busy  atomic.Int64
	local localMessages
}

func newWorker(s *Server, index int) *worker {
	w := &worker{srv: s, index: index, table: s.table, ks: s.ks, clients: make(map[uint64]*Client)}
	w.view = s.ks.NewView(w)
	w.ctx = command.Context{View: w.view, Out: &w.out, Set: s.settings.Load(), Notifier: w, Blocker: w, Table: s.table}
	w.stats.init(len(s.table.ByID()))
	w.watch = env.NewStopwatch(s.clock)
	w.local.subs = pubsub.NewLocal[*Client](s.hub, index)
	w.mono = w.watch.Read()
	return w
}

// Open begins a connection's life, or refuses it.
func (w *worker) Open(conn *eventloop.Conn) {
	w.gated(func() {
		if up, ok := conn.User.(*Upstream); ok {
			w.openUpstream(conn, up)
		} else {
			w.open(conn)
		}
	})
}

func (w *worker) open(conn *eventloop.Conn) {
	cl := &Client{
		ID: conn.ID, conn: conn, worker: w, proto: 2, user: "default", created: w.srv.clock.Monotonic(),
		isUnix: conn.IsUnix(), fd: conn.FD(), remote: conn.RemoteAddr(), local: conn.LocalAddr(),
	}
	conn.User = cl
	cl.lastUsed = cl.created
	if why := w.refuse(cl); why != "" {
		w.stats.rejectedConns++
		conn.Out = append(conn.Out, why...)
		cl.freed = true
		conn.CloseAfterFlush()
		return
	}
	cl.set(unauthed, w.srv.needsPassword())
	w.limitParser(cl)
	w.clients[cl.ID] = cl
	w.stats.connections++
	w.recount(cl)
}

// Closed ends a client's life.
func (w *worker) Closed(conn *eventloop.Conn, err error) {
	cl := conn.User.(*Client)
	w.gated(func() {
		if errors.Is(err, oplog.ErrLagging) {
			w.srv.replicas.lookAt(cl.replica)
		}
		if cl.replica != nil && !errors.Is(err, io.EOF) {
			cl.replica.why = err
		}
		w.bury(cl)
		cl.upstream.end(err)
		if cl.replica != nil {
			w.srv.replicas.letGo(cl.replica)
		}
	})
}

// bury ends the life of a client, unless that has happened. In exclusive mode
// another worker may do it, too: nothing of the client is to be seen afterwards,
// although its connection is still to be closed.
func (w *worker) bury(cl *Client) {
	if cl.freed {
		return
	}
	cl.freed = true
	delete(w.clients, cl.ID)
	if !cl.has(fromPrimary) {
		w.srv.connected.Add(-1)
	}
	w.uncount(cl)
	w.forget(cl)
}

// forget gives back what others hold for a client that is gone.
func (w *worker) forget(cl *Client) {
	w.unsubscribeAll(cl, false)
	w.stopMonitoring(cl)
	w.endBlock(cl)
	if cl.replica != nil {
		w.srv.replicas.gone(cl.replica)
	}
	cl.tx.reset()
	if cl.watch.Watching() {
		w.view.Unwatch(&cl.watch)
	}
}

// gated runs fn inside the gate: as a batch of its own, or as part of the one
// that is under way. Whatever touches a client or a counter runs there, since
// a worker that is alone reads those of all.
func (w *worker) gated(fn func()) {
	if w.inside {
		fn()
		return
	}
	w.enter()
	fn()
	w.leave()
}

func (w *worker) enter() {
	w.srv.gate.enter(w.index)
	w.inside = true
}

func (w *worker) leave() {
	w.inside = false
	w.srv.gate.leave(w.index)
}

// alone runs fn while no other worker executes. The caller is inside the gate
// and holds no shard.
func (w *worker) alone(fn func()) {
	w.srv.gate.exclusively(w.index, func() {
		w.isAlone = true
		w.ks.BeginExclusive(w.view)
		fn()
		w.serveReady()
		w.ks.EndExclusive(w.view)
		w.isAlone = false
	})
}

// stillness is how long loops are waited for that should stand still.
const stillness = time.Second

// standStill has all other loops wait at the gate, so that the buffers of their
// connections can be looked at. Only in exclusive mode, until whose end it lasts.
// It may fail while the server ends.
func (w *worker) standStill() bool {
	for i, other := range w.srv.workers {
		if i != w.index {
			other.call(func(*worker) {})
		}
	}
	until := w.srv.clock.Monotonic() + stillness
	return w.srv.gate.allParked(w.index, func() bool {
		runtime.Gosched()
		return w.srv.clock.Monotonic() < until
	})
}

// Data executes what a connection has sent.
func (w *worker) Data(conn *eventloop.Conn, in []byte) (consumed int) {
	cl := conn.User.(*Client)
	w.enter()
	switch {
	case cl.has(fromPrimary) && !cl.has(held):
		consumed = w.applyBatch(cl, in)
	case w.mustWait(cl, len(in)):
		consumed = w.unread(cl, in)
		w.comeBack(conn)
	default:
		w.beginBatch(cl)
		w.batchLen = len(in)
		began, before := w.mono, cl.commands
		consumed = w.batch(cl, in)
		w.stats.noteBatch(w.mono-began, cl.commands-before)
		w.endBatch(cl)
	}
	if cl.upstream != nil {
		cl.upstream.unread = len(in) - consumed
	}
	w.leave()
	return consumed
}

// mustWait tells whether a client's input stays unread for now. One whose replies
// pile up because it does not read them has to take some of them first: its
// commands wait in the query buffer, so that a client that writes all before it
// reads anything is still served. When that is half as long as it may be, replies
// pile up instead, for output limits to judge; not those to strangers.
func (w *worker) mustWait(cl *Client, waiting int) bool {
	return cl.flags&(closing|held|blocked) != 0 || cl.freed ||
		cl.conn.PendingOut() > outPauseBytes && (cl.has(unauthed) || int64(waiting) < w.srv.queryBufferMax.Load()/2)
}

// unreadMax is how much input of a client may wait to be executed.
func (w *worker) unreadMax(cl *Client) int64 {
	most := w.srv.queryBufferMax.Load()
	if cl.has(unauthed) {
		return min(most, unauthedQueryMax)
	}
	return most
}

// comeBack sees to it that input left unread for the sake of output is looked at
// again. Flushed tells of output that the socket has refused; what was not
// offered to it yet may leave without a word.
func (w *worker) comeBack(conn *eventloop.Conn) {
	if n := conn.PendingOut(); n > outPauseBytes && n == len(conn.Out) {
		conn.Kick()
	}
}

// unread leaves the input of a client that waits; a closing client's is dropped.
func (w *worker) unread(cl *Client, in []byte) int {
	if cl.freed || cl.has(closing) {
		return len(in)
	}
	if int64(len(in)) > w.unreadMax(cl) {
		w.endOverlong(cl)
		return len(in)
	}
	if cl.has(held) && len(in) > heldInputMax {
		cl.conn.PauseRead() // until it is released
	}
	return 0
}

// endOverlong ends a client that has sent more than it may before it could be
// served.
func (w *worker) endOverlong(cl *Client) {
	w.stats.queryKills++
	w.srv.logf(Warning, "Closing client that reached max query buffer length: %s", w.describe(cl))
	cl.set(closing, true)
	cl.conn.Close(errQueryBuffer)
}

func (w *worker) beginBatch(cl *Client) {
	w.current = cl
	w.readTime()
	w.out.Buf, w.out.Proto = cl.conn.Out, cl.proto
	w.wroteMark = -1
	w.ctx.Session = cl
	if s := w.srv.settings.Load(); s != w.ctx.Set {
		w.ctx.Set = s
		for _, other := range w.clients {
			w.limitParser(other)
		}
	}
	w.ctx.Effects.Enabled = w.srv.records()
	w.ctx.OutMax = w.outputMax(cl)
}

func (w *worker) endBatch(cl *Client) {
	cl.conn.Out = w.out.Buf
	w.out.Buf = nil
	w.settleBatch(cl)
	w.current = nil
	cl.lastUsed = w.mono
	w.handOut()
	w.enforceOutput(cl)
}

// batch parses and executes commands until the input is used up, or the client
// must wait or go. It returns how much was consumed.
func (w *worker) batch(cl *Client, in []byte) (consumed int) {
	for consumed < len(in) {
		if consumed >= batchBytesMax {
			cl.conn.Kick() // the others have their turn first
			return consumed
		}
		args, n, err := cl.parser.Next(in[consumed:])
		if err != nil {
			return w.protocolError(cl, err, len(in))
		}
		if n == 0 {
			w.expect(cl, len(in)-consumed)
			return consumed
		}
		if w.warming && consumed+n < len(in) && !cl.has(unauthed) {
			var done bool
			if consumed, done = w.batchAhead(cl, in, consumed, args, n); done {
				return consumed
			}
			continue
		}
		switch w.step(cl, args) {
		case stepDone:
			consumed += n
		case stepHeld:
			return consumed // it will be read again
		case stepLast:
			return consumed + n
		case stepEnd:
			return len(in)
		}
	}
	return consumed
}

// stepResult is how a batch goes on after a command.
type stepResult uint8

const (
	stepDone stepResult = iota // with the next one
	stepHeld                   // the command was not executed and has to wait
	stepLast                   // the command was executed; the next ones wait
	stepEnd                    // the connection ends, the rest is dropped
)

// step executes one command of a batch.
func (w *worker) step(cl *Client, args [][]byte) stepResult {
	if len(args) == 0 {
		if cl.has(isReplica) {
			w.srv.replicas.alive(cl.replica)
		}
		return stepDone
	}
	if !w.execute(cl, args) {
		return stepHeld
	}
	if w.ctx.Cut { // a reply that ends in the middle is nothing to be sent
		w.ctx.Cut = false
		w.endOverfed(cl)
	}
	if cl.flags&(closing|blocked) != 0 {
		w.congested = nil // it sends no more for now, and others have not done it
		if cl.has(closing) {
			return stepEnd
		}
		return stepLast
	}
	if !w.local.queue.empty() {
		w.deliverWithin(cl)
	}
	if w.congested != nil {
		w.holdAuthor(cl)
		return stepLast
	}
	if len(w.out.Buf) > outPauseBytes {
		cl.conn.Kick()
		return stepLast
	}
	return stepDone
}

// deliverWithin hands out local messages between two commands of a batch: the
// client that executes may be among those who get them.
func (w *worker) deliverWithin(cl *Client) {
	cl.conn.Out = w.out.Buf
	w.handOut()
	w.out.Buf = cl.conn.Out
}

// expect tells the loop how much a command in parts still needs, and ends
// connections whose query grows beyond its limit.
func (w *worker) expect(cl *Client, have int) {
	missing := cl.parser.Missing()
	cl.expects = have + missing
	// Whole arguments do not count, as they do not in Redis; the one that is on its
	// way does with all its announced length.
	if _, at := cl.parser.Unfinished(); int64(have-at+missing) > w.srv.queryBufferMax.Load() {
		w.endOverlong(cl)
		return
	}
	if missing > 0 {
		cl.conn.ExpectMore(missing)
	}
}

// protocolError answers malformed input and ends the connection.
func (w *worker) protocolError(cl *Client, err error, all int) int {
	w.replyError(nil, "ERR "+err.Error())
	w.srv.logf(Verbose, "Protocol error (%s) from client: %s", err, w.describe(cl))
	cl.closeSoon()
	return all
}

// Flushed goes on with a client whose output was pending.
func (w *worker) Flushed(conn *eventloop.Conn) {
	cl := conn.User.(*Client)
	cl.softSince = 0
	conn.Kick()
}
