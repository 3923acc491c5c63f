// Package env is the only door to what differs from run to run: the clocks, the
// random source, files and outgoing connections. Packages above it take an Env
// (or the one part they need) instead of calling time.Now, math/rand or os, so
// that a test or the simulator can hold the other end.
package env

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"time"
)

// Clock tells the time. Wall is what users see (TTLs, LASTSAVE) and may jump;
// Monotonic never goes back and is for durations and timeouts.
type Clock interface {
	// Wall is the time since the Unix epoch.
	Wall() time.Duration
	// Monotonic is the time since some fixed start of this process.
	Monotonic() time.Duration
}

// Rand is a source of random numbers. It need not be safe for concurrent use:
// each owner makes its own with Env.NewRand.
type Rand interface {
	Uint64() uint64
}

// File is an open file as the durability packages need it.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Seeker
	io.Closer
	Truncate(size int64) error
	Sync() error
	Name() string
}

// FS is the part of the file system that Dozo uses. Paths are the host's.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	Stat(name string) (fs.FileInfo, error)
	// Lstat is Stat that does not follow a symbolic link.
	Lstat(name string) (fs.FileInfo, error)
	// Resolve follows symbolic links to the name of what is there.
	Resolve(name string) (string, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	ReadFile(name string) ([]byte, error)
	Mkdir(name string, perm fs.FileMode) error
	// Chmod sets the rights whatever the umask says.
	Chmod(name string, perm fs.FileMode) error
	// CopyOwner gives a file the owner and group that info tells of, as far as the
	// process may; the error says that it may not.
	CopyOwner(name string, info fs.FileInfo) error
	// SyncDir makes renames and removals in the folder durable.
	SyncDir(name string) error
	// Lock takes an exclusive lock that ends with the process at the latest, on a
	// file that is created if it is not there. It does not wait: the error wraps
	// ErrLocked when another process, or another owner in this one, has it.
	Lock(name string) (io.Closer, error)
}

// ErrLocked is wrapped by what Lock returns when another has the lock.
var ErrLocked = errors.New("locked by another process")

// Dialer opens outgoing connections.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Env is one server's world.
type Env struct {
	Clock   Clock
	FS      FS
	Dialer  Dialer
	NewRand func() Rand
}
