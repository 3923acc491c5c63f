package check

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dozo/env"
	"dozo/oplog"
)

func command(args ...string) string {
	b := oplog.AppendHeader(nil, len(args))
	for _, a := range args {
		b = oplog.AppendArgString(b, a)
	}
	return string(b)
}

// files makes a folder with files in it.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, c := range content {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(c), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

// ours runs the check in dir.
func ours(t *testing.T, dir, answer string, args ...string) (out string, status int) {
	t.Helper()
	t.Chdir(dir)
	var b bytes.Buffer
	status = AOF(args, env.Real(), strings.NewReader(answer), &b)
	return b.String(), status
}

// theirs runs the original in dir.
func theirs(t *testing.T, dir, answer string, args ...string) (out string, status int) {
	t.Helper()
	cmd := exec.Command("redis-check-aof", args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(answer)
	b, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Skipf("redis-check-aof cannot be run: %v", err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// ownLines are what the original does not print, or prints otherwise: statistics,
// and what it says about a snapshot.
var ownLines = regexp.MustCompile(`(?m)^\[(info|offset \d+)\] .*\n`)

// garbage is what the original prints of a buffer beyond its content.
var garbage = regexp.MustCompile(`(Expected \\r\\n, got: )[0-9a-f]+`)

func same(out string) string {
	return garbage.ReplaceAllString(ownLines.ReplaceAllString(out, ""), "${1}")
}

// compare runs both on files of the same content and compares what they say,
// their status, and what is left of the files.
func compare(t *testing.T, content map[string]string, answer string, args ...string) (ourOut string) {
	t.Helper()
	a, b := files(t, content), files(t, content)
	theirOut, theirStatus := theirs(t, b, answer, args...)
	ourOut, ourStatus := ours(t, a, answer, args...)
	if same(ourOut) != same(theirOut) || ourStatus != theirStatus {
		t.Errorf("%q of %q\nours, status %d:\n%s\ntheirs, status %d:\n%s", args, content, ourStatus, ourOut, theirStatus, theirOut)
	}
	if x, y := fmt.Sprint(read(t, a)), fmt.Sprint(read(t, b)); x != y {
		t.Errorf("%q: files left\nours   %q\ntheirs %q", args, x, y)
	}
	return ourOut
}

const manifest = "file a.aof.1.base.aof seq 1 type b\nfile a.aof.1.incr.aof seq 1 type i\nfile a.aof.2.incr.aof seq 2 type i\n"

// TestBesideTheOriginal runs both on files good and bad.
func TestBesideTheOriginal(t *testing.T) {
	set := command("SET", "k", "v")
	unit := command("MULTI") + set + command("EXEC")
	for _, file := range []string{
		set, set + unit + set, "#TS:5\r\n" + set, "",
		set + set[:12], set + "*3\r\n", set + "*3", set + "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n",
		set + command("MULTI") + set, set + command("MULTI") + set[:20], set + command("MULTI") + set + "*1\r\n",
		set + "garbage" + set, set + "*1\r\n$3\r\nabcdef\r\n", set + "*1\r\n+3\r\nabc\r\n",
		set + command("EXEC") + set, set + command("MULTI") + command("MULTI") + set, set + "\x00\x00\x00\x00",
	} {
		compare(t, map[string]string{"f.aof": file}, "", "f.aof")
		compare(t, map[string]string{"f.aof": file}, "y\n", "--fix", "f.aof")
		compare(t, map[string]string{"f.aof": file}, "n\n", "--fix", "f.aof")
		set := map[string]string{"a.manifest": manifest, "a.aof.1.base.aof": set, "a.aof.1.incr.aof": set, "a.aof.2.incr.aof": file}
		compare(t, set, "", "a.manifest")
		compare(t, set, "Y\n", "--fix", "a.manifest")
		set["a.aof.2.incr.aof"], set["a.aof.1.incr.aof"] = set["a.aof.1.incr.aof"], file
		compare(t, set, "y\n", "--fix", "a.manifest")
	}
}

func TestTimestampsBesideTheOriginal(t *testing.T) {
	set := command("SET", "k", "v")
	file := "#TS:100\r\n" + set + "#TS:200\r\n" + set + set + "#TS:300\r\n" + set
	for _, at := range []string{"50", "99", "100", "150", "200", "299", "300", "400", "x", "1x"} {
		compare(t, map[string]string{"f.aof": file}, "", "--truncate-to-timestamp", at, "f.aof")
		both := map[string]string{"a.manifest": manifest, "a.aof.1.base.aof": set, "a.aof.1.incr.aof": set, "a.aof.2.incr.aof": file}
		compare(t, both, "", "--truncate-to-timestamp", at, "a.manifest")
		both["a.aof.1.incr.aof"] = file
		compare(t, both, "", "--truncate-to-timestamp", at, "a.manifest")
	}
	compare(t, map[string]string{"f.aof": "#TS:1x\r\n" + set}, "", "--truncate-to-timestamp", "5", "f.aof")
	compare(t, map[string]string{"f.aof": "#TS:1x\r\n" + set}, "", "f.aof")
}

func TestArgumentsBesideTheOriginal(t *testing.T) {
	one := map[string]string{"f.aof": command("PING")}
	for _, args := range [][]string{{}, {"none.aof"}, {"--fixed", "f.aof"}, {"f.aof", "more"}, {"--fix", "f.aof", "more"}, {"--truncate-to-timestamp", "1", "2", "f.aof"}} {
		compare(t, one, "", args...)
	}
	compare(t, map[string]string{"a.manifest": manifest}, "", "a.manifest")
	compare(t, map[string]string{"a.manifest": manifest, "a.aof.1.base.aof": ""}, "", "a.manifest")
}

// TestManifestErrors: the original's server code logs here with times, so only
// ours is looked at.
func TestManifestErrors(t *testing.T) {
	dir := files(t, map[string]string{"a.manifest": "file a seq 1\n"})
	out, status := ours(t, dir, "", "a.manifest")
	want := "Start checking Multi Part AOF\n\n*** FATAL AOF MANIFEST FILE ERROR ***\n\nReading the manifest file, at line 1\n>>> 'file a seq 1'\nInvalid AOF manifest file format\n"
	if out != want || status != 1 {
		t.Errorf("status %d:\n%s", status, out)
	}
}

func TestStatistics(t *testing.T) {
	var file strings.Builder
	file.WriteString("#TS:100\r\n" + command("SELECT", "0"))
	for i := range 5000 {
		file.WriteString(command("set", fmt.Sprint("key:", i), "v"))
	}
	file.WriteString("#TS:200\r\n" + command("MULTI") + command("DEL", "key:1") + command("EXEC") + command("a\x1bb"))
	out, status := ours(t, files(t, map[string]string{"f.aof": file.String()}), "", "f.aof")
	for _, line := range []string{"[info] 5005 commands of ", "[info] 1 transactions\n", "[info] timestamps from 100 to 200\n", "\n[info] SET: 5000, ", "\n[info] \"A\\x1bB\": 1, "} {
		if !strings.Contains(out, line) {
			t.Errorf("%q is not in\n%s", line, out)
		}
	}
	keys := 0
	if _, err := fmt.Sscanf(out[strings.Index(out, "[info] about"):], "[info] about %d keys", &keys); err != nil || keys < 4950 || keys > 5050 {
		t.Errorf("%d keys, %v, status %d", keys, err, status)
	}
}

// TestMutationsBesideTheOriginal changes single bytes of a good file.
func TestMutationsBesideTheOriginal(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	file := command("SELECT", "0") + command("SET", "k", "0123456789") + command("MULTI") + command("INCR", "x") + command("EXEC") + command("DEL", "k")
	for range 40 {
		b := []byte(file)
		b[rnd.IntN(len(b))] = "\r\n*$0123456789 xyz#"[rnd.IntN(19)]
		a, o := files(t, map[string]string{"f.aof": string(b)}), files(t, map[string]string{"f.aof": string(b)})
		theirOut, theirStatus := theirs(t, o, "y\n", "--fix", "f.aof")
		ourOut, ourStatus := ours(t, a, "y\n", "--fix", "f.aof")
		left, theirLeft := read(t, a)["f.aof"], read(t, o)["f.aof"]
		// The original takes some numbers and line ends that we refuse, never the
		// other way round.
		if len(left) > len(theirLeft) || ourStatus != 0 || theirStatus != 0 {
			t.Errorf("of %q ours left %d bytes, status %d:\n%s\ntheirs %d, status %d:\n%s", b, len(left), ourStatus, ourOut, len(theirLeft), theirStatus, theirOut)
		}
	}
}

// TestSnapshotBase checks what a genuine server wrote.
func TestSnapshotBase(t *testing.T) {
	rdb, err := os.ReadFile("testdata/base.rdb")
	if err != nil {
		t.Fatal(err)
	}
	set := command("SET", "k", "v")
	content := map[string]string{"a.manifest": "file b.rdb seq 1 type b\nfile i.aof seq 1 type i\n", "b.rdb": string(rdb), "i.aof": set}
	out := compare(t, content, "", "a.manifest")
	if !strings.Contains(out, "[info] 3 keys read\n[info] 1 expires\n") {
		t.Errorf("of the snapshot:\n%s", out)
	}
	compare(t, map[string]string{"old.aof": string(rdb) + set}, "", "old.aof")
	compare(t, map[string]string{"old.aof": string(rdb) + set + set[:9]}, "y\n", "--fix", "old.aof")
	content["b.rdb"] = strings.Replace(content["b.rdb"], "redis-bits", "redis-bots", 1)
	dir := files(t, content)
	out, status := ours(t, dir, "", "a.manifest")
	if status != 1 || !strings.Contains(out, "RDB preamble of AOF file is not sane, aborting.\n") {
		t.Errorf("of a broken snapshot, status %d:\n%s", status, out)
	}
}

// TestAOFFolder: the folder stands for its manifest, as in an import.
func TestAOFFolder(t *testing.T) {
	dir := files(t, map[string]string{
		"a.manifest": "file a.1.incr.aof seq 1 type i\n", "a.1.incr.aof": command("SELECT", "0") + command("SET", "a", "b"),
	})
	if out, status := ours(t, dir, "", dir); status != 0 || !strings.Contains(out, "a.1.incr.aof") {
		t.Errorf("status %d: %s", status, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "b.manifest"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, status := ours(t, dir, "", dir); status != 1 || !strings.Contains(out, "has 2: give the name of a manifest") {
		t.Errorf("status %d: %s", status, out)
	}
}
