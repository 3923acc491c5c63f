package check

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dozo/env"
	"dozo/internal/testutil"
	"dozo/rdb"
)

// run checks a file and returns what is printed, standard output first.
func run(args ...string) (text string, status int) {
	var out, errout bytes.Buffer
	status = RDB(args, env.Real(), &out, &errout)
	return out.String() + errout.String(), status
}

func write(t *testing.T, content []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "dump.rdb")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// genuine is what redis-check-rdb prints.
func genuine(t *testing.T, path string) (text string, status int) {
	t.Helper()
	program, err := exec.LookPath("redis-check-rdb")
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(program, path)
	out, _ := cmd.CombinedOutput() // its status is looked at
	return string(out), cmd.ProcessState.ExitCode()
}

// TestAsRedisCheckRDB: a sound file gives the very lines that the original prints, and
// then more.
func TestAsRedisCheckRDB(t *testing.T) {
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	for _, sum := range []string{"yes", "no"} {
		s := testutil.StartRedis(t, "--rdbchecksum", sum)
		c := s.Conn(t, 2)
		for i := range 200 {
			key := fmt.Sprint("key", i)
			c.MustOK("SET", "s"+key, key, "PX", "100000")
			c.MustOK("RPUSH", "l"+key, "a", "b")
			c.MustOK("SELECT", fmt.Sprint(i%2*5))
			c.MustOK("HSET", "h"+key, "f", strings.Repeat("v", i))
		}
		c.MustOK("SAVE")
		path := filepath.Join(s.Dir, "dump.rdb")
		want, status := genuine(t, path)
		got, ours := run(path)
		if ours != status || !strings.HasPrefix(got, want) {
			t.Errorf("status %d and not %d:\n%s\nbegins not as\n%s", ours, status, got, want)
		}
		more := got[min(len(want), len(got)):]
		for _, line := range []string{
			`database 0   \d+ keys, \d+ with expire, \d+ bytes, the largest "[slh]key\d+" with \d+ bytes`, `database 5 `,
			`string  as string          200 keys, 200 with expire`, `list    as quicklist-v2    200 keys, 0 with expire`, `hash    as `,
		} {
			if !regexp.MustCompile(`(?m)^\[info\] ` + line).MatchString(more) {
				t.Errorf("no line %q in\n%s", line, more)
			}
		}
	}
}

// TestDamage: the verdict is the original's, and what it is about is the same.
func TestDamage(t *testing.T) {
	var whole bytes.Buffer
	w := rdb.NewWriter(&whole, rdb.WriterOptions{Version: 10})
	set := "\x02\x04name\x02\x01a\x01a"
	for _, err := range []error{w.Header(&rdb.Info{ServerVersion: "7.0.15"}), w.Database(0, 1, 0), w.Records([]byte("\x00\x03one\x03abc")), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	good := whole.String()
	for _, c := range []struct{ about, file, says string }{
		{"another checksum", good[:len(good)-1] + "x", "its checksum is"},
		{"no end", good[:len(good)-12], "the file ends in the middle"},
		{"a member twice", good[:len(good)-9] + set + good[len(good)-9:], "an element is there twice"},
		{"no type", good[:len(good)-9] + "\x60", "neither a type nor a mark with the number 96"},
		{"another file", "hello world", "Wrong signature"},
		{"a later version", "REDIS0099\xff", "RDB format version 99"},
	} {
		path := write(t, []byte(c.file))
		got, status := run(path)
		if status != 1 || !strings.Contains(got, "--- RDB ERROR DETECTED ---\n") || !strings.Contains(got, c.says) {
			t.Errorf("%s: status %d\n%s", c.about, status, got)
		}
		theirs, status := genuine(t, path)
		if status != 1 {
			t.Errorf("%s: the original finds nothing", c.about)
		}
		for _, line := range strings.Split(theirs, "\n") {
			if strings.HasPrefix(line, "[info]") || strings.HasPrefix(line, "[additional info] While") {
				if !strings.Contains(got, line+"\n") {
					t.Errorf("%s: no line %q in\n%s", c.about, line, got)
				}
			}
		}
	}
}

func TestArguments(t *testing.T) {
	if got, status := run(); status != 1 || !strings.HasPrefix(got, "Usage: redis-check-rdb <rdb-file-name>") {
		t.Errorf("status %d: %s", status, got)
	}
	if got, status := run("--version"); status != 0 || !strings.HasPrefix(got, "redis-check-rdb 7.2") {
		t.Errorf("status %d: %s", status, got)
	}
	if got, status := run(filepath.Join(t.TempDir(), "missing")); status != 1 || !strings.Contains(got, "no such file") {
		t.Errorf("status %d: %s", status, got)
	}
}

// TestEmptyKeys: what old versions wrote by mistake is told, and no damage.
func TestEmptyKeys(t *testing.T) {
	got, status := run(write(t, []byte("REDIS0009\xfe\x00\x01\x01l\x00\x00\x01k\x01v\xff\x00\x00\x00\x00\x00\x00\x00\x00*1\r\n")))
	if status != 0 || !strings.Contains(got, "[info] 1 keys without elements, which a server leaves out\n") || !strings.Contains(got, "[info] 4 bytes follow that are no part of it") {
		t.Errorf("status %d:\n%s", status, got)
	}
}
