package faultfs

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"dozo/env"
)

// Mem is a file system in memory.
type Mem struct {
	mu       sync.Mutex
	root     *node
	names    []nameOp // changes to names that no SyncDir has covered, oldest first
	used     int64    // bytes of all files that have a name
	capacity int64
	locked   map[string]bool
	now      func() time.Time // nil = times do not pass
}

// node is a file or a folder. The name belongs to the folder.
type node struct {
	dir  bool
	mode fs.FileMode
	at   time.Time // of the last change

	// Of a file: what is read, what a crash leaves for certain, and the changes
	// from the one to the other.
	data    []byte
	durable []byte
	pending []byteOp
	links   int

	// Of a folder: the names as they are, and as a crash leaves them for certain.
	entries, kept map[string]*node
}

// byteOp is one write, or a truncation if data is nil.
type byteOp struct {
	at   int64
	data []byte
}

// place is a name in a folder.
type place struct {
	dir  *node
	name string
}

// nameOp is a change to names: from is what disappears, to what appears, as a
// name for node. One of them may be the zero place.
type nameOp struct {
	from, to place
	node     *node
}

func newDir(mode fs.FileMode) *node {
	return &node{dir: true, mode: mode | fs.ModeDir, entries: map[string]*node{}, kept: map[string]*node{}}
}

// New is an empty disk without a limit.
func New() *Mem {
	return &Mem{root: newDir(0o755), capacity: math.MaxInt64, locked: map[string]bool{}}
}

// SetCapacity bounds the bytes of all files.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

// SetClock has files tell when they were written last.
func (m *Mem) SetClock(now func() time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = now
}

// Used is how many bytes the files have.
func (m *Mem) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

func fault(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

func clean(name string) string { return path.Clean("/" + name) }

// find is the node of a path.
func (m *Mem) find(name string) (*node, error) {
	at := m.root
	for _, part := range strings.Split(clean(name), "/") {
		if part == "" {
			continue
		}
		if !at.dir {
			return nil, syscall.ENOTDIR
		}
		if at = at.entries[part]; at == nil {
			return nil, syscall.ENOENT
		}
	}
	return at, nil
}

// locate is the folder of a path and the name in it, which need not exist.
func (m *Mem) locate(name string) (place, error) {
	name = clean(name)
	dir, err := m.find(path.Dir(name))
	switch {
	case err != nil:
		return place{}, err
	case !dir.dir:
		return place{}, syscall.ENOTDIR
	case name == "/":
		return place{}, syscall.EEXIST
	}
	return place{dir, path.Base(name)}, nil
}

// change makes a change to names that is not durable yet.
func (m *Mem) change(op nameOp) {
	if old := op.to.node(); old != nil && old != op.node {
		m.unlink(old)
	}
	if op.to.dir == nil {
		m.unlink(op.node)
	}
	op.apply(func(d *node) map[string]*node { return d.entries })
	m.names = append(m.names, op)
}

func (p place) node() *node {
	if p.dir == nil {
		return nil
	}
	return p.dir.entries[p.name]
}

func (m *Mem) unlink(n *node) {
	if n.links--; n.links == 0 {
		m.used -= int64(len(n.data))
	}
}

// apply does the change in one of the two views of the folders.
func (op nameOp) apply(view func(*node) map[string]*node) {
	if op.from.dir != nil && view(op.from.dir)[op.from.name] == op.node {
		delete(view(op.from.dir), op.from.name)
	}
	if op.to.dir != nil {
		view(op.to.dir)[op.to.name] = op.node
	}
}

// OpenFile opens or creates a file. The flags are those of os.OpenFile.
func (m *Mem) OpenFile(name string, flag int, perm fs.FileMode) (env.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.locate(name)
	if err != nil {
		return nil, fault("open", name, err)
	}
	n := p.node()
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, fault("open", name, syscall.ENOENT)
	case n != nil && flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return nil, fault("open", name, syscall.EEXIST)
	case n != nil && n.dir && flag&(os.O_WRONLY|os.O_RDWR) != 0:
		return nil, fault("open", name, syscall.EISDIR)
	case n == nil:
		n = &node{mode: perm, links: 1}
		m.change(nameOp{to: p, node: n})
	case flag&os.O_TRUNC != 0:
		m.resize(n, 0)
	}
	return &file{mem: m, node: n, name: name, flag: flag}, nil
}

// Rename moves a name, replacing a file that has it.
func (m *Mem) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := m.locate(from)
	if err == nil && a.node() == nil {
		err = syscall.ENOENT
	}
	var b place
	if err == nil {
		b, err = m.locate(to)
	}
	if err == nil && b.node() != nil && b.node().dir {
		err = syscall.EISDIR
	}
	if err != nil {
		return fault("rename", from, err)
	}
	if a != b {
		m.change(nameOp{from: a, to: b, node: a.node()})
	}
	return nil
}

// Remove removes a file or an empty folder.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.locate(name)
	switch {
	case err != nil:
	case p.node() == nil:
		err = syscall.ENOENT
	case p.node().dir && len(p.node().entries) > 0:
		err = syscall.ENOTEMPTY
	}
	if err != nil {
		return fault("remove", name, err)
	}
	m.change(nameOp{from: p, node: p.node()})
	return nil
}

// Mkdir makes a folder.
func (m *Mem) Mkdir(name string, perm fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, err := m.locate(name)
	if err == nil && p.node() != nil {
		err = syscall.EEXIST
	}
	if err != nil {
		return fault("mkdir", name, err)
	}
	n := newDir(perm)
	n.links = 1
	m.change(nameOp{to: p, node: n})
	return nil
}

// Stat describes a file or folder.
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name)
	if err != nil {
		return nil, fault("stat", name, err)
	}
	return info{path.Base(clean(name)), n.mode, int64(len(n.data)), n.at}, nil
}

// Lstat is Stat: there are no links.
func (m *Mem) Lstat(name string) (fs.FileInfo, error) { return m.Stat(name) }

// Resolve finds every name where it is.
func (m *Mem) Resolve(name string) (string, error) {
	_, err := m.Stat(name)
	return name, err
}

// Chmod sets the rights, durable at once: no test looks for them after a crash.
func (m *Mem) Chmod(name string, perm fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name)
	if err != nil {
		return fault("chmod", name, err)
	}
	n.mode = n.mode.Type() | perm.Perm()
	return nil
}

// CopyOwner does nothing: all files are everybody's.
func (m *Mem) CopyOwner(string, fs.FileInfo) error { return nil }

// ReadDir lists a folder, sorted by name.
func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name)
	if err == nil && !n.dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, fault("open", name, err)
	}
	var list []fs.DirEntry
	for name, e := range n.entries {
		list = append(list, fs.FileInfoToDirEntry(info{name, e.mode, int64(len(e.data)), e.at}))
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return list, nil
}

// ReadFile is a whole file.
func (m *Mem) ReadFile(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name)
	if err == nil && n.dir {
		err = syscall.EISDIR
	}
	if err != nil {
		return nil, fault("open", name, err)
	}
	return slices.Clone(n.data), nil
}

// WriteFile puts a file there as if it had always been there: it is durable.
func (m *Mem) WriteFile(name string, data []byte) error {
	f, err := m.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return m.SyncDir(path.Dir(clean(name)))
}

// SyncDir makes the changes to a folder's names durable, and those before them
// that touch the same names.
func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, err := m.find(name)
	if err != nil {
		return fault("open", name, err)
	}
	touched := map[place]bool{}
	durable := make([]bool, len(m.names))
	for i, op := range slices.Backward(m.names) {
		if op.from.dir == dir || op.to.dir == dir || touched[op.from] || touched[op.to] {
			durable[i] = true
			touched[op.from], touched[op.to] = true, true
			delete(touched, place{})
		}
	}
	var rest []nameOp
	for i, op := range m.names {
		if durable[i] {
			op.apply(func(d *node) map[string]*node { return d.kept })
		} else {
			rest = append(rest, op)
		}
	}
	m.names = rest
	return nil
}

// Lock locks a name within this disk: a clone has none of its locks.
func (m *Mem) Lock(name string) (io.Closer, error) {
	f, err := m.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	_ = f.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	name = clean(name)
	if m.locked[name] {
		return nil, fmt.Errorf("lock %s: %w", name, env.ErrLocked)
	}
	m.locked[name] = true
	return &lock{mem: m, name: name}, nil
}

type lock struct {
	mem  *Mem
	name string
}

func (l *lock) Close() error {
	l.mem.mu.Lock()
	defer l.mem.mu.Unlock()
	delete(l.mem.locked, l.name)
	return nil
}

// Tree lists all files with their sizes, for messages of tests.
func (m *Mem) Tree() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	m.root.list(&b, "")
	return b.String()
}

func (n *node) list(b *strings.Builder, prefix string) {
	for _, name := range slices.Sorted(maps.Keys(n.entries)) {
		e := n.entries[name]
		if e.dir {
			fmt.Fprintf(b, "%s/%s/\n", prefix, name)
			e.list(b, prefix+"/"+name)
			continue
		}
		fmt.Fprintf(b, "%s/%s %d\n", prefix, name, len(e.data))
	}
}

type info struct {
	name string
	mode fs.FileMode
	size int64
	at   time.Time
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.at }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
