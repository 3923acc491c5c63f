package eventloop

import (
	"time"
)

// Conn is one connection. It belongs to its loop: all of its fields and methods
// may be used only on that loop's goroutine, that is inside Handler calls.
type Conn struct {
	ID   uint64 // unique in the Group, from 1, in order of arrival
	Loop *Loop
	User any    // the Handler's own
	Out  []byte // replies are appended here; see MarkDirty

	lastActive time.Duration
	fd         int
	closed     bool
}

type op uint8

// FD is the file descriptor, -1 when the connection has none of its own.
func (c *Conn) FD() int { return c.fd }

// LastActive is the loop's time when bytes last arrived.
func (c *Conn) LastActive() time.Duration { return c.lastActive }

// RemoteAddr is the peer's address as host:port, or the path of a unix socket.
func (c *Conn) RemoteAddr() string { return "" }

// LocalAddr is this side's address as host:port, or the path of a unix socket.
func (c *Conn) LocalAddr() string { return "" }

// IsUnix says whether the connection came through a unix socket.
func (c *Conn) IsUnix() bool { return false }

// Close ends the connection at once; what was not written yet is dropped. Closed
// is told err, ErrClosed for nil.
func (c *Conn) Close(err error) {}

// CloseAfterFlush ends the connection when all output has left. No more input is
// delivered.
func (c *Conn) CloseAfterFlush() {}

// IsClosed says whether the connection has ended or is about to.
func (c *Conn) IsClosed() bool { return c.closed }

// PauseRead stops delivery of input until ResumeRead; the peer feels it when the
// socket's buffer is full.
func (c *Conn) PauseRead() {}

// ResumeRead ends PauseRead. What is buffered is delivered in the next round.
func (c *Conn) ResumeRead() {}

// Kick has Data called in the next round with what is buffered, if anything is.
func (c *Conn) Kick() {}

// MarkDirty has c.Out written at the end of the round. It is needed when c.Out
// is appended to outside Data and Open of this very connection, and may be called
// before the append (it then lends c.Out a buffer) or after it.
func (c *Conn) MarkDirty() {}

// ExpectMore says that Data can do nothing before n more bytes have arrived: the
// buffer is made to hold them, and Data is not called before they are there.
func (c *Conn) ExpectMore(n int) {}

// Hold makes a gate at the end of the output so far: what is appended from now on
// leaves only after Loop.Release of offset or more.
func (c *Conn) Hold(offset uint64) {}

// HoldFrom makes a gate before c.Out[from:], for a caller that learns the offset
// only after it has written the reply.
func (c *Conn) HoldFrom(from int, offset uint64) {}

// PendingOut is the number of bytes that wait to be written, c.Out included.
func (c *Conn) PendingOut() int { return len(c.Out) }

// PendingMemory is the number of bytes of memory that pending output takes.
func (c *Conn) PendingMemory() int { return cap(c.Out) }

// QueryBuffered is the number of bytes received and not consumed.
func (c *Conn) QueryBuffered() int { return 0 }

// QueryMemory is the number of bytes of memory that the query buffer takes.
func (c *Conn) QueryMemory() int { return 0 }

// SetKeepAlive sets the period of TCP keep-alive probes; 0 ends them.
func (c *Conn) SetKeepAlive(period time.Duration) error { return nil }
