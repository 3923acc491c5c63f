package faultfs

import (
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"dozo/env"
)

// Op is a kind of call.
type Op uint16

// The kinds of calls; a Fault may name several by adding them.
const (
	Open   Op = 1 << iota // of a file that is there
	Create                // of a file that may not be there
	Read
	Write
	Sync
	Truncate
	Rename
	Remove
	Mkdir
	SyncDir
	Look // at a name: Stat, Lstat, ReadDir, Resolve
	Lock
	Rights // Chmod, CopyOwner

	// Changes are the calls that a folder refuses which may not be written to.
	Changes = Create | Rename | Remove | Mkdir
)

// Fault says which calls fail and how. A call that several match meets the oldest.
type Fault struct {
	Op    Op
	Path  string // a pattern for the last part of the path, or for all of it; "" is any
	Under string // a folder in which the path must lie; "" is any

	Skip  int // so many matching calls pass first
	Times int // so many fail then; 0 is all

	Err   error  // what the call returns; nil only delays it
	Short int    // a failing write has put so many of its bytes
	Lose  bool   // a failing Sync drops what was not synced, and later ones do not know
	Wait  func() // called before, with nothing locked: to block, or to look
}

// FS is a file system some of whose calls fail.
type FS struct {
	inner  env.FS
	mu     sync.Mutex
	faults []*Fault
	calls  map[Op]int
}

// Wrap is a layer over any file system, the real one or Mem; Lose has an effect
// on Mem only.
func Wrap(inner env.FS) *FS { return &FS{inner: inner, calls: map[Op]int{}} }

// Inject adds a fault. The returned func takes it back.
func (s *FS) Inject(f Fault) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	added := &f
	s.faults = append(s.faults, added)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return f == added })
	}
}

// Heal takes all faults back.
func (s *FS) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Calls is how many calls of a kind there were, failed ones too.
func (s *FS) Calls(op Op) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}

// meet is the fault that a call meets, nil if none.
func (s *FS) meet(op Op, name string) *Fault {
	s.mu.Lock()
	s.calls[op]++
	hit := s.match(op, name)
	s.mu.Unlock()
	if hit != nil && hit.Wait != nil {
		hit.Wait()
	}
	return hit
}

// match finds the fault and counts the call for it.
func (s *FS) match(op Op, name string) *Fault {
	for _, f := range s.faults {
		if f.Op&op == 0 || f.Path != "" && !fits(f.Path, name) || !strings.HasPrefix(name, f.Under) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		switch f.Times {
		case 0:
		case 1:
			f.Times = -1
		case -1:
			continue
		default:
			f.Times--
		}
		hit := *f
		return &hit
	}
	return nil
}

func fits(pattern, name string) bool {
	base, _ := path.Match(pattern, path.Base(name))
	whole, _ := path.Match(pattern, name)
	return base || whole
}

// failed is the error of a call, nil if it is to be made.
func (s *FS) failed(op Op, call, name string) error {
	if f := s.meet(op, name); f != nil && f.Err != nil {
		return fault(call, name, f.Err)
	}
	return nil
}

// OpenFile counts as Create with os.O_CREATE, else as Open.
func (s *FS) OpenFile(name string, flag int, perm fs.FileMode) (env.File, error) {
	op := Open
	if flag&os.O_CREATE != 0 {
		op = Create
	}
	if err := s.failed(op, "open", name); err != nil {
		return nil, err
	}
	f, err := s.inner.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultyFile{File: f, fs: s, name: name}, nil
}

// Rename fails for faults on either name.
func (s *FS) Rename(from, to string) error {
	if err := s.failed(Rename, "rename", to); err != nil {
		return err
	}
	return s.inner.Rename(from, to)
}

// Remove removes a file.
func (s *FS) Remove(name string) error {
	if err := s.failed(Remove, "remove", name); err != nil {
		return err
	}
	return s.inner.Remove(name)
}

// Mkdir makes a folder.
func (s *FS) Mkdir(name string, perm fs.FileMode) error {
	if err := s.failed(Mkdir, "mkdir", name); err != nil {
		return err
	}
	return s.inner.Mkdir(name, perm)
}

// SyncDir makes names durable.
func (s *FS) SyncDir(name string) error {
	if err := s.failed(SyncDir, "sync", name); err != nil {
		return err
	}
	return s.inner.SyncDir(name)
}

// ReadFile reads a whole file.
func (s *FS) ReadFile(name string) ([]byte, error) {
	if err := s.failed(Read, "read", name); err != nil {
		return nil, err
	}
	return s.inner.ReadFile(name)
}

// Stat tells about a file.
func (s *FS) Stat(name string) (fs.FileInfo, error) {
	if err := s.failed(Look, "stat", name); err != nil {
		return nil, err
	}
	return s.inner.Stat(name)
}

// ReadDir lists a folder.
func (s *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := s.failed(Look, "readdir", name); err != nil {
		return nil, err
	}
	return s.inner.ReadDir(name)
}

// Lstat tells about a file, or a link.
func (s *FS) Lstat(name string) (fs.FileInfo, error) {
	if err := s.failed(Look, "lstat", name); err != nil {
		return nil, err
	}
	return s.inner.Lstat(name)
}

// Resolve follows links.
func (s *FS) Resolve(name string) (string, error) {
	if err := s.failed(Look, "resolve", name); err != nil {
		return "", err
	}
	return s.inner.Resolve(name)
}

// Chmod changes a file's mode.
func (s *FS) Chmod(name string, perm fs.FileMode) error {
	if err := s.failed(Rights, "chmod", name); err != nil {
		return err
	}
	return s.inner.Chmod(name, perm)
}

// CopyOwner changes a file's owner.
func (s *FS) CopyOwner(name string, info fs.FileInfo) error {
	if err := s.failed(Rights, "chown", name); err != nil {
		return err
	}
	return s.inner.CopyOwner(name, info)
}

// Lock locks a file.
func (s *FS) Lock(name string) (io.Closer, error) {
	if err := s.failed(Lock, "lock", name); err != nil {
		return nil, err
	}
	return s.inner.Lock(name)
}

type faultyFile struct {
	env.File
	fs   *FS
	name string
}

func (f *faultyFile) Read(p []byte) (int, error) {
	if err := f.fs.failed(Read, "read", f.name); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

func (f *faultyFile) ReadAt(p []byte, at int64) (int, error) {
	if err := f.fs.failed(Read, "read", f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

func (f *faultyFile) Write(p []byte) (int, error) {
	hit := f.fs.meet(Write, f.name)
	if hit == nil || hit.Err == nil {
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:min(len(p), hit.Short)])
	if err == nil {
		err = fault("write", f.name, hit.Err)
	}
	return n, err
}

func (f *faultyFile) Truncate(size int64) error {
	if err := f.fs.failed(Truncate, "truncate", f.name); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *faultyFile) Sync() error {
	hit := f.fs.meet(Sync, f.name)
	if hit == nil || hit.Err == nil {
		return f.File.Sync()
	}
	if mem, ok := f.File.(interface{ LoseUnsynced() }); ok && hit.Lose {
		mem.LoseUnsynced()
	}
	return fault("sync", f.name, hit.Err)
}
