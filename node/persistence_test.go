package node_test

import (
	"bytes"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dozo/config"
	"dozo/env"
	"dozo/eventloop"
	"dozo/internal/faultfs"
	"dozo/internal/testutil"
	"dozo/node"
	"dozo/server"
)

// machine is a node on a disk that fails when it is told to, and loses its power.
type machine struct {
	t    *testing.T
	disk *faultfs.Mem
	fs   *faultfs.FS
	node *node.Node
	log  *testutil.Journal
	*testutil.Conn
}

func newDisk(t *testing.T) *faultfs.Mem {
	disk := faultfs.New()
	for _, dir := range []string{"/data", "/other"} {
		noError(t, disk.Mkdir(dir, 0o755))
	}
	noError(t, disk.SyncDir("/"))
	return disk
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// boot starts a node on a disk, in /data if the directives say nothing else; on the
// machine's own disk if disk is nil.
func boot(t *testing.T, disk *faultfs.Mem, directives ...string) (*machine, error) {
	t.Helper()
	return bootIn(t, *env.Real(), disk, directives...)
}

// bootIn is boot with another clock.
func bootIn(t *testing.T, world env.Env, disk *faultfs.Mem, directives ...string) (*machine, error) {
	t.Helper()
	m := &machine{t: t, disk: disk, fs: faultfs.Wrap(world.FS), log: &testutil.Journal{}}
	all := append([]string{"port 0", `save ""`, "enable-protected-configs yes", "enable-debug-command yes"}, directives...)
	if disk != nil {
		m.fs = faultfs.Wrap(disk)
		all = append([]string{"dir /data"}, all...)
	}
	world.FS = m.fs
	cfg := config.New(config.Options{FS: m.fs, WorkDir: "/data", Cores: 2})
	noError(t, cfg.Load(config.Sources{Options: strings.Join(all, "\n")}))
	var err error
	m.node, err = node.Start(node.Options{Env: &world, Config: cfg, Log: m.log, Transport: eventloop.Auto, Addr: "127.0.0.1:0"})
	if err != nil {
		return nil, err
	}
	t.Cleanup(m.close)
	m.Conn = m.dial()
	return m, nil
}

// started is boot for a start that must succeed.
func started(t *testing.T, disk *faultfs.Mem, directives ...string) *machine {
	t.Helper()
	m, err := boot(t, disk, directives...)
	noError(t, err)
	return m
}

func (m *machine) close() {
	m.fs.Heal()
	noError(m.t, m.node.Close())
}

func (m *machine) dial() *testutil.Conn {
	m.t.Helper()
	c, err := testutil.Dial(m.node.Addrs()[0].String())
	noError(m.t, err)
	m.t.Cleanup(c.Close)
	return c
}

// do sends one command, whose reply must be no error.
func (m *machine) do(line string) string {
	m.t.Helper()
	v, err := m.DoErr(strings.Fields(line)...)
	noError(m.t, err)
	if v.IsError() {
		m.t.Fatalf("%s: %v\n%s", line, v, m.log)
	}
	return v.Str
}

// refuses sends one command, whose reply must be an error with some words.
func (m *machine) refuses(line, words string) {
	m.t.Helper()
	if v, err := m.DoErr(strings.Fields(line)...); err != nil || !v.IsError() || !strings.Contains(v.Str, words) {
		m.t.Errorf("%s: %v, %v; want an error with %q", line, v, err, words)
	}
}

func (m *machine) info(field string) string {
	m.t.Helper()
	return testutil.InfoField(m.do("INFO persistence"), field)
}

func (m *machine) until(what string, cond func() bool) {
	m.t.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("never: %s\n%s", what, m.log)
		}
	}
}

func (m *machine) untilInfo(field, want string) {
	m.t.Helper()
	m.until(field+" is "+want, func() bool { return m.info(field) == want })
}

// untilWord waits until the next run would read some words.
func (m *machine) untilWord(file string, words ...string) {
	m.t.Helper()
	m.until("word of "+strings.Join(words, " "), func() bool {
		text, err := m.disk.ReadFile(file)
		for _, w := range words {
			if err != nil || !bytes.Contains(text, []byte(w)) {
				return false
			}
		}
		return true
	})
}

// block has calls of a kind wait until the result is called.
func (m *machine) block(op faultfs.Op, path string) (unblock func()) {
	open := make(chan struct{})
	remove := m.fs.Inject(faultfs.Fault{Op: op, Path: path, Wait: func() { <-open }})
	var once sync.Once
	unblock = func() { once.Do(func() { remove(); close(open) }) }
	m.t.Cleanup(unblock)
	return unblock
}

// has fails unless a start on a disk finds a value.
func has(t *testing.T, disk *faultfs.Mem, key, want string, directives ...string) {
	t.Helper()
	m := started(t, disk, directives...)
	if got := m.do("GET " + key); got != want {
		t.Errorf("%s is %q after the restart, want %q\n%s", key, got, want, m.log)
	}
}

// refused fails unless a start on a disk is refused with some words.
func refused(t *testing.T, disk *faultfs.Mem, words string, directives ...string) {
	t.Helper()
	if _, err := boot(t, disk, directives...); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("the start gives %v, want a refusal with %q", err, words)
	}
}

const (
	runFile  = "/data/dump.rdb.run"
	aofYes   = "appendonly yes"
	always   = "appendfsync always"
	isOn     = `"aof": true`
	isOff    = `"aof": false`
	theBase  = "temp-appendonly.aof.base"
	theIncrs = "*.incr.aof"
)

// TestTurnedOnAndOff: appendonly yes and no in quick succession, while the disk is slow.
// Each is accepted, and the last one counts.
func TestTurnedOnAndOff(t *testing.T) {
	m := started(t, newDisk(t), aofYes)
	m.do("SET a 1")
	unblock := m.block(faultfs.Sync, theIncrs)
	for range 3 {
		m.do("CONFIG SET appendonly no")
		m.do("CONFIG SET appendonly yes")
	}
	if got := m.info("aof_starting"); got != "1" {
		t.Errorf("aof_starting is %q while the former file is being closed", got)
	}
	m.refuses("SHUTDOWN", "Errors trying to SHUTDOWN")
	unblock()
	m.do("SET a 2")
	m.untilInfo("aof_starting", "0")
	m.do("WAITAOF 1 0 0")
	m.untilWord(runFile, isOn)
	has(t, m.disk.CrashClone(1), "a", "2", aofYes)
	m.do("CONFIG SET appendonly no")
	m.do("SET a 3")
	m.untilWord(runFile, isOff)
	if got := m.info("aof_enabled"); got != "0" {
		t.Errorf("aof_enabled is %q", got)
	}
}

// TestKilledWhileStarting: an append only file was turned off, on again, and the machine
// fails before it is complete. What lies there is of the time before.
func TestKilledWhileStarting(t *testing.T) {
	m := started(t, newDisk(t), aofYes)
	m.do("SET a 1")
	m.do("CONFIG SET appendonly no")
	m.untilWord(runFile, isOff)
	m.do("SET a 2")
	m.do("SAVE")
	m.block(faultfs.Sync, theBase)
	m.do("CONFIG SET appendonly yes")
	m.untilInfo("aof_starting", "1")
	time.Sleep(50 * time.Millisecond) // for whatever else might be written
	refused(t, m.disk.CrashClone(1), "has not finished making it", aofYes)
	has(t, m.disk.CrashClone(1), "a", "2")
}

// TestWaitAOFWhileStarting: nothing is durable before the first base is.
func TestWaitAOFWhileStarting(t *testing.T) {
	m := started(t, newDisk(t))
	m.do("SET a 1")
	unblock := m.block(faultfs.Sync, theBase)
	m.do("CONFIG SET appendonly yes")
	if v, err := m.DoErr("WAITAOF", "1", "0", "50"); err != nil || v.Elems[0].Int() != 0 {
		t.Errorf("WAITAOF while the base is written: %v, %v", v, err)
	}
	unblock()
	if v, err := m.DoErr("WAITAOF", "1", "0", "0"); err != nil || v.Elems[0].Int() != 1 {
		t.Errorf("WAITAOF: %v, %v", v, err)
	}
	has(t, m.disk.CrashClone(1), "a", "1", aofYes)
}

// TestShutdownWhileStarting: as in Redis the end is refused, but for FORCE. Nor is what
// lies there loaded in the place of the data.
func TestShutdownWhileStarting(t *testing.T) {
	m := started(t, newDisk(t))
	m.do("SET a 1")
	unblock := m.block(faultfs.Sync, theBase)
	m.do("CONFIG SET appendonly yes")
	m.refuses("SHUTDOWN", "Errors trying to SHUTDOWN")
	m.refuses("DEBUG LOADAOF", "")
	if got := m.do("GET a"); got != "1" {
		t.Errorf("a is %q", got)
	}
	unblock()
	m.untilInfo("aof_starting", "0")
	m.do("CONFIG SET appendonly no")
	m.block(faultfs.Sync, theBase)
	m.do("CONFIG SET appendonly yes")
	m.node.Shutdown(server.ShutdownMode{Force: true, Save: true})
	m.fs.Heal()
	time.Sleep(10 * time.Millisecond)
}

// TestRefusedShutdown: what runs in the background when an end is refused goes on, and
// nobody takes it for a failure.
func TestRefusedShutdown(t *testing.T) {
	m := started(t, newDisk(t), aofYes, "rdb-key-save-delay 200000")
	m.do("SET a 1")
	m.do("SET b 1")
	m.do("BGSAVE")
	m.fs.Inject(faultfs.Fault{Op: faultfs.Sync | faultfs.Write | faultfs.Create, Path: "*.incr.aof", Err: syscall.EIO})
	writer := m.dial() // gets no answer before it is healed
	writer.Queue("SET", "c", "1")
	noError(t, writer.Flush())
	m.untilInfo("aof_last_write_status", "err")
	m.refuses("SHUTDOWN", "Errors trying to SHUTDOWN")
	if m.info("rdb_bgsave_in_progress") != "1" {
		t.Error("the save was given up for nothing")
	}
	m.fs.Heal()
	m.untilInfo("rdb_bgsave_in_progress", "0")
	if m.info("rdb_last_bgsave_status") != "ok" {
		t.Errorf("the save has failed\n%s", m.log)
	}
	m.until("writes are accepted", func() bool {
		v, err := m.DoErr("SET", "a", "2")
		return err == nil && !v.IsError()
	})
}

// TestHeldWhenTurnedOff: a reply that waits for the disk does not leave because the
// append only file is turned off, or synced more rarely.
func TestHeldWhenTurnedOff(t *testing.T) {
	for _, change := range []string{"appendonly no", "appendfsync everysec", "appendfsync no"} {
		m := started(t, newDisk(t), aofYes, always)
		unblock := m.block(faultfs.Sync, theIncrs)
		writer := m.dial()
		writer.Queue("SET", "a", "1")
		noError(t, writer.Flush())
		m.until("the write", func() bool { return m.info("rdb_changes_since_last_save") == "1" })
		writer.SetTimeout(50 * time.Millisecond)
		if raw, err := writer.ReadRaw(); err == nil {
			t.Errorf("%q left before it was on the disk", raw)
		}
		m.do("CONFIG SET " + change)
		if raw, err := writer.ReadRaw(); err == nil && change != "appendfsync no" { // there it is written, which is all that is asked
			t.Errorf("%s: %q left before it was on the disk", change, raw)
		}
		unblock()
		writer.SetTimeout(20 * time.Second)
		if change == "appendfsync no" {
			continue
		}
		if raw, err := writer.ReadRaw(); err != nil || string(raw) != "+OK\r\n" {
			t.Errorf("%s: %q, %v", change, raw, err)
		}
		has(t, m.disk.CrashClone(1), "a", "1", aofYes)
	}
}

// TestRewriteWithoutAOF: BGREWRITEAOF with appendonly no makes a file and ends, whatever
// is set meanwhile.
func TestRewriteWithoutAOF(t *testing.T) {
	m := started(t, newDisk(t))
	m.do("SET a 1")
	unblock := m.block(faultfs.Sync, theBase)
	m.do("BGREWRITEAOF")
	m.refuses("BGREWRITEAOF", "already in progress")
	m.do("CONFIG SET appendfsync always")
	if m.info("aof_enabled") != "0" || m.info("aof_rewrite_in_progress") != "1" {
		t.Errorf("aof_enabled %s, aof_rewrite_in_progress %s", m.info("aof_enabled"), m.info("aof_rewrite_in_progress"))
	}
	m.refuses("WAITAOF 1 0 0", "appendonly is disabled")
	unblock()
	m.untilInfo("aof_rewrite_in_progress", "0")
	if m.info("aof_last_bgrewrite_status") != "ok" {
		t.Errorf("the rewrite has failed\n%s", m.log)
	}
	has(t, m.disk.CrashClone(1), "a", "1", aofYes)
}

// TestRewriteAfterTurningOff: while the end of an append only file that was turned off
// still has to reach the disk a rewrite can be asked for. Who then waits for the end of
// it, by INFO, finds the new file.
func TestRewriteAfterTurningOff(t *testing.T) {
	m := started(t, newDisk(t), aofYes)
	unblock := m.block(faultfs.Sync, theIncrs)
	m.do("SET a 1")
	m.do("CONFIG SET appendonly no")
	m.do("SET a 2")
	m.do("BGREWRITEAOF")
	if m.info("aof_rewrite_in_progress") != "1" {
		t.Error("nobody could tell that a rewrite is going to begin")
	}
	m.refuses("BGREWRITEAOF", "already in progress")
	unblock()
	m.untilInfo("aof_rewrite_in_progress", "0")
	manifest := func() string {
		content, err := m.disk.ReadFile("/data/appendonlydir/appendonly.aof.manifest")
		noError(t, err)
		return string(content)
	}
	if got, want := manifest(), "file appendonly.aof.2.base.rdb seq 2 type b\n"; got != want {
		t.Errorf("the manifest is %q, want %q", got, want)
	}
	has(t, m.disk.CrashClone(1), "a", "2", aofYes, "startup-data-check no")
	m.do("CONFIG SET appendonly yes")
	m.untilInfo("aof_rewrite_in_progress", "0")
	if got := manifest(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "incr.aof seq 1 type i\n") {
		t.Errorf("the manifest is %q", got)
	}
	m.do("SET a 3")
	m.do("WAITAOF 1 0 0")
	has(t, m.disk.CrashClone(1), "a", "3", aofYes)
}

// TestTimestampsOfTheBase: a base of commands begins with its time, and so does an incr
// file whose first command comes after timestamps were turned on.
func TestTimestampsOfTheBase(t *testing.T) {
	m := started(t, newDisk(t), aofYes, always, "aof-use-rdb-preamble no")
	m.do("CONFIG SET aof-timestamp-enabled yes")
	m.do("SET a 1")
	begins := func(name string) {
		t.Helper()
		content, err := m.disk.ReadFile("/data/appendonlydir/appendonly.aof." + name)
		if noError(t, err); !strings.HasPrefix(string(content), "#TS:") {
			t.Errorf("%s: %q", name, content)
		}
	}
	begins("1.incr.aof")
	m.do("BGREWRITEAOF")
	m.untilInfo("aof_rewrite_in_progress", "0")
	begins("2.base.aof")
}

// TestWantedWhileRewrittenOnce: an append only file that is wanted at the very end of
// BGREWRITEAOF with appendonly no is begun all the same.
func TestWantedWhileRewrittenOnce(t *testing.T) {
	m := started(t, newDisk(t))
	m.do("SET a 1")
	arrived, goOn := make(chan struct{}), make(chan struct{})
	m.fs.Inject(faultfs.Fault{Op: faultfs.Rename, Path: "*.base.rdb", Times: 1, Wait: func() { close(arrived); <-goOn }})
	m.do("BGREWRITEAOF")
	<-arrived // it is decided that the base stays alone
	m.do("CONFIG SET appendonly yes")
	m.do("SET a 2")
	close(goOn)
	m.untilInfo("aof_starting", "0")
	m.do("SET a 3")
	m.do("WAITAOF 1 0 0")
	has(t, m.disk.CrashClone(1), "a", "3", aofYes)
}

// TestTestersDelayEnds: rdb-key-save-delay holds for the save that runs, too.
func TestTestersDelayEnds(t *testing.T) {
	m := started(t, newDisk(t), "rdb-key-save-delay 10000000")
	m.do("SET a 1")
	m.do("SET b 1")
	m.do("BGSAVE")
	if m.info("rdb_bgsave_in_progress") != "1" {
		t.Error("the save is over at once")
	}
	m.do("CONFIG SET rdb-key-save-delay 0")
	m.untilInfo("rdb_bgsave_in_progress", "0")
	v, err := m.DoErr("INFO", "stats")
	if noError(t, err); testutil.InfoField(v.Str, "total_forks") != "1" {
		t.Errorf("total_forks:%s", testutil.InfoField(v.Str, "total_forks"))
	}
}

// TestLimitIsToldOf: when rewrites fail again and again the log says that the next one
// waits, and how long; one asked for by hand does not wait.
func TestLimitIsToldOf(t *testing.T) {
	m := started(t, newDisk(t), aofYes, "auto-aof-rewrite-percentage 1", "auto-aof-rewrite-min-size 1kb")
	m.fs.Inject(faultfs.Fault{Op: faultfs.Sync, Path: theBase, Err: syscall.EIO})
	for range 3 {
		m.do("BGREWRITEAOF")
		m.untilInfo("aof_rewrite_in_progress", "0")
	}
	m.do("SET a " + strings.Repeat("x", 2000))
	m.until("word of the limit", func() bool {
		return strings.Contains(m.log.String(), "triggered the limit, will retry in 1 minutes")
	})
	m.fs.Heal()
	m.do("BGREWRITEAOF")
	m.untilInfo("aof_rewrites_consecutive_failures", "0")
}
