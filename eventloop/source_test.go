package eventloop

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// tape is a Source that holds all that was ever appended to it, and finds out when
// it is not used as agreed.
type tape struct {
	t     *testing.T
	wake  func()
	piece int // Peek gives no more than this; 0 = everything

	mu      sync.Mutex
	data    []byte
	pos     int
	err     error // after the data, or at once with hasty
	hasty   bool
	armed   bool
	looking int // bytes that Peek gave
	dropped bool
}

func (s *tape) Peek() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looking > 0 || s.dropped {
		s.t.Errorf("Peek before Advance, or of a source that was dropped (%d, %v)", s.looking, s.dropped)
	}
	if s.err != nil && (s.hasty || s.pos == len(s.data)) {
		return nil, s.err
	}
	s.looking = len(s.data) - s.pos
	if s.piece > 0 {
		s.looking = min(s.looking, s.piece)
	}
	return s.data[s.pos : s.pos+s.looking : s.pos+s.looking], nil
}

func (s *tape) Advance(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < 0 || n > s.looking || s.looking == 0 {
		s.t.Errorf("Advance(%d) after a Peek of %d", n, s.looking)
	}
	s.pos += n
	s.looking = 0
}

func (s *tape) Arm() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pos < len(s.data) || s.err != nil {
		return false
	}
	s.armed = true
	return true
}

// add appends p and wakes who armed, with the lock held, as a log does.
func (s *tape) add(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = append(s.data, p...)
	s.tell()
}

func (s *tape) tell() {
	if s.armed {
		s.armed = false
		s.wake()
	}
}

// end lets Peek tell err behind the data.
func (s *tape) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	s.tell()
}

// cut lets Peek tell err at once. Like a log it tells only those who armed.
func (s *tape) cut(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hasty, s.err = true, err
	s.tell()
}

// given is what the connection has taken.
func (s *tape) given() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data[:s.pos]
}

func (s *tape) isArmed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.armed
}

// newTape is a source for c. Call it with the data there is from the beginning.
func newTape(t *testing.T, c *Conn, data string) *tape {
	return &tape{t: t, wake: c.Wake, data: []byte(data)}
}

// fed makes a Group with one connection and returns it with its peer.
func fed(t *testing.T, kind Transport, network string, h *hooks) (*Loop, *Conn, net.Conn) {
	t.Helper()
	h.message = runFunc
	conns := make(chan *Conn, 1)
	h.open = func(c *Conn) { conns <- c }
	g, addr := start(t, Options{Transport: kind, Hz: 100}, network, h)
	peer := dial(t, addr)
	return g.Loops()[0], <-conns, peer
}

// What was appended before the source leaves before it, and what was appended later
// when it has ended; then comes the next.
func TestSource(t *testing.T) {
	for _, network := range []string{"tcp4", "unix"} {
		forEachTransport(t, func(t *testing.T, kind Transport) {
			var spool, log *tape
			acks := make(chan string, 10)
			h := &hooks{data: func(c *Conn, in []byte) int { acks <- string(in); return len(in) }}
			h.sourceEnded = func(c *Conn, s Source) {
				if s != spool {
					t.Error("another source ended")
				}
				c.Out = append(c.Out, "mark "...)
				log = newTape(t, c, "log ")
				c.SetSource(log)
			}
			l, c, peer := fed(t, kind, network, h)
			onLoop(l, func() {
				c.MarkDirty()
				c.Out = append(c.Out, "head "...)
				spool = newTape(t, c, "body ")
				c.SetSource(spool)
				c.Out = append(c.Out, "behind "...)
			})
			expect(t, peer, "head body ")
			eventually(t, "only the connection's own output is pending", func() (only bool) {
				onLoop(l, func() { only = c.PendingOut() == len("behind ") })
				return only
			})
			spool.add([]byte("more "))
			expect(t, peer, "more ")
			spool.end(io.EOF)
			expect(t, peer, "behind mark log ")
			send(t, peer, []byte("ack"))
			if got := <-acks; got != "ack" {
				t.Errorf("Data got %q", got)
			}
			log.add([]byte("on"))
			expect(t, peer, "on")
			onLoop(l, func() { c.SetSource(nil); c.MarkDirty(); c.Out = append(c.Out, "own"...) })
			log.add([]byte("never seen"))
			expect(t, peer, "own")
			expectNothing(t, peer)
		})
	}
}

// Whatever is appended, set and dropped, and whenever: the peer gets each piece whole
// and in the order that the calls say.
func TestSourceModel(t *testing.T) {
	for _, network := range []string{"tcp4", "unix"} {
		forEachTransport(t, func(t *testing.T, kind Transport) { testSourceModel(t, kind, network) })
	}
}

// sourceModel makes up a connection's output, and knows it.
type sourceModel struct {
	t     *testing.T
	r     *rand.Rand
	l     *Loop
	c     *Conn
	parts []any // []byte of the connection's own, or *tape
	gate  uint64
	ended atomic.Int64
}

func testSourceModel(t *testing.T, kind Transport, network string) {
	m := &sourceModel{t: t, r: newRand(t)}
	h := &hooks{sourceEnded: func(*Conn, Source) { m.ended.Add(1) }}
	var peer net.Conn
	m.l, m.c, peer = fed(t, kind, network, h)
	got := make(chan []byte)
	slow := m.r.IntN(2) == 0
	go func() {
		var all []byte
		buf := make([]byte, 1<<20)
		for {
			n, err := peer.Read(buf)
			all = append(all, buf[:n]...)
			if err != nil {
				got <- all
				return
			}
			if slow {
				time.Sleep(100 * time.Microsecond)
			}
		}
	}()
	for range 60 {
		m.step()
	}
	onLoop(m.l, func() { m.l.Release(m.gate); m.c.CloseAfterFlush() })
	if all, want := <-got, m.output(); !bytes.Equal(all, want) {
		t.Fatalf("the peer got %d bytes, want %d; they differ at %d", len(all), len(want), firstDifference(all, want))
	}
	if err := h.closedWith(t, m.c.ID); err != ErrClosed {
		t.Errorf("Closed was told %v", err)
	}
}

// step does one thing to the output.
func (m *sourceModel) step() {
	switch r := m.r; r.IntN(8) {
	case 0, 1:
		own := m.random(r.IntN(1 << r.IntN(18)))
		m.parts = append(m.parts, own)
		onLoop(m.l, func() { m.c.MarkDirty(); m.c.Out = append(m.c.Out, own...) })
	case 2:
		s := newTape(m.t, m.c, string(m.random(r.IntN(1<<r.IntN(22)))))
		s.piece = []int{0, 1 + r.IntN(100_000), 1000}[r.IntN(3)]
		m.replace(s)
		m.parts = append(m.parts, s)
	case 3:
		m.replace(nil)
	case 4:
		if s := m.last(); s != nil {
			s.end(io.EOF)
		}
	case 5:
		m.gate++
		gate := m.gate
		onLoop(m.l, func() { m.c.Hold(gate) })
	case 6:
		m.l.Release(m.gate - min(m.gate, uint64(r.IntN(2))))
	default:
		if s := m.last(); s != nil {
			for range r.IntN(20) {
				s.add(m.random(r.IntN(1 << r.IntN(18))))
			}
		}
		m.c.Wake() // for nothing
	}
}

func (m *sourceModel) random(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(m.r.Uint32())
	}
	return p
}

// last is the source that was set last, if it was not dropped.
func (m *sourceModel) last() *tape {
	for i := len(m.parts) - 1; i >= 0; i-- {
		if s, ok := m.parts[i].(*tape); ok {
			if s.dropped || s.err != nil {
				return nil
			}
			return s
		}
	}
	return nil
}

// replace sets s or none; the source before must not be touched from then on.
func (m *sourceModel) replace(s *tape) {
	onLoop(m.l, func() {
		if s == nil {
			m.c.SetSource(nil)
		} else {
			m.c.SetSource(s)
		}
		for _, part := range m.parts {
			if old, ok := part.(*tape); ok && old != s {
				old.mu.Lock()
				old.dropped = true
				old.mu.Unlock()
			}
		}
	})
}

// output is what the peer must have got in all.
func (m *sourceModel) output() []byte {
	var all []byte
	for _, part := range m.parts {
		switch p := part.(type) {
		case []byte:
			all = append(all, p...)
		case *tape:
			all = append(all, p.given()...)
		}
	}
	if s := m.last(); s != nil && len(s.given()) != len(s.data) {
		m.t.Errorf("CloseAfterFlush left %d bytes of the source", len(s.data)-len(s.given()))
	}
	return all
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// A peer that does not read costs no memory, and the end of its source is noticed
// though nobody is armed: else a connection whose log has let it go would stay.
func TestSourceOfPeerThatStopsReading(t *testing.T) {
	for _, network := range []string{"tcp4", "unix"} {
		forEachTransport(t, func(t *testing.T, kind Transport) {
			testPeerStopsReading(t, kind, network, 0)
			testPeerStopsReading(t, kind, network, 4096) // at the end none of a piece is taken
		})
	}
}

func testPeerStopsReading(t *testing.T, kind Transport, network string, piece int) {
	h := &hooks{}
	l, c, _ := fed(t, kind, network, h)
	s := newTape(t, c, string(make([]byte, 64<<20)))
	s.piece = piece
	onLoop(l, func() { c.SetSource(s) })
	settled(t, s)
	onLoop(l, func() {
		if n := c.PendingMemory(); n > streamWrite+chunkSize {
			t.Errorf("%d bytes are kept for a peer that lags", n)
		}
	})
	lagging := errors.New("lagging")
	s.cut(lagging)
	if err := h.closedWith(t, c.ID); err != lagging {
		t.Errorf("Closed was told %v", err)
	}
}

// settled waits until the connection takes no more of the source.
func settled(t *testing.T, s *tape) {
	t.Helper()
	last := -1
	eventually(t, "the socket is full", func() bool {
		n := len(s.given())
		same := n == last && n > 0
		last = n
		time.Sleep(5 * time.Millisecond)
		return same
	})
	if last == len(s.data) {
		t.Fatal("the socket took everything")
	}
}

// A source that fails ends the connection, whether it was waited for or not.
func TestSourceFails(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		for _, armed := range []bool{false, true} {
			h := &hooks{}
			h.sourceEnded = func(*Conn, Source) { t.Error("SourceEnded was called") }
			l, c, peer := fed(t, kind, "tcp4", h)
			s, broken := newTape(t, c, "abc"), errors.New("broken")
			if !armed {
				s.end(broken)
			}
			onLoop(l, func() { c.SetSource(s) })
			expect(t, peer, "abc")
			if armed {
				eventually(t, "Arm", s.isArmed)
				s.end(broken)
			}
			expectEnd(t, peer)
			if err := h.closedWith(t, c.ID); err != broken {
				t.Errorf("Closed was told %v", err)
			}
			c.Wake() // late
		}
	})
}
