package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// TestDaemon: the daemon has the configuration that was given, though it is
// started again and in another folder: from a file with a relative name, and from
// standard input.
func TestDaemon(t *testing.T) {
	for _, source := range []string{"my.conf", "-"} {
		t.Run(source, func(t *testing.T) {
			from, dir := t.TempDir(), t.TempDir()
			socket, pid := filepath.Join(dir, "s.sock"), filepath.Join(dir, "dozo.pid")
			text := "daemonize yes\nport 0\nsave \"\"\nunixsocket " + socket + "\ndir " + dir + "\npidfile " + pid + "\nlogfile my.log\n"
			must(t, os.WriteFile(filepath.Join(from, "my.conf"), []byte(text), 0o600))
			cmd := exec.Command(dozoBinary(t), "server", source)
			cmd.Dir, cmd.Stdin = from, strings.NewReader(text)
			testutil.Tie(cmd)
			if out, err := cmd.CombinedOutput(); err != nil || len(out) != 0 {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Cleanup(func() { endDaemon(t, pid) })
			waitFor(t, "the daemon", func() bool {
				conn, err := net.Dial("unix", socket)
				if err == nil {
					_ = conn.Close() // it was there, which is all
				}
				return err == nil
			})
			waitFor(t, "the end of the start in the log", func() bool { // it listens before
				log, err := os.ReadFile(filepath.Join(dir, "my.log"))
				return err == nil && strings.Contains(string(log), "Ready to accept connections unix")
			})
		})
	}
}

// endDaemon ends the process of a pid file, which must then be gone.
func endDaemon(t *testing.T, file string) {
	var pid int
	waitFor(t, "the pid file", func() bool {
		text, err := os.ReadFile(file)
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})
	must(t, syscall.Kill(pid, syscall.SIGTERM))
	waitFor(t, "the daemon's end", func() bool {
		_, err := os.Stat(file)
		return os.IsNotExist(err)
	})
}

// TestNothingToListenOn: a server that nobody can reach does not start.
func TestNothingToListenOn(t *testing.T) {
	for _, args := range [][]string{{"--port", "0"}, {"--bind", "-192.0.2.1"}} {
		r := runProgram(t, "", dozoBinary(t), append([]string{"server", "--save", ""}, args...)...)
		if r.code != 1 || !strings.Contains(r.out, "Configured to not listen anywhere, exiting.") {
			t.Errorf("%q: %+v", args, r)
		}
	}
}

// TestInsisting: a second SIGINT ends a server that waits for a long command.
func TestInsisting(t *testing.T) {
	s := testutil.StartDozo(t)
	c := s.Conn(t, 2)
	c.Queue("DEBUG", "SLEEP", "60")
	must(t, c.Flush())
	waitForLog := func(text string) {
		t.Helper()
		waitFor(t, "the line "+text, func() bool { return strings.Contains(s.Log(), text) })
	}
	time.Sleep(100 * time.Millisecond) // the loop is in it then
	must(t, s.Signal(syscall.SIGINT))
	waitForLog("Received SIGINT scheduling shutdown...")
	must(t, s.Signal(syscall.SIGINT))
	waitForLog("You insist... exiting now.")
	waitFor(t, "the end", func() bool { return !s.Alive() })
}
