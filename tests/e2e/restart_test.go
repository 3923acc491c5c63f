package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// in starts a program on a folder of data.
func in(t *testing.T, redis bool, dir string, config ...string) (*testutil.Server, error) {
	t.Helper()
	config = append([]string{"--dir", dir, "--enable-debug-command", "yes"}, config...)
	if !redis {
		return testutil.Start(testutil.Options{Program: dozoBinary(t), Args: []string{"server"}, Config: config, Bare: true})
	}
	o, err := testutil.RedisOptions(config...)
	if err != nil {
		t.Skip(err)
	}
	o.Bare = true
	return testutil.Start(o)
}

// started is in for a start that must succeed.
func started(t *testing.T, redis bool, dir string, config ...string) *testutil.Server {
	t.Helper()
	s, err := in(t, redis, dir, config...)
	must(t, err)
	t.Cleanup(s.Stop)
	return s
}

// ask sends one command, whose reply must be no error.
func ask(t *testing.T, s *testutil.Server, words ...string) string {
	t.Helper()
	c, err := s.Dial()
	must(t, err)
	defer c.Close()
	v, err := c.DoErr(words...)
	must(t, err)
	if v.IsError() {
		t.Fatalf("%q: %v", words, v)
	}
	return v.Str
}

// kill ends a server as a crash does.
func kill(t *testing.T, s *testutil.Server) {
	t.Helper()
	must(t, s.Signal(syscall.SIGKILL))
	waitFor(t, "its end", func() bool { return !s.Alive() })
}

// TestIncidentMissingAOF: appendonly yes is written to the configuration of a server that
// has saved. (redis#837) Redis starts empty; Dozo makes the file of the snapshot.
func TestIncidentMissingAOF(t *testing.T) {
	for _, redis := range []bool{true, false} {
		dir := t.TempDir()
		s := started(t, redis, dir)
		ask(t, s, "SET", "balance", "100")
		ask(t, s, "SAVE")
		kill(t, s)
		s = started(t, redis, dir, "--appendonly", "yes")
		want := "100"
		if redis {
			want = ""
		}
		if got := ask(t, s, "GET", "balance"); got != want {
			t.Errorf("redis %v: the balance is %q after the restart, want %q", redis, got, want)
		}
		if redis {
			continue
		}
		ask(t, s, "SET", "balance", "200")
		time.Sleep(1200 * time.Millisecond) // appendfsync everysec
		kill(t, s)
		if got := ask(t, started(t, redis, dir, "--appendonly", "yes"), "GET", "balance"); got != "200" {
			t.Errorf("the balance is %q after the second restart", got)
		}
	}
}

// TestIncidentForgottenConfigSet: appendonly yes by CONFIG SET, and a restart with the
// file as it was. Redis loads the older snapshot; Dozo says what there is, and does so
// when it is told to.
func TestIncidentForgottenConfigSet(t *testing.T) {
	for _, redis := range []bool{true, false} {
		dir := t.TempDir()
		s := started(t, redis, dir)
		ask(t, s, "SET", "balance", "100")
		ask(t, s, "SAVE")
		ask(t, s, "CONFIG", "SET", "appendonly", "yes")
		waitFor(t, "the file", func() bool {
			info := ask(t, s, "INFO", "persistence")
			return testutil.InfoField(info, "aof_rewrite_in_progress") == "0" && testutil.InfoField(info, "aof_rewrite_scheduled") == "0"
		})
		time.Sleep(1100 * time.Millisecond) // another second than that of the snapshot
		ask(t, s, "SET", "balance", "200")
		time.Sleep(1200 * time.Millisecond)
		kill(t, s)
		if redis {
			if got := ask(t, started(t, redis, dir), "GET", "balance"); got != "100" {
				t.Errorf("Redis has %q after the restart: is the incident no more?", got)
			}
			continue
		}
		if s, err := in(t, redis, dir); err == nil {
			s.Stop()
			t.Fatal("Dozo starts from the older data")
		} else if text := err.Error(); !strings.Contains(text, "older data would be loaded") || !strings.Contains(text, "startup-data-check") {
			t.Errorf("the refusal does not say what is wrong and what to do: %v", err)
		}
		if got := ask(t, started(t, redis, dir, "--appendonly", "yes"), "GET", "balance"); got != "200" {
			t.Errorf("the balance is %q with appendonly yes", got)
		}
	}
}

// TestIncidentStaleFile: appendonly yes in the file, turned off by CONFIG SET, and saved
// since. A restart of Redis loads the append only file, which is stale; Dozo says which of
// the two is the data, and how to get it.
func TestIncidentStaleFile(t *testing.T) {
	for _, redis := range []bool{true, false} {
		dir := t.TempDir()
		s := started(t, redis, dir, "--appendonly", "yes")
		ask(t, s, "SET", "balance", "100")
		time.Sleep(1200 * time.Millisecond) // appendfsync everysec; and another second than that of the snapshot
		ask(t, s, "CONFIG", "SET", "appendonly", "no")
		ask(t, s, "SET", "balance", "200")
		time.Sleep(1100 * time.Millisecond)
		ask(t, s, "SAVE")
		kill(t, s)
		if redis {
			if got := ask(t, started(t, redis, dir, "--appendonly", "yes"), "GET", "balance"); got != "100" {
				t.Errorf("Redis has %q after the restart: is the incident no more?", got)
			}
			continue
		}
		if s, err := in(t, redis, dir, "--appendonly", "yes"); err == nil {
			s.Stop()
			t.Fatal("Dozo starts from the stale file")
		} else if text := err.Error(); !strings.Contains(text, "the last run did not write the append only file") || !strings.Contains(text, "startup-data-check") {
			t.Errorf("the refusal does not say what is wrong and what to do: %v", err)
		}
		s = started(t, redis, dir)
		ask(t, s, "CONFIG", "SET", "appendonly", "yes")
		waitFor(t, "the file", func() bool { return persistence(t, s, "aof_starting") == "0" })
		kill(t, s)
		if got := ask(t, started(t, redis, dir, "--appendonly", "yes"), "GET", "balance"); got != "200" {
			t.Errorf("the balance is %q after what the refusal advises", got)
		}
	}
}

// TestIncidentForgottenFileEdit: `dbfilename` and `dir` changed by CONFIG SET, and a
// restart with the file as it was. Redis loads what is older, Dozo does not.
func TestIncidentForgottenFileEdit(t *testing.T) {
	for _, redis := range []bool{true, false} {
		forgottenFileEdit(t, redis)
	}
}

func forgottenFileEdit(t *testing.T, redis bool) {
	for _, c := range []struct{ directive, refusal string }{
		{"dbfilename", "`dbfilename` names another file"}, {"dir", "Set `dir`"},
	} {
		dir := t.TempDir()
		s := started(t, redis, dir, "--enable-protected-configs", "yes")
		ask(t, s, "SET", "balance", "100")
		ask(t, s, "SAVE")
		time.Sleep(1100 * time.Millisecond)
		value := "new.rdb"
		if c.directive == "dir" {
			value = t.TempDir()
		}
		ask(t, s, "CONFIG", "SET", c.directive, value)
		ask(t, s, "SET", "balance", "200")
		ask(t, s, "SAVE")
		time.Sleep(100 * time.Millisecond)
		kill(t, s)
		if redis {
			if got := ask(t, started(t, redis, dir), "GET", "balance"); got != "100" {
				t.Errorf("%s: Redis has %q after the restart: is the incident no more?", c.directive, got)
			}
			continue
		}
		if s, err := in(t, false, dir); err == nil {
			s.Stop()
			t.Errorf("%s: Dozo starts from the older data", c.directive)
		} else if !strings.Contains(err.Error(), c.refusal) {
			t.Errorf("%s: the refusal does not say what to do: %v", c.directive, err)
		}
	}
}

// TestRewriteWithinTransaction: a rewrite or a save that is asked for within a transaction
// begins behind it. Begun in its middle, it would have a half of what happens as one, and
// the append only file would repeat that half.
func TestRewriteWithinTransaction(t *testing.T) {
	for _, c := range []struct {
		before, after string // appendonly
		within        []string
	}{
		{"yes", "yes", []string{"BGREWRITEAOF"}}, {"no", "yes", []string{"BGREWRITEAOF"}},
		{"no", "yes", []string{"CONFIG", "SET", "appendonly", "yes"}}, {"no", "no", []string{"BGSAVE"}},
	} {
		dir := t.TempDir()
		s := started(t, false, dir, "--appendonly", c.before, "--appendfsync", "always")
		peer := s.Conn(t, 2)
		peer.MustOK("MULTI")
		for _, words := range [][]string{{"INCR", "balance"}, c.within, {"INCR", "balance"}} {
			peer.MustOK(words...)
		}
		peer.MustOK("EXEC")
		for !idle(peer) || c.after == "no" && peer.Info("persistence", "rdb_saves") == "0" {
			time.Sleep(5 * time.Millisecond)
		}
		kill(t, s)
		if got := ask(t, started(t, false, dir, "--appendonly", c.after, "--startup-data-check", "no"), "GET", "balance"); got != "2" {
			t.Errorf("%q within a transaction: the balance is %s after a restart, not 2", c.within, got)
		}
	}
}

// idle tells whether nothing is about to be written in the background, or being written.
func idle(c *testutil.Peer) bool {
	for _, field := range []string{"aof_rewrite_scheduled", "aof_rewrite_in_progress", "rdb_bgsave_in_progress"} {
		if c.Info("persistence", field) != "0" {
			return false
		}
	}
	return true
}
