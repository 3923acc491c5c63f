package server_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"dozo"
	"dozo/internal/testutil"
)

// stormCommands are what the clients of TestStorm send: everything that looks at
// other clients and other loops, among ordinary work.
var stormCommands = []string{
	"SET k%d v", "GET k%d", "INCR n%d", "DEL k%d n%d", "CLIENT LIST", "CLIENT INFO", "INFO everything", "SUBSCRIBE c%d", "UNSUBSCRIBE",
	"PSUBSCRIBE c*", "PUNSUBSCRIBE", "PUBLISH c%d hello", "PUBSUB CHANNELS", "MULTI", "EXEC", "DISCARD", "WATCH k%d", "UNWATCH",
	"CONFIG SET hz 10%d", "CONFIG GET *", "CONFIG RESETSTAT", "MEMORY STATS", "MEMORY USAGE k%d", "LATENCY HISTOGRAM", "LATENCY LATEST",
	"SLOWLOG GET", "CLIENT KILL TYPE pubsub", "CLIENT KILL ID 1%d", "MONITOR", "RESET", "CLIENT PAUSE 2 WRITE", "CLIENT UNPAUSE", "WAIT 1 2",
	"CLIENT UNBLOCK 2%d", "CLIENT SETNAME s%d", "SET e%d v PX 5", "DEBUG DIGEST", "DEBUG SLEEP 0.0001", "DBSIZE", "SCAN 0", "HELLO 3", "HELLO 2",
	"BLPOP l%d l%d 0.01", "BLMOVE l%d l%d LEFT RIGHT 0.01", "RPUSH l%d v", "XREAD BLOCK 5 STREAMS s%d $", "XADD s%d * f v", "SWAPDB 0 1",
	manyFields(), "UNLINK h%d h%d",
	"CLIENT NO-EVICT ON", "CONFIG SET maxmemory-clients %d00kb", "CONFIG SET maxmemory-clients 0", "COMMAND COUNT", "QUIT", "FLUSHALL", "KEYS *",
}

// manyFields makes a hash that is freed in steps.
func manyFields() string {
	line := []byte("HSET h%d")
	for i := range 600 {
		line = fmt.Appendf(line, " field:%d v", i)
	}
	return string(line)
}

// TestStorm has many clients do everything at once, for the race detector and the
// invariants build. That the server still serves in the end is all it asks.
func TestStorm(t *testing.T) {
	length := 1500 * time.Millisecond
	if testing.Short() {
		length = 300 * time.Millisecond
	}
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		srv := start("hz", "100", "notify-keyspace-events", "KEA", "latency-monitor-threshold", "1", "slowlog-log-slower-than", "100")
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		c := dial(t, srv.Addr()) // before the limit of client memory is what the storm leaves it
		c.must("CLIENT NO-EVICT ON")
		until := time.Now().Add(length)
		var clients sync.WaitGroup
		for i := range 12 {
			clients.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				for time.Now().Before(until) {
					storm(r, srv.Addr(), until)
				}
			})
		}
		clients.Wait()
		c.must("CLIENT UNPAUSE")
		c.must("CONFIG SET maxmemory-clients 0")
		eventually(t, "only this client is left", func() bool { return c.infoInt("clients", "connected_clients") == 1 })
		c.must("FLUSHALL")
		c.must("SET k v")
		if v := c.must("GET k"); v.Str != "v" {
			t.Errorf("GET k: %s", v)
		}
		for field, want := range map[string]string{"pubsub_channels": "0", "pubsub_patterns": "0"} {
			if got := c.info("stats", field); got != want {
				t.Errorf("%s:%s", field, got)
			}
		}
	})
}

// storm is the life of one connection: pipelines of random commands, whose
// replies are read and forgotten.
func storm(r *rand.Rand, addr string, until time.Time) {
	c, err := testutil.Dial(addr)
	if err != nil {
		return
	}
	defer c.Close()
	c.SetTimeout(2 * time.Second)
	go func() {
		for {
			if _, err := c.ReadRaw(); err != nil {
				return
			}
		}
	}()
	for time.Now().Before(until) {
		for range 1 + r.IntN(8) {
			line := stormCommands[r.IntN(len(stormCommands))]
			if n := strings.Count(line, "%d"); n > 0 {
				args := make([]any, n)
				for i := range args {
					args[i] = r.IntN(9)
				}
				line = fmt.Sprintf(line, args...)
			}
			c.Queue(strings.Fields(line)...)
		}
		if c.Flush() != nil {
			return
		}
		time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
	}
}
