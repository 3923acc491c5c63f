package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dozo/internal/testutil"
)

// The tests in this file run both servers on real file systems that are full, read-only
// or gone, and want the same replies of both; tests/disk has the faults that cannot be
// had of a real one. Only root may mount.

// onMount starts a server with its data in a folder.
func onMount(t *testing.T, o testutil.Options, dir string, config ...string) *testutil.Server {
	t.Helper()
	o.Bare, o.Config = true, append([]string{"--dir", dir, "--enable-debug-command", "yes"}, config...)
	s, err := testutil.Start(o)
	must(t, err)
	t.Cleanup(s.Stop)
	return s
}

// answers are the replies to commands, one a line.
func answers(t *testing.T, s *testutil.Server, commands ...string) string {
	t.Helper()
	c := s.Conn(t, 2)
	var lines []string
	for _, command := range commands {
		lines = append(lines, command+": "+c.Do(strings.Fields(command)...).String())
	}
	return strings.Join(lines, "\n")
}

// onBoth runs a test on both servers, each on a small file system of its own, and wants
// what it gives to be the same.
func onBoth(t *testing.T, test func(t *testing.T, o testutil.Options, dir string) string) {
	got := map[string]string{}
	for kind, o := range bothServers(t) {
		t.Run(kind, func(t *testing.T) { got[kind] = test(t, o, mounted(t)) })
	}
	if theirs, ok := got["redis"]; ok && theirs != got["dozo"] {
		t.Errorf("Dozo:\n%s\nredis-server:\n%s", got["dozo"], theirs)
	}
}

// TestFullDiskAndAOF: what clients see while there is no space for the append only file,
// and after; and what a restart finds.
func TestFullDiskAndAOF(t *testing.T) {
	onBoth(t, func(t *testing.T, o testutil.Options, dir string) string {
		s := onMount(t, o, dir, "--save", "", "--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
		c := s.Conn(t, 2)
		c.MustOK("SET", "a", "1")
		must(t, fill(filepath.Join(dir, "filler")))
		acked := 0
		waitFor(t, "the refusal", func() bool {
			w, err := s.Dial()
			must(t, err)
			t.Cleanup(w.Close)
			w.SetTimeout(time.Second)
			v, err := w.DoErr("APPEND", "more", strings.Repeat("x", 1000))
			if err != nil || !v.IsError() { // Dozo has the one wait that meets the full disk
				acked++
			}
			return err == nil && v.IsError()
		})
		what := answers(t, s, "SET a 2", "DEL a", "PING", "PING text", "GET a", "EXISTS a", "DBSIZE") + "\n" + s.Conn(t, 2).Info("persistence", "aof_last_write_status")
		must(t, os.Remove(filepath.Join(dir, "filler")))
		waitFor(t, "the recovery", func() bool { return c.Info("persistence", "aof_last_write_status") == "ok" })
		what += "\n" + answers(t, s, "PING", "SET a 3")
		time.Sleep(1200 * time.Millisecond) // appendfsync everysec
		if n := c.Do("STRLEN", "more").Int(); n != int64(acked*1000) {
			t.Errorf("%d bytes, and %d were acknowledged", n, acked*1000)
		}
		length := c.Do("STRLEN", "more").Int()
		kill(t, s)
		s = onMount(t, o, dir, "--save", "", "--appendonly", "yes")
		if n := s.Conn(t, 2).Do("STRLEN", "more").Int(); n != length {
			t.Errorf("%d bytes after a restart, and there were %d", n, length)
		}
		return what + "\n" + answers(t, s, "GET a")
	})
}

// TestFullDiskAndSave: what clients see while a save has no space.
func TestFullDiskAndSave(t *testing.T) {
	onBoth(t, func(t *testing.T, o testutil.Options, dir string) string {
		s := onMount(t, o, dir, "--save", "3600 1", "--rdbcompression", "no")
		c := s.Conn(t, 2)
		c.MustOK("SET", "a", "1")
		c.MustOK("SAVE")
		c.MustOK("SET", "more", strings.Repeat("x", 20000))
		must(t, fill(filepath.Join(dir, "filler")))
		c.MustOK("BGSAVE")
		waitFor(t, "the failure", func() bool { return c.Info("persistence", "rdb_last_bgsave_status") == "err" })
		what := answers(t, s, "SET a 2", "PING", "GET a")
		entries, err := os.ReadDir(dir)
		must(t, err)
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), "temp-") {
				t.Errorf("%s is left behind", e.Name())
			}
		}
		must(t, os.Remove(filepath.Join(dir, "filler")))
		c.MustOK("SAVE")
		return what + "\n" + answers(t, s, "PING", "SET a 2", "GET a")
	})
}

// TestReadOnlyDisk: a file system that is mounted read-only while a server runs, and
// before it starts.
func TestReadOnlyDisk(t *testing.T) {
	onBoth(t, func(t *testing.T, o testutil.Options, dir string) string {
		s := onMount(t, o, dir, "--save", "3600 1")
		c := s.Conn(t, 2)
		c.MustOK("SET", "a", "1")
		c.MustOK("SAVE")
		readOnly(t, dir, unix.MS_RDONLY)
		c.MustOK("BGSAVE")
		waitFor(t, "the failure", func() bool { return c.Info("persistence", "rdb_last_bgsave_status") == "err" })
		what := answers(t, s, "SET a 2", "PING", "GET a")
		if v := c.Do("SAVE"); !v.IsError() {
			t.Errorf("SAVE: %s", v)
		}
		kill(t, s)
		s = onMount(t, o, dir, "--save", "3600 1")
		what += "\n" + answers(t, s, "GET a", "SET a 2", "PING")
		kill(t, s)
		o.Bare, o.Config = true, []string{"--dir", dir, "--appendonly", "yes", "--save", ""}
		if s, err := testutil.Start(o); err == nil {
			s.Stop()
			t.Error("a start with an append only file that cannot be written")
		} else if !strings.Contains(strings.ToLower(err.Error()), "read-only file system") {
			t.Errorf("the log does not say why: %v", err)
		}
		readOnly(t, dir, 0)
		return what
	})
}

// readOnly mounts a file system anew, read-only or not.
func readOnly(t *testing.T, dir string, flag uintptr) {
	t.Helper()
	waitFor(t, "mounting", func() bool { return unix.Mount("", dir, "", unix.MS_REMOUNT|flag, "") == nil })
}

// TestFolderGone: the folder of the data is removed while a server runs.
func TestFolderGone(t *testing.T) {
	onBoth(t, func(t *testing.T, o testutil.Options, dir string) string {
		data := filepath.Join(dir, "data")
		must(t, os.Mkdir(data, 0o755))
		s := onMount(t, o, data, "--save", "3600 1")
		c := s.Conn(t, 2)
		c.MustOK("SET", "a", "1")
		c.MustOK("SAVE")
		must(t, os.RemoveAll(data))
		c.MustOK("BGSAVE")
		waitFor(t, "the failure", func() bool { return c.Info("persistence", "rdb_last_bgsave_status") == "err" })
		return answers(t, s, "SET a 2", "PING", "GET a")
	})
}
