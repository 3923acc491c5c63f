package e2e

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// TestSlowDiskDelaysWritersOnly: with appendfsync always and a disk that takes long,
// as DEBUG AOF-FLUSH-SLEEP feigns, a write waits for it, and a read of what is on the
// disk does not.
func TestSlowDiskDelaysWritersOnly(t *testing.T) {
	const slow = 300 * time.Millisecond
	s := started(t, false, t.TempDir(), "--save", "", "--appendonly", "yes", "--appendfsync", "always")
	ask(t, s, "SET", "clean", "value")
	ask(t, s, "DEBUG", "AOF-FLUSH-SLEEP", "300000")
	began := time.Now()
	written := make(chan time.Duration, 1)
	go func() {
		ask(t, s, "SET", "slow", "value")
		written <- time.Since(began)
	}()
	time.Sleep(slow / 10)
	if got := ask(t, s, "GET", "clean"); got != "value" || len(written) != 0 {
		t.Errorf("a read of another key gives %q, after the write: %v", got, len(written) != 0)
	}
	if took := <-written; took < slow {
		t.Errorf("the write took %v, its disk %v", took, slow)
	}
	ask(t, s, "DEBUG", "AOF-FLUSH-SLEEP", "0")
}

// TestSlowDiskEvictsNothing: what waits in memory for a slow disk does not count
// against maxmemory. It would have keys evicted, whose removals wait there too.
func TestSlowDiskEvictsNothing(t *testing.T) {
	s := started(t, false, t.TempDir(), "--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "allkeys-lru")
	ask(t, s, "DEBUG", "POPULATE", "1000")
	ask(t, s, "DEBUG", "AOF-FLUSH-SLEEP", "3000000")
	used, err := strconv.Atoi(testutil.InfoField(ask(t, s, "INFO", "memory"), "used_memory"))
	must(t, err)
	ask(t, s, "CONFIG", "SET", "maxmemory", strconv.Itoa(used+4<<20))
	// Replies wait for the disk; what was asked for does not.
	writer, err := s.Dial()
	must(t, err)
	defer writer.Close()
	value := strings.Repeat("x", 100<<10)
	for range 200 {
		writer.Queue("SET", "key", value)
	}
	must(t, writer.Flush())
	field := func(name string) int {
		n, err := strconv.Atoi(testutil.InfoField(ask(t, s, "INFO", "everything"), name))
		must(t, err)
		return n
	}
	waitFor(t, "8 MiB that wait for the disk", func() bool { return field("mem_not_counted_for_evict") >= 8<<20 })
	if n := field("evicted_keys"); n != 0 {
		t.Errorf("%d keys were evicted", n)
	}
	ask(t, s, "DEBUG", "AOF-FLUSH-SLEEP", "0")
}
