package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

// checked runs `dozo server --check-config` in a folder, as a pipeline does. It
// returns the exit status and what was printed.
func checked(t *testing.T, dir string, args ...string) (status int, output string) {
	t.Helper()
	program, err := testutil.Build(testutil.Plain)
	must(t, err)
	cmd := exec.Command(program, append([]string{"server", "--check-config"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "REDISCLI_AUTH=from-environment")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

func TestCheckConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) { must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600)) }
	write("good.conf", "hz 20\ninclude more/*.conf\nrename-command FLUSHALL \"\"\n")
	write("bad.conf", "port x\nrename-command NOPE a\ninclude nope.conf\nhz 10\nzzz 1\n")
	write("later.conf", "appendonly no\naclfile /etc/users.acl\n")
	for _, tt := range []struct {
		args   string
		status int
		output string
	}{
		{"good.conf", 0, "good.conf is valid\n"},
		{"later.conf", 0, "warning: ACL users are configured"},
		{"good.conf -- --port 7000 --save 900 1", 0, "good.conf is valid\n"},
		{"good.conf -- --port x", 2, "command line:2: argument couldn't be parsed into an integer: 'port \"x\"'\n"},
		{"bad.conf", 2, "DIR/bad.conf:1: argument couldn't be parsed into an integer: 'port x'\n" +
			"DIR/bad.conf:3: can't open included file 'DIR/nope.conf': No such file or directory\n" +
			"DIR/bad.conf:5: Bad directive or wrong number of arguments: 'zzz 1'\n" +
			"DIR/bad.conf:2: No such command in rename-command: 'rename-command NOPE a'\n" +
			"bad.conf is not valid; mistakes: 4\n"},
		{"none.conf", 2, "DIR/none.conf: No such file or directory\n"},
		{"", 2, "the file is missing"},
		{"--against", 2, "--against needs a value"},
		{"good.conf --port 1", 2, `"--port" is not understood; options of the start come behind --`},
		{"good.conf --against 127.0.0.1:1", 2, "127.0.0.1:1 cannot be asked for its configuration: "},
	} {
		status, output := checked(t, dir, strings.Fields(tt.args)...)
		if want := strings.ReplaceAll(tt.output, "DIR", dir); status != tt.status || !strings.Contains(output, want) {
			t.Errorf("%q: status %d\n%s", tt.args, status, output)
		}
	}
}

// TestCheckConfigAgainst compares files with running servers of both kinds.
func TestCheckConfigAgainst(t *testing.T) {
	const content = "requirepass from-environment\nmaxmemory 100mb\nsave 900 1\nkey-load-delay 5\n"
	for kind, start := range map[string]func(*testing.T, string, ...string) configured{"dozo": dozoOnFile, "redis": redisOnFile} {
		t.Run(kind, func(t *testing.T) {
			c := start(t, content)
			c.MustOK("AUTH", "from-environment")
			options := func(more ...string) []string {
				return append([]string{c.file, "--against", c.server.Addr()}, append(more, "--",
					"--bind", "127.0.0.1", "--port", strings.TrimPrefix(c.server.Addr(), "127.0.0.1:"))...)
			}
			if status, output := checked(t, "/", options()...); status != 0 || output != c.server.Addr()+" runs what "+c.file+" says\n" {
				t.Errorf("nothing has changed: status %d\n%s", status, output)
			}
			c.MustOK("CONFIG", "SET", "maxmemory", "200mb", "requirepass", "other", "timeout", "7", "key-load-delay", "6")
			status, output := checked(t, "/", options("--user", "default", "--pass", "other")...)
			for _, want := range []string{
				`maxmemory: ` + c.server.Addr() + ` has "209715200", the configuration says "104857600" (` + c.file + ":2)\n",
				`timeout: ` + c.server.Addr() + ` has "7", the configuration says "0" (default)` + "\n",
				`key-load-delay: ` + c.server.Addr() + ` has "6", the configuration says "5" (` + c.file + ":4)\n",
				`requirepass: ` + c.server.Addr() + ` has (secret), the configuration says (secret)`,
			} {
				if status != 1 || !strings.Contains(output, want) || strings.Count(output, "\n") != 4 {
					t.Errorf("status %d, without %s:\n%s", status, want, output)
				}
			}
			socket := filepath.Join(filepath.Dir(c.file), "s")
			if status, output := checked(t, "/", c.file, "--against", socket, "-a", "other"); status != 2 || !strings.Contains(output, socket) {
				t.Errorf("a socket of nobody: status %d\n%s", status, output)
			}
			if status, output := checked(t, "/", c.file, "--against", "localhost"); status != 2 || !strings.Contains(output, "HOST:PORT or the path") {
				t.Errorf("no port: status %d\n%s", status, output)
			}
			if status, output := checked(t, "/", options()...); status != 2 || !strings.Contains(output, "WRONGPASS") {
				t.Errorf("with a wrong password: status %d\n%s", status, output)
			}
		})
	}
}

// TestCheckConfigThroughSocket asks a server that no network reaches.
func TestCheckConfigThroughSocket(t *testing.T) {
	dir := t.TempDir()
	file, socket := filepath.Join(dir, "redis.conf"), filepath.Join(dir, "s")
	must(t, os.WriteFile(file, []byte("unixsocket "+socket+"\nrequirepass secret\nmaxmemory 1gb\n"), 0o600))
	s := started(t, false, t.TempDir(), "--unixsocket", socket, "--requirepass", "secret")
	status, output := checked(t, "/", file, "--against", socket, "-a", "secret", "--", "--bind", "127.0.0.1", "--port", strings.TrimPrefix(s.Addr(), "127.0.0.1:"))
	if status != 1 || !strings.Contains(output, "maxmemory: "+socket+` has "0", the configuration says "1073741824"`) {
		t.Errorf("status %d\n%s", status, output)
	}
}
