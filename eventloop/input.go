package eventloop

import "dozo/internal/invariants"

const (
	// readSize is what one read takes at most, unless a bigger value is expected,
	// and what one connection may read in one round.
	readSize = 64 << 10
	// tailShared is the longest unconsumed rest that is copied in front of the
	// next read in the loop's buffer instead of reading behind it in its own.
	tailShared = 4 << 10
	// bulkRead and bulkRound bound one read, and the reads of one round, into the
	// buffer of a big value. A read holds up a stop of the world while the kernel
	// copies, about 20 us for each 256 KiB.
	bulkRead  = 256 << 10
	bulkRound = 1 << 20
	// reserveMax is the most that is reserved on a peer's word that so much will
	// come; the buffer of something bigger doubles as it fills.
	reserveMax = 64 << 20
)

// inBuffer holds the bytes of a connection that arrived and were not consumed:
// buf[start:]. Most of the time there are none and buf is nil.
type inBuffer struct {
	buf   []byte
	start int
	lent  bool // a reading goroutine is writing behind buf's end
}

func (b *inBuffer) len() int      { return len(b.buf) - b.start }
func (b *inBuffer) bytes() []byte { return b.buf[b.start:] }

// room makes space for n more bytes behind the last, moving the others to the
// front of a new buffer if need be.
func (b *inBuffer) room(n int, spare *pool) {
	have := b.len()
	if cap(b.buf)-len(b.buf) >= n {
		return
	}
	if cap(b.buf) >= have+n {
		copy(b.buf[:have], b.bytes())
		b.buf, b.start = b.buf[:have], 0
		return
	}
	next := append(spare.get(have+n), b.bytes()...)
	spare.put(b.buf)
	b.buf, b.start = next, 0
}

// keep replaces the content by tail, which lies elsewhere, with room for n more.
func (b *inBuffer) keep(tail []byte, n int, spare *pool) {
	want := len(tail) + n
	if cap(b.buf) < want || cap(b.buf) > 8*want {
		spare.put(b.buf)
		b.buf = spare.get(want)
	}
	b.buf, b.start = append(b.buf[:0], tail...), 0
}

// drop forgets the content and gives the buffer back, unless a reading goroutine
// still has it: then it is left to the garbage collector.
func (b *inBuffer) drop(spare *pool) {
	if b.buf == nil {
		return
	}
	if !b.lent {
		spare.put(b.buf)
	}
	b.buf, b.start = nil, 0
}

// direct says whether the next read goes behind what the connection's own buffer
// holds. Otherwise the rest is small and is put in front of the next read, so that
// the read is a full one and the bytes are parsed where they are.
func (c *Conn) direct() bool {
	return c.in.len() > tailShared || c.need > readSize-tailShared
}

// expected is how much room is reserved for what the handler said is to come.
func (c *Conn) expected() int { return min(c.need, max(c.in.len(), reserveMax)) }

// bigExpected says whether so much is expected that the buffer is made for just
// that.
func (c *Conn) bigExpected() bool { return c.need >= readSize }

// growth is how much room is made at once when there is too little: a long command
// of short words, of which only the next is ever expected, must not be copied for
// each of them.
func (c *Conn) growth() int {
	if c.bigExpected() {
		return c.expected()
	}
	return max(c.in.len(), readSize)
}

// directTarget is where the next direct read goes.
func (c *Conn) directTarget() []byte {
	enough := readSize
	if c.need > 0 {
		enough = min(c.need, readSize)
	}
	if cap(c.in.buf)-len(c.in.buf) < enough {
		c.in.room(c.growth(), &c.Loop.spare)
	}
	free := c.in.buf[len(c.in.buf):cap(c.in.buf)]
	if c.bigExpected() && len(free) > c.need {
		// What follows the value is left for the next read, so that the value's
		// buffer can go when it is consumed.
		free = free[:c.need]
	}
	return free[:min(len(free), bulkRead)]
}

// store appends p, which lies elsewhere, to the connection's own buffer.
func (c *Conn) store(p []byte) {
	if c.bigExpected() || cap(c.in.buf)-len(c.in.buf) < len(p) {
		c.in.room(max(len(p), c.growth()), &c.Loop.spare)
	}
	c.in.buf = append(c.in.buf, p...)
}

// arrivedDirect takes n bytes that were read into directTarget.
func (l *Loop) arrivedDirect(c *Conn, n int) {
	c.in.buf = c.in.buf[:len(c.in.buf)+n]
	l.arrivedOwn(c, n)
}

// arrivedOwn takes n new bytes that are in the connection's own buffer already.
func (l *Loop) arrivedOwn(c *Conn, n int) {
	l.countArrival(c, n)
	if c.need > n {
		c.need -= n
		return
	}
	c.need = 0
	if c.flags.has(flagPaused) {
		return // ResumeRead delivers
	}
	l.deliverOwn(c)
}

// arrivedShared takes all bytes that c has not consumed, n of them new, in a
// buffer that is used for something else afterwards.
func (l *Loop) arrivedShared(c *Conn, all []byte, n int) {
	l.countArrival(c, n)
	if c.need > n {
		c.need -= n
		c.in.keep(all, c.expected(), &l.spare)
		return
	}
	used := l.callData(c, all)
	if used == len(all) || c.flags.has(flagDraining|flagClosing) {
		c.in.drop(&l.spare)
		return
	}
	c.in.keep(all[used:], c.expected(), &l.spare)
}

// deliverOwn delivers what the connection's own buffer holds.
func (l *Loop) deliverOwn(c *Conn) {
	used := l.callData(c, c.in.bytes())
	c.in.start += used
	if c.in.len() == 0 && !c.in.lent || c.flags.has(flagDraining|flagClosing) {
		c.in.drop(&l.spare)
	}
}

// redeliver calls Data with what is buffered.
func (l *Loop) redeliver(c *Conn) {
	// While need is not met Data can do nothing. A lent buffer is only written
	// behind its end: what it holds can be delivered, and must be, since nothing
	// more may come before it was answered.
	if c.in.len() > 0 && c.need == 0 {
		l.deliverOwn(c)
	}
}

func (l *Loop) countArrival(c *Conn, n int) {
	c.lastActive = l.now
	l.count.BytesIn += uint64(n)
}

// callData lends c.Out the scratch buffer and calls Data.
func (l *Loop) callData(c *Conn, in []byte) int {
	c.need = 0
	if c.flags.has(flagScratch) { // for the second time in this round
		c.flush()
	}
	l.lend(c)
	used := l.handler.Data(c, in)
	if invariants.Enabled && (used < 0 || used > len(in)) {
		invariants.Failf("eventloop: Data consumed %d of %d bytes", used, len(in))
	}
	c.postpone()
	return used
}
