package replication

import (
	"fmt"
	"strings"
	"testing"
)

// TestForkFrom: where a primary's history left that of a replica, by what it tells.
func TestForkFrom(t *testing.T) {
	name := func(c string) string { return strings.Repeat(c, IDLength) }
	a, b, c, d := name("a"), name("b"), name("c"), name("d")
	genuine := func(id, former string, second int) string {
		return fmt.Sprintf("# Replication\r\nrole:master\r\nmaster_replid:%s\r\nmaster_replid2:%s\r\nsecond_repl_offset:%d\r\n", id, former, second)
	}
	zeros := name("0")
	for _, x := range []struct {
		what    string
		ours    Lineage
		end     uint64
		offered Position
		info    string
		at      uint64
		known   bool
	}{
		{"promoted at 900, we went on to 1000", NewLineage(a), 1000, Position{b, 950}, genuine(b, a, 901), 900, true},
		{"promoted at 900, we stopped at 800", NewLineage(a), 800, Position{b, 950}, genuine(b, a, 901), 800, true},
		{"the same history, further on", NewLineage(a), 1000, Position{a, 5000}, genuine(a, zeros, -1), 1000, true},
		{"the same history, from an older file", NewLineage(a), 1000, Position{a, 700}, "", 700, true},
		{"another history", NewLineage(a), 1000, Position{b, 700}, genuine(b, zeros, -1), 0, false},
		{"INFO refused", NewLineage(a), 1000, Position{b, 700}, "", 0, false},
		{"INFO of a moment later", NewLineage(a), 1000, Position{a, 1200}, genuine(c, b, 1301), 1000, true},
		{"promoted twice, a genuine one forgets", NewLineage(a), 1000, Position{c, 1200}, genuine(c, b, 1001), 0, false},
		{"promoted twice, Dozo tells", NewLineage(a), 1000, Position{c, 1200},
			genuine(c, b, 1001) + "dozo_lineage:" + NewLineage(a).Shift(b, 900).Shift(c, 950).String() + "\r\n", 900, true},
		{"both were promoted", NewLineage(a).Shift(d, 800), 1000, Position{b, 950}, genuine(b, a, 901), 800, true},
		{"no position", NewLineage(a), 1000, Position{}, genuine(b, a, 901), 0, false},
		{"no lineage", NewLineage(a), 1000, Position{b, 950}, genuine(b, a, 901) + "dozo_lineage:what\r\n", 900, true},
	} {
		if at, known := ForkFrom(x.ours, x.end, x.offered, x.info); at != x.at || known != x.known {
			t.Errorf("%s: %d, %v; want %d, %v", x.what, at, known, x.at, x.known)
		}
	}
}
