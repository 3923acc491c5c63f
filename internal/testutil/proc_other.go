//go:build !linux

package testutil

import (
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// Tie would make the program end with the process that starts it; only Linux
// can. Elsewhere a test that is killed may leave a server behind.
func Tie(*exec.Cmd) {}

var errNoProc = fmt.Errorf("times and memory of other processes are read in Linux' way: %w", errors.ErrUnsupported)

// CPUTime returns the processor time (user and system) that a process used.
func CPUTime(int) (time.Duration, error) { return 0, errNoProc }

// Peaks returns the most memory that a process has had resident, and the most addresses.
func Peaks(int) (resident, addresses int64, err error) { return 0, 0, errNoProc }

// RSS returns the resident memory of a process in bytes.
func RSS(int) (int64, error) { return 0, errNoProc }
