package node_test

import (
	"bytes"
	"io"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dozo/aof"
	"dozo/env"
	"dozo/internal/testutil"
	"dozo/rdb"
)

// TestPublishReachesReplicas: who subscribes at a replica hears what is published at the
// primary, in and out of transactions; nobody hears it again when the file is loaded.
func TestPublishReachesReplicas(t *testing.T) {
	primary, replica := pairOf(t, aofYes)
	listener := replica.dial()
	if _, err := listener.DoErr("SUBSCRIBE", "news"); err != nil {
		t.Fatal(err)
	}
	primary.do("PUBLISH news one")
	primary.do("MULTI")
	primary.do("PUBLISH news two")
	primary.do("INCR n")
	primary.do("EXEC")
	for _, want := range []string{"one", "two"} {
		if raw, err := listener.ReadRaw(); err != nil || !strings.Contains(string(raw), "message\r\n$4\r\nnews\r\n$3\r\n"+want) {
			t.Fatalf("heard %q, %v; want %s", raw, err, want)
		}
	}
	replica.catchesUp(primary)
	disk := primary.stop("SHUTDOWN")
	again := started(t, disk, aofYes)
	if got := again.do("GET n"); got != "1" {
		t.Errorf("n is %q after a restart\n%s", got, again.log)
	}
}

// TestEndAwaitsReplicas: SHUTDOWN waits, with writes held, for a replica that has not got
// all yet, and can be aborted meanwhile; in the end it says who is behind.
func TestEndAwaitsReplicas(t *testing.T) {
	primary, replica := pairOf(t)
	if got := testutil.InfoField(primary.do("INFO clients"), "connected_clients"); got != "1" {
		t.Errorf("%s clients are connected to the primary, replicas not counted", got)
	}
	slow := replica.dial()
	slow.Queue("DEBUG", "SLEEP", "2") // all of it stands still
	noError(t, slow.Flush())
	time.Sleep(50 * time.Millisecond)
	primary.do("SET late 1")
	ender := primary.dial()
	ender.Queue("SHUTDOWN")
	noError(t, ender.Flush())
	primary.until("the shutdown waits", func() bool { return testutil.InfoField(primary.do("INFO server"), "shutdown_in_milliseconds") != "" })
	primary.do("SHUTDOWN ABORT")
	if raw, err := ender.ReadRaw(); err != nil || !strings.HasPrefix(string(raw), "-ERR Errors trying to SHUTDOWN") {
		t.Errorf("who has asked for the end is told %q, %v", raw, err)
	}
	primary.do("SET late 2")
	ender.Queue("SHUTDOWN")
	noError(t, ender.Flush())
	_, _ = ender.ReadRaw() // the end
	primary.until("the end is logged", func() bool {
		return strings.Contains(primary.log.String(), "1 of 1 replicas are in sync when shutting down.")
	})
	if got := replica.do("GET late"); got != "2" {
		t.Errorf("the replica has %q\n%s", got, primary.log)
	}
	if strings.Contains(primary.log.String(), "Lagging replica") {
		t.Errorf("the log\n%s", primary.log)
	}
}

// TestStaleTransactions: EXEC is refused as what was queued would be, from the moment on in
// which the server follows somebody, and no longer.
func TestStaleTransactions(t *testing.T) {
	m := started(t, newDisk(t), "replica-serve-stale-data no")
	m.do("SET k 1")
	other := *m
	other.Conn = m.dial()
	for _, line := range []string{"GET k", "PING"} {
		m.do("MULTI")
		m.do(line)
		other.do("REPLICAOF 127.0.0.1 1")
		if v, _ := m.DoErr("EXEC"); !strings.HasPrefix(v.Str, "EXECABORT Transaction discarded because of: MASTERDOWN") {
			t.Errorf("EXEC of %s: %v", line, v)
		}
		m.do("MULTI")
		other.do("REPLICAOF NO ONE")
		m.do("GET k")
		if v, err := m.DoErr("EXEC"); err != nil || len(v.Elems) != 1 {
			t.Errorf("EXEC after a promotion: %v, %v", v, err)
		}
	}
}

// TestReplicationTraffic: INFO tells what went to replicas and came from primaries.
func TestReplicationTraffic(t *testing.T) {
	primary, replica := pairOf(t)
	primary.do("SET big " + strings.Repeat("v", 100_000))
	replica.catchesUp(primary)
	for _, c := range []struct {
		m     *machine
		field string
	}{{primary, "total_net_repl_output_bytes"}, {replica, "total_net_repl_input_bytes"}} {
		c.m.until(c.field, func() bool { return len(c.m.stat(c.field)) >= 6 })
	}
	if in, out := primary.stat("total_net_repl_input_bytes"), replica.stat("total_net_repl_output_bytes"); in != "0" || out != "0" {
		t.Errorf("the primary has received %s bytes from a primary, and the replica sent %s to a replica", in, out)
	}
}

// TestWaitForNoFsync: with appendfsync no, nobody is told that a write is on the disk.
func TestWaitForNoFsync(t *testing.T) {
	m := started(t, newDisk(t), aofYes, "appendfsync no")
	m.do("SET k 1")
	if v, err := m.DoErr("WAITAOF", "1", "0", "50"); err != nil || v.Elems[0].Int() != 0 {
		t.Errorf("WAITAOF with appendfsync no: %v, %v", v, err)
	}
	m.do("CONFIG SET appendfsync everysec")
	if v, err := m.DoErr("WAITAOF", "1", "0", "5000"); err != nil || v.Elems[0].Int() != 1 {
		t.Errorf("WAITAOF with appendfsync everysec: %v, %v", v, err)
	}
}

// TestTimeOfSnapshot: a replica goes by the primary's time from the moment in which it has
// its data, not from the first stamp of the stream: it may be promoted before that, and
// others that follow it then must not find its time behind theirs.
func TestTimeOfSnapshot(t *testing.T) {
	ahead := *env.Real()
	by := new(atomic.Int64)
	by.Store(int64(time.Hour))
	ahead.Clock = shifted{ahead.Clock, by}
	primary, err := bootIn(t, ahead, newDisk(t), "repl-diskless-sync-delay 0", "repl-ping-replica-period 3600")
	noError(t, err)
	primary.do("SET key value PX 600000")
	replica := started(t, newDisk(t))
	replica.follows(primary)
	replica.catchesUp(primary)
	v, err := replica.DoErr("PTTL", "key")
	noError(t, err)
	if left := v.Int(); left <= 0 || left > 600_000 {
		t.Errorf("the replica gives the key %d ms more, the primary no more than 600000", left)
	}
}

// TestRestoreForOlderReplicas: what RESTORE has got in the newest form goes on in the newest
// that a replica of 7.0 reads.
func TestRestoreForOlderReplicas(t *testing.T) {
	m := started(t, newDisk(t), "appendonly yes", "appendfsync always")
	m.do("SADD set a b c")
	dump := m.do("DUMP set")
	if _, version, err := rdb.CheckDump([]byte(dump), false); err != nil || version <= rdb.VersionShared {
		t.Fatalf("DUMP gives version %d: %v", version, err)
	}
	for _, more := range [][]string{{"0", dump}, {"1000000", dump, "REPLACE"}, {"99999999999999", dump, "ABSTTL", "REPLACE"}} {
		if v, err := m.DoErr(append([]string{"RESTORE", "key"}, more...)...); err != nil || v.IsError() {
			t.Fatalf("RESTORE: %v, %v", v, err)
		}
	}
	want := m.do("DEBUG DIGEST")
	file, err := m.disk.ReadFile("/data/appendonlydir/appendonly.aof.1.incr.aof")
	noError(t, err)
	found := 0
	for r := aof.NewReader("", bytes.NewReader(file), 0, int64(len(file))); ; {
		c, err := r.Next()
		if err == io.EOF {
			break
		}
		noError(t, err)
		if string(c.Args[0]) == "RESTORE" {
			found++
			if _, version, err := rdb.CheckDump(c.Args[3], false); err != nil || version != rdb.VersionShared {
				t.Errorf("the file has %q of version %d: %v", c.Args, version, err)
			}
		}
	}
	if found != 3 {
		t.Errorf("the file has %d RESTOREs", found)
	}
	disk := m.disk
	noError(t, m.node.Close())
	if got := started(t, disk, "appendonly yes").do("DEBUG DIGEST"); got != want {
		t.Errorf("after a restart the data is %s, want %s", got, want)
	}
}

// TestReplicaThatLoads: a replica that has got all of a snapshot and loads it for longer than
// repl-timeout is not cut off as long as it says that it lives.
func TestReplicaThatLoads(t *testing.T) {
	t.Parallel()
	primary := started(t, newDisk(t), "repl-diskless-sync no", "repl-timeout 1")
	c := primary.dial()
	c.Queue("PSYNC", "?", "-1")
	noError(t, c.Flush())
	online := func() bool { return strings.Contains(primary.replication("slave0"), "state=online") }
	primary.until("it has all of the snapshot", online)
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		c.QueueRaw([]byte("\n"))
		noError(t, c.Flush())
	}
	if !online() {
		t.Errorf("it was cut off\n%s", primary.log)
	}
	primary.until("it is silent and is cut off", func() bool { return primary.replication("connected_slaves") == "0" })
}

// TestReplicaOfWithinATransaction: what a transaction has written before REPLICAOF is of this
// server's history, and where the primary is asked to go on is behind it: the transaction is
// through by then. What comes later in it writes nothing, for no log would have it.
func TestReplicaOfWithinATransaction(t *testing.T) {
	primary, replica := pairOf(t)
	replica.do("REPLICAOF NO ONE")
	replica.do("MULTI")
	replica.do("SET lost 1")
	host, port, _ := net.SplitHostPort(primary.node.Addrs()[0].String())
	replica.do("REPLICAOF " + host + " " + port)
	replica.do("SET unlogged 1")
	v, err := replica.DoErr("EXEC")
	if err != nil || len(v.Elems) != 3 || !strings.HasPrefix(v.Elems[2].Str, "READONLY") {
		t.Errorf("EXEC: %v, %v", v, err)
	}
	primary.do("SET won " + strings.Repeat("x", 200)) // more than the transaction has logged
	replica.catchesUp(primary)
	if got := primary.stat("sync_full"); got != "2" {
		t.Errorf("%s full resyncs: the replica had a write that the primary never saw\n%s", got, replica.log)
	}
}

// TestRemovalsAcrossARestart: a key that was over and not removed when the primary ended is
// removed from its replica by the next run, which the replica goes on to follow: the file must
// have it.
func TestRemovalsAcrossARestart(t *testing.T) {
	for kind, directive := range kinds {
		primary := started(t, newDisk(t), "repl-diskless-sync-delay 0", directive)
		primary.fill()
		replica := started(t, newDisk(t), of(primary))
		replica.catchesUp(primary)
		primary.do("DEBUG SET-ACTIVE-EXPIRE 0")
		for i := range 10 {
			primary.do("SET over:" + strconv.Itoa(i) + " x PX 1")
		}
		replica.until("it has caught up", func() bool {
			return replica.replication("master_repl_offset") == primary.replication("master_repl_offset")
		})
		primary.settled()
		again := primary.again(primary.stop("SHUTDOWN"), directive)
		replica.until("the keys are gone", func() bool { return again.size() == replica.size() })
		replica.catchesUp(again)
		if got := again.stat("sync_full"); got != "0" {
			t.Errorf("%s: %s full resyncs\n%s", kind, got, again.log)
		}
	}
}

// size is DBSIZE.
func (m *machine) size() int {
	m.t.Helper()
	v, err := m.DoErr("DBSIZE")
	noError(m.t, err)
	return int(v.Int())
}

// TestSourceAddress: a replica connects from the address that bind-source-addr says.
func TestSourceAddress(t *testing.T) {
	primary, replica := pairOf(t)
	replica.do("CONFIG SET bind-source-addr 127.0.0.2")
	replica.do("REPLICAOF NO ONE")
	replica.follows(primary)
	replica.catchesUp(primary)
	if got := primary.replication("slave0"); !strings.HasPrefix(got, "ip=127.0.0.2,") {
		t.Errorf("the replica is %s", got)
	}
}

// TestFlushAllGivesUpASave: without rules for saves, too, FLUSHALL ends one that runs.
func TestFlushAllGivesUpASave(t *testing.T) {
	m := started(t, newDisk(t), "rdb-key-save-delay 100000")
	m.do("DEBUG POPULATE 1000")
	m.do("BGSAVE")
	m.do("FLUSHALL")
	m.untilInfo("rdb_bgsave_in_progress", "0")
	if got := m.info("rdb_last_bgsave_status"); got != "ok" {
		t.Errorf("the last save is %s", got)
	}
	m.do("SET still writable")
	if files, err := m.disk.ReadDir("/data"); err != nil || slices.ContainsFunc(files, func(e fs.DirEntry) bool { return e.Name() == "dump.rdb" }) {
		t.Errorf("a snapshot was written: %v, %v", files, err)
	}
}

// TestResetOfReplication: CONFIG RESETSTAT counts resyncs, and commands of the stream that are not
// executed, anew. DEBUG REPLICATE sends such a command.
func TestResetOfReplication(t *testing.T) {
	primary, replica := pairOf(t)
	primary.do("DEBUG REPLICATE no-such-command")
	replica.catchesUp(primary)
	if full, errs := primary.stat("sync_full"), replica.stat("unexpected_error_replies"); full != "1" || errs != "1" {
		t.Errorf("%s full resyncs, %s commands were not executed", full, errs)
	}
	primary.do("CONFIG RESETSTAT")
	replica.do("CONFIG RESETSTAT")
	if full, errs := primary.stat("sync_full"), replica.stat("unexpected_error_replies"); full != "0" || errs != "0" {
		t.Errorf("after the reset: %s full resyncs, %s commands were not executed", full, errs)
	}
}
