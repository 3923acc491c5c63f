package keyspace

import (
	"testing"

	"golang.org/x/sys/unix"
)

// threadUse is what the calling thread has used.
func threadUse(b *testing.B) (u unix.Rusage) {
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		b.Error(err)
	}
	return u
}
