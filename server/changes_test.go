package server_test

import (
	"testing"
	"time"

	"dozo"
)

// TestChangesSinceSave: keys that go by themselves are no changes that a snapshot
// waits for.
func TestChangesSinceSave(t *testing.T) {
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		c := dial(t, start("hz", "100").Addr())
		before := c.infoInt("persistence", "rdb_changes_since_last_save")
		c.must("SET a 1 PX 1")
		c.must("SET b 1 PX 1")
		c.must("SET k 1")
		time.Sleep(20 * time.Millisecond)
		c.do("GET a")
		for c.infoInt("stats", "expired_keys") != 2 {
			time.Sleep(time.Millisecond)
		}
		if n := c.infoInt("persistence", "rdb_changes_since_last_save") - before; n != 3 {
			t.Errorf("%d changes, want the 3 SETs", n)
		}
	})
}
