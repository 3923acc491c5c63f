package server_test

import (
	"slices"
	"strings"
	"testing"

	"dozo"
	"dozo/internal/testutil"
)

// pairs are the elements of a map reply, by name.
func pairs(v testutil.Value) map[string]testutil.Value {
	out := map[string]testutil.Value{}
	for i := 0; i+1 < len(v.Elems); i += 2 {
		out[v.Elems[i].Str] = v.Elems[i+1]
	}
	return out
}

func names(v testutil.Value) (list []string) {
	for i := 0; i < len(v.Elems); i += 2 {
		list = append(list, v.Elems[i].Str)
	}
	return list
}

// TestMemoryStats compares the shape with a genuine server's, and the sums with
// each other.
func TestMemoryStats(t *testing.T) {
	fill := func(addr string) testutil.Value {
		c := dial(t, addr)
		c.must("HELLO 3")
		c.must("DEBUG POPULATE 1000 key 100")
		c.must("SET volatile v EX 1000")
		c.must("SELECT 3")
		c.must("SET k v")
		return c.must("MEMORY STATS")
	}
	ours := fill(serve(t, dozo.Options{}, "io-threads", "2").Addr())
	got := pairs(ours)
	if _, err := testutil.Oracle(); err == nil {
		theirs := fill(testutil.StartRedis(t).Addr())
		last := -1
		for name, v := range pairs(theirs) {
			o, ok := got[name]
			switch {
			case !ok:
				t.Errorf("no %s", name)
			case o.Kind != v.Kind:
				t.Errorf("%s is of type %c, a genuine server has %c", name, o.Kind, v.Kind)
			case v.Kind == '%' && !subset(names(v), names(o)):
				t.Errorf("%s has %v, a genuine server %v", name, names(o), names(v))
			}
		}
		for _, name := range names(theirs) {
			at := slices.Index(names(ours), name)
			if at >= 0 && at < last {
				t.Errorf("%s is out of order", name)
			}
			last = max(last, at)
		}
	}
	if n := got["keys.count"].Int(); n != 1002 {
		t.Errorf("keys.count is %d", n)
	}
	if got["dataset.bytes"].Int()+got["overhead.total"].Int() != got["total.allocated"].Int() {
		t.Errorf("dataset %s + overhead %s != %s", got["dataset.bytes"].Str, got["overhead.total"].Str, got["total.allocated"].Str)
	}
	if n := got["keys.bytes-per-key"].Int(); n < 110 || n > 300 {
		t.Errorf("%d bytes a key", n)
	}
	if n := got["arena.table"].Int(); n != pairs(got["db.0"])["overhead.hashtable.main"].Int()+pairs(got["db.3"])["overhead.hashtable.main"].Int() {
		t.Errorf("tables take %d, the databases' %v %v", n, got["db.0"], got["db.3"])
	}
}

func subset(some, all []string) bool {
	for _, s := range some {
		if !slices.Contains(all, s) {
			return false
		}
	}
	return true
}

func TestMemoryUsage(t *testing.T) {
	c := dial(t, serve(t, dozo.Options{}).Addr())
	c.must("SET small v")
	c.must("SET big " + strings.Repeat("x", 100_000))
	c.must("SET volatile v EX 100")
	usage := func(line string) int64 { return c.must("MEMORY USAGE " + line).Int() }
	if n := usage("small"); n < 14 || n > 60 {
		t.Errorf("a small key takes %d", n)
	}
	if usage("volatile") <= usage("small") {
		t.Errorf("a deadline takes nothing")
	}
	if n := usage("big SAMPLES 0"); n < 100_000 || n > 130_000 {
		t.Errorf("100000 bytes take %d", n)
	}
	if v := c.must("MEMORY USAGE missing"); !v.Null {
		t.Errorf("a missing key takes %v", v)
	}
	for line, want := range map[string]string{
		"MEMORY USAGE small SAMPLES":     "ERR syntax error",
		"MEMORY USAGE small SAMPLES x":   "ERR value is not an integer or out of range",
		"MEMORY USAGE small SAMPLES -1":  "ERR syntax error",
		"MEMORY USAGE small WHAT 1":      "ERR syntax error",
		"MEMORY USAGE":                   "ERR wrong number of arguments for 'memory|usage' command",
		"MEMORY NOSUCH":                  "ERR unknown subcommand 'NOSUCH'. Try MEMORY HELP.",
		"MEMORY":                         "ERR wrong number of arguments for 'memory' command",
		"MEMORY STATS x":                 "ERR wrong number of arguments for 'memory|stats' command",
		"MEMORY USAGE small SAMPLES 1 x": "ERR syntax error",
	} {
		if v := c.do(line); v.Str != want {
			t.Errorf("%s: %s, want %s", line, v, want)
		}
	}
}

func TestMemoryReports(t *testing.T) {
	c := dial(t, serve(t, dozo.Options{}).Addr())
	if v := c.must("MEMORY DOCTOR"); !strings.Contains(v.Str, "very small") {
		t.Errorf("DOCTOR of an empty server: %s", v.Str)
	}
	c.must("DEBUG POPULATE 200000 key 100")
	c.must("INFO memory") // notes the peak, which otherwise each tick does
	c.must("FLUSHALL")
	c.must("DEBUG POPULATE 60000 key 100")
	if v := c.must("MEMORY DOCTOR"); !strings.Contains(v.Str, "Peak memory") {
		t.Errorf("DOCTOR after a peak: %s", v.Str)
	}
	if v := c.must("MEMORY MALLOC-STATS"); !strings.Contains(v.Str, "Begin arena") || !strings.Contains(v.Str, "entry") {
		t.Errorf("MALLOC-STATS: %s", v.Str)
	}
	before := c.infoInt("dozo", "arena_free")
	c.must("MEMORY PURGE")
	if after := c.infoInt("dozo", "arena_free"); after > before || after > 1<<20 {
		t.Errorf("free and with pages: %d before PURGE, %d after", before, after)
	}
}
