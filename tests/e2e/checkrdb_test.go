package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

// TestCheckRDB: as redis-check-rdb, through a symbolic link, and as dozo check rdb,
// the binary tells a sound file from a damaged one by its exit status.
func TestCheckRDB(t *testing.T) {
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	s := testutil.StartRedis(t)
	c := s.Conn(t, 2)
	c.MustOK("SET", "key", strings.Repeat("value", 100))
	c.MustOK("SAVE")
	sound := filepath.Join(s.Dir, "dump.rdb")
	content, err := os.ReadFile(sound)
	must(t, err)
	damaged := filepath.Join(t.TempDir(), "dump.rdb")
	must(t, os.WriteFile(damaged, content[:len(content)-9], 0o600))
	link := filepath.Join(t.TempDir(), "redis-check-rdb")
	must(t, os.Symlink(dozoBinary(t), link))
	for _, call := range [][]string{{link}, {dozoBinary(t), "check", "rdb"}} {
		for path, want := range map[string]string{sound: `\o/ RDB looks OK! \o/`, damaged: "--- RDB ERROR DETECTED ---"} {
			cmd := exec.Command(call[0], append(call[1:], path)...)
			out, err := cmd.Output()
			if !strings.Contains(string(out), want) || (err == nil) != (path == sound) {
				t.Errorf("%v %s: %v\n%s", call, path, err, out)
			}
		}
	}
}
