//go:build !linux

package server

import (
	"math"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"dozo/env"
)

// residentBytes is how much memory of the process is in RAM, or 0 when the
// system does not tell.
func (s *Server) residentBytes() int64 { return 0 }

// availableMemory is as much as anybody can ask for: this system does not tell.
func availableMemory(env.FS) int64 { return math.MaxInt64 / 2 }

// systemMemory is how much RAM the machine has.
func systemMemory() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0
	}
	return int64(n)
}

// sleep stops the calling thread, and whatever waits for it, for a time.
func Sleep(d time.Duration) {
	left := unix.NsecToTimeval(int64(d))
	_, _ = unix.Select(0, nil, nil, nil, &left) // an early end only shortens a debugging aid
}

// threadTimes are the whole process': this system does not tell threads apart.
func threadTimes() cpuTimes { return processTimes(unix.RUSAGE_SELF) }

// GiveWay lets others run that wait for the calling thread's core.
func GiveWay() { runtime.Gosched() }
