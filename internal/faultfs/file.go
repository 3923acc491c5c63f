package faultfs

import (
	"io"
	"os"
	"slices"
	"syscall"
)

// file is an open file. Its place is its own; all else is the node's.
type file struct {
	mem    *Mem
	node   *node
	name   string
	flag   int
	at     int64
	closed bool
}

func (f *file) Name() string { return f.name }

func (f *file) Close() error {
	f.mem.mu.Lock()
	defer f.mem.mu.Unlock()
	if f.closed {
		return fault("close", f.name, os.ErrClosed)
	}
	f.closed = true
	return nil
}

// usable is the check that begins every call, under the lock.
func (f *file) usable(op string, write bool) error {
	access := f.flag & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
	switch {
	case f.closed:
		return fault(op, f.name, os.ErrClosed)
	case f.node.dir:
		return fault(op, f.name, syscall.EISDIR)
	case write && access == os.O_RDONLY, !write && access == os.O_WRONLY:
		return fault(op, f.name, syscall.EBADF)
	}
	return nil
}

func (f *file) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.at)
	f.at += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (f *file) ReadAt(p []byte, at int64) (int, error) {
	f.mem.mu.Lock()
	defer f.mem.mu.Unlock()
	if err := f.usable("read", false); err != nil {
		return 0, err
	}
	n := 0
	if at < int64(len(f.node.data)) {
		n = copy(p, f.node.data[at:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Write(p []byte) (int, error) {
	f.mem.mu.Lock()
	defer f.mem.mu.Unlock()
	if err := f.usable("write", true); err != nil {
		return 0, err
	}
	if f.flag&os.O_APPEND != 0 {
		f.at = int64(len(f.node.data))
	}
	n, err := f.mem.write(f.node, f.at, p)
	f.at += int64(n)
	if err != nil {
		err = fault("write", f.name, err)
	}
	return n, err
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	f.mem.mu.Lock()
	defer f.mem.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += int64(len(f.node.data))
	}
	if offset < 0 {
		return 0, fault("seek", f.name, syscall.EINVAL)
	}
	f.at = offset
	return offset, nil
}

func (f *file) Truncate(size int64) error {
	f.mem.mu.Lock()
	defer f.mem.mu.Unlock()
	if err := f.usable("truncate", true); err != nil {
		return err
	}
	f.mem.resize(f.node, size)
	return nil
}

// Sync makes the bytes durable.
func (f *file) Sync() error {
	f.mem.mu.Lock()
	defer f.mem.mu.Unlock()
	if f.closed {
		return fault("sync", f.name, os.ErrClosed)
	}
	for _, op := range f.node.pending {
		f.node.durable = op.apply(f.node.durable)
	}
	f.node.pending = nil
	return nil
}

// LoseUnsynced is what some systems do after a failed fsync: the pages count as
// clean, so they are read as they were written, and no later sync writes them.
func (f *file) LoseUnsynced() {
	f.mem.mu.Lock()
	defer f.mem.mu.Unlock()
	f.node.pending = nil
}

// write puts bytes into a file, as many as there is room for.
func (m *Mem) write(n *node, at int64, p []byte) (int, error) {
	var err error
	if grow := at + int64(len(p)) - int64(len(n.data)); grow > 0 && n.links > 0 {
		if room := max(0, m.capacity-m.used); grow > room {
			p = p[:max(0, int64(len(p))-(grow-room))]
			err = syscall.ENOSPC
		}
	}
	if len(p) > 0 {
		m.do(n, byteOp{at, slices.Clone(p)})
	}
	return len(p), err
}

func (m *Mem) resize(n *node, size int64) { m.do(n, byteOp{at: size}) }

// do makes a change that is not durable yet.
func (m *Mem) do(n *node, op byteOp) {
	before := len(n.data)
	n.data = op.apply(n.data)
	n.pending = append(n.pending, op)
	if m.now != nil {
		n.at = m.now()
	}
	if n.links > 0 {
		m.used += int64(len(n.data) - before)
	}
}

// apply gives the content with the change made to it, in place if it has room.
func (op byteOp) apply(content []byte) []byte {
	end := op.at + int64(len(op.data))
	if op.data == nil && op.at < int64(len(content)) {
		return content[:op.at]
	}
	if grow := end - int64(len(content)); grow > 0 {
		content = append(content, make([]byte, grow)...)
	}
	copy(content[op.at:], op.data)
	return content
}
