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

// threadClock is the processor time of the calling thread in nanoseconds.
func threadClock() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return ts.Nano()
}
