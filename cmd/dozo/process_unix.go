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

// fileReserve is how many descriptors are needed beside clients'.
const fileReserve = 32

// raiseFileLimit makes room for the clients that the configuration allows, as
// far as the system lets it.
func raiseFileLimit(clients int) {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return
	}
	want := uint64(clients + fileReserve)
	if l.Cur >= want {
		return
	}
	l.Cur = min(want, l.Max)
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l) // a lower limit only refuses clients later
}
