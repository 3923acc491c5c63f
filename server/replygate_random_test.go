package server

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// seen is what a reply said of a key, and how far the gate had passed, at the most,
// when the reply left.
type seen struct {
	key, value string // "" = it is missing
	passed     uint64
}

// state is what a key was from some offset of the log on.
type state struct {
	value string
	since uint64
}

// randomClient writes and reads at random, some calls at once, and notes what it sees.
type randomClient struct {
	g    *gated
	id   int
	r    *rand.Rand
	n    int
	conn *testutil.Conn
	log  []seen
}

const randomKeys = 6

func (c *randomClient) key() string { return "k" + strconv.Itoa(c.r.IntN(randomKeys)) }

// call queues one call, and returns how its reply is read.
func (c *randomClient) call() func(v testutil.Value, passed uint64) {
	key := c.key()
	c.n++
	value := fmt.Sprintf("c%d-%d", c.id, c.n)
	see := func(key string, v testutil.Value, passed uint64) { c.log = append(c.log, seen{key, v.Str, passed}) }
	switch c.r.IntN(10) {
	case 0, 1, 2:
		c.conn.Queue("SET", key, value)
		return func(_ testutil.Value, passed uint64) { c.log = append(c.log, seen{key, value, passed}) }
	case 3:
		c.conn.Queue("DEL", key)
		return func(testutil.Value, uint64) {}
	case 4:
		keys := []string{c.key(), c.key()}
		c.conn.Queue("MGET", keys[0], keys[1])
		return func(v testutil.Value, passed uint64) {
			for i, e := range v.Elems {
				see(keys[i], e, passed)
			}
		}
	case 5:
		other := c.key()
		c.conn.Queue("MULTI")
		c.conn.Queue("GET", key)
		c.conn.Queue("SET", other, value)
		c.conn.Queue("EXEC")
		return nil // the replies are read, and say nothing
	case 6:
		c.conn.Queue("GETSET", key, value)
		return func(v testutil.Value, passed uint64) { see(key, v, passed) }
	case 7:
		c.conn.Queue("SET", key, value, "NX", "GET")
		return func(v testutil.Value, passed uint64) {
			if v.Str != "" {
				see(key, v, passed)
			}
		}
	default:
		c.conn.Queue("GET", key)
		return func(v testutil.Value, passed uint64) { see(key, v, passed) }
	}
}

func (c *randomClient) run(rounds int) error {
	for range rounds {
		var calls []func(testutil.Value, uint64)
		for range 1 + c.r.IntN(4) {
			calls = append(calls, c.call())
		}
		if err := c.conn.Flush(); err != nil {
			return err
		}
		for _, read := range calls {
			replies := 1
			if read == nil {
				replies = 4
			}
			for range replies {
				raw, err := c.conn.ReadRaw()
				if err != nil {
					return err
				}
				passed := c.g.gate.Passed()
				v, err := testutil.Parse(raw)
				if err != nil || v.IsError() {
					return fmt.Errorf("%q, %v", raw, err)
				}
				if read != nil {
					read(v, passed)
				}
			}
		}
	}
	return nil
}

// states reads from the log what each key was when. A unit counts from its end.
func (g *gated) states() map[string][]state {
	g.t.Helper()
	r, err := g.log.NewReader(0, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	defer r.Close()
	buf := make([]byte, 1<<20)
	n, err := r.Read(buf)
	if err != nil || uint64(n) != g.log.Offset() {
		g.t.Fatalf("%d bytes of %d, %v", n, g.log.Offset(), err)
	}
	all, open := make(map[string][]state), 0 // of how many entries the unit has no end yet
	var pending []string
	for rest := buf[:n]; len(rest) != 0; {
		var words []string
		words, rest = nextCommand(rest)
		end := uint64(n - len(rest))
		switch words[0] {
		case "MULTI":
			open = 1
		case "EXEC":
			open = 0
		case "SET", "GETSET":
			pending = append(pending, words[1], words[2])
		case "DEL":
			pending = append(pending, words[1], "")
		}
		for ; open == 0 && len(pending) != 0; pending = pending[2:] {
			all[pending[0]] = append(all[pending[0]], state{pending[1], end})
		}
	}
	return all
}

// nextCommand cuts a command off a log.
func nextCommand(b []byte) (words []string, rest []byte) {
	line := func() int {
		head, tail, _ := bytes.Cut(b, []byte("\r\n"))
		b = tail
		n, _ := strconv.Atoi(string(head[1:]))
		return n
	}
	for range line() {
		n := line()
		words = append(words, string(b[:n]))
		b = b[n+2:]
	}
	return words, b
}

// check compares what a client saw, in its order, with what the keys were: each sight
// is of a state that is no older than the one before, and that the gate had passed.
func (c *randomClient) check(all map[string][]state) error {
	last := make(map[string]int) // of each key's states, how many are over for the client
	for i, s := range c.log {
		states := append([]state{{}}, all[s.key]...)
		from := last[s.key]
		at := slices.IndexFunc(states[from:], func(st state) bool { return st.value == s.value })
		if at < 0 {
			return fmt.Errorf("sight %d of %s: %q, which it was not after %q", i, s.key, s.value, states[from].value)
		}
		last[s.key] = from + at
		if since := states[from+at].since; since > s.passed {
			return fmt.Errorf("sight %d of %s: %q was shown with the gate at %d; it was written at %d", i, s.key, s.value, s.passed, since)
		}
	}
	return nil
}

// TestGatedRandom: many clients write and read while the gate follows late and in
// jumps. No reply shows what the gate had not passed, and all replies come.
func TestGatedRandom(t *testing.T) {
	rounds := 250
	if testing.Short() {
		rounds = 60
	}
	eachGated(t, func(t *testing.T, g *gated) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		var clients []*randomClient
		var all sync.WaitGroup
		for i := range 6 {
			c := &randomClient{g: g, id: i, r: rand.New(rand.NewPCG(seed, uint64(i))), conn: g.dial()}
			clients = append(clients, c)
			all.Go(func() {
				if err := c.run(rounds); err != nil {
					t.Error(err)
				}
			})
		}
		over := make(chan struct{})
		go func() { all.Wait(); close(over) }()
		g.followRandomly(rand.New(rand.NewPCG(seed, 99)), over)
		states := g.states()
		for i, c := range clients {
			if err := c.check(states); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
			if !strings.Contains(fmt.Sprint(c.log), "c") {
				t.Errorf("client %d has seen nothing", i)
			}
		}
	})
}

// followRandomly has the gate follow the log until over.
func (g *gated) followRandomly(r *rand.Rand, over chan struct{}) {
	for {
		select {
		case <-over:
			return
		case <-time.After(time.Duration(r.IntN(3000)) * time.Microsecond):
		}
		to := g.log.Offset()
		if passed := g.gate.Passed(); r.IntN(3) != 0 && to > passed {
			to = passed + r.Uint64N(to-passed)
		}
		g.gate.Advance(g.log.Era(), to)
	}
}
