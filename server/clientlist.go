package server

import (
	"fmt"
	"strings"
	"time"

	"dozo/config"
	"dozo/pubsub"
)

// primaryClient stands for the class of the connection to the primary, which has no limits.
const primaryClient = config.NumClientClasses

// class is the class of output limit that a client falls under.
func (c *Client) class() config.ClientClass {
	if c.has(fromPrimary) {
		return primaryClient
	}
	if c.has(isReplica) {
		return config.ReplicaClient
	}
	if c.flags&subscribed != 0 {
		return config.PubSubClient
	}
	return config.NormalClient
}

// flagLetters are the states of a client as CLIENT LIST abbreviates them.
func (c *Client) flagLetters() string {
	var b strings.Builder
	for _, f := range []struct {
		on     bool
		letter byte
	}{
		{c.has(fromPrimary), 'M'}, {c.has(isReplica), 'S'}, {c.has(monitoring), 'O'}, {c.has(subscribed), 'P'}, {c.has(inMulti), 'x'}, {c.flags&(blocked|held) != 0, 'b'},
		{c.watch.Dirty.Load(), 'd'}, {c.has(closing), 'c'}, {c.isUnix, 'U'},
		{c.has(noEvict), 'e'}, {c.has(noTouch), 'T'},
	} {
		if f.on {
			b.WriteByte(f.letter)
		}
	}
	if b.Len() == 0 {
		return "N"
	}
	return b.String()
}

// multiCount is the number of queued commands, -1 outside MULTI.
func (c *Client) multiCount() int {
	if !c.has(inMulti) {
		return -1
	}
	return len(c.tx.queue)
}

// idle is for how long nothing came from the client or went to it.
func (c *Client) idle(now time.Duration) time.Duration {
	if c.worker.current == c {
		return 0 // its command runs
	}
	return max(now-c.lastUsed, 0)
}

// describe is the client's line in CLIENT LIST, without the newline. The client
// is this worker's, or the worker is alone.
func (w *worker) describe(cl *Client) string {
	now := w.srv.clock.Monotonic()
	last := "NULL"
	if cl.last != nil {
		last = cl.last.FullName
	}
	if cl.worker == w {
		cl.look()
	}
	b := cl.seen
	total := cl.memory(b)
	if cl.worker.current == cl {
		total += int64(b.argv) // its command lies in the buffer that all share
	}
	events, obl, oll, omem := b.output()
	if lag := cl.replica.lag(); lag > 0 { // in the log, which all replicas share
		events, oll, omem = "rw", 1, omem+lag
		total += int64(lag)
	}
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=%d name=%s age=%d idle=%d flags=%s db=%d sub=%d psub=%d ssub=%d"+
		" multi=%d qbuf=%d qbuf-free=%d argv-mem=%d multi-mem=%d rbs=%d rbp=%d obl=%d oll=%d omem=%d tot-mem=%d"+
		" events=%s cmd=%s user=%s redir=-1 resp=%d lib-name=%s lib-ver=%s",
		cl.ID, cl.remote, cl.local, cl.fd, cl.name, int64((now - cl.created).Seconds()),
		int64(cl.idle(now).Seconds()), cl.flagLetters(), cl.db, len(cl.subs.names[pubsub.Channel]),
		len(cl.subs.names[pubsub.Pattern]), len(cl.subs.names[pubsub.Shard]), cl.multiCount(),
		b.query, max(b.queryMem-b.query-b.argv, 0), b.argv, cl.tx.bytes, b.outMem, b.outMem,
		obl, oll, omem, total, events, last, cl.user, cl.proto, cl.libName, cl.libVer)
}
