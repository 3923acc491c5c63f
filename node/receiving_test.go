package node_test

import (
	"strings"
	"testing"
)

// receives has a new replica, with data of its own, get a primary's snapshot slowly.
func receives(t *testing.T, directives ...string) (primary, replica *machine) {
	t.Helper()
	primary = started(t, newDisk(t), "repl-diskless-sync-delay 0")
	fillTypes(primary)
	replica = started(t, newDisk(t), append([]string{"key-load-delay 1000"}, directives...)...)
	replica.do("SET old data")
	replica.follows(primary)
	return primary, replica
}

func (m *machine) receivesToTheEnd(primary *machine) {
	m.t.Helper()
	m.do("CONFIG SET key-load-delay 0")
	m.catchesUp(primary)
	if loading, aside := m.info("loading"), m.info("async_loading"); loading != "0" || aside != "0" {
		m.t.Errorf("at the end loading is %s and async_loading %s", loading, aside)
	}
	m.do("BGREWRITEAOF")
}

// TestRefusedWhileReceiving: while a primary's snapshot is loaded beside the data, what Redis
// refuses then is refused, and INFO tells how far it is. Who promotes the replica is obeyed.
func TestRefusedWhileReceiving(t *testing.T) {
	primary, replica := receives(t)
	replica.untilInfo("async_loading", "1")
	if loading := replica.info("loading"); loading != "0" {
		t.Errorf("loading is %s", loading)
	}
	replica.until("it is told how much there is", func() bool { return replica.info("loading_rdb_used_mem") > "0" })
	for _, field := range []string{"loading_start_time", "loading_total_bytes", "loading_loaded_perc", "loading_eta_seconds"} {
		if replica.info(field) == "" {
			t.Errorf("INFO has no %s", field)
		}
	}
	for _, line := range []string{"BGSAVE", "BGREWRITEAOF", "SAVE", "PSYNC ? -1"} {
		replica.refuses(line, "LOADING")
	}
	replica.refuses("CONFIG SET appendonly yes", "LOADING")
	if got := replica.do("GET old"); got != "data" {
		t.Errorf("GET old: %q", got)
	}
	replica.do("REPLICAOF NO ONE")
	replica.untilInfo("async_loading", "0")
	replica.do("SET old newer")
	replica.follows(primary)
	replica.untilInfo("async_loading", "1")
	replica.receivesToTheEnd(primary)
}

// TestSwapDB: with repl-diskless-load swapdb both data sets are kept, whatever memory there
// is, and REPLICAOF is refused as in Redis.
func TestSwapDB(t *testing.T) {
	primary, replica := receives(t, "repl-diskless-load swapdb", "maxmemory 100k")
	replica.until("it is told how much there is", func() bool { return replica.info("loading_rdb_used_mem") > "0" })
	replica.refuses("REPLICAOF NO ONE", "LOADING")
	if got := replica.do("GET old"); got != "data" {
		t.Errorf("GET old: %q", got)
	}
	replica.receivesToTheEnd(primary)
}

// TestFlushFirst: where there is not memory enough for both data sets, the old is flushed
// first, and clients are told LOADING until the new is there.
func TestFlushFirst(t *testing.T) {
	primary, replica := receives(t, "maxmemory 100k")
	replica.untilInfo("loading", "1")
	if aside := replica.info("async_loading"); aside != "0" {
		t.Errorf("async_loading is %s", aside)
	}
	replica.refuses("GET old", "LOADING")
	replica.receivesToTheEnd(primary)
}

// TestFlushFirstFails: when the data was flushed, and the primary's does not come, there is
// none. What there was is in the file still, until the server becomes a primary without it.
func TestFlushFirstFails(t *testing.T) {
	primary := started(t, newDisk(t), "repl-diskless-sync-delay 0", "rdb-key-save-delay 5000", "rdbcompression no")
	primary.do("DEBUG POPULATE 1000 key 20000")
	replica := started(t, newDisk(t), "maxmemory 100k", "appendonly yes")
	replica.do("SET old data")
	replica.follows(primary)
	replica.untilInfo("loading", "1")
	if theirs := primary.replication("master_replid"); replica.replication("master_replid") == theirs {
		t.Error("without data the replica is in its primary's history")
	}
	noError(t, primary.node.Close())
	replica.untilInfo("loading", "0")
	if n, err := replica.DoErr("DBSIZE"); err != nil || n.Int() != 0 {
		t.Errorf("DBSIZE: %v, %v", n, err)
	}
	replica.until("it is said", func() bool { return strings.Contains(replica.log.String(), "has NO DATA") })
	disk := replica.disk
	noError(t, replica.node.Close())
	again := started(t, disk, "appendonly yes")
	if got := again.do("GET old"); got != "data" {
		t.Errorf("GET old after a restart: %q", got)
	}
}

// TestPromotedWithoutData: a replica whose data was flushed, and that is made a primary then,
// has none after a restart either.
func TestPromotedWithoutData(t *testing.T) {
	primary, replica := receives(t, "maxmemory 100k", "appendonly yes")
	replica.untilInfo("loading", "1")
	replica.do("REPLICAOF NO ONE")
	replica.untilInfo("loading", "0")
	replica.do("SET new data")
	disk := replica.disk
	noError(t, replica.node.Close())
	again := started(t, disk, "appendonly yes")
	if n, err := again.DoErr("DBSIZE"); err != nil || n.Int() != 1 {
		t.Errorf("DBSIZE after a restart: %v, %v", n, err)
	}
	again.follows(primary)
	again.catchesUp(primary)
}

// TestShutdownWhileReceiving: a server that is told to end does so while a primary's
// snapshot is loaded.
func TestShutdownWhileReceiving(t *testing.T) {
	_, replica := receives(t)
	replica.untilInfo("async_loading", "1")
	_, _ = replica.DoErr("SHUTDOWN", "NOSAVE") // the connection ends
	<-replica.node.Done()
}
