package eventloop

import (
	"bytes"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

// This file compares the CPU time per operation of a server that answers PING and
// nothing else with redis-server's, each on one core. It runs only when asked:
//
//	EVENTLOOP_COMPARE=1 go test ./eventloop -run TestCompareCPU -v

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

// pingServer is the child process, under the transport named mode.
func pingServer(mode string) {
	runtime.GOMAXPROCS(2)
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
