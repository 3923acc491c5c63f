package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

// TestLogOfOldVersion: an append only file as Redis 6 left it, with the scripts that it
// had and commands that went wrong, is loaded; what was refused is told.
func TestLogOfOldVersion(t *testing.T) {
	var log []byte
	for _, line := range []string{"SELECT 3", "SCRIPT LOAD return", "SET k v", "LPUSH k refused", "SCRIPT FLUSH", "SET expired x PXAT 1000", "APPEND k w"} {
		log = testutil.AppendCommand(log, strings.Fields(line)...)
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "appendonly.aof"), log, 0o600))
	s := started(t, false, dir, "--appendonly", "yes")
	c := s.Conn(t, 2)
	c.MustOK("SELECT", "3")
	if v := c.MustOK("GET", "k"); v.Str != "vw" {
		t.Errorf("k is %v", v)
	}
	const told = `'LPUSH' is answered with an error`
	if text := s.Log(); !strings.Contains(text, told) {
		t.Errorf("the log does not tell: %s", text)
	}
}

// TestVersionsOfFiles: a file of each version that Dozo writes gives the same data again,
// deadlines of fields included.
func TestVersionsOfFiles(t *testing.T) {
	dir := t.TempDir()
	s := started(t, false, dir)
	c := s.Conn(t, 2)
	for i := range 300 {
		for _, line := range []string{
			"SADD set{%d} a b c %d", "HSET hash{%d} f v g %d", "ZADD zset{%d} 1 a 2 b %d c", "RPUSH list{%d} a b %d", "XADD stream{%d} 1-1 f %d", "SETEX text{%d} 1000 %d",
			"HSET dated{%d} f v g w h %d", "SADD large %d word%d", "HSET vast field%d %d",
		} {
			c.MustOK(strings.Fields(fmt.Sprintf(line, i, i))...)
		}
		c.MustOK("HPEXPIREAT", fmt.Sprintf("dated{%d}", i), "4000000000000", "FIELDS", "1", "f")
		c.MustOK("HPEXPIREAT", fmt.Sprintf("dated{%d}", i), fmt.Sprint(4000000000000+i), "FIELDS", "1", "g")
		c.MustOK("HPEXPIREAT", "vast", fmt.Sprint(4000000000000-i*i), "FIELDS", "1", fmt.Sprint("field", i))
	}
	for round := range 2 { // with deadlines of fields no file is older than version 12
		want := c.MustOK("DEBUG", "DIGEST").Str
		for version := 10; version <= 11; version++ {
			c.MustOK("CONFIG", "SET", "rdb-version", fmt.Sprint(version))
			c.MustOK("SAVE")
			again := started(t, false, dir, "--save", "") // which never writes where the other does
			if got := ask(t, again, "DEBUG", "DIGEST"); got != want {
				t.Errorf("version %d: digest %s and not %s", version, got, want)
			}
			peer := again.Conn(t, 2)
			for _, q := range [][]string{{"HPEXPIRETIME", "vast", "FIELDS", "2", "field0", "field299"}, {"HPEXPIRETIME", "dated{7}", "FIELDS", "3", "f", "g", "h"}, {"EXPIRETIME", "text{5}"}} {
				if want, got := c.Do(q...).String(), peer.Do(q...).String(); got != want {
					t.Errorf("version %d: %q: %s and not %s", version, q, got, want)
				}
			}
			kill(t, again)
			head := make([]byte, 9)
			f, err := os.Open(filepath.Join(dir, "dump.rdb"))
			must(t, err)
			_, err = f.Read(head)
			must(t, err)
			f.Close()
			wrote := version
			if round == 0 {
				wrote = 12
			}
			if string(head) != fmt.Sprintf("REDIS%04d", wrote) {
				t.Errorf("version %d: the file begins with %q", version, head)
			}
		}
		c.MustOK("DEL", "vast")
		for i := range 300 {
			c.MustOK("DEL", fmt.Sprintf("dated{%d}", i))
		}
	}
}
