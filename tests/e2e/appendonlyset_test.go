package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

// taken is a port that somebody else listens on.
func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	return port
}

// rewritten waits until the append only file has its base.
func rewritten(t *testing.T, s *testutil.Server) {
	t.Helper()
	waitFor(t, "the base of the append only file", func() bool {
		info := ask(t, s, "INFO", "persistence")
		return testutil.InfoField(info, "aof_rewrite_in_progress") == "0" && testutil.InfoField(info, "aof_rewrite_scheduled") == "0"
	})
}

// refused sends a CONFIG SET that must fail.
func refused(t *testing.T, s *testutil.Server, words ...string) {
	t.Helper()
	c, err := s.Dial()
	must(t, err)
	defer c.Close()
	v, err := c.DoErr(append([]string{"CONFIG", "SET"}, words...)...)
	must(t, err)
	if !v.IsError() {
		t.Fatalf("CONFIG SET %q: %v", words, v)
	}
}

// TestAppendOnlyOutlivesARefusal: a CONFIG SET that turns the append only file off and
// fails over something else leaves it on, and what is written next is kept.
func TestAppendOnlyOutlivesARefusal(t *testing.T) {
	dir, port := t.TempDir(), taken(t)
	s := started(t, false, dir, "--appendonly", "yes", "--appendfsync", "always")
	for i := range 20 {
		refused(t, s, "appendonly", "no", "appendfsync", "everysec", "port", port)
		ask(t, s, "SET", fmt.Sprint("balance", i), "100")
	}
	if info := ask(t, s, "INFO", "persistence"); testutil.InfoField(info, "aof_enabled") != "1" {
		t.Errorf("the append only file is off: %s", info)
	}
	kill(t, s)
	s = started(t, false, dir, "--appendonly", "yes")
	if n := ask(t, s, "INFO", "keyspace"); !strings.Contains(n, "keys=20,") {
		t.Errorf("after the restart: %s", n)
	}
}

// TestAppendOnlyRefused: one that turns it on and fails leaves it off, without a trace
// that the next start would stumble over.
func TestAppendOnlyRefused(t *testing.T) {
	dir, port := t.TempDir(), taken(t)
	s := started(t, false, dir)
	ask(t, s, "SET", "balance", "100")
	ask(t, s, "SAVE")
	for range 5 {
		refused(t, s, "appendonly", "yes", "port", port)
	}
	waitFor(t, "the append only file to be off", func() bool {
		return testutil.InfoField(ask(t, s, "INFO", "persistence"), "aof_enabled") == "0"
	})
	kill(t, s)
	if got := ask(t, started(t, false, dir), "GET", "balance"); got != "100" {
		t.Errorf("the balance is %q after the restart", got)
	}
}

// TestAppendOnlyOffAndOn: each of the two may follow the other at once.
func TestAppendOnlyOffAndOn(t *testing.T) {
	dir := t.TempDir()
	s := started(t, false, dir, "--appendonly", "yes")
	c, err := s.Dial()
	must(t, err)
	defer c.Close()
	for i := range 20 {
		for _, on := range []string{"no", "yes"} {
			v, err := c.DoErr("CONFIG", "SET", "appendonly", on)
			must(t, err)
			if v.IsError() {
				t.Fatalf("round %d, appendonly %s: %v", i, on, v)
			}
		}
	}
	rewritten(t, s)
	info := ask(t, s, "INFO", "persistence")
	if testutil.InfoField(info, "aof_enabled") != "1" || testutil.InfoField(info, "aof_last_bgrewrite_status") != "ok" {
		t.Error(info)
	}
	ask(t, s, "CONFIG", "SET", "appendfsync", "always")
	ask(t, s, "SET", "balance", "100")
	kill(t, s)
	marker, err := os.ReadFile(dir + "/dump.rdb.run")
	must(t, err)
	if !strings.Contains(string(marker), `"aof": true`) {
		t.Errorf("the word of the run: %s", marker)
	}
	if got := ask(t, started(t, false, dir, "--appendonly", "yes"), "GET", "balance"); got != "100" {
		t.Errorf("the balance is %q after the restart", got)
	}
}

// TestRewriteOutlivesSettings: BGREWRITEAOF with appendonly no is not given up because of
// a setting that it does not depend on.
func TestRewriteOutlivesSettings(t *testing.T) {
	dir := t.TempDir()
	s := started(t, false, dir, "--rdb-key-save-delay", "20000")
	for i := range 20 {
		ask(t, s, "SET", fmt.Sprint("key", i), "1")
	}
	ask(t, s, "BGREWRITEAOF")
	ask(t, s, "CONFIG", "SET", "appendfsync", "always")
	refused(t, s, "appendonly", "yes", "port", taken(t))
	rewritten(t, s)
	if info := ask(t, s, "INFO", "persistence"); testutil.InfoField(info, "aof_rewrites") != "1" || testutil.InfoField(info, "aof_enabled") != "0" {
		t.Error(info)
	}
	if _, err := os.Stat(dir + "/appendonlydir/appendonly.aof.1.base.rdb"); err != nil {
		t.Error(err)
	}
}
