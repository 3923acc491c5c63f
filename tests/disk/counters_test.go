package disk

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"dozo/internal/testutil"
)

// counters are clients that count, each on a key of its own. Counting is not idempotent:
// a count that is too low tells of a write that was lost, one that is too high of a
// write that was done twice.
type counters struct {
	m       *machine
	clients sync.WaitGroup
	stop    atomic.Bool
	acked   []atomic.Int64
}

// count starts n clients that count until halt; refusals do not stop them.
func (m *machine) count(n int) *counters {
	c := &counters{m: m, acked: make([]atomic.Int64, n)}
	for i := range c.acked {
		conn := m.client()
		c.clients.Go(func() { c.run(conn, i) })
	}
	return c
}

func (c *counters) run(conn *testutil.Conn, i int) {
	for !c.stop.Load() {
		v, err := conn.DoErr("INCR", key(i))
		switch {
		case err != nil:
			return // the server has gone
		case !v.IsError():
			c.acked[i].Store(v.Int())
		case strings.HasPrefix(v.Str, "MISCONF"):
			continue
		default:
			c.m.Errorf("INCR: %s", v)
			return
		}
	}
}

// halt ends the clients.
func (c *counters) halt() {
	c.stop.Store(true)
	c.clients.Wait()
}

// awaitMore waits until every client has counted further.
func (c *counters) awaitMore() {
	c.m.Helper()
	for i := range c.acked {
		before := c.acked[i].Load()
		c.m.await("more of "+key(i), func() bool { return c.acked[i].Load() > before })
	}
}

// wantAll fails unless a machine has exactly what was acknowledged.
func (c *counters) wantAll(t *testing.T, m *machine, what string) {
	t.Helper()
	for i := range c.acked {
		if n, want := m.number(key(i)), c.acked[i].Load(); n != want {
			t.Errorf("%s: %s is %d, and %d was acknowledged", what, key(i), n, want)
		}
	}
}

// values are what each client was acknowledged last.
func (c *counters) values() (list []int64) {
	for i := range c.acked {
		list = append(list, c.acked[i].Load())
	}
	return list
}

// wantAtLeast fails unless a machine has what had been acknowledged at a time.
func (m *machine) wantAtLeast(acked []int64, what string) {
	m.Helper()
	for i, want := range acked {
		if n := m.number(key(i)); n < want {
			m.Errorf("%s: %s is %d, and %d was acknowledged", what, key(i), n, want)
		}
	}
}
