//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// daemonMark tells a started copy of this program that it is the daemon.
const daemonMark = "DOZO_DAEMON"

// daemonize starts this program again, in a session of its own without a
// terminal, and ends: a Go program cannot fork.
func daemonize() int {
	exe, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "dozo server: daemonize:", err)
		return 1
	}
	cmd := exec.Command(exe, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), daemonMark+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "dozo server: daemonize:", err)
		return 1
	}
	return 0
}

// filesBeside is how many descriptors are needed beside clients'; a loop has two.
func filesBeside(loops int) int { return max(32, 16+2*loops) }

// raiseFileLimit makes room for n open files, as far as the system lets it, and
// tells how many there can be.
func raiseFileLimit(n int) int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return n // nobody knows; accepting says when there are too many
	}
	want := uint64(max(n, 0))
	if l.Cur >= want {
		return n
	}
	higher := l
	higher.Cur, higher.Max = want, max(want, l.Max) // root may go beyond Max
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &higher) == nil {
		return n
	}
	higher.Cur, higher.Max = l.Max, l.Max
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &higher) == nil {
		return int(l.Max)
	}
	return int(l.Cur)
}
