package disk

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"dozo/env"
	"dozo/internal/faultfs"
)

const (
	base     = "appendonlydir/appendonly.aof.1.base.rdb"
	incr     = "appendonlydir/appendonly.aof.1.incr.aof"
	manifest = "appendonlydir/appendonly.aof.manifest"
)

// command is one as the append only file has it.
func command(words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.String()
}

// written is a machine without a server, on the disk of one that has kept a=1 and, as
// the last command, b=2.
func written(t *testing.T) *machine {
	m := boot(t, nil, "appendonly yes", "appendfsync always")
	m.want("OK", "SET", "a", "1")
	m.want("OK", "SET", "b", "2")
	disk := m.disk.KeepAll()
	m.end()
	return machineOn(t, disk)
}

// wantNoStart fails unless a start is refused, with these words, and leaves all files
// as they are.
func (m *machine) wantNoStart(directives []string, words ...string) {
	m.Helper()
	before := m.contents()
	err := m.start(directives...)
	if err == nil {
		m.Fatal("the server has started")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			m.Errorf("the refusal does not say %q: %v", w, err)
		}
	}
	if !strings.Contains(m.log.String(), err.Error()) {
		m.Errorf("the log does not say why: %s", &m.log)
	}
	if after := m.contents(); after != before {
		m.Errorf("files have changed:\n%q\n%q", before, after)
	}
}

// contents are all files but locks.
func (m *machine) contents() string {
	var b strings.Builder
	for _, name := range m.names() {
		for _, at := range []string{data + "/" + name, data + "/appendonlydir/" + name} {
			if content, err := m.disk.ReadFile(at); err == nil && !strings.HasSuffix(name, ".lock") {
				fmt.Fprintf(&b, "%s: %q\n", at, content)
			}
		}
	}
	return b.String()
}

// TestTornAtTheStart: what a crash has left of a command is cut off, and the log says
// what; with aof-load-truncated no the operator decides.
func TestTornAtTheStart(t *testing.T) {
	last := command("SET", "b", "2")
	for cut := 1; cut < len(last); cut++ {
		m := written(t)
		whole := m.file(incr)
		m.put(incr, whole[:len(whole)-cut])
		if cut == 5 {
			m.wantNoStart([]string{"appendonly yes", "aof-load-truncated no"},
				"appendonly.aof.1.incr.aof ends in the middle of the command", fmt.Sprintf("the last %d, from offset %d on", len(last)-cut, len(whole)-len(last)),
				"dozo check aof --fix", "aof-load-truncated")
		}
		m.started("appendonly yes", "appendfsync always")
		m.want("1", "GET", "a")
		m.want("(nil)", "GET", "b")
		m.wantLog(fmt.Sprintf("appendonly.aof.1.incr.aof ends in the middle of .*: of its %d bytes the last %d, from offset %d on, cannot be used",
			len(whole)-cut, len(last)-cut, len(whole)-len(last)), "AOF appendonly.aof.1.incr.aof loaded anyway because aof-load-truncated is enabled: these bytes were cut off")
		if cut < len(last)-len("*3\r\n$3\r\nSET\r\n") {
			m.wantLog("in the middle of the command .?SET")
		}
		m.want("OK", "SET", "c", "3")
		if got, want := m.file(incr), whole[:len(whole)-len(last)]; !strings.HasPrefix(got, want) || strings.Contains(got, "$1\r\nb") {
			t.Errorf("cut by %d: the file is %q", cut, got)
		}
		n := m.after("appendonly yes", "aof-load-truncated no")
		if got := n.ask("MGET", "a", "b", "c"); got != `*["1" (nil) "3"]` {
			t.Errorf("cut by %d: after another restart: %s", cut, got)
		}
		n.end()
	}
}

// TestTornUnitAtTheStart: a transaction of which the end is missing has not happened.
func TestTornUnitAtTheStart(t *testing.T) {
	m := written(t)
	whole := m.file(incr)
	m.put(incr, whole+command("MULTI")+command("INCR", "a")+command("INCR", "b"))
	m.started("appendonly yes")
	m.want(`*["1" "2"]`, "MGET", "a", "b")
	if m.file(incr) != whole {
		t.Errorf("the file is %q", m.file(incr))
	}
}

// TestZerosAtTheStart: some file systems give a file its length before its bytes.
func TestZerosAtTheStart(t *testing.T) {
	m := written(t)
	m.put(incr, m.file(incr)+strings.Repeat("\x00", 4096))
	m.started("appendonly yes")
	m.want(`*["1" "2"]`, "MGET", "a", "b")
	m.wantLog("the last 4096, from offset")
}

// TestGarbageAtTheStart: what cannot have been left by a crash is refused, with the
// place, and what helps.
func TestGarbageAtTheStart(t *testing.T) {
	yes := []string{"appendonly yes"}
	m := written(t)
	whole := m.file(incr)
	at := strings.Index(whole, command("SET", "b", "2"))
	m.put(incr, whole[:at]+"garbage\r\n"+whole[at:])
	m.wantNoStart(yes, "ad file format reading the append only file appendonly.aof.1.incr.aof at offset "+fmt.Sprint(at), "dozo check aof --fix")
	m.put(incr, whole[:at]+command("NOSUCH", "x")+whole[at:])
	m.wantNoStart(yes, "nknown command", "NOSUCH", "appendonly.aof.1.incr.aof", "offset "+fmt.Sprint(at))
	m.put(incr, whole[:at]+command("LPUSH", "a", "x")+whole[at:])
	m.wantNoStart(append(yes, "propagation-error-behavior panic"), "WRONGTYPE", "LPUSH", "appendonly.aof.1.incr.aof", "offset "+fmt.Sprint(at))
	m.put(incr, whole)
	rdb := m.file(base)
	m.put(base, rdb[:20]+"\xff"+rdb[21:])
	m.wantNoStart(yes, "appendonly.aof.1.base.rdb")
	m.put(base, rdb[:len(rdb)/2])
	m.wantNoStart(yes, "appendonly.aof.1.base.rdb")
	m.put(base, "")
	m.wantNoStart(yes, "appendonly.aof.1.base.rdb")
	m.put(base, rdb)
	m.put(manifest, "garbage\n")
	m.wantNoStart(yes, "appendonly.aof.manifest", "Invalid AOF manifest file format")
}

// TestRefusedAtTheStart: a command that is answered with an error, though it was not when
// it was written, is no reason not to start in Redis; the log says that the data is not
// what it was.
func TestRefusedAtTheStart(t *testing.T) {
	m := written(t)
	whole := m.file(incr)
	m.put(incr, whole+strings.Repeat(command("LPUSH", "a", "x"), 30)+command("SET", "c", "3"))
	m.started("appendonly yes")
	m.want(`*["1" "2" "3"]`, "MGET", "a", "b", "c")
	m.wantLog(fmt.Sprintf("== CRITICAL == .*appendonly.aof.1.incr.aof at offset %d: 'LPUSH' .*WRONGTYPE", len(whole)), "30 commands in all")
	if n := strings.Count(m.log.String(), "CRITICAL"); n != 10 {
		t.Errorf("%d lines about it", n)
	}
}

// TestTornInTheMiddle: only the last file may end in the middle of a command.
func TestTornInTheMiddle(t *testing.T) {
	m := written(t)
	whole := m.file(incr)
	m.put("appendonlydir/appendonly.aof.2.incr.aof", whole)
	m.put(manifest, m.file(manifest)+"file appendonly.aof.2.incr.aof seq 2 type i\n")
	m.put(incr, whole[:len(whole)-3])
	m.wantNoStart([]string{"appendonly yes"}, "appendonly.aof.1.incr.aof", "in the middle of")
}

// TestFilesOfTheManifest: missing files are refused by name. Further ones are left alone
// and reported, since they may be somebody's data.
func TestFilesOfTheManifest(t *testing.T) {
	for _, name := range []string{base, incr} {
		m := written(t)
		must(t, m.disk.Remove(data+"/"+name))
		m.wantNoStart([]string{"appendonly yes"}, strings.TrimPrefix(name, "appendonlydir/"), "No such file or directory", "Put it back")
	}
	m := written(t)
	m.put("appendonlydir/appendonly.aof.9.incr.aof", command("SET", "extra", "1"))
	m.put("appendonlydir/notes.txt", "mine")
	m.started("appendonly yes")
	m.want("(nil)", "GET", "extra")
	m.wantLog("The AOF manifest does not name these files, .*appendonly.aof.9.incr.aof")
	m.want("Background append only file rewriting started", "BGREWRITEAOF")
	m.awaitInfo("aof_rewrite_in_progress", "0")
	if m.file("appendonlydir/notes.txt") != "mine" || m.file("appendonlydir/appendonly.aof.9.incr.aof") != command("SET", "extra", "1") {
		t.Errorf("files that nobody knows have changed:\n%s", m.disk.Tree())
	}
}

// TestManifestGone: the files of an append only file without their manifest are not an
// empty data set.
func TestManifestGone(t *testing.T) {
	m := written(t)
	must(t, m.disk.Remove(data+"/"+manifest))
	m.wantNoStart([]string{"appendonly yes"}, "appendonly.aof.1.incr.aof", "manifest")
}

// TestReadOnlyAtTheStart: an append only file that cannot be written is refused at the
// start; a snapshot can be served.
func TestReadOnlyAtTheStart(t *testing.T) {
	m := written(t)
	m.fs.Inject(faultfs.Fault{Op: faultfs.Changes | faultfs.Write, Err: syscall.EROFS})
	m.wantNoStart([]string{"appendonly yes"}, "read-only file system")

	m = boot(t, nil, "save 3600 1")
	m.want("OK", "SET", "a", "1")
	m.want("OK", "SAVE")
	disk := m.disk.KeepAll()
	m.end()
	m = machineOn(t, disk)
	m.fs.Inject(faultfs.Fault{Op: faultfs.Changes, Err: syscall.EROFS})
	m.started("save 3600 1")
	m.want("1", "GET", "a")
	m.want("OK", "SET", "a", "2")
	m.want("-ERR the save has failed; the log says why", "SAVE")
	m.wantLog("cannot be written to /data/dump.rdb.run: Read-only file system", "Write error while saving DB to the disk: .*read-only file system")
}

// TestReadErrorAtTheStart: a file that cannot be read is not one that is not there.
func TestReadErrorAtTheStart(t *testing.T) {
	for _, name := range []string{"*.incr.aof", "*.base.rdb", "*.manifest", "dump.rdb.run"} {
		m := written(t)
		m.fs.Inject(faultfs.Fault{Op: faultfs.Read, Path: name, Err: syscall.EIO})
		m.wantNoStart([]string{"appendonly yes"}, "input/output error")
	}
	m := written(t)
	m.fs.Inject(faultfs.Fault{Op: faultfs.Open, Path: "*.incr.aof", Err: syscall.EACCES})
	m.wantNoStart([]string{"appendonly yes"}, "permission denied")
}

// TestTwoServersOnOneFile: the second is refused, and leaves the files of the first as
// they are.
func TestTwoServersOnOneFile(t *testing.T) {
	m := boot(t, nil, "appendonly yes", "appendfsync always")
	m.want("OK", "SET", "a", "1")
	second := machineOn(t, m.disk)
	second.wantNoStart([]string{"appendonly yes"}, "in use by another server", "dir, appenddirname or appendfilename")
	if err := second.start("appendonly yes"); !errors.Is(err, env.ErrLocked) {
		t.Errorf("%v", err)
	}
	m.want("OK", "SET", "a", "2")
	if got := m.after("appendonly yes").ask("GET", "a"); got != "2" {
		t.Errorf("a is %s", got)
	}
}

// TestTwoServersOnOneSnapshot: the second does not start if both save by themselves. With
// names of their own servers share a folder; who saves only by hand is warned, and so is
// who goes to another's name by CONFIG SET.
func TestTwoServersOnOneSnapshot(t *testing.T) {
	m := boot(t, nil, "save 3600 1")
	m.want("OK", "SET", "a", "1")
	m.want("OK", "SAVE")
	m.await("the word of it", func() bool { return !strings.Contains(m.file("dump.rdb.run"), `"saved_at": 0`) })
	machineOn(t, m.disk).wantNoStart([]string{"save 3600 1"}, "/data/dump.rdb is in use by another server", "another dir or dbfilename", "startup-data-check no")
	machineOn(t, m.disk).started("save 3600 1", "startup-data-check no").wantLog("# Another server saves to /data/dump.rdb, too")
	machineOn(t, m.disk).started().wantLog("# Another server saves to /data/dump.rdb, too")
	second := machineOn(t, m.disk).started("save 3600 1", "dbfilename second.rdb", "enable-protected-configs yes")
	if second.logged("Another server") {
		t.Errorf("%s", &second.log)
	}
	second.want("OK", "CONFIG", "SET", "dbfilename", "dump.rdb")
	second.await("the warning", func() bool { return second.logged("# Another server saves to /data/dump.rdb, too") })
	machineOn(t, m.disk).started("save 3600 1", "dbfilename second.rdb").want("(nil)", "GET", "a")
	second.end()
	m.end() // which gives the name back
	machineOn(t, m.disk).started("save 3600 1").want("1", "GET", "a")
}
