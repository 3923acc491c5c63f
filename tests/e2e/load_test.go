package e2e

import (
	"strings"
	"testing"

	"dozo/internal/testutil"
)

// TestLoadIsToldOf: a load that lasts is shown while it does, can be hastened, and leaves
// in INFO and in the log what people look for there; so does a payload that is refused.
func TestLoadIsToldOf(t *testing.T) {
	dir := t.TempDir()
	s := started(t, false, dir)
	populate(t, s, 1000)
	ask(t, s, "SAVE")
	kill(t, s)
	s, err := testutil.Launch(testutil.Options{
		Program: dozoBinary(t), Args: []string{"server"}, Bare: true,
		Config: []string{"--dir", dir, "--key-load-delay", "1000000", "--loglevel", "verbose", "--enable-debug-command", "yes"},
	})
	must(t, err)
	t.Cleanup(s.Stop)
	waitFor(t, "its port", func() bool {
		c, err := s.Dial()
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	if got := persistence(t, s, "loading"); got != "1" {
		t.Errorf("loading is %s", got)
	}
	if v := reply(t, s, "GET", "key:1"); !strings.HasPrefix(v.Str, "LOADING") {
		t.Errorf("GET during the load: %v", v)
	}
	ask(t, s, "CONFIG", "SET", "key-load-delay", "0")
	waitFor(t, "the end of the load", func() bool { return persistence(t, s, "loading") == "0" })
	if got := persistence(t, s, "rdb_last_load_keys_loaded"); got != "1000" {
		t.Errorf("rdb_last_load_keys_loaded is %s", got)
	}
	for _, line := range []string{"Loading RDB produced by version", "RDB age ", "RDB memory usage when created", "Done loading RDB, keys loaded: 1000, keys expired: 0."} {
		logs(t, s, line)
	}
	ask(t, s, "DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", "1")
	if v := reply(t, s, "RESTORE", "z", "0", "\x0c\x03abc\x09\x00........"); !strings.HasPrefix(v.Str, "ERR Bad data format") {
		t.Errorf("RESTORE: %v", v)
	}
	logs(t, s, "Zset ziplist integrity check failed")
}
