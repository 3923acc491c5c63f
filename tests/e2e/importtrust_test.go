package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"dozo/internal/testutil"
)

// These tests are about what an interrupted import goes on with: a target, a source or a
// file that is not what it was would leave keys out, without a word.

// keepNoState removes what an import that is never done leaves.
func keepNoState(t *testing.T) {
	t.Cleanup(func() {
		for _, end := range []string{"", ".rdb", ".stream"} {
			_ = os.Remove(stateOf(t) + end)
		}
	})
}

// killedImport runs an import, slowly, and kills it when it has brought something.
func killedImport(t *testing.T, to *testutil.Server, from ...string) {
	t.Helper()
	killedWhen(t, `"(offset|cursor)": "?[1-9]`, to, from...)
}

// killedWhen kills it when the state says so.
func killedWhen(t *testing.T, says string, to *testutil.Server, from ...string) {
	t.Helper()
	cmd := exec.Command(dozoBinary(t), append([]string{"import", "-p", strconv.Itoa(to.Port), "--state", stateOf(t), "--rate-limit", "100kb"}, from...)...)
	must(t, cmd.Start())
	waitFor(t, "a state", func() bool {
		b, _ := os.ReadFile(stateOf(t))
		return regexp.MustCompile(says).Match(b)
	})
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
}

// TestImportToAnotherTarget: the target that the import goes on with has nothing of what
// it was given, as one that was killed and keeps nothing on disk.
func TestImportToAnotherTarget(t *testing.T) {
	src := testutil.StartRedis(t, "--appendonly", "yes", "--repl-diskless-sync-delay", "0")
	everyType(t, src)
	rdb := filepath.Join(src.Dir, "saved.rdb")
	if r := runProgram(t, "", dozoBinary(t), "cli", "-p", strconv.Itoa(src.Port), "--rdb", rdb); r.code != 0 {
		t.Fatal(r)
	}
	for what, from := range map[string][]string{
		"rdb": {"--from", rdb}, "aof": {"--from", filepath.Join(src.Dir, "appendonlydir")}, "scan": {"--from", addr(src), "--scan"}, "psync": {"--from", addr(src)},
	} {
		t.Run(what, func(t *testing.T) {
			keepNoState(t)
			killedImport(t, testutil.StartDozo(t), from...)
			to := testutil.StartDozo(t)
			if r := runImport(t, to, from...); r.code != 0 || !strings.Contains(r.out, "the import begins again") {
				t.Errorf("%+v", r)
			}
			sameDigest(t, what, src, to)
		})
	}
	t.Run("forgotten", func(t *testing.T) { // it has data, but not the key that says how far it is
		keepNoState(t)
		from := []string{"--from", filepath.Join(src.Dir, "appendonlydir")}
		killedWhen(t, `"commands": [1-9]`, testutil.StartDozo(t), from...)
		to := testutil.StartDozo(t)
		to.Conn(t, 2).MustOK("SET", "k", "v")
		if r := runImport(t, to, from...); r.code != 1 || !strings.Contains(r.out, "the target has lost the key dozo-import:") {
			t.Errorf("%+v", r)
		}
	})
}

// TestImportFromAnotherSource: cursors are of one process only.
func TestImportFromAnotherSource(t *testing.T) {
	keepNoState(t)
	src, to := testutil.StartRedis(t), testutil.StartDozo(t)
	everyType(t, src)
	from := []string{"--from", addr(src), "--scan"}
	killedImport(t, to, from...)
	state, err := os.ReadFile(stateOf(t))
	must(t, err)
	state = regexp.MustCompile(`"source_run": "\w+"`).ReplaceAll(state, []byte(`"source_run": "`+strings.Repeat("0", 40)+`"`))
	state = regexp.MustCompile(`"db": \d+`).ReplaceAll(state, []byte(`"db": 3`))
	must(t, os.WriteFile(stateOf(t), state, 0o600))
	if r := runImport(t, to, from...); r.code != 0 || !strings.Contains(r.out, "the source was restarted") || !strings.Contains(r.out, "100%  ") {
		t.Errorf("%+v", r)
	}
	sameDigest(t, "scan", src, to)
	if r := runImport(t, src, from...); r.code != 1 || !strings.Contains(r.out, "the same server") {
		t.Errorf("to itself: %+v", r)
	}
}

// TestImportOfAnotherFile: the file was saved anew while the import was interrupted.
func TestImportOfAnotherFile(t *testing.T) {
	src := testutil.StartRedis(t)
	everyType(t, src)
	c := src.Conn(t, 2)
	c.MustOK("SAVE")
	from := []string{"--from", filepath.Join(src.Dir, "dump.rdb")}
	keepNoState(t)
	to := testutil.StartDozo(t)
	killedImport(t, to, from...)
	c.MustOK("SET", "new", "1")
	c.MustOK("SAVE")
	if r := runImport(t, to, from...); r.code != 1 || !strings.Contains(r.out, "dump.rdb is not what it was") {
		t.Errorf("%+v", r)
	}
	if r := runImport(t, to, append(from, "--restart")...); r.code != 0 {
		t.Errorf("%+v", r)
	}
	sameDigest(t, "anew", src, to)
}

// following runs an import that follows until end is called.
func following(t *testing.T, src, to *testutil.Server) (end func(how func(*exec.Cmd)) string) {
	t.Helper()
	keepNoState(t)
	cmd := exec.Command(dozoBinary(t), "import", "--from", addr(src), "--to", addr(to), "--state", stateOf(t), "--follow")
	var log bytes.Buffer
	cmd.Stderr, cmd.Stdout = &log, &log
	must(t, cmd.Start())
	d := to.Conn(t, 2)
	waitFor(t, "the snapshot", func() bool { return d.Do("EXISTS", "last").Int() == 1 })
	return func(how func(*exec.Cmd)) string {
		how(cmd)
		_ = cmd.Wait()
		return log.String()
	}
}

func told(cmd *exec.Cmd) { _ = cmd.Process.Signal(syscall.SIGTERM) }

// TestFollowGivesDeadlinesBack: when the move is over, whether it was ended or the source
// is gone, keys end when they should; until then nothing of the source's is undone by a
// deadline that it has moved.
func TestFollowGivesDeadlinesBack(t *testing.T) {
	for what, gone := range map[string]bool{"told": false, "source gone": true} {
		t.Run(what, func(t *testing.T) { followToTheEnd(t, gone) })
	}
}

func followToTheEnd(t *testing.T, gone bool) {
	t.Helper()
	src, to := testutil.StartRedis(t, "--repl-diskless-sync-delay", "0"), testutil.StartDozo(t)
	c, d := src.Conn(t, 2), to.Conn(t, 2)
	c.MustOK("SET", "early", "v", "EX", "30")
	c.MustOK("SET", "last", "v")
	end := following(t, src, to)
	c.MustOK("SET", "session", "v", "EX", "30")
	c.MustOK("EXPIRE", "session", "3600", "GT")
	c.MustOK("SET", "soon", "v", "EX", "3600")
	c.MustOK("EXPIRE", "soon", "40", "LT")
	c.MustOK("SET", "marker", "v", "EX", "20")
	waitFor(t, "the stream", func() bool { return d.Do("EXISTS", "marker").Int() == 1 })
	want := map[string]int64{}
	for _, k := range []string{"early", "session", "soon", "marker"} {
		want[k] = c.Do("PEXPIRETIME", k).Int()
	}
	log := end(func(cmd *exec.Cmd) {
		if gone {
			src.Stop()
		} else {
			told(cmd)
		}
	})
	for k, at := range want {
		if got := d.Do("PEXPIRETIME", k).Int(); got != at {
			t.Errorf("%s ends at %d, not at %d: %s", k, got, at, log)
		}
	}
}

// TestLostSourceGivesDeadlinesBack: the source dies while its snapshot is being imported,
// and may not come back.
func TestLostSourceGivesDeadlinesBack(t *testing.T) {
	keepNoState(t)
	src, to := testutil.StartRedis(t, "--repl-diskless-sync-delay", "0"), testutil.StartDozo(t)
	everyType(t, src)
	c, d := src.Conn(t, 2), to.Conn(t, 2)
	c.MustOK("SET", "session", "v", "EX", "50")
	want := c.Do("PEXPIRETIME", "session").Int()
	cmd := exec.Command(dozoBinary(t), "import", "--from", addr(src), "--to", addr(to), "--state", stateOf(t), "--rate-limit", "200kb")
	var log bytes.Buffer
	cmd.Stderr = &log
	must(t, cmd.Start())
	waitFor(t, "some keys", func() bool { return d.Do("DBSIZE").Int() > 0 })
	src.Stop()
	_ = cmd.Wait()
	if got := d.Do("PEXPIRETIME", "session").Int(); cmd.ProcessState.ExitCode() != 1 || got != want {
		t.Errorf("the session ends at %d, not at %d: %s", got, want, log.String())
	}
}

// TestFollowMissesNothingInSilence: a key ends while the import is stopped, though at the
// source it was given more time meanwhile.
func TestFollowMissesNothingInSilence(t *testing.T) {
	src, to := testutil.StartRedis(t, "--repl-diskless-sync-delay", "0"), testutil.StartDozo(t)
	c, d := src.Conn(t, 2), to.Conn(t, 2)
	c.MustOK("SET", "last", "v")
	end := following(t, src, to)
	c.MustOK("SET", "session", "v", "PX", "3000")
	waitFor(t, "the stream", func() bool { return d.Do("EXISTS", "session").Int() == 1 })
	end(told)
	c.MustOK("PERSIST", "session")
	waitFor(t, "its end", func() bool { return d.Do("EXISTS", "session").Int() == 0 })
	if r := runImport(t, to, "--from", addr(src)); r.code != 2 || !strings.Contains(r.out, "PERSIST: its key is not in the target") {
		t.Errorf("%+v", r)
	}
}

// TestScanWithoutDeadlines: a source that does not tell when keys end must not make them
// live for ever.
func TestScanWithoutDeadlines(t *testing.T) {
	src, to := testutil.StartRedis(t), testutil.StartDozo(t)
	c, d := src.Conn(t, 2), to.Conn(t, 2)
	c.MustOK("SET", "session", "v", "EX", "1000")
	c.MustOK("ACL", "SETUSER", "some", "on", ">x", "~*", "+@all", "-pexpiretime")
	c.MustOK("ACL", "SETUSER", "none", "on", ">x", "~*", "+@all", "-pexpiretime", "-pttl")
	if r := runImport(t, to, "--from", "redis://none:x@"+addr(src), "--scan"); r.code != 2 || !strings.Contains(r.out, "does not tell its deadline") || d.Do("DBSIZE").Int() != 0 {
		t.Errorf("%+v", r)
	}
	if r := runImport(t, to, "--from", "redis://some:x@"+addr(src), "--scan"); r.code != 0 || d.Do("TTL", "session").Int() < 900 {
		t.Errorf("%+v", r)
	}
}

// TestImportToATargetThatEvicts: it takes everything, and keeps a part.
func TestImportToATargetThatEvicts(t *testing.T) {
	src := testutil.StartRedis(t)
	everyType(t, src)
	for _, to := range []*testutil.Server{
		testutil.StartRedis(t, "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru"),
		testutil.StartDozo(t, "--maxmemory", "1200kb", "--maxmemory-policy", "allkeys-lru"),
	} {
		if r := runImport(t, to, "--from", addr(src), "--scan"); r.code != 2 || !strings.Contains(r.out, "keys meanwhile") {
			t.Errorf("%s: %+v", to.Name, r)
		}
	}
}
