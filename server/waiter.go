package server

import (
	"time"

	"dozo/command"
	"dozo/eventloop"
	"dozo/keyspace"
	"dozo/resp"
)

// A client in a blocking command waits for keys by a keyspace.Wait, which says who
// may serve it. Whoever makes a key of use serves the client at the end of its own
// step: it runs Serve with its own Context and what it holds, and logs what comes
// of it behind its own effects. Only the reply goes to the client's own loop, which
// may be another one, where it ends the wait.

// waiter is one blocking call.
type waiter struct {
	keyspace.Wait
	client  *Client
	cmd     *command.Command
	args    [][]byte
	bytes   int64 // memory of args, and of the waiting for keys
	db      int
	dest    int // the argument that serving writes to; 0 = none
	proto   int
	noTouch bool
	serve   func(c *command.Context, ready []int) (served bool, err error)

	// What serving has brought.
	reply  []byte
	shown  uint64 // the log's offset that the reply waits for; 0 = none
	wrote  uint64 // where what it wrote ends in the log; 0 = nothing
	took   time.Duration
	failed bool
}

// waitBytes is what it costs to wait for a key of usual length.
const waitBytes = 192

// MayBlock implements command.Blocker.
func (w *worker) MayBlock() bool {
	return w.current != nil && !w.inExec && !w.current.has(fromPrimary)
}

// Block implements command.Blocker: the present call waits.
func (w *worker) Block(o *command.Wait) {
	cl, c := w.current, &w.ctx
	b := &waiter{client: cl, cmd: c.Cmd, db: c.DB, dest: o.Dest, proto: cl.proto, noTouch: c.NoTouch, serve: o.Serve}
	b.args, b.bytes = copyWords(c.Args)
	b.Wait.Owner, b.Type, b.Gone, b.Rivals = b, o.Type, o.Gone, string(o.Rivals)
	keys := make([][]byte, len(o.Keys))
	for i, at := range o.Keys {
		keys[i] = b.args[at]
	}
	var dest []byte
	if o.Dest != 0 {
		dest = b.args[o.Dest]
	}
	b.bytes += int64(len(keys)) * waitBytes
	w.view.Begin(&b.Wait, keys, o.Keys, dest)
	w.block(cl, o.Timeout, (*resp.Writer).NullArray)
	cl.block.waiter = b
}

// Serve implements keyspace.Events: a key is of use to a client that waits. This
// loop holds what is needed; the client may be another's.
func (w *worker) Serve(wait *keyspace.Wait, ready []int) bool {
	b := wait.Owner.(*waiter)
	ctx := &w.ctx
	args, cmd, db, noTouch, doing := ctx.Args, ctx.Cmd, ctx.DB, ctx.NoTouch, ctx.Doing
	out := w.out
	w.out = resp.Writer{Buf: w.serveBuf[:0], Proto: b.proto}
	ctx.Args, ctx.Cmd, ctx.DB, ctx.NoTouch, ctx.Doing = b.args, b.cmd, b.db, b.noTouch, b.cmd.FullName
	began := w.srv.clock.Monotonic()
	served := w.serveCall(b, ready)
	if b.took = w.srv.clock.Monotonic() - began; served {
		b.reply = append([]byte(nil), w.out.Buf...)
		w.tellServed(b)
	}
	if w.serveBuf = w.out.Buf; cap(w.serveBuf) > scratchMax {
		w.serveBuf = nil
	}
	w.out = out
	ctx.Args, ctx.Cmd, ctx.DB, ctx.NoTouch, ctx.Doing = args, cmd, db, noTouch, doing
	return served
}

// serveCall runs a call's Serve and logs what it did.
func (w *worker) serveCall(b *waiter, ready []int) bool {
	effects := &w.ctx.Effects
	effects.Reset()
	w.running = true
	served, err := b.serve(&w.ctx, ready)
	w.running = false
	if err != nil {
		b.failed, served = true, true
		w.replyError(b.cmd, err.Error())
	}
	if effects.Dirty != 0 {
		w.dirty += effects.Dirty
		if !effects.Explicit() {
			effects.Add(b.db, b.args...)
		}
	}
	if end, logged := w.logEffects(); logged {
		b.wrote, b.shown = end, end
	}
	if w.srv.replies != nil {
		w.settleServed(b, ready)
	}
	effects.Reset()
	return served
}

// tellServed has the reply handed out by the client's loop, when nothing is held.
func (w *worker) tellServed(b *waiter) {
	if to := b.client.worker; to != w {
		to.loop.Post(eventloop.Message{Kind: msgServed, Any: b})
		return
	}
	w.servedHere = append(w.servedHere, b)
}

// deliverServed hands out the replies to clients of this loop that were served by
// calls of this loop.
func (w *worker) deliverServed() {
	list := w.servedHere
	for i, b := range list {
		w.deliver(b)
		list[i] = nil
	}
	w.servedHere = list[:0]
}

// deliver hands a client its reply and ends the wait.
func (w *worker) deliver(b *waiter) {
	cl := b.client
	if cl.freed || cl.block.waiter != b {
		return // it has gone
	}
	if !cl.block.muted {
		mark := len(cl.conn.Out)
		w.push(cl, b.reply)
		w.holdFrom(cl, mark, b.shown)
	}
	cl.lastWrite = max(cl.lastWrite, b.wrote)
	w.endBlock(cl)
	w.accountWait(cl, b, b.took, b.failed)
	cl.conn.Kick()
}

// accountWait counts a call that has waited, when it is over. b is nil if that was not
// for keys. Waiting itself takes no time.
func (w *worker) accountWait(cl *Client, b *waiter, took time.Duration, failed bool) {
	took += cl.block.took
	s := &w.stats.commands[cl.last.ID]
	s.calls++
	s.nanos += int64(took)
	if failed {
		s.failed++
	}
	if w.srv.trackLatency.Load() {
		s.record(int64(took))
	}
	if b != nil && int64(took) >= w.srv.noticeNanos.Load() {
		w.noticeLong(cl, b.cmd, b.args, took)
	}
}

// serveReady serves those who wait for what the step has made of use. All that it
// held is still held.
func (w *worker) serveReady() {
	if w.view.HasReady() {
		w.tellTime() // a long step may have outlived its own keys
		w.view.ServeReady()
	}
}

// sendRechecks asks the owners of waits to look at their keys.
func (w *worker) sendRechecks() {
	for _, wait := range w.view.Rechecks() {
		b := wait.Owner.(*waiter)
		b.client.worker.call(func(own *worker) { own.recheck(b) })
	}
}

// recheck looks at all keys of a client that waits.
func (w *worker) recheck(b *waiter) {
	if cl := b.client; cl.freed || cl.block.waiter != b {
		return
	}
	w.readTime()
	w.ctx.Effects.Enabled = w.srv.records()
	w.ctx.NotifyMask = command.Event(w.srv.notifyMask.Load())
	var set keyspace.LockSet
	w.ks.AddWaited(&set, &b.Wait)
	w.ks.Lock(w.view, &set)
	w.view.Recheck(&b.Wait)
	w.ks.Unlock(w.view, &set)
}
