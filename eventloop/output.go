package eventloop

import "unsafe"

const (
	// scratchSize is the first size of the buffer that replies are built in, and
	// scratchMax the largest that it grows to when replies are long.
	scratchSize = 64 << 10
	scratchMax  = 1 << 20
	// scratchLow is the room that a Data call should find in it, at least; more
	// where replies are longer, since one that outgrows it is copied to the heap.
	scratchLow = 8 << 10
	// writeSize bounds one write, and drainRound what one connection may send of
	// its pending output in one round.
	writeSize  = 256 << 10
	drainRound = 1 << 20
)

// lend makes c.Out the free end of the loop's scratch buffer, unless it has content
// already. postpone or flush must follow before the next lend.
func (l *Loop) lend(c *Conn) {
	if c.Out == nil {
		n := len(l.scratch)
		c.Out = l.scratch[n:n]
		c.flags |= flagScratch
	}
}

// postpone leaves what was appended to c.Out for the end of the round: it stays
// where it is, and the next connection is lent what is behind it. Sending all
// replies of a round in one go runs the kernel's long send path while it is in the
// instruction cache (3% of the CPU time, measured with PING).
func (c *Conn) postpone() {
	l := c.Loop
	if len(c.Out) == 0 {
		c.flush()
		return
	}
	if !c.flags.has(flagDirty) {
		c.flags |= flagDirty
		l.dirty = append(l.dirty, c)
	}
	if !c.flags.has(flagScratch) {
		return
	}
	l.peak = max(l.peak, len(c.Out))
	n := len(l.scratch)
	if unsafe.SliceData(c.Out) != unsafe.SliceData(l.scratch[n:]) {
		c.flags &^= flagScratch // it has outgrown the scratch buffer
		return
	}
	m := n + len(c.Out)
	l.scratch = l.scratch[:m]
	c.Out = c.Out[:len(c.Out):len(c.Out)] // what is behind is no longer its own
	if cap(l.scratch)-m < max(scratchLow, l.peak) {
		l.flushDirty()
	}
}

// flushDirty sends what was appended since it was called last.
func (l *Loop) flushDirty() {
	for i := 0; i < len(l.dirty); i++ { // flushing may add to the list
		c := l.dirty[i]
		l.dirty[i] = nil
		c.flags &^= flagDirty
		c.flush()
	}
	l.dirty = l.dirty[:0]
	l.scratch = l.scratch[:0]
	if 2*l.peak > cap(l.scratch) && cap(l.scratch) < scratchMax {
		l.resizeScratch(2 * l.peak)
	}
}

// resizeScratch replaces the empty scratch buffer.
func (l *Loop) resizeScratch(n int) {
	l.spare.put(l.scratch)
	l.scratch = l.spare.get(min(max(n, scratchSize), scratchMax))
}

// trimBuffers makes the scratch buffer smaller again when no reply since the last
// tick needed so much, and lets spare buffers go that nobody used.
func (l *Loop) trimBuffers() {
	if len(l.scratch) == 0 && cap(l.scratch) > scratchSize && l.peak < cap(l.scratch)/8 {
		l.resizeScratch(2 * l.peak)
	}
	l.peak = 0
	l.spare.trim()
}

// flush sends c.Out, queues what the socket does not take, and takes the buffer
// back. It ends the connection if that was waiting for it.
func (c *Conn) flush() {
	if len(c.Out) > 0 {
		if !c.flags.has(flagClosing | flagFed) {
			c.sendOut()
		} else {
			c.queueBehind()
		}
	}
	c.returnOut()
	if c.flags.has(flagDraining|flagOwed) && c.queue.size == 0 {
		c.emptied()
	}
}

// emptied is what happens when a flush left nothing pending and somebody waits for
// that.
func (c *Conn) emptied() {
	switch {
	case !c.flags.has(flagDraining):
	case c.flags.has(flagFed):
		return // the source has its turn
	default:
		c.end(c.err)
		return
	}
	c.Loop.makeReady(c) // Flushed is never called inside another call
}

// sendOut is the short way of a reply: one write, nothing copied.
func (c *Conn) sendOut() {
	if c.queue.size > 0 || len(c.holds) > 0 {
		c.enqueue(0)
		c.sendQueue()
		return
	}
	n, err := c.link.write(c, c.Out)
	if err != nil {
		c.end(err)
		return
	}
	c.left(n)
	if n < len(c.Out) {
		c.enqueue(n)
		c.sendQueue()
	}
}

// left counts n bytes that have left.
func (c *Conn) left(n int) {
	c.sent += uint64(n)
	c.Loop.count.BytesOut += uint64(n)
}

// enqueue moves c.Out[from:] to the queue: by copying, so that chunks are well
// filled, but a long reply in a buffer of its own by giving the buffer away.
func (c *Conn) enqueue(from int) {
	if c.flags.has(flagScratch) || len(c.Out)-from < stealSize {
		c.queue.add(c.Out[from:], &c.Loop.spare)
		c.Out = c.Out[:0]
		return
	}
	c.queue.steal(c.Out, from)
	c.Out = nil
}

// returnOut gives the buffer behind c.Out back to where it came from.
func (c *Conn) returnOut() {
	if !c.flags.has(flagScratch) && c.Out != nil {
		c.Loop.spare.put(c.Out)
	}
	c.flags &^= flagScratch
	c.Out = nil
}

// sendQueue offers the socket what is pending and may leave.
func (c *Conn) sendQueue() {
	limit := c.passable()
	if limit > 0 {
		if err := c.link.drain(c, limit); err != nil {
			c.end(err)
			return
		}
	}
	if c.queue.size > 0 {
		c.flags |= flagOwed
	}
	if c.flags.has(flagUnsent) {
		c.Loop.makeReady(c)
	}
}

// progress sends pending output after the socket or a gate let more through, and
// tells the Handler when nothing is left.
func (c *Conn) progress() {
	if c.flags.has(flagClosing) {
		return
	}
	c.sendQueue()
	if c.flags.has(flagFed) {
		c.Loop.makeDue(c.feed.Load())
	}
	c.settle()
}

// settle pays what is owed when nothing is pending any more. Output that was
// appended and not flushed yet puts it off: flush comes back to it.
func (c *Conn) settle() {
	if c.PendingOut() > 0 || c.flags.has(flagClosing) || !c.flags.has(flagOwed) {
		return
	}
	if c.flags.has(flagDraining) && c.flags.has(flagFed) {
		return
	}
	c.flags &^= flagOwed
	if c.flags.has(flagDraining) {
		c.end(c.err)
		return
	}
	l := c.Loop
	l.lend(c)
	l.handler.Flushed(c)
	c.flush()
	if c.flags.has(flagEnded) {
		l.makeReady(c)
	}
}
