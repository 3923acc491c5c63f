package testutil

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Tie makes the kernel kill the program when the process that starts it dies,
// even by SIGKILL or a panic that runs no clean-up.
func Tie(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// CPUTime returns the processor time (user and system) that a process used, all its
// threads together, from the process' own CPU clock: /proc counts it in ticks of 10 ms.
func CPUTime(pid int) (time.Duration, error) {
	const schedClock = 2 // user and system, to the nanosecond
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &t); err != nil {
		return 0, fmt.Errorf("the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// RSS returns the resident memory of a process in bytes.
func RSS(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/%d/statm: %q", pid, b)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

var peakLine = regexp.MustCompile(`(?m)^(VmHWM|VmPeak):\s*(\d+) kB`)

// Peaks returns the most memory that a process has had resident, and the most addresses,
// in bytes.
func Peaks(pid int) (resident, addresses int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for _, line := range peakLine.FindAllStringSubmatch(string(text), -1) {
		kib, _ := strconv.ParseInt(line[2], 10, 64) // the expression only matches numbers
		if line[1] == "VmHWM" {
			resident = kib << 10
		} else {
			addresses = kib << 10
		}
	}
	if resident == 0 || addresses == 0 {
		return 0, 0, fmt.Errorf("/proc/%d/status: %q", pid, text)
	}
	return resident, addresses, nil
}
