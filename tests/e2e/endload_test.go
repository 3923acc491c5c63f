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

// slowAOF writes an append only file whose loading takes a minute, with a torn end.
func slowAOF(t *testing.T, dir string) {
	t.Helper()
	content := testutil.AppendCommand(nil, "SELECT", "0")
	numbers := []string{"RPUSH", "numbers"}
	for i := range 50_000 {
		numbers = append(numbers, strconv.Itoa(i*7919%50_000))
	}
	content = testutil.AppendCommand(content, numbers...)
	for range 5000 {
		content = testutil.AppendCommand(content, "SORT", "numbers", "ALPHA", "STORE", "sorted")
	}
	content = append(content, "*3\r\n$3\r\nSET\r\n$4\r\ntorn\r\n$100\r\nabc"...)
	folder := filepath.Join(dir, "appendonlydir")
	must(t, os.Mkdir(folder, 0o755))
	must(t, os.WriteFile(filepath.Join(folder, "appendonly.aof.1.incr.aof"), content, 0o644))
	must(t, os.WriteFile(filepath.Join(folder, "appendonly.aof.manifest"), []byte("file appendonly.aof.1.incr.aof seq 1 type i\n"), 0o644))
}

// contents are the files below a folder, but for locks, which are made by looking.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(path, ".lock") {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	}))
	return files
}

// TestEndedWhileLoading: SIGTERM, SIGINT and SHUTDOWN, whatever it is to save, end a
// server at once that loads its data, and leave the files as they are.
func TestEndedWhileLoading(t *testing.T) {
	for name, end := range map[string]func(*testutil.Server, *testutil.Conn) error{
		"SIGTERM":       func(s *testutil.Server, _ *testutil.Conn) error { return s.Signal(syscall.SIGTERM) },
		"SIGINT":        func(s *testutil.Server, _ *testutil.Conn) error { return s.Signal(syscall.SIGINT) },
		"SHUTDOWN SAVE": func(_ *testutil.Server, c *testutil.Conn) error { c.Queue("SHUTDOWN", "SAVE"); return c.Flush() },
		"SHUTDOWN":      func(_ *testutil.Server, c *testutil.Conn) error { c.Queue("SHUTDOWN"); return c.Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			slowAOF(t, dir)
			before := contents(t, dir)
			s, err := testutil.Launch(testutil.Options{
				Program: dozoBinary(t), Args: []string{"server"}, Bare: true,
				Config: []string{"--dir", dir, "--appendonly", "yes", "--save", "3600 1"},
			})
			must(t, err)
			t.Cleanup(s.Stop)
			var c *testutil.Conn
			waitFor(t, "its port", func() bool { c, err = s.Dial(); return err == nil })
			defer c.Close()
			waitFor(t, "the load", func() bool { return strings.Contains(ask(t, s, "INFO", "persistence"), "\nloading:1") })
			from := time.Now()
			must(t, end(s, c))
			if err := s.Await(); err != nil {
				t.Errorf("%v; its log:\n%s", err, s.Log())
			}
			if took := time.Since(from); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
			after := contents(t, dir)
			for path, was := range before {
				if after[path] != was {
					t.Errorf("%s has %d bytes and had %d", path, len(after[path]), len(was))
				}
			}
			if len(after) != len(before) {
				t.Errorf("%d files where there were %d", len(after), len(before))
			}
		})
	}
}
