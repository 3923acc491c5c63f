package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dozo/internal/testutil"
)

var stormFlag = flag.Duration("storm", 0, "how long each storm lasts (0: 8 s with -short, else 20 s)")

// stormClients is the number of connections of the storm.
const stormClients = 24

// A storm is 24 connections doing everything at once to a small key space on a
// server with several event loops: nothing is compared, but every reply must be
// well formed and of a kind that its command can give, and the server must be
// whole at the end. The servers are builds that watch themselves: one with the
// race detector, one with the invariants.
func TestStormRace(t *testing.T)       { storm(t, testutil.Race) }
func TestStormInvariants(t *testing.T) { storm(t, testutil.Invariants) }

func storm(t *testing.T, v testutil.Variant) {
	length := *stormFlag
	if length == 0 {
		length = 20 * time.Second
		if testing.Short() {
			length = 8 * time.Second
		}
	}
	s := testutil.StartVariant(t, v, "--io-threads", "4", "--notify-keyspace-events", "KEA", "--maxclients", "200")
	w := &weather{t: t, s: s, end: time.Now().Add(length), seed: uint64(time.Now().UnixNano())}
	t.Logf("seed %d", w.seed)
	var wg sync.WaitGroup
	for n := range stormClients {
		wg.Go(func() { w.client(n) })
	}
	wg.Wait()
	t.Logf("%d commands, %d reconnections", w.commands.Load(), w.reconnections.Load())
	if w.commands.Load() < 1000 {
		t.Errorf("only %d commands got through", w.commands.Load())
	}
	w.calm()
}

type weather struct {
	t             *testing.T
	s             *testutil.Server
	end           time.Time
	seed          uint64
	commands      atomic.Int64
	reconnections atomic.Int64
	failed        atomic.Bool
}

func (w *weather) fail(format string, args ...any) {
	w.failed.Store(true)
	w.t.Errorf(format, args...)
}

// client is one connection's life, or rather lives: others kill it.
func (w *weather) client(n int) {
	r := rand.New(rand.NewPCG(w.seed, uint64(n)))
	for time.Now().Before(w.end) && !w.failed.Load() {
		c, err := w.s.Dial()
		if err != nil {
			w.fail("client %d cannot connect: %v", n, err)
			return
		}
		if r.IntN(2) == 0 {
			_, _ = c.DoErr("HELLO", "3") // it may be killed at once
		}
		w.life(n, r, c)
		c.Close()
		w.reconnections.Add(1)
	}
}

// life sends batches until the connection is killed or ends itself.
func (w *weather) life(n int, r *rand.Rand, c *testutil.Conn) {
	for time.Now().Before(w.end) && !w.failed.Load() {
		count := 1 + r.IntN(20)
		for range count {
			c.Queue(stormCommand(n, r)...)
		}
		if r.IntN(3) == 0 {
			queueTransaction(c, r)
		}
		c.Queue("PING", "end-of-batch")
		if c.Flush() != nil {
			return
		}
		for {
			raw, err := c.ReadRaw()
			if err != nil {
				if strings.Contains(err.Error(), "timeout") {
					w.fail("client %d: no reply for long", n)
				}
				return // killed
			}
			v, err := testutil.Parse(raw)
			if err != nil {
				w.fail("client %d got a malformed reply %q: %v", n, raw, err)
				return
			}
			if v.IsError() && !expectedError(v.Str) {
				w.fail("client %d got an unexpected error %q", n, v.Str)
				return
			}
			if endOfBatch(v) {
				break
			}
		}
		w.commands.Add(int64(count))
		if r.IntN(200) == 0 {
			return
		}
	}
}

// queueTransaction queues a MULTI with a few commands of several keys.
func queueTransaction(c *testutil.Conn, r *rand.Rand) {
	c.Queue("WATCH", stormKey(r))
	c.Queue("MULTI")
	for range 1 + r.IntN(4) {
		k, j := stormKey(r), stormKey(r)
		c.Queue([][]string{
			{"INCR", "n1"}, {"SET", k, "1"}, {"MGET", k, j}, {"DEL", j}, {"RENAME", k, j}, {"DBSIZE"}, {"PUBLISH", "c0", k},
			{"FLUSHALL"}, {"KEYS", "*"}, {"PEXPIRE", k, "20"},
		}[r.IntN(10)]...)
	}
	c.Queue([]string{"EXEC", "EXEC", "EXEC", "DISCARD"}[r.IntN(4)])
}

// endOfBatch recognises the reply to the PING, also for a RESP2 subscriber.
func endOfBatch(v testutil.Value) bool {
	return v.Str == "end-of-batch" || len(v.Elems) == 2 && v.Elems[1].Str == "end-of-batch"
}

// expectedError lists the faults that the storm provokes.
func expectedError(text string) bool {
	for _, prefix := range []string{
		"WRONGTYPE", "EXECABORT", "OOM ", "BUSYKEY", "ERR no such key", "ERR value is not", "ERR increment or decrement",
		"ERR source and destination objects are the same", "ERR Can't execute", "ERR No such client",
		"INVALIDOBJ", "ERR bit offset", "ERR DUMP payload", "ERR string exceeds", "NOPERM",
	} {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

func stormKey(r *rand.Rand) string { return "k" + strconv.Itoa(r.IntN(40)) }

// stormCommand chooses a command. Transactions come as one unit, so that a PING
// outside never lands in a queue.
func stormCommand(n int, r *rand.Rand) []string {
	k, j := stormKey(r), stormKey(r)
	number := strconv.Itoa(r.IntN(1000))
	switch r.IntN(80) {
	case 0, 1, 2, 3:
		return []string{"SET", k, number}
	case 4:
		return []string{"SET", k, strings.Repeat("v", r.IntN(20_000)), "PX", strconv.Itoa(1 + r.IntN(50))}
	case 5, 6, 7, 8:
		return []string{"GET", k}
	case 9, 10:
		return []string{"INCR", "n" + number}
	case 11:
		return []string{"APPEND", k, number}
	case 12:
		return []string{"MSET", k, "1", j, "2", stormKey(r), "3"}
	case 13, 14:
		return []string{"MGET", k, j, stormKey(r)}
	case 15:
		return []string{"DEL", k, j}
	case 16:
		return []string{"UNLINK", k}
	case 17:
		return []string{"RENAME", k, j}
	case 18:
		return []string{"COPY", k, j, "REPLACE"}
	case 19:
		return []string{"SCAN", strconv.FormatUint(r.Uint64()>>uint(r.IntN(64)), 10), "COUNT", "50"}
	case 20:
		return []string{"SCAN", "0"}
	case 21:
		return []string{"KEYS", "k1*"}
	case 22:
		return []string{"PEXPIRE", k, strconv.Itoa(1 + r.IntN(100))}
	case 23:
		return []string{"PERSIST", k}
	case 24:
		return []string{"SETBIT", "bits" + number, number, "1"}
	case 25:
		return []string{"BITOP", "OR", k, j, stormKey(r)}
	case 26:
		return []string{"PFADD", "h" + strconv.Itoa(r.IntN(5)), number}
	case 27:
		return []string{"PFCOUNT", "h1", "h2", "h3"}
	case 28:
		return []string{"PFMERGE", "h0", "h1", "h2"}
	case 29:
		return []string{"MOVE", k, "1"}
	case 30:
		return []string{"PUBLISH", "c" + strconv.Itoa(r.IntN(3)), number}
	case 31:
		return []string{"OBJECT", "ENCODING", k}
	case 32:
		return []string{"DUMP", k}
	case 33:
		return []string{"SETRANGE", k, strconv.Itoa(r.IntN(2000)), "x"}
	case 34:
		return []string{"GETDEL", k}
	case 35:
		return []string{"RANDOMKEY"}
	case 36:
		return []string{"INFO"}
	case 37:
		return []string{"CLIENT", "LIST"}
	}
	if r.IntN(8) == 0 {
		return rareCommand(n, r, k)
	}
	return [][]string{{"GET", k}, {"SET", k, number}, {"INCR", "n" + number}, {"EXISTS", k, j}, {"TTL", k}}[r.IntN(5)]
}

// rareCommand has the heavy ones: those that stop every loop, kill clients or
// change how memory is counted.
func rareCommand(n int, r *rand.Rand, k string) []string {
	switch r.IntN(24) {
	case 0:
		return []string{"FLUSHALL"}
	case 1:
		return []string{"FLUSHDB", "ASYNC"}
	case 2:
		return []string{"SWAPDB", "0", "1"}
	case 3:
		return []string{"CLIENT", "KILL", "TYPE", "pubsub"}
	case 4:
		return []string{"CLIENT", "KILL", "ID", strconv.Itoa(1 + r.IntN(500)), "SKIPME", "yes"}
	case 5:
		return []string{"SUBSCRIBE", "c" + strconv.Itoa(r.IntN(3))}
	case 6:
		return []string{"PSUBSCRIBE", "__key*__:*"}
	case 7:
		return []string{"UNSUBSCRIBE", "c1"}
	case 8:
		return []string{"RESET"}
	case 9:
		return []string{"CONFIG", "SET", "maxmemory", []string{"0", "3mb", "20mb"}[r.IntN(3)]}
	case 10:
		policy := []string{"noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"}
		return []string{"CONFIG", "SET", "maxmemory-policy", policy[r.IntN(len(policy))]}
	case 11:
		return []string{"CLIENT", "SETNAME", "storm" + strconv.Itoa(n)}
	case 12:
		return []string{"DEBUG", "DIGEST"}
	case 13:
		return []string{"SELECT", strconv.Itoa(r.IntN(2))}
	case 14:
		return []string{"MEMORY", "STATS"}
	case 15:
		return []string{"MEMORY", "USAGE", k}
	case 16:
		return []string{"WATCH", k}
	case 17:
		return []string{"UNWATCH"}
	case 18:
		return []string{"CLIENT", "PAUSE", "1", "WRITE"}
	case 19:
		return []string{"SLOWLOG", "GET", "10"}
	case 20:
		return []string{"COMMAND", "DOCS"}
	}
	return []string{"DBSIZE"}
}

// calm looks at the server after the storm: SCAN and DBSIZE agree, an emptied
// server holds little memory, and it ends by itself.
func (w *weather) calm() {
	t := w.t
	c := w.s.Conn(t, 2)
	c.MustOK("CONFIG", "SET", "maxmemory", "0")
	for i := range 5000 {
		c.Queue("SET", fmt.Sprintf("calm:%d", i), "v")
	}
	flushAndRead(t, c, 5000)
	c.MustOK("SELECT", "0")
	time.Sleep(time.Second) // no deadline of the storm is further away
	if seen, size := len(scanKeys(t, c)), c.Do("DBSIZE").Int(); int64(seen) != size {
		t.Errorf("SCAN saw %d keys, DBSIZE says %d", seen, size)
	}
	c.MustOK("FLUSHALL")
	if got := c.Do("DBSIZE").Int(); got != 0 {
		t.Errorf("%d keys after FLUSHALL", got)
	}
	if err := w.s.Terminate(); err != nil {
		t.Errorf("the server did not end cleanly: %v", err)
	}
}

// TestTransfers moves amounts between accounts in transactions while others sum
// all accounts up by one MGET: no sum may ever show half a transfer. This is what
// lock sets must guarantee across shards.
func TestTransfers(t *testing.T) {
	const accounts, each, movers, readers = 64, 1000, 8, 4
	s := testutil.StartDozo(t, "--io-threads", "4")
	c := s.Conn(t, 2)
	keys := []string{"MGET"}
	for i := range accounts {
		name := "account:" + strconv.Itoa(i)
		keys = append(keys, name)
		c.MustOK("SET", name, strconv.Itoa(each))
	}
	end := time.Now().Add(3 * time.Second)
	var wg sync.WaitGroup
	for n := range movers {
		conn := s.Conn(t, 2)
		wg.Go(func() { transfer(t, conn, rand.New(rand.NewPCG(uint64(n), 5)), keys[1:], end) })
	}
	sums := atomic.Int64{}
	for range readers {
		conn := s.Conn(t, 2)
		wg.Go(func() {
			for time.Now().Before(end) {
				if sum := sumOf(conn, keys); sum != accounts*each {
					t.Errorf("the accounts sum up to %d, want %d", sum, accounts*each)
					return
				}
				sums.Add(1)
			}
		})
	}
	wg.Wait()
	if sum := sumOf(c, keys); sum != accounts*each || sums.Load() < 100 {
		t.Errorf("at the end: %d (%d sums taken)", sum, sums.Load())
	}
}

func transfer(t *testing.T, c *testutil.Peer, r *rand.Rand, accounts []string, end time.Time) {
	for time.Now().Before(end) {
		amount := strconv.Itoa(r.IntN(100))
		from, to := accounts[r.IntN(len(accounts))], accounts[r.IntN(len(accounts))]
		c.Queue("MULTI")
		c.Queue("DECRBY", from, amount)
		c.Queue("INCRBY", to, amount)
		c.Queue("EXEC")
		if err := c.Flush(); err != nil {
			t.Error(err)
			return
		}
		for range 4 {
			if raw, err := c.ReadRaw(); err != nil || raw[0] == '-' {
				t.Errorf("a transfer: %q, %v", raw, err)
				return
			}
		}
	}
}

func sumOf(c *testutil.Peer, mget []string) (sum int64) {
	v, err := c.DoErr(mget...)
	if err != nil {
		return -1
	}
	for _, e := range v.Elems {
		sum += e.Int()
	}
	return sum
}
