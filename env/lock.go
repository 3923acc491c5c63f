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
// itself stays.
func (realFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
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
