package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// linked is a primary under load and a replica of it behind a bad network.
type linked struct {
	t       *testing.T
	primary *testutil.Server
	replica *testutil.Server
	way     *testutil.Proxy
	ledger  *testutil.Ledger
	end     func() error
}

// linkUp has a replica follow through a proxy, in step.
func linkUp(t *testing.T, primary, replica *testutil.Server) *linked {
	t.Helper()
	l := &linked{t: t, primary: primary, replica: replica, way: testutil.StartProxy(t, primary.Addr()), ledger: testutil.NewLedger(8)}
	follow(t, replica, l.way.Addr())
	inStep(t, primary, replica)
	return l
}

// load begins to write.
func (l *linked) load() {
	l.t.Helper()
	end, err := l.ledger.Begin(l.primary.Addr())
	must(l.t, err)
	l.end = end
}

// settle ends the load and the bad weather. Everything acknowledged must be on both sides.
func (l *linked) settle() {
	l.t.Helper()
	l.way.Restore()
	must(l.t, l.end())
	inStep(l.t, l.primary, l.replica)
	for _, s := range []*testutil.Server{l.primary, l.replica} {
		found, err := l.ledger.Check(s.Addr(), l.ledger.Acked(), l.ledger.Sent())
		if err != nil {
			l.t.Errorf("%s: %v", s.Name, err)
		}
		defer l.ledger.Continue(found) // some were sent whose replies nobody has read
	}
}

// blips is what a network does for a while.
var blips = []struct {
	name string
	do   func(p *testutil.Proxy)
}{
	{"down", func(p *testutil.Proxy) { p.Down() }},
	{"cut", func(p *testutil.Proxy) { p.Cut() }},
	{"still", func(p *testutil.Proxy) { p.Still(testutil.Up); p.Still(testutil.Down) }},
	{"no acknowledgements", func(p *testutil.Proxy) { p.Still(testutil.Up) }},
	{"no writes", func(p *testutil.Proxy) { p.Still(testutil.Down) }},
	{"slow", func(p *testutil.Proxy) { p.Throttle(testutil.Down, 50_000) }},
	{"late", func(p *testutil.Proxy) {
		p.Delay(testutil.Up, 300*time.Millisecond)
		p.Delay(testutil.Down, 300*time.Millisecond)
	}},
	{"cut when slow", func(p *testutil.Proxy) {
		p.Throttle(testutil.Down, 50_000)
		time.Sleep(200 * time.Millisecond)
		p.Cut()
	}},
	{"cut when still", func(p *testutil.Proxy) { p.Still(testutil.Down); time.Sleep(200 * time.Millisecond); p.Cut() }},
}

// TestReplicationBlips: whatever the network does for a while, the replica goes on where it
// was, and in the end has all that was acknowledged.
func TestReplicationBlips(t *testing.T) {
	t.Parallel()
	for _, redis := range [][2]bool{{false, false}, {true, false}, {false, true}} {
		if testing.Short() && redis[0] != redis[1] {
			continue
		}
		config := []string{"--repl-backlog-size", "400mb", "--repl-ping-replica-period", "1"}
		if !redis[0] && !redis[1] {
			config = config[2:] // which is found from what is written
		}
		l := linkUp(t, peer(t, redis[0], config...), peer(t, redis[1], config...))
		l.load()
		l.blip([]time.Duration{150 * time.Millisecond})
		if !testing.Short() {
			for _, s := range []*testutil.Server{l.primary, l.replica} {
				ask(t, s, "CONFIG", "SET", "repl-timeout", "3")
			}
			l.blip([]time.Duration{time.Second, 5 * time.Second})
			l.way.Down()
			time.Sleep(30 * time.Second)
		}
		l.settle()
		if full := fulls(t, l.primary); full != 1 {
			t.Errorf("genuine %v: %d full resyncs\n%s\n%s", redis, full, l.primary.Log(), l.replica.Log())
		}
	}
}

// TestReplicationCutAtOnce: a replica whose first connection is lost at once goes on, too:
// the log is kept from its first byte on.
func TestReplicationCutAtOnce(t *testing.T) {
	t.Parallel()
	for _, appendonly := range []string{"no", "yes"} {
		config := []string{"--hz", "1", "--appendonly", appendonly}
		l := linkUp(t, peer(t, false, config...), peer(t, false))
		l.way.Down()
		c := l.primary.Conn(t, 2)
		for i := range 60 {
			c.MustOK("SET", "key:"+strconv.Itoa(i), strings.Repeat("x", 10_000))
		}
		l.way.Restore()
		inStep(t, l.primary, l.replica)
		if n := fulls(t, l.primary); n != 1 {
			t.Errorf("appendonly %s: %d full resyncs\n%s", appendonly, n, l.primary.Log())
		}
	}
}

// blip has all kinds, so long.
func (l *linked) blip(lengths []time.Duration) {
	l.t.Helper()
	for _, length := range lengths {
		for _, b := range blips {
			b.do(l.way)
			time.Sleep(length)
			l.way.Restore()
			from := time.Now()
			until(l.t, "the link after "+b.name, func() bool { return info(l.t, l.replica, "master_link_status") == "up" }, l.replica)
			if took := time.Since(from); took > 15*time.Second {
				l.t.Errorf("%s of %v: the link was up after %v", b.name, length, took)
			}
		}
	}
}

// TestReplicationSlowReplica: a replica that cannot take what is written is cut for that
// reason, gets a snapshot when it can, and there is no loop of them.
func TestReplicationSlowReplica(t *testing.T) {
	t.Parallel()
	config := []string{"--repl-backlog-size", "2mb", "--client-output-buffer-limit", "replica 4mb 0 0"}
	l := linkUp(t, peer(t, false, config...), peer(t, false, config...))
	everyType(t, l.primary)
	l.way.Throttle(testutil.Down, 20_000)
	l.load()
	c := l.primary.Conn(t, 2)
	big := strings.Repeat("x", 100_000)
	for i := range 400 {
		c.MustOK("SET", "big:"+strconv.Itoa(i%50), big)
	}
	until(t, "the cut", func() bool { return info(t, l.primary, "connected_slaves") == "0" }, l.primary)
	time.Sleep(2 * time.Second)
	for i := range 100 {
		c.MustOK("SET", "big:"+strconv.Itoa(i%50), big)
	}
	l.settle()
	if full := fulls(t, l.primary); full < 2 || full > 4 {
		t.Errorf("%d full resyncs\n%s", full, l.primary.Log())
	}
	if log := l.primary.Log(); !strings.Contains(log, "client-output-buffer-limit") {
		t.Errorf("the log does not say why the replica was cut:\n%s", log)
	}
}

// TestReplicationAlwaysSlow: a replica that can never take what is written is cut off for that
// again and again, but each time it is told why, and to wait longer before it may have another
// snapshot. The replica beside it, and who writes, are not disturbed.
func TestReplicationAlwaysSlow(t *testing.T) {
	t.Parallel()
	const writing, values = 5 * time.Second, 10
	config := []string{"--repl-backlog-size", "512kb", "--client-output-buffer-limit", "replica 2mb 0 0"}
	primary, other := peer(t, false, config...), peer(t, false, config...)
	follow(t, other, primary.Addr())
	inStep(t, primary, other)
	l := linkUp(t, primary, peer(t, false, config...))
	l.way.Throttle(testutil.Down, 500_000)
	c, big := primary.Conn(t, 2), strings.Repeat("x", 50_000)
	cut, longest := 0, time.Duration(0)
	for began := time.Now(); time.Since(began) < writing || cut == 0 && time.Since(began) < replTimeout; {
		for i := range values {
			sent := time.Now()
			c.MustOK("SET", "big:"+strconv.Itoa(i), big)
			longest = max(longest, time.Since(sent))
		}
		c.MustOK("WAIT", "1", "1000") // the other one is to have a chance on any machine
		if now := strings.Count(primary.Log(), "client-output-buffer-limit"); now > cut {
			cut = now
			l.way.Cut() // it would not notice, for all that is on its way
		}
	}
	const most = 6 // after 1, 2, 4 ... seconds: as many as a busy machine has time for
	if full := fulls(t, primary) - 2; cut == 0 || full < 1 || full > most {
		t.Errorf("%d full resyncs after it was cut off %d times\n%s", full, cut, primary.Log())
	}
	if longest > 2*time.Second {
		t.Errorf("a write took %v", longest)
	}
	if n := strings.Count(other.Log(), "sync started"); n != 1 {
		t.Errorf("the other replica connected %d times\n%s", n, other.Log())
	}
	until(t, "the reason", func() bool { return strings.Contains(l.replica.Log(), "is possible again in") }, primary, l.replica)
	l.way.Restore()
	l.way.Cut()
	inStepAll(t, primary, []*testutil.Server{other, l.replica})
}

// TestReplicationDroppedTogether: replicas that lost too much at once have one snapshot
// together.
func TestReplicationDroppedTogether(t *testing.T) {
	t.Parallel()
	config := []string{"--repl-backlog-size", "64kb", "--repl-diskless-sync-delay", "1"}
	primary := peer(t, false, config...)
	everyType(t, primary)
	way := testutil.StartProxy(t, primary.Addr())
	replicas := []*testutil.Server{peer(t, false, config...), peer(t, false, config...), peer(t, true)}
	for _, r := range replicas {
		follow(t, r, way.Addr())
	}
	inStepAll(t, primary, replicas)
	way.Down()
	c := primary.Conn(t, 2)
	for i := range 100 {
		c.MustOK("SET", "lost:"+strconv.Itoa(i), strings.Repeat("x", 10_000))
	}
	way.Restore()
	inStepAll(t, primary, replicas)
	snapshots := strings.Count(primary.Log(), "Background RDB transfer started")
	if full := fulls(t, primary); full != 6 || snapshots > 3 {
		t.Errorf("%d full resyncs with %d snapshots\n%s", full, snapshots, primary.Log())
	}
	// A history that they do not know makes the Dozos look twice, not come twice.
	ask(t, primary, "DEBUG", "CHANGE-REPL-ID")
	until(t, "the replicas to come back", func() bool { return fulls(t, primary) >= 9 }, primary)
	inStepAll(t, primary, replicas)
	snapshots = strings.Count(primary.Log(), "Background RDB transfer started") - snapshots
	if full := fulls(t, primary); full != 9 || snapshots > 2 {
		t.Errorf("%d full resyncs with %d more snapshots\n%s", full, snapshots, primary.Log())
	}
}

func inStepAll(t *testing.T, primary *testutil.Server, replicas []*testutil.Server) {
	t.Helper()
	for _, r := range replicas {
		inStep(t, primary, r)
	}
}

// quick asks a server something, which must answer at once.
func quick(t *testing.T, state string, s *testutil.Server, words ...string) string {
	t.Helper()
	c, err := s.Dial()
	must(t, err)
	defer c.Close()
	from := time.Now()
	v, err := c.DoErr(words...)
	if took := time.Since(from); err != nil || v.IsError() || took > 3*time.Second {
		t.Errorf("%s: %s of port %d took %v: %v, %v", state, words, s.Port, took, v, err)
	}
	return v.Str
}

// linkState is one in which a link can hang.
type linkState struct {
	name  string
	until string // what the replica's log says when it is reached; "" = it is connected
	still func(p *testutil.Proxy)
}

var linkStates = []linkState{
	{"no answer", "MASTER <-> REPLICA sync started", func(p *testutil.Proxy) { p.Still(testutil.Up); p.Still(testutil.Down) }},
	{"refused", "MASTER <-> REPLICA sync started", func(p *testutil.Proxy) { p.Down() }},
	{"transfer", "receiving", func(p *testutil.Proxy) { p.Throttle(testutil.Down, 20_000) }},
	{"transfer for nobody", "receiving", func(p *testutil.Proxy) { p.Throttle(testutil.Down, 20_000) }},
	{"snapshot being made", "Full resync from master", func(*testutil.Proxy) {}},
	{"snapshot for nobody", "Full resync from master", func(*testutil.Proxy) {}},
	{"still", "", func(p *testutil.Proxy) { p.Still(testutil.Up); p.Still(testutil.Down) }},
}

// TestReplicationHangs: however a link hangs, both sides answer, can be made primaries, and
// end when they are told to.
func TestReplicationHangs(t *testing.T) {
	for _, redis := range [][2]bool{{false, false}, {true, false}, {false, true}} {
		for i, state := range linkStates {
			for j, how := range []string{"REPLICAOF", "SHUTDOWN", "SIGTERM"} {
				if testing.Short() && (redis[0] != redis[1] || i%3 != j) {
					continue
				}
				t.Run(fmt.Sprintf("%v,%s,%s", redis, state.name, how), func(t *testing.T) {
					t.Parallel()
					hang(t, redis, state, how)
				})
			}
		}
	}
}

// hang brings a link to where it hangs.
func hang(t *testing.T, redis [2]bool, state linkState, how string) {
	primary, replica := peer(t, redis[0], "--shutdown-timeout", "1"), peer(t, redis[1])
	ask(t, primary, "DEBUG", "POPULATE", "20000", "key", "200")
	way := testutil.StartProxy(t, primary.Addr())
	if strings.HasPrefix(state.name, "snapshot") {
		ask(t, primary, "CONFIG", "SET", "rdb-key-save-delay", "1000", "repl-diskless-sync", "no")
	}
	if state.until == "" {
		follow(t, replica, way.Addr())
		inStep(t, primary, replica)
		state.still(way)
		c := primary.Conn(t, 2)
		for i := range 20_000 {
			c.Queue("SET", "other:"+strconv.Itoa(i), "a value that is on its way")
		}
		flushAndRead(t, c, 20_000)
	} else {
		state.still(way)
		follow(t, replica, way.Addr())
		until(t, state.until, func() bool { return strings.Contains(replica.Log(), state.until) })
	}
	if strings.HasSuffix(state.name, "for nobody") {
		way.Still(testutil.Down)
		way.Still(testutil.Up)
	}
	answerAll(t, state.name, primary, replica)
	endOf(t, state.name, how, primary, replica)
}

// answerAll asks both sides what operators and tools ask.
func answerAll(t *testing.T, state string, servers ...*testutil.Server) {
	t.Helper()
	for _, s := range servers {
		for _, line := range []string{"INFO", "ROLE", "CLIENT LIST", "DEBUG DIGEST", "CONFIG GET repl*", "DBSIZE"} {
			quick(t, state, s, strings.Fields(line)...)
		}
	}
	quick(t, state, servers[0], "SET", "written", "meanwhile")
	quick(t, state, servers[0], "WAIT", "1", "100")
}

// endOf ends the primary and the replica, or the replica's following.
func endOf(t *testing.T, state, how string, primary, replica *testutil.Server) {
	t.Helper()
	if how == "REPLICAOF" {
		quick(t, state, replica, "REPLICAOF", "NO", "ONE")
		quick(t, state, replica, "SET", "a", "b")
		quick(t, state, replica, "REPLICAOF", "127.0.0.1", "1")
		quick(t, state, replica, "REPLICAOF", "NO", "ONE")
		answerAll(t, state, replica)
	}
	for _, s := range []*testutil.Server{replica, primary} {
		from := time.Now()
		if how == "SHUTDOWN" {
			c, err := s.Dial()
			must(t, err)
			c.Queue("SHUTDOWN")
			must(t, c.Flush())
			must(t, s.Await())
			c.Close()
		} else {
			must(t, s.Terminate())
		}
		if took := time.Since(from); took > 6*time.Second {
			t.Errorf("%s: %s of port %d took %v\n%s", state, how, s.Port, took, s.Log())
		}
	}
}
