package e2e

import (
	"strings"
	"testing"
)

// TestSaveAndRewriteShareASnapshot: both are due at once, and begin and go on together;
// what ends the rewrite leaves the save alone.
func TestSaveAndRewriteShareASnapshot(t *testing.T) {
	for _, turnOff := range []bool{false, true} {
		dir := t.TempDir()
		s := started(t, false, dir, "--appendonly", "yes", "--save", "")
		ask(t, s, "DEBUG", "POPULATE", "3000", "key", "200")
		ask(t, s, "CONFIG", "SET", "rdb-key-save-delay", "300")
		c := s.Conn(t, 2)
		for _, call := range []string{"MULTI", "BGREWRITEAOF", "BGSAVE", "EXEC"} {
			if v := c.Do(call); v.IsError() {
				t.Fatalf("%s: %v", call, v)
			}
		}
		info := func(field string) string { return c.Info("persistence", field) }
		waitFor(t, "both", func() bool {
			return info("rdb_bgsave_in_progress") == "1" && info("aof_rewrite_in_progress") == "1"
		})
		ask(t, s, "SET", "late", "1")
		if turnOff {
			ask(t, s, "CONFIG", "SET", "appendonly", "no")
		}
		ask(t, s, "CONFIG", "SET", "rdb-key-save-delay", "0")
		waitFor(t, "their end", func() bool {
			return info("rdb_bgsave_in_progress") == "0" && info("aof_rewrite_in_progress") == "0"
		})
		if log := s.Log(); !strings.Contains(log, "Background saving terminated with success") ||
			turnOff != strings.Contains(log, "Background AOF rewrite given up") {
			t.Errorf("appendonly no %v: the log says\n%s", turnOff, log)
		}
		kill(t, s)
		checkBoth(t, dir, turnOff)
	}
}

// checkBoth starts from the file of the save, and from the append only file.
func checkBoth(t *testing.T, dir string, turnedOff bool) {
	t.Helper()
	saved := started(t, false, dir, "--appendonly", "no", "--startup-data-check", "no", "--save", "")
	if n, late := ask(t, saved, "DBSIZE"), ask(t, saved, "EXISTS", "late"); n != "3000" || late != "0" {
		t.Errorf("the save has %s keys, and the later one %s times", n, late)
	}
	kill(t, saved)
	if turnedOff {
		return
	}
	log := started(t, false, dir, "--appendonly", "yes", "--startup-data-check", "no", "--save", "")
	if n, late := ask(t, log, "DBSIZE"), ask(t, log, "EXISTS", "late"); n != "3001" || late != "1" {
		t.Errorf("the append only file has %s keys, and the later one %s times", n, late)
	}
}
