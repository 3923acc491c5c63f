package env

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io/fs"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Real is the world outside: the system's clocks, files and network, and random
// sources seeded by the operating system.
func Real() *Env {
	return &Env{
		Clock:   realClock{},
		FS:      realFS{},
		Dialer:  &net.Dialer{},
		NewRand: func() Rand { return Seeded(osSeed()) },
	}
}

// From is a dialer whose connections come from an address of this machine, "" = from any.
// That of a test goes its own ways.
func From(d Dialer, source string) Dialer {
	if real, ok := d.(*net.Dialer); ok && source != "" {
		return &bound{Dialer: *real, source: source}
	}
	return d
}

// bound is a dialer with a source.
type bound struct {
	net.Dialer
	source string
}

// DialContext implements Dialer.
func (b *bound) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ip, err := net.ResolveIPAddr("ip", b.source)
	if err != nil {
		return nil, err
	}
	d := b.Dialer
	d.LocalAddr = &net.TCPAddr{IP: ip.IP, Zone: ip.Zone}
	return d.DialContext(ctx, network, address)
}

// Flags of OpenFile, for those who may not ask os.
const (
	ReadOnly  = os.O_RDONLY
	Create    = os.O_WRONLY | os.O_CREATE | os.O_TRUNC // a new file, in place of one that is there
	CreateNew = os.O_WRONLY | os.O_CREATE | os.O_EXCL  // a file that must not exist yet
	Scratch   = os.O_RDWR | os.O_CREATE | os.O_TRUNC   // the same, to be read, too
	Append    = os.O_WRONLY | os.O_APPEND              // at the end of a file that is there
	AppendNew = CreateNew | os.O_APPEND                // always at the end of a file that must not exist yet
)

// Seeded is a fast random source that gives the same numbers for the same seed.
func Seeded(seed uint64) Rand { return mathrand.NewPCG(seed, seed^0x9e3779b97f4a7c15) }

func osSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: the runtime aborts the process instead
	return binary.LittleEndian.Uint64(b[:])
}

// processStart anchors Monotonic: time.Since of a value with a monotonic
// reading costs one clock read, half of what time.Now costs.
var processStart = time.Now()

type realClock struct{}

func (realClock) Wall() time.Duration      { return time.Duration(time.Now().UnixNano()) }
func (realClock) Monotonic() time.Duration { return time.Since(processStart) }

// Deadline is so much later by the clock that connections go by, which is the system's
// whatever an Env's clock shows.
func Deadline(after time.Duration) time.Time { return time.Now().Add(after) }

type realFS struct{}

func (realFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return f, nil
}
func (realFS) Rename(from, to string) error               { return os.Rename(from, to) }
func (realFS) Remove(name string) error                   { return os.Remove(name) }
func (realFS) Stat(name string) (fs.FileInfo, error)      { return os.Stat(name) }
func (realFS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
func (realFS) ReadFile(name string) ([]byte, error)       { return os.ReadFile(name) }
func (realFS) Mkdir(name string, perm fs.FileMode) error  { return os.Mkdir(name, perm) }
func (realFS) Lstat(name string) (fs.FileInfo, error)     { return os.Lstat(name) }
func (realFS) Resolve(name string) (string, error)        { return filepath.EvalSymlinks(name) }
func (realFS) Chmod(name string, perm fs.FileMode) error  { return os.Chmod(name, perm) }

func (realFS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
