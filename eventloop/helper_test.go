package eventloop

import (
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 = a new one each time")

// newRand is a random source whose seed is printed when the test fails.
func newRand(t *testing.T) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("-seed=%d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// forEachTransport runs a test under every transport that there is here.
func forEachTransport(t *testing.T, test func(t *testing.T, kind Transport)) {
	for _, kind := range []Transport{Epoll, Portable} {
		if kind == Epoll && nativeTransport != Epoll {
			continue
		}
		t.Run(kind.String(), func(t *testing.T) { test(t, kind) })
	}
}

// hooks is a Handler made of functions; nil ones do nothing, but Data echoes.
type hooks struct {
	open        func(c *Conn)
	data        func(c *Conn, in []byte) int
	flushed     func(c *Conn)
	closed      func(c *Conn, err error)
	message     func(l *Loop, m Message)
	tick        func(l *Loop, now time.Duration)
	beforeSleep func(l *Loop)
	sourceEnded func(c *Conn, s Source)

	opens, closes atomic.Int64
	errs          sync.Map // Conn.ID -> what Closed was told
}

func (h *hooks) Open(c *Conn) {
	h.opens.Add(1)
	if h.open != nil {
		h.open(c)
	}
}

func (h *hooks) Data(c *Conn, in []byte) int {
	if h.data != nil {
		return h.data(c, in)
	}
	c.Out = append(c.Out, in...)
	return len(in)
}

func (h *hooks) Flushed(c *Conn) {
	if h.flushed != nil {
		h.flushed(c)
	}
}

func (h *hooks) Closed(c *Conn, err error) {
	if _, twice := h.errs.LoadOrStore(c.ID, err); twice {
		panic("Closed was called twice")
	}
	if h.closed != nil {
		h.closed(c, err)
	}
	h.closes.Add(1)
}

func (h *hooks) Message(l *Loop, m Message) {
	if h.message != nil {
		h.message(l, m)
	}
}

func (h *hooks) Tick(l *Loop, now time.Duration) {
	if h.tick != nil {
		h.tick(l, now)
	}
}

func (h *hooks) BeforeSleep(l *Loop) {
	if h.beforeSleep != nil {
		h.beforeSleep(l)
	}
}

func (h *hooks) SourceEnded(c *Conn, s Source) {
	if h.sourceEnded != nil {
		h.sourceEnded(c, s)
	}
}

// closedWith waits for the end of connection id and returns what Closed was told.
func (h *hooks) closedWith(t *testing.T, id uint64) error {
	t.Helper()
	var err any
	eventually(t, "Closed", func() bool {
		var ok bool
		err, ok = h.errs.Load(id)
		return ok
	})
	got, _ := err.(error)
	return got
}

// start makes a running Group that listens on network. The end of the test closes
// it and looks for leaks.
func start(t *testing.T, o Options, network string, h *hooks) (*Group, net.Addr) {
	t.Helper()
	checkLeaks(t)
	o.Handler = func(int) Handler { return h }
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if opened, closed := h.opens.Load(), h.closes.Load(); opened != closed {
			t.Errorf("%d connections were opened, %d closed", opened, closed)
		}
	})
	addr, err := g.Listen(network, listenAddress(t, network))
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	return g, addr
}

func listenAddress(t *testing.T, network string) string {
	switch network {
	case "unix":
		return t.TempDir() + "/s"
	case "tcp6":
		return "[::1]:0"
	}
	return "127.0.0.1:0"
}

// checkLeaks compares goroutines and descriptors before and after the test.
func checkLeaks(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), openFiles()
	t.Cleanup(func() {
		deadline := time.Now().Add(patience)
		for runtime.NumGoroutine() > goroutines || openFiles() > files {
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Errorf("left over: goroutines %d -> %d, descriptors %d -> %d\n%s", goroutines,
					runtime.NumGoroutine(), files, openFiles(), buf[:runtime.Stack(buf, true)])
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// openFiles counts this process's descriptors, where the system shows them.
func openFiles() int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	return len(names)
}

// dial connects and closes at the end of the test.
func dial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func send(t *testing.T, conn net.Conn, p []byte) {
	t.Helper()
	if _, err := conn.Write(p); err != nil {
		t.Fatal(err)
	}
}

// expect reads exactly want.
func expect(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", clip(got[:n]), err, clip([]byte(want)))
	}
}

// expectEnd demands that nothing more comes, and how the end looks.
func expectEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	n, err := conn.Read(make([]byte, 1))
	if n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v; want the end", n, err)
	}
}

func clip(p []byte) []byte { return p[:min(len(p), 60)] }

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// frames is a Data function: a frame is a length of four bytes and so many bytes;
// each is answered by answer. With hints it says what it waits for.
func frames(hints bool, answer func(c *Conn, body []byte)) func(c *Conn, in []byte) int {
	return func(c *Conn, in []byte) int {
		used := 0
		for {
			rest := in[used:]
			if len(rest) < 4 {
				if hints {
					c.ExpectMore(4 - len(rest))
				}
				return used
			}
			n := int(binary.BigEndian.Uint32(rest))
			if len(rest) < 4+n {
				if hints {
					c.ExpectMore(4 + n - len(rest))
				}
				return used
			}
			answer(c, rest[4:4+n])
			used += 4 + n
		}
	}
}

func frame(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// onLoop runs f on the loop's goroutine and waits for it. The hooks' message
// function must be runFunc.
func onLoop(l *Loop, f func()) {
	done := make(chan struct{})
	l.Post(Message{Any: func() { defer close(done); f() }})
	<-done
}

func runFunc(_ *Loop, m Message) {
	if f, ok := m.Any.(func()); ok {
		f()
	}
}
