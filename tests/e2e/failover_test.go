package e2e

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// seat is a server that hands over, or takes over, as others reach it: by a proxy.
type seat struct {
	*testutil.Server
	way *testutil.Proxy
}

func seated(t *testing.T, s *testutil.Server) *seat {
	t.Helper()
	at := &seat{s, testutil.StartProxy(t, s.Addr())}
	ask(t, s, "CONFIG", "SET", "replica-announce-ip", "127.0.0.1", "replica-announce-port", at.port())
	return at
}

func (s *seat) port() string {
	_, port, _ := net.SplitHostPort(s.way.Addr())
	return port
}

// handover is a primary and its replica, which are about to change places.
type handover struct {
	t        *testing.T
	old, new *seat
}

// handoverOf has a replica follow a primary, in step.
func handoverOf(t *testing.T, old, new *testutil.Server) *handover {
	t.Helper()
	h := &handover{t, seated(t, old), seated(t, new)}
	follow(t, new, h.old.way.Addr())
	inStep(t, old, new)
	h.awaitReplica()
	return h
}

// awaitReplica waits until the primary may hand over.
func (h *handover) awaitReplica() {
	h.t.Helper()
	until(h.t, "the replica", func() bool {
		return strings.HasPrefix(info(h.t, h.old.Server, "slave0"), "ip=127.0.0.1,port="+h.new.port()+",state=online")
	}, h.old.Server)
}

func (h *handover) call(options ...string) {
	h.t.Helper()
	ask(h.t, h.old.Server, append([]string{"FAILOVER"}, options...)...)
}

// to is FAILOVER TO the replica.
func (h *handover) to(options ...string) {
	h.t.Helper()
	h.call(append([]string{"TO", "127.0.0.1", h.new.port()}, options...)...)
}

func (h *handover) state() string {
	h.t.Helper()
	return info(h.t, h.old.Server, "master_failover_state")
}

func (h *handover) awaitState(state string) {
	h.t.Helper()
	until(h.t, state, func() bool { return h.state() == state }, h.old.Server, h.new.Server)
}

// roles checks who is what.
func (h *handover) roles(old, new string) {
	h.t.Helper()
	if a, b := info(h.t, h.old.Server, "role"), info(h.t, h.new.Server, "role"); a != old || b != new {
		h.t.Fatalf("the roles are %s and %s, want %s and %s\n%s\n%s", a, b, old, new, h.old.Log(), h.new.Log())
	}
}

// done waits for the end, after which the replica is the primary, and back again; who gave
// a full resync is told.
func (h *handover) done() {
	h.t.Helper()
	h.awaitState("no-failover")
	h.roles("slave", "master")
	inStep(h.t, h.new.Server, h.old.Server)
	h.old, h.new = h.new, h.old
	h.awaitReplica()
}

// held sends a write that waits, on a connection of its own.
func (h *handover) held(words ...string) (reply func() string) {
	h.t.Helper()
	c := h.old.Conn(h.t, 2)
	c.Queue(words...)
	must(h.t, c.Flush())
	return func() string {
		h.t.Helper()
		raw, err := c.ReadRaw()
		must(h.t, err)
		return strings.TrimSpace(string(raw))
	}
}

var failoverPairs = [][2]bool{{false, true}, {true, false}, {false, false}}

// TestFailover: a primary hands over to its replica and back, where either may be a genuine
// server; what cannot succeed is given up.
func TestFailover(t *testing.T) {
	for _, redis := range failoverPairs {
		t.Run(fmt.Sprintf("genuine=%v", redis), func(t *testing.T) {
			t.Parallel()
			h := handoverOf(t, peer(t, redis[0]), peer(t, redis[1]))
			everyType(t, h.old.Server)
			for range 2 {
				h.awaitReplica()
				h.watched()
				h.givenUp()
			}
			for _, s := range []*seat{h.old, h.new} {
				if n, want := fulls(t, s.Server), map[bool]int{true: 1}[s == h.old]; n != want {
					t.Errorf("%s gave %d full resyncs, want %d", s.Name, n, want)
				}
			}
			h.forced()
		})
	}
}

// watched stops at each state.
func (h *handover) watched() {
	t := h.t
	inStep(t, h.old.Server, h.new.Server)
	h.old.way.Still(testutil.Down)
	ask(t, h.old.Server, "INCR", "behind")
	h.new.way.StillAt(testutil.Up, "FAILOVER")
	h.to()
	if got := h.state(); got != "waiting-for-sync" {
		t.Errorf("the state is %s", got)
	}
	reply := h.held("INCR", "held")
	if v := h.old.Conn(t, 2).Do("FAILOVER"); !strings.Contains(v.Str, "already in progress") {
		t.Errorf("a second FAILOVER: %v", v)
	}
	h.old.way.Restore()
	h.awaitState("failover-in-progress")
	until(t, "the request", func() bool { return h.new.way.Trapped(testutil.Up) }, h.old.Server)
	h.roles("slave", "slave")
	h.new.way.Restore()
	h.awaitState("no-failover")
	if got := reply(); !strings.HasPrefix(got, "-READONLY") {
		t.Errorf("who waited was told %q", got)
	}
	h.done()
	h.any()
}

// any hands over to whom it can.
func (h *handover) any() {
	h.call()
	h.done()
	h.call("TIMEOUT", "20000")
	h.done()
}

// givenUp is what ends with the same primary as before.
func (h *handover) givenUp() {
	t := h.t
	h.old.way.Still(testutil.Down)
	ask(t, h.old.Server, "INCR", "behind")
	h.to("TIMEOUT", "300")
	reply := h.held("INCR", "held")
	if got := reply(); !strings.HasPrefix(got, ":") {
		t.Errorf("who waited was told %q", got)
	}
	if got := h.state(); got != "no-failover" {
		t.Errorf("after the time the state is %s", got)
	}
	h.call()
	reply = h.held("INCR", "held")
	h.call("ABORT")
	if got := reply(); !strings.HasPrefix(got, ":") {
		t.Errorf("who waited was told %q", got)
	}
	h.roles("master", "slave")
	h.old.way.Restore()
	inStep(t, h.old.Server, h.new.Server)
}

// forced leaves behind what the replica has not got: that is the old primary's to lose, and a
// Dozo writes it down first.
func (h *handover) forced() {
	t := h.t
	h.old.way.Still(testutil.Down)
	ask(t, h.old.Server, "SET", "left", "behind")
	h.to("TIMEOUT", "200", "FORCE")
	h.awaitState("no-failover")
	h.roles("slave", "master")
	inStep(t, h.new.Server, h.old.Server)
	if got := ask(t, h.old.Server, "EXISTS", "left"); got != "0" {
		t.Errorf("what was left behind is still there")
	}
	if got := info(t, h.old.Server, "dozo_rescue_files"); got != "1" && got != "" {
		t.Errorf("the old primary has %s rescue files", got)
	}
}

// The writers' pause: what is hoped for is in docs/benchmarks.md, this is what a busy machine
// may make of it.
const failoverPauseMax = 3 * time.Second

// TestFailoverUnderLoad: 50 clients write on, where they may; nothing is lost.
func TestFailoverUnderLoad(t *testing.T) {
	t.Parallel()
	const clients = 50
	for _, redis := range failoverPairs {
		if testing.Short() && redis[0] != redis[1] {
			continue
		}
		h := handoverOf(t, peer(t, redis[0]), peer(t, redis[1]))
		ledger := testutil.NewLedger(clients)
		end, err := ledger.Begin(h.old.Addr(), h.new.Addr())
		must(t, err)
		for range 2 {
			from, name := time.Now(), h.old.Name+" to "+h.new.Name
			time.Sleep(200 * time.Millisecond)
			h.to()
			h.awaitState("no-failover")
			h.roles("slave", "master")
			time.Sleep(200 * time.Millisecond)
			gap := ledger.LongestGap(from)
			if t.Logf("%s: longest pause %v", name, gap); gap > failoverPauseMax {
				t.Errorf("%s: nothing was acknowledged for %v", name, gap)
			}
			h.old, h.new = h.new, h.old
			h.awaitReplica()
		}
		must(t, end())
		if slices.Contains(ledger.Acked(), 0) {
			t.Errorf("genuine %v: some have written nothing: %v", redis, ledger.Acked())
		}
		inStep(t, h.old.Server, h.new.Server)
		for _, s := range []*seat{h.old, h.new} {
			if _, err := ledger.Check(s.Addr(), ledger.Acked(), ledger.Sent()); err != nil {
				t.Errorf("genuine %v, %s: %v", redis, s.Name, err)
			}
		}
		if n := fulls(t, h.old.Server) + fulls(t, h.new.Server); n != 1 {
			t.Errorf("genuine %v: %d full resyncs", redis, n)
		}
	}
}
