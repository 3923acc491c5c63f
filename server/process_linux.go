package server

import (
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"dozo/env"
)

// residentBytes is how much memory of the process is in RAM, or 0 when the
// system does not tell.
func (s *Server) residentBytes() int64 {
	text, err := s.env.FS.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(unix.Getpagesize())
}

// availableMemory is how much RAM the system says can be had without swapping, or as much as
// anybody can ask for when it does not tell.
func availableMemory(files env.FS) int64 {
	text, err := files.ReadFile("/proc/meminfo")
	if err != nil {
		return math.MaxInt64 / 2
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "MemAvailable:" {
			if kb, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				return kb << 10
			}
		}
	}
	return math.MaxInt64 / 2
}

// systemMemory is how much RAM the machine has.
func systemMemory() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(uint64(info.Totalram) * uint64(info.Unit))
}

// sleep stops the calling thread, and whatever waits for it, for a time.
func Sleep(d time.Duration) {
	left := unix.NsecToTimespec(int64(d))
	for unix.Nanosleep(&left, &left) == unix.EINTR {
	}
}

// threadTimes are those of the calling thread.
func threadTimes() cpuTimes { return processTimes(unix.RUSAGE_THREAD) }

// GiveWay lets others run that wait for the calling thread's core. It costs next to
// nothing when there are none.
func GiveWay() { _, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
