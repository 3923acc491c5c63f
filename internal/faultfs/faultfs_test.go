package faultfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"dozo/env"
)

func create(t *testing.T, s env.FS, name string) env.File {
	t.Helper()
	f, err := s.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func write(t *testing.T, f env.File, text string) {
	t.Helper()
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantFault(t *testing.T, err, want error) {
	t.Helper()
	var p *fs.PathError
	if !errors.Is(err, want) || !errors.As(err, &p) {
		t.Errorf("error %v, want a path error of %v", err, want)
	}
}

// TestSyncedSurvives: what was synced, with its name, is there after any crash;
// of the rest a prefix, perhaps with zeros behind.
func TestSyncedSurvives(t *testing.T) {
	const synced, unsynced = "certain ", "perhaps and so on"
	lengths, zeros, names := map[int]bool{}, 0, 0
	for seed := range uint64(300) {
		m := New()
		must(t, m.Mkdir("d", 0o755))
		must(t, m.SyncDir("/"))
		f := create(t, m, "d/f")
		write(t, f, synced)
		must(t, f.Sync())
		must(t, m.SyncDir("d"))
		write(t, f, unsynced[:7])
		write(t, f, unsynced[7:])
		create(t, m, "d/new")
		c := m.CrashClone(seed)
		got, err := c.ReadFile("/d/f")
		must(t, err)
		text := strings.TrimRight(string(got), "\x00")
		if !strings.HasPrefix(text, synced) || !strings.HasPrefix(synced+unsynced, text) {
			t.Fatalf("seed %d: the crash left %q", seed, got)
		}
		lengths[len(text)] = true
		if len(text) < len(got) {
			zeros++
		}
		if _, err := c.Stat("d/new"); err == nil {
			names++
		}
	}
	if len(lengths) < 12 || zeros == 0 || names < 100 || names > 200 {
		t.Errorf("300 crashes left %d lengths, %d with zeros, %d names: too little variety", len(lengths), zeros, names)
	}
}

// TestRenameIsWhole: an unsynced rename leaves one of the two names, and with
// the folder synced the new one.
func TestRenameIsWhole(t *testing.T) {
	outcomes := map[string]int{}
	for seed := range uint64(100) {
		m := New()
		must(t, m.WriteFile("/a", []byte("old")))
		must(t, m.WriteFile("/tmp", []byte("new")))
		must(t, m.Rename("/tmp", "/a"))
		c := m.CrashClone(seed)
		a, err := c.ReadFile("/a")
		must(t, err)
		_, err = c.Stat("/tmp")
		if there := err == nil; there != (string(a) == "old") {
			t.Fatalf("seed %d: /a is %q, the other name there: %v", seed, a, there)
		}
		outcomes[string(a)]++
		must(t, m.SyncDir("/"))
		if a, _ := m.CrashClone(seed).ReadFile("/a"); string(a) != "new" {
			t.Fatalf("seed %d: after SyncDir /a is %q", seed, a)
		}
	}
	if outcomes["old"] == 0 || outcomes["new"] == 0 {
		t.Errorf("outcomes %v", outcomes)
	}
}

func TestSyncDirOrdersNames(t *testing.T) {
	m := New()
	must(t, m.Mkdir("/x", 0o755))
	must(t, m.Mkdir("/y", 0o755))
	must(t, m.SyncDir("/"))
	f := create(t, m, "/x/f")
	write(t, f, "1")
	must(t, f.Sync())
	must(t, m.Rename("/x/f", "/y/g"))
	must(t, m.SyncDir("/y"))
	must(t, m.SyncDir("/x"))
	for seed := range uint64(20) {
		c := m.CrashClone(seed)
		if c.Tree() != "/x/\n/y/\n/y/g 1\n" {
			t.Fatalf("seed %d left\n%s", seed, c.Tree())
		}
	}
}

// TestLostSync: after a failed fsync that drops the pages they are still read,
// and are gone after a crash however often Sync is called again.
func TestLostSync(t *testing.T) {
	m := New()
	s := Wrap(m)
	f := create(t, s, "/f")
	must(t, s.SyncDir("/"))
	write(t, f, "good")
	must(t, f.Sync())
	write(t, f, "lost")
	s.Inject(Fault{Op: Sync, Times: 1, Err: syscall.EIO, Lose: true})
	wantFault(t, f.Sync(), syscall.EIO)
	must(t, f.Sync())
	write(t, f, "more")
	must(t, f.Sync())
	if all, _ := m.ReadFile("/f"); string(all) != "goodlostmore" {
		t.Errorf("read %q", all)
	}
	if all, _ := m.CrashClone(1).ReadFile("/f"); string(all) != "good\x00\x00\x00\x00more" {
		t.Errorf("the crash left %q", all)
	}
	if all, _ := m.KeepAll().ReadFile("/f"); string(all) != "goodlostmore" {
		t.Errorf("the end of the process left %q", all)
	}
}

func TestCapacity(t *testing.T) {
	m := New()
	m.SetCapacity(10)
	f := create(t, m, "/f")
	write(t, f, "12345678")
	n, err := f.Write([]byte("abcd"))
	if n != 2 || !errors.Is(err, syscall.ENOSPC) || !env.NoSpace(err) {
		t.Errorf("wrote %d, %v", n, err)
	}
	must(t, f.Truncate(4))
	write(t, f, "") // a write of nothing needs no room
	g := create(t, m, "/g")
	write(t, g, "123456")
	must(t, m.Remove("/f"))
	write(t, g, "7890")
	if m.Used() != 10 {
		t.Errorf("%d bytes in use", m.Used())
	}
	m.SetCapacity(20)
	write(t, g, "more")
}

func TestFaultsAreCounted(t *testing.T) {
	s := Wrap(New())
	f := create(t, s, "/one.aof")
	other := create(t, s, "/one.rdb")
	s.Inject(Fault{Op: Write, Path: "*.aof", Skip: 1, Times: 2, Err: syscall.EIO, Short: 2})
	var got []int
	for range 5 {
		n, _ := f.Write([]byte("abc"))
		got = append(got, n)
		write(t, other, "abc")
	}
	if want := []int{3, 2, 2, 3, 3}; !equal(got, want) {
		t.Errorf("wrote %v, want %v", got, want)
	}
	waited := 0
	remove := s.Inject(Fault{Op: Changes, Err: syscall.EROFS, Wait: func() { waited++ }})
	_, err := s.OpenFile("/x", os.O_CREATE|os.O_WRONLY, 0o644)
	wantFault(t, err, syscall.EROFS)
	wantFault(t, s.Rename("/one.aof", "/y"), syscall.EROFS)
	wantFault(t, s.Remove("/one.aof"), syscall.EROFS)
	wantFault(t, s.Mkdir("/m", 0o755), syscall.EROFS)
	remove()
	must(t, s.Rename("/one.aof", "/y"))
	if waited != 4 || s.Calls(Write) != 10 || s.Calls(Rename) != 2 {
		t.Errorf("waited %d, %d writes, %d renames", waited, s.Calls(Write), s.Calls(Rename))
	}
	s.Inject(Fault{Op: Read | SyncDir | Open | Truncate, Err: syscall.EIO})
	_, err = f.Read(make([]byte, 1))
	wantFault(t, err, syscall.EIO)
	_, err = f.ReadAt(make([]byte, 1), 0)
	wantFault(t, err, syscall.EIO)
	_, err = s.ReadFile("/y")
	wantFault(t, err, syscall.EIO)
	_, err = s.OpenFile("/y", os.O_RDONLY, 0)
	wantFault(t, err, syscall.EIO)
	wantFault(t, f.Truncate(0), syscall.EIO)
	wantFault(t, s.SyncDir("/"), syscall.EIO)
	s.Heal()
	must(t, f.Truncate(0))
}

func equal(a, b []int) bool {
	for i := range a {
		if len(a) != len(b) || a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestBehavesAsTheSystem does the same on the real file system and in memory.
func TestBehavesAsTheSystem(t *testing.T) {
	for name, s := range map[string]env.FS{"memory": New(), "real": env.Real().FS} {
		dir := t.TempDir()
		if name == "memory" {
			for i, c := range dir {
				if c == '/' && i > 0 {
					_ = s.Mkdir(dir[:i], 0o755)
				}
			}
			must(t, s.Mkdir(dir, 0o755))
		}
		behave(t, name, s, dir)
	}
}

func behave(t *testing.T, name string, s env.FS, dir string) {
	f, err := s.OpenFile(dir+"/f", os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	must(t, err)
	write(t, f, "hello world")
	must(t, f.Truncate(5))
	write(t, f, "!")
	if _, err := f.Read(make([]byte, 1)); err == nil {
		t.Errorf("%s: read from a file opened for writing", name)
	}
	must(t, f.Close())
	if _, err := f.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%s: write to a closed file: %v", name, err)
	}
	_, err = s.OpenFile(dir+"/f", env.CreateNew, 0o600)
	wantFault(t, err, fs.ErrExist)
	_, err = s.OpenFile(dir+"/none", os.O_RDONLY, 0)
	wantFault(t, err, fs.ErrNotExist)
	must(t, s.Rename(dir+"/f", dir+"/g"))
	_, err = s.Stat(dir + "/f")
	wantFault(t, err, fs.ErrNotExist)
	g, err := s.OpenFile(dir+"/g", os.O_RDONLY, 0)
	must(t, err)
	all, err := io.ReadAll(g)
	if must(t, err); !bytes.Equal(all, []byte("hello!")) {
		t.Errorf("%s: read %q", name, all)
	}
	part := make([]byte, 3)
	if n, err := g.ReadAt(part, 4); n != 2 || err != io.EOF {
		t.Errorf("%s: ReadAt at the end: %d, %v", name, n, err)
	}
	if at, err := g.Seek(-2, io.SeekEnd); at != 4 || err != nil {
		t.Errorf("%s: Seek: %d, %v", name, at, err)
	}
	must(t, s.Mkdir(dir+"/sub", 0o755))
	list, err := s.ReadDir(dir)
	must(t, err)
	if len(list) != 2 || list[0].Name() != "g" || !list[1].IsDir() {
		t.Errorf("%s: listed %v", name, list)
	}
	l, err := s.Lock(dir + "/lock")
	must(t, err)
	if _, err := s.Lock(dir + "/lock"); !errors.Is(err, env.ErrLocked) {
		t.Errorf("%s: locked twice: %v", name, err)
	}
	must(t, l.Close())
	l, err = s.Lock(dir + "/lock")
	must(t, err)
	must(t, l.Close())
	must(t, s.Remove(dir+"/g"))
	must(t, s.Remove(dir+"/sub"))
	must(t, s.SyncDir(dir))
}
