package eventloop

import (
	"sync/atomic"
	"time"

	"dozo/internal/invariants"
)

// Conn is one connection. It belongs to its loop: its fields and methods may be
// used only on that loop's goroutine, that is inside Handler calls. Other
// goroutines may hold a *Conn to name it in a Message, and read ID and Loop.
type Conn struct {
	ID   uint64 // unique in the Group, from 1, in order of arrival
	Loop *Loop  // constant
	User any    // the Handler's own
	Out  []byte // replies are appended here; see MarkDirty

	link       link
	flags      connFlags
	slot       int32 // position in Loop.conns
	in         inBuffer
	need       int // bytes that must arrive before Data is worth calling
	queue      outQueue
	sent       uint64               // bytes that have left since the start
	holds      []hold               // gates not passed yet, in order of position
	heldAt     int32                // position in Loop.held
	feed       atomic.Pointer[feed] // nil until there was a source
	lastActive time.Duration
	err        error // for Closed
	remote     string
	local      string
}

// connFlags is the state of a Conn, one bit each.
type connFlags uint16

const (
	flagPaused   connFlags = 1 << iota // PauseRead is in force
	flagUnread                         // the transport may have more to read
	flagUnsent                         // the socket may take more than was offered
	flagKicked                         // deliver what is buffered
	flagReady                          // in Loop.ready
	flagDirty                          // in Loop.dirty
	flagScratch                        // Out is the loop's scratch buffer
	flagHangup                         // the peer ended its side: read on until that shows
	flagDraining                       // close once the output has left; read no more
	flagClosing                        // in Loop.dying: nothing but Closed is to come
	flagHeld                           // in Loop.held
	flagOwed                           // Flushed is owed when nothing is pending any more
	flagUnix                           // came through a unix socket
	flagEnded                          // the peer ended its side, and some of what it sent is yet to be consumed
	flagFed                            // a source is set
)

// notReading are the states in which nothing more is read: among them that of a
// connection whose input waits for its turn. Else a peer that sends faster than its
// commands are executed would fill the memory.
const notReading = flagPaused | flagDraining | flagClosing | flagKicked

func (f connFlags) has(bits connFlags) bool { return f&bits != 0 }

// link is how a Conn reaches its peer. Its calls come from the loop's goroutine
// and never block.
type link interface {
	// start begins to deliver input to the loop.
	start(c *Conn) error
	// write offers p and returns how much of it was taken.
	write(c *Conn, p []byte) (int, error)
	// drain sends from c.queue, at most limit bytes of it. It leaves flagUnsent
	// when it stopped for fairness, and otherwise sees to it that the loop is told
	// when there is room again.
	drain(c *Conn, limit int) error
	// busy says that nothing more is taken at the moment; progress is called when
	// that changes.
	busy() bool
	// offer is given the first bytes of a source, when nothing is pending before
	// them and the link is not busy, and returns how many of them it has taken.
	offer(c *Conn, p []byte) (int, error)
	// read goes on reading: input was paused, or the last turn was cut short.
	read(c *Conn)
	// close frees what the link holds; the loop never hears of it again.
	close(c *Conn)
	fd() int
	addresses() (local, remote string)
	setKeepAlive(period time.Duration) error
}

// FD is the file descriptor, -1 when the connection has none of its own.
func (c *Conn) FD() int { return c.link.fd() }

// LastActive is the loop's time when bytes last arrived.
func (c *Conn) LastActive() time.Duration { return c.lastActive }

// RemoteAddr is the peer's address as host:port. The peer of a unix socket has
// none; the path of the socket with port 0 stands for it, as in LocalAddr.
func (c *Conn) RemoteAddr() string {
	c.learnAddresses()
	return c.remote
}

// LocalAddr is this side's address as host:port; a unix socket is path:0.
func (c *Conn) LocalAddr() string {
	c.learnAddresses()
	return c.local
}

// learnAddresses asks once; most connections are never asked.
func (c *Conn) learnAddresses() {
	if c.local == "" && c.remote == "" {
		c.local, c.remote = c.link.addresses()
		if c.IsUnix() {
			c.local, c.remote = c.local+":0", c.remote+":0"
		}
	}
}

// IsUnix says whether the connection came through a unix socket.
func (c *Conn) IsUnix() bool { return c.flags.has(flagUnix) }

// SetKeepAlive sets the period of TCP keep-alive probes; 0 ends them. It does
// nothing for connections that are not TCP.
func (c *Conn) SetKeepAlive(period time.Duration) error {
	if c.flags.has(flagUnix | flagClosing) {
		return nil
	}
	return c.link.setKeepAlive(period)
}

// Close ends the connection; output that was not written yet is dropped. The
// Handler's Closed is called with err (ErrClosed for nil) after the call in
// progress has returned, in the same round.
func (c *Conn) Close(err error) {
	c.checkOwner()
	if err == nil {
		err = ErrClosed
	}
	c.end(err)
}

// CloseAfterFlush ends the connection when all output has left. No more input is
// delivered from now on. A source is sent until it has nothing at the moment, and
// what was appended behind it leaves then; one that grows faster than the peer reads
// keeps the connection, so whoever does not want to wait for it drops it before.
func (c *Conn) CloseAfterFlush() {
	c.checkOwner()
	c.drainAndEnd(ErrClosed)
}

// IsClosed says whether the connection has ended or is about to because of Close
// or its peer; a connection that still flushes is not closed.
func (c *Conn) IsClosed() bool { return c.flags.has(flagClosing) }

// drainAndEnd closes with err once nothing is pending.
func (c *Conn) drainAndEnd(err error) {
	if c.flags.has(flagDraining | flagClosing) {
		return
	}
	c.flags |= flagDraining | flagOwed
	c.err = err
	c.MarkDirty()
	if c.flags.has(flagFed) {
		c.comeAgain()
	}
}

// end puts the connection on the list of those that Closed is due for.
func (c *Conn) end(err error) {
	if c.flags.has(flagClosing) {
		return
	}
	c.flags |= flagClosing
	c.err = err
	c.Loop.dying = append(c.Loop.dying, c)
}

// PauseRead stops the delivery of input until ResumeRead; the peer feels it when
// the socket's buffer is full. That the peer went away meanwhile is noticed only
// if it did so with a reset.
func (c *Conn) PauseRead() {
	c.checkOwner()
	c.flags |= flagPaused
}

// ResumeRead ends PauseRead. What is buffered is delivered in the next round.
func (c *Conn) ResumeRead() {
	c.checkOwner()
	if !c.flags.has(flagPaused) {
		return
	}
	c.flags &^= flagPaused
	c.flags |= flagKicked
	c.Loop.makeReady(c)
}

// Kick has Data called in the next round with what is buffered, if anything is
// and reading is not paused then. Nothing more is read before that.
func (c *Conn) Kick() {
	c.checkOwner()
	c.flags |= flagKicked
	c.Loop.makeReady(c)
}

// MarkDirty has c.Out written at the end of the round. It is needed when c.Out is
// appended to outside Data and Open of this very connection. It may be called
// before the append, and then lends c.Out a buffer, or after it.
func (c *Conn) MarkDirty() {
	c.checkOwner()
	l := c.Loop
	if c.Out == nil {
		c.Out = l.spare.get(1)
	}
	if !c.flags.has(flagDirty) {
		c.flags |= flagDirty
		l.dirty = append(l.dirty, c)
	}
}

// WantFlushed has Flushed called, in a later round, as soon as nothing is pending,
// also if the socket takes everything at once: for a handler that sends something
// long piece by piece.
func (c *Conn) WantFlushed() {
	c.checkOwner()
	c.flags |= flagOwed
	if c.PendingOut() == 0 {
		c.Loop.makeReady(c)
	}
}

// ExpectMore, called from Data, says that the handler can do nothing before n
// more bytes have arrived: the buffer is made to hold them, so that they are read
// straight to where they stay, and Data is not called before they are there.
func (c *Conn) ExpectMore(n int) {
	c.checkOwner()
	c.need = max(n, 0)
}

// PendingOut is the number of bytes that wait to be written, c.Out included. What a
// source has is not counted: the source knows how far it lags, and the limit is its
// own. (Under the portable transport what a goroutine writes of it is, up to 256 KiB.)
func (c *Conn) PendingOut() int { return c.queue.size + len(c.Out) }

// PendingMemory is the number of bytes of memory that pending output takes.
func (c *Conn) PendingMemory() int {
	if c.flags.has(flagScratch) {
		return c.queue.memory + len(c.Out)
	}
	return c.queue.memory + cap(c.Out)
}

// QueryBuffered is the number of bytes received and not consumed. Inside Data it
// is what was left by the call before.
func (c *Conn) QueryBuffered() int { return c.in.len() }

// QueryMemory is the number of bytes of memory that the query buffer takes.
func (c *Conn) QueryMemory() int { return cap(c.in.buf) }

// checkOwner finds calls from outside the Handler, in builds that look.
func (c *Conn) checkOwner() {
	if invariants.Enabled && !c.Loop.inside.Load() {
		invariants.Failf("eventloop: connection %d was touched outside its loop's Handler calls; post a Message to the loop instead", c.ID)
	}
}
