package eventloop

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// This file compares the CPU time per operation of a server that answers PING and
// nothing else with redis-server's. Both run on core 0 and are driven in turns from
// core 1, in windows so short that many of them pass undisturbed; the lower quartile
// is what counts. It runs only when asked:
//
//	EVENTLOOP_COMPARE=10s go test ./eventloop -run TestCompareCPU -v
//
// EVENTLOOP_PROFILE=file writes a CPU profile of the server.

// pingHandler answers each PING in RESP form.
type pingHandler struct{}

var pingRequest, pingReply = []byte("*1\r\n$4\r\nPING\r\n"), []byte("+PONG\r\n")

func (pingHandler) Open(*Conn) {}
func (pingHandler) Data(c *Conn, in []byte) int {
	used := 0
	for len(in)-used >= len(pingRequest) && bytes.Equal(in[used:used+len(pingRequest)], pingRequest) {
		c.Out = append(c.Out, pingReply...)
		used += len(pingRequest)
	}
	if used == 0 && len(in) > len(pingRequest) { // CONFIG GET by redis-benchmark
		c.Out = append(c.Out, "-ERR unknown\r\n"...)
		return len(in)
	}
	return used
}
func (pingHandler) Flushed(*Conn)             {}
func (pingHandler) Closed(*Conn, error)       {}
func (pingHandler) Message(*Loop, Message)    {}
func (pingHandler) Tick(*Loop, time.Duration) {}
func (pingHandler) BeforeSleep(*Loop)         {}

// pingServer is the child process, under the transport named mode.
func pingServer(mode string) {
	runtime.GOMAXPROCS(3)
	kind := Epoll
	if mode == Portable.String() {
		kind = Portable
	}
	if path := os.Getenv("EVENTLOOP_PROFILE"); path != "" {
		f, err := os.Create(path)
		if err != nil {
			panic(err)
		}
		_ = pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	serveUntilEOF(Options{Transport: kind, Handler: func(int) Handler { return pingHandler{} }})
}

func TestCompareCPU(t *testing.T) {
	text := os.Getenv("EVENTLOOP_COMPARE")
	if text == "" {
		t.Skip("EVENTLOOP_COMPARE=10s asks for it")
	}
	span, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	epoll, addr, _ := startChild(t, "epoll", "taskset", "-c", "0")
	portable, portableAddr, _ := startChild(t, "portable", "taskset", "-c", "0")
	redis, redisAddr := startRedis(t)
	for _, pipeline := range []int{1, 16} {
		rivals := []*rival{
			newRival(t, "redis", redis, redisAddr, pipeline),
			newRival(t, "epoll", epoll.Process.Pid, addr, pipeline),
			newRival(t, "portable", portable.Process.Pid, portableAddr, pipeline),
		}
		driveInTurns(t, rivals, span)
		for _, r := range rivals {
			cpu := lowerQuartile(r.cpu)
			t.Logf("P=%-2d %-8s %6.0f ns/op, %.3f of redis, %.3f time slices/op, %.0f op/s", pipeline, r.name,
				cpu, cpu/lowerQuartile(rivals[0].cpu), lowerQuartile(r.slices), 1e9/lowerQuartile(r.wall))
			r.close()
		}
	}
}

// startRedis starts redis-server on core 0 and returns its process id and address.
func startRedis(t *testing.T) (int, string) {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0") // for a port that is free
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	_ = ln.Close()
	cmd := exec.Command("taskset", "-c", "0", "redis-server", "--port", port, "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	addr := "127.0.0.1:" + port
	eventually(t, "redis-server", func() bool {
		conn, err := net.Dial("tcp4", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return cmd.Process.Pid, addr
}

// rival is a server under load: 50 connections, each with one batch of pipelined
// requests under way.
type rival struct {
	name              string
	pid               int
	pipeline          int
	request           []byte
	set               int // epoll set of its connections
	files             []int
	missing           []int     // bytes of the reply, by connection
	cpu, slices, wall []float64 // one a window; ns, count and ns for each operation
}

func newRival(t *testing.T, name string, pid int, addr string, pipeline int) *rival {
	t.Helper()
	r := &rival{name: name, pid: pid, pipeline: pipeline, request: bytes.Repeat(pingRequest, pipeline)}
	var err error
	if r.set, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		conn, err := net.Dial("tcp4", addr)
		if err != nil {
			t.Fatal(err)
		}
		file, err := duplicate(conn)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if err := unix.EpollCtl(r.set, unix.EPOLL_CTL_ADD, file, &ev); err != nil {
			t.Fatal(err)
		}
		r.files = append(r.files, file)
		r.missing = append(r.missing, 0)
	}
	return r
}

func (r *rival) close() {
	for _, file := range append(r.files, r.set) {
		_ = unix.Close(file)
	}
}

// driveInTurns loads each rival for a short window, round and round, from core 1.
func driveInTurns(t *testing.T, rivals []*rival, span time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old, core unix.CPUSet
	core.Set(1)
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.SchedSetaffinity(0, &core); err != nil {
		t.Logf("no core to ourselves: %v", err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &old) }()
	for i, end := 0, time.Now().Add(span); time.Now().Before(end); i++ {
		for k := range rivals {
			rivals[(i+k)%len(rivals)].window(t)
		}
		time.Sleep(5 * time.Millisecond) // others want to live, too
	}
}

// window sends about 2000 batches and notes what they cost.
func (r *rival) window(t *testing.T) {
	cpu, slices := r.schedstat(t)
	begin := time.Now()
	sent, done := 0, 0
	var events [64]unix.EpollEvent
	buf := make([]byte, 64<<10)
	for i := range r.files {
		r.send(i)
		sent++
	}
	for done < sent {
		n, err := unix.EpollWait(r.set, events[:], 1000)
		if err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
		for _, ev := range events[:max(n, 0)] {
			got, err := unix.Read(r.files[ev.Fd], buf)
			if err != nil || got == 0 {
				t.Fatalf("%s: read %d, %v", r.name, got, err)
			}
			if r.missing[ev.Fd] -= got; r.missing[ev.Fd] > 0 {
				continue
			}
			done++
			if sent < 2000 {
				r.send(int(ev.Fd))
				sent++
			}
		}
	}
	wall := time.Since(begin)
	time.Sleep(300 * time.Microsecond) // let it fall asleep: only then is it accounted
	cpuAfter, slicesAfter := r.schedstat(t)
	ops := float64(done * r.pipeline)
	r.cpu = append(r.cpu, (cpuAfter-cpu)/ops)
	r.slices = append(r.slices, (slicesAfter-slices)/ops)
	r.wall = append(r.wall, float64(wall.Nanoseconds())/ops)
}

func (r *rival) send(i int) {
	_, _ = unix.Write(r.files[i], r.request)
	r.missing[i] = len(pingReply) * r.pipeline
}

// schedstat is the CPU time and the number of time slices of all threads so far.
func (r *rival) schedstat(t *testing.T) (cpu, slices float64) {
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", r.pid))
	for _, path := range paths {
		text, err := os.ReadFile(path)
		fields := strings.Fields(string(text))
		if err != nil || len(fields) < 3 {
			t.Fatalf("%s holds %q, %v", path, text, err)
		}
		nanoseconds, _ := strconv.ParseFloat(fields[0], 64)
		count, _ := strconv.ParseFloat(fields[2], 64)
		cpu += nanoseconds
		slices += count
	}
	return cpu, slices
}

func lowerQuartile(v []float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	return sorted[len(sorted)/4]
}
