package cli

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dozo/arena"
	"dozo/env"
	"dozo/internal/testutil"
	"dozo/oplog"
	"dozo/rescue"
)

// keyIsFirst is a KeysOf for the commands of these tests.
func keyIsFirst(args [][]byte) [][]byte {
	if len(args) < 2 {
		return nil
	}
	return args[1:2]
}

// rescueFile makes a file of lines, "db command words".
func rescueFile(t *testing.T, dir string, lines ...string) (path string) {
	t.Helper()
	a, err := arena.New(arena.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	l := oplog.New(a, oplog.Options{Retain: 1 << 20})
	defer l.Close()
	l.Activate(0)
	for _, line := range lines {
		words := bytes.Fields([]byte(line[2:]))
		l.Append(int(line[0]-'0'), oplog.AppendCommand(nil, words...))
	}
	r, err := l.NewReader(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := rescue.Write(context.Background(), env.Real().FS, dir, rescue.Tail{
		Head:   rescue.Head{Time: time.UnixMilli(1700000000123), History: strings.Repeat("a", 40), To: l.Offset(), Known: true, Primary: "10.0.0.1:6379"},
		Source: r, Keys: keyIsFirst, Max: 1 << 20, Temp: "temp-rescue.aof",
	})
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, f.Name)
}

// runRescue runs the tool, which must end with a status, and gives what it printed.
func runRescue(t *testing.T, want int, args ...string) string {
	t.Helper()
	var out, errout bytes.Buffer
	if got := Rescue(args, keyIsFirst, strings.NewReader(""), &out, &errout); got != want {
		t.Errorf("%q: status %d, want %d\n%s%s", args, got, want, &out, &errout)
	}
	return out.String() + errout.String()
}

func wantWords(t *testing.T, got string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(got, w) {
			t.Errorf("no %q in\n%s", w, got)
		}
	}
}

// TestRescue: what a file has is shown beside what a server has, and what is chosen of it is
// applied in order, once.
func TestRescue(t *testing.T) {
	server := testutil.StartDozo(t)
	host, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c := server.Conn(t, 2)
	dir := t.TempDir()
	path := rescueFile(t, dir, "0 SET a 1", "0 SET same x", "0 INCR n", "0 MULTI", "0 SET u:1 1", "3 RPUSH u:2 v", "3 EXEC", "0 DEL gone", "0 LPUSH wrong v", "0 PUBLISH ch m", "0 FLUSHALL")
	for _, line := range []string{"SET a 2", "SET same x", "SET n 5", "SET wrong type", "PEXPIRE n 1000000"} {
		c.Do(strings.Fields(line)...)
	}
	got := runRescue(t, 0, "list", dir)
	wantWords(t, got, filepath.Base(path), "10.0.0.1:6379", "2023-11-14T22:13:20Z")
	got = runRescue(t, 0, "show", path)
	wantWords(t, got, "db 3, key \"u:2\": 1 commands", "without a key: db 0, \"FLUSHALL\"")
	got = runRescue(t, 0, "show", "-h", host, "-p", port, path)
	wantWords(t, got, "\"2\", another than the last command left: DIFFERS", "\"x\", as the last command left it: SAME", "not there, as the last command left it: SAME",
		"a string, length 1, \"5\", expires in ", "used 0 s ago")
	got = runRescue(t, 0, "apply", "--dry-run", "--key", "u:*", path)
	wantWords(t, got, "\"MULTI\"\n\"SELECT\" \"0\"\n\"SET\" \"u:1\" \"1\"\n\"SELECT\" \"3\"\n\"RPUSH\" \"u:2\" \"v\"\n\"EXEC\"\n2 commands would be applied")
	got = runRescue(t, 0, "apply", "-h", host, "-p", port, "--key", "u:*", "--key", "n", path)
	wantWords(t, got, "3 commands were applied, 0 refused")
	for call, want := range map[string]string{"GET n": "6", "GET u:1": "1", "GET a": "2"} {
		if got := c.Do(strings.Fields(call)...).Str; got != want {
			t.Errorf("%s: %q, want %q", call, got, want)
		}
	}
	got = runRescue(t, 1, "apply", "-h", host, "-p", port, "--key", "n", path)
	wantWords(t, got, "--again", "begun: --key u:* --key n")
	got = runRescue(t, 2, "apply", "-h", host, "-p", port, "--key", "a", "--key", "wrong", "--again", path)
	wantWords(t, got, "1 commands were applied, 1 refused", "WRONGTYPE")
	if note, err := os.ReadFile(path + appliedSuffix); err != nil || strings.Count(string(note), "\n") != 4 {
		t.Errorf("the note: %q, %v", note, err)
	}
	c.Do("REPLICAOF", host, "1")
	got = runRescue(t, 1, "apply", "-h", host, "-p", port, "--all", "--again", path)
	wantWords(t, got, "READONLY")
}

// TestRescueUsage: what makes no sense is refused before anything is done.
func TestRescueUsage(t *testing.T) {
	path := rescueFile(t, t.TempDir(), "0 SET a 1")
	other := filepath.Join(t.TempDir(), "rescue-1.aof")
	if err := os.WriteFile(other, []byte("*1\r\n$4\r\nPING\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ line, says string }{
		{"", "Usage"}, {"nonsense", "list, show or apply"}, {"show", "one file"}, {"show /no/such/file", "no such file"},
		{"show " + other, "no rescue file"}, {"apply " + path, "--all, or --key"}, {"apply --all --key a " + path, "--all, or --key"},
		{"apply --all " + path, "which server"}, {"list a b", "one folder"}, {"show --nonsense " + path, "Unrecognized option"},
		{"list " + filepath.Dir(other), "no rescue file"},
	} {
		wantWords(t, runRescue(t, 1, strings.Fields(c.line)...), c.says)
	}
	wantWords(t, runRescue(t, 0, "--help"), "Exit status")
	wantWords(t, runRescue(t, 0, "list", "--help"), "Exit status")
	wantWords(t, runRescue(t, 0, "list", t.TempDir()), "There are no rescue files")
}
