package node_test

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

// memory is a number of INFO memory.
func (m *machine) memory(field string) int {
	m.t.Helper()
	n, err := strconv.Atoi(testutil.InfoField(m.do("INFO memory"), field))
	noError(m.t, err)
	return n
}

// TestSlowReplicaEvictsNothing: what the log is kept for the sake of a replica that does not
// read is the replica's, in INFO and in CLIENT LIST; it costs nobody a key, and nor does what is
// kept of the log anyway, once it is full.
func TestSlowReplicaEvictsNothing(t *testing.T) {
	primary := started(t, newDisk(t), "repl-diskless-sync-delay 0", "repl-backlog-size 16384", "maxmemory-policy allkeys-random",
		"client-output-buffer-limit replica 0 0 0", "slowlog-log-slower-than -1")
	for i := range 50 {
		primary.do("SETRANGE key:" + strconv.Itoa(i) + " 100000 x")
	}
	replica, err := net.Dial("tcp", primary.node.Addrs()[0].String())
	noError(t, err)
	defer replica.Close()
	if _, err = replica.Write([]byte("SYNC\r\n")); err != nil { // and reads nothing
		t.Fatal(err)
	}
	primary.until("the snapshot is made", func() bool {
		state := primary.replication("slave0")
		return state != "" && !strings.Contains(state, "state=wait_bgsave") && primary.info("rdb_bgsave_in_progress") == "0"
	})
	primary.do("CONFIG SET maxmemory " + strconv.Itoa(primary.memory("used_memory")-primary.memory("mem_not_counted_for_evict")+(32<<10)))
	write, value := primary.dial(), strings.Repeat("y", 1000)
	for range 20 {
		for range 1000 {
			write.Queue("SETRANGE", "key:0", "0", value)
		}
		noError(t, write.Flush())
		for range 1000 {
			if _, err := write.ReadRaw(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := primary.memory("mem_clients_slaves"); got < 2<<20 {
		t.Errorf("%d bytes are the replica's\n%s", got, primary.do("INFO memory"))
	}
	line := primary.do("CLIENT LIST TYPE replica")
	if _, omem, ok := strings.Cut(line, " omem="); !ok || len(strings.Fields(omem)[0]) < 7 {
		t.Errorf("the replica's line: %s", line)
	}
	if got := primary.stat("evicted_keys"); got != "0" {
		t.Errorf("%s keys were evicted\n%s", got, primary.do("INFO memory"))
	}
	primary.do("CLIENT KILL TYPE replica")
	primary.until("nothing is the replica's", func() bool { return primary.memory("mem_clients_slaves") == 0 })
}

// TestPauseOfReplica: CLIENT PAUSE at a replica holds the primary's writes, too: what it has
// read goes on to be counted, what it has executed not, until the end of the pause.
func TestPauseOfReplica(t *testing.T) {
	primary, replica := pairOf(t)
	primary.do("SET paused 0") // and SELECT, which is no write
	replica.catchesUp(primary)
	for _, line := range []string{"CLIENT PAUSE 100000 WRITE", "CLIENT PAUSE 100000 ALL"} {
		before := replica.replication("slave_repl_offset")
		replica.do(line)
		primary.do("MULTI")
		primary.do("INCR paused")
		primary.do("EXEC")
		if strings.HasSuffix(line, "WRITE") { // else INFO waits, too
			replica.until("the write is read", func() bool {
				return replica.replication("slave_read_repl_offset") == primary.replication("master_repl_offset")
			})
			if got := replica.replication("slave_repl_offset"); got != before {
				t.Errorf("the replica is at %s during the pause, and was at %s\n%s", got, before, replica.log)
			}
		}
		if v, err := primary.DoErr("WAIT", "1", "100"); err != nil || v.Int() != 0 {
			t.Errorf("a replica that is paused acknowledges: %v, %v", v, err)
		}
		replica.do("CLIENT UNPAUSE")
		replica.catchesUp(primary)
	}
	if got := replica.do("GET paused"); got != "2" {
		t.Errorf("the key is %q", got)
	}
}
