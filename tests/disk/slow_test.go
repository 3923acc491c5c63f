package disk

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dozo/internal/faultfs"
	"dozo/internal/testutil"
)

// stuck is a disk that does not come back from some calls until it is released.
type stuck struct {
	release func()
	begun   chan struct{} // closed when the first call hangs
}

// hang has calls hang.
func (m *machine) hang(f faultfs.Fault) stuck {
	s := stuck{begun: make(chan struct{})}
	end := make(chan struct{})
	var first, last sync.Once
	s.release = func() { last.Do(func() { close(end) }) }
	m.Cleanup(s.release)
	f.Wait = func() {
		first.Do(func() { close(s.begun) })
		<-end
	}
	m.fs.Inject(f)
	return s
}

// goesOn fails unless the loops serve reads, and writes too if they are to.
func (m *machine) goesOn(writes bool) {
	m.Helper()
	for i := range 40 { // on both loops
		began := time.Now()
		m.want("v", "GET", "clean")
		if writes {
			m.want("OK", "SET", key(i), "v")
			m.want("PONG", "PING")
		}
		if took := time.Since(began); took > time.Second {
			m.Errorf("a loop was held up for %v", took)
		}
	}
}

// TestSlowWhileAppending: a disk that hangs in an fsync holds up nobody with appendfsync
// everysec, and one that does not take what is written only those who write; after two
// seconds the log, INFO and LATENCY say so.
func TestSlowWhileAppending(t *testing.T) {
	for what, op := range map[string]faultfs.Op{"fsync": faultfs.Sync, "write": faultfs.Write} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			m := boot(t, nil, "appendonly yes", "latency-monitor-threshold 100")
			m.want("OK", "SET", "clean", "v")
			s := m.hang(faultfs.Fault{Op: op, Path: "*.incr.aof"})
			writer, writes := m.client(), op != faultfs.Write
			writer.Queue("SET", "a", "1")
			must(t, writer.Flush())
			<-s.begun
			m.goesOn(writes)
			m.await("aof_delayed_fsync", func() bool { n, _ := strconv.Atoi(m.info("aof_delayed_fsync")); return n > 0 })
			m.wantLog("Asynchronous AOF fsync is taking too long \\(disk is busy\\?\\)")
			m.goesOn(writes)
			if !writes {
				silent(t, writer, "before the system has it")
			}
			s.release()
			m.fs.Heal()
			m.goesOn(true)
			m.settle()
			m.await("the line about it", func() bool { return m.logged("AOF fsync has caught up") })
			event := map[string]string{"fsync": "aof-fsync-everysec", "write": "aof-write"}[what]
			if got := m.ask("LATENCY", "LATEST"); !strings.Contains(got, event) {
				t.Errorf("LATENCY LATEST: %s", got)
			}
			if n := m.after("appendonly yes"); n.ask("DBSIZE") != "43" {
				t.Errorf("after a restart there are %s keys", n.ask("DBSIZE"))
			}
		})
	}
}

// TestSlowForLong: what waits in memory for a disk that hangs is bounded. Who writes waits
// when it is too much, who reads does not, and when the disk is back all goes on.
func TestSlowForLong(t *testing.T) {
	t.Parallel()
	m := boot(t, nil, "appendonly yes", "maxmemory 200mb", "auto-aof-rewrite-percentage 0")
	m.want("OK", "SET", "clean", "v")
	s := m.hang(faultfs.Fault{Op: faultfs.Sync, Path: "*.incr.aof"})
	writer, big := m.client(), strings.Repeat("x", 1<<20)
	written := 0
	for writer.SetTimeout(2 * time.Second); written < 200; written++ {
		if _, err := writer.DoErr("SET", "big", big); err != nil {
			break
		}
	}
	if written < 60 || written > 80 {
		t.Errorf("%d MiB were written on a disk that hangs", written)
	}
	m.awaitInfo("aof_writes_held", "1")
	m.wantLog("The disk does not keep up")
	m.goesOn(false)
	other := m.client()
	other.Queue("SET", "other", "v")
	must(t, other.Flush())
	silent(t, other, "though the disk has not caught up")
	if got := m.ask("CONFIG", "SET", "timeout", "7"); got != "OK" {
		t.Errorf("CONFIG SET: %s", got)
	}
	s.release()
	m.awaitInfo("aof_writes_held", "0")
	if raw, err := other.ReadRaw(); err != nil || string(raw) != "+OK\r\n" {
		t.Errorf("%q, %v", raw, err)
	}
	m.wantLog("The disk has caught up")
	m.settle()
	if n := m.after("appendonly yes"); n.ask("GET", "other") != "v" || n.ask("STRLEN", "big") != strconv.Itoa(1<<20) {
		t.Error("a restart finds less")
	}
}

// TestSlowAndTurnedOff: who turns the append only file off need not wait for its disk.
func TestSlowAndTurnedOff(t *testing.T) {
	t.Parallel()
	m := boot(t, nil, "appendonly yes", "maxmemory 200mb", "auto-aof-rewrite-percentage 0")
	m.hang(faultfs.Fault{Op: faultfs.Sync, Path: "*.incr.aof"})
	writer, big := m.client(), strings.Repeat("x", 1<<20)
	for writer.SetTimeout(time.Second); ; {
		if _, err := writer.DoErr("SET", "big", big); err != nil {
			break
		}
	}
	m.awaitInfo("aof_writes_held", "1")
	m.want("OK", "CONFIG", "SET", "appendonly", "no")
	m.want("OK", "SET", "after", "v")
}

// silent fails if a reply comes.
func silent(t *testing.T, c *testutil.Conn, why string) {
	t.Helper()
	c.SetTimeout(50 * time.Millisecond)
	if raw, err := c.ReadRaw(); err == nil {
		t.Errorf("%q %s", raw, why)
	}
	c.SetTimeout(patience)
}

// TestSlowWithAlways: who writes waits for the disk, who reads does not.
func TestSlowWithAlways(t *testing.T) {
	t.Parallel()
	m := boot(t, nil, "appendonly yes", "appendfsync always")
	m.want("OK", "SET", "clean", "v")
	s := m.hang(faultfs.Fault{Op: faultfs.Sync, Path: "*.incr.aof"})
	c := m.client()
	c.Queue("SET", "a", "1")
	must(t, c.Flush())
	<-s.begun
	m.goesOn(false)
	silent(t, c, "before it is on the disk")
	s.release()
	if raw, err := c.ReadRaw(); err != nil || string(raw) != "+OK\r\n" {
		t.Errorf("%q, %v", raw, err)
	}
}

// TestSlowWhileSaving: a save that hangs is one that takes long, whatever it hangs in.
func TestSlowWhileSaving(t *testing.T) {
	for what, f := range map[string]faultfs.Fault{
		"making the file":     {Op: faultfs.Create, Path: "temp-*.rdb"},
		"write":               {Op: faultfs.Write, Path: "temp-*.rdb"},
		"fsync":               {Op: faultfs.Sync, Path: "temp-*.rdb"},
		"rename":              {Op: faultfs.Rename, Path: "dump.rdb"},
		"fsync of the folder": {Op: faultfs.SyncDir},
		"the word of it":      {Op: faultfs.Write, Path: "temp-*.run"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			m := boot(t, nil, "save 3600 1")
			m.want("OK", "SET", "clean", "v")
			s := m.hang(f)
			m.want("Background saving started", "BGSAVE")
			<-s.begun
			m.goesOn(true)
			s.release()
			m.awaitInfo("rdb_bgsave_in_progress", "0")
			m.awaitInfo("rdb_last_bgsave_status", "ok")
		})
	}
}

// TestSlowWhileRewriting: nor does a rewrite that hangs, unless the file that is written
// to cannot be told from the one to be written next: then those wait who write.
func TestSlowWhileRewriting(t *testing.T) {
	for what, f := range map[string]faultfs.Fault{
		"making the file":       {Op: faultfs.Create, Path: "temp-*.base"},
		"write":                 {Op: faultfs.Write, Path: "temp-*.base"},
		"fsync":                 {Op: faultfs.Sync, Path: "temp-*.base"},
		"rename":                {Op: faultfs.Rename, Path: "*.base.rdb"},
		"the manifest":          {Op: faultfs.Write, Path: "temp-*.manifest"},
		"removing the old file": {Op: faultfs.Remove, Path: "appendonly.aof.1.*"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			m := boot(t, nil, "appendonly yes")
			m.want("OK", "SET", "clean", "v")
			s := m.hang(f)
			m.want("Background append only file rewriting started", "BGREWRITEAOF")
			<-s.begun
			m.goesOn(what != "rename" && what != "the manifest")
			s.release()
			m.awaitInfo("aof_rewrite_in_progress", "0")
			m.awaitInfo("aof_last_bgrewrite_status", "ok")
			m.settle()
			if n := m.after("appendonly yes"); n.ask("GET", "clean") != "v" || n.ask("GET", "last") != "v" {
				t.Error("a restart finds less")
			}
		})
	}
}
