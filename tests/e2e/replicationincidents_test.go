package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// TestIncidentDrownedPrimary: a blip drops all replicas of a primary that is written to; they
// come back at once, and the snapshots for them drown it. Redis' backlog does not reach over
// the blip; Dozo's does. When it is told to keep less, all replicas have one snapshot together,
// and the primary takes little more memory for it.
func TestIncidentDrownedPrimary(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("TestReplicationBlips and TestReplicationDroppedTogether have the parts of it")
	}
	for _, redis := range []bool{true, false} {
		primary := peer(t, redis)
		ask(t, primary, "DEBUG", "POPULATE", "20000", "key", "1000")
		way := testutil.StartProxy(t, primary.Addr())
		var replicas []*testutil.Server
		for range 3 {
			r := peer(t, redis)
			follow(t, r, way.Addr())
			replicas = append(replicas, r)
		}
		inStepAll(t, primary, replicas)
		first := fulls(t, primary)
		blip(t, primary, way)
		inStepAll(t, primary, replicas)
		n := fulls(t, primary) - first
		t.Logf("redis %v: a blip of a second, in which 3 MB are written, makes %d full resyncs", redis, n)
		if redis != (n > 0) {
			t.Errorf("redis %v: %d full resyncs: is the incident no more?\n%s", redis, n, primary.Log())
		}
		if !redis {
			fewSnapshots(t, primary, replicas, way)
		}
	}
}

// blip is a second without a network, in which 3 MB are written.
func blip(t *testing.T, primary *testutil.Server, way *testutil.Proxy) {
	t.Helper()
	c := primary.Conn(t, 2)
	way.Down()
	for i := range 100 {
		c.MustOK("SET", fmt.Sprintf("blip:%d", i), strings.Repeat("x", 30_000))
		time.Sleep(10 * time.Millisecond)
	}
	way.Restore()
}

// fewSnapshots is a blip that no log reaches over.
func fewSnapshots(t *testing.T, primary *testutil.Server, replicas []*testutil.Server, way *testutil.Proxy) {
	t.Helper()
	const done = "Background RDB transfer terminated with success"
	ask(t, primary, "CONFIG", "SET", "repl-backlog-size", "16kb", "repl-diskless-sync-delay", "1")
	before, former := strings.Count(primary.Log(), done), fulls(t, primary)
	memory, _, err := testutil.Peaks(primary.Pid)
	if err != nil {
		t.Skip(err)
	}
	blip(t, primary, way)
	c := primary.Conn(t, 2)
	var slowest time.Duration
	until(t, "all full resyncs", func() bool {
		from := time.Now()
		c.MustOK("SET", "meanwhile", "1")
		slowest = max(slowest, time.Since(from))
		return fulls(t, primary) == former+len(replicas)
	}, primary)
	inStepAll(t, primary, replicas)
	after, _, err := testutil.Peaks(primary.Pid)
	must(t, err)
	n := strings.Count(primary.Log(), done) - before
	t.Logf("%d full resyncs took %d snapshots and %d MiB; the slowest write took %v", len(replicas), n, (after-memory)>>20, slowest)
	if n > 2 || after-memory > 64<<20 {
		t.Errorf("%d snapshots and %d MiB for %d replicas\n%s", n, (after-memory)>>20, len(replicas), primary.Log())
	}
}

// TestIncidentWipedReplicas: a primary without files is killed, and started again by its
// supervisor, empty; its replicas copy the emptiness. Dozo's keep their data, say so, and go
// on serving, until an operator decides.
func TestIncidentWipedReplicas(t *testing.T) {
	t.Parallel()
	for _, redis := range [][2]bool{{true, true}, {true, false}, {false, false}} {
		if testing.Short() && redis[0] {
			continue
		}
		primary, replicas := peer(t, redis[0]), []*testutil.Server{peer(t, redis[1]), peer(t, redis[1])}
		ask(t, primary, "DEBUG", "POPULATE", "1000")
		way := testutil.StartProxy(t, primary.Addr())
		for _, r := range replicas {
			follow(t, r, way.Addr())
		}
		inStepAll(t, primary, replicas)
		want := ask(t, replicas[0], "DEBUG", "DIGEST")
		kill(t, primary)
		fresh := peer(t, redis[0])
		way.Retarget(fresh.Addr())
		if redis[1] {
			for _, r := range replicas {
				until(t, "the incident", func() bool { return size(t, r) == 0 }, r)
			}
			continue
		}
		for _, r := range replicas {
			kept(t, r, want)
		}
		follow(t, replicas[0], way.Addr()) // the operator's word
		inStep(t, fresh, replicas[0])
		if n := size(t, replicas[0]); n != 0 {
			t.Errorf("after REPLICAOF the replica has %d keys still", n)
		}
		promote(t, replicas[1]) // or the other
		follow(t, fresh, replicas[1].Addr())
		inStep(t, replicas[1], fresh)
		if got := ask(t, fresh, "DEBUG", "DIGEST"); got != want {
			t.Errorf("the primary that came back has %s from its former replica, want %s", got, want)
		}
	}
}

func size(t *testing.T, s *testutil.Server) int64 {
	t.Helper()
	return s.Conn(t, 2).MustOK("DBSIZE").Int()
}

// kept: a replica keeps its data, for more than one try of the link, and says so.
func kept(t *testing.T, r *testutil.Server, want string) {
	t.Helper()
	until(t, "the guard", func() bool { return info(t, r, "dozo_wipe_guard") == "1" }, r)
	tries := 15
	if testing.Short() {
		tries = 5
	}
	for range tries {
		if got := ask(t, r, "DEBUG", "DIGEST"); got != want {
			t.Fatalf("the data is %s, want %s\n%s", got, want, r.Log())
		}
		time.Sleep(100 * time.Millisecond)
	}
	if log := r.Log(); !strings.Contains(log, "This replica keeps its own data") || !strings.Contains(log, "REPLICAOF NO ONE") {
		t.Errorf("the log does not say what it means, and what to do:\n%s", log)
	}
	if _, err := strconv.Atoi(info(t, r, "master_port")); err != nil || info(t, r, "role") != "slave" {
		t.Errorf("it is no replica any more:\n%s", ask(t, r, "INFO", "replication"))
	}
}
