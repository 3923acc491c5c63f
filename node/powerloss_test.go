package node_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"dozo/config"
	"dozo/env"
	"dozo/eventloop"
	"dozo/internal/faultfs"
	"dozo/internal/testutil"
	"dozo/node"
	"dozo/persist"
)

// A whole server runs on a disk in memory, under load, while the power fails: at any
// call of the disk, and between, a copy of the disk is taken with what a power loss
// leaves of it, or the end of the process. Each copy is started from, and compared with
// what clients had been promised by then and with all that they had sent.

var (
	losses   = flag.Int("losses", 1, "rounds of the tests of power losses, some tens of losses each")
	lossSeed = flag.Uint64("loss-seed", 0, "seed of the tests of power losses; 0 = a new one")
)

const (
	lossDir     = "/data"
	lossClients = 16
	lossRound   = 500 * time.Millisecond
	lossesRound = 24 // at most, so many in a round
)

// atEnd is when a round ends.
const atEnd = "the end of the round"

// loss is what a power loss leaves, and what must be there after it.
type loss struct {
	disk        *faultfs.Mem
	at          string
	least, most []int
	refusable   bool // the disk says that nothing was written to the append only file
}

// lossy is a server, its disk, and the clients that write to it.
type lossy struct {
	t      *testing.T
	rnd    *rand.Rand
	config []string
	window time.Duration // how old a promise must be to count
	often  int           // percent of the looks at which the power fails
	ledger *testutil.Ledger

	mu     sync.Mutex
	disk   *faultfs.Mem
	quiet  bool
	losses []loss
}

func newLossy(t *testing.T, config ...string) *lossy {
	seed := *lossSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-loss-seed=%d", seed)
	return &lossy{
		t: t, often: 20, rnd: rand.New(rand.NewPCG(seed, 7)), ledger: testutil.NewLedger(lossClients),
		config: append([]string{"port 0", "dir " + lossDir, "io-threads 2", `save ""`, "auto-aof-rewrite-min-size 16kb"}, config...),
	}
}

// boot starts a server on a disk.
func (m *lossy) boot(files env.FS, directives ...string) (*node.Node, *testutil.Journal, error) {
	cfg := config.New(config.Options{FS: files, WorkDir: lossDir, Cores: 2})
	if err := cfg.Load(config.Sources{Options: strings.Join(append(m.config, directives...), "\n")}); err != nil {
		return nil, nil, err
	}
	world := env.Real()
	world.FS = files
	log := &testutil.Journal{}
	n, err := node.Start(node.Options{
		Env: world, Config: cfg, Log: log, PID: 1, Transport: eventloop.Auto, Addr: "127.0.0.1:0",
	})
	return n, log, err
}

// lose takes a copy of the disk as a power loss, or the end of the process, leaves it.
// What is promised is looked at before, and what was sent after.
func (m *lossy) lose(at string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.losses) >= lossesRound && at != atEnd {
		return
	}
	l := loss{at: at, least: m.ledger.Promised(m.window), refusable: m.quiet}
	if seed := m.rnd.Uint64(); seed%4 == 0 {
		l.at += ", process killed"
		l.disk = m.disk.KeepAll()
	} else {
		l.disk = m.disk.CrashClone(seed)
	}
	l.most = m.ledger.Sent()
	l.refusable = l.refusable || m.quiet
	m.losses = append(m.losses, l)
}

// syncTime is what an fsync takes at most. A disk that has no time for errors to happen
// in hides them.
const syncTime = 3 * time.Millisecond

// draw draws a number under the lock: many ask.
func (m *lossy) draw(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rnd.IntN(n)
}

func (m *lossy) chance(percent int) bool { return m.draw(100) < percent }

func (m *lossy) upTo(d time.Duration) time.Duration { return time.Duration(m.draw(int(d))) }

// watched is a disk on which the power fails at some calls.
func (m *lossy) watched() env.FS {
	files := faultfs.Wrap(m.disk)
	for op, percent := range map[faultfs.Op]int{
		faultfs.Rename: 40, faultfs.SyncDir: 40, faultfs.Remove: 20, faultfs.Create: 20, faultfs.Truncate: 50, faultfs.Sync: 1, faultfs.Write: 1,
	} {
		files.Inject(faultfs.Fault{Op: op, Wait: func() {
			if op == faultfs.Sync {
				time.Sleep(m.upTo(syncTime))
			}
			if m.chance(percent) {
				m.lose(fmt.Sprintf("call %#x", op))
			}
		}})
	}
	return files
}

// round runs a server for a while, with its clients and with what an operator may do
// meanwhile, and gives what power losses left.
func (m *lossy) round(disk *faultfs.Mem, length time.Duration, operate func(*testutil.Conn)) []loss {
	m.losses, m.disk = nil, disk
	n, log, err := m.boot(m.watched())
	if err != nil {
		m.t.Fatalf("the server does not start: %v\n%s\n%s", err, disk.Tree(), log)
	}
	addr := n.Addrs()[0].String()
	end, err := m.ledger.Begin(addr)
	noError(m.t, err)
	c, err := testutil.Dial(addr)
	noError(m.t, err)
	for until := time.Now().Add(length); time.Now().Before(until); {
		operate(c)
		time.Sleep(m.upTo(20 * time.Millisecond))
		if m.chance(m.often) {
			m.lose("any time")
		}
	}
	m.lose(atEnd) // one at least from which the next round can begin
	c.Close()
	if err := errors.Join(end(), n.Close()); err != nil {
		m.t.Fatalf("%v\n%s", err, log)
	}
	return m.losses
}

// examine starts a server from what a power loss left.
func (m *lossy) examine(l loss) ([]int, error) {
	tree := l.disk.Tree()
	n, log, err := m.boot(l.disk)
	if refused := (*persist.RefusedError)(nil); errors.As(err, &refused) && l.refusable {
		n, log, err = m.boot(l.disk, "startup-data-check no")
	}
	if err != nil {
		return nil, fmt.Errorf("after a power loss (%s) the server does not start: %w\n%s\n%s", l.at, err, tree, log)
	}
	found, err := m.ledger.Check(n.Addrs()[0].String(), l.least, l.most)
	if err = errors.Join(err, n.Close()); err != nil {
		return nil, fmt.Errorf("after a power loss (%s):\n%w\n%s\n%s", l.at, err, tree, log)
	}
	return found, nil
}

// run does rounds, each from one of the disks that the round before left.
func (m *lossy) run(length time.Duration, operate func(*testutil.Conn)) {
	disk := newDisk(m.t)
	total := 0
	for range *losses {
		list := m.round(disk, length, operate)
		m.rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		var now []int
		for _, l := range list {
			kept := l.disk.KeepAll()
			found, err := m.examine(l)
			noError(m.t, err)
			if !l.refusable {
				disk, now = kept, found
			}
		}
		m.ledger.Continue(now)
		total += len(list)
	}
	m.t.Logf("%d power losses; writes: %v", total, m.ledger.Sent())
}

// ask is for commands that must not fail.
func (m *lossy) ask(c *testutil.Conn, words ...string) testutil.Value {
	v, err := c.DoErr(words...)
	if err == nil && v.IsError() {
		err = errors.New(v.Str)
	}
	if err != nil {
		m.t.Fatalf("%q: %v", words, err)
	}
	return v
}

// try is for commands that may be refused.
func (m *lossy) try(c *testutil.Conn, words ...string) {
	_, err := c.DoErr(words...)
	noError(m.t, err)
}

// fill makes a base large enough for its writing to take a while.
func (m *lossy) fill(c *testutil.Conn) {
	words := []string{"MSET"}
	for range 400 {
		words = append(words, fmt.Sprint("bulk:", m.draw(5000)), strings.Repeat("v", m.draw(300)))
	}
	m.ask(c, words...)
	words = []string{"ZADD", "scores"}
	for range 400 {
		words = append(words, "7", fmt.Sprint("member:", m.draw(20000)))
	}
	m.ask(c, words...)
}

// operate does one of the things that an operator does to an append only file.
func (m *lossy) operate(c *testutil.Conn) {
	yesno := []string{"yes", "no"}[m.draw(2)]
	switch m.draw(10) {
	case 0, 1, 2, 3:
		m.try(c, "BGREWRITEAOF")
	case 4:
		m.try(c, "BGSAVE")
	case 5:
		m.ask(c, "CONFIG", "SET", "aof-timestamp-enabled", yesno)
	case 6:
		m.ask(c, "CONFIG", "SET", "aof-use-rdb-preamble", yesno)
	case 7:
		m.toggle(c)
	default:
		m.fill(c)
	}
}

// toggle turns the append only file off and on. What is acknowledged meanwhile is not
// promised, until INFO says that the new file is complete.
func (m *lossy) toggle(c *testutil.Conn) {
	m.promise(false)
	m.ask(c, "CONFIG", "SET", "appendonly", "no")
	time.Sleep(m.upTo(10 * time.Millisecond))
	m.ask(c, "CONFIG", "SET", "appendonly", "yes")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Microsecond) {
		info := m.ask(c, "INFO", "persistence").Str
		if testutil.InfoField(info, "aof_starting") == "0" {
			break
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("the append only file is not complete:\n%s", info)
		}
	}
	m.promise(true)
	time.Sleep(m.upTo(syncTime))
	m.lose("as soon as the file was complete")
}

func (m *lossy) promise(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.quiet = !on
	m.ledger.Quiet(!on)
}

// TestPowerLossWithAlways: whatever was acknowledged with appendfsync always is there,
// and nothing that was not sent.
func TestPowerLossWithAlways(t *testing.T) {
	t.Parallel()
	m := newLossy(t, "appendonly yes", "appendfsync always")
	m.run(lossRound, m.operate)
}

// TestPowerLossWithEverySec: what was acknowledged two seconds before is there, and
// whatever WAITAOF has said is.
func TestPowerLossWithEverySec(t *testing.T) {
	t.Parallel()
	m := newLossy(t, "appendonly yes", "appendfsync everysec")
	m.window, m.often = 2*time.Second, 3
	m.run(everySecRound, m.rewrite)
}

// everySecRound is long enough for promises of more than two seconds ago.
const everySecRound = 4 * time.Second

// rewrite is operate without what takes promises back.
func (m *lossy) rewrite(c *testutil.Conn) {
	if m.chance(10) {
		m.try(c, "BGREWRITEAOF")
		m.fill(c)
	}
}

// TestPowerLossOfSnapshots: without an append only file there is what SAVE has written,
// or what a later save has.
func TestPowerLossOfSnapshots(t *testing.T) {
	t.Parallel()
	m := newLossy(t)
	m.promise(false)
	m.quiet = false // which is about the files
	m.run(lossRound, func(c *testutil.Conn) {
		m.fill(c)
		before := m.ledger.Acked()
		if v, err := c.DoErr("SAVE"); err == nil && !v.IsError() {
			m.ledger.Keep(before)
		}
		m.try(c, "BGSAVE")
	})
}

// TestPowerLossIsSeen: the tests above can fail. With appendfsync no much is lost, and
// they find it.
func TestPowerLossIsSeen(t *testing.T) {
	t.Parallel()
	m := newLossy(t, "appendonly yes", "appendfsync no")
	failed := 0
	for _, l := range m.round(newDisk(t), lossRound, func(*testutil.Conn) {}) {
		if _, err := m.examine(l); err != nil {
			failed++
		}
	}
	if failed == 0 {
		t.Error("with appendfsync no nothing was lost")
	}
}

// TestLeftoverOfASave: what a save has left that was killed is removed by the next start,
// and what another server is writing is not.
func TestLeftoverOfASave(t *testing.T) {
	m := newLossy(t)
	disk := newDisk(t)
	const theirs = "/temp-1-0123abcd-1.rdb"
	noError(t, disk.WriteFile(lossDir+theirs, []byte("REDIS00")))
	files := faultfs.Wrap(disk)
	n, _, err := m.boot(files)
	noError(t, err)
	defer n.Close()
	c, err := testutil.Dial(n.Addrs()[0].String())
	noError(t, err)
	defer c.Close()
	m.ask(c, "SET", "k", "v")
	copies := make(chan *faultfs.Mem, 1)
	files.Inject(faultfs.Fault{Op: faultfs.Rename, Path: "dump.rdb", Wait: func() { copies <- disk.KeepAll() }})
	m.ask(c, "SAVE")
	killed := <-copies
	saves := func() int { return strings.Count(killed.Tree(), "temp-1-") }
	if saves() != 2 {
		t.Fatalf("no file of a save:\n%s", killed.Tree())
	}
	next, log, err := m.boot(killed)
	noError(t, err)
	defer next.Close()
	if tree := killed.Tree(); saves() != 1 || !strings.Contains(tree, theirs) {
		t.Errorf("the folder after the next start:\n%s\n%s", tree, log)
	}
}
