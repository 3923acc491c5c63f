package aof

import (
	"errors"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dozo/env"
	"dozo/internal/faultfs"
)

// withFiles is a disk with files, by name in the folder, or by path.
func withFiles(t testing.TB, files map[string]string) *faultfs.Mem {
	t.Helper()
	disk := newDisk(t)
	must(t, disk.Mkdir(testDir+"/appendonlydir", 0o755))
	must(t, disk.SyncDir(testDir))
	for name, content := range files {
		if !strings.HasPrefix(name, "/") {
			name = testDir + "/appendonlydir/" + name
		}
		must(t, disk.WriteFile(name, []byte(content)))
	}
	return disk
}

const manifest12 = "file appendonly.aof.1.base.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n"

func set(id string) string { return string(command("SET", id, "x")) }

func open(t testing.TB, fs env.FS) *Store {
	t.Helper()
	s, err := Open(placeOn(fs))
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func ids(list []got) []int {
	var out []int
	for _, g := range list {
		out = append(out, g.id)
	}
	return out
}

func TestInspect(t *testing.T) {
	empty, err := Inspect(placeOn(newDisk(t)))
	must(t, err)
	if !empty.Empty() || empty.Upgrade || len(empty.Parts) != 0 {
		t.Errorf("of nothing: %+v", empty)
	}
	set, err := Inspect(placeOn(withFiles(t, map[string]string{
		"appendonly.aof.manifest": manifest12, "appendonly.aof.1.base.aof": set("1"), "appendonly.aof.1.incr.aof": set("2"),
		"appendonly.aof.7.incr.aof": "x", "appendonly.aof.x.incr.aof": "", "other.aof.1.incr.aof": "", "appendonly.aof.lock": "",
	})))
	must(t, err)
	if !slices.Equal(set.Missing, []string{"appendonly.aof.2.incr.aof"}) || !slices.Equal(set.Extra, []string{"appendonly.aof.7.incr.aof"}) {
		t.Errorf("missing %q, extra %q", set.Missing, set.Extra)
	}
	if set.Size() != 54 || set.BaseSize() != 27 || set.Empty() || set.Parts[2].Size != -1 {
		t.Errorf("sizes %d %d of %+v", set.Size(), set.BaseSize(), set.Parts)
	}
	_, err = Inspect(placeOn(withFiles(t, map[string]string{"appendonly.aof.manifest": "nonsense\n"})))
	var m *ManifestError
	if !errors.As(err, &m) || m.Line != 1 {
		t.Errorf("of a broken manifest: %v", err)
	}
}

func TestOpenLocks(t *testing.T) {
	disk := newDisk(t)
	first := open(t, disk)
	if _, err := Open(placeOn(disk)); !errors.Is(err, env.ErrLocked) || !strings.Contains(err.Error(), "another server") {
		t.Errorf("opened twice: %v", err)
	}
	must(t, first.Close())
	open(t, disk)
}

func TestOpenFails(t *testing.T) {
	fs := faultfs.Wrap(newDisk(t))
	fs.Inject(faultfs.Fault{Op: faultfs.Mkdir, Err: syscall.EROFS})
	if _, err := Open(placeOn(fs)); !errors.Is(err, syscall.EROFS) {
		t.Errorf("a folder that cannot be made: %v", err)
	}
	fs.Heal()
	fs.Inject(faultfs.Fault{Op: faultfs.SyncDir, Err: syscall.EIO})
	if _, err := Open(placeOn(fs)); !errors.Is(err, syscall.EIO) {
		t.Errorf("a folder that may vanish: %v", err)
	}
}

func TestLoadInOrder(t *testing.T) {
	s := open(t, withFiles(t, map[string]string{
		"appendonly.aof.manifest":   manifest12,
		"appendonly.aof.1.base.aof": "REDISxyz" + set("1"), "appendonly.aof.1.incr.aof": set("2"), "appendonly.aof.2.incr.aof": "#TS:5\r\n" + set("3") + set("4"),
	}))
	var l loading
	o := l.options()
	o.Preamble = func(r io.Reader, size int64) (int64, error) {
		text := make([]byte, 8)
		if _, err := io.ReadFull(r, text); err != nil || string(text) != "REDISxyz" || size != 35 {
			t.Errorf("the preamble %q of %d, %v", text, size, err)
		}
		return 8, nil
	}
	var told []string
	o.Begin = func(p *Part) { told = append(told, "begin "+p.Name) }
	o.End = func(p *Part, torn *TornError) { told = append(told, "end "+p.Name) }
	var progress []int64
	o.Progress = func(n int64) { progress = append(progress, n) }
	must(t, s.Load(o))
	if got := ids(l.list); !slices.Equal(got, []int{1, 2, 3, 4}) || l.list[3].time != 5 || l.list[1].time != 0 {
		t.Errorf("loaded %v", l.list)
	}
	if len(told) != 6 || told[3] != "end appendonly.aof.1.incr.aof" || !slices.Equal(progress, []int64{35, 62, 123}) {
		t.Errorf("told %q, %v", told, progress)
	}
}

// TestLoadTorn: only the last file with anything in it may be torn, and only if
// that is allowed.
func TestLoadTorn(t *testing.T) {
	torn := set("2") + set("3")[:20]
	for _, c := range []struct {
		incr1, incr2 string
		allowed      bool
		want         []int
	}{
		{set("2"), torn, true, []int{1, 2, 2}},
		{torn, "", true, []int{1, 2}},
		{torn, set("9"), true, nil},
		{set("2"), torn, false, nil},
		{set("2"), "garbage", true, nil},
	} {
		disk := withFiles(t, map[string]string{
			"appendonly.aof.manifest": manifest12, "appendonly.aof.1.base.aof": set("1"), "appendonly.aof.1.incr.aof": c.incr1, "appendonly.aof.2.incr.aof": c.incr2,
		})
		s := open(t, disk)
		var l loading
		o := l.options()
		o.Truncated = c.allowed
		err := s.Load(o)
		if (err == nil) != (c.want != nil) {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if err != nil {
			continue
		}
		if got := ids(l.list); !slices.Equal(got, c.want) {
			t.Errorf("%+v: loaded %v", c, got)
		}
		if l.torn == nil || l.torn.Command != "SET" || l.torn.Size-l.torn.Offset != 20 {
			t.Errorf("%+v: told of %v", c, l.torn)
		}
		again := open(t, disk.CrashClone(1))
		if got := ids(load(t, again)); !slices.Equal(got, c.want) || again.Set().Size() != s.Set().Size() {
			t.Errorf("%+v: loaded again %v", c, got)
		}
	}
}

func TestLoadFails(t *testing.T) {
	files := map[string]string{"appendonly.aof.manifest": manifest12, "appendonly.aof.1.base.aof": set("1"), "appendonly.aof.1.incr.aof": set("2")}
	s := open(t, withFiles(t, files))
	if err := s.Load((&loading{}).options()); err == nil || !strings.Contains(err.Error(), "appendonly.aof.2.incr.aof") {
		t.Errorf("with a file missing: %v", err)
	}
	files["appendonly.aof.2.incr.aof"] = set("3")[:25]
	fs := faultfs.Wrap(withFiles(t, files))
	s = open(t, fs)
	fs.Inject(faultfs.Fault{Op: faultfs.Truncate, Err: syscall.EROFS})
	if err := s.Load((&loading{}).options()); !errors.Is(err, syscall.EROFS) {
		t.Errorf("a torn end that cannot be cut: %v", err)
	}
	fs.Inject(faultfs.Fault{Op: faultfs.Read, Path: "*.1.incr.aof", Err: syscall.EIO})
	if err := s.Load((&loading{}).options()); !errors.Is(err, syscall.EIO) {
		t.Errorf("a file that cannot be read: %v", err)
	}
	fs.Inject(faultfs.Fault{Op: faultfs.Open, Path: "*.base.aof", Err: syscall.EACCES})
	if err := s.Load((&loading{}).options()); !errors.Is(err, syscall.EACCES) {
		t.Errorf("a file that cannot be opened: %v", err)
	}
}

// TestUpgrade moves an old file, with a power failure after each call of the
// disk: whatever is left, the next start finds the data.
func TestUpgrade(t *testing.T) {
	for fail := range 14 {
		for seed := range uint64(8) {
			disk := newDisk(t)
			must(t, disk.WriteFile(testDir+"/appendonly.aof", []byte(set("1")+set("2"))))
			fs := faultfs.Wrap(disk)
			fs.Inject(faultfs.Fault{Op: faultfs.Changes | faultfs.Sync | faultfs.SyncDir | faultfs.Write, Skip: fail, Err: syscall.EIO})
			if s, err := Open(placeOn(fs)); err == nil {
				if err := s.Upgrade(); err == nil {
					if got := ids(load(t, s)); !slices.Equal(got, []int{1, 2}) {
						t.Fatalf("fault %d: loaded %v", fail, got)
					}
				}
			}
			after := disk.CrashClone(seed)
			s := open(t, after)
			must(t, s.Upgrade())
			if got := ids(load(t, s)); !slices.Equal(got, []int{1, 2}) {
				t.Fatalf("fault %d, seed %d: loaded %v from\n%s", fail, seed, got, after.Tree())
			}
			if _, err := after.Stat(testDir + "/appendonly.aof"); err == nil {
				t.Fatalf("the old file is still there:\n%s", after.Tree())
			}
		}
	}
}

// TestNoUpgrade: a file in the old place beside a set that is complete without
// it is left alone.
func TestNoUpgrade(t *testing.T) {
	files := map[string]string{
		"appendonly.aof.manifest": "file appendonly.aof seq 1 type b\n", "appendonly.aof": set("1"),
		testDir + "/appendonly.aof": set("9"),
	}
	s := open(t, withFiles(t, files))
	if s.Set().Upgrade {
		t.Error("an upgrade that was done is done again")
	}
	delete(files, "appendonly.aof")
	if s := open(t, withFiles(t, files)); !s.Set().Upgrade {
		t.Error("an upgrade that was begun is not finished")
	}
	files["appendonly.aof.manifest"] = manifest12
	if s := open(t, withFiles(t, files)); s.Set().Upgrade || len(s.Set().Missing) != 3 {
		t.Error("files that are missing are made up for by an old one")
	}
}

func TestTidy(t *testing.T) {
	disk := withFiles(t, map[string]string{
		"appendonly.aof.manifest":   "file appendonly.aof.2.base.aof seq 2 type b\nfile appendonly.aof.1.base.aof seq 1 type h\nfile appendonly.aof.9.incr.aof seq 9 type h\n",
		"appendonly.aof.2.base.aof": set("1"), "appendonly.aof.1.base.aof": set("9"), "temp-appendonly.aof.manifest": "x", "temp-other": "y", "appendonly.aof.5.incr.aof": "", "appendonly.aof.6.incr.aof": "z",
	})
	s := open(t, disk)
	removed := s.Tidy(false)
	if !slices.Equal(removed, []string{"appendonly.aof.5.incr.aof", "temp-appendonly.aof.manifest", "appendonly.aof.1.base.aof"}) {
		t.Errorf("removed %q", removed)
	}
	content, err := disk.ReadFile(testDir + "/appendonlydir/appendonly.aof.manifest")
	if must(t, err); string(content) != "file appendonly.aof.2.base.aof seq 2 type b\n" {
		t.Errorf("the manifest is %q", content)
	}
	if tree := disk.Tree(); !strings.Contains(tree, "temp-other") || !strings.Contains(tree, "6.incr") {
		t.Errorf("too much was removed:\n%s", tree)
	}
}
