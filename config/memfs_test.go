package config

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"
	"time"

	"dozo/env"
)

// memFS is a file system in memory that can be told to fail. What a test does
// not use is left to the nil FS inside, which panics.
type memFS struct {
	env.FS
	files map[string]string
	modes map[string]fs.FileMode
	links map[string]string
	fail  string // the operation that fails
	why   error  // with what; nil is errDisk
	// failIn are operations that fail in one folder.
	failIn map[string]string
	log    []string // operations that change something
}

var errDisk = errors.New("disk on fire")

func newMemFS() *memFS {
	return &memFS{files: map[string]string{}, modes: map[string]fs.FileMode{}}
}

func (m *memFS) did(op string) error {
	m.log = append(m.log, op)
	if m.fail == op {
		return &fs.PathError{Op: op, Path: "x", Err: cmp.Or(m.why, errDisk)}
	}
	return nil
}

func notThere(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: syscall.ENOENT}
}

func (m *memFS) ReadFile(name string) ([]byte, error) {
	if to, ok := m.links[name]; ok {
		name = to
	}
	if s, ok := m.files[name]; ok {
		return []byte(s), nil
	}
	return nil, notThere("open", name)
}

func (m *memFS) Stat(name string) (fs.FileInfo, error) {
	if _, ok := m.files[name]; ok {
		return memInfo{name: path.Base(name), mode: m.modes[name]}, nil
	}
	for f := range m.files {
		if name == "/" || strings.HasPrefix(f, name+"/") {
			return memInfo{name: path.Base(name), mode: fs.ModeDir | 0o755}, nil
		}
	}
	return nil, notThere("stat", name)
}

func (m *memFS) ReadDir(name string) ([]fs.DirEntry, error) {
	seen := map[string]bool{}
	var out []fs.DirEntry
	for f := range m.files {
		rest, ok := strings.CutPrefix(f, strings.TrimSuffix(name, "/")+"/")
		first, _, deep := strings.Cut(rest, "/")
		if !ok || seen[first] {
			continue
		}
		seen[first] = true
		mode := fs.FileMode(0o644)
		if deep {
			mode = fs.ModeDir
		}
		out = append(out, fs.FileInfoToDirEntry(memInfo{name: first, mode: mode}))
	}
	if out == nil {
		return nil, notThere("open", name)
	}
	return out, nil
}

// didIn is did in the folder of name.
func (m *memFS) didIn(op, name string) error {
	if m.failIn[path.Dir(name)] == op {
		return &fs.PathError{Op: op, Path: name, Err: m.why}
	}
	return m.did(op)
}

func (m *memFS) OpenFile(name string, flag int, perm fs.FileMode) (env.File, error) {
	if err := m.didIn("open", name); err != nil {
		return nil, err
	}
	if _, there := m.files[name]; there && flag&syscall.O_EXCL != 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EEXIST}
	}
	m.files[name], m.modes[name] = "", perm
	return &memFile{fs: m, name: name}, nil
}

func (m *memFS) Rename(from, to string) error {
	if err := m.didIn("rename", to); err != nil {
		return err
	}
	m.files[to], m.modes[to] = m.files[from], m.modes[from]
	delete(m.files, from)
	return nil
}

func (m *memFS) Remove(name string) error {
	if _, ok := m.files[name]; !ok {
		return notThere("remove", name)
	}
	delete(m.files, name)
	return nil
}

func (m *memFS) SyncDir(string) error { return m.did("syncdir") }

func (m *memFS) Chmod(name string, mode fs.FileMode) error {
	if err := m.did("chmod"); err != nil {
		return err
	}
	m.modes[name] = mode
	return nil
}

func (m *memFS) CopyOwner(name string, info fs.FileInfo) error {
	if m.fail == "chown" {
		return errDisk
	}
	return nil
}

func (m *memFS) Lstat(name string) (fs.FileInfo, error) {
	if _, ok := m.links[name]; ok {
		return memInfo{name: path.Base(name), mode: fs.ModeSymlink | 0o777}, nil
	}
	return m.Stat(name)
}

func (m *memFS) Resolve(name string) (string, error) {
	if to, ok := m.links[name]; ok {
		return to, nil
	}
	_, err := m.Stat(name)
	return name, err
}

type memFile struct {
	env.File
	fs   *memFS
	name string
}

func (f *memFile) Write(b []byte) (int, error) {
	if err := f.fs.did("write"); err != nil {
		return 0, err
	}
	f.fs.files[f.name] += string(b)
	return len(b), nil
}

func (f *memFile) Sync() error  { return f.fs.did("sync") }
func (f *memFile) Close() error { return f.fs.did("close") }

type memInfo struct {
	name string
	mode fs.FileMode
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return 0 }
func (i memInfo) Mode() fs.FileMode  { return i.mode }
func (i memInfo) ModTime() time.Time { return time.Time{} }
func (i memInfo) IsDir() bool        { return i.mode.IsDir() }
func (i memInfo) Sys() any           { return nil }

// withFile is a Config that has loaded content as /etc/dozo.conf. Its folder
// /data exists.
func withFile(t interface{ Fatal(...any) }, content string) (*Config, *memFS) {
	m := newMemFS()
	m.files["/etc/dozo.conf"], m.modes["/etc/dozo.conf"] = content, 0o640
	m.files["/data/.keep"] = ""
	m.files["/data/more/.keep"] = ""
	c := New(Options{FS: m, WorkDir: "/data"})
	if err := c.Load(Sources{File: "/etc/dozo.conf"}); err != nil {
		t.Fatal(err)
	}
	return c, m
}
