package eventloop

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// This file measures what a source that sends at full speed does to 50 clients of the
// same loop, and how fast it is. The server runs on core 0; core 1 drives it, in short
// windows with the source and without in turns. It runs only when asked:
//
//	EVENTLOOP_SOURCE=10s go test ./eventloop -run TestCompareSource -v

// sourceServer is the child process: who sends "1" gets an endless source, until "0".
func sourceServer() {
	runtime.GOMAXPROCS(3)
	h := &sourceHandler{source: newEndless(64 << 20)}
	serveUntilEOF(Options{Transport: Epoll, Handler: func(int) Handler { return h }})
}

type sourceHandler struct {
	pingHandler
	source   Source
	requests int       // in this round
	begin    float64   // the thread's CPU time then
	rounds   []float64 // CPU time of those with requests, in ns
}

func (h *sourceHandler) AfterSleep(*Loop) { h.requests, h.begin = 0, threadTime() }

func (h *sourceHandler) BeforeSleep(*Loop) {
	if d := threadTime() - h.begin; h.requests > 0 && d > 0 { // else it changed threads
		h.rounds = append(h.rounds, d)
	}
}

// threadTime is the CPU time of this thread in nanoseconds.
func threadTime() float64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return float64(ts.Nano())
}

func (h *sourceHandler) Data(c *Conn, in []byte) int {
	switch in[0] {
	case '?':
		slices.Sort(h.rounds)
		n := len(h.rounds)
		c.Out = fmt.Appendf(c.Out, "%.0f %.0f", h.rounds[n/2], h.rounds[n*99/100])
		h.rounds = h.rounds[:0]
	case '1':
		c.SetSource(h.source)
	case '0':
		c.SetSource(nil)
	default:
		h.requests++
		return h.pingHandler.Data(c, in)
	}
	return len(in)
}

func TestCompareSource(t *testing.T) {
	text := os.Getenv("EVENTLOOP_SOURCE")
	if text == "" {
		t.Skip("EVENTLOOP_SOURCE=10s asks for it")
	}
	span, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	cmd, addr, _ := startChild(t, "source", "taskset", "-c", "0")
	clients := newRival(t, "clients", cmd.Process.Pid, addr, 1)
	defer clients.close()
	sink := newSink(t, clients, addr)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var core unix.CPUSet
	core.Set(1)
	_ = unix.SchedSetaffinity(0, &core)
	for _, every := range []time.Duration{0, 10 * time.Millisecond} {
		sink.measure(t, every, span)
	}
	sink.alone(t, span)
}

// sink is the peer that the source is sent to, and the latencies of those beside it.
type sink struct {
	clients *rival
	file    int
	took    int
}

func newSink(t *testing.T, clients *rival, addr string) *sink {
	t.Helper()
	own := newRival(t, "sink", clients.pid, addr, 1)
	defer own.close()
	file, err := unix.Dup(own.files[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(file) })
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1}
	if err := unix.EpollCtl(clients.set, unix.EPOLL_CTL_ADD, file, &ev); err != nil {
		t.Fatal(err)
	}
	return &sink{clients: clients, file: file}
}

// set turns the source on or off, and takes what is under way.
func (s *sink) set(on bool) {
	what := "0"
	if on {
		what = "1"
	}
	_, _ = unix.Write(s.file, []byte(what))
	time.Sleep(30 * time.Millisecond)
	for quiet := 0; !on && quiet < 10; quiet++ {
		if s.take() > 0 {
			quiet = 0
		}
		time.Sleep(time.Millisecond)
	}
	s.took = 0
}

// take throws away what has arrived; MSG_TRUNC spares the copy.
func (s *sink) take() int {
	buf := make([]byte, 8)
	n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(s.file), uintptr(unsafe.Pointer(&buf[0])), 8<<20,
		unix.MSG_DONTWAIT|unix.MSG_TRUNC, 0, 0)
	if errno != 0 {
		return 0
	}
	s.took += int(n)
	return int(n)
}

// measure compares the clients' latencies. Each sends a request every so often, or as
// soon as it has its answer.
func (s *sink) measure(t *testing.T, every, span time.Duration) {
	var p50, p99, rate, round, roundMost [2][]float64
	var bytes float64
	for begin := time.Now(); time.Since(begin) < span; {
		for on := range 2 {
			s.set(on == 1)
			start := time.Now()
			lats := s.window(t, every, 5*time.Millisecond+2*every)
			wall := time.Since(start).Seconds()
			slices.Sort(lats)
			p50[on] = append(p50[on], float64(lats[len(lats)/2]))
			p99[on] = append(p99[on], float64(lats[len(lats)*99/100]))
			rate[on] = append(rate[on], float64(len(lats))/wall)
			r50, r99 := s.rounds(t)
			round[on] = append(round[on], r50)
			roundMost[on] = append(roundMost[on], r99)
			if on == 1 {
				bytes = max(bytes, float64(s.took)/wall)
			}
		}
		s.set(false)
	}
	for on, name := range []string{"without", "with"} {
		t.Logf("every %-5v %-7s p50 %4.0f us, p99 %4.0f us, %.0f requests/s; CPU time of a round p50 %.1f us, p99 %.1f us",
			every, name, lowerQuartile(p50[on])/1e3, lowerQuartile(p99[on])/1e3, lowerQuartile(rate[on]),
			lowerQuartile(round[on])/1e3, lowerQuartile(roundMost[on])/1e3)
	}
	t.Logf("every %-5v the source sent %.2f GB/s at best", every, bytes/1e9)
}

// rounds asks the server what its rounds have cost.
func (s *sink) rounds(t *testing.T) (p50, p99 float64) {
	t.Helper()
	file := s.clients.files[0]
	buf := make([]byte, 100)
	_, _ = unix.Write(file, []byte("?"))
	n, err := unix.Read(file, buf)
	for err == unix.EAGAIN {
		n, err = unix.Read(file, buf)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(buf[:n]), &p50, &p99); err != nil {
		t.Fatal(err)
	}
	return p50, p99
}

// window returns the latencies of a while.
func (s *sink) window(t *testing.T, every, span time.Duration) (lats []time.Duration) {
	r := s.clients
	begin := time.Now()
	sent := make([]time.Time, len(r.files))
	due := make([]time.Time, len(r.files))
	for i := range due {
		due[i] = begin.Add(every * time.Duration(i) / time.Duration(len(due)))
	}
	var events [64]unix.EpollEvent
	buf := make([]byte, 4096)
	busy := 0
	for now := begin; now.Sub(begin) < span || busy > 0; now = time.Now() {
		for i := range due {
			if sent[i].IsZero() && !now.Before(due[i]) && now.Sub(begin) < span {
				r.send(i)
				sent[i] = time.Now()
				busy++
			}
		}
		n, _ := unix.EpollWait(r.set, events[:], 0)
		for _, ev := range events[:max(n, 0)] {
			if ev.Fd < 0 {
				s.take()
				continue
			}
			i := int(ev.Fd)
			if n, err := unix.Read(r.files[i], buf); err != nil || n != len(pingReply) {
				t.Fatal(n, err)
			}
			lats = append(lats, time.Since(sent[i]))
			sent[i] = time.Time{}
			due[i] = due[i].Add(every)
			busy--
		}
	}
	return lats
}

// alone is the source's speed with nobody beside it.
func (s *sink) alone(t *testing.T, span time.Duration) {
	s.set(true)
	best, cpu := 0.0, 0.0
	for begin := time.Now(); time.Since(begin) < span; {
		before, _ := s.clients.schedstat(t)
		start := time.Now()
		s.took = 0
		for time.Since(start) < 100*time.Millisecond {
			s.take()
		}
		if speed := float64(s.took) / time.Since(start).Seconds(); speed > best {
			after, _ := s.clients.schedstat(t)
			best, cpu = speed, (after-before)/float64(s.took)
		}
	}
	s.set(false)
	t.Logf("alone: %.2f GB/s at best, %.3f ns of the server's CPU time for each byte", best/1e9, cpu)
}
