package eventloop

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dozo/env"
)

// The peer goes away, in good order or with a reset, while its source sleeps, sends or
// waits for room.
func TestSourceOfPeerThatCloses(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		for _, size := range []int{1, 64 << 20} {
			for _, reset := range []bool{false, true} {
				h := &hooks{}
				l, c, peer := fed(t, kind, "tcp4", h)
				s := newTape(t, c, string(make([]byte, size)))
				onLoop(l, func() { c.SetSource(s) })
				if size == 1 {
					eventually(t, "Arm", s.isArmed)
				} else {
					settled(t, s)
				}
				if reset {
					_ = peer.(*net.TCPConn).SetLinger(0)
				}
				_ = peer.Close()
				if err := h.closedWith(t, c.ID); err == nil {
					t.Error("Closed was told nothing")
				}
				s.add([]byte("late"))
				onLoop(l, func() {
					c.SetSource(s) // ignored
					if len(l.fed) != 0 {
						t.Errorf("%d sources are left", len(l.fed))
					}
				})
			}
		}
	})
}

// A peer that ends its own side is gone, as far as a source is concerned.
func TestSourceAndHalfClose(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{}
		l, c, peer := fed(t, kind, "tcp4", h)
		s := newTape(t, c, "abc")
		onLoop(l, func() { c.SetSource(s); c.Out = append(c.Out, "behind"...); c.MarkDirty() })
		expect(t, peer, "abc")
		if err := peer.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		expectEnd(t, peer)
		if err := h.closedWith(t, c.ID); err != io.EOF {
			t.Errorf("Closed was told %v", err)
		}
	})
}

// CloseAfterFlush sends what the source has, armed or not, and what is behind it.
func TestSourceAndCloseAfterFlush(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		for i := range 3 {
			asleep, behind := i > 0, []string{"", "", "behind"}[i]
			h := &hooks{sourceEnded: func(*Conn, Source) { t.Error("SourceEnded was called") }}
			l, c, peer := fed(t, kind, "tcp4", h)
			body := string(make([]byte, 8<<20))
			s := newTape(t, c, body)
			onLoop(l, func() {
				c.SetSource(s)
				if !asleep {
					c.CloseAfterFlush()
				}
			})
			expect(t, peer, body)
			if asleep {
				eventually(t, "Arm", s.isArmed)
				onLoop(l, func() { c.Out = append(c.Out, behind...); c.CloseAfterFlush() })
				expect(t, peer, behind)
			}
			expectEnd(t, peer)
			if err := h.closedWith(t, c.ID); err != ErrClosed {
				t.Errorf("Closed was told %v", err)
			}
		}
	})
}

// A source begins when the gates before it are open, however late in a round that is,
// and a gate behind it stays.
func TestSourceAndGates(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		var late atomic.Uint64
		h := &hooks{beforeSleep: func(l *Loop) { l.Release(late.Load()) }}
		l, c, peer := fed(t, kind, "tcp4", h)
		s := newTape(t, c, "log")
		onLoop(l, func() {
			c.Hold(1)
			c.Out = append(c.Out, "ok"...)
			c.SetSource(s)
			c.Hold(2)
			c.Out = append(c.Out, "end"...)
		})
		expectNothing(t, peer)
		late.Store(1)
		onLoop(l, func() {})
		expect(t, peer, "oklog")
		s.end(io.EOF)
		expectNothing(t, peer)
		l.Release(2)
		expect(t, peer, "end")
	})
}

// No wake-up is lost, whoever else wakes at the same time: the peer gets each byte
// that is appended when it has the one before.
func TestSourceWakes(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		l, c, peer := fed(t, kind, "tcp4", &hooks{})
		s := newTape(t, c, "")
		onLoop(l, func() { c.SetSource(s) })
		stop := make(chan struct{})
		var storm sync.WaitGroup
		for range 4 {
			storm.Go(func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(50 * time.Microsecond):
						c.Wake()
					}
				}
			})
		}
		for range 3000 {
			s.add([]byte("x"))
			expect(t, peer, "x")
		}
		close(stop)
		storm.Wait()
	})
}

// Wake comes from everywhere while connections close, one by one and with the Group.
func TestWakeStormWhileClosing(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{message: runFunc}
		conns := make(chan *Conn, 100)
		h.open = func(c *Conn) {
			s := newTape(t, c, string(make([]byte, 1<<20)))
			c.User = s
			c.SetSource(s)
			conns <- c
		}
		h.closed = func(c *Conn, _ error) {
			s := c.User.(*tape)
			s.mu.Lock()
			s.dropped = true // nothing may touch it from here on
			s.mu.Unlock()
		}
		g, addr := start(t, Options{Transport: kind, Loops: 2, Hz: 1000}, "tcp4", h)
		var storm sync.WaitGroup
		var stop atomic.Bool
		for range 12 {
			peer := dial(t, addr)
			c := <-conns
			go func() { _, _ = io.Copy(io.Discard, peer) }()
			for range 4 {
				storm.Go(func() {
					for !stop.Load() {
						c.Wake()
						c.User.(*tape).add([]byte("more"))
						time.Sleep(time.Microsecond)
					}
				})
			}
			if c.ID%3 == 0 {
				storm.Go(func() { time.Sleep(3 * time.Millisecond); _ = peer.Close() })
			}
			if c.ID%3 == 1 {
				c.Loop.Post(Message{Any: func() { c.Close(nil) }})
			}
		}
		time.Sleep(20 * time.Millisecond)
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Millisecond)
		stop.Store(true)
		storm.Wait()
	})
}

// What is sent in one round is bounded, so that others are not kept waiting, and who
// asks is answered beside a source that never ends.
func TestSourceLeavesRoom(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		var most atomic.Int64
		h := &hooks{message: runFunc}
		before := uint64(0)
		h.beforeSleep = func(l *Loop) {
			sent := l.count.BytesOut - before
			before = l.count.BytesOut
			most.Store(max(most.Load(), int64(sent)))
		}
		h.data = func(c *Conn, in []byte) int {
			if in[0] == 's' {
				c.SetSource(newEndless(1 << 20))
				return 1
			}
			c.Out = append(c.Out, in...)
			return len(in)
		}
		_, addr := start(t, Options{Transport: kind, Clock: frozen{env.Real().Clock}}, "tcp4", h)
		for range 3 {
			sink := dial(t, addr)
			send(t, sink, []byte("s"))
			go func() { _, _ = io.Copy(io.Discard, sink) }()
		}
		peer := dial(t, addr)
		for range 500 {
			send(t, peer, []byte("hello"))
			expect(t, peer, "hello")
		}
		if n := most.Load(); kind == Epoll && (n > sourceIdle+100 || n < sourceShare) {
			t.Errorf("%d bytes were sent in one round", n)
		}
	})
}

// frozen is a clock by which no round takes time.
type frozen struct{ env.Clock }

func (frozen) Monotonic() time.Duration { return 1 }

// endless is a source that goes round in its memory.
type endless struct {
	data []byte
	pos  int
}

func newEndless(n int) *endless {
	s := &endless{data: make([]byte, n)}
	for i := range s.data {
		s.data[i] = byte(i)
	}
	return s
}

func (s *endless) Peek() ([]byte, error) { return s.data[s.pos:min(len(s.data), s.pos+1<<20)], nil }
func (s *endless) Advance(n int)         { s.pos = (s.pos + n) % len(s.data) }
func (s *endless) Arm() bool             { return false }

// A source that asks to be read again, and gives nothing, does not hang the loop.
func TestSourceThatLies(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		l, c, peer := fed(t, kind, "tcp4", &hooks{})
		onLoop(l, func() { c.SetSource(&endless{}) })
		send(t, peer, []byte("x"))
		expectNothing(t, peer) // the echo is behind the source
		onLoop(l, func() { c.SetSource(nil) })
		expect(t, peer, "x")
	})
}

// What comes between Peek and Arm, which then asks for nothing, is sent, too.
func TestSourceGrowsBeforeArm(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		l, c, peer := fed(t, kind, "tcp4", &hooks{})
		s := &lateTape{tape: newTape(t, c, "a")}
		onLoop(l, func() { c.SetSource(s) })
		expect(t, peer, "ab")
	})
}

type lateTape struct {
	*tape
	late bool
}

func (s *lateTape) Arm() bool {
	if !s.late {
		s.late = true
		s.add([]byte("b"))
	}
	return s.tape.Arm()
}

// TLS is served by goroutines under both transports.
func TestSourceOverTLS(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		var source atomic.Pointer[tape]
		h := &hooks{open: func(c *Conn) {
			s := newTape(t, c, string(make([]byte, 3<<20)))
			c.SetSource(s)
			source.Store(s)
		}}
		g, _ := start(t, Options{Transport: kind}, "tcp4", h)
		near, far := net.Pipe()
		cert := testCertificate(t)
		if err := g.Attach(tls.Server(far, &tls.Config{Certificates: []tls.Certificate{cert}})); err != nil {
			t.Fatal(err)
		}
		peer := tls.Client(near, &tls.Config{InsecureSkipVerify: true})
		defer peer.Close()
		expect(t, peer, string(make([]byte, 3<<20)))
		source.Load().add([]byte("on and on"))
		expect(t, peer, "on and on")
	})
}

// A connection that this side has dialled and read from brings what it has read, and
// that comes first, whatever has arrived meanwhile and whenever reading begins.
func TestAttachToWithPending(t *testing.T) {
	for _, more := range []string{"", " and more"} {
		for _, network := range []string{"tcp4", "unix"} {
			forEachTransport(t, func(t *testing.T, kind Transport) {
				testAttachTo(t, kind, network, more, false)
				testAttachTo(t, kind, network, more, true)
			})
		}
	}
}

func testAttachTo(t *testing.T, kind Transport, network, more string, paused bool) {
	conns := make(chan *Conn, 1)
	h := &hooks{message: runFunc, open: func(c *Conn) {
		if paused {
			c.PauseRead()
		}
		conns <- c
	}}
	g, _ := start(t, Options{Transport: kind}, "tcp4", h)
	mine, far := dialled(t, network)
	_ = mine.SetDeadline(time.Now().Add(20 * time.Millisecond))
	send(t, far, []byte(more))
	pending := []byte("read before")
	if err := g.AttachTo(g.Loops()[0], mine, nil, pending); err != nil {
		t.Fatal(err)
	}
	clear(pending)
	if c := <-conns; paused {
		expectNothing(t, far)
		onLoop(g.Loops()[0], c.ResumeRead)
	}
	expect(t, far, "read before"+more)
	time.Sleep(30 * time.Millisecond) // past the deadline
	send(t, far, []byte("!"))
	expect(t, far, "!")
}

// A refusal leaves nothing behind.
func TestAttachToClosedGroup(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		g, _ := start(t, Options{Transport: kind}, "tcp4", &hooks{})
		mine, far := dialled(t, "tcp4")
		_ = g.Close()
		if err := g.AttachTo(g.Loops()[0], mine, nil, []byte("x")); !errors.Is(err, ErrGroupClosed) {
			t.Error(err)
		}
		expectEnd(t, far)
	})
}

// dialled is a connection and its peer, neither of them in a Group.
func dialled(t *testing.T, network string) (mine, far net.Conn) {
	t.Helper()
	ln, err := net.Listen(network, listenAddress(t, network))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	mine = dial(t, ln.Addr())
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	_ = far.SetDeadline(time.Now().Add(patience))
	return mine, far
}

// The way of a source allocates nothing, nor does Wake.
func TestSourceNoAllocation(t *testing.T) {
	if nativeTransport != Epoll {
		t.Skip("the portable transport takes a goroutine")
	}
	l, c, peer := fed(t, Epoll, "tcp4", &hooks{})
	s := newTape(t, c, "")
	s.data = make([]byte, 0, 1<<20)
	onLoop(l, func() { c.SetSource(s) })
	buf := make([]byte, 64)
	trip := func() {
		s.add(buf)
		_, _ = io.ReadFull(peer, buf)
		c.Wake()
	}
	if n := testing.AllocsPerRun(2000, trip); n > 0 {
		t.Errorf("%v allocations for each batch", n)
	}
}
