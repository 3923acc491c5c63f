package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

var (
	crashRounds = flag.Int("crashes", 4, "rounds of TestKilledWithAlways; half as many of the other policies")
	crashSeed   = flag.Uint64("crash-seed", 0, "seed of the tests that kill servers; 0 = a new one")
)

// crashClients write; few enough that a round has some hundred group commits.
const crashClients = 48

// killing is a server that is killed again and again, and the clients that write to it.
type killing struct {
	t      *testing.T
	rnd    *rand.Rand
	dir    string
	config []string
	ledger *testutil.Ledger

	startTime time.Duration // of the last start
	least     []int
	most      []int
	quiet     bool // when it was killed nothing was promised
	refused   int  // starts, since nothing was promised
	early     int  // starts that were killed
}

func newKilling(t *testing.T, config ...string) *killing {
	seed := *crashSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-crash-seed=%d", seed)
	k := &killing{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir(), ledger: testutil.NewLedger(crashClients),
		config: append([]string{"--appendonly", "yes", "--auto-aof-rewrite-min-size", "256kb", "--save", ""}, config...),
	}
	k.least, k.most = k.ledger.Promised(0), k.ledger.Sent()
	return k
}

func (k *killing) upTo(d time.Duration) time.Duration { return time.Duration(k.rnd.Int64N(int64(d))) }

// killStarting kills servers that have not come to the end of their start.
func (k *killing) killStarting() {
	for k.startTime > 0 && k.rnd.IntN(2) == 0 {
		s, err := testutil.Launch(testutil.Options{
			Program: dozoBinary(k.t), Args: []string{"server"}, Config: append([]string{"--dir", k.dir}, k.config...), Bare: true,
		})
		must(k.t, err)
		time.Sleep(k.upTo(k.startTime * 5 / 4))
		kill(k.t, s)
		s.Stop()
		k.early++
	}
}

// start starts the server, which must have what it must have.
func (k *killing) start() *testutil.Server {
	k.killStarting()
	from := time.Now()
	s, err := in(k.t, false, k.dir, k.config...)
	if err != nil && k.quiet && strings.Contains(err.Error(), "startup-data-check") {
		k.refused++
		s, err = in(k.t, false, k.dir, append(k.config, "--startup-data-check", "no")...)
	}
	must(k.t, err)
	k.startTime = time.Since(from)
	found, err := k.ledger.Check(s.Addr(), k.least, k.most)
	if err != nil {
		k.t.Fatalf("%v\nthe folder: %v\nits log:\n%s", err, sizes(k.dir), s.Log())
	}
	k.ledger.Continue(found)
	k.promise(true)
	return s
}

func (k *killing) promise(on bool) {
	k.quiet = !on
	k.ledger.Quiet(!on)
}

// sizes lists files.
func sizes(dir string) (list []string) {
	_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if info, err := e.Info(); err == nil && !e.IsDir() {
			list = append(list, fmt.Sprintf("%s %d", path, info.Size()))
		}
		return nil
	})
	return list
}

// round writes to a server for a while and kills it in the middle of something.
func (k *killing) round(length time.Duration) {
	s := k.start()
	defer s.Stop()
	end, err := k.ledger.Begin(s.Addr())
	must(k.t, err)
	c, err := s.Dial()
	must(k.t, err)
	defer c.Close()
	k.fill(c)
	time.Sleep(length + k.upTo(length))
	k.meanwhile(c)
	k.least = k.ledger.Promised(0)
	kill(k.t, s)
	if err := end(); err != nil {
		k.t.Fatal(err)
	}
	k.most = k.ledger.Sent()
}

// fill makes a base large enough for its writing, and its loading, to take a while.
func (k *killing) fill(c *testutil.Conn) {
	for range 20 {
		words := []string{"MSET"}
		for range 100 {
			words = append(words, fmt.Sprint("bulk:", k.rnd.IntN(20_000)), strings.Repeat("v", k.rnd.IntN(300)))
		}
		c.Queue(words...)
		must(k.t, c.Flush())
		_, err := c.ReadRaw()
		must(k.t, err)
	}
}

// meanwhile is what is under way when the server is killed.
func (k *killing) meanwhile(c *testutil.Conn) {
	k.try(c, "CONFIG", "SET", "aof-use-rdb-preamble", []string{"yes", "no"}[k.rnd.IntN(2)])
	switch k.rnd.IntN(5) {
	case 0:
		k.try(c, "BGSAVE")
	case 1:
		k.try(c, "BGREWRITEAOF")
	case 2:
		k.toggle(c)
	case 3:
		k.try(c, "BGREWRITEAOF")
		k.awaitPublish()
		time.Sleep(k.upTo(3 * time.Millisecond))
		return
	}
	time.Sleep(k.upTo(60 * time.Millisecond))
}

func (k *killing) try(c *testutil.Conn, words ...string) {
	_, err := c.DoErr(words...)
	must(k.t, err)
}

// toggle turns the append only file off and on. What is acknowledged after is promised
// when INFO says that the new file is complete, which the server may not live to say.
func (k *killing) toggle(c *testutil.Conn) {
	k.promise(false)
	k.try(c, "CONFIG", "SET", "appendonly", "no")
	time.Sleep(k.upTo(20 * time.Millisecond))
	k.try(c, "CONFIG", "SET", "appendonly", "yes")
	for until := time.Now().Add(k.upTo(200 * time.Millisecond)); time.Now().Before(until); {
		v, err := c.DoErr("INFO", "persistence")
		must(k.t, err)
		if testutil.InfoField(v.Str, "aof_starting") == "0" {
			k.promise(true)
			return
		}
	}
}

// awaitPublish waits for the new base to be there and then to get its name.
func (k *killing) awaitPublish() {
	temp := filepath.Join(k.dir, "appendonlydir", "temp-appendonly.aof.base")
	is := func() bool { _, err := os.Stat(temp); return err == nil }
	for until := time.Now().Add(50 * time.Millisecond); !is() && time.Now().Before(until); {
	}
	for until := time.Now().Add(2 * time.Second); is() && time.Now().Before(until); {
	}
}

// end checks the last crash.
func (k *killing) end() {
	k.start().Stop()
	k.t.Logf("%d starts were killed, %d refused; writes: %v", k.early, k.refused, k.ledger.Sent())
}

// TestKilledWithAlways: whatever was acknowledged with appendfsync always is there after
// kill -9, and nothing that was not sent: with rewrites and saves under way, in the moment
// a rewrite gets its name, while the append only file is turned off and on, and while the
// server starts.
func TestKilledWithAlways(t *testing.T) {
	k := newKilling(t, "--appendfsync", "always")
	for range *crashRounds {
		k.round(100 * time.Millisecond)
	}
	k.end()
}

// TestKilledWithEverySec: nor is anything lost with everysec and no, as long as the system
// lives on: what was acknowledged has been handed to it.
func TestKilledWithEverySec(t *testing.T) {
	for _, policy := range []string{"everysec", "no"} {
		t.Run(policy, func(t *testing.T) {
			k := newKilling(t, "--appendfsync", policy)
			for range max(1, *crashRounds/2) {
				k.round(100 * time.Millisecond)
			}
			k.end()
		})
	}
}
