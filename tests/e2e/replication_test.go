package e2e

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// replTimeout bounds what two servers may need to agree, on a busy machine.
const replTimeout = 40 * time.Second

// peer starts a Dozo, or a genuine server.
func peer(t *testing.T, redis bool, config ...string) *testutil.Server {
	t.Helper()
	config = append([]string{"--repl-diskless-sync-delay", "0"}, config...)
	if !redis {
		return testutil.StartDozo(t, config...)
	}
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	return testutil.StartRedis(t, config...)
}

// follow has a server be the replica of what listens at an address.
func follow(t *testing.T, replica *testutil.Server, primary string) {
	t.Helper()
	host, port, err := net.SplitHostPort(primary)
	must(t, err)
	ask(t, replica, "REPLICAOF", host, port)
}

func promote(t *testing.T, s *testutil.Server) { t.Helper(); ask(t, s, "REPLICAOF", "NO", "ONE") }

// info is a field of INFO.
func info(t *testing.T, s *testutil.Server, field string) string {
	t.Helper()
	return testutil.InfoField(ask(t, s, "INFO"), field)
}

// until is waitFor with the patience that replication needs, and with what is known if it is
// in vain.
func until(t *testing.T, what string, ok func() bool, of ...*testutil.Server) {
	t.Helper()
	for deadline := time.Now().Add(replTimeout); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			for _, s := range of {
				t.Logf("%s, port %d:\n%s", s.Name, s.Port, ask(t, s, "INFO", "replication"))
			}
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// inStep waits until a replica has all that its primary has, and compares the data.
func inStep(t *testing.T, primary, replica *testutil.Server) {
	t.Helper()
	until(t, "the link", func() bool { return info(t, replica, "master_link_status") == "up" }, primary, replica)
	until(t, "equal offsets", func() bool {
		return info(t, replica, "master_repl_offset") == info(t, primary, "master_repl_offset")
	}, primary, replica)
	if !eventually(func() bool { return ask(t, primary, "DEBUG", "DIGEST") == ask(t, replica, "DEBUG", "DIGEST") }) { // what has just ended is still being deleted
		t.Errorf("the data differs: %s\nand\n%s%s", ask(t, primary, "INFO", "keyspace"), ask(t, replica, "INFO", "keyspace"), difference(t, primary, replica))
	}
	if theirs, ours := info(t, primary, "master_replid"), info(t, replica, "master_replid"); theirs != ours {
		t.Errorf("the history is %s, and %s of the primary", ours, theirs)
	}
	if log := replica.Log(); strings.Contains(log, "== CRITICAL ==") {
		t.Errorf("a command of the stream was not executed:\n%s", log)
	}
}

// eventually gives something a few seconds to become true.
func eventually(ok func() bool) bool {
	for range 50 {
		if ok() {
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}

// difference names keys whose values are not the same.
func difference(t *testing.T, a, b *testutil.Server) (found string) {
	x, y := a.Conn(t, 2), b.Conn(t, 2)
	for db := range 10 {
		for _, c := range []*testutil.Peer{x, y} {
			c.MustOK("SELECT", strconv.Itoa(db))
		}
		keys := scanKeys(t, x)
		for key := range scanKeys(t, y) {
			keys[key] = true
		}
		for key := range keys {
			if dx, dy := x.Do("DEBUG", "DIGEST-VALUE", key), y.Do("DEBUG", "DIGEST-VALUE", key); dx.String() != dy.String() && len(found) < 1000 {
				found += fmt.Sprintf("\ndatabase %d, %q: %v and %v", db, key, dx, dy)
			}
		}
	}
	return found
}

// fulls is how many full resyncs a primary has given.
func fulls(t *testing.T, s *testutil.Server) int {
	t.Helper()
	n, err := strconv.Atoi(info(t, s, "sync_full"))
	must(t, err)
	return n
}

// variedWrites are those that are not logged as they were called, among others.
var variedWrites = []string{
	"SPOP sh 7", "SPOP si", "INCRBYFLOAT fl 1.1", "HINCRBYFLOAT hl f 0.3", "GETEX ttl PX 90000000", "GETDEL emb", "SET emb back EX 5000 NX",
	"SETEX soon 5000 v", "PEXPIRE k:7 40", "SET gone x PX 30", "XADD x * a b", "XADD x MAXLEN ~ 100 * a c", "XREADGROUP GROUP g bob COUNT 3 STREAMS x >",
	"XAUTOCLAIM x g carl 0 0-0 COUNT 4", "XACK x g 1-1", "XGROUP CREATECONSUMER x g dora", "XSETID x 99999999999999-1", "RPUSH q 1 2 3", "BLPOP q 1", "LMOVE q other LEFT RIGHT",
	"LMPOP 2 nothing q LEFT COUNT 2", "ZADD zl INCR 2.5 a", "ZMPOP 1 zs MIN COUNT 5", "BZPOPMAX zs 1", "ZRANGESTORE zcopy zs 0 20", "ZUNIONSTORE zu 2 zl zs", "GEOADD geo 13.36 38.11 p 15.08 37.5 q",
	"GEOSEARCHSTORE near geo FROMMEMBER p BYRADIUS 300 km", "BITFIELD bits SET u8 3 200 INCRBY i5 100 1", "SETBIT bits 1000 1", "BITOP NOT nbits bits", "PFADD hll e f g", "PFMERGE hll2 hll",
	"COPY l lcopy", "RENAME lcopy lcopy2", "MOVE lcopy2 5", "SORT l LIMIT 0 10 STORE sorted", "SINTERSTORE both si sl", "SMOVE sl si a", "EXPIRE zl 1000 NX", "PERSIST zl", "LINSERT biglist BEFORE 111111111 new",
	"LTRIM biglist 10 2000", "SETRANGE int 5 xyz", "APPEND int tail", "GETSET int 9", "MSETNX new1 a new2 b", "MSETNX new1 a", "SWAPDB 6 7", "FLUSHDB", "HSETNX hh fresh 1", "UNLINK sorted", "DEL nowhere",
	"OBJECT FREQ x", "MULTI", "INCR tx", "SELECT 4", "INCR tx", "SPOP none", "LPUSH txl a", "EXEC", "EVAL return 0", "SELECT 0", "HRANDFIELD hh 3", "SMISMEMBER sl a b", "ZDIFFSTORE zd 2 zs zl", "XTRIM x MAXLEN 50",
	"XGROUP CREATE fresh g2 $ MKSTREAM", "XGROUP DESTROY x nothing", "XDEL x 12-1", "PUBLISH channel message",
}

// vary writes in all ways; what the replies are is another test's affair.
func vary(t *testing.T, s *testutil.Server) {
	t.Helper()
	c := s.Conn(t, 2)
	for _, line := range variedWrites {
		if line == "FLUSHDB" {
			c.MustOK("SELECT", "7")
			defer func() { c.Do("SELECT", "7"); c.Do("SET", "after", "flush") }()
		}
		c.Do(strings.Fields(line)...)
		if line == "FLUSHDB" {
			c.MustOK("SELECT", "0")
		}
	}
}

// dropLinks cuts the connections between a primary and its replicas, on one side.
func dropLinks(t *testing.T, s *testutil.Server, class string) {
	t.Helper()
	ask(t, s, "CLIENT", "KILL", "TYPE", class)
}

// TestReplication: a chain of three, where a genuine server is a replica, a primary or both,
// has the same data of all types and encodings after a full resync in either framing, after
// all sorts of writes, and after the links were cut on either side.
func TestReplication(t *testing.T) {
	for _, c := range []struct {
		redis    [3]bool
		diskless string
		long     bool
	}{
		{redis: [3]bool{true, false, true}, diskless: "yes"}, {redis: [3]bool{false, true, false}, diskless: "no"},
		{redis: [3]bool{true, false, true}, diskless: "no", long: true}, {redis: [3]bool{false, true, false}, diskless: "yes", long: true},
		{redis: [3]bool{false, false, false}, diskless: "no", long: true}, {redis: [3]bool{false, false, true}, diskless: "yes", long: true},
		{redis: [3]bool{true, true, false}, diskless: "yes", long: true},
	} {
		if c.long && testing.Short() {
			continue
		}
		t.Run(fmt.Sprintf("genuine=%v,diskless=%s", c.redis, c.diskless), func(t *testing.T) {
			t.Parallel()
			var chain [3]*testutil.Server
			for i, redis := range c.redis {
				chain[i] = peer(t, redis, "--repl-diskless-sync", c.diskless)
			}
			replicateChain(t, chain)
		})
	}
}

func replicateChain(t *testing.T, chain [3]*testutil.Server) {
	first, middle, last := chain[0], chain[1], chain[2]
	everyType(t, first)
	for _, s := range chain[1:] {
		ask(t, s, "SET", "former", "data")
	}
	follow(t, middle, first.Addr())
	inStep(t, first, middle)
	follow(t, last, middle.Addr())
	inStep(t, middle, last)
	sameDigest(t, "at first", first, last)
	for _, cut := range []func(){
		func() {}, func() { dropLinks(t, first, "replica") }, func() { dropLinks(t, middle, "master") },
		func() { dropLinks(t, middle, "replica") }, func() { dropLinks(t, last, "master") },
	} {
		cut()
		vary(t, first)
		inStep(t, first, middle)
		inStep(t, first, last)
	}
	for _, s := range chain[:2] {
		if n := fulls(t, s); n != 1 {
			t.Errorf("%s gave %d full resyncs, want 1\n%s", s.Name, n, s.Log())
		}
	}
	promotedMiddle(t, first, middle, last)
}

// promotedMiddle goes on with the one in the middle as the primary, and then with the last.
func promotedMiddle(t *testing.T, first, middle, last *testutil.Server) {
	promote(t, middle)
	vary(t, middle)
	follow(t, first, middle.Addr())
	inStep(t, middle, first)
	inStep(t, middle, last)
	promote(t, last)
	vary(t, last)
	follow(t, middle, last.Addr())
	inStep(t, last, middle)
	inStep(t, last, first)
	for i, s := range []*testutil.Server{first, middle, last} {
		if n, want := fulls(t, s), []int{1, 1, 0}[i]; n != want {
			t.Errorf("%s, number %d, gave %d full resyncs with all promotions, want %d\n%s", s.Name, i, n, want, s.Log())
		}
	}
}

// TestReplicationAnnounced: what a replica says of itself is what its primary shows, and one
// without the password gets nothing.
func TestReplicationAnnounced(t *testing.T) {
	for _, redis := range [][2]bool{{true, false}, {false, true}, {false, false}} {
		primary := peer(t, redis[0])
		c := primary.Conn(t, 2)
		c.MustOK("SET", "a", "b")
		c.MustOK("CONFIG", "SET", "requirepass", "secret", "masterauth", "secret")
		replica := peer(t, redis[1], "--replica-announce-ip", "127.0.0.9", "--replica-announce-port", "26007")
		follow(t, replica, primary.Addr())
		until(t, "a refusal", func() bool { return strings.Contains(replica.Log(), "NOAUTH") }, replica)
		if got := ask(t, replica, "DBSIZE"); got != "0" {
			t.Errorf("without the password it has %s keys", got)
		}
		ask(t, replica, "CONFIG", "SET", "masterauth", "secret")
		until(t, "the link", func() bool { return info(t, replica, "master_link_status") == "up" }, replica)
		until(t, "the replica", func() bool {
			return strings.HasPrefix(c.Info("replication", "slave0"), "ip=127.0.0.9,port=26007,state=online,offset=")
		})
		if v := c.Do("ROLE"); len(v.Elems) != 3 || !strings.Contains(v.String(), "127.0.0.9") || !strings.Contains(v.String(), "26007") {
			t.Errorf("ROLE of the primary: %v", v)
		}
		if got := ask(t, replica, "GET", "a"); got != "b" {
			t.Errorf("the replica has %q", got)
		}
		promote(t, replica)
	}
}
