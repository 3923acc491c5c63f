package eventloop

import (
	"net"
	"time"
)

const (
	// streamRead is the read buffer of a connection that is idle or sends little.
	streamRead = 4 << 10
	// streamWrite is what a writing goroutine is given in one go.
	streamWrite = 256 << 10
	// streamParts is in how many parts that may be.
	streamParts = 16
)

// stream is the link that works with any net.Conn. A reading goroutine lives as
// long as the connection and has one read under way at most; a writing goroutine
// lives while there is something to write.
//
// Ownership goes to and fro: the loop sends a buffer down the turns channel, the
// reader fills it and posts opArrived, and until then the loop leaves buffer,
// got and readErr alone. Likewise parts, put and writeErr between the start of a
// writer and opSent. The bytes that parts refer to are in c.queue and do not move;
// the loop only adds behind them.
type stream struct {
	conn  net.Conn
	group *Group

	turns   chan []byte // capacity 1: the buffer to read into
	resting bool        // the reader waits for a buffer
	into    []byte      // the buffer it was given last
	got     int
	readErr error

	writing  bool
	parts    [streamParts][]byte
	put      int64
	writeErr error
	ended    bool
}

func newStream(g *Group, conn net.Conn) *Conn {
	s := &stream{conn: conn, group: g, turns: make(chan []byte, 1), resting: true}
	c := &Conn{link: s}
	if conn.LocalAddr().Network() == "unix" {
		c.flags |= flagUnix
	}
	return c
}

func (s *stream) start(c *Conn) error {
	s.group.running.Go(func() { s.readAll(c) })
	s.read(c)
	return nil
}

// readAll is the reading goroutine.
func (s *stream) readAll(c *Conn) {
	for buf := range s.turns {
		s.got, s.readErr = s.conn.Read(buf)
		failed := s.readErr != nil
		if !c.Loop.post(&Message{op: opArrived, Conn: c}) || failed {
			return
		}
	}
}

// read gives the reader its next buffer, unless it has one.
func (s *stream) read(c *Conn) {
	if !s.resting || s.ended {
		return
	}
	if s.readErr != nil {
		c.peerEnded(s.readErr)
		return
	}
	s.resting = false
	if c.direct() {
		s.into = c.directTarget()
		c.in.lent = true
	} else if s.into == nil {
		s.into = make([]byte, streamRead)
	}
	s.turns <- s.into
}

// arrived is the loop's part when the reader has a result.
func (s *stream) arrived(c *Conn) {
	if s.ended {
		return
	}
	s.resting = true
	c.Loop.count.Reads++
	s.takeBytes(c)
	if c.flags.has(notReading) {
		c.flags |= flagUnread
		return
	}
	s.read(c)
}

// takeBytes takes what was read to where it belongs.
func (s *stream) takeBytes(c *Conn) {
	l := c.Loop
	direct := c.in.lent
	c.in.lent = false
	if s.got == 0 || c.flags.has(flagDraining|flagClosing) {
		return
	}
	switch {
	case direct:
		l.arrivedDirect(c, s.got)
		s.into = nil
		return
	case c.in.len() == 0 && !c.flags.has(flagPaused):
		l.arrivedShared(c, s.into[:s.got], s.got)
	default:
		c.store(s.into[:s.got])
		l.arrivedOwn(c, s.got)
	}
	s.adapt()
}

// adapt makes the read buffer larger for those who fill it, and small again.
func (s *stream) adapt() {
	switch {
	case s.got == len(s.into) && len(s.into) < readSize:
		s.into = make([]byte, min(4*len(s.into), readSize))
	case s.got < streamRead && len(s.into) > streamRead:
		s.into = nil
	}
}

// write leaves everything to the writing goroutine.
func (s *stream) write(*Conn, []byte) (int, error) { return 0, nil }

func (s *stream) drain(c *Conn, limit int) error {
	if s.writing || s.ended {
		return nil
	}
	s.writing = true
	list := c.queue.view(s.parts[:0], min(limit, streamWrite))
	s.group.running.Go(func() { s.writeAll(c, list) })
	return nil
}

func (s *stream) busy() bool { return s.writing || s.ended }

// offer copies p to the front of the queue, so that the source and its bytes are free
// again whatever becomes of the writing goroutine.
func (s *stream) offer(c *Conn, p []byte) (int, error) {
	n := min(len(p), streamWrite)
	c.queue.unshift(append(c.Loop.spare.get(n), p[:n]...))
	c.sent -= uint64(n) // it counts the connection's own output only, and will count these
	return n, s.drain(c, n)
}

// writeAll is the writing goroutine.
func (s *stream) writeAll(c *Conn, list net.Buffers) {
	s.put, s.writeErr = list.WriteTo(s.conn)
	c.Loop.post(&Message{op: opSent, Conn: c})
}

// finishedWrite is the loop's part when the writer has a result.
func (s *stream) finishedWrite(c *Conn) {
	if s.ended {
		return
	}
	s.writing = false
	clear(s.parts[:])
	c.Loop.count.Writes++
	c.left(int(s.put))
	c.queue.advance(int(s.put), &c.Loop.spare)
	if s.writeErr != nil {
		c.end(s.writeErr)
		return
	}
	c.progress()
}

// close ends the goroutines. It may have to wait for them (TLS says good-bye), so
// a goroutine does that. What they still hold is left to the garbage collector.
func (s *stream) close(c *Conn) {
	s.ended = true
	close(s.turns)
	if s.writing {
		c.queue = outQueue{}
	}
	s.group.running.Go(func() { _ = s.conn.Close() })
}

func (s *stream) fd() int { return -1 }

func (s *stream) addresses() (local, remote string) {
	local = s.conn.LocalAddr().String()
	remote = s.conn.RemoteAddr().String()
	if remote == "" || remote == "@" {
		remote = local
	}
	return local, remote
}

func (s *stream) setKeepAlive(period time.Duration) error {
	conn := s.conn
	if inner, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = inner.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		return setTCPKeepAlive(tcp, period)
	}
	return nil
}
