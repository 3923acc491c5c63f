package disk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dozo/internal/faultfs"
	"syscall"
)

const (
	noSpace = "-MISCONF Errors writing to the AOF file: No space left on device"
	noSave  = "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk."
)

// TestFullWhileAppending: a disk without space for the append only file. Writes are
// refused, reads are not; when there is space everything goes on by itself, and a
// restart finds each write once.
func TestFullWhileAppending(t *testing.T) {
	for _, policy := range []string{"always", "everysec", "no"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			m := boot(t, nil, "appendonly yes", "appendfsync "+policy, "auto-aof-rewrite-percentage 0")
			m.want("OK", "SET", "clean", "v")
			m.want("OK", "SET", "brief", "v", "PX", "1")
			c := m.count(8)
			for range 3 {
				c.awaitMore()
				m.disk.SetCapacity(m.disk.Used() + 1001) // in the middle of a command
				m.awaitInfo("aof_last_write_status", "err")
				m.wantRefusal(noSpace)
				m.disk.SetCapacity(1 << 40)
				m.awaitInfo("aof_last_write_status", "ok")
				m.want("PONG", "PING")
			}
			c.awaitMore()
			c.halt()
			m.wantLog("Error writing to the AOF file appendonly.aof.1.incr.aof: no space left on device", "AOF write error looks solved, Redis can write again")
			c.wantAll(t, m, "the server")
			m.awaitInfo("aof_buffer_length", "0") // only always waits for more than the log
			c.wantAll(t, m.after("appendonly yes"), "a restart")
		})
	}
}

// wantRefusal checks what a server does whose writes cannot be kept.
func (m *machine) wantRefusal(why string) {
	m.Helper()
	for _, words := range [][]string{{"SET", "refused", "v"}, {"DEL", "clean"}, {"PING"}, {"PING", "text"}} {
		if got := m.ask(words...); !strings.HasPrefix(got, why) {
			m.Errorf("%q: %s", words, got)
		}
	}
	m.want("v", "GET", "clean")
	m.want("v", "GETRANGE", "clean", "0", "-1")
	m.want("(nil)", "GET", "brief")
	m.want("*[(nil)]", "MGET", "brief")
}

// TestFullWithTransaction: what was queued before the disk was full is refused by EXEC.
func TestFullWithTransaction(t *testing.T) {
	m := boot(t, nil, "appendonly yes")
	c := m.client()
	for _, words := range [][]string{{"MULTI"}, {"SET", "a", "1"}, {"GET", "a"}} {
		reply(t, c, words...)
	}
	m.fill()
	if got, want := reply(t, c, "EXEC"), "-EXECABORT Transaction discarded because of: "+noSpace[1:]; got != want {
		t.Errorf("EXEC: %s, want %s", got, want)
	}
	for _, words := range [][]string{{"MULTI"}, {"GET", "a"}} {
		reply(t, c, words...)
	}
	if got := reply(t, c, "EXEC"); got != "*[(nil)]" {
		t.Errorf("EXEC of a read: %s", got)
	}
	for _, words := range [][]string{{"MULTI"}, {"SET", "a", "1"}} {
		_ = reply(t, c, words...)
	}
	if got := reply(t, c, "EXEC"); got != "-EXECABORT Transaction discarded because of previous errors." {
		t.Errorf("EXEC of what was refused: %s", got)
	}
}

// fill leaves no space; an append only file has noticed.
func (m *machine) fill() {
	m.Helper()
	m.disk.SetCapacity(m.disk.Used() + 5)
	c := m.client()
	c.Queue("SET", "filler", "v")
	must(m.T, c.Flush())
	if m.info("aof_enabled") == "1" {
		m.awaitInfo("aof_last_write_status", "err")
	}
}

// TestFullWhileSaving: a snapshot that the disk has no room for leaves the old one, and
// nothing else. Where saves are configured, writes are refused until one succeeds,
// which the server tries by itself.
func TestFullWhileSaving(t *testing.T) {
	t.Parallel()
	m := boot(t, nil, "save 3600 100000")
	m.want("OK", "SET", "clean", "v")
	m.want("OK", "SAVE")
	before := m.file("dump.rdb")
	m.want("OK", "SET", "more", strings.Repeat("x", 5000))
	m.disk.SetCapacity(m.disk.Used() + 100)
	m.want("Background saving started", "BGSAVE")
	m.awaitInfo("rdb_last_bgsave_status", "err")
	m.wantRefusal(noSave)
	if got := m.names(); m.file("dump.rdb") != before || fmt.Sprint(got) != "[dump.rdb dump.rdb.run]" {
		t.Errorf("the folder has %v", got)
	}
	m.want("-ERR the save has failed; the log says why", "SAVE")
	m.disk.SetCapacity(1 << 40)
	m.awaitInfo("rdb_last_bgsave_status", "ok")
	m.want("PONG", "PING")
	m.want("OK", "SET", "clean", "v2")
	m.wantLog("Background saving error: .*[Nn]o space left on device")
	if n := m.after(); n.ask("STRLEN", "more") != "5000" {
		t.Error("the save that the server has tried again is not there after a restart")
	}
}

// TestFullWithoutSaves: without saves in the configuration, or with
// stop-writes-on-bgsave-error no, a failed BGSAVE is nobody's concern but of who asked.
func TestFullWithoutSaves(t *testing.T) {
	for _, directives := range [][]string{nil, {"save 3600 100000", "stop-writes-on-bgsave-error no"}} {
		m := boot(t, nil, directives...)
		m.want("OK", "SET", "a", strings.Repeat("x", 5000))
		m.disk.SetCapacity(m.disk.Used() + 100)
		m.want("Background saving started", "BGSAVE")
		m.awaitInfo("rdb_last_bgsave_status", "err")
		m.want("OK", "SET", "a", "1")
		m.want("PONG", "PING")
	}
}

// TestFullWhileRewriting: the file goes on as it is, and nothing is left of the new one.
func TestFullWhileRewriting(t *testing.T) {
	for _, c := range []struct {
		what  string
		fault faultfs.Fault
	}{
		{"the base", faultfs.Fault{Op: faultfs.Write, Path: "temp-*.base", Err: syscall.ENOSPC, Short: 9}},
		{"the base's fsync", faultfs.Fault{Op: faultfs.Sync, Path: "temp-*.base", Err: syscall.EIO, Lose: true}},
		{"the base's name", faultfs.Fault{Op: faultfs.Rename, Path: "*.base.rdb", Err: syscall.ENOSPC}},
		{"the new file", faultfs.Fault{Op: faultfs.Create, Path: "*.2.incr.aof", Err: syscall.ENOSPC}},
		{"the manifest", faultfs.Fault{Op: faultfs.Write, Path: "temp-*.manifest", Err: syscall.ENOSPC, Short: 9}},
		{"the manifest's fsync", faultfs.Fault{Op: faultfs.Sync, Path: "temp-*.manifest", Err: syscall.EIO, Lose: true}},
		{"the manifest's name", faultfs.Fault{Op: faultfs.Rename, Path: "*.manifest", Err: syscall.EIO}},
		{"the manifest, the second time", faultfs.Fault{Op: faultfs.Write, Path: "temp-*.manifest", Skip: 1, Err: syscall.ENOSPC}},
		{"the manifest's name, the second time", faultfs.Fault{Op: faultfs.Rename, Path: "*.manifest", Skip: 1, Err: syscall.EIO}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			m := boot(t, nil, "appendonly yes", "appendfsync always")
			n := m.count(4)
			n.awaitMore()
			m.fs.Inject(c.fault)
			m.want("Background append only file rewriting started", "BGREWRITEAOF")
			m.awaitInfo("aof_last_bgrewrite_status", "err")
			n.awaitMore() // writes are not refused
			acked := n.values()
			machineOn(t, m.disk.CrashClone(1)).started("appendonly yes").wantAtLeast(acked, "a power loss")
			m.fs.Heal()
			m.want("Background append only file rewriting started", "BGREWRITEAOF")
			m.awaitInfo("aof_last_bgrewrite_status", "ok")
			n.awaitMore()
			n.halt()
			for _, name := range m.names() {
				if strings.HasPrefix(name, "temp-") {
					t.Errorf("%s is left behind", name)
				}
			}
			n.wantAll(t, m.after("appendonly yes"), "a restart")
		})
	}
}

// TestFullAtTheStart: the word for the next run is left as soon as there is space.
func TestFullAtTheStart(t *testing.T) {
	m := machineOn(t, nil)
	m.disk.SetCapacity(20)
	must(t, m.start())
	m.wantLog("What a restart should know of this run cannot be written to /data/dump.rdb.run: No space left on device")
	m.want("OK", "SET", "a", "1")
	m.disk.SetCapacity(1 << 40)
	m.await("the marker", func() bool { return strings.Contains(fmt.Sprint(m.names()), "dump.rdb.run") })
}

// TestFullAndShutdown: SHUTDOWN does not lose what cannot be written, unless it is told to.
func TestFullAndShutdown(t *testing.T) {
	t.Parallel()
	for _, directives := range []string{"appendonly yes", "save 3600 1"} {
		m := boot(t, nil, directives)
		m.want("OK", "SET", "clean", strings.Repeat("x", 1000))
		m.fill()
		if got := m.ask("SHUTDOWN"); !strings.HasPrefix(got, "-ERR Errors trying to SHUTDOWN") {
			t.Errorf("SHUTDOWN: %s", got)
		}
		if n := m.ask("STRLEN", "clean"); n != "1000" {
			t.Errorf("STRLEN: %s", n)
		}
		m.disk.SetCapacity(1 << 40)
		m.await("writes", func() bool { return m.ask("SET", "more", "1") == "OK" })
		time.Sleep(10 * time.Millisecond)
		c := m.client()
		c.Queue("SHUTDOWN")
		must(t, c.Flush())
		<-m.node.Done()
		if n := m.after(directives); n.ask("GET", "more") != "1" {
			t.Errorf("%s: what was written before SHUTDOWN is not there", directives)
		}
	}
}

// TestFullWhileKeepingConfig: what CONFIG SET could not keep is not in force either.
func TestFullWhileKeepingConfig(t *testing.T) {
	for what, fault := range map[string]faultfs.Fault{
		"no space":            {Op: faultfs.Write, Err: syscall.ENOSPC, Short: 3},
		"fsync":               {Op: faultfs.Sync, Err: syscall.EIO, Lose: true},
		"rename":              {Op: faultfs.Rename, Err: syscall.EIO},
		"a read-only folder":  {Op: faultfs.Changes, Err: syscall.EROFS},
		"fsync of the folder": {Op: faultfs.SyncDir, Err: syscall.EIO},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			m := boot(t, nil, "config-set-persist yes")
			m.want("OK", "CONFIG", "SET", "maxmemory", "100mb")
			m.fs.Inject(fault)
			if got := m.ask("CONFIG", "SET", "maxmemory", "200mb"); !strings.Contains(got, "the change cannot be kept") {
				t.Errorf("CONFIG SET: %s", got)
			}
			m.want(`*["maxmemory" "104857600"]`, "CONFIG", "GET", "maxmemory")
			m.fs.Heal()
			m.want("OK", "CONFIG", "SET", "maxmemory", "300mb")
			m.afterPowerLoss(1, "config-set-persist yes").want(`*["maxmemory" "314572800"]`, "CONFIG", "GET", "maxmemory")
		})
	}
}
