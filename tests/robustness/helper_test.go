package robustness

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"dozo/internal/testutil"
)

var (
	lengthFlag = flag.Duration("length", 0, "how long each test that can go on keeps at it (0: 1 s with -short, else 5 s)")
	variant    = flag.String("variant", "plain", "the build that is tested: plain, race or invariants")
	seedFlag   = flag.Uint64("seed", 0, "seed of random choices (0: a new one)")
)

// watchdog is how long a test may take beyond its length before all goroutines
// are shown and the process ends.
const watchdog = 2 * time.Minute

// length is how long a test goes on.
func length() time.Duration {
	switch {
	case *lengthFlag != 0:
		return *lengthFlag
	case testing.Short():
		return time.Second
	}
	return 5 * time.Second
}

// seeded starts a test's watchdog and gives its source of random choices.
func seeded(t *testing.T) uint64 {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	t.Logf("-seed %d", seed)
	dog := time.AfterFunc(length()+watchdog, func() {
		panic(fmt.Sprintf("%s hangs (-seed %d)", t.Name(), seed))
	})
	t.Cleanup(func() { dog.Stop() })
	return seed
}

// start starts the server of a test.
func start(t *testing.T, config ...string) *testutil.Server {
	t.Helper()
	return testutil.StartVariant(t, testutil.Variant(*variant), config...)
}

// slow tells that the build that is tested takes many times the time and memory,
// so that bounds of them say nothing.
func slow() bool { return *variant != string(testutil.Plain) }

// sources are n sources of random numbers.
func sources(seed uint64, n int) []*rand.Rand {
	all := make([]*rand.Rand, n)
	for i := range all {
		all[i] = source(seed, i)
	}
	return all
}

// source is the n-th source of random numbers of a seed.
func source(seed uint64, n int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(n))) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// waitFor waits for a condition that is to come true soon.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// number reads a field of INFO that is one.
func number(t *testing.T, c *testutil.Peer, section, field string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(c.Info(section, field), 10, 64)
	if err != nil {
		t.Fatalf("INFO %s: %s is no number: %v", section, field, err)
	}
	return n
}

// megabytes is the resident memory of a server.
func megabytes(t *testing.T, s *testutil.Server) int64 {
	t.Helper()
	n, err := testutil.RSS(s.Pid)
	must(t, err)
	return n >> 20
}

// openFiles is what a server has open.
func openFiles(t *testing.T, s *testutil.Server) (names []string) {
	t.Helper()
	folder := fmt.Sprintf("/proc/%d/fd", s.Pid)
	list, err := os.ReadDir(folder)
	must(t, err)
	for _, entry := range list {
		name, err := os.Readlink(folder + "/" + entry.Name())
		if err == nil { // else it is closed by now
			names = append(names, entry.Name()+" "+name)
		}
	}
	return names
}

// filesOfOne is how many files a server has open that serves one client.
func filesOfOne(t *testing.T, s *testutil.Server, c *testutil.Peer) int {
	t.Helper()
	waitFor(t, "the client to be alone", func() bool { return number(t, c, "clients", "connected_clients") == 1 })
	return len(openFiles(t, s))
}

// serverAlone waits until only the asking client is left, and nothing of the others.
func serverAlone(t *testing.T, s *testutil.Server, c *testutil.Peer, files int) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("open files: %q", openFiles(t, s))
		}
	})
	waitFor(t, "all clients and their files to be forgotten", func() bool { return filesOfOne(t, s, c) <= files })
	if left := c.MustOK("PUBSUB", "CHANNELS").Strings(); len(left) > 0 {
		t.Errorf("channels without subscribers are left: %q", left)
	}
}

// until runs fn again and again, n times at once, for the length of a test or up to
// the first failure.
func until(t *testing.T, n int, fn func(i int) error) {
	t.Helper()
	end := time.Now().Add(length())
	together(n, func(i int) {
		for time.Now().Before(end) && !t.Failed() {
			if err := fn(i); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
	})
}

// together runs n functions at once and waits for all.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { fn(i) })
	}
	wg.Wait()
}
