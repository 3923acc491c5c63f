package cli

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// TestMain lets the test program be the command line itself, since a prompt
// needs a process whose standard streams are a terminal.
func TestMain(m *testing.M) {
	if os.Getenv("DOZO_CLI_TEST_CHILD") != "" {
		os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// terminal starts the command line on a terminal of its own.
func terminal(t *testing.T, args ...string) (keys *os.File, screen *output, cmd *exec.Cmd) {
	t.Helper()
	cmd = exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "DOZO_CLI_TEST_CHILD=1", "TERM=vt100")
	keys, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 200})
	if err != nil {
		t.Skip(err) // no terminals here
	}
	screen = &output{}
	go func() { _, _ = io.Copy(screen, keys) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		keys.Close()
	})
	return keys, screen, cmd
}

func press(t *testing.T, keys io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(keys, text); err != nil {
		t.Fatal(err)
	}
}

// forget empties the screen.
func (o *output) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf.Reset()
}

func TestPrompt(t *testing.T) {
	s := pair(t)
	os.Unsetenv("FAKETTY")
	history := filepath.Join(t.TempDir(), "history")
	t.Setenv("REDISCLI_HISTFILE", history)
	port := strconv.Itoa(s.Port)
	prompt := "127.0.0.1:" + port
	keys, screen, cmd := terminal(t, "-p", port)
	screen.takePart(t, prompt+"> ")
	for _, step := range []struct{ type_, want string }{
		{"set k v\r", "OK\r\n"},
		{"get k\r", "\"v\"\r\n"},
		{"select 3\r", prompt + "[3]> "},
		{"multi\r", prompt + "[3](TX)> "},
		{"discard\r", prompt + "[3]> "},
		{"auth secret\r", "(error) "},
		{"incrby \t", "\x1b[90mkey increment\x1b[0m\r\n"},
		{"\x15objec\t\t\r", "OBJECT"},
		{"\x1b[A\x1b[A\r", "DISCARD without MULTI"},
	} {
		screen.forget()
		press(t, keys, step.type_)
		screen.takePart(t, step.want)
		time.Sleep(30 * time.Millisecond)
	}
	press(t, keys, "quit\r")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(history)
	if err != nil || !strings.HasPrefix(string(b), "set k v\nget k\nselect 3\n") || strings.Contains(string(b), "secret") {
		t.Errorf("history %q, %v", b, err)
	}
	if info, err := os.Stat(history); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

func TestInterrupts(t *testing.T) {
	s := pair(t)
	os.Unsetenv("FAKETTY")
	c := s.Conn(t, 2)
	port := strconv.Itoa(s.Port)
	keys, screen, cmd := terminal(t, "-p", port)
	screen.takePart(t, port+"> ")
	press(t, keys, "monitor\r")
	screen.takePart(t, "OK\r\n")
	c.MustOK("ECHO", "seen")
	screen.takePart(t, "\"seen\"")
	screen.forget()
	_ = cmd.Process.Signal(syscall.SIGINT)
	screen.takePart(t, port+"> ")
	press(t, keys, "subscribe ch\r")
	screen.takePart(t, "any key to type command)")
	screen.forget()
	press(t, keys, "x")
	screen.takePart(t, "(subscribed mode)> ")
	press(t, keys, "ping\r")
	screen.takePart(t, "pong")
	screen.forget()
	_ = cmd.Process.Signal(syscall.SIGINT)
	screen.takePart(t, port+"> ")
	press(t, keys, "blpop nolist 0\r")
	time.Sleep(100 * time.Millisecond)
	_ = cmd.Process.Signal(syscall.SIGINT)
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Error(err)
	}
}

func TestPasswordPrompt(t *testing.T) {
	s := pair(t, "--requirepass", "secret")
	os.Unsetenv("FAKETTY")
	keys, screen, cmd := terminal(t, "-p", strconv.Itoa(s.Port), "--askpass", "ping")
	screen.takePart(t, "Please input password: ")
	press(t, keys, "secret\r")
	screen.takePart(t, "PONG")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if strings.Contains(screen.buf.String(), "secret") {
		t.Error("the password is on the screen")
	}
}
