package e2e

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// limitBytes is the maxmemory of these tests; much more than it is written.
const limitBytes = 32 << 20

// TestEviction writes several times what maxmemory allows under each policy:
// memory stays below the limit, and what cannot be evicted refuses writes.
func TestEviction(t *testing.T) {
	for _, policy := range []string{
		"noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
	} {
		t.Run(policy, func(t *testing.T) {
			s := testutil.StartDozo(t, "--maxmemory", strconv.Itoa(limitBytes), "--maxmemory-policy", policy)
			c := s.Conn(t, 2)
			const keys, valueBytes = 120_000, 500
			oom := writeKeys(t, c, keys, valueBytes)
			used, _ := strconv.Atoi(c.Info("memory", "used_memory"))
			if used > limitBytes*102/100 {
				t.Errorf("used_memory is %d, the limit %d", used, limitBytes)
			}
			if used < limitBytes*8/10 {
				t.Errorf("used_memory is only %d of %d: too much was evicted or refused", used, limitBytes)
			}
			evicted := c.Info("stats", "evicted_keys")
			if (policy == "noeviction") != (evicted == "0") {
				t.Errorf("evicted_keys: %s", evicted)
			}
			if strings.HasPrefix(policy, "allkeys") && oom > 0 {
				t.Errorf("%d writes were refused, though every key may go", oom)
			}
			if policy == "noeviction" {
				expectRefusals(t, c, oom)
			}
			checkMemoryComesBack(t, s, c)
		})
	}
}

// writeKeys sets keys, every second one with a deadline, and counts refusals.
func writeKeys(t *testing.T, c *testutil.Peer, keys, valueBytes int) (oom int) {
	t.Helper()
	value := strings.Repeat("v", valueBytes)
	const batch = 1000
	for from := 0; from < keys; from += batch {
		for i := range batch {
			args := []string{"SET", "key:" + strconv.Itoa(from+i), value}
			if i%2 == 0 {
				args = append(args, "EX", strconv.Itoa(10_000+i))
			}
			c.Queue(args...)
		}
		must(t, c.Flush())
		for range batch {
			raw, err := c.ReadRaw()
			must(t, err)
			switch {
			case strings.HasPrefix(string(raw), "-OOM command not allowed when used memory > 'maxmemory'"):
				oom++
			case string(raw) != "+OK\r\n":
				t.Fatalf("SET: %q", raw)
			}
		}
	}
	return oom
}

func expectRefusals(t *testing.T, c *testutil.Peer, oom int) {
	t.Helper()
	if oom == 0 {
		t.Error("nothing was refused")
	}
	for _, line := range [][]string{{"GET", "key:1"}, {"DEL", "key:1"}, {"EXPIRE", "key:2", "5"}, {"PING"}} {
		if v := c.Do(line...); v.IsError() {
			t.Errorf("%v at the limit: %v", line, v)
		}
	}
}

// checkMemoryComesBack empties the server: what it counts falls to what an empty
// one holds, and the system gets pages back.
func checkMemoryComesBack(t *testing.T, s *testutil.Server, c *testutil.Peer) {
	t.Helper()
	full, err := testutil.RSS(s.Pid)
	must(t, err)
	c.MustOK("FLUSHALL")
	const emptyMax = 4 << 20
	waitFor(t, "used_memory to fall", func() bool {
		used, err := strconv.Atoi(c.Info("memory", "used_memory"))
		return err == nil && used < emptyMax
	})
	waitFor(t, "resident memory to fall", func() bool {
		now, err := testutil.RSS(s.Pid)
		return err == nil && now < full-limitBytes/2
	})
}

// TestExactExpiry: keys that fall due in the same moment are all gone, with their
// memory, a tenth of a second later, though nobody looks at them.
func TestExactExpiry(t *testing.T) {
	s := testutil.StartDozo(t, "--io-threads", "2")
	c := s.Conn(t, 2)
	const keys = 50_000
	due := time.Now().Add(3 * time.Second)
	at := strconv.FormatInt(due.UnixMilli(), 10)
	for i := range keys {
		c.Queue("SET", "due:"+strconv.Itoa(i), "value", "PXAT", at)
	}
	c.Queue("SET", "stays", "value")
	flushAndRead(t, c, keys+1)
	if time.Now().After(due) {
		t.Skip("this machine is too slow to write the keys in time")
	}
	if n := c.Do("DBSIZE").Int(); n != keys+1 && time.Now().Before(due) {
		t.Errorf("%d keys before the deadline, want %d", n, keys+1)
	}
	const grace = 400 * time.Millisecond // of which the server is promised a quarter
	time.Sleep(time.Until(due) + grace)
	if n := c.Do("DBSIZE").Int(); n != 1 {
		t.Errorf("%d keys are left %v after their deadline", n-1, grace)
	}
	if n := c.Info("stats", "expired_keys"); n != strconv.Itoa(keys) {
		t.Errorf("expired_keys: %s, want %d", n, keys)
	}
}
