package eventloop

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// childEnv makes the test binary a server in a process of its own.
const childEnv = "EVENTLOOP_TEST_SERVER"

func TestMain(m *testing.M) {
	switch mode := os.Getenv(childEnv); mode {
	case "":
		os.Exit(m.Run())
	case "echo-epoll":
		serveUntilEOF(Options{Transport: Epoll, Handler: echoes, Backlog: 4096})
	case "echo-portable":
		serveUntilEOF(Options{Transport: Portable, Handler: echoes})
	case "source":
		sourceServer()
	case "few-epoll":
		fewDescriptors(Epoll)
	case "few-portable":
		fewDescriptors(Portable)
	default:
		pingServer(mode)
	}
}

// startChild runs this binary as a server and returns its address, and the lines
// it prints afterwards. It ends with its standard input.
func startChild(t *testing.T, mode string, wrap ...string) (*exec.Cmd, string, *bufio.Reader) {
	t.Helper()
	args := append(wrap, os.Args[0])
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), childEnv+"="+mode)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	lines := bufio.NewReader(out)
	addr, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(addr), lines
}

// serveUntilEOF prints the Group's address and ends with the standard input.
func serveUntilEOF(o Options) {
	g, err := New(o)
	if err != nil {
		panic(err)
	}
	addr, err := g.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	g.Start()
	fmt.Println(addr)
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = g.Close()
}

func echoes(int) Handler { return &hooks{} }

// fewDescriptors is a server that can open few descriptors and says so when that
// hurts.
func fewDescriptors(kind Transport) {
	limit := syscall.Rlimit{Cur: 40, Max: 40}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		panic(err)
	}
	var reports atomic.Int64
	serveUntilEOF(Options{
		Transport: kind,
		Handler:   echoes,
		Report: func(err error) {
			if reports.Add(1) == 1 {
				fmt.Println(err)
			}
		},
	})
	fmt.Println("reports:", reports.Load())
}

// Without descriptors the loop neither spins nor forgets those who wait.
func TestAcceptWithoutDescriptors(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		_, addr, lines := startChild(t, "few-"+kind.String())
		var conns []net.Conn
		for range 60 {
			conn, err := net.Dial("tcp4", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			send(t, conn, []byte("x"))
			conns = append(conns, conn)
		}
		report, err := lines.ReadString('\n')
		if err != nil || !strings.Contains(report, "too many open files") {
			t.Fatal(report, err)
		}
		time.Sleep(250 * time.Millisecond)
		expect(t, conns[0], "x") // those who are in are served
		for _, conn := range conns[:40] {
			_ = conn.Close()
		}
		expect(t, conns[59], "x") // and the others get in when there is room
	})
}

// raiseFiles makes room for n descriptors, or skips.
func raiseFiles(t *testing.T, n uint64) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur >= n {
		return
	}
	old := limit
	limit.Cur, limit.Max = n, max(n, limit.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Skipf("%d descriptors are refused: %v", n, err)
	}
	t.Cleanup(func() { old.Max = limit.Max; _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old) })
}

// Ten thousand connections to a server in a process of its own, so that each side
// has half of the descriptors.
func TestTenThousandConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	forEachTransport(t, func(t *testing.T, kind Transport) {
		const count = 10_000
		raiseFiles(t, count+200)
		cmd, addr, _ := startChild(t, "echo-"+kind.String())
		before := residentBytes(t, cmd.Process.Pid)
		conns := make([]net.Conn, count)
		for i := range conns {
			conn, err := net.Dial("tcp4", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conns[i] = conn
		}
		for round := range 2 {
			for _, conn := range conns {
				send(t, conn, []byte{byte(round)})
			}
			for _, conn := range conns {
				_ = conn.SetReadDeadline(time.Now().Add(patience))
				expect(t, conn, string([]byte{byte(round)}))
			}
		}
		each := (residentBytes(t, cmd.Process.Pid) - before) / count
		t.Logf("%d bytes of server memory for each idle connection", each)
		if kind == Epoll && each > 2048 {
			t.Error("that is too much")
		}
	})
}

// residentBytes is the resident memory of a process.
func residentBytes(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}

func TestSocketOptions(t *testing.T) {
	var conn *Conn
	h := &hooks{message: runFunc, open: func(c *Conn) { conn = c }}
	g, addr := start(t, Options{Transport: Epoll, KeepAlive: 300 * time.Second}, "tcp4", h)
	peer := dial(t, addr)
	send(t, peer, []byte("x"))
	expect(t, peer, "x")
	onLoop(g.Loops()[0], func() {
		get := func(level, name int) int {
			v, err := unix.GetsockoptInt(conn.FD(), level, name)
			if err != nil {
				t.Error(err)
			}
			return v
		}
		if get(unix.IPPROTO_TCP, unix.TCP_NODELAY) == 0 {
			t.Error("TCP_NODELAY is off")
		}
		if get(unix.SOL_SOCKET, unix.SO_KEEPALIVE) == 0 || get(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE) != 300 ||
			get(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL) != 100 {
			t.Error("keep-alive is not as asked")
		}
		if err := conn.SetKeepAlive(0); err != nil || get(unix.SOL_SOCKET, unix.SO_KEEPALIVE) != 0 {
			t.Errorf("keep-alive stays on: %v", err)
		}
		if err := conn.SetKeepAlive(time.Second); err != nil || get(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE) != 1 {
			t.Errorf("keep-alive stays off: %v", err)
		}
	})
}

func TestPortableKeepAlive(t *testing.T) {
	var conn *Conn
	h := &hooks{message: runFunc, open: func(c *Conn) { conn = c }}
	g, addr := start(t, Options{Transport: Portable}, "tcp4", h)
	peer := dial(t, addr)
	send(t, peer, []byte("x"))
	expect(t, peer, "x")
	onLoop(g.Loops()[0], func() {
		if conn.FD() != -1 {
			t.Errorf("FD = %d", conn.FD())
		}
		if err := conn.SetKeepAlive(time.Minute); err != nil {
			t.Error(err)
		}
	})
}

// The way of a request allocates nothing.
func TestNoAllocation(t *testing.T) {
	h := &hooks{}
	_, addr := start(t, Options{Transport: Epoll}, "tcp4", h)
	peer := dial(t, addr)
	buf := make([]byte, 64)
	trip := func() {
		_, _ = peer.Write(buf)
		_, _ = io.ReadFull(peer, buf)
	}
	if n := testing.AllocsPerRun(2000, trip); n > 0 {
		t.Errorf("%v allocations for each request", n)
	}
}

// Long replies of many connections in one round do not outgrow what is left of the
// buffer that they share.
func TestLongRepliesAllocateLittle(t *testing.T) {
	piece, reply := make([]byte, 1<<10), make([]byte, 50<<10)
	h := &hooks{data: func(c *Conn, in []byte) int {
		for range len(reply) / len(piece) {
			c.Out = append(c.Out, piece...)
		}
		return len(in)
	}}
	_, addr := start(t, Options{Transport: Epoll}, "tcp4", h)
	var peers []net.Conn
	for range 8 {
		peers = append(peers, dial(t, addr))
	}
	round := func() {
		for _, p := range peers {
			send(t, p, []byte("x"))
		}
		for _, p := range peers {
			_, _ = io.ReadFull(p, reply)
		}
	}
	round() // the buffer finds its size
	const rounds = 40
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		round()
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / uint64(rounds*len(peers)); n > 5<<10 {
		t.Errorf("%d bytes were allocated for each reply of %d", n, len(reply))
	}
}

// A request costs one read and one write, and no wake-up of anybody.
func TestSystemCallsPerRequest(t *testing.T) {
	h := &hooks{message: runFunc}
	g, addr := start(t, Options{Transport: Epoll}, "tcp4", h)
	peer := dial(t, addr)
	const count = 1000
	buf := make([]byte, 64)
	for range count {
		send(t, peer, buf)
		_, _ = io.ReadFull(peer, buf)
	}
	var s Stats
	onLoop(g.Loops()[0], func() { s = g.Loops()[0].count })
	if s.Reads > count+2 || s.Writes > count+2 || s.Rounds > count+20 {
		t.Errorf("%d requests took %d reads, %d writes, %d rounds", count, s.Reads, s.Writes, s.Rounds)
	}
}
