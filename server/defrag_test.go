package server_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"dozo"
)

// fragmented fills a server with strings and a large set, and deletes three of four.
func fragmented(c client, keys int) {
	c.t.Helper()
	const seed = 1
	r := rand.New(rand.NewPCG(seed, seed))
	c.t.Logf("seed %d", seed)
	each := func(command func(i int) string) {
		c.t.Helper()
		for from := 0; from < keys; from += 1000 {
			for i := from; i < from+1000; i++ {
				c.QueueRaw([]byte(command(i) + "\r\n"))
			}
			if err := c.Flush(); err != nil {
				c.t.Fatal(err)
			}
			for range 1000 {
				if raw, err := c.ReadRaw(); err != nil || raw[0] == '-' {
					c.t.Fatal(string(raw), err)
				}
			}
		}
	}
	each(func(i int) string {
		return fmt.Sprintf("SET key:%d %0*d EX %d", i, []int{100, 150, 400}[i%3], i, 1000+i)
	})
	each(func(i int) string { return fmt.Sprintf("SADD set %0*d", 20+i%2*30, i) })
	each(func(i int) string {
		if r.IntN(4) == 0 {
			return "PING"
		}
		return fmt.Sprintf("DEL key:%d", i)
	})
	each(func(i int) string {
		if r.IntN(4) == 0 {
			return "PING"
		}
		return fmt.Sprintf("SREM set %0*d", 20+i%2*30, i)
	})
}

func (c client) ratio() float64 {
	c.t.Helper()
	f, err := strconv.ParseFloat(c.info("memory", "allocator_frag_ratio"), 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

// TestActiveDefrag: with activedefrag a server that has lost most of its keys gives
// their memory back, and everything else is as it was.
func TestActiveDefrag(t *testing.T) {
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		c := dial(t, start("active-defrag-ignore-bytes", "1mb", "active-defrag-cycle-min", "20", "active-defrag-cycle-max", "50").Addr())
		fragmented(c, 60_000)
		before, held, digest := c.ratio(), c.infoInt("dozo", "arena_mapped"), c.must("DEBUG DIGEST").Str
		if c.infoInt("memory", "active_defrag_running") != 0 {
			t.Error("it runs, though it may not")
		}
		c.must("CONFIG SET activedefrag yes")
		eventually(t, "it runs", func() bool { return c.infoInt("memory", "active_defrag_running") >= 20 })
		eventually(t, "it is through", func() bool { return c.infoInt("memory", "active_defrag_running") == 0 })
		after, now := c.ratio(), c.infoInt("dozo", "arena_mapped")
		t.Logf("ratio %.2f, then %.2f; %d KiB held, then %d", before, after, held>>10, now>>10)
		if before < 2 || after-1 > (before-1)/3 || now > held*3/4 { // each shard keeps a slab of each class
			t.Errorf("allocator_frag_ratio %.2f, then %.2f; %d bytes held, then %d", before, after, held, now)
		}
		if c.must("DEBUG DIGEST").Str != digest {
			t.Error("the data has changed")
		}
		for _, field := range []string{"active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses", "total_active_defrag_time"} {
			if c.infoInt("stats", field) == 0 {
				t.Errorf("%s is 0", field)
			}
		}
		c.must("CONFIG SET activedefrag no")
		c.must("CONFIG RESETSTAT")
		for _, field := range []string{"active_defrag_hits", "total_active_defrag_time", "current_active_defrag_time"} {
			if n := c.infoInt("stats", field); n != 0 {
				t.Errorf("%s is %d after CONFIG RESETSTAT", field, n)
			}
		}
	})
}

// TestActiveDefragOff: it ends at once when it is turned off, and does not begin below
// a threshold.
func TestActiveDefragOff(t *testing.T) {
	c := dial(t, serve(t, dozo.Options{}, "active-defrag-ignore-bytes", "1mb", "active-defrag-cycle-max", "1", "activedefrag", "yes").Addr())
	fragmented(c, 60_000)
	eventually(t, "it runs", func() bool { return c.infoInt("memory", "active_defrag_running") == 1 })
	if c.infoInt("stats", "current_active_defrag_time") > c.infoInt("stats", "total_active_defrag_time") {
		t.Error("it has run for longer now than in all")
	}
	c.must("CONFIG SET activedefrag no")
	if n := c.infoInt("memory", "active_defrag_running"); n != 0 {
		t.Errorf("turned off, it runs with %d%%", n)
	}
	moved := c.infoInt("stats", "active_defrag_hits")
	c.must("CONFIG SET active-defrag-threshold-lower 1000 active-defrag-threshold-upper 1000 activedefrag yes")
	for range 20 {
		c.must("DEBUG SLEEP 0.1")
		if c.infoInt("memory", "active_defrag_running") != 0 || c.infoInt("stats", "active_defrag_hits") != moved {
			t.Fatal("it runs below its threshold")
		}
	}
}
