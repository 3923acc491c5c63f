package eventloop

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPauseResume(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		var conn *Conn
		var calls atomic.Int64
		h := &hooks{message: runFunc, data: func(c *Conn, in []byte) int {
			conn = c
			calls.Add(1)
			c.Out = append(c.Out, in[:1]...) // one command at a time
			c.PauseRead()
			return 1
		}}
		g, addr := start(t, Options{Transport: kind}, "tcp4", h)
		peer := dial(t, addr)
		send(t, peer, []byte("abc"))
		for i, want := range []string{"a", "b", "c"} {
			expect(t, peer, want)
			time.Sleep(2 * time.Millisecond)
			if n := calls.Load(); n != int64(i+1) {
				t.Fatalf("%d calls of Data while paused, want %d", n, i+1)
			}
			onLoop(g.Loops()[0], func() { conn.ResumeRead(); conn.ResumeRead() })
		}
		send(t, peer, []byte("d")) // now nothing is buffered and reading goes on
		expect(t, peer, "d")
		send(t, peer, []byte("e")) // arrives while paused
		time.Sleep(2 * time.Millisecond)
		if n := calls.Load(); n != 4 {
			t.Fatalf("%d calls of Data while paused, want 4", n)
		}
		onLoop(g.Loops()[0], func() { conn.ResumeRead() })
		expect(t, peer, "e")
	})
}

// A peer that sends much while paused is stopped by the full socket, and nothing
// is lost; that it ended its side is noticed after the rest was delivered.
func TestPauseIsBackPressure(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		const size = 32 << 20
		var conn *Conn
		var got atomic.Int64
		h := &hooks{message: runFunc, open: func(c *Conn) { conn = c; c.PauseRead() }}
		h.data = func(c *Conn, in []byte) int {
			got.Add(int64(len(in)))
			return len(in)
		}
		g, addr := start(t, Options{Transport: kind}, "tcp4", h)
		peer := dial(t, addr)
		var sent atomic.Int64
		go func() {
			for range size / 65536 {
				n, _ := peer.Write(make([]byte, 65536))
				sent.Add(int64(n))
			}
			_ = peer.Close()
		}()
		time.Sleep(30 * time.Millisecond)
		if got.Load() != 0 || sent.Load() == size {
			t.Fatalf("got %d, sent %d while paused", got.Load(), sent.Load())
		}
		onLoop(g.Loops()[0], func() { conn.ResumeRead() })
		h.closedWith(t, 1)
		if got.Load() != size {
			t.Fatalf("got %d of %d", got.Load(), size)
		}
	})
}

func TestKick(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		var conn *Conn
		var blocked atomic.Bool
		var calls atomic.Int64
		h := &hooks{message: runFunc, data: func(c *Conn, in []byte) int {
			conn = c
			calls.Add(1)
			if blocked.Load() {
				return 0
			}
			c.Out = append(c.Out, in...)
			return len(in)
		}}
		g, addr := start(t, Options{Transport: kind}, "tcp4", h)
		peer := dial(t, addr)
		send(t, peer, []byte("a"))
		expect(t, peer, "a")
		onLoop(g.Loops()[0], func() { conn.Kick() }) // nothing buffered: no call
		onLoop(g.Loops()[0], func() {})              // the turn it asked for has passed
		onLoop(g.Loops()[0], func() {})
		blocked.Store(true)
		send(t, peer, []byte("bc"))
		eventually(t, "Data", func() bool { return calls.Load() == 2 })
		onLoop(g.Loops()[0], func() {
			if n := conn.QueryBuffered(); n != 2 {
				t.Errorf("QueryBuffered = %d", n)
			}
			conn.Kick()
		})
		eventually(t, "Data", func() bool { return calls.Load() == 3 })
		blocked.Store(false)
		onLoop(g.Loops()[0], func() { conn.Kick(); conn.Kick() })
		expect(t, peer, "bc")
		if n := calls.Load(); n != 4 {
			t.Errorf("%d calls of Data, want 4", n)
		}
	})
}

// A peer that sends faster than its input is consumed does not fill the memory:
// what waits for its turn is consumed before more is read.
func TestKickReadsNoMore(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		const size, slice = 32 << 20, 4 << 10
		var most, got atomic.Int64
		h := &hooks{data: func(c *Conn, in []byte) int {
			most.Store(max(most.Load(), int64(len(in))))
			n := min(len(in), slice)
			if n < len(in) {
				c.Kick()
			}
			got.Add(int64(n))
			return n
		}}
		_, addr := start(t, Options{Transport: kind}, "tcp4", h)
		peer := dial(t, addr)
		send(t, peer, make([]byte, size))
		eventually(t, "all of it", func() bool { return got.Load() == size })
		if n := most.Load(); n > 4*readSize {
			t.Errorf("%d bytes waited", n)
		}
	})
}

// Each poster's messages arrive in its order, and none is lost.
func TestPostOrder(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		const posters, each = 8, 5000
		next := make([]int64, posters)
		var got atomic.Int64
		h := &hooks{message: func(l *Loop, m Message) {
			if next[m.Kind] != m.Num {
				t.Errorf("poster %d: message %d came when %d was due", m.Kind, m.Num, next[m.Kind])
			}
			next[m.Kind] = m.Num + 1
			got.Add(1)
		}}
		g, _ := start(t, Options{Transport: kind, Loops: 2}, "tcp4", h)
		var wg sync.WaitGroup
		for p := range posters {
			wg.Go(func() {
				for i := range each {
					g.Loops()[1].Post(Message{Kind: p, Num: int64(i)})
					if i%500 == 0 {
						time.Sleep(50 * time.Microsecond) // so that the loop sleeps, too
					}
				}
			})
		}
		wg.Wait()
		eventually(t, "all messages", func() bool { return got.Load() == posters*each })
	})
}

// A sleeping loop is woken by a message, not by its next tick.
func TestPostWakes(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		done := make(chan struct{})
		h := &hooks{message: func(*Loop, Message) { done <- struct{}{} }}
		g, _ := start(t, Options{Transport: kind, Hz: 1}, "tcp4", h)
		for range 200 {
			begin := time.Now()
			g.Loops()[0].Post(Message{})
			<-done
			if took := time.Since(begin); took > 400*time.Millisecond { // a tick is a second
				t.Errorf("a message took %v", took)
			}
			time.Sleep(100 * time.Microsecond)
		}
	})
}

// A loop may post to itself; the message comes in a later round.
func TestPostToSelf(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		var depth atomic.Int64
		h := &hooks{}
		h.message = func(l *Loop, m Message) {
			depth.Add(1)
			if m.Num > 0 {
				l.Post(Message{Num: m.Num - 1})
			}
		}
		g, _ := start(t, Options{Transport: kind, Hz: 1}, "tcp4", h)
		g.Loops()[0].Post(Message{Num: 999})
		eventually(t, "the chain", func() bool { return depth.Load() == 1000 })
	})
}

// Output may be appended from any call, for any connection of the loop.
func TestMarkDirty(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		var conns []*Conn
		say := func(before bool, text string) {
			for _, c := range conns {
				if before {
					c.MarkDirty()
				}
				c.Out = append(c.Out, text...)
				c.MarkDirty()
			}
		}
		once := map[string]bool{}
		ask := func(name string) bool { v := once[name]; delete(once, name); return v }
		h := &hooks{open: func(c *Conn) { conns = append(conns, c) }}
		h.message = runFunc
		h.data = func(c *Conn, in []byte) int {
			say(true, "<"+string(in)+">")
			return len(in)
		}
		h.tick = func(*Loop, time.Duration) {
			if ask("tick") {
				say(false, "tick")
			}
		}
		h.beforeSleep = func(*Loop) {
			if ask("sleep") {
				say(true, "sleep")
			}
		}
		g, addr := start(t, Options{Transport: kind, Hz: 100}, "tcp4", h)
		peers := []net.Conn{dial(t, addr), dial(t, addr), dial(t, addr)}
		eventually(t, "open", func() bool { return h.opens.Load() == 3 })
		all := func(want string) {
			t.Helper()
			for _, p := range peers {
				expect(t, p, want)
			}
		}
		send(t, peers[1], []byte("hi"))
		all("<hi>")
		onLoop(g.Loops()[0], func() { say(true, "one"); say(false, "two") })
		all("onetwo")
		onLoop(g.Loops()[0], func() { once["tick"] = true })
		all("tick")
		onLoop(g.Loops()[0], func() { once["sleep"] = true })
		all("sleep")
	})
}

func TestTickCadence(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		var ticks atomic.Int64
		var last time.Duration
		h := &hooks{tick: func(l *Loop, now time.Duration) {
			if now <= last || now != l.Now() {
				t.Errorf("tick at %v after %v, Now %v", now, last, l.Now())
			}
			last = now
			ticks.Add(1)
		}}
		g, _ := start(t, Options{Transport: kind, Hz: 100}, "tcp4", h)
		begin := time.Now()
		eventually(t, "20 ticks", func() bool { return ticks.Load() >= 20 })
		if took := time.Since(begin); took < 150*time.Millisecond {
			t.Errorf("20 ticks at 100 Hz took %v", took)
		}
		g.SetHz(1000)
		before := ticks.Load()
		eventually(t, "faster ticks", func() bool { return ticks.Load() > before+50 })
	})
}

func TestWakeBy(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		var asked, woken atomic.Int64
		h := &hooks{message: runFunc}
		var g *Group
		h.beforeSleep = func(l *Loop) {
			if d := asked.Load(); d != 0 && int64(l.Now()) >= d {
				woken.Store(int64(l.Now()) - d)
			}
		}
		g, _ = start(t, Options{Transport: kind, Hz: 1}, "tcp4", h)
		l := g.Loops()[0]
		onLoop(l, func() {
			asked.Store(int64(l.Now() + 20*time.Millisecond))
			l.WakeBy(l.Now() + 5*time.Second)
			l.WakeBy(time.Duration(asked.Load()))
		})
		eventually(t, "the round", func() bool { return woken.Load() != 0 })
		if late := time.Duration(woken.Load()); late > 200*time.Millisecond {
			t.Errorf("%v late", late)
		}
	})
}

// While a flood comes from one peer, others are served.
func TestFairness(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{data: func(c *Conn, in []byte) int {
			if in[0] == 'p' {
				c.Out = append(c.Out, in...)
			}
			return len(in)
		}}
		_, addr := start(t, Options{Transport: kind}, "tcp4", h)
		flood, polite := dial(t, addr), dial(t, addr)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			p := make([]byte, 4<<20)
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = flood.Write(p)
				}
			}
		})
		begin := time.Now()
		for range 50 {
			send(t, polite, []byte("p"))
			expect(t, polite, "p")
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("50 round trips took %v", took)
		}
		close(stop)
		wg.Wait()
	})
}

func TestSeveralLoops(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{data: func(c *Conn, in []byte) int {
			c.Out = fmt.Appendf(c.Out, "%d", c.Loop.Index)
			return len(in)
		}}
		g, addr := start(t, Options{Transport: kind, Loops: 4}, "tcp4", h)
		count := map[string]int{}
		for range 40 {
			conn := dial(t, addr)
			send(t, conn, []byte("?"))
			var b [1]byte
			if _, err := conn.Read(b[:]); err != nil {
				t.Fatal(err)
			}
			count[string(b[:])]++
		}
		for i, l := range g.Loops() {
			if n := count[fmt.Sprint(i)]; n != 10 || l.Len() != 10 {
				t.Errorf("loop %d has %d connections, Len %d", i, n, l.Len())
			}
		}
	})
}

func TestEachAndStats(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{message: runFunc}
		g, addr := start(t, Options{Transport: kind, Hz: 1000}, "tcp4", h)
		for range 5 {
			conn := dial(t, addr)
			send(t, conn, []byte("12345"))
			expect(t, conn, "12345")
		}
		l := g.Loops()[0]
		var ids []uint64
		first := 0
		onLoop(l, func() {
			l.Each(func(c *Conn) bool { ids = append(ids, c.ID); return true })
			l.Each(func(c *Conn) bool { first++; return false })
		})
		slices.Sort(ids)
		if !slices.Equal(ids, []uint64{1, 2, 3, 4, 5}) || first != 1 {
			t.Errorf("Each visited %v, then %d", ids, first)
		}
		eventually(t, "stats", func() bool {
			s := l.Stats()
			return s.Conns == 5 && s.Accepted == 5 && s.BytesIn == 25 && s.BytesOut == 25 &&
				s.Reads >= 5 && s.Writes >= 5 && s.Rounds > 0 && s.Sleeps > 0
		})
		onLoop(l, func() { l.Each(func(c *Conn) bool { c.Close(nil); return true }) })
		eventually(t, "none", func() bool { return l.Len() == 0 })
	})
}

// Closing the Group while peers talk and others post.
func TestCloseWhileBusy(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{}
		g, addr := start(t, Options{Transport: kind, Loops: 2}, "tcp4", h)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				for {
					conn, err := net.Dial("tcp4", addr.String())
					if err != nil {
						return
					}
					for range 1 + i {
						_, _ = conn.Write([]byte("hello"))
						_, _ = conn.Read(make([]byte, 5))
					}
					if i%2 == 0 {
						_, _ = conn.Write(make([]byte, 1<<20)) // not read: pending
					}
					_ = conn.Close()
				}
			})
		}
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					g.Loops()[1].Post(Message{})
				}
			}
		})
		time.Sleep(50 * time.Millisecond)
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if h.opens.Load() != h.closes.Load() {
			t.Errorf("%d opened, %d closed", h.opens.Load(), h.closes.Load())
		}
		close(stop)
		wg.Wait()
		if _, err := g.Listen("tcp4", "127.0.0.1:0"); err != ErrGroupClosed {
			t.Errorf("Listen after Close: %v", err)
		}
		a, b := net.Pipe()
		if err := g.Attach(a); err != ErrGroupClosed {
			t.Errorf("Attach after Close: %v", err)
		}
		_ = b.Close()
		g.Loops()[0].Post(Message{})
		g.Start()
	})
}

func TestCloseUnstarted(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		checkLeaks(t)
		h := &hooks{}
		g, err := New(Options{Transport: kind, Handler: func(int) Handler { return h }})
		if err != nil {
			t.Fatal(err)
		}
		addr, err := g.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		conn := dial(t, addr)
		a, b := net.Pipe()
		_ = g.Attach(a)
		_ = g.Close()
		_ = g.Close()
		_, _ = b, conn
	})
}

func TestBadOptions(t *testing.T) {
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "Handler") {
		t.Errorf("no Handler: %v", err)
	}
	h := func(int) Handler { return &hooks{} }
	if _, err := New(Options{Loops: 5000, Handler: h}); err == nil {
		t.Error("5000 loops were accepted")
	}
	if Auto.String() != "auto" || Epoll.String() != "epoll" || Portable.String() != "portable" {
		t.Error("names of transports")
	}
}

// A Handler that wants to know when a round begins is told.
type waker struct {
	hooks
	rounds atomic.Int64
}

func (w *waker) AfterSleep(*Loop) { w.rounds.Add(1) }

func TestWaker(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		w := &waker{}
		g, err := New(Options{Transport: kind, Hz: 1000, Handler: func(int) Handler { return w }})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		if g.Loops()[0].Handler() != Handler(w) {
			t.Error("Handler is another one")
		}
		g.Start()
		eventually(t, "rounds", func() bool { return w.rounds.Load() > 3 })
	})
}

// Replies of every size come whole and in order while many connections share the
// loop's scratch buffer.
func TestReplySizes(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		h := &hooks{data: frames(true, func(c *Conn, body []byte) {
			n := int(binary.BigEndian.Uint32(body))
			for i := range n {
				c.Out = append(c.Out, byte(uint64(i)+c.ID))
			}
		})}
		_, addr := start(t, Options{Transport: kind}, "tcp4", h)
		r := newRand(t)
		var wg sync.WaitGroup
		for id := range 8 {
			conn := dial(t, addr)
			send(t, conn, frame([]byte{0, 0, 0, 1}))
			var first [1]byte
			if _, err := conn.Read(first[:]); err != nil || first[0] != byte(id+1) {
				t.Fatal(first, err)
			}
			var sizes []int
			for range 40 {
				n := r.IntN(2000)
				if r.IntN(8) == 0 {
					n = r.IntN(2 << 20)
				}
				sizes = append(sizes, n)
			}
			wg.Go(func() { askSizes(t, conn, byte(id+1), sizes) })
		}
		wg.Wait()
	})
}

// askSizes asks for replies of all sizes at once and checks them.
func askSizes(t *testing.T, conn net.Conn, id byte, sizes []int) {
	var in []byte
	for _, n := range sizes {
		in = append(in, frame(binary.BigEndian.AppendUint32(nil, uint32(n)))...)
	}
	send(t, conn, in)
	buf := make([]byte, 3<<20)
	for _, n := range sizes {
		for got := 0; got < n; {
			m, err := conn.Read(buf[got:n])
			if err != nil {
				t.Errorf("connection %d: %v", id, err)
				return
			}
			got += m
		}
		for i, b := range buf[:n] {
			if b != byte(i)+id {
				t.Errorf("connection %d: byte %d of %d is %d", id, i, n, b)
				return
			}
		}
	}
}
