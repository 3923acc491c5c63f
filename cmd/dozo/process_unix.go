//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// daemonMark tells a started copy of this program that it is the daemon.
const daemonMark = "DOZO_DAEMON"

// daemonize starts this program again, in a session of its own without a
// terminal, and ends: a Go program cannot fork.
func daemonize(from origin) int {
	if err := startDaemon(from); err != nil {
		fmt.Fprintln(os.Stderr, "dozo server: daemonize:", err)
		return 1
	}
	return 0
}

// startDaemon gives the copy the folder and the input that the configuration was
// read from: it reads it again.
func startDaemon(from origin) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Dir = from.dir
	cmd.Env = append(os.Environ(), daemonMark+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if from.stdin != nil {
		input, err := unnamedFile(from.stdin)
		if err != nil {
			return fmt.Errorf("cannot pass the configuration on: %w", err)
		}
		defer input.Close()
		cmd.Stdin = input
	}
	return cmd.Start()
}

// unnamedFile is a file with this content that nobody else can open. A pipe would
// need somebody who stays to fill it.
func unnamedFile(content []byte) (*os.File, error) {
	f, err := os.CreateTemp("", "dozo-config-")
	if err != nil {
		return nil, err
	}
	err = os.Remove(f.Name())
	if err == nil {
		_, err = f.Write(content)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
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
