package node_test

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dozo/internal/faultfs"
)

// Saves and rewrites that meet each other, a flush, or the end of the server.

// both begins a save and a rewrite of one snapshot, which last.
func (m *machine) both() {
	m.t.Helper()
	m.do("DEBUG POPULATE 100 key 20")
	m.do("CONFIG SET rdb-key-save-delay 200000")
	for _, line := range []string{"MULTI", "BGREWRITEAOF", "BGSAVE", "EXEC"} {
		m.do(line)
	}
	m.until("both", func() bool {
		return m.info("rdb_bgsave_in_progress") == "1" && m.info("aof_rewrite_in_progress") == "1"
	})
}

// TestFlushEndsBoth: FLUSHALL ends a save of what it has removed, and the rewrite that
// shares the snapshot: that would take long for data that nobody wants. Both begin again,
// and nobody calls them failed.
func TestFlushEndsBoth(t *testing.T) {
	for _, appendOnly := range []string{"yes", "no"} {
		m := started(t, newDisk(t), "appendonly "+appendOnly, "save 3600 1")
		before, err := strconv.Atoi(m.info("aof_rewrites"))
		noError(t, err)
		m.both()
		m.do("FLUSHALL")
		m.do("CONFIG SET rdb-key-save-delay 0")
		m.do("SET a after")
		m.until("the second rewrite", func() bool {
			return m.info("aof_rewrites") == strconv.Itoa(before+2) && m.info("aof_rewrite_in_progress") == "0" && m.info("aof_rewrite_scheduled") == "0"
		})
		if rewrite, save := m.info("aof_last_bgrewrite_status"), m.info("rdb_last_bgsave_status"); rewrite != "ok" || save != "ok" {
			t.Errorf("appendonly %s: the status of the rewrite is %s, of the save %s\n%s", appendOnly, rewrite, save, m.log)
		}
		if appendOnly == "yes" {
			m.do("WAITAOF 1 0 0")
		} else {
			m.do("SAVE")
		}
		disk := m.disk.KeepAll()
		has(t, disk, "key:0", "", "appendonly yes", "startup-data-check no")
		has(t, m.disk.KeepAll(), "a", "after", "appendonly "+appendOnly)
	}
}

// TestSaveDuringRewrite: as in Redis SAVE is not refused then; it waits for the next
// snapshot.
func TestSaveDuringRewrite(t *testing.T) {
	m := started(t, newDisk(t), aofYes)
	m.do("SET a 1")
	unblock := m.block(faultfs.Sync, theBase)
	m.do("BGREWRITEAOF")
	m.untilInfo("aof_rewrite_in_progress", "1")
	m.do("SET a 2")
	saver := m.dial()
	saver.Queue("SAVE")
	noError(t, saver.Flush())
	saver.SetTimeout(50 * time.Millisecond)
	if raw, err := saver.ReadRaw(); err == nil {
		t.Errorf("SAVE during a rewrite: %q", raw)
	}
	m.refuses("BGSAVE", "Another child process is active")
	unblock()
	saver.SetTimeout(20 * time.Second)
	if raw, err := saver.ReadRaw(); err != nil || string(raw) != "+OK\r\n" {
		t.Errorf("SAVE: %q, %v", raw, err)
	}
	has(t, m.disk.KeepAll(), "a", "2", "startup-data-check no")
}

// TestSaveTellsItsEnd: INFO says how long a save may still take, while there is one.
func TestSaveTellsItsEnd(t *testing.T) {
	m := started(t, newDisk(t), "rdb-key-save-delay 1000")
	m.do("DEBUG POPULATE 5000 key 200") // five seconds, and what a busy machine makes of them
	const field = "current_save_eta_seconds"
	if got := m.info(field); got != "" {
		t.Errorf("%s is %s while nothing is saved", field, got)
	}
	m.do("BGSAVE")
	m.until("an estimate", func() bool {
		seconds, err := strconv.Atoi(m.info(field))
		if seconds > 60 {
			t.Fatalf("%d seconds are left of a save that takes five in all", seconds)
		}
		return err == nil && seconds > 0 && m.info("current_save_keys_processed") != "0"
	})
}

// TestAbortBeforeTheSave: a shutdown that is taken back while the append only file is
// being synced does not go on to save while writes wait.
func TestAbortBeforeTheSave(t *testing.T) {
	m := started(t, newDisk(t), aofYes, "save 3600 1")
	m.do("SET a 1")
	unblock := m.block(faultfs.Sync, theIncrs)
	ender := m.dial()
	ender.Queue("SHUTDOWN", "FORCE")
	noError(t, ender.Flush())
	m.until("the sync", func() bool { return strings.Contains(m.log.String(), "Calling fsync()") })
	m.do("SHUTDOWN ABORT")
	unblock()
	if raw, err := ender.ReadRaw(); err != nil || !strings.HasPrefix(string(raw), "-ERR Errors trying to SHUTDOWN") {
		t.Errorf("who has asked for the end is told %q, %v", raw, err)
	}
	m.do("SET a 2")
	if log := m.log.String(); strings.Contains(log, "Saving the final RDB snapshot") {
		t.Errorf("it was saved all the same\n%s", log)
	}
}

// TestUnsaid: an append only file is complete when the next start knows of it, too; until
// word of it can be left INFO says so.
func TestUnsaid(t *testing.T) {
	m := started(t, newDisk(t))
	m.do("SET a 1")
	heal := m.fs.Inject(faultfs.Fault{Op: faultfs.Create, Path: "temp-dump.rdb.run", Err: syscall.EIO})
	m.do("CONFIG SET appendonly yes")
	m.until("the failure", func() bool { return strings.Contains(m.log.String(), "What a restart should know") })
	m.untilInfo("aof_rewrite_in_progress", "0")
	time.Sleep(50 * time.Millisecond)
	if got := m.info("aof_starting"); got != "1" {
		t.Errorf("aof_starting is %s, and the next start does not know of the file\n%s", got, m.log)
	}
	heal()
	m.untilInfo("aof_starting", "0")
	m.untilWord(runFile, isOn)
}

// TestClosedWhileRewriting: a node that is closed without a shutdown gives up what it
// writes, and does not begin what was to follow: it would wait for that.
func TestClosedWhileRewriting(t *testing.T) {
	m := started(t, newDisk(t), aofYes)
	m.do("DEBUG POPULATE 100 key 20")
	m.do("CONFIG SET rdb-key-save-delay 200000")
	m.do("BGREWRITEAOF")
	m.do("BGSAVE SCHEDULE")
	unblock := m.block(faultfs.Create, "temp-*.run") // so that the end takes some time
	m.do("CONFIG SET dbfilename other.rdb")
	closed := make(chan error, 1)
	go func() { closed <- m.node.Close() }()
	m.until("the end of the rewrite", func() bool {
		log := m.log.String()
		return strings.Contains(log, "Background AOF rewrite given up") || strings.Contains(log, "the writer was stopped")
	})
	time.Sleep(300 * time.Millisecond) // some ticks
	unblock()
	noError(t, <-closed)
	if log := m.log.String(); strings.Contains(log, "Background saving started") {
		t.Errorf("a save was begun at the end\n%s", log)
	}
}
