package e2e

import (
	"testing"
	"time"
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
