package commands

import (
	"fmt"
	"strings"
	"testing"
)

// TestSortAlone: a call stops others only if it may touch keys that it does not name.
func TestSortAlone(t *testing.T) {
	for call, want := range map[string]bool{
		"SORT k": false, "SORT k ALPHA LIMIT 0 5 STORE d": false, "SORT k GET # GET fixed": false, "SORT k BY nosort": false,
		"SORT k BY nosort BY w_*": false, "SORT k STORE": false, "SORT k BY w_* NOSUCH": false,
		"SORT k BY w_*": true, "SORT k GET w_*": true, "SORT k GET w_*->f": true, "SORT k DESC STORE d GET *": true,
		"SORT_RO k BY w_*":        true,
		"SORT k STORE BY STORE d": true, // Redis, and so COMMAND GETKEYS, sees d not
	} {
		var args [][]byte
		for _, w := range strings.Fields(call) {
			args = append(args, []byte(w))
		}
		if got := sortAlone(args); got != want {
			t.Errorf("%s: alone = %t", call, got)
		}
	}
}

// TestSortByVanishingFields: looking up one field has others removed that are due, of
// which the hash has more than are removed at once.
func TestSortByVanishingFields(t *testing.T) {
	h := newHarness(t)
	for _, w := range []string{"b", "a"} {
		key := "w_" + map[string]string{"b": "1", "a": "2"}[w]
		for i := range 100 {
			field := fmt.Sprint("due", i)
			h.call("HSET", key, field, "zzzz")
			h.call("HPEXPIRE", key, "10", "FIELDS", "1", field)
		}
		h.call("HSET", key, "f", w)
	}
	h.call("RPUSH", "l", "1", "2", "1", "2", "1")
	h.ctx.Now += 100
	if got := fmt.Sprint(h.call("SORT", "l", "BY", "w_*->f", "ALPHA").Strings()); got != "[2 2 1 1 1]" {
		t.Errorf("sorted: %s", got)
	}
}
