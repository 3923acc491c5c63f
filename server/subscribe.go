package server

import (
	"slices"

	"dozo/command"
	"dozo/pubsub"
	"dozo/resp"
)

// subscriptions is what one client listens to.
type subscriptions struct {
	names [pubsub.NumKinds][]string // in the order of subscribing
	bytes int64                     // memory of the subscriptions
}

// count is the number that replies to (P)SUBSCRIBE report: channels and
// patterns together, shard channels apart.
func (s *subscriptions) count(k pubsub.Kind) int {
	if k == pubsub.Shard {
		return len(s.names[pubsub.Shard])
	}
	return len(s.names[pubsub.Channel]) + len(s.names[pubsub.Pattern])
}

func (s *subscriptions) none() bool {
	return s.count(pubsub.Channel) == 0 && s.count(pubsub.Shard) == 0
}

// verbs are the words of confirmations, by kind.
var (
	subscribeVerbs   = [pubsub.NumKinds]string{"subscribe", "psubscribe", "ssubscribe"}
	unsubscribeVerbs = [pubsub.NumKinds]string{"unsubscribe", "punsubscribe", "sunsubscribe"}
	messageVerbs     = [pubsub.NumKinds]string{"message", "pmessage", "smessage"}
)

// localMessages is the pub/sub side of one worker.
type localMessages struct {
	subs *pubsub.Local[*Client]
	// queue is what this loop has to hand out, after the command that made it, so
	// that a publisher's reply precedes its own message.
	queue noteQueue
	// monitors are this loop's clients in MONITOR.
	monitors []*Client
}

func subscribeTo(k pubsub.Kind) command.Handler {
	return func(c *command.Context) error {
		cl := clientOf(c)
		if k == pubsub.Shard && cl.worker.inExec {
			return command.ReplyError("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
		}
		for _, name := range c.Args[1:] {
			cl.worker.subscribe(cl, k, string(name))
		}
		return nil
	}
}

func (w *worker) subscribe(cl *Client, k pubsub.Kind, name string) {
	if w.local.subs.Add(k, name, cl) {
		cl.subs.names[k] = append(cl.subs.names[k], name)
		cl.subs.bytes += int64(len(name)) + subscriptionBytes
		cl.set(subscribed, true)
	}
	w.confirm(cl, subscribeVerbs[k], name, true, cl.subs.count(k))
}

// confirm writes the answer to one name of a (un)subscribe command.
func (w *worker) confirm(cl *Client, verb, name string, named bool, count int) {
	out, mark := &w.out, len(w.out.Buf)
	out.Push(3)
	out.BulkString(verb)
	if named {
		out.BulkString(name)
	} else {
		out.Null()
	}
	out.Int(int64(count))
	if cl.muted() {
		w.unmuted = append(w.unmuted, out.Buf[mark:]...)
	}
}

func unsubscribeFrom(k pubsub.Kind) command.Handler {
	return func(c *command.Context) error {
		cl := clientOf(c)
		w := cl.worker
		names := cl.subs.names[k]
		if len(c.Args) > 1 {
			names = names[:0:0]
			for _, a := range c.Args[1:] {
				names = append(names, string(a))
			}
		}
		if len(names) == 0 {
			w.confirm(cl, unsubscribeVerbs[k], "", false, cl.subs.count(k))
		}
		for _, name := range slices.Clone(names) {
			w.unsubscribe(cl, k, name, true)
		}
		return nil
	}
}

func (w *worker) unsubscribe(cl *Client, k pubsub.Kind, name string, tell bool) {
	if w.local.subs.Remove(k, name, cl) {
		i := slices.Index(cl.subs.names[k], name)
		cl.subs.names[k] = slices.Delete(cl.subs.names[k], i, i+1)
		cl.subs.bytes -= int64(len(name)) + subscriptionBytes
		cl.set(subscribed, !cl.subs.none())
	}
	if tell {
		w.confirm(cl, unsubscribeVerbs[k], name, true, cl.subs.count(k))
	}
}

// unsubscribeAll ends all subscriptions of a client. The last name goes first:
// each removal is then O(1).
func (w *worker) unsubscribeAll(cl *Client, tell bool) {
	for k := range cl.subs.names {
		for n := len(cl.subs.names[k]); n > 0; n-- {
			w.unsubscribe(cl, pubsub.Kind(k), cl.subs.names[k][n-1], tell)
		}
	}
}

// publishTo is PUBLISH and SPUBLISH. Replicas get them as they get writes, for their own
// subscribers. So the append only file has them, too, while there are replicas; nobody hears
// them again when it is loaded.
func publishTo(k pubsub.Kind) command.Handler {
	return func(c *command.Context) error {
		cl := clientOf(c)
		if cl == cl.worker.srv.replayer {
			return nil
		}
		n := cl.worker.publish(k, c.Args[1], c.Args[2])
		if cl.worker.srv.logUsers&LogReplicas != 0 {
			c.Propagate(c.Args...)
		}
		c.Out.Int(int64(n))
		return nil
	}
}

// publish sends a message to all loops that have subscribers and returns how
// many there are.
func (w *worker) publish(k pubsub.Kind, channel, payload []byte) int {
	return w.srv.hub.Publish(k, channel, payload, func(loop int, m *pubsub.Message) {
		w.tell(w.srv.workers[loop], note{message: m})
	})
}

// deliverMessage writes a message to this loop's subscribers. The bytes are made
// once for each protocol version.
func (w *worker) deliverMessage(m *pubsub.Message) {
	f := frames{verb: messageVerbs[m.Kind], parts: [][]byte{m.Channel, m.Payload}}
	w.local.subs.Each(m.Kind, string(m.Channel), m.Seq, func(cl *Client) { w.push(cl, f.bytes(cl.proto)) })
	for _, p := range m.Patterns {
		f := frames{verb: messageVerbs[pubsub.Pattern], parts: [][]byte{[]byte(p), m.Channel, m.Payload}}
		w.local.subs.Each(pubsub.Pattern, p, m.Seq, func(cl *Client) { w.push(cl, f.bytes(cl.proto)) })
	}
}

// frames makes the bytes of one message, at most once for RESP2 and RESP3 each.
type frames struct {
	verb  string
	parts [][]byte
	made  [2][]byte
}

func (f *frames) bytes(proto int) []byte {
	made := &f.made[proto-2]
	if *made == nil {
		out := resp.Writer{Proto: proto}
		out.Push(1 + len(f.parts))
		out.BulkString(f.verb)
		for _, p := range f.parts {
			out.Bulk(p)
		}
		*made = out.Buf
	}
	return *made
}

// push sends bytes to a client of this loop outside its own commands.
func (w *worker) push(cl *Client, b []byte) {
	if cl.freed || cl.has(closing) {
		return
	}
	cl.lastUsed = w.mono
	cl.conn.MarkDirty()
	cl.conn.Out = append(cl.conn.Out, b...)
	w.pushed += len(b)
	if len(cl.conn.Out) > onePushMax {
		w.pushed = roundPushMax // the rest in the next round
	}
	w.enforceOutput(cl)
}

// KeyEvent implements command.Notifier: keyspace events are messages like any
// other.
func (w *worker) KeyEvent(_ command.Event, event string, db int, key []byte) {
	mask := command.Event(w.srv.notifyMask.Load())
	if mask&command.EventKeyspace != 0 {
		ch := append(append(append([]byte("__keyspace@"), itoa(int64(db))...), "__:"...), key...)
		w.publish(pubsub.Channel, ch, []byte(event))
	}
	if mask&command.EventKeyevent != 0 {
		ch := append(append(append([]byte("__keyevent@"), itoa(int64(db))...), "__:"...), event...)
		w.publish(pubsub.Channel, ch, key)
	}
}

func pubsubChannels(k pubsub.Kind) command.Handler {
	return func(c *command.Context) error {
		if len(c.Args) > 3 {
			return command.WrongArgs(c)
		}
		var pattern []byte
		if len(c.Args) == 3 {
			pattern = c.Args[2]
		}
		mark, n := c.Out.DeferLen(), 0
		clientOf(c).worker.srv.hub.Names(k, pattern, func(name string) {
			c.Out.BulkString(name)
			n++
		})
		c.Out.EndArray(mark, n)
		return nil
	}
}

func pubsubNumSub(k pubsub.Kind) command.Handler {
	return func(c *command.Context) error {
		c.Out.Array(2 * (len(c.Args) - 2))
		for _, name := range c.Args[2:] {
			c.Out.Bulk(name)
			c.Out.Int(int64(clientOf(c).worker.srv.hub.Subscribers(k, name)))
		}
		return nil
	}
}

func pubsubNumPat(c *command.Context) error {
	c.Out.Int(int64(clientOf(c).worker.srv.hub.Len(pubsub.Pattern)))
	return nil
}
