package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// reply sends one command and gives its reply, which may be an error.
func reply(t *testing.T, s *testutil.Server, words ...string) testutil.Value {
	t.Helper()
	c, err := s.Dial()
	must(t, err)
	defer c.Close()
	v, err := c.DoErr(words...)
	must(t, err)
	return v
}

// persistence is a field of INFO persistence.
func persistence(t *testing.T, s *testutil.Server, field string) string {
	t.Helper()
	return testutil.InfoField(ask(t, s, "INFO", "persistence"), field)
}

// logs waits for a line in the log.
func logs(t *testing.T, s *testutil.Server, line string) {
	t.Helper()
	waitFor(t, "the log to say "+line, func() bool { return strings.Contains(s.Log(), line) })
}

// populate makes keys.
func populate(t *testing.T, s *testutil.Server, n int) {
	t.Helper()
	ask(t, s, "DEBUG", "POPULATE", strconv.Itoa(n), "key", "100")
}

// TestShutdownBeforeFirstBase: a server whose append only file was just turned on has no
// data on the disk yet, and refuses to end, but by force.
func TestShutdownBeforeFirstBase(t *testing.T) {
	for _, redis := range []bool{true, false} {
		s := started(t, redis, t.TempDir())
		populate(t, s, 100)
		ask(t, s, "CONFIG", "SET", "rdb-key-save-delay", "20000") // Redis' child keeps the log open until it wakes
		ask(t, s, "CONFIG", "SET", "appendonly", "yes")
		waitFor(t, "the rewrite", func() bool { return persistence(t, s, "aof_rewrite_in_progress") == "1" })
		if v := reply(t, s, "SHUTDOWN"); !strings.HasPrefix(v.Str, "ERR Errors trying to SHUTDOWN") {
			t.Errorf("redis %v: SHUTDOWN: %v", redis, v)
		}
		logs(t, s, "Writing initial AOF, can't exit.")
		must(t, s.Signal(syscall.SIGTERM))
		time.Sleep(300 * time.Millisecond)
		ask(t, s, "SET", "still", "here")
		ask(t, s, "CONFIG", "SET", "shutdown-on-sigterm", "force")
		must(t, s.Signal(syscall.SIGTERM))
		logs(t, s, "Writing initial AOF. Exit anyway.")
		waitFor(t, "its end", func() bool { return !s.Alive() })
	}
}

// TestShutdownThatFails: what cannot be saved keeps the server alive, and writable.
func TestShutdownThatFails(t *testing.T) {
	for _, redis := range []bool{true, false} {
		dir := t.TempDir()
		s := started(t, redis, dir, "--save", "900 1")
		must(t, os.Mkdir(filepath.Join(dir, "dump.rdb"), 0o755))
		populate(t, s, 10)
		must(t, s.Signal(syscall.SIGINT))
		logs(t, s, "Error trying to save the DB, can't exit")
		waitFor(t, "its recovery", func() bool { return reply(t, s, "SHUTDOWN", "ABORT").Str == "ERR No shutdown in progress." })
		if v := reply(t, s, "SHUTDOWN"); !strings.HasPrefix(v.Str, "ERR Errors trying to SHUTDOWN") {
			t.Errorf("redis %v: SHUTDOWN: %v", redis, v)
		}
		if v := reply(t, s, "SAVE"); !v.IsError() {
			t.Errorf("redis %v: SAVE: %v", redis, v)
		}
		ask(t, s, "PING")
		ask(t, s, "SET", "still", "writable")
		if got := persistence(t, s, "rdb_last_bgsave_status"); got != "ok" {
			t.Errorf("redis %v: the status is %s, and no background save has failed", redis, got)
		}
		c, err := s.Dial()
		must(t, err)
		c.Queue("SHUTDOWN", "FORCE")
		must(t, c.Flush())
		waitFor(t, "its end", func() bool { return !s.Alive() })
		logs(t, s, "Error trying to save the DB. Exit anyway.")
	}
}

// TestShutdownAborted: SHUTDOWN ABORT takes back a shutdown, also one that is saving.
func TestShutdownAborted(t *testing.T) {
	dir := t.TempDir()
	s := started(t, false, dir, "--save", "900 1")
	populate(t, s, 100)
	ask(t, s, "CONFIG", "SET", "rdb-key-save-delay", "1000000")
	waiting, err := s.Dial()
	must(t, err)
	defer waiting.Close()
	waiting.Queue("SHUTDOWN")
	must(t, waiting.Flush())
	logs(t, s, "Saving the final RDB snapshot")
	waitFor(t, "the save", func() bool { return persistence(t, s, "rdb_bgsave_in_progress") == "1" })
	if v := reply(t, s, "SHUTDOWN", "ABORT"); v.Str != "OK" {
		t.Fatalf("SHUTDOWN ABORT: %v", v)
	}
	if raw, err := waiting.ReadRaw(); err != nil || !strings.HasPrefix(string(raw), "-ERR Errors trying to SHUTDOWN") {
		t.Errorf("who has asked for the end is told %q, %v", raw, err)
	}
	ask(t, s, "SET", "still", "writable")
	if _, err := os.Stat(filepath.Join(dir, "dump.rdb")); err == nil {
		t.Error("the save that was aborted has left a snapshot")
	}
	ask(t, s, "CONFIG", "SET", "rdb-key-save-delay", "0")
	ask(t, s, "SAVE")

	ask(t, s, "DEBUG", "PAUSE-CRON", "1")
	must(t, s.Signal(syscall.SIGTERM))
	waitFor(t, "the abort", func() bool { return reply(t, s, "SHUTDOWN", "ABORT").Str == "OK" })
	ask(t, s, "DEBUG", "PAUSE-CRON", "0")
	time.Sleep(200 * time.Millisecond)
	ask(t, s, "PING")
}

// TestShutdownInsistedOn: a second SIGINT ends a server that is saving; what it has
// written does not stay.
func TestShutdownInsistedOn(t *testing.T) {
	for _, redis := range []bool{true, false} {
		dir := t.TempDir()
		s := started(t, redis, dir, "--save", "900 1")
		populate(t, s, 100)
		ask(t, s, "SET", "a", "b")
		temps := func() int {
			list, err := filepath.Glob(filepath.Join(dir, "temp-*.rdb"))
			must(t, err)
			return len(list)
		}
		ask(t, s, "CONFIG", "SET", "rdb-key-save-delay", "100000")
		must(t, s.Signal(syscall.SIGINT))
		waitFor(t, "the file", func() bool { return temps() == 1 })
		must(t, s.Signal(syscall.SIGINT))
		waitFor(t, "its end", func() bool { return !s.Alive() })
		if temps() != 0 {
			t.Errorf("redis %v: the temporary file is left", redis)
		}
	}
}

// TestFlushallSaves: with rules for saves FLUSHALL's reply comes when the file is empty
// too, whatever else is being saved; without rules the file stays.
func TestFlushallSaves(t *testing.T) {
	for _, redis := range []bool{true, false} {
		dir := t.TempDir()
		s := started(t, redis, dir, "--save", "")
		populate(t, s, 1000)
		ask(t, s, "SAVE")
		ask(t, s, "FLUSHALL")
		if got := persistence(t, s, "rdb_changes_since_last_save"); got == "0" {
			t.Errorf("redis %v: FLUSHALL without rules has saved", redis)
		}
		populate(t, s, 1000)
		ask(t, s, "CONFIG", "SET", "save", "3600 1", "rdb-key-save-delay", "1000000")
		ask(t, s, "BGSAVE")
		ask(t, s, "CONFIG", "SET", "rdb-key-save-delay", "0")
		ask(t, s, "FLUSHALL")
		if got := persistence(t, s, "rdb_changes_since_last_save"); got != "0" {
			t.Errorf("redis %v: %s changes after FLUSHALL", redis, got)
		}
		kill(t, s)
		s = started(t, redis, dir)
		if got := reply(t, s, "DBSIZE"); got.Int() != 0 {
			t.Errorf("redis %v: %d keys after the restart", redis, got.Int())
		}
	}
}

// TestFlushallSavesWithin: FLUSHALL within a transaction, with replies that wait for the
// append only file, and within the commands of one.
func TestFlushallSavesWithin(t *testing.T) {
	dir := t.TempDir()
	config := []string{"--save", "3600 1", "--appendonly", "yes", "--appendfsync", "always"}
	s := started(t, false, dir, config...)
	c, err := s.Dial()
	must(t, err)
	defer c.Close()
	for _, words := range [][]string{{"SET", "a", "1"}, {"FLUSHALL"}, {"MULTI"}, {"SET", "b", "2"}, {"FLUSHALL"}, {"SET", "c", "3"}, {"EXEC"}} {
		v, err := c.DoErr(words...)
		must(t, err)
		if v.IsError() {
			t.Fatalf("%q: %v", words, v)
		}
	}
	kill(t, s)
	s = started(t, false, dir, config...)
	if got := ask(t, s, "GET", "c") + ask(t, s, "GET", "b"); got != "3" {
		t.Errorf("after the restart b and c are %q", got)
	}
}
