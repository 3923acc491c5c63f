package node_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dozo/internal/faultfs"
)

// The habits of those who run servers, and their accidents: a start gives them the data,
// or says in words why it does not.

// copyFile puts a file elsewhere, as cp does.
func copyFile(t *testing.T, disk *faultfs.Mem, from, to string) {
	t.Helper()
	content, err := disk.ReadFile(from)
	noError(t, err)
	noError(t, disk.WriteFile(to, content))
}

// removeAll removes a folder of files.
func removeAll(t *testing.T, disk *faultfs.Mem, dir string) {
	t.Helper()
	list, err := disk.ReadDir(dir)
	noError(t, err)
	for _, e := range list {
		noError(t, disk.Remove(dir+"/"+e.Name()))
	}
	noError(t, disk.Remove(dir))
}

// stop ends a node as SHUTDOWN does, and returns its disk.
func (m *machine) stop(how string) *faultfs.Mem {
	m.t.Helper()
	_, _ = m.DoErr(strings.Fields(how)...) // the reply is the end
	<-m.node.Done()
	noError(m.t, m.node.Close())
	return m.disk
}

// backedUp is a server with an append only file that has saved twice. The copy of the
// older snapshot has the value "old".
func backedUp(t *testing.T) *machine {
	m := started(t, newDisk(t), aofYes)
	m.do("SET a old")
	m.do("SAVE")
	copyFile(t, m.disk, "/data/dump.rdb", "/other/backup.rdb")
	time.Sleep(1100 * time.Millisecond) // files tell times in seconds
	m.do("SET a new")
	m.do("SAVE")
	m.do("SET a newest")
	m.do("WAITAOF 1 0 0")
	return m
}

// TestRestoreWithAOF: a backup is put in the place of the snapshot. Redis ignores it
// without a word if there is an append only file.
func TestRestoreWithAOF(t *testing.T) {
	disk := backedUp(t).stop("SHUTDOWN")
	has(t, disk.KeepAll(), "a", "newest", aofYes)
	copyFile(t, disk, "/other/backup.rdb", "/data/dump.rdb")
	refused(t, disk.KeepAll(), "it was put there since", aofYes)
	refused(t, disk.KeepAll(), "dump.rdb (1 keys, ", aofYes)
	refused(t, disk.KeepAll(), "appendonly.aof (0 keys in its base and ", aofYes)
	has(t, disk.KeepAll(), "a", "newest", aofYes, "startup-data-check no")
	removeAll(t, disk, "/data/appendonlydir")
	has(t, disk.KeepAll(), "a", "old", aofYes)
	has(t, disk.KeepAll(), "a", "old")
}

// TestRestoreBoth: the snapshot and the append only file of a backup are put back, but not
// the word of the last run, of which the backup knows nothing.
func TestRestoreBoth(t *testing.T) {
	m := backedUp(t)
	backup := m.disk.KeepAll()
	m.do("SET a later")
	m.do("BGREWRITEAOF")
	m.untilInfo("aof_rewrite_in_progress", "0")
	time.Sleep(1100 * time.Millisecond)
	m.do("SAVE")
	m.untilWord(runFile, `"aof_base": 2`)
	disk := m.stop("SHUTDOWN")
	removeAll(t, disk, "/data/appendonlydir")
	noError(t, disk.Mkdir("/data/appendonlydir", 0o755))
	list, err := backup.ReadDir("/data/appendonlydir")
	noError(t, err)
	for _, name := range list {
		content, err := backup.ReadFile("/data/appendonlydir/" + name.Name())
		noError(t, err)
		noError(t, disk.WriteFile("/data/appendonlydir/"+name.Name(), content))
	}
	snapshot, err := backup.ReadFile("/data/dump.rdb")
	noError(t, err)
	noError(t, disk.WriteFile("/data/dump.rdb", snapshot))
	has(t, disk, "a", "newest", aofYes)
}

// TestRestoreOnFreshServer: the well-known trap: a new server with appendonly yes is
// started once, and then the snapshot is copied to it.
func TestRestoreOnFreshServer(t *testing.T) {
	source := backedUp(t).disk
	time.Sleep(1100 * time.Millisecond)
	disk := started(t, newDisk(t), aofYes).stop("SHUTDOWN")
	backup, err := source.ReadFile("/other/backup.rdb")
	noError(t, err)
	noError(t, disk.WriteFile("/data/dump.rdb", backup))
	refused(t, disk.KeepAll(), "it was put there since", aofYes)
	has(t, disk.KeepAll(), "a", "old")
	removeAll(t, disk, "/data/appendonlydir")
	has(t, disk.KeepAll(), "a", "old", aofYes)
}

// TestRestoreWithoutAOF: nothing stands in the way of the habit where there never was an
// append only file.
func TestRestoreWithoutAOF(t *testing.T) {
	m := started(t, newDisk(t))
	m.do("SET a old")
	m.do("SAVE")
	copyFile(t, m.disk, "/data/dump.rdb", "/other/backup.rdb")
	m.do("SET a new")
	disk := m.stop("SHUTDOWN SAVE")
	has(t, disk.KeepAll(), "a", "new")
	copyFile(t, disk, "/other/backup.rdb", "/data/dump.rdb")
	has(t, disk.KeepAll(), "a", "old")
	has(t, disk.KeepAll(), "a", "old", aofYes)
	copyFile(t, disk, "/other/backup.rdb", "/data/backup.rdb")
	refused(t, disk.KeepAll(), "backup.rdb (1 keys, ", "dbfilename third.rdb")
	has(t, disk.KeepAll(), "a", "old", "dbfilename backup.rdb")
}

// TestLostAOF: the folder of the append only file is gone (a volume that was not mounted,
// say). The snapshot beside it is older.
func TestLostAOF(t *testing.T) {
	m := backedUp(t)
	m.untilWord(runFile, isOn)
	disk := m.disk.KeepAll()
	removeAll(t, disk, "/data/appendonlydir")
	refused(t, disk.KeepAll(), "which is not there", aofYes)
	refused(t, disk.KeepAll(), "which is not there")
	noError(t, disk.Remove(runFile))
	has(t, disk.KeepAll(), "a", "new", aofYes)

	disk = m.stop("SHUTDOWN SAVE") // then the snapshot has everything
	removeAll(t, disk, "/data/appendonlydir")
	has(t, disk.KeepAll(), "a", "newest")
}

// TestWiped: who removes the data, but not the word of the last run, begins empty.
func TestWiped(t *testing.T) {
	disk := backedUp(t).stop("SHUTDOWN")
	removeAll(t, disk, "/data/appendonlydir")
	noError(t, disk.Remove("/data/dump.rdb"))
	for _, directive := range []string{aofYes, "appendonly no"} {
		m := started(t, disk.KeepAll(), directive)
		if got := m.do("GET a"); got != "" || !strings.Contains(m.log.String(), "The server starts EMPTY") {
			t.Errorf("%s: a is %q, and the log says\n%s", directive, got, m.log)
		}
	}
	m := started(t, newDisk(t))
	m.do("SET a 1")
	disk = m.stop("SHUTDOWN SAVE")
	noError(t, disk.Remove("/data/dump.rdb"))
	if m := started(t, disk); !strings.Contains(m.log.String(), "a snapshot of 20") {
		t.Errorf("the log says nothing of the snapshot that is gone\n%s", m.log)
	}
	if m := started(t, newDisk(t)); strings.Contains(m.log.String(), "EMPTY") {
		t.Errorf("a first start is warned of\n%s", m.log)
	}
}

// TestHollow: files that a file system has left without their bytes, as some do when the
// power fails, are no data set without keys.
func TestHollow(t *testing.T) {
	const noBytes = "has no bytes"
	hollow := func(disk *faultfs.Mem, names ...string) *faultfs.Mem {
		disk = disk.KeepAll()
		disk.SetClock(time.Now)
		for _, name := range names {
			noError(t, disk.WriteFile(name, nil))
		}
		return disk
	}
	m := started(t, newDisk(t))
	m.do("SET a 1")
	disk := m.stop("SHUTDOWN SAVE")
	snapshot := "/data/dump.rdb"
	refused(t, hollow(disk, snapshot), noBytes)
	refused(t, hollow(disk, snapshot), noBytes, aofYes)
	noError(t, disk.Remove(runFile))
	refused(t, hollow(disk, snapshot), noBytes)

	m = backedUp(t)
	m.untilWord(runFile, isOn)
	folder := "/data/appendonlydir/appendonly.aof.1."
	disk = hollow(m.disk, folder+"base.rdb", folder+"incr.aof")
	refused(t, disk.KeepAll(), noBytes, aofYes)
	refused(t, disk.KeepAll(), "older data would be loaded")
	has(t, hollow(m.disk, snapshot), "a", "newest", aofYes)
	noError(t, disk.Remove(runFile))
	noError(t, disk.Remove(snapshot))
	refused(t, disk.KeepAll(), noBytes, aofYes)
	refused(t, disk.KeepAll(), "would start empty")
}

// TestMovedAOF: `appenddirname` and `appendfilename` are other ones than in the last run,
// with a snapshot in place and without.
func TestMovedAOF(t *testing.T) {
	for _, directive := range []string{"appenddirname another", "appendfilename another.aof"} {
		m := backedUp(t)
		m.untilWord(runFile, isOn)
		disk := m.disk.KeepAll()
		refused(t, disk.KeepAll(), "name another place", aofYes, directive)
		refused(t, disk.KeepAll(), "name another place", directive)
		noError(t, disk.Remove(runFile))
		noError(t, disk.Remove("/data/dump.rdb"))
		refused(t, disk.KeepAll(), "would start empty", aofYes, directive)
		refused(t, disk.KeepAll(), "would start empty", directive)
	}
}

// TestMovedDir: CONFIG SET dir with an append only file, which stays where it is. A
// restart in the new folder must not begin without it, and one in the old folder has all,
// unless the append only file has followed.
func TestMovedDir(t *testing.T) {
	m := backedUp(t)
	m.do("CONFIG SET dir /other")
	m.do("SET a moved")
	m.do("WAITAOF 1 0 0")
	m.untilWord("/other/dump.rdb.run", isOn, `"/data"`)
	m.untilWord(runFile, `"/other"`)
	refused(t, m.disk.KeepAll(), "kept its data in /data/appendonlydir", aofYes, "dir /other")
	has(t, m.disk.KeepAll(), "a", "moved", aofYes)
	m.do("CONFIG SET appendonly no")
	m.do("CONFIG SET appendonly yes")
	m.untilWord("/other/dump.rdb.run", isOn)
	m.do("SET a followed")
	m.do("WAITAOF 1 0 0")
	refused(t, m.disk.KeepAll(), "moved its data to /other", aofYes)
	has(t, m.disk.KeepAll(), "a", "followed", aofYes, "dir /other")
}

// TestBackupElsewhere: CONFIG SET dir, BGSAVE and back is a way to make a backup. It can
// be started from, and leaves nothing behind at home.
func TestBackupElsewhere(t *testing.T) {
	m := started(t, newDisk(t))
	m.do("SET a 1")
	m.do("SAVE")
	m.do("CONFIG SET dir /other")
	m.do("SAVE")
	m.untilWord("/other/dump.rdb.run", isOff)
	m.do("CONFIG SET dir /data")
	m.untilWord(runFile, `"rdb": "dump.rdb"`)
	m.until("nothing is left there", func() bool {
		_, err := m.disk.Stat("/other/dump.rdb.run")
		return err != nil
	})
	has(t, m.disk.KeepAll(), "a", "1", "dir /other")
	has(t, m.disk.KeepAll(), "a", "1")
}

// TestTurnedOffInFile: SHUTDOWN, appendonly no in the file, and a start, all within a
// second of the last write.
func TestTurnedOffInFile(t *testing.T) {
	for range 3 {
		dir := "dir " + t.TempDir()
		m, err := boot(t, nil, dir, aofYes)
		noError(t, err)
		m.do("SET a 1")
		m.stop("SHUTDOWN SAVE")
		m, err = boot(t, nil, dir)
		noError(t, err)
		if got := m.do("GET a"); got != "1" {
			t.Errorf("a is %q", got)
		}
		m.stop("SHUTDOWN SAVE")
	}
}

// TestEmptyAOF: an append only file without a key is no data that could be lost.
func TestEmptyAOF(t *testing.T) {
	disk := started(t, newDisk(t), aofYes).stop("SHUTDOWN NOSAVE")
	has(t, disk.KeepAll(), "a", "")
	has(t, disk.KeepAll(), "a", "", "appendfilename another.aof", aofYes)
	m := started(t, newDisk(t), aofYes)
	m.do("SET a 1") // in the incr file only
	refused(t, m.stop("SHUTDOWN NOSAVE"), "would start empty")
}

// TestSharedFolder: servers with names of their own in one folder, one after the other.
func TestSharedFolder(t *testing.T) {
	disk := newDisk(t)
	first := []string{"dbfilename first.rdb", "appendfilename first.aof", "appenddirname first"}
	second := []string{"dbfilename second.rdb", "appendfilename second.aof", "appenddirname second"}
	one, two := started(t, disk, first...), started(t, disk, second...)
	one.do("SET a 1")
	one.do("SAVE")
	time.Sleep(1100 * time.Millisecond)
	two.do("SET a 2")
	two.do("SAVE")
	one.untilWord("/data/first.rdb.run", `"first.rdb"`)
	two.untilWord("/data/second.rdb.run", `"second.rdb"`)
	has(t, disk.KeepAll(), "a", "1", first...)
	has(t, disk.KeepAll(), "a", "2", second...)
}

// TestOldAOFOfAnotherName: the single file of a version before 7, which nothing names.
func TestOldAOFOfAnotherName(t *testing.T) {
	disk := newDisk(t)
	noError(t, disk.WriteFile("/data/old.aof", []byte("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n")))
	refused(t, disk.KeepAll(), "old.aof", aofYes)
	has(t, disk.KeepAll(), "a", "1", aofYes, "appendfilename old.aof")
}

// TestSymlinks: folders and files of the data may be links.
func TestSymlinks(t *testing.T) {
	real, home := t.TempDir(), t.TempDir()
	noError(t, os.Symlink(real, filepath.Join(home, "data")))
	noError(t, os.Mkdir(filepath.Join(real, "aof"), 0o755))
	noError(t, os.Symlink(filepath.Join(real, "aof"), filepath.Join(real, "appendonlydir")))
	directives := []string{"dir " + filepath.Join(home, "data"), aofYes}
	for range 2 {
		m, err := boot(t, nil, directives...)
		noError(t, err)
		m.do("INCR a")
		m.do("SAVE")
		m.do("BGREWRITEAOF")
		m.untilInfo("aof_rewrite_in_progress", "0")
		m.stop("SHUTDOWN")
	}
	m, err := boot(t, nil, directives...)
	noError(t, err)
	if got := m.do("GET a"); got != "2" {
		t.Errorf("a is %q", got)
	}
}

// TestTwoOfOneSnapshotName: servers that save nothing by themselves may share a folder and
// the snapshot's name, each with an append only file of its own. The word of the one that
// runs is not taken for that of the other's last run, nor written over, and what it saves
// is left alone.
func TestTwoOfOneSnapshotName(t *testing.T) {
	disk := newDisk(t)
	first := started(t, disk, aofYes, "rdb-key-save-delay 10000000")
	first.do("SET a 1")
	first.do("SET b 1")
	first.do("BGSAVE")
	first.untilWord(runFile, `"aof": true`)
	second := started(t, disk, aofYes, "appendfilename second.aof")
	second.do("SET a 2")
	second.untilInfo("aof_starting", "0")
	first.do("CONFIG SET rdb-key-save-delay 0")
	first.untilInfo("rdb_bgsave_in_progress", "0")
	if first.info("rdb_last_bgsave_status") != "ok" {
		t.Errorf("the save has failed\n%s", first.log)
	}
	first.untilWord(runFile, `"aof_name": "appendonly.aof"`)
	second.stop("SHUTDOWN NOSAVE")
	disk = first.stop("SHUTDOWN NOSAVE")
	has(t, disk.KeepAll(), "a", "1", aofYes)
}
