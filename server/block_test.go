package server_test

import (
	"slices"
	"testing"
	"time"

	"dozo"
)

// wait sends lines and returns when the last reply has come.
func (c client) wait(lines ...string) time.Time {
	c.t.Helper()
	for _, line := range lines {
		c.QueueRaw([]byte(line + "\r\n"))
	}
	if err := c.Flush(); err != nil {
		c.t.Fatal(err)
	}
	for range lines {
		if raw, err := c.ReadRaw(); err != nil || raw[0] == '-' {
			c.t.Fatalf("%q: %q, %v", lines, raw, err)
		}
	}
	return time.Now()
}

// TestTimeouts: a wait ends when its time is over, never before and no more than 10 ms
// later, also one that begins at the end of a long round. (Half of them are allowed to
// be later: the machine has others to serve.)
func TestTimeouts(t *testing.T) {
	const timeout, enough = 23 * time.Millisecond, 10 * time.Millisecond * slowness
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		c := dial(t, start("hz", "1").Addr())
		for _, lines := range [][]string{
			{"BLPOP nope 0.023"}, {"XREAD BLOCK 23 STREAMS nope $"}, {"BZPOPMIN a b 0.023"},
			{"DEBUG SLEEP 0.05", "BLMOVE nope other LEFT LEFT 0.023"},
		} {
			least := timeout
			if len(lines) > 1 {
				least += 50 * time.Millisecond
			}
			var late []time.Duration
			for range 9 {
				began := time.Now()
				late = append(late, c.wait(lines...).Sub(began)-least)
			}
			slices.Sort(late)
			t.Logf("%q: %v late in the median, %v to %v", lines, late[4], late[0], late[8])
			// A machine that is busy makes most of them late; ends that wait for a
			// timer would be late nearly always.
			if late[0] < 0 || late[2] > enough {
				t.Errorf("%q: late by %v", lines, late)
			}
		}
	})
}
