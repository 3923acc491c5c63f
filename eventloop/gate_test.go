package eventloop

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// expectNothing demands that no byte comes for a while.
func expectNothing(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	var b [1]byte
	if n, err := conn.Read(b[:]); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes %q, %v; want none yet", n, b, err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
}

func TestGate(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		var conn *Conn
		var flushed atomic.Int64
		h := &hooks{message: runFunc, open: func(c *Conn) { conn = c }}
		h.flushed = func(*Conn) { flushed.Add(1) }
		h.data = func(c *Conn, in []byte) int {
			for _, b := range in {
				if b >= 'A' && b <= 'Z' { // a write: the reply waits for its offset
					c.Hold(uint64(b))
				}
				c.Out = append(c.Out, b)
			}
			return len(in)
		}
		g, addr := start(t, Options{Transport: kind}, "tcp4", h)
		l := g.Loops()[0]
		peer := dial(t, addr)
		send(t, peer, []byte("abC"))
		expect(t, peer, "ab")
		expectNothing(t, peer)
		send(t, peer, []byte("deAfEg")) // A asks for less than C: no gate of its own
		expectNothing(t, peer)
		onLoop(l, func() {
			if n := conn.PendingOut(); n != 7 {
				t.Errorf("PendingOut = %d, want 7", n)
			}
		})
		l.Release('B')
		expectNothing(t, peer)
		l.Release('C')
		expect(t, peer, "CdeAf")
		expectNothing(t, peer)
		l.Release('A') // less than before: nothing
		l.Release('Z')
		expect(t, peer, "Eg")
		eventually(t, "Flushed", func() bool { return flushed.Load() == 1 })
		send(t, peer, []byte("YZx")) // open already
		expect(t, peer, "YZx")
	})
}

func TestHoldFrom(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{data: func(c *Conn, in []byte) int {
			from := len(c.Out)
			c.Out = append(c.Out, in...)
			c.HoldFrom(from+1, 5)
			c.HoldFrom(from+1, 6)
			return len(in)
		}}
		g, addr := start(t, Options{Transport: kind}, "tcp4", h)
		peer := dial(t, addr)
		send(t, peer, []byte("abc"))
		expect(t, peer, "a")
		g.Loops()[0].Release(5)
		expectNothing(t, peer)
		g.Loops()[0].Release(6)
		expect(t, peer, "bc")
	})
}

// A held connection that should close does so when its output has left; one whose
// peer is gone does not stay in the lists.
func TestGateAndClose(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{message: runFunc, data: func(c *Conn, in []byte) int {
			c.Hold(1)
			c.Out = append(c.Out, in...)
			if in[0] == 'q' {
				c.CloseAfterFlush()
			}
			if in[0] == 'k' {
				c.Close(nil)
			}
			return len(in)
		}}
		g, addr := start(t, Options{Transport: kind}, "tcp4", h)
		l := g.Loops()[0]
		quit, killed, ended, stays := dial(t, addr), dial(t, addr), dial(t, addr), dial(t, addr)
		for i, c := range []net.Conn{quit, killed, ended, stays} {
			send(t, c, []byte{"qkes"[i]})
		}
		_ = ended.(*net.TCPConn).CloseWrite()
		expectEnd(t, killed)
		expectNothing(t, quit)
		expectNothing(t, ended)
		expectNothing(t, stays)
		held := 0
		onLoop(l, func() { held = len(l.held) })
		if held != 3 || l.heldConns.Load() != 3 {
			t.Errorf("%d held connections, want 3", held)
		}
		l.Release(1)
		expect(t, quit, "q")
		expectEnd(t, quit)
		expect(t, ended, "e")
		expectEnd(t, ended)
		expect(t, stays, "s")
		onLoop(l, func() { held = len(l.held) })
		if held != 0 || l.heldConns.Load() != 0 {
			t.Errorf("%d held connections, want 0", held)
		}
	})
}

// Many connections hold and one goroutine releases, as a log's sync does.
func TestGateRace(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		const conns, each = 8, 300
		var offset atomic.Uint64
		h := &hooks{data: frames(false, func(c *Conn, body []byte) {
			from := len(c.Out)
			c.Out = append(c.Out, body...)
			c.HoldFrom(from, offset.Add(1))
		})}
		g, addr := start(t, Options{Transport: kind, Loops: 2, Hz: 1}, "tcp4", h)
		done := make(chan error, conns)
		for range conns {
			peer := dial(t, addr)
			go func() { done <- pingPong(peer, each) }()
		}
		for range conns {
			for waiting := true; waiting; {
				select {
				case err := <-done:
					if err != nil {
						t.Error(err)
					}
					waiting = false
				default:
					for _, l := range g.Loops() {
						l.Release(offset.Load())
					}
					time.Sleep(20 * time.Microsecond)
				}
			}
		}
	})
}

// pingPong sends count numbered frames, each after the answer to the one before.
func pingPong(peer net.Conn, count int) error {
	for i := range count {
		body := binary.BigEndian.AppendUint32(nil, uint32(i))
		if _, err := peer.Write(frame(body)); err != nil {
			return err
		}
		var got [4]byte
		if _, err := peer.Read(got[:]); err != nil {
			return err
		}
		if binary.BigEndian.Uint32(got[:]) != uint32(i) {
			return errors.New("answers out of order")
		}
	}
	return nil
}
