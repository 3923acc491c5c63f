package eventloop

import (
	"errors"
	"io"
)

// peerEnded takes the end of the peer's output. What is pending for it is still
// sent: it may have closed only its own side. And what it sent and the Handler has
// left for later, until output has left or in a turn that it has asked for, is
// delivered before.
func (c *Conn) peerEnded(err error) {
	switch {
	case c.flags.has(flagEnded):
		return
	case !errors.Is(err, io.EOF):
	case c.flags.has(flagFed): // it would hardly ever come to an end
	case c.in.len() > 0 && (c.flags.has(flagKicked) || c.PendingOut() > 0):
		c.flags |= flagEnded
		c.endWhenServed()
		return
	case c.PendingOut() > 0:
		c.drainAndEnd(io.EOF)
		return
	}
	c.end(err)
}

// endWhenServed ends a connection whose peer has ended its side, when nothing of
// what it sent is left, or nothing is left that the Handler could wait for.
func (c *Conn) endWhenServed() {
	switch {
	case !c.flags.has(flagEnded) || c.flags.has(flagKicked):
	case c.in.len() > 0 && c.PendingOut() > 0:
		c.flags |= flagOwed // Flushed, and then a turn
	default:
		c.drainAndEnd(io.EOF)
	}
}
