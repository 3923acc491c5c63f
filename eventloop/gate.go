package eventloop

// hold is a gate: the bytes of a connection's output from position at on wait for
// offset. Positions count the bytes sent since the connection began.
type hold struct {
	at     uint64
	offset uint64
}

// Hold makes a gate at the end of the output so far: what is appended from now on
// leaves only after Loop.Release of offset or more.
func (c *Conn) Hold(offset uint64) { c.HoldFrom(len(c.Out), offset) }

// HoldFrom makes a gate before c.Out[from:], for a caller that learns the offset
// only after it has written the reply. Order is kept: what is behind a gate waits
// for every gate before it, too. from must not lie before an earlier gate.
func (c *Conn) HoldFrom(from int, offset uint64) {
	c.checkOwner()
	if c.flags.has(flagClosing) {
		return
	}
	l := c.Loop
	at := c.sent + uint64(c.queue.size+from)
	if n := len(c.holds); n > 0 {
		last := &c.holds[n-1]
		switch {
		case offset <= last.offset:
			return // waits for the gate before it anyway
		case at <= last.at:
			last.offset = offset
			return
		}
	} else if offset <= l.released.Load() {
		return
	}
	c.holds = append(c.holds, hold{at, offset})
	if !c.flags.has(flagHeld) {
		l.addHeld(c)
	}
}

// passable is the number of pending bytes that lie before the first closed gate and
// before the source.
func (c *Conn) passable() int {
	n := c.queue.size
	if len(c.holds) > 0 {
		n = min(n, int(c.holds[0].at-c.sent))
	}
	if c.flags.has(flagFed) {
		n = min(n, int(c.feed.Load().at-c.sent))
	}
	return n
}

// openGates removes the gates up to released and says whether it found any.
func (c *Conn) openGates(released uint64) bool {
	n := 0
	for n < len(c.holds) && c.holds[n].offset <= released {
		n++
	}
	if n == 0 {
		return false
	}
	left := copy(c.holds, c.holds[n:])
	c.holds = c.holds[:left]
	return true
}

// addHeld puts c on the list of connections that have gates.
func (l *Loop) addHeld(c *Conn) {
	c.flags |= flagHeld
	c.heldAt = int32(len(l.held))
	l.held = append(l.held, c)
	// Release looks at heldConns after it has raised released, and the loop looks
	// at released after it has declared itself asleep: one of them sees the other.
	l.heldConns.Add(1)
}

// removeHeld takes c off that list.
func (l *Loop) removeHeld(c *Conn) {
	last := len(l.held) - 1
	moved := l.held[last]
	l.held[c.heldAt] = moved
	moved.heldAt = c.heldAt
	l.held[last] = nil
	l.held = l.held[:last]
	c.flags &^= flagHeld
	l.heldConns.Add(-1)
}

// Release opens every gate of this loop's connections up to offset. It may be
// called from any goroutine; lower offsets than before change nothing.
func (l *Loop) Release(offset uint64) {
	for {
		old := l.released.Load()
		if offset <= old {
			return
		}
		if l.released.CompareAndSwap(old, offset) {
			break
		}
	}
	if l.heldConns.Load() > 0 && l.inbox.claimWake() {
		l.poll.wake()
	}
}

// Restrain takes back what Release has allowed beyond offset, for gates to come: what
// has left has left. It may be called from any goroutine, while nobody calls Release.
func (l *Loop) Restrain(offset uint64) { l.released.Store(min(offset, l.released.Load())) }

// gatesMoved says whether Release has allowed something that is still held.
func (l *Loop) gatesMoved() bool {
	return len(l.held) > 0 && l.released.Load() != l.opened
}

// openHeld lets out what Release allows, with one look at each held connection.
func (l *Loop) openHeld() {
	l.opened = l.released.Load()
	for i := 0; i < len(l.held); {
		c := l.held[i]
		if c.openGates(l.opened) {
			if c.flags.has(flagFed) {
				c.comeAgain() // sources send in a round's last step, which may be over
			} else {
				c.progress()
			}
		}
		if len(c.holds) == 0 {
			l.removeHeld(c) // another one takes place i
			continue
		}
		i++
	}
}
