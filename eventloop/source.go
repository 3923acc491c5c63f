package eventloop

import (
	"io"
	"sync/atomic"

	"dozo/internal/invariants"
)

const (
	// sourceIdle is what the sources of one loop send, all of them together, in a
	// round in which nothing was read: more would be no faster, but would keep who
	// comes meanwhile waiting. sourceBusy is the least in a round of others, and
	// sourceShare that of one source, however many there are.
	sourceIdle  = writeSize
	sourceBusy  = 64 << 10
	sourceShare = 32 << 10
	// sourceMost bounds what a long round allows.
	sourceMost = 4 << 20
)

// Source is output that lies elsewhere: a log that is read from a position, a file
// that many read. Its bytes are written from where they lie, when the socket takes
// them, so a peer that reads slowly costs no memory here: the source lags, and may
// end with an error when it lags too much.
//
// The loop's goroutine calls it, after SetSource and until SourceEnded, Closed, or
// the SetSource that replaces it, so it must not block.
type Source interface {
	// Peek is the next bytes, as many as lie in one piece and none if there are
	// none at the moment. They must stay as they are until Advance, which follows
	// at once. io.EOF is the orderly end of the source. Any other error ends the
	// connection: what the peer would get next would not continue what it has.
	Peek() ([]byte, error)
	// Advance takes the first n of the bytes that Peek gave, perhaps none.
	Advance(n int)
	// Arm asks for a call of Conn.Wake when Peek has something to tell, and returns
	// false, asking for nothing, if it has already.
	Arm() bool
}

// SourceEnder may be implemented by a Handler that wants to know when a source came
// to its end.
type SourceEnder interface {
	// SourceEnded says that s gave io.EOF and all of it has left. What is appended
	// to c.Out leaves behind it, and the next source may be set. It does not come
	// when the connection ends, nor after CloseAfterFlush: Closed does.
	SourceEnded(c *Conn, s Source)
}

// feed is what a connection has for its sources, from the first one on.
type feed struct {
	conn   *Conn
	source Source // nil = none at the moment
	at     uint64 // where in the connection's own output it begins; see hold
	slot   int    // position in Loop.fed
	asleep bool   // it is armed: Wake brings it back
	due    bool   // in Loop.due

	woken atomic.Bool // Wake was called and not served yet
	next  *feed       // the one that was woken before
}

// SetSource makes s the connection's output: it begins when all that was appended to
// c.Out so far has left, gates included, and what is appended later leaves when s has
// ended. A source that is set already is dropped where it stands, and what was
// appended behind it leaves before s begins; nil only drops it. SetSource returns
// with the source before no longer in use.
func (c *Conn) SetSource(s Source) {
	c.checkOwner()
	if c.flags.has(flagClosing) {
		return
	}
	if c.flags.has(flagFed) {
		c.dropSource()
		c.comeAgain()
	}
	if s == nil {
		return
	}
	f := c.feed.Load()
	if f == nil {
		f = &feed{conn: c}
		c.feed.Store(f)
	}
	if len(c.Out) > 0 {
		c.MarkDirty()
	}
	f.source, f.at = s, c.sent+uint64(c.PendingOut())
	c.flags |= flagFed
	l := c.Loop
	f.slot = len(l.fed)
	l.fed = append(l.fed, f)
	c.comeAgain()
}

// Wake has the connection's source looked at. It may be called from any goroutine
// and with locks held: it takes no lock but that of a loop's wake-up, allocates
// nothing and never blocks. Calls that come before the loop has served the first
// cost one load.
func (c *Conn) Wake() {
	f := c.feed.Load()
	if f == nil || f.woken.Load() || !f.woken.CompareAndSwap(false, true) {
		return
	}
	if l := c.Loop; l.inbox.pushWoken(f) {
		l.poll.wake()
	}
}

// serveWoken looks at the sources for which Wake was called.
func (l *Loop) serveWoken() {
	for f := l.inbox.takeWoken(); f != nil; {
		next := f.next
		f.next = nil
		f.woken.Store(false) // from here on f may be woken again
		switch {
		case f.source == nil || f.conn.flags.has(flagClosing):
		case f.asleep:
			l.makeDue(f)
		default:
			f.inspect()
		}
		f = next
	}
}

// makeDue has the source send when the replies of this round have left.
func (l *Loop) makeDue(f *feed) {
	if !f.due {
		f.due = true
		l.due = append(l.due, f)
	}
}

// feedDue has the sources send whose turn it is: after the replies, which are short,
// and once a round for each.
func (l *Loop) feedDue() {
	budget := max(l.sourceRound()/max(len(l.fed), 1), sourceShare)
	for i, f := range l.due {
		l.due[i] = nil
		f.due = false
		if f.source != nil && !f.conn.flags.has(flagClosing) {
			f.conn.pump(f, budget)
			f.conn.settle()
		}
	}
	l.due = l.due[:0]
}

// sourceRound is what the sources may send in this round. Sending takes about 0.2 ns
// for each byte, so a byte for each nanosecond that the round has taken makes it
// longer by a fifth, and lets the sources keep up with 1 GB/s under any load.
func (l *Loop) sourceRound() int {
	reads := l.fedReads
	l.fedReads = l.count.Reads
	if reads == l.fedReads {
		return sourceIdle
	}
	return min(max(int(l.clock.Monotonic()-l.now), sourceBusy), sourceMost)
}

// pump sends what the source has, at most budget bytes of it.
func (c *Conn) pump(f *feed, budget int) {
	f.asleep = false
	if c.sent != f.at {
		return // what comes before has not left; progress comes back to it
	}
	for !c.link.busy() {
		p, err := f.source.Peek()
		if err != nil {
			c.sourceFailed(f, err)
			return
		}
		if len(p) == 0 {
			c.sourceEmpty(f)
			return
		}
		n, err := c.link.offer(c, p[:min(len(p), budget)])
		f.source.Advance(n)
		c.Loop.count.BytesFed += uint64(n)
		if err != nil {
			c.end(err)
			return
		}
		if budget -= n; budget <= 0 {
			c.comeAgain()
			return
		}
	}
}

// sourceEmpty is what happens when the source has nothing at the moment. That is its
// end for a connection that only waits for its output to leave.
func (c *Conn) sourceEmpty(f *feed) {
	switch {
	case c.flags.has(flagDraining):
		c.dropSource()
		c.sendQueue()
	case f.source.Arm():
		f.asleep = true
	default:
		c.comeAgain()
	}
}

// sourceFailed takes the source's end.
func (c *Conn) sourceFailed(f *feed, err error) {
	if err != io.EOF {
		c.end(err)
		return
	}
	ended := f.source
	c.dropSource()
	c.sendQueue()
	l := c.Loop
	if l.ender == nil || c.flags.has(flagDraining|flagClosing) {
		return
	}
	c.flush() // what was appended in this round goes before
	l.lend(c)
	l.ender.SourceEnded(c, ended)
	c.flush()
}

// dropSource takes the source away. What it gave has left, or is in the queue.
func (c *Conn) dropSource() {
	f, l := c.feed.Load(), c.Loop
	last := len(l.fed) - 1
	if invariants.Enabled {
		invariants.Check(l.fed[f.slot] == f, "eventloop: the source of connection %d is not in its loop's list", c.ID)
	}
	moved := l.fed[last]
	l.fed[f.slot] = moved
	moved.slot = f.slot
	l.fed[last] = nil
	l.fed = l.fed[:last]
	f.source, f.asleep = nil, false
	c.flags &^= flagFed
}

// inspect ends the connection if its source has failed: one that waits for a peer
// which does not read would not find out.
func (f *feed) inspect() {
	p, err := f.source.Peek()
	switch {
	case err != nil && err != io.EOF:
		f.conn.end(err)
	case len(p) > 0:
		f.source.Advance(0)
	}
}

// inspectSources looks at the sources that nobody will wake.
func (l *Loop) inspectSources() {
	for _, f := range l.fed {
		if !f.asleep && !f.conn.flags.has(flagClosing) {
			f.inspect()
		}
	}
}

// queueBehind keeps what was appended while a source is set: it may belong before
// the source or behind it.
func (c *Conn) queueBehind() {
	if c.flags.has(flagClosing) {
		return
	}
	c.enqueue(0)
	c.flags |= flagOwed
	c.comeAgain()
}

// comeAgain has the connection send in the next round.
func (c *Conn) comeAgain() {
	c.flags |= flagUnsent
	c.Loop.makeReady(c)
}
