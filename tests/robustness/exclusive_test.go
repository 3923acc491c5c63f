package robustness

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// TestExclusive: commands that stop all loops, one after another from several
// loops, in the middle of traffic. The others wait for no more than they take.
func TestExclusive(t *testing.T) {
	seed := seeded(t)
	s := start(t, "--io-threads", "4")
	c := s.Conn(t, 2)
	w := watch(t, s, 4)
	const callers = 3
	peers, random := make([]*testutil.Peer, callers), sources(seed, callers)
	for i := range peers {
		peers[i] = s.Conn(t, 2)
	}
	var calls atomic.Int64
	until(t, callers, func(i int) error {
		calls.Add(1)
		return standStill(peers[i], random[i])
	})
	w.verdict()
	t.Logf("%d exclusive commands", calls.Load())
	c.MustOK("FLUSHALL")
	if n := c.Do("DBSIZE").Int(); n != 0 {
		t.Errorf("%d keys after FLUSHALL", n)
	}
}

// standStill sends some writes with an exclusive command in between.
func standStill(c *testutil.Peer, r *rand.Rand) error {
	const writes = 30
	line := exclusive(r)
	for i := range writes {
		c.Queue("SET", strconv.Itoa(r.IntN(5000)), strings.Repeat("v", r.IntN(500)))
		if i == writes/2 {
			c.Queue(line...)
		}
	}
	if err := c.Flush(); err != nil {
		return err
	}
	for range writes + 1 {
		raw, err := c.ReadRaw()
		if err != nil || raw[0] == '-' {
			return fmt.Errorf("around %q: %q, %w", line, raw, err)
		}
	}
	return nil
}

func exclusive(r *rand.Rand) []string {
	return [][]string{
		{"FLUSHALL"}, {"FLUSHDB", "ASYNC"}, {"SWAPDB", "0", "1"}, {"DEBUG", "DIGEST"}, {"CLIENT", "LIST"},
		{"CONFIG", "SET", "maxmemory", "0", "hz", strconv.Itoa(1 + r.IntN(100))},
		{"CONFIG", "SET", "notify-keyspace-events", []string{"", "KEA"}[r.IntN(2)]},
		{"CONFIG", "RESETSTAT"}, {"CLIENT", "KILL", "ID", "123456789", "TYPE", "pubsub"}, {"MEMORY", "STATS"},
	}[r.IntN(10)]
}

// TestPauses: pauses begin and end all the time, while writers wait in them, come
// and vanish. No acknowledged write is lost, none is made twice, and after the last
// end of a pause nobody waits any more.
func TestPauses(t *testing.T) {
	seed := seeded(t)
	s := start(t, "--io-threads", "4")
	c := s.Conn(t, 2)
	files := filesOfOne(t, s, c)
	const writers, pausers, ghosts = 4, 2, 1
	total := writers + pausers + ghosts
	peers, random := make([]*testutil.Peer, total), sources(seed, total)
	for i := range peers {
		peers[i] = s.Conn(t, 2)
	}
	var acknowledged, pauses atomic.Int64
	var worst [writers]time.Duration
	until(t, total, func(i int) error {
		switch {
		case i < writers:
			began := time.Now()
			if v, err := peers[i].DoErr("INCR", "count"); err != nil || v.IsError() {
				return fmt.Errorf("INCR: %v, %w", v, err)
			}
			acknowledged.Add(1)
			worst[i] = max(worst[i], time.Since(began))
			return nil
		case i < writers+pausers:
			pauses.Add(1)
			return pause(peers[i], random[i])
		}
		return visitPaused(s, random[i])
	})
	c.MustOK("CLIENT", "UNPAUSE")
	if n := c.MustOK("GET", "count").Str; n != strconv.FormatInt(acknowledged.Load(), 10) {
		t.Errorf("count is %s, but %d increments were acknowledged", n, acknowledged.Load())
	}
	t.Logf("%d increments through %d pauses, worst waits %v", acknowledged.Load(), pauses.Load(), worst)
	for _, d := range worst {
		if d > worstMax && !slow() {
			t.Errorf("a writer waited %v", d)
		}
	}
	for _, p := range peers {
		p.Close()
	}
	serverAlone(t, s, c, files)
}

// pause begins a pause, and mostly ends it before its time.
func pause(c *testutil.Peer, r *rand.Rand) error {
	line := []string{"CLIENT", "PAUSE", strconv.Itoa(r.IntN(30)), []string{"WRITE", "ALL"}[r.IntN(2)]}
	if v, err := c.DoErr(line...); err != nil || v.IsError() {
		return fmt.Errorf("%q: %v, %w", line, v, err)
	}
	time.Sleep(time.Duration(r.IntN(5)) * time.Millisecond)
	if r.IntN(5) == 0 {
		return nil
	}
	if v, err := c.DoErr("CLIENT", "UNPAUSE"); err != nil || v.IsError() {
		return fmt.Errorf("UNPAUSE: %v, %w", v, err)
	}
	time.Sleep(time.Millisecond)
	return nil
}

// visitPaused is a client that sends much, now and then very much, and vanishes
// while it may be held. It waits to be served at first, so that there are never
// many.
func visitPaused(s *testutil.Server, r *rand.Rand) error {
	c, err := dial(s)
	if err != nil {
		return err
	}
	defer reset(c)
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, make([]byte, len("+PONG\r\n"))); err != nil {
		return err
	}
	n := 1 + r.IntN(1000)
	if r.IntN(20) == 0 {
		n *= 100
	}
	_, err = c.Write([]byte(strings.Repeat("INCR ghosts\r\n", n)))
	time.Sleep(time.Duration(1+r.IntN(3)) * time.Millisecond)
	return err
}

// TestTurns: clients that have sent very much while they were held take turns when
// they go on; none is served to its end while the others wait.
func TestTurns(t *testing.T) {
	seeded(t)
	s := start(t, "--io-threads", "1")
	c, greedy := s.Conn(t, 2), []*testutil.Peer{s.Conn(t, 2), s.Conn(t, 2)}
	c.MustOK("CLIENT", "PAUSE", "60000", "WRITE")
	const much = 30_000
	for _, g := range greedy {
		g.MustOK("PING")
		for range much {
			g.Queue("INCR", "turns")
		}
		must(t, g.Flush())
	}
	c.MustOK("PING") // the only loop has read what was sent before
	c.MustOK("CLIENT", "UNPAUSE")
	for _, g := range greedy {
		last := int64(0)
		for i := range much {
			raw, err := g.ReadRaw()
			must(t, err)
			v, err := testutil.Parse(raw)
			must(t, err)
			if v.Int() <= last || i == 0 && v.Int() > much/2 {
				t.Fatalf("reply %d: %v behind %d", i, v, last)
			}
			last = v.Int()
		}
	}
	if n := c.MustOK("GET", "turns").Str; n != strconv.Itoa(2*much) {
		t.Errorf("%s increments, want %d", n, 2*much)
	}
}

// TestTerminate: SIGTERM in the middle of everything ends the server, soon and
// with success.
func TestTerminate(t *testing.T) {
	seed := seeded(t)
	r := source(seed, 0)
	until(t, 1, func(int) error {
		loops := strconv.Itoa(1 + r.IntN(4))
		s := start(t, "--io-threads", loops, "--notify-keyspace-events", "KEA")
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i, r := range sources(r.Uint64(), 8) {
			wg.Go(func() { disturb(s, r, i, stop) })
		}
		time.Sleep(time.Duration(r.IntN(200)) * time.Millisecond)
		began := time.Now()
		err := s.Terminate()
		close(stop)
		wg.Wait()
		if took := time.Since(began); err == nil && took > worstMax {
			err = fmt.Errorf("it took %v", took)
		}
		if err != nil {
			err = fmt.Errorf("%s loops: %w", loops, err)
		}
		return err
	})
}

// disturb is one kind of client that a server that ends may have, until the server
// is gone.
func disturb(s *testutil.Server, r *rand.Rand, kind int, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		c, err := dial(s)
		if err != nil {
			return
		}
		switch kind {
		case 0:
			_, _ = c.Write([]byte("CLIENT PAUSE 10000 WRITE\r\n"))
			time.Sleep(time.Duration(r.IntN(50)) * time.Millisecond)
			_, _ = c.Write([]byte("CLIENT UNPAUSE\r\n"))
		case 1:
			_, _ = c.Write([]byte("MONITOR\r\n"))
			time.Sleep(20 * time.Millisecond)
		case 2:
			_, _ = c.Write([]byte("PSUBSCRIBE *\r\n"))
			time.Sleep(20 * time.Millisecond)
		case 3:
			_, _ = c.Write([]byte("*2\r\n$3\r\nGET\r\n$100\r\nhalf"))
			time.Sleep(5 * time.Millisecond)
		default:
			for range 20 { // whatever becomes of it
				_, _ = c.Write(conversation(r, "end:", 100))
			}
		}
		reset(c)
	}
}
