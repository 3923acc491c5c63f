package eventloop

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestEcho(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6", "unix"} {
		t.Run(network, func(t *testing.T) {
			forEachTransport(t, func(t *testing.T, kind Transport) { testEcho(t, kind, network) })
		})
	}
}

func testEcho(t *testing.T, kind Transport, network string) {
	var local, remote atomic.Value
	h := &hooks{open: func(c *Conn) {
		local.Store(c.LocalAddr())
		remote.Store(c.RemoteAddr())
		if c.IsUnix() != (network == "unix") {
			t.Errorf("IsUnix = %v", c.IsUnix())
		}
	}}
	g, addr := start(t, Options{Transport: kind}, network, h)
	if g.Transport() != kind {
		t.Errorf("Transport = %v", g.Transport())
	}
	conn := dial(t, addr)
	for range 3 {
		send(t, conn, []byte("hello"))
		expect(t, conn, "hello")
	}
	here, there := addr.String(), conn.LocalAddr().String()
	if network == "unix" {
		here += ":0"
		there = here
	}
	if local.Load() != here || remote.Load() != there {
		t.Errorf("addresses %v, %v; want %v, %v", local.Load(), remote.Load(), here, there)
	}
	_ = conn.Close()
	if err := h.closedWith(t, 1); !errors.Is(err, io.EOF) {
		t.Errorf("Closed was told %v", err)
	}
}

// Whatever the pieces that bytes arrive in, Data sees the stream in order and the
// answers come in order.
func TestRandomPieces(t *testing.T) {
	for _, hints := range []bool{false, true} {
		forEachTransport(t, func(t *testing.T, kind Transport) { testRandomPieces(t, kind, hints) })
	}
}

func testRandomPieces(t *testing.T, kind Transport, hints bool) {
	r := newRand(t)
	h := &hooks{data: frames(hints, func(c *Conn, body []byte) {
		c.Out = binary.BigEndian.AppendUint32(c.Out, crc32.ChecksumIEEE(body))
	})}
	_, addr := start(t, Options{Transport: kind}, "tcp4", h)
	var in, want []byte
	for range 200 {
		n := r.IntN(100)
		if r.IntN(10) == 0 {
			n = r.IntN(300 << 10)
		}
		body := make([]byte, n)
		for i := 0; i < n; i += 7 {
			body[i] = byte(r.Uint32())
		}
		in = append(in, frame(body)...)
		want = binary.BigEndian.AppendUint32(want, crc32.ChecksumIEEE(body))
	}
	conn := dial(t, addr)
	go func() {
		for len(in) > 0 {
			n := min(len(in), 1+r.IntN(20))
			if r.IntN(3) == 0 {
				n = min(len(in), 1+r.IntN(200<<10))
			}
			if _, err := conn.Write(in[:n]); err != nil {
				t.Error(err)
				return
			}
			in = in[n:]
			if r.IntN(20) == 0 {
				time.Sleep(time.Duration(r.IntN(300)) * time.Microsecond)
			}
		}
	}()
	expect(t, conn, string(want))
}

// One byte at a time is the worst a peer can do to the parser.
func TestTrickle(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{data: frames(false, func(c *Conn, body []byte) { c.Out = append(c.Out, body...) })}
		_, addr := start(t, Options{Transport: kind}, "tcp4", h)
		conn := dial(t, addr)
		for _, b := range append(frame([]byte("abc")), frame([]byte("defg"))...) {
			send(t, conn, []byte{b})
			time.Sleep(300 * time.Microsecond)
		}
		expect(t, conn, "abcdefg")
	})
}

func TestManyPipelined(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{data: frames(false, func(c *Conn, body []byte) { c.Out = append(c.Out, body...) })}
		_, addr := start(t, Options{Transport: kind}, "tcp4", h)
		conn := dial(t, addr)
		const count = 200_000
		in, want := make([]byte, 0, count*20), make([]byte, 0, count*16)
		for i := range count {
			body := binary.BigEndian.AppendUint64(nil, uint64(i))
			in = append(in, frame(body)...)
			want = append(want, body...)
		}
		go func() { _, _ = conn.Write(in) }()
		expect(t, conn, string(want))
	})
}

// A peer that asks for much and does not read makes pending output grow; nothing is
// lost, order is kept, and Flushed comes at the end.
func TestSlowReader(t *testing.T) {
	for _, network := range []string{"tcp4", "unix"} {
		forEachTransport(t, func(t *testing.T, kind Transport) { testSlowReader(t, kind, network) })
	}
}

func testSlowReader(t *testing.T, kind Transport, network string) {
	const each, count = 1000, 24_000 // 24 MB
	var pending, flushed, memory atomic.Int64
	h := &hooks{
		data: func(c *Conn, in []byte) int {
			for _, b := range in {
				for range count / 100 {
					c.Out = append(c.Out, bytes.Repeat([]byte{b}, each)...)
				}
			}
			pending.Store(int64(c.PendingOut()))
			memory.Store(int64(c.PendingMemory()))
			return len(in)
		},
		flushed: func(c *Conn) {
			if c.PendingOut() != 0 {
				t.Errorf("Flushed with %d pending", c.PendingOut())
			}
			flushed.Add(1)
		},
	}
	_, addr := start(t, Options{Transport: kind}, network, h)
	conn := dial(t, addr)
	for i := range 100 {
		send(t, conn, []byte{byte(i)})
		time.Sleep(100 * time.Microsecond)
	}
	eventually(t, "pending output", func() bool { return pending.Load() > each*count/2 })
	if m := memory.Load(); m < each*count/2 || m > 4*each*count {
		t.Errorf("pending memory %d", m)
	}
	got := make([]byte, each*count)
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatal(err)
	}
	for i, b := range got {
		if int(b) != i/(each*count/100) {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
	eventually(t, "Flushed", func() bool { return flushed.Load() > 0 })
	send(t, conn, []byte{1})
	expect(t, conn, strings.Repeat("\x01", each*count/100))
}

func TestCloseAfterFlush(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		big := strings.Repeat("x", 20<<20)
		calls := 0
		h := &hooks{data: func(c *Conn, in []byte) int {
			calls++
			c.Out = append(c.Out, big...)
			c.CloseAfterFlush()
			return len(in)
		}}
		_, addr := start(t, Options{Transport: kind}, "tcp4", h)
		conn := dial(t, addr)
		send(t, conn, []byte("a"))
		time.Sleep(5 * time.Millisecond)
		expect(t, conn, big)
		expectEnd(t, conn)
		if err := h.closedWith(t, 1); err != ErrClosed || calls != 1 {
			t.Errorf("Closed was told %v, Data called %d times", err, calls)
		}
	})
}

// A refusal in Open reaches the peer.
func TestRefuseInOpen(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{open: func(c *Conn) {
			c.Out = append(c.Out, "full\n"...)
			c.CloseAfterFlush()
		}}
		_, addr := start(t, Options{Transport: kind}, "tcp4", h)
		conn := dial(t, addr)
		expect(t, conn, "full\n")
		expectEnd(t, conn)
	})
}

// Close drops what is pending, and Closed comes after the call, not inside it.
func TestClose(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		own := errors.New("own")
		inside := false
		h := &hooks{}
		h.data = func(c *Conn, in []byte) int {
			inside = true
			c.Out = append(c.Out, "never seen"...)
			c.Close(own)
			c.Close(nil)
			c.MarkDirty()
			if !c.IsClosed() {
				t.Error("IsClosed is false")
			}
			inside = false
			return len(in)
		}
		h.closed = func(c *Conn, err error) {
			if inside {
				t.Error("Closed came inside Data")
			}
			c.Close(nil)
			c.Out = append(c.Out, "x"...)
			c.MarkDirty()
			c.Kick()
			c.Hold(1 << 60)
		}
		_, addr := start(t, Options{Transport: kind}, "tcp4", h)
		conn := dial(t, addr)
		send(t, conn, []byte("a"))
		expectEnd(t, conn)
		if err := h.closedWith(t, 1); err != own {
			t.Errorf("Closed was told %v", err)
		}
	})
}

// A peer that ends only its own side still gets every answer.
func TestHalfClose(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{data: func(c *Conn, in []byte) int {
			for range in {
				c.Out = append(c.Out, bytes.Repeat([]byte("y"), 1<<20)...)
			}
			return len(in)
		}}
		_, addr := start(t, Options{Transport: kind}, "tcp4", h)
		conn := dial(t, addr)
		send(t, conn, []byte("12345678"))
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		expect(t, conn, strings.Repeat("y", 8<<20))
		expectEnd(t, conn)
		if err := h.closedWith(t, 1); !errors.Is(err, io.EOF) {
			t.Errorf("Closed was told %v", err)
		}
	})
}

// What a peer sent before it ended its side is delivered, also if the handler takes
// it little by little, in turns that it asks for or when its output has left.
func TestHalfCloseWithInputLeft(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		for _, size := range []int{1, 4 << 20} {
			h := &hooks{data: func(c *Conn, in []byte) int {
				if n := c.PendingOut(); n > 0 {
					if n == len(c.Out) { // not offered yet, so it may leave without Flushed
						c.Kick()
					}
					return 0
				}
				c.Out = append(c.Out, bytes.Repeat(in[:1], size)...)
				c.Kick()
				return 1
			}}
			h.flushed = func(c *Conn) { c.Kick() }
			_, addr := start(t, Options{Transport: kind}, "tcp4", h)
			conn := dial(t, addr)
			send(t, conn, []byte("1234"))
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			for _, digit := range []string{"1", "2", "3", "4"} {
				expect(t, conn, strings.Repeat(digit, size))
			}
			expectEnd(t, conn)
			if err := h.closedWith(t, 1); !errors.Is(err, io.EOF) {
				t.Errorf("Closed was told %v", err)
			}
		}
	})
}

func TestReset(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{}
		_, addr := start(t, Options{Transport: kind}, "tcp4", h)
		conn := dial(t, addr)
		send(t, conn, []byte("a"))
		expect(t, conn, "a")
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
		if err := h.closedWith(t, 1); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("Closed was told %v", err)
		}
	})
}

// A peer that resets while output is pending for it, or reading is paused.
func TestResetWhilePending(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		for _, paused := range []bool{false, true} {
			h := &hooks{data: func(c *Conn, in []byte) int {
				c.Out = append(c.Out, make([]byte, 16<<20)...)
				if paused {
					c.PauseRead()
				}
				return len(in)
			}}
			_, addr := start(t, Options{Transport: kind}, "tcp4", h)
			conn := dial(t, addr)
			send(t, conn, []byte("a"))
			time.Sleep(10 * time.Millisecond)
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
			if err := h.closedWith(t, 1); err == nil {
				t.Errorf("Closed was told %v", err)
			}
		}
	})
}

// A peer that goes away in the middle of a message.
func TestVanish(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{data: frames(true, func(*Conn, []byte) { t.Error("a whole frame") })}
		_, addr := start(t, Options{Transport: kind}, "tcp4", h)
		for i, n := range []int{1, 4, 5, 10000, 300000} {
			conn := dial(t, addr)
			send(t, conn, frame(make([]byte, 1<<20))[:n])
			_ = conn.Close()
			if err := h.closedWith(t, uint64(i+1)); !errors.Is(err, io.EOF) {
				t.Errorf("Closed was told %v", err)
			}
		}
	})
}

// A big value is read to where it stays: few calls of Data, one buffer.
func TestExpectMore(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		const size = 48 << 20
		var calls, memory atomic.Int64
		answer := frames(true, func(c *Conn, body []byte) {
			memory.Store(int64(c.QueryMemory()))
			c.Out = binary.BigEndian.AppendUint32(c.Out, crc32.ChecksumIEEE(body))
		})
		h := &hooks{data: func(c *Conn, in []byte) int {
			calls.Add(1)
			return answer(c, in)
		}}
		_, addr := start(t, Options{Transport: kind}, "tcp4", h)
		conn := dial(t, addr)
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(i >> 8)
		}
		go func() { _, _ = conn.Write(append(frame(body), frame([]byte("z"))...)) }()
		want := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body))
		want = binary.BigEndian.AppendUint32(want, crc32.ChecksumIEEE([]byte("z")))
		expect(t, conn, string(want))
		if calls.Load() > 5 {
			t.Errorf("Data was called %d times", calls.Load())
		}
		if m := memory.Load(); m > size+4096 {
			t.Errorf("the buffer took %d bytes for %d", m, size)
		}
	})
}

// TLS connections are served by either kind of loop.
func TestTLS(t *testing.T) {
	cert := testCertificate(t)
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{}
		g, _ := start(t, Options{Transport: kind}, "tcp4", h)
		config := &tls.Config{Certificates: []tls.Certificate{cert}}
		addr, err := g.ListenWrapped("tcp4", "127.0.0.1:0", func(conn net.Conn) net.Conn {
			return tls.Server(conn, config)
		})
		if err != nil {
			t.Fatal(err)
		}
		conn := tls.Client(dial(t, addr), &tls.Config{InsecureSkipVerify: true})
		_ = conn.SetDeadline(time.Now().Add(patience))
		big := strings.Repeat("0123456789", 100_000)
		go func() { _, _ = conn.Write([]byte(big)) }()
		expect(t, conn, big)
		_ = conn.Close()
		if err := h.closedWith(t, 1); !errors.Is(err, io.EOF) {
			t.Errorf("Closed was told %v", err)
		}
		if err := g.Unlisten(addr); err != nil {
			t.Error(err)
		}
	})
}

// A peer that does not speak TLS is sent away.
func TestNotTLS(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{}
		g, _ := start(t, Options{Transport: kind}, "tcp4", h)
		addr, err := g.ListenWrapped("tcp4", "127.0.0.1:0", func(conn net.Conn) net.Conn {
			return tls.Server(conn, &tls.Config{})
		})
		if err != nil {
			t.Fatal(err)
		}
		conn := dial(t, addr)
		send(t, conn, []byte("*1\r\n$4\r\nPING\r\n"))
		_, _ = io.Copy(io.Discard, conn)
		if err := h.closedWith(t, 1); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("Closed was told %v", err)
		}
	})
}

// A connection that this side dialled is served like one that was accepted, by the
// loop that it is given to.
func TestAttach(t *testing.T) {
	for _, network := range []string{"tcp4", "unix"} {
		forEachTransport(t, func(t *testing.T, kind Transport) {
			users := make(chan any, 2)
			h := &hooks{open: func(c *Conn) { users <- []any{c.User, c.Loop.Index} }}
			g, _ := start(t, Options{Transport: kind, Loops: 3}, "tcp4", h)
			ln, err := net.Listen(network, listenAddress(t, network))
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			mine := dial(t, ln.Addr())
			far, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer far.Close()
			if err := g.AttachTo(g.Loops()[2], mine, "user", nil); err != nil {
				t.Fatal(err)
			}
			if got := (<-users).([]any); got[0] != "user" || got[1] != 2 {
				t.Errorf("Open saw %v", got)
			}
			_ = far.SetDeadline(time.Now().Add(patience))
			send(t, far, []byte("hello"))
			expect(t, far, "hello")
		})
	}
}

// Something long is sent piece by piece, whether the peer is slow or not.
func TestWantFlushed(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		const pieces, size = 300, 40_000
		next := 0
		piece := func(c *Conn) {
			if c.PendingOut() != 0 {
				t.Errorf("%d bytes are pending", c.PendingOut())
			}
			if next < pieces {
				c.Out = append(c.Out, bytes.Repeat([]byte{byte(next)}, size)...)
				next++
				c.WantFlushed()
			}
		}
		h := &hooks{flushed: piece, data: func(c *Conn, in []byte) int { piece(c); return len(in) }}
		_, addr := start(t, Options{Transport: kind}, "tcp4", h)
		conn := dial(t, addr)
		send(t, conn, []byte("a"))
		buf := make([]byte, size)
		for i := range pieces {
			if _, err := io.ReadFull(conn, buf); err != nil {
				t.Fatal(err)
			}
			if buf[0] != byte(i) || buf[size-1] != byte(i) {
				t.Fatalf("piece %d holds %d", i, buf[0])
			}
			if i%50 == 0 {
				time.Sleep(2 * time.Millisecond)
			}
		}
	})
}

// A connection without a socket works, too.
func TestAttachPipe(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{}
		g, _ := start(t, Options{Transport: kind}, "tcp4", h)
		near, far := net.Pipe()
		if err := g.Attach(far); err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		go func() { _, _ = near.Write([]byte("hello")) }()
		expect(t, near, "hello")
	})
}
