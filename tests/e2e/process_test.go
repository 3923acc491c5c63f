package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dozo/internal/testutil"
)

func dozoBinary(t *testing.T) string {
	t.Helper()
	path, err := testutil.Build(testutil.Plain)
	must(t, err)
	return path
}

// TestNamesOfRedis: under the name redis-server, through a symbolic link, the
// binary behaves as that program.
func TestNamesOfRedis(t *testing.T) {
	link := filepath.Join(t.TempDir(), "redis-server")
	must(t, os.Symlink(dozoBinary(t), link))
	s, err := testutil.Start(testutil.Options{Program: link})
	must(t, err)
	defer s.Stop()
	if got := s.Conn(t, 2).Info("server", "process_id"); got != fmt.Sprint(s.Pid) {
		t.Errorf("process_id %s, want %d: a launcher is in between", got, s.Pid)
	}
	for _, want := range []string{"PID: " + fmt.Sprint(s.Pid), "Server initialized", "Ready to accept connections"} {
		if !strings.Contains(strings.ReplaceAll(s.Log(), "pid=", "PID: "), want) {
			t.Errorf("no %q in the log:\n%s", want, s.Log())
		}
	}
	must(t, s.Terminate())
	if log := s.Log(); !strings.Contains(log, "ready to exit, bye bye") {
		t.Errorf("the log of a graceful end:\n%s", log)
	}
	if r := runProgram(t, "", link, "--version"); r.code != 0 || !strings.Contains(r.out, "v=7.2") {
		t.Errorf("--version: %+v", r)
	}
}

// TestSignals: SIGTERM and SIGINT end the server, SIGHUP and SIGUSR1 do not.
func TestSignals(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		s := testutil.StartDozo(t)
		for _, harmless := range []os.Signal{syscall.SIGHUP, syscall.SIGUSR1} {
			must(t, s.Signal(harmless))
		}
		time.Sleep(50 * time.Millisecond)
		c := s.Conn(t, 2)
		c.MustOK("PING")
		must(t, s.Signal(sig))
		waitFor(t, "the end after "+sig.String(), func() bool { return !s.Alive() })
		must(t, s.Terminate())
	}
	s := testutil.StartDozo(t)
	c := s.Conn(t, 2)
	if _, err := c.DoErr("SHUTDOWN", "NOSAVE"); err == nil {
		t.Error("SHUTDOWN answered")
	}
	waitFor(t, "the end after SHUTDOWN", func() bool { return !s.Alive() })
	must(t, s.Terminate())
}

// TestConfigFile: includes, quoting, and the command line that wins.
func TestConfigFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	included := write("part.conf", "maxmemory 5mb\nhz 42\n")
	main := write("main.conf", "# a comment\ninclude "+included+"\nrequirepass \"pass \\x77ord\"\nmaxmemory-policy allkeys-lru\n")
	o, err := testutil.DozoOptions(testutil.Plain, "--maxmemory", "7mb")
	must(t, err)
	o.Args, o.Bare = append(o.Args, main), true
	s, err := testutil.Start(o)
	must(t, err)
	defer s.Stop()
	c := s.Conn(t, 2)
	if v := c.Do("PING"); !v.IsError() {
		t.Errorf("without the password: %v", v)
	}
	c.MustOK("AUTH", "pass word")
	for name, want := range map[string]string{"maxmemory": "7340032", "hz": "42", "maxmemory-policy": "allkeys-lru"} {
		if got := c.MustOK("CONFIG", "GET", name).Elems[1].Str; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// TestBadConfig: what is wrong stops the start and is named with file and line.
func TestBadConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.conf")
	for _, test := range []struct {
		text string
		want []string
	}{
		{"maxmemory 1mb\nno-such-directive yes\n", []string{"bad.conf", "2", "no-such-directive"}},
		{"maxmemory lots\n", []string{"bad.conf", "1", "maxmemory"}},
		{"port 1234 5678 9\n", []string{"port"}},
		{"requirepass \"unbalanced\n", []string{"bad.conf"}},
		{"include /no/such/file.conf\n", []string{"/no/such/file.conf"}},
	} {
		must(t, os.WriteFile(file, []byte(test.text), 0o600))
		r := runProgram(t, "", dozoBinary(t), "server", file, "--port", "0")
		if r.code == 0 {
			t.Errorf("%q was accepted", test.text)
		}
		for _, want := range test.want {
			if !strings.Contains(r.out, want) {
				t.Errorf("%q: no %q in\n%s", test.text, want, r.out)
			}
		}
	}
}

// TestConfigOnStandardInput: "-" reads the configuration from there.
func TestConfigOnStandardInput(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s.sock")
	cmd := exec.Command(dozoBinary(t), "server", "-")
	cmd.Stdin = strings.NewReader("port 0\nsave \"\"\ndir " + filepath.Dir(socket) + "\nunixsocket " + socket + "\nunixsocketperm 700\n")
	testutil.Tie(cmd)
	must(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill() // it runs until then
		_ = cmd.Wait()
	}()
	var conn net.Conn
	waitFor(t, "the unix socket", func() (ok bool) {
		var err error
		conn, err = net.Dial("unix", socket)
		return err == nil
	})
	defer conn.Close()
	waitFor(t, "the permissions of the socket", func() bool { // set after it listens
		info, err := os.Stat(socket)
		return err == nil && info.Mode().Perm() == 0o700
	})
	_, err := conn.Write([]byte("PING\r\n"))
	must(t, err)
	buf := make([]byte, 7)
	if _, err := conn.Read(buf); err != nil || string(buf) != "+PONG\r\n" {
		t.Errorf("PING over the unix socket: %q, %v", buf, err)
	}
}

// TestSecondServerOnPort: the port of another server is an error at the start.
func TestSecondServerOnPort(t *testing.T) {
	s := testutil.StartDozo(t)
	r := runProgram(t, "", dozoBinary(t), "server", "--port", fmt.Sprint(s.Port), "--bind", "127.0.0.1")
	if r.code == 0 || !strings.Contains(r.out, "ddress already in use") {
		t.Errorf("%+v", r)
	}
}

// TestIPv6: several bind addresses, one of them IPv6.
func TestIPv6(t *testing.T) {
	if l, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		t.Skipf("no IPv6 here: %v", err)
	} else {
		_ = l.Close() // only asked
	}
	s := testutil.StartDozo(t, "--bind", "127.0.0.1", "::1")
	c, err := testutil.Dial(fmt.Sprintf("[::1]:%d", s.Port))
	must(t, err)
	defer c.Close()
	if v, err := c.DoErr("PING"); err != nil || v.Str != "PONG" {
		t.Errorf("over IPv6: %v, %v", v, err)
	}
}
