package server

import (
	"testing"

	"dozo/internal/invariants"
)

// gates are what a call may find: no gate, or one that has passed everything.
var gates = []struct {
	name string
	open func(g *gated)
}{
	{"none", func(g *gated) { g.GateReplies(nil) }},
	{"passed", func(g *gated) { g.gate.Advance(g.log.Era(), 1<<62) }},
}

// calls are executed on a loop, as if a client had sent them.
var gatedCalls = []struct {
	name string
	args []string
}{
	{"GET", []string{"GET", "key"}},
	{"SET", []string{"SET", "key", "value"}},
	{"MGET", []string{"MGET", "key", "key2", "key3"}},
	{"DEL", []string{"DEL", "missing"}},
}

// onLoop runs fn on a loop, with a function that executes a call of a client that
// is connected to nothing.
func (g *gated) onLoop(fn func(call func(args [][]byte))) {
	done := make(chan struct{})
	g.workers[0].call(func(w *worker) {
		defer close(done)
		cl := w.clientOfNobody()
		fn(func(args [][]byte) {
			w.beginBatch(cl)
			w.execute(cl, args)
			w.endBatch(cl)
			cl.conn.Out = cl.conn.Out[:0]
		})
	})
	<-done
}

func (w *worker) clientOfNobody() *Client {
	cl := newReplayer(w)
	for _, other := range w.clients {
		cl.conn = other.conn // whose peer reads nothing
	}
	return cl
}

func words(args []string) [][]byte {
	var out [][]byte
	for _, a := range args {
		out = append(out, []byte(a))
	}
	return out
}

// TestGatedCallsAllocateNothing: neither without a gate nor with one.
func TestGatedCallsAllocateNothing(t *testing.T) {
	if invariants.Enabled {
		t.Skip("the checks of this build take memory")
	}
	for _, gate := range gates {
		g := startGated(t, 1)
		g.do(g.dial(), "PING")
		g.alone(func() { gate.open(g) })
		for _, c := range gatedCalls {
			args := words(c.args)
			var n float64
			g.onLoop(func(call func([][]byte)) { n = testing.AllocsPerRun(200, func() { call(args) }) })
			if n != 0 {
				t.Errorf("%s with gate %s: %v allocations", c.name, gate.name, n)
			}
		}
	}
}

// BenchmarkGatedCall is what a call costs on its loop, the sockets left out.
func BenchmarkGatedCall(b *testing.B) {
	for _, gate := range gates {
		for _, c := range gatedCalls {
			b.Run(gate.name+"/"+c.name, func(b *testing.B) {
				g := startGated(b, 1)
				g.do(g.dial(), "PING")
				g.alone(func() { gate.open(g) })
				args := words(c.args)
				b.ResetTimer()
				g.onLoop(func(call func([][]byte)) {
					for range b.N {
						call(args)
					}
				})
			})
		}
	}
}
