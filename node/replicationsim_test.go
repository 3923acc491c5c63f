package node_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dozo/config"
	"dozo/env"
	"dozo/eventloop"
	"dozo/internal/faultfs"
	"dozo/internal/testutil"
	"dozo/node"
	"dozo/server"
)

// The randomised test of replication. A seed drives some nodes in one process, each with a
// disk in memory, a clock of its own and a bad network: writes of all kinds, and while they
// are under way links that are cut, slow or silent, restarts and failures of power, files of
// all kinds, promotions, FAILOVER, primaries that know nothing of each other, many replicas
// that come at once, chains, clocks that jump. In the end all is mended, everybody
// follows one primary, and then
//
//   - all have the same data with the same deadlines, the same history, and as much of it;
//   - no command of a primary's stream was refused by a replica;
//   - what a client was told to be on all nodes is there, if nothing has removed it since;
//   - what a client was told to be done is there, or in a rescue file, if its node did not
//     lose its disk since, and no node has said that something is in no file;
//   - snapshots were sent only where histories had parted, if nothing else called for one,
//     and never to who was away for a moment;
//   - who starts anew with what it has on its disk has the same, and needs no snapshot;
//   - memory and goroutines are given back.
//
// A seed does the same in the same order; when it happens is up to the machine.

var (
	replSims = flag.Int("repl-sims", 1, "seeds of the randomised test of replication")
	replSeed = flag.Uint64("repl-seed", 1, "first seed of the randomised test of replication; 0 = a new one")
)

const (
	simPatience = 60 * time.Second // until all is as it should be
	simReply    = 30 * time.Second // until a reply comes
	simDBs      = 16
)

// TestReplicationSim is the test.
func TestReplicationSim(t *testing.T) {
	first := *replSeed
	if first == 0 {
		first = rand.Uint64() >> 1
	}
	for i := range uint64(*replSims) {
		seed := first + i
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Logf("-repl-sims=1 -repl-seed=%d", seed)
			goroutines := runtime.NumGoroutine()
			s := newSim(t, seed)
			defer s.close(goroutines)
			s.play()
			s.settle()
			s.judge()
		})
	}
}

// sim is one run.
type sim struct {
	t     *testing.T
	seed  uint64
	rnd   *rand.Rand
	nodes []*simNode
	links map[[2]int]*testutil.Proxy // from who dials to who listens
	mu    sync.Mutex                 // protects links, and where the nodes listen

	gentle   bool // histories never part
	narrow   bool // little of the log is kept
	strays   bool // clients have written to replicas
	fulls    int  // snapshots that were sent before the links became bad
	promised map[string]string
	acked    map[string]int // who said that the key is set
	era      int            // of acked: what was before may have been removed
	flight   *flight
	story    []string
	sequence int
}

// simNode is one node.
type simNode struct {
	sim     *sim
	index   int
	options []string
	clock   *skewed
	disk    *faultfs.Mem
	kind    string // of what it keeps on its disk

	node  *node.Node
	addr  string
	log   *simLog
	conns []*testutil.Conn // connForDriver ...
	full  int              // snapshots sent by former processes
	of    int              // whom it follows; -1 = nobody
}

// What a node's connections are for; bursts have those between.
const (
	connForDriver = 0
	connForAcks   = 3
	connForWaits  = 4
)

// simLog is a log whose crash reports are seen: the process ends behind them.
type simLog struct {
	testutil.Journal
	sim     *sim
	crashed bool
}

func (l *simLog) Write(p []byte) (int, error) {
	if !l.crashed && strings.Contains(string(p), "BUG REPORT") {
		l.crashed = true
		fmt.Fprintf(os.Stderr, "-repl-seed=%d\n%s\n", l.sim.seed, l.Journal.String())
	}
	if l.crashed {
		_, _ = os.Stderr.Write(p)
	}
	return l.Journal.Write(p)
}

// The kinds of files.
const (
	keepsNothing = "save \"\""
	keepsEnd     = "save 3600 1000000"                  // if it ends in good order
	keepsSeconds = "appendonly yes"                     // as well
	keepsAll     = "appendonly yes\nappendfsync always" // all that it has acknowledged
)

// keeps tells whether what a node has acknowledged outlives an end.
func (n *simNode) keeps(orderly bool) bool {
	return n.kind == keepsAll || orderly && n.kind != keepsNothing
}

// skewed is a clock that is wrong.
type skewed struct {
	env.Clock
	by atomic.Int64
}

func (c *skewed) Wall() time.Duration { return c.Clock.Wall() + time.Duration(c.by.Load()) }

// simDialer is the network as one node sees it.
type simDialer struct{ from *simNode }

// simConn is a connection whose deadlines are by the true clock.
type simConn struct{ *net.TCPConn }

func (c simConn) SetWriteDeadline(time.Time) error { return nil }

func (d simDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(address)
	to, err := strconv.Atoi(strings.TrimPrefix(host, "node-"))
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, network, d.from.sim.link(d.from.index, to).Addr())
	if err != nil {
		return nil, err
	}
	return simConn{c.(*net.TCPConn)}, nil
}

// link is the way from one node to another.
func (s *sim) link(from, to int) *testutil.Proxy {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[[2]int{from, to}]
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 11)), links: map[[2]int]*testutil.Proxy{}, promised: map[string]string{}, acked: map[string]int{}}
	s.gentle = s.rnd.IntN(4) == 0
	common := []string{
		"repl-diskless-sync-delay 0", "repl-ping-replica-period 1", "repl-timeout 5", "shutdown-timeout 1",
		"io-threads " + s.pick("1", "2"), "repl-diskless-sync " + s.pick("yes", "no"),
		"replica-refuse-older-primary " + s.pick("yes", "no"), "auto-aof-rewrite-min-size 64kb", "maxmemory 1gb",
	}
	s.narrow = !s.gentle && s.chance(4)
	switch {
	case s.gentle:
		common = append(common, "repl-backlog-size 64mb")
	case s.narrow:
		common = append(common, "repl-backlog-size 16kb")
	}
	steady := s.chance(3)
	for i := range 2 + s.rnd.IntN(4) {
		n := &simNode{sim: s, index: i, disk: newDisk(t), of: -1, clock: &skewed{Clock: env.Real().Clock}}
		if s.chance(3) {
			n.clock.by.Store(int64(s.rnd.IntN(7200)-3600) * int64(time.Second))
		}
		if n.kind = s.pick(keepsNothing, keepsEnd, keepsSeconds, keepsAll, keepsAll, keepsAll); steady {
			n.kind = keepsAll
		}
		n.options = append([]string{n.kind, "replica-announce-ip " + n.name(), "replica-announce-port 1"}, common...)
		s.nodes = append(s.nodes, n)
		n.boot()
	}
	s.mu.Lock() // nodes that run already look for their links
	defer s.mu.Unlock()
	for _, from := range s.nodes {
		for _, to := range s.nodes {
			if from != to {
				s.links[[2]int{from.index, to.index}] = testutil.StartProxy(t, to.addr)
			}
		}
	}
	return s
}

func (s *sim) chance(one int) bool             { return s.rnd.IntN(one) == 0 }
func (s *sim) pick(from ...string) string      { return from[s.rnd.IntN(len(from))] }
func (s *sim) number(n int) string             { return strconv.Itoa(s.rnd.IntN(n)) }
func (s *sim) say(form string, a ...any)       { s.story = append(s.story, fmt.Sprintf(form, a...)) }
func (s *sim) someNode() *simNode              { return s.nodes[s.rnd.IntN(len(s.nodes))] }
func (n *simNode) name() string                { return "node-" + strconv.Itoa(n.index) }
func (n *simNode) link(to int) *testutil.Proxy { return n.sim.link(n.index, to) }

// fail ends the run with all there is to know.
func (s *sim) fail(form string, a ...any) {
	s.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, form, a...)
	for _, line := range s.story {
		b.WriteString("\n  " + line)
	}
	for _, n := range s.nodes {
		fmt.Fprintf(&b, "\n--- %s, skew %v, %v\n%s", n.name(), time.Duration(n.clock.by.Load()), n.options, n.log)
	}
	s.t.Fatal(b.String())
}

// hung ends the test process with the stacks: what hangs would hang the end of the test, too.
func (s *sim) hung(what string) {
	_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
	s.t.Helper()
	s.fail("it hangs: %s", what)
}

// boot starts a node with what is on its disk.
func (n *simNode) boot(more ...string) {
	s := n.sim
	world := *env.Real()
	world.FS, world.Clock, world.Dialer = faultfs.Wrap(n.disk), n.clock, simDialer{n}
	all := append([]string{"dir /data", "port 0", keepsNothing, "enable-protected-configs yes", "enable-debug-command yes"}, n.options...)
	all = append(all, more...)
	cfg := config.New(config.Options{FS: world.FS, WorkDir: "/data", Cores: 2})
	noError(s.t, cfg.Load(config.Sources{Options: strings.Join(all, "\n")}))
	if n.log == nil {
		n.log = &simLog{sim: s}
	}
	var err error
	n.node, err = node.Start(node.Options{Env: &world, Config: cfg, Log: n.log, PID: n.index, Transport: eventloop.Auto, Addr: "127.0.0.1:0"})
	if err != nil {
		s.fail("%s does not start: %v", n.name(), err)
	}
	n.addr = n.node.Addrs()[0].String()
	s.mu.Lock()
	for at, p := range s.links {
		if at[1] == n.index {
			p.Retarget(n.addr)
		}
	}
	s.mu.Unlock()
	for range connForWaits + 1 {
		n.conns = append(n.conns, n.dial())
	}
}

func (n *simNode) dial() *testutil.Conn {
	c, err := testutil.Dial(n.addr)
	if err != nil {
		n.sim.fail("%s takes no connection: %v", n.name(), err)
	}
	c.SetTimeout(simReply)
	return c
}

// halt ends a node's process.
func (n *simNode) halt(orderly bool) {
	s := n.sim
	n.full += n.sent()
	if orderly {
		n.shutDown()
	}
	done := make(chan error, 1)
	go func() { done <- n.node.Close() }()
	select {
	case err := <-done:
		if err != nil {
			s.fail("%s ends with %v", n.name(), err)
		}
	case <-time.After(simPatience):
		s.hung("the end of " + n.name())
	}
	n.hangUp(0)
	n.conns = nil
}

// hangUp closes the connections from one on; what was sent on them is still waited for.
func (n *simNode) hangUp(from int) {
	for _, c := range n.conns[from:] {
		if n.sim.flight == nil || !slices.Contains(n.sim.flight.conns, c) {
			c.Close()
		}
	}
}

// shutDown ends a node as SHUTDOWN does, as often as it has to be asked: while an append only
// file is being begun the end is refused.
func (n *simNode) shutDown() {
	for end := time.Now().Add(simPatience); time.Now().Before(end); {
		n.node.Shutdown(server.ShutdownMode{})
		select {
		case <-n.node.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
	n.sim.hung("the shutdown of " + n.name())
}

// sent is how many snapshots this process has sent.
func (n *simNode) sent() int { return n.number("stats", "sync_full") }

func (n *simNode) number(section, field string) int {
	v, err := strconv.Atoi(n.info(section, field))
	if err != nil {
		n.sim.fail("%s: %s is %v", n.name(), field, err)
	}
	return v
}

func (n *simNode) info(section, field string) string {
	return testutil.InfoField(n.do("INFO", section).Str, field)
}

// do sends a command on the connection of the driver.
func (n *simNode) do(args ...string) testutil.Value {
	v, err := n.conns[0].DoErr(args...)
	if err != nil && strings.Contains(err.Error(), "timeout") {
		n.sim.hung(fmt.Sprintf("%s, %q: %v", n.name(), args, err))
	}
	if err != nil { // it was a blocked one's, or a pause's end
		n.conns[0].Close()
		n.conns[0] = n.dial()
		v, err = n.conns[0].DoErr(args...)
	}
	if err != nil {
		n.sim.hung(fmt.Sprintf("%s, %q: %v", n.name(), args, err))
	}
	return v
}

// close ends all, and finds what has not been given back.
func (s *sim) close(goroutines int) {
	if s.t.Failed() {
		for _, n := range s.nodes {
			if n.node != nil {
				go n.node.Close()
			}
		}
		time.Sleep(100 * time.Millisecond)
		return
	}
	for _, n := range s.nodes {
		n.halt(false)
	}
	for _, p := range s.links {
		p.Close()
	}
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
			s.fail("%d goroutines, there were %d", runtime.NumGoroutine(), goroutines)
		}
	}
}
