package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// TestReplicationJoinedUnderLoad: replicas that come while clients write, to the primary and
// to a replica of it, have all of it in the end, wherever in a transaction they came.
func TestReplicationJoinedUnderLoad(t *testing.T) {
	t.Parallel()
	for _, redis := range []bool{false, true} {
		if testing.Short() && redis {
			continue
		}
		config := []string{"--repl-backlog-size", "200mb"}
		primary, middle := peer(t, redis, config...), peer(t, false, config...)
		everyType(t, primary)
		l := linkUp(t, primary, middle)
		l.load()
		replicas := []*testutil.Server{peer(t, false), peer(t, true), peer(t, true, "--repl-diskless-load", "swapdb")}
		for i, r := range replicas {
			follow(t, r, []*testutil.Server{primary, middle}[i%2].Addr())
			time.Sleep(150 * time.Millisecond)
			for range 3 {
				ask(t, r, "REPLICAOF", "NO", "ONE") // another history: each time a full resync
				follow(t, r, middle.Addr())
				time.Sleep(150 * time.Millisecond)
			}
		}
		l.settle()
		for i, r := range replicas {
			inStep(t, primary, r)
			if _, err := l.ledger.Check(r.Addr(), l.ledger.Acked(), l.ledger.Sent()); err != nil {
				t.Errorf("genuine primary %v, replica %d: %v", redis, i, err)
			}
		}
	}
}

// TestReplicationOfGiants: commands that take long to arrive, and links that are cut within.
func TestReplicationOfGiants(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it writes some hundred megabytes")
	}
	for _, redis := range [][2]bool{{false, false}, {true, false}, {false, true}} {
		config := []string{"--repl-backlog-size", "400mb"}
		l := linkUp(t, peer(t, redis[0], config...), peer(t, redis[1], config...))
		c := l.primary.Conn(t, 2)
		c.MustOK("SET", "giant", strings.Repeat("0123456789abcdef", 4<<20))
		time.Sleep(20 * time.Millisecond)
		l.way.Cut()
		c.MustOK("MULTI")
		for i := range 200 {
			c.MustOK("SELECT", strconv.Itoa(i%9))
			c.MustOK("APPEND", "part:"+strconv.Itoa(i%7), strings.Repeat("x", 200_000))
		}
		c.MustOK("EXEC")
		c.MustOK("SELECT", "0")
		time.Sleep(20 * time.Millisecond)
		l.way.Cut()
		c.MustOK("APPEND", "giant", "the end")
		inStep(t, l.primary, l.replica)
		if n := fulls(t, l.primary); n != 1 {
			t.Errorf("genuine %v: %d full resyncs\n%s", redis, n, l.primary.Log())
		}
		c.MustOK("CONFIG", "SET", "repl-backlog-size", "16kb")
		l.way.Down()
		c.MustOK("SET", "lost", strings.Repeat("x", 10<<20))
		c.MustOK("SET", "lost too", strings.Repeat("x", 10<<20))
		l.way.Restore()
		inStep(t, l.primary, l.replica)
	}
}

// TestReplicationOfEviction: what a primary evicts is gone at its replicas, and they evict
// nothing by themselves.
func TestReplicationOfEviction(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it writes two hundred megabytes")
	}
	for _, redis := range [][2]bool{{false, false}, {true, false}, {false, true}} {
		config := []string{"--maxmemory", "30mb", "--maxmemory-policy", "allkeys-lru"}
		l := linkUp(t, peer(t, redis[0], config...), peer(t, redis[1], append(config, "--maxmemory", "5mb")...))
		c := l.primary.Conn(t, 2)
		for round := range 30 {
			for i := range 2000 {
				c.Queue("SET", fmt.Sprintf("key:%d", round*2000+i), strings.Repeat("v", 1000), "PX", strconv.Itoa(10_000_000+i))
			}
			flushAndRead(t, c, 2000)
		}
		if n := info(t, l.primary, "evicted_keys"); n == "0" {
			t.Errorf("genuine %v: nothing was evicted", redis)
		}
		inStep(t, l.primary, l.replica)
		if n := info(t, l.replica, "evicted_keys"); n != "0" {
			t.Errorf("genuine %v: the replica has evicted %s keys", redis, n)
		}
	}
}

// TestReplicationInCircles: servers that follow themselves or each other answer, spend
// little on it, and end.
func TestReplicationInCircles(t *testing.T) {
	t.Parallel()
	a, b := peer(t, false), peer(t, false)
	ask(t, a, "SET", "a", "b")
	// Each other comes last: with whom nobody can be in step nobody can lose data.
	for _, c := range []struct {
		name string
		a, b *testutil.Server
	}{{"itself", a, b}, {"each other", b, a}} {
		name := c.name
		follow(t, a, c.a.Addr())
		follow(t, b, c.b.Addr())
		before, _ := testutil.CPUTime(a.Pid)
		time.Sleep(time.Second)
		if after, err := testutil.CPUTime(a.Pid); err == nil && after-before > 300*time.Millisecond {
			t.Errorf("%s: %v of processor time in a second", name, after-before)
		}
		for _, s := range []*testutil.Server{a, b} {
			for _, words := range [][]string{{"INFO"}, {"ROLE"}, {"DBSIZE"}} {
				quick(t, name, s, words...)
			}
		}
		if got := ask(t, a, "GET", "a"); got != "b" {
			t.Errorf("%s: the data is gone: %q", name, got)
		}
	}
	promote(t, a)
	inStep(t, a, b)
	must(t, a.Terminate())
	must(t, b.Terminate())
}
