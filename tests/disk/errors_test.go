package disk

import (
	"strings"
	"syscall"
	"testing"

	"dozo/internal/faultfs"
)

// TestBrokenWhileAppending: a disk that fails, or loses what it was told to keep, takes
// nothing that was acknowledged, and nothing is done twice: what the failed call was
// about is written again, to another file.
func TestBrokenWhileAppending(t *testing.T) {
	for _, c := range []struct {
		what  string
		fault faultfs.Fault
		reply string
	}{
		{"write", faultfs.Fault{Op: faultfs.Write, Path: "*.incr.aof", Times: 1, Err: syscall.EIO, Short: 7}, ""},
		{"fsync", faultfs.Fault{Op: faultfs.Sync, Path: "*.incr.aof", Times: 1, Err: syscall.EIO, Lose: true}, ""},
		{"fsync, for long", faultfs.Fault{Op: faultfs.Sync, Err: syscall.EIO, Lose: true}, "Input/output error"},
		{"write, for long", faultfs.Fault{Op: faultfs.Write, Err: syscall.EIO, Short: 7}, "Input/output error"},
		{"everything, for long", faultfs.Fault{Op: ^faultfs.Read, Err: syscall.EROFS}, "Read-only file system"},
	} {
		for _, policy := range []string{"always", "everysec"} {
			t.Run(c.what+", "+policy, func(t *testing.T) {
				t.Parallel()
				m := boot(t, nil, "appendonly yes", "appendfsync "+policy, "auto-aof-rewrite-percentage 0")
				m.want("OK", "SET", "clean", "v")
				n := m.count(8)
				n.awaitMore()
				m.fs.Inject(c.fault)
				if c.reply != "" {
					m.awaitInfo("aof_last_write_status", "err")
					m.wantRefusal("-MISCONF Errors writing to the AOF file: " + c.reply)
				}
				if policy == "always" {
					acked := n.values()
					machineOn(t, m.disk.CrashClone(3)).started("appendonly yes").wantAtLeast(acked, "a power loss during the fault")
				}
				m.await("the fault", func() bool { return m.logged("Error writing to the AOF file|Fsync of the AOF file|cannot be") })
				m.fs.Heal()
				m.awaitInfo("aof_last_write_status", "ok")
				n.awaitMore()
				n.halt()
				m.wantLog("Creating AOF incr file appendonly.aof.2.incr.aof", "AOF write error looks solved")
				m.settle()
				n.wantAll(t, m, "the server")
				disk := m.disk.KeepAll()
				n.wantAll(t, m.afterPowerLoss(4, "appendonly yes"), "a power loss")
				n.wantAll(t, machineOn(t, disk).started("appendonly yes"), "a restart")
			})
		}
	}
}

// TestBrokenReload: DEBUG RELOAD of more than waits for its writer, which fails: nobody
// waits for ever, and the data is still there.
func TestBrokenReload(t *testing.T) {
	m := boot(t, nil)
	m.want("OK", "DEBUG", "POPULATE", "20000", "key", "400")
	m.fs.Inject(faultfs.Fault{Op: faultfs.Write, Path: "temp-*.rdb", Err: syscall.EIO})
	m.want("-ERR Error trying to load the DB, check server logs.", "DEBUG", "RELOAD")
	m.fs.Heal()
	m.want("20000", "DBSIZE")
	m.want("OK", "DEBUG", "RELOAD")
	m.want("20000", "DBSIZE")
}

// TestBrokenWhileSaving: a snapshot that may not be on the disk is none. The one before
// stays, until the new one is known to be there.
func TestBrokenWhileSaving(t *testing.T) {
	for _, c := range []struct {
		what  string
		fault faultfs.Fault
		kept  bool
	}{
		{"write", faultfs.Fault{Op: faultfs.Write, Path: "temp-*.rdb", Err: syscall.EIO}, true},
		{"fsync", faultfs.Fault{Op: faultfs.Sync, Path: "temp-*.rdb", Err: syscall.EIO, Lose: true}, true},
		{"create", faultfs.Fault{Op: faultfs.Create, Path: "temp-*.rdb", Err: syscall.EROFS}, true},
		{"rename", faultfs.Fault{Op: faultfs.Rename, Path: "dump.rdb", Err: syscall.EIO}, true},
		{"fsync of the folder", faultfs.Fault{Op: faultfs.SyncDir, Err: syscall.EIO}, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			m := boot(t, nil)
			m.want("OK", "SET", "a", "1")
			m.want("OK", "SAVE")
			before := m.file("dump.rdb")
			m.want("OK", "SET", "a", "2")
			m.fs.Inject(c.fault)
			m.want("-ERR the save has failed; the log says why", "SAVE")
			m.want("Background saving started", "BGSAVE")
			m.awaitInfo("rdb_last_bgsave_status", "err")
			if names := strings.Join(m.names(), " "); names != "dump.rdb dump.rdb.run" || c.kept && m.file("dump.rdb") != before {
				t.Errorf("the folder has %s", names)
			}
			if got := machineOn(t, m.disk.CrashClone(2)).started().ask("GET", "a"); got != "1" && (c.kept || got != "2") {
				t.Errorf("after a power loss a is %s", got)
			}
			m.fs.Heal()
			m.want("OK", "SAVE")
			if got := m.afterPowerLoss(1).ask("GET", "a"); got != "2" {
				t.Errorf("after a save and a power loss a is %s", got)
			}
		})
	}
}
