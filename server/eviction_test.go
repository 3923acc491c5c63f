package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dozo"
)

// TestEvictionGoesOn: when the limit is lowered, or a value comes that is larger
// than what one command may evict for, memory is within its limit soon after,
// though nobody sends a command.
func TestEvictionGoesOn(t *testing.T) {
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		c := dial(t, start("maxmemory-policy", "allkeys-lru", "maxmemory-eviction-tenacity", "0").Addr())
		c.must("DEBUG POPULATE 60000 key 100")
		used := c.infoInt("memory", "used_memory")
		within := func(limit int64) {
			t.Helper()
			for range 50 { // few looks: each evicts a little itself
				time.Sleep(100 * time.Millisecond)
				if c.infoInt("memory", "used_memory") <= limit {
					return
				}
			}
			t.Fatalf("%s bytes are in use, above maxmemory %d", c.info("memory", "used_memory"), limit)
		}
		c.must(fmt.Sprintf("CONFIG SET maxmemory %d", used*2/3))
		within(used * 2 / 3)
		c.must("SET big " + strings.Repeat("x", int(used/3)))
		within(used * 2 / 3)
		if n := c.infoInt("stats", "evicted_keys"); n < 20000 {
			t.Errorf("%d keys were evicted", n)
		}
	})
}

// TestTenacity: how long one command may evict. Without bound, no command finds
// memory above its limit.
func TestTenacity(t *testing.T) {
	c := dial(t, serve(t, dozo.Options{}, "maxmemory-policy", "allkeys-random", "io-threads", "1").Addr())
	c.must("DEBUG POPULATE 60000 key 100")
	used := c.infoInt("memory", "used_memory")
	// One batch, so that there is no time between the commands.
	c.QueueRaw(fmt.Appendf(nil, "CONFIG SET maxmemory-eviction-tenacity 0 maxmemory %d\r\nPING\r\nDBSIZE\r\n"+
		"CONFIG SET maxmemory-eviction-tenacity 100\r\nDBSIZE\r\nINFO memory\r\n", used/2))
	var replies []string
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		raw, err := c.ReadRaw()
		if err != nil {
			t.Fatal(err)
		}
		replies = append(replies, string(raw))
	}
	before, after := atoi(t, strings.Trim(replies[2], ":\r\n")), atoi(t, strings.Trim(replies[4], ":\r\n"))
	if before < 59000 || after > 45000 {
		t.Errorf("with tenacity 0 %d keys of 60000 are left, with tenacity 100 %d", before, after)
	}
}
