package commands

import (
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
