//go:build !linux

package keyspace

import (
	"testing"

	"golang.org/x/sys/unix"
)

// threadUse is what the whole process has used, all that these systems tell:
// the figures of several executors are sums of sums there.
func threadUse(b *testing.B) (u unix.Rusage) {
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Error(err)
	}
	return u
}

// threadClock is the processor time of the process in nanoseconds.
func threadClock() int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
