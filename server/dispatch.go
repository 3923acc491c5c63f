package server

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"dozo/command"
	"dozo/keyspace"
	"dozo/oplog"
	"dozo/rdb"
	"dozo/text"
)

// attention are the states of the server that take every command off the fast
// path of dispatch. They are set under exclusive mode, read by all.
type attention uint32

const (
	attnMonitors    attention = 1 << iota // somebody runs MONITOR
	attnPaused                            // CLIENT PAUSE, or another reason for clients to wait
	attnMaxMemory                         // a memory limit is set
	attnLoading                           // the data set is being loaded
	attnClients                           // maxmemory-clients is set
	attnMisconf                           // what is written could not be kept
	attnLogFull                           // too much of the log is not kept by the disk
	attnFewReplicas                       // fewer replicas are there than writes need
	attnStale                             // the primary is away, and nobody is to read old data
	attnFollows                           // the node follows a primary
	attnReceiving                         // a primary's snapshot is loaded beside the data
)

var (
	errQueryBuffer = errors.New("query buffer limit reached (client-query-buffer-limit)")
	errBrowser     = errors.New("the client speaks HTTP")
)

// execute runs one command, or queues or refuses it. False means that it must
// wait (CLIENT PAUSE): nothing has happened and it is to be read again.
func (w *worker) execute(cl *Client, args [][]byte) bool {
	cmd := w.table.Lookup(args[0])
	if cmd == nil || !cmd.Accepts(len(args)) || cmd.IsContainer() {
		if cmd = w.resolve(cl, cmd, args); cmd == nil {
			return true
		}
	}
	cl.last = cmd
	state := attention(w.srv.attention.Load())
	if cl.flags&unusual != 0 || state != 0 && !state.spares(cmd) || cmd.Flags&(command.Protected|command.NoMulti) != 0 {
		return w.executeSlow(cl, cmd, args)
	}
	w.run(cl, cmd, args)
	return true
}

// spares tells whether a command takes the fast path all the same: one that only reads
// finds nothing to check on a node that follows.
func (a attention) spares(cmd *command.Command) bool {
	return a&^(attnFollows|attnReceiving) == 0 && cmd.Flags&(command.ReadOnly|command.NoAsyncLoading) == command.ReadOnly
}

// resolve finds the subcommand of a container and answers what cannot be run.
func (w *worker) resolve(cl *Client, cmd *command.Command, args [][]byte) *command.Command {
	cl.last = cmd
	if cmd == nil {
		if spokenByBrowsers(args[0]) {
			w.cutBrowser(cl)
			return nil
		}
		w.refuseCall(cl, nil, unknownCommand(args))
		return nil
	}
	if cmd.IsContainer() && len(args) > 1 {
		sub := cmd.Sub(args[1])
		if sub == nil {
			w.refuseCall(cl, cmd, fmt.Sprintf("ERR unknown subcommand '%s'. Try %s HELP.", shown(args[1], shownOfCall), cmd.Name))
			return nil
		}
		cmd = sub
	}
	if !cmd.Accepts(len(args)) || cmd.Handler == nil {
		w.refuseCall(cl, cmd, wrongNumber(cmd))
		return nil
	}
	return cmd
}

// wrongNumber is the answer to too few or too many words.
func wrongNumber(cmd *command.Command) string {
	return "ERR wrong number of arguments for '" + cmd.FullName + "' command"
}

// unknownCommand is Redis' answer to a name it does not know.
func unknownCommand(args [][]byte) string {
	var rest []byte
	for _, a := range args[1:] {
		room := shownOfCall - len(rest)
		if room <= 0 {
			break
		}
		rest = append(rest, '\'')
		rest = append(rest, shown(a, room)...)
		rest = append(rest, "' "...)
	}
	return fmt.Sprintf("ERR unknown command '%s', with args beginning with: %s", shown(args[0], shownOfCall), rest)
}

// shownOfCall is how much of a wrong call an error repeats.
const shownOfCall = 128

// shown is the beginning of an argument as errors repeat it: it ends at a zero
// byte, as in a server written in C.
func shown(arg []byte, room int) []byte {
	if i := bytes.IndexByte(arg, 0); i >= 0 {
		arg = arg[:i]
	}
	return arg[:min(len(arg), room)]
}

// spokenByBrowsers tells whether a line comes from HTTP: a page can have a browser
// post a body of commands to a server that the browser, but not the page's author,
// may reach.
func spokenByBrowsers(word []byte) bool {
	return text.EqualFold(word, "POST") || text.EqualFold(word, "host:")
}

// warnEvery is how often a warning that anybody can provoke is logged.
const warnEvery = time.Minute

// cutBrowser ends a connection that speaks HTTP, before the body comes.
func (w *worker) cutBrowser(cl *Client) {
	now := int64(w.srv.clock.Monotonic())
	last := w.srv.warnedOfBrowser.Load()
	if (last == 0 || now-last >= int64(warnEvery)) && w.srv.warnedOfBrowser.CompareAndSwap(last, now) {
		w.srv.logf(Warning, "Possible SECURITY ATTACK detected. %s sends POST or Host: as to a web server, which is how "+
			"Cross Protocol Scripting reaches a data store through somebody's browser. The connection was aborted.", cl.remote)
	}
	cl.set(closing, true)
	cl.conn.Close(errBrowser)
}

// executeSlow is execute with every check there is, in Redis' order.
func (w *worker) executeSlow(cl *Client, cmd *command.Command, args [][]byte) bool {
	if cl.has(held) {
		return false
	}
	if w.srv.attends(attnClients) && !w.evictBefore(cl) {
		return true
	}
	if w.srv.mustAwaitLoad(cmd) {
		w.hold(cl)
		return false
	}
	if err := w.permit(cl, cmd, args); err != nil {
		w.refuseCall(cl, cmd, err.Error())
		return true
	}
	if w.srv.mustPause(cl, cmd) || w.srv.awaitsDisk(cl, cmd) {
		w.hold(cl)
		return false
	}
	mark, wasReplica := len(w.out.Buf), cl.has(isReplica)
	w.beforeReply(cl)
	if cl.has(inMulti) && !runsInsideMulti(cmd) {
		cl.tx.push(cmd, args)
		w.out.SimpleString("QUEUED")
	} else {
		// What is not held during a pause only reads.
		w.view.KeepDead = w.srv.pausing()
		w.run(cl, cmd, args)
		w.view.KeepDead = false
		if wasReplica && w.replied(cl, mark) {
			return true
		}
	}
	w.afterReply(cl, mark)
	return true
}

// runsInsideMulti tells which commands are not queued.
func runsInsideMulti(cmd *command.Command) bool {
	switch cmd.FullName {
	case "exec", "discard", "multi", "watch", "quit", "reset":
		return true
	}
	return false
}

// permit makes every check that can refuse a command before it runs. Users'
// permissions join it with ACL.
func (w *worker) permit(cl *Client, cmd *command.Command, args [][]byte) error {
	if cmd.Flags&command.Protected != 0 {
		if err := w.srv.permitProtected(cl, cmd); err != nil {
			return err
		}
	}
	if cl.has(unauthed) && cmd.Flags&command.NoAuth == 0 {
		return command.ErrNoAuth
	}
	if cl.has(inMulti) && cmd.Flags&command.NoMulti != 0 {
		return errNotInMulti
	}
	if err := w.permitMemory(cl, cmd); err != nil {
		return err
	}
	if err := w.permitWrite(cl, cmd); err != nil {
		return err
	}
	if w.srv.attends(attnFewReplicas) && cl.mayChange(cmd)&command.Write != 0 {
		return errFewReplicas
	}
	if w.srv.refusesWrites() && cl.mayChange(cmd)&command.Write != 0 {
		return errReadOnly
	}
	if cl.has(subscribed) && cl.proto == 2 && !allowedSubscribed(cmd) {
		return command.ReplyError("ERR Can't execute '" + cmd.FullName + "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context")
	}
	if w.srv.attends(attnStale) && !cl.allOf(cmd, allowedStale) {
		return errStale
	}
	if w.srv.attends(attnLoading|attnReceiving) && w.srv.refusesLoading(cl, cmd) {
		return command.ErrLoading
	}
	if cl.has(monitoring) && cmd.Flags&(command.Write|command.ReadOnly|command.MayReplicate) != 0 {
		return errMonitorReads
	}
	return nil
}

// permitMemory makes room when memory is short, and refuses what would take
// more when there is none.
func (w *worker) permitMemory(cl *Client, cmd *command.Command) error {
	if w.ks.Over() <= 0 {
		return nil
	}
	if w.makeRoom() {
		return nil
	}
	refuse := cmd.Flags&command.DenyOOM != 0
	if cl.has(inMulti) {
		switch cmd.FullName {
		case "exec":
			refuse = cl.tx.flags&command.DenyOOM != 0
		case "discard", "quit", "reset":
		default:
			refuse = true // a queue takes memory, too
		}
	}
	if refuse {
		return command.ErrOOM
	}
	return nil
}

// allowedLoading tells what can be run while the data is being loaded, by others than the
// loops: nothing that looks at keys, WATCH included.
func allowedLoading(cmd *command.Command) bool {
	return cmd.Flags&command.Loading != 0 && len(cmd.Keys) == 0
}

// allowedStale tells what can be run while the data may be old.
func allowedStale(cmd *command.Command) bool { return cmd.Flags&command.Stale != 0 }

// allOf tells whether a command is allowed, and for EXEC, whether all is that was queued.
func (cl *Client) allOf(cmd *command.Command, allowed func(*command.Command) bool) bool {
	if cmd.FullName == "exec" {
		for i := range cl.tx.queue {
			if !allowed(cl.tx.queue[i].cmd) {
				return false
			}
		}
	}
	return allowed(cmd)
}

func allowedSubscribed(cmd *command.Command) bool {
	switch cmd.FullName {
	case "ping", "quit", "reset", "subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ssubscribe", "sunsubscribe":
		return true
	}
	return false
}

// refuseCall answers a call that does not run; inside MULTI it spoils the
// transaction.
func (w *worker) refuseCall(cl *Client, cmd *command.Command, msg string) {
	mark := len(w.out.Buf)
	w.beforeReply(cl)
	if cl.has(inMulti) {
		cl.set(dirtyExec, true)
	}
	if cmd != nil {
		w.stats.commands[cmd.ID].rejected++
		if cmd.FullName == "exec" {
			w.endTransaction(cl)
			msg = execAborted(msg)
		}
	}
	w.replyError(nil, msg)
	w.afterReply(cl, mark)
}

// execAborted is what EXEC answers when it is refused itself.
func execAborted(msg string) string {
	return "EXECABORT Transaction discarded because of: " + dropCode(msg)
}

func dropCode(msg string) string {
	if len(msg) > 4 && msg[:4] == "ERR " {
		return msg[4:]
	}
	return msg
}

// beforeReply and afterReply carry out CLIENT REPLY: what was written from mark
// on is dropped if this client's replies are, but for the messages among it.
func (w *worker) beforeReply(cl *Client) {
	if cl.has(replySkipNext) {
		cl.flags = cl.flags&^replySkipNext | replySkip
	}
}

func (w *worker) afterReply(cl *Client, mark int) {
	if cl.muted() {
		w.out.Buf = append(w.out.Buf[:mark], w.unmuted...)
		cl.set(replySkip, false)
	}
	if w.unmuted = w.unmuted[:0]; cap(w.unmuted) > scratchMax {
		w.unmuted = nil
	}
}

// run takes what the command needs to hold and performs it.
func (w *worker) run(cl *Client, cmd *command.Command, args [][]byte) {
	w.ctx.Effects.Reset()
	w.replyMark = len(w.out.Buf)
	switch {
	case cmd.OneKey != 0:
		shard := w.ks.LockKey(w.view, w.ks.Hash(args[cmd.OneKey]))
		if w.ks.LeadsAway(shard) {
			w.ks.UnlockShard(w.view, shard)
			w.runHolding(cl, cmd, args)
			return
		}
		w.perform(cl, cmd, args)
		w.commit(cl, cmd, args)
		w.serveReady()
		w.ks.UnlockShard(w.view, shard)
	case cmd.RunsAlone(args):
		w.alone(func() {
			w.perform(cl, cmd, args)
			w.commit(cl, cmd, args)
		})
	case len(cmd.Keys) == 0:
		w.perform(cl, cmd, args)
		w.commit(cl, cmd, args)
	default:
		w.runHolding(cl, cmd, args)
	}
}

// runHolding performs a command with the shards of all its keys held.
func (w *worker) runHolding(cl *Client, cmd *command.Command, args [][]byte) {
	var set keyspace.LockSet
	w.refs = cmd.LockSet(&set, w.ks, args, w.refs)
	w.ks.Lock(w.view, &set)
	if len(w.refs) > 1 && w.ks.Large() {
		w.warmHeld(cl, args)
	}
	w.perform(cl, cmd, args)
	w.commit(cl, cmd, args)
	w.serveReady()
	w.ks.Unlock(w.view, &set)
}

// perform calls the handler with everything held that it needs, answers its
// error, and counts.
func (w *worker) perform(cl *Client, cmd *command.Command, args [][]byte) {
	ctx := &w.ctx
	ctx.Args, ctx.Cmd = args, cmd
	ctx.DB, ctx.NoTouch, ctx.Doing = cl.db, cl.has(noTouch), cmd.FullName
	ctx.NotifyMask = command.Event(w.srv.notifyMask.Load())
	ctx.Effects.Begin()
	w.running = true
	err := cmd.Handler(ctx)
	w.running = false
	if err != nil {
		w.stats.commands[cmd.ID].failed++
		w.replyError(cmd, err.Error())
		if f, ok := err.(*rdb.Fault); ok {
			w.logFault(args, f)
		}
	}
	if ctx.Effects.Dirty != 0 {
		w.dirty += ctx.Effects.Dirty
		if !ctx.Effects.Explicit() {
			ctx.Effects.Add(ctx.DB, args...)
		}
	}
	if w.srv.attends(attnMonitors) {
		w.feedMonitors(cl, cmd, args)
	}
	if cap(ctx.Scratch) > scratchMax {
		ctx.Scratch = nil
	}
	w.account(cl, cmd, args)
}

// logFault tells the log what is wrong with what somebody has asked to RESTORE.
func (w *worker) logFault(args [][]byte, f *rdb.Fault) {
	if len(args) < 4 || len(args[3]) == 0 || !rdb.Type(args[3][0]).Known() {
		return
	}
	kind := rdb.Type(args[3][0]).Object().String()
	w.srv.logf(Verbose, "The payload for the key %.100q is refused: %s%s %s", args[1], strings.ToUpper(kind[:1]), kind[1:], f.What)
}

// commit hands the effects of a call to the log while everything is still held, so
// that the log has writes of a key in their order.
func (w *worker) commit(cl *Client, cmd *command.Command, args [][]byte) {
	if w.inExec {
		return
	}
	end, logged := w.logEffects()
	if logged {
		w.noteOwnWrite(cl, cmd.Flags, end)
	}
	if w.srv.replies != nil {
		w.settle(cl, cmd, args, end, logged)
	}
}

// commitExec is commit for all calls of an EXEC together.
func (w *worker) commitExec(cl *Client) {
	end, logged := w.logEffects()
	if logged {
		w.noteOwnWrite(cl, cl.tx.flags, end)
	}
	if w.srv.replies != nil {
		w.settleExec(cl, end, logged)
	}
}

// noteOwnWrite notes where what a client's call has logged ends.
func (w *worker) noteOwnWrite(cl *Client, flags command.Flags, end uint64) {
	cl.lastWrite = end
	if w.wroteMark < 0 && changes(flags) {
		w.wroteMark = w.replyMark
	}
}

// logEffects appends what was recorded to the log, and says where it ends there.
func (w *worker) logEffects() (end uint64, logged bool) {
	units, bytes := w.ctx.Effects.Units()
	if len(units) == 0 {
		return w.logRaw()
	}
	u := w.srv.log.Begin()
	if len(units) > 1 {
		u.Write(oplog.NoDB, multiBytes)
	}
	start := 0
	for _, e := range units {
		u.Write(e.DB, bytes[start:e.End])
		start = e.End
	}
	if len(units) > 1 {
		u.Write(oplog.NoDB, execBytes)
	}
	return u.End(), true
}

var (
	multiBytes = []byte("*1\r\n$5\r\nMULTI\r\n")
	execBytes  = []byte("*1\r\n$4\r\nEXEC\r\n")
)

// Removed implements keyspace.Events: a key went because its time was over or
// memory was short. The log gets a DEL, before the effects of the command that
// met the key. As a change that asks for a snapshot it does not count: a restart
// would lose the key as well.
func (w *worker) Removed(db int, key []byte, why keyspace.Reason) {
	if w.srv.records() {
		verb := "DEL"
		if w.srv.lazyRemoval(why) {
			verb = "UNLINK"
		}
		end := w.logRemoval(db, []byte(verb), key)
		if r := w.srv.replies; r != nil && why == keyspace.Evicted && end != 0 {
			*r.at(w.ks.Hash(key)) = end
		}
	}
	switch why {
	case keyspace.Expired:
		w.notify(command.EventExpired, "expired", db, key)
	case keyspace.Evicted:
		w.notify(command.EventEvicted, "evicted", db, key)
	case keyspace.FieldsGone:
		w.FieldsExpired(db, key, true)
	}
}

// FieldExpired implements keyspace.Events: the log gets an HDEL.
func (w *worker) FieldExpired(db int, key, field []byte) {
	if w.srv.records() {
		w.logRemoval(db, []byte("HDEL"), key, field)
	}
}

// FieldsExpired implements keyspace.Events.
func (w *worker) FieldsExpired(db int, key []byte, emptied bool) {
	w.notify(command.EventHash, "hexpired", db, key)
	if emptied {
		w.notify(command.EventGeneric, "del", db, key)
	}
}

// notify sends a key event that no command has caused, if anybody wants its class.
func (w *worker) notify(class command.Event, name string, db int, key []byte) {
	if command.Event(w.srv.notifyMask.Load())&class != 0 {
		w.KeyEvent(class, name, db, key)
	}
}

// logRemoval logs a command that removes something, before what the command that
// runs logs. end is where it ends in the log, 0 if it goes there with that command.
func (w *worker) logRemoval(db int, words ...[]byte) (end uint64) {
	if w.running || w.inExec {
		w.ctx.Effects.Add(db, words...)
		return 0
	}
	w.removal.Buf = w.removal.Buf[:0]
	w.removal.Command(words...)
	return w.srv.log.Append(db, w.removal.Buf)
}

// account ends the measuring of a call.
func (w *worker) account(cl *Client, cmd *command.Command, args [][]byte) {
	now := w.watch.After(w.mono)
	took := now - w.mono
	w.mono = now
	cl.commands++
	if cl.has(blocked) {
		cl.block.took = took
		return // it counts when the wait is over
	}
	s := &w.stats.commands[cmd.ID]
	s.calls++
	s.nanos += int64(took)
	if w.srv.trackLatency.Load() {
		s.record(int64(took))
	}
	if int64(took) >= w.srv.noticeNanos.Load() {
		w.noticeLong(cl, cmd, args, took)
	}
}

// replyError writes an error reply and counts it by its code.
func (w *worker) replyError(cmd *command.Command, msg string) {
	w.stats.countError(msg)
	w.out.Error(msg)
}

// clientOf is the connection that runs a handler of this package.
func clientOf(c *command.Context) *Client { return c.Session.(*Client) }

// argInt reads an integer argument.
func argInt(arg []byte) (int64, error) {
	n, ok := text.ParseInt(arg)
	if !ok {
		return 0, command.ErrNotInteger
	}
	return n, nil
}

// millis is a duration in whole milliseconds.
func millis(d time.Duration) int64 { return int64(d / time.Millisecond) }
