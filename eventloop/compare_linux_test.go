package eventloop

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

// This file compares the CPU time per operation of a server that answers PING and
// nothing else with redis-server's, each on one core. It runs only when asked:
//
//	EVENTLOOP_COMPARE=1 go test ./eventloop -run TestCompareCPU -v

const pingServerEnv = "EVENTLOOP_PING_SERVER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(pingServerEnv); mode != "" {
		pingServer(mode)
		return
	}
	os.Exit(m.Run())
}

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
	if used == 0 && len(in) > len(pingRequest) { // CONFIG GET and the like
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

// pingServer is the child process: it prints its address and ends with its stdin.
func pingServer(mode string) {
	runtime.GOMAXPROCS(2)
	t := Epoll
	if mode == "portable" {
		t = Portable
	}
	g, err := New(Options{Transport: t, Handler: func(int) Handler { return pingHandler{} }})
	if err != nil {
		panic(err)
	}
	addr, err := g.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	if path := os.Getenv("EVENTLOOP_PROFILE"); path != "" {
		f, _ := os.Create(path)
		_ = pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	g.Start()
	fmt.Println(addr)
	var b [1]byte
	_, _ = os.Stdin.Read(b[:])
	s := g.Loops()[0].Stats()
	fmt.Fprintf(os.Stderr, "%+v\n", s)
	_ = g.Close()
}
