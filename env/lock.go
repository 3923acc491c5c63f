package env

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Lock uses flock: it belongs to the open file, so it ends with the process
// however that ends, and leaves nothing behind that must be cleaned up. The file
// itself stays. It is open for reading only where that suffices, as it does but on
// NFS: a file that is open for writing keeps its file system from being mounted
// read-only.
func (realFS) Lock(name string) (io.Closer, error) {
	f, err := lockAs(name, os.O_RDONLY)
	if errors.Is(err, syscall.EBADF) {
		f, err = lockAs(name, os.O_RDWR)
	}
	if err != nil {
		return nil, err // not f, which would be no nil interface
	}
	return f, nil
}

func lockAs(name string, mode int) (*os.File, error) {
	f, err := os.OpenFile(name, mode|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return f, nil
}
