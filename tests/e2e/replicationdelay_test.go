package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// delayedHistory is that of the original report: a key gets a longer life just before its
// end, and is counted up.
var delayedHistory = []struct {
	at   time.Duration
	call string
	want string // the value then
}{
	{0, "SETEX k 1 1", "1"}, {900 * time.Millisecond, "EXPIRE k 2", "1"}, {1500 * time.Millisecond, "INCR k", "2"}, {2000 * time.Millisecond, "EXPIRE k 1", "2"},
	{2600 * time.Millisecond, "INCR k", "3"}, {3300 * time.Millisecond, "INCR k", "1"}, {3400 * time.Millisecond, "SETEX k 1 9", "9"}, {4800 * time.Millisecond, "INCR k", "1"},
}

// moment is what the key is like behind a command of the history.
type moment struct {
	value string
	end   int64 // Unix milliseconds; -1 = never
}

// late is a replica whose stream stands still for two seconds from one command on.
type late struct {
	server *testutil.Server
	way    *testutil.Proxy
	c      *testutil.Conn
	from   int // the command before which it stands still
	seen   int // it is behind that command at least
	wrong  []string
}

// TestIncidentResurrectedKey: two seconds of delay, at any point of the history of a key that
// gets other ends and is counted up, show nobody a value that the key did not have, nor one
// that had ended, and in the end all have the same.
func TestIncidentResurrectedKey(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the history takes seconds; package server has it with clocks that are set")
	}
	for _, redis := range []bool{false, true} {
		wrong := delayedExpire(t, redis)
		t.Logf("redis %v: %d wrong answers, such as %q", redis, len(wrong), wrong[:min(len(wrong), 3)])
		if !redis && len(wrong) > 0 {
			t.Error(strings.Join(wrong, "\n"))
		}
	}
}

func delayedExpire(t *testing.T, redis bool) (wrong []string) {
	primary := peer(t, redis)
	clock := time.Now().Add(1000 * time.Hour).UnixMilli()
	c := primary.Conn(t, 2)
	c.MustOK("SET", "clock", "v", "PXAT", strconv.FormatInt(clock, 10))
	var replicas []*late
	for i := range delayedHistory {
		r := &late{server: shiftedPeer(t, redis, []time.Duration{time.Hour, -time.Hour}[len(replicas)%2]), way: testutil.StartProxy(t, primary.Addr()), from: i}
		follow(t, r.server, r.way.Addr())
		r.c = r.server.Conn(t, 2).Conn
		replicas = append(replicas, r)
	}
	for _, r := range replicas {
		inStep(t, primary, r.server)
	}
	states := []moment{{"", -1}} // before the first command
	began := time.Now()
	for i := 0; i < len(delayedHistory) || time.Since(began) < delayedHistory[len(delayedHistory)-1].at+2500*time.Millisecond; {
		if i < len(delayedHistory) && time.Since(began) >= delayedHistory[i].at {
			states = append(states, historyStep(t, c, i, replicas))
			i++
		}
		for _, r := range replicas {
			if since := time.Since(began); since >= delayedHistory[r.from].at+2*time.Second {
				r.way.Restore()
			}
			must(t, r.look(states, clock))
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, r := range replicas {
		inStep(t, primary, r.server)
		wrong = append(wrong, r.wrong...)
	}
	return wrong
}

// historyStep has the primary do a command.
func historyStep(t *testing.T, c *testutil.Peer, i int, replicas []*late) moment {
	t.Helper()
	for _, r := range replicas {
		if r.from == i {
			r.way.Still(testutil.Down)
		}
	}
	step := delayedHistory[i]
	c.MustOK("MULTI")
	for _, line := range []string{step.call, "GET k", "PEXPIRETIME k"} {
		c.MustOK(strings.Fields(line)...)
	}
	v := c.MustOK("EXEC")
	if got := v.Elems[1].Str; got != step.want {
		t.Fatalf("the primary has %q after %s, want %q", got, step.call, step.want)
	}
	return moment{v.Elems[1].Str, v.Elems[2].Int()}
}

// look asks a replica, and finds out where in the history it is.
func (r *late) look(states []moment, clock int64) error {
	for _, line := range []string{"MULTI", "PTTL clock", "GET k", "PTTL k"} {
		r.c.Queue(strings.Fields(line)...)
	}
	replies, err := exchange(r.c, 3, true)
	if err != nil {
		return err
	}
	value, left := replies[1].Str, replies[2].Int()
	now, own := time.Now().UnixMilli(), clock-replies[0].Int()
	lag := int64(0) // of what it may be there
	if own < now-expiryLag.Milliseconds() || own > now {
		own, lag = now-expiryLag.Milliseconds(), expiryLag.Milliseconds() // it is not believed
	}
	for at := r.seen; at < len(states); at++ {
		if states[at].allows(value, left, own, lag, now) {
			r.seen = at
			return nil
		}
	}
	r.wrong = append(r.wrong, fmt.Sprintf("delayed from command %d on, behind command %d, at %d, where it is %d: %q with %d ms left; the history: %v", r.from, r.seen, now, own, value, left, states))
	return nil
}

// allows tells whether that is what a replica shows to which it is own, or up to lag later.
// What has ended by now may have been removed.
func (m moment) allows(value string, left, own, lag, now int64) bool {
	switch {
	case value == "":
		return left == -2 && (m.value == "" || m.end >= 0 && now >= m.end)
	case m.end < 0:
		return value == m.value && left == -1
	}
	return value == m.value && own <= m.end && left <= m.end-own && left >= m.end-own-lag
}
