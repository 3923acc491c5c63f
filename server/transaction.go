package server

import (
	"dozo/command"
	"dozo/keyspace"
)

// transaction is the queue of MULTI.
type transaction struct {
	queue []queued
	bytes int64 // memory of the queue
	// flags is the union of the queued commands' flags.
	flags command.Flags
}

// queued is one command that waits for EXEC, with its own copy of the words.
type queued struct {
	cmd  *command.Command
	args [][]byte
}

func (t *transaction) reset() {
	clear(t.queue)
	*t = transaction{queue: t.queue[:0]}
	if cap(t.queue) > 1024 {
		t.queue = nil
	}
}

// push copies a call to the end of the queue.
func (t *transaction) push(cmd *command.Command, args [][]byte) {
	words, bytes := copyWords(args)
	t.queue = append(t.queue, queued{cmd, words})
	t.bytes += bytes
	t.flags |= cmd.Flags
	if cmd.RunsAlone(words) {
		t.flags |= command.Exclusive
	}
}

// copyWords makes words that outlive the connection's buffer, and says what they
// take.
func copyWords(args [][]byte) (words [][]byte, bytes int64) {
	n := 0
	for _, a := range args {
		n += len(a)
	}
	buf := make([]byte, 0, n)
	words = make([][]byte, len(args))
	for i, a := range args {
		start := len(buf)
		buf = append(buf, a...)
		words[i] = buf[start:len(buf):len(buf)]
	}
	return words, int64(n) + int64(len(args))*24
}

var (
	errNestedMulti  error = command.ReplyError("ERR MULTI calls can not be nested")
	errExecAlone    error = command.ReplyError("ERR EXEC without MULTI")
	errDiscardAlone error = command.ReplyError("ERR DISCARD without MULTI")
	errWatchInMulti error = command.ReplyError("ERR WATCH inside MULTI is not allowed")
	errNotInMulti   error = command.ReplyError("ERR Command not allowed inside a transaction")
)

func multi(c *command.Context) error {
	cl := clientOf(c)
	if cl.has(inMulti) {
		return errNestedMulti
	}
	cl.set(inMulti, true)
	c.Out.OK()
	return nil
}

func discard(c *command.Context) error {
	cl := clientOf(c)
	if !cl.has(inMulti) {
		return errDiscardAlone
	}
	cl.worker.endTransaction(cl)
	c.Out.OK()
	return nil
}

// endTransaction forgets queue and watched keys. No shard is held.
func (w *worker) endTransaction(cl *Client) {
	cl.tx.reset()
	cl.flags &^= inMulti | dirtyExec
	if cl.watch.Watching() {
		w.view.Unwatch(&cl.watch)
	}
}

// watch's declared keys are held, so the versions it sees are of one moment.
func watch(c *command.Context) error {
	cl := clientOf(c)
	if cl.has(inMulti) {
		return errWatchInMulti
	}
	for _, key := range c.Args[1:] {
		c.View.Watch(&cl.watch, key)
	}
	c.Out.OK()
	return nil
}

func unwatch(c *command.Context) error {
	cl := clientOf(c)
	if cl.watch.Watching() {
		c.View.Unwatch(&cl.watch)
	}
	c.Out.OK()
	return nil
}

func exec(c *command.Context) error {
	cl := clientOf(c)
	return cl.worker.exec(cl)
}

// exec runs the queue of a client as one step: with the shards of all its keys
// and of all watched keys held, or alone if a queued command needs that.
func (w *worker) exec(cl *Client) error {
	if !cl.has(inMulti) {
		return errExecAlone
	}
	if cl.has(dirtyExec) {
		w.endTransaction(cl)
		return command.ErrExecAbort
	}
	defer w.endTransaction(cl)
	if cl.tx.flags&(command.Exclusive|command.Roams) != 0 {
		w.alone(func() { w.execHeld(cl) })
		return nil
	}
	var set keyspace.LockSet
	w.ks.AddWatched(&set, &cl.watch)
	for i := range cl.tx.queue {
		q := &cl.tx.queue[i]
		w.refs = q.cmd.LockSet(&set, w.ks, q.args, w.refs)
	}
	w.ks.Lock(w.view, &set)
	w.execHeld(cl)
	w.ks.Unlock(w.view, &set)
	return nil
}

// execHeld runs the queue with everything held that it needs.
func (w *worker) execHeld(cl *Client) {
	if w.view.Broken(&cl.watch) {
		w.out.NullArray()
		if w.srv.replies != nil {
			w.holdReply(cl, w.srv.log.Offset()) // it shows that somebody has written
		}
		return
	}
	w.view.UnwatchHeld(&cl.watch)
	w.out.Array(len(cl.tx.queue))
	w.ctx.Effects.Reset()
	w.inExec = true
	writable := !w.srv.refusesWrites()
	for i := range cl.tx.queue {
		q := &cl.tx.queue[i]
		if writable && w.srv.refusesWrites() && q.cmd.Flags&command.Write != 0 { // it has made the server a replica
			w.stats.commands[q.cmd.ID].rejected++
			w.replyError(nil, errReadOnly.Error())
			continue
		}
		w.perform(cl, q.cmd, q.args)
	}
	w.inExec = false
	w.commitExec(cl)
	w.ctx.Effects.Reset() // EXEC itself is not logged again
	w.serveReady()
}
