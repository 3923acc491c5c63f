package server_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"dozo"
	"dozo/internal/testutil"
)

// crashMark makes a copy of the test program be the server that crashes.
const crashMark = "DOZO_TEST_CRASH"

// TestCrashReport has servers crash, each in a process of its own.
func TestCrashReport(t *testing.T) {
	if what := os.Getenv(crashMark); what != "" {
		crash(t, what)
		return
	}
	for what, headline := range map[string]string{
		"DEBUG PANIC":        "Software failure: DEBUG PANIC called at Unix time",
		"DEBUG SEGFAULT":     "crashed by signal: 11",
		"MULTI|DEBUG ASSERT": "ASSERTION FAILED",
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestCrashReport$")
		cmd.Env = append(os.Environ(), crashMark+"="+what)
		out, err := cmd.CombinedOutput()
		text := string(out)
		if err == nil || cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("%s ended with %v", what, err)
		}
		for _, want := range []string{
			"=== REDIS BUG REPORT START", headline, "STACK TRACE", "server.debug", "INFO OUTPUT", "redis_version:", "db0:keys=1",
			"CLIENT LIST OUTPUT", "name=victim", "CURRENT CLIENT INFO", "argv[0]:", "CONFIG DEBUG OUTPUT", "=== REDIS BUG REPORT END",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the report has no %q", what, want)
			}
		}
		if strings.Contains(text, "panic: ") || strings.Contains(text, "left out") {
			t.Errorf("%s: %s", what, text)
		}
	}
}

// crash is what the copy does.
func crash(t *testing.T, what string) {
	srv, err := dozo.Start(dozo.Options{Log: os.Stdout, Directives: [][2]string{{"enable-debug-command", "yes"}, {"io-threads", "3"}}})
	if err != nil {
		t.Fatal(err)
	}
	var conns []*testutil.Conn
	for range 3 {
		c, err := testutil.Dial(srv.Addr())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	c := conns[0]
	for _, line := range []string{"CLIENT SETNAME victim", "SET k v"} {
		if _, err := c.DoErr(strings.Fields(line)...); err != nil {
			t.Fatal(err)
		}
	}
	steps := strings.Split(what, "|")
	for _, line := range steps {
		_, err = c.DoErr(strings.Fields(line)...)
	}
	if len(steps) > 1 {
		_, err = c.DoErr("EXEC")
	}
	t.Fatalf("still alive: %v", err)
}
