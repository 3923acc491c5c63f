package node_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
	"dozo/server"
)

// pairOf starts a primary and a replica of it, which has caught up when pairOf returns.
func pairOf(t *testing.T, directives ...string) (primary, replica *machine) {
	t.Helper()
	all := append([]string{"repl-diskless-sync-delay 0"}, directives...)
	primary = started(t, newDisk(t), all...)
	fillTypes(primary)
	replica = started(t, newDisk(t), all...)
	replica.do("SET old data")
	replica.follows(primary)
	replica.catchesUp(primary)
	return primary, replica
}

// fillTypes writes something of each type.
func fillTypes(m *machine) {
	for _, line := range []string{
		"DEBUG POPULATE 2000 key 200", "SET str 1", "RPUSH list a b c", "SADD set 1 2 x", "HSET hash f v g w",
		"ZADD zset 1 a 2.5 b", "XADD stream 1-1 f v", "SETRANGE long 100000 x", "PEXPIRE str 10000000",
	} {
		m.do(line)
	}
	for i := range 600 {
		m.do(fmt.Sprintf("RPUSH longlist %d", i))
	}
	m.do("SELECT 3")
	m.do("SET other db")
	m.do("SELECT 0")
}

func (m *machine) follows(primary *machine) {
	m.t.Helper()
	host, port, _ := net.SplitHostPort(primary.node.Addrs()[0].String())
	m.do("REPLICAOF " + host + " " + port)
}

func (m *machine) replication(field string) string {
	m.t.Helper()
	return testutil.InfoField(m.do("INFO replication"), field)
}

func (m *machine) stat(field string) string {
	m.t.Helper()
	return testutil.InfoField(m.do("INFO stats"), field)
}

// catchesUp waits until a replica has all that its primary has, and compares the data.
func (m *machine) catchesUp(primary *machine) {
	m.t.Helper()
	m.until("the link is up", func() bool { return m.replication("master_link_status") == "up" })
	m.until("it has caught up", func() bool {
		return m.replication("master_repl_offset") == primary.replication("master_repl_offset")
	})
	if ours, theirs := m.do("DEBUG DIGEST"), primary.do("DEBUG DIGEST"); ours != theirs {
		m.t.Fatalf("the data differs: %s, and %s of the primary\n%s", ours, theirs, m.log)
	}
	if ours, theirs := m.replication("master_replid"), primary.replication("master_replid"); ours != theirs {
		m.t.Errorf("the history is %s, and %s of the primary", ours, theirs)
	}
}

// write writes something that changes with each call.
func (m *machine) write(n int) {
	m.t.Helper()
	for i := range n {
		m.do(fmt.Sprintf("INCRBY counter %d", i))
		m.do(fmt.Sprintf("RPUSH log entry-%d", i))
	}
	m.do("MULTI")
	m.do("SET tx 1")
	m.do("SELECT 5")
	m.do("INCR tx")
	m.do("EXEC")
	m.do("SELECT 0")
}

// TestReplica: a replica gets the data and what is written, refuses writes, goes on where
// it was after its link was cut, becomes a primary, and the former primary its replica
// without a snapshot.
func TestReplica(t *testing.T) {
	primary, replica := pairOf(t)
	if v, _ := replica.DoErr("GET", "old"); !strings.HasPrefix(v.String(), "(nil)") && v.Str != "" {
		t.Errorf("the data of before is still there: %v", v)
	}
	primary.write(100)
	replica.catchesUp(primary)
	replica.refuses("SET a b", "READONLY")
	for range 3 {
		replica.do("CLIENT KILL TYPE master")
		primary.write(10)
		replica.catchesUp(primary)
	}
	if full, partial := primary.stat("sync_full"), primary.stat("sync_partial_ok"); full != "1" || partial == "0" {
		t.Errorf("%s snapshots were sent, and %s times a replica went on where it was", full, partial)
	}
	replica.do("REPLICAOF NO ONE")
	replica.write(5)
	primary.follows(replica)
	primary.catchesUp(replica)
	if full := replica.stat("sync_full"); full != "0" {
		t.Errorf("the former primary needed a snapshot")
	}
	replica.write(5)
	primary.catchesUp(replica)
	primary.refuses("SET a b", "READONLY")
}

// TestReplicaChain: a replica of a replica gets the same bytes, and goes on when the one in
// the middle is promoted.
func TestReplicaChain(t *testing.T) {
	primary, middle := pairOf(t)
	last := started(t, newDisk(t), "repl-diskless-sync-delay 0")
	last.follows(middle)
	last.catchesUp(middle)
	primary.write(50)
	middle.catchesUp(primary)
	last.catchesUp(primary)
	middle.do("REPLICAOF NO ONE")
	middle.write(5)
	last.catchesUp(middle)
	primary.follows(middle)
	primary.catchesUp(middle)
	if full := middle.stat("sync_full"); full != "1" {
		t.Errorf("%s snapshots were sent by the one in the middle, want the first only", full)
	}
}

// TestReplicaRestarts: what a replica has got is in its append only file.
func TestReplicaRestarts(t *testing.T) {
	primary, replica := pairOf(t, "appendonly yes")
	primary.write(20)
	replica.catchesUp(primary)
	replica.untilInfo("aof_starting", "0")
	primary.write(20)
	replica.catchesUp(primary)
	want := replica.do("DEBUG DIGEST")
	replica.until("all is in the file", func() bool { return replica.info("aof_buffer_length") == "0" })
	disk := replica.disk
	noError(t, replica.node.Close())
	again := started(t, disk, "appendonly yes")
	if got := again.do("DEBUG DIGEST"); got != want {
		t.Errorf("after a restart the data is %s, want %s\n%s", got, want, again.log)
	}
}

// TestWait: who waits for replicas is told how many have its write.
func TestWait(t *testing.T) {
	primary, replica := pairOf(t)
	primary.do("SET a b")
	if v, err := primary.DoErr("WAIT", "1", "10000"); err != nil || v.Int() != 1 {
		t.Errorf("WAIT 1: %v, %v", v, err)
	}
	if v, err := primary.DoErr("WAIT", "2", "50"); err != nil || v.Int() != 1 {
		t.Errorf("WAIT 2 with one replica: %v, %v", v, err)
	}
	replica.refuses("WAIT 0 0", "WAIT cannot be used with replica")
	replica.do("REPLICAOF NO ONE")
	primary.until("the replica is gone", func() bool { return primary.replication("connected_slaves") == "0" })
	primary.do("SET a c")
	if v, err := primary.DoErr("WAIT", "1", "50"); err != nil || v.Int() != 0 {
		t.Errorf("WAIT 1 without replicas: %v, %v", v, err)
	}
}

// TestReadsWhileReceiving: the data of before is served until the primary's is complete, and
// stays if it never is.
func TestReadsWhileReceiving(t *testing.T) {
	primary := started(t, newDisk(t), "repl-diskless-sync-delay 0", "rdb-key-save-delay 5000")
	fillTypes(primary)
	replica := started(t, newDisk(t))
	replica.do("SET old data")
	replica.follows(primary)
	replica.until("a snapshot is on its way", func() bool { return replica.replication("master_sync_in_progress") == "1" })
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		if got := replica.do("GET old"); got != "data" {
			t.Fatalf("GET during a transfer: %q", got)
		}
	}
	if replica.replication("master_sync_in_progress") != "1" {
		t.Fatalf("the transfer did not last\n%s", replica.log)
	}
	noError(t, primary.node.Close())
	replica.until("the transfer has failed", func() bool { return replica.replication("master_sync_in_progress") == "0" })
	if got := replica.do("GET old"); got != "data" {
		t.Errorf("GET after a transfer that failed: %q", got)
	}
}

// TestReceivedWhileSaving: a save that is under way when a primary's snapshot takes the
// place of the data saves what there was before.
func TestReceivedWhileSaving(t *testing.T) {
	primary := started(t, newDisk(t), "repl-diskless-sync-delay 0")
	replica := started(t, newDisk(t))
	fillTypes(replica)
	replica.do("SET old data")
	replica.do("CONFIG SET rdb-key-save-delay 500")
	replica.do("BGSAVE")
	replica.follows(primary)
	replica.catchesUp(primary)
	if replica.info("rdb_bgsave_in_progress") != "1" {
		t.Fatalf("the save did not last\n%s", replica.log)
	}
	replica.do("CONFIG SET rdb-key-save-delay 0")
	replica.untilInfo("rdb_bgsave_in_progress", "0")
	if got := replica.info("rdb_last_bgsave_status"); got != "ok" {
		t.Errorf("the save: %s\n%s", got, replica.log)
	}
	has(t, replica.disk.KeepAll(), "old", "data")
}

// TestBacklogFromTheFirst: what is written from the first replica's coming on is kept for
// it, though no tick has passed.
func TestBacklogFromTheFirst(t *testing.T) {
	primary := started(t, newDisk(t), "repl-diskless-sync-delay 0", "repl-backlog-size 8mb")
	replica := started(t, newDisk(t))
	primary.do("DEBUG PAUSE-CRON 1")
	replica.follows(primary)
	replica.catchesUp(primary)
	for range 20 {
		primary.do("SET a " + strings.Repeat("x", 50_000))
	}
	replica.catchesUp(primary)
	if got, _ := strconv.Atoi(primary.replication("repl_backlog_histlen")); got < 1_000_000 {
		t.Errorf("%d bytes are kept, of a million that were written", got)
	}
}

// TestEndsWhileReceiving: a shutdown while a primary's snapshot is on its way.
func TestEndsWhileReceiving(t *testing.T) {
	primary := started(t, newDisk(t), "repl-diskless-sync-delay 0", "rdb-key-save-delay 5000")
	fillTypes(primary)
	replica := started(t, newDisk(t))
	replica.follows(primary)
	replica.until("a snapshot is on its way", func() bool { return replica.replication("master_sync_in_progress") == "1" })
	replica.node.Shutdown(server.ShutdownMode{NoSave: true})
	<-replica.node.Done()
	closed := make(chan error, 1)
	go func() { closed <- replica.node.Close() }()
	select {
	case err := <-closed:
		noError(t, err)
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
}

// TestSyncRateLimit: the snapshots of all replicas together take no more of the network than
// they may, and all of it arrives.
func TestSyncRateLimit(t *testing.T) {
	const limit, length, keys = 1 << 20, 1000, 400
	primary := started(t, newDisk(t), "repl-diskless-sync-delay 0", "rdbcompression no", fmt.Sprintf("repl-sync-rate-limit %d", limit))
	primary.do(fmt.Sprintf("DEBUG POPULATE %d key %d", keys, length))
	begun := time.Now()
	replicas := []*machine{started(t, newDisk(t)), started(t, newDisk(t))}
	for _, r := range replicas {
		r.follows(primary)
	}
	for _, r := range replicas {
		r.catchesUp(primary)
	}
	// What the buckets hold may leave at once, and the last of it does not wait.
	least := time.Duration(len(replicas)*keys*length) * time.Second / limit * 6 / 10
	if took := time.Since(begun); took < least {
		t.Errorf("it took %v, which is faster than %d bytes a second", took, limit)
	}
	primary.do("CONFIG SET repl-sync-rate-limit 1")
	last := started(t, newDisk(t))
	last.follows(primary)
	last.until("the snapshot begins", func() bool { return last.replication("master_sync_in_progress") == "1" })
	primary.do("CONFIG SET repl-sync-rate-limit 0") // who sleeps is woken
	last.catchesUp(primary)
}

// TestDatabaseBehindSnapshot: what comes first behind a snapshot is for the database that was
// in force there, also when the link is cut before it comes, and for the append only file that
// begins there. It is had from a replica, which sends nothing of its own.
func TestDatabaseBehindSnapshot(t *testing.T) {
	primary, middle := pairOf(t)
	proxy := testutil.StartProxy(t, middle.node.Addrs()[0].String())
	host, port, _ := net.SplitHostPort(proxy.Addr())
	primary.do("SELECT 7")
	primary.do("SET here 1")
	middle.catchesUp(primary)
	replica := started(t, newDisk(t), "appendonly yes")
	replica.do("REPLICAOF " + host + " " + port)
	replica.until("the link is up", func() bool { return replica.replication("master_link_status") == "up" })
	proxy.Cut()
	replica.until("it goes on", func() bool { return strings.Contains(replica.log.String(), "Successful partial resynchronization") })
	primary.do("SET behind 2") // without a SELECT of its own
	replica.catchesUp(primary)
	replica.settled()
	replica = replica.again(replica.stop("SHUTDOWN"), "appendonly yes", "replicaof "+host+" "+port)
	replica.catchesUp(primary)
	middle.syncs("1")
}

// TestReplicationFirstWrite: what is written after a snapshot does not wait for the beat of a
// second. A primary sends nothing before the replica has acknowledged.
func TestReplicationFirstWrite(t *testing.T) {
	primary, replica := pairOf(t)
	best := time.Hour
	for i := 0; i < 3 && best > 300*time.Millisecond; i++ {
		replica.do("REPLICAOF NO ONE")
		replica.follows(primary)
		primary.until("the replica", func() bool { return strings.Contains(primary.replication("slave0"), "state=online") })
		from := time.Now()
		primary.do("INCR first")
		replica.until("the first write", func() bool { return replica.do("GET first") == strconv.Itoa(i+1) })
		best = min(best, time.Since(from))
	}
	if best > 300*time.Millisecond {
		t.Errorf("the first write arrived after %v at best", best)
	}
}
