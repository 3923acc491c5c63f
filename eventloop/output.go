package eventloop

const (
	// scratchSize is the first size of the buffer that replies are built in, and
	// scratchKeep the largest that is kept from tick to tick.
	scratchSize = 64 << 10
	scratchKeep = 1 << 20
	// writeSize bounds one write, and drainRound what one connection may send of
	// its pending output in one round.
	writeSize  = 256 << 10
	drainRound = 1 << 20
)

// lend makes c.Out the loop's scratch buffer, unless it has content already or
// the scratch is with another connection.
func (l *Loop) lend(c *Conn) {
	if c.Out != nil || l.scratch == nil {
		return
	}
	c.Out = l.scratch
	l.scratch = nil
	c.flags |= flagScratch
}

// flush sends c.Out, queues what the socket does not take, and takes the buffer
// back. It ends the connection if that was waiting for it.
func (c *Conn) flush() {
	if len(c.Out) > 0 && !c.flags.has(flagClosing) {
		c.sendOut()
	}
	c.returnOut()
	if c.flags.has(flagDraining) && c.queue.size == 0 {
		c.end(c.err)
	}
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

// enqueue moves c.Out[from:] to the queue: small ones by copying, so that chunks
// are well filled, big ones by giving the whole buffer away.
func (c *Conn) enqueue(from int) {
	l := c.Loop
	if len(c.Out)-from < stealSize {
		c.queue.add(c.Out[from:], &l.spare)
		c.Out = c.Out[:0]
		return
	}
	c.queue.steal(c.Out, from)
	if c.flags.has(flagScratch) {
		c.flags &^= flagScratch
		l.peak = max(l.peak, len(c.Out))
		l.scratch = l.spare.get(min(max(l.peak, scratchSize), scratchKeep))
	}
	c.Out = nil
}

// returnOut gives the buffer behind c.Out back to where it came from.
func (c *Conn) returnOut() {
	l := c.Loop
	if c.flags.has(flagScratch) {
		c.flags &^= flagScratch
		l.scratch = c.Out[:0]
		if len(c.Out) > l.peak {
			l.peak = len(c.Out)
		}
	} else if c.Out != nil {
		l.spare.put(c.Out)
	}
	c.Out = nil
}

// trimScratch gives back a scratch buffer that was much larger than anything the
// replies since the last tick needed.
func (l *Loop) trimScratch() {
	if cap(l.scratch) > scratchSize && (l.peak < cap(l.scratch)/4 || cap(l.scratch) > scratchKeep) {
		l.spare.put(l.scratch)
		l.scratch = l.spare.get(scratchSize)
	}
	l.peak = 0
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
	c.settle()
}

// settle pays what is owed when nothing is pending any more.
func (c *Conn) settle() {
	if c.queue.size > 0 || c.flags.has(flagClosing) || !c.flags.has(flagOwed) {
		return
	}
	c.flags &^= flagOwed
	if c.flags.has(flagDraining) {
		if len(c.Out) == 0 {
			c.end(c.err)
		}
		return
	}
	l := c.Loop
	l.lend(c)
	l.handler.Flushed(c)
	c.flush()
}
