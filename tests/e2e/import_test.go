package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// runImport runs the import in a folder of its own.
func runImport(t *testing.T, to *testutil.Server, args ...string) result {
	t.Helper()
	return runProgram(t, "", dozoBinary(t), append([]string{"import", "-p", strconv.Itoa(to.Port), "--state", stateOf(t)}, args...)...)
}

// stateOf is the name of the state file of a test.
func stateOf(t *testing.T) string {
	return filepath.Join(os.TempDir(), "dozo-import-"+strconv.Itoa(os.Getpid())+strings.ReplaceAll(t.Name(), "/", "-"))
}

// everyType fills two databases with values of all types and encodings.
func everyType(t *testing.T, s *testutil.Server) {
	t.Helper()
	c := s.Conn(t, 2)
	many := func(verb, key string, n int, item func(i int) []string) {
		for i := 0; i < n; i += 50 {
			args := []string{verb, key}
			for j := range 50 {
				args = append(args, item(i+j)...)
			}
			c.MustOK(args...)
		}
	}
	num := strconv.Itoa
	for _, db := range []string{"0", "3"} {
		c.MustOK("SELECT", db)
		for _, line := range []string{"SET int 42", "SET emb hello", "SET ttl v PX 100000000", "SADD sl a b 1", "HSET hl a 1 b 2",
			"ZADD zl 1 a 2.5 b -inf c", "PEXPIRE hl 50000000", "PFADD hll a b c d"} {
			c.MustOK(strings.Fields(line)...)
		}
		c.MustOK("SET", "bin\x00\xff", strings.Repeat("\x00\xff\r\n", 3000))
		many("RPUSH", "l", 50, func(i int) []string { return []string{num(i)} })
		many("RPUSH", "biglist", 3000, func(i int) []string { return []string{strings.Repeat(num(i), 9)} })
		many("SADD", "si", 100, func(i int) []string { return []string{num(i)} })
		many("SADD", "sh", 2000, func(i int) []string { return []string{"m" + num(i)} })
		many("HSET", "hh", 2000, func(i int) []string { return []string{"f" + num(i), num(i)} })
		many("ZADD", "zs", 2000, func(i int) []string { return []string{num(i) + ".25", "m" + num(i)} })
		many("MSET", "first", 2999, func(i int) []string { return afterFirst(i, "k:"+num(i), strings.Repeat("v"+num(i), 40)) })
		for i := range 300 {
			c.MustOK("XADD", "x", num(i+1)+"-1", "f", num(i))
		}
		c.MustOK("XGROUP", "CREATE", "x", "g", "0")
		c.MustOK("XREADGROUP", "GROUP", "g", "alice", "COUNT", "10", "STREAMS", "x", ">")
		c.MustOK("XDEL", "x", "5-1")
	}
}

// afterFirst makes pairs for a command whose first pair has its key in place already.
func afterFirst(i int, key, value string) []string {
	if i%50 == 0 {
		return []string{value}
	}
	return []string{key, value}
}

// sameDigest compares all data, and deadlines.
func sameDigest(t *testing.T, what string, a, b *testutil.Server) {
	t.Helper()
	x, y := a.Conn(t, 2), b.Conn(t, 2)
	if dx, dy := x.Do("DEBUG", "DIGEST"), y.Do("DEBUG", "DIGEST"); dx.IsError() || !bytes.Equal([]byte(dx.String()), []byte(dy.String())) {
		t.Errorf("%s: the digests are %v and %v; databases %v and %v", what, dx, dy, x.Do("INFO", "keyspace"), y.Do("INFO", "keyspace"))
	}
	for _, key := range []string{"ttl", "hl"} {
		if dx, dy := x.Do("PEXPIRETIME", key), y.Do("PEXPIRETIME", key); dx.Int() != dy.Int() {
			t.Errorf("%s: %s ends at %v and %v", what, key, dx, dy)
		}
	}
	if dx, dy := x.Do("XINFO", "STREAM", "x", "FULL"), y.Do("XPENDING", "x", "g"); dx.IsError() || dy.IsError() || !strings.Contains(dy.String(), "alice") {
		t.Errorf("%s: the stream: %v and %v", what, dx, dy)
	}
}

func addr(s *testutil.Server) string { return s.Addr() }

// TestImport: all types, from everything to everything.
func TestImport(t *testing.T) {
	src := testutil.StartRedis(t, "--appendonly", "yes", "--repl-diskless-sync-delay", "0")
	everyType(t, src)
	rdb := filepath.Join(src.Dir, "saved.rdb")
	if r := runProgram(t, "", dozoBinary(t), "cli", "-p", strconv.Itoa(src.Port), "--rdb", rdb); r.code != 0 {
		t.Fatal(r)
	}
	fresh := []func() *testutil.Server{
		func() *testutil.Server { return testutil.StartDozo(t) }, func() *testutil.Server { return testutil.StartRedis(t) },
	}
	for what, from := range map[string][]string{
		"rdb": {"--from", rdb}, "aof": {"--from", filepath.Join(src.Dir, "appendonlydir")},
		"psync": {"--from", addr(src)}, "scan": {"--from", "redis://" + addr(src), "--scan"},
	} {
		for _, start := range fresh {
			to := start()
			r := runImport(t, to, from...)
			if r.code != 0 || strings.Contains(r.out, "error") {
				t.Errorf("%s: %+v", what, r)
			}
			sameDigest(t, what+" to "+to.Name, src, to)
			if left, _ := filepath.Glob(stateOf(t) + "*"); len(left) > 0 {
				t.Errorf("%s: there is still %v", what, left)
			}
			to.Stop()
		}
	}
	dozo, redis := testutil.StartDozo(t), testutil.StartRedis(t)
	everyType(t, dozo)
	if r := runImport(t, redis, "--from", addr(dozo), "--scan"); r.code != 0 {
		t.Error(r)
	}
	sameDigest(t, "from Dozo", dozo, redis)
	if r := runImport(t, redis, "--from", addr(dozo)); r.code != 1 || !strings.Contains(r.out, "keys") && !strings.Contains(r.out, "--scan") {
		t.Errorf("PSYNC: %+v", r)
	}
}

// TestImportOfPast: keys of an append only file whose time was over, but for what was
// written then.
func TestImportOfPast(t *testing.T) {
	src, dozo := testutil.StartRedis(t, "--appendonly", "yes"), testutil.StartDozo(t)
	c := src.Conn(t, 2)
	c.MustOK("SET", "session", "v", "PX", "600")
	c.MustOK("SET", "forever", "v", "PX", "600")
	c.MustOK("SET", "over", "v", "PX", "600")
	c.MustOK("BGREWRITEAOF")
	waitFor(t, "the rewrite", func() bool { return c.Info("persistence", "aof_rewrite_in_progress") == "0" })
	c.MustOK("SET", "second", "v", "PX", "500")
	for _, k := range []string{"session", "second"} {
		c.MustOK("PEXPIRE", k, "100000")
	}
	c.MustOK("PERSIST", "forever")
	c.MustOK("MULTI")
	c.MustOK("INCR", "n")
	c.MustOK("INCR", "n")
	c.MustOK("EXEC")
	time.Sleep(700 * time.Millisecond)
	if r := runImport(t, dozo, "--from", filepath.Join(src.Dir, "appendonlydir"), "--db-map", "0:2"); r.code != 0 {
		t.Fatal(r)
	}
	d := dozo.Conn(t, 2)
	d.MustOK("SELECT", "2")
	for _, k := range []string{"session", "second", "forever", "over", "n"} {
		if got, want := d.Do("PEXPIRETIME", k).Int(), c.Do("PEXPIRETIME", k).Int(); got != want {
			t.Errorf("%s ends at %d, not at %d", k, got, want)
		}
	}
	if v := d.Do("GET", "n"); v.String() != c.Do("GET", "n").String() || d.Do("DBSIZE").Int() != 4 {
		t.Errorf("n is %v; %v keys", v, d.Do("DBSIZE"))
	}
}

// TestImportGoesOn: it is killed, again and again, and in the end all is there once.
func TestImportGoesOn(t *testing.T) {
	src := testutil.StartRedis(t, "--appendonly", "yes", "--repl-diskless-sync-delay", "0")
	everyType(t, src)
	c := src.Conn(t, 2)
	c.MustOK("BGREWRITEAOF")
	waitFor(t, "the rewrite", func() bool { return c.Info("persistence", "aof_rewrite_in_progress") == "0" })
	write := func() {
		for i := range 6000 {
			c.Queue("INCR", "counter")
			c.Queue("RPUSH", "queue", strings.Repeat(strconv.Itoa(i), 10))
		}
		flushAndRead(t, c, 12000)
	}
	write()
	rdb := filepath.Join(src.Dir, "saved.rdb")
	if r := runProgram(t, "", dozoBinary(t), "cli", "-p", strconv.Itoa(src.Port), "--rdb", rdb); r.code != 0 {
		t.Fatal(r)
	}
	for _, from := range [][]string{
		{"--from", rdb}, {"--from", filepath.Join(src.Dir, "appendonlydir")}, {"--from", addr(src), "--scan"}, {"--from", addr(src)},
	} {
		t.Run(filepath.Base(from[1])+strconv.Itoa(len(from)), func(t *testing.T) {
			to := testutil.StartDozo(t)
			for kills := range 3 {
				cmd := exec.Command(dozoBinary(t), append([]string{"import", "-p", strconv.Itoa(to.Port), "--state", stateOf(t), "--rate-limit", "70kb"}, from...)...)
				cmd.Env = append(os.Environ(), "DOZO_SOURCE_AUTH=")
				must(t, cmd.Start())
				time.Sleep(time.Duration(1300+200*kills) * time.Millisecond)
				if kills == 1 && from[1] == addr(src) && len(from) == 2 {
					write()
				}
				must(t, cmd.Process.Kill())
				_ = cmd.Wait()
			}
			r := runImport(t, to, from...)
			if r.code != 0 || !strings.Contains(r.out, "going on from") {
				t.Errorf("%+v", r)
			}
			sameDigest(t, fmt.Sprint(from), src, to)
		})
	}
}

// TestImportFollows: what is written while it runs arrives, and it ends when told to.
func TestImportFollows(t *testing.T) {
	src, to := testutil.StartRedis(t, "--repl-diskless-sync-delay", "0", "--requirepass", "secret"), testutil.StartDozo(t)
	c, d := src.Conn(t, 2), to.Conn(t, 2)
	c.MustOK("AUTH", "secret")
	c.MustOK("SET", "a", "1")
	cmd := exec.Command(dozoBinary(t), "import", "--from", "redis://:secret@"+addr(src), "--to", addr(to), "--state", stateOf(t), "--follow")
	var log bytes.Buffer
	cmd.Stderr = &log
	must(t, cmd.Start())
	t.Cleanup(func() {
		for _, end := range []string{"", ".rdb", ".stream"} {
			_ = os.Remove(stateOf(t) + end)
		}
	})
	waitFor(t, "the snapshot", func() bool { return d.Do("GET", "a").String() == `"1"` })
	for i := range 100 {
		c.MustOK("INCR", "a")
		c.MustOK("SELECT", strconv.Itoa(i%3))
		c.MustOK("RPUSH", "list", strconv.Itoa(i))
		c.MustOK("SELECT", "0")
	}
	waitFor(t, "the stream", func() bool { return d.Do("GET", "a").String() == `"101"` })
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, log.String())
	}
	c.MustOK("INCR", "a")
	if r := runImport(t, to, "--from", "redis://:secret@"+addr(src)); r.code != 0 {
		t.Error(r)
	}
	if got, want := d.Do("DEBUG", "DIGEST").String(), c.Do("DEBUG", "DIGEST").String(); got != want {
		t.Errorf("the digests are %s and %s", got, want)
	}
}

// TestImportFaults: the target refuses, the source goes away, keys conflict.
func TestImportFaults(t *testing.T) {
	src := testutil.StartRedis(t)
	everyType(t, src)
	for what, c := range map[string]struct {
		config, args []string
		code         int
		says         string
	}{
		"full":     {[]string{"--maxmemory", "3mb"}, nil, 1, "OOM"},
		"password": {[]string{"--requirepass", "x"}, []string{"-a", "wrong", "--no-auth-warning"}, 1, "WRONGPASS"},
		"none":     {[]string{"--requirepass", "x"}, nil, 1, "NOAUTH"},
		"replica":  {[]string{"--replicaof", "127.0.0.1 1"}, nil, 1, "READONLY"},
		"few":      {[]string{"--databases", "2"}, nil, 1, "--db-map"},
		"mapped":   {[]string{"--databases", "2"}, []string{"--db-map", "3:1"}, 0, ""},
		"filter":   {nil, []string{"--match", "s*", "--type", "set", "--db", "3"}, 0, ""},
	} {
		to := testutil.StartRedis(t, c.config...)
		r := runImport(t, to, append([]string{"--from", addr(src), "--scan"}, c.args...)...)
		if r.code != c.code || !strings.Contains(r.out, c.says) {
			t.Errorf("%s: %+v", what, r)
		}
		if what == "filter" && !strings.Contains(r.out, "3 keys written (set 3)") {
			t.Errorf("%s: %+v", what, r)
		}
		_ = os.Remove(stateOf(t))
		to.Stop()
	}
	to := testutil.StartDozo(t)
	cmd := exec.Command(dozoBinary(t), "import", "--from", addr(src), "-p", strconv.Itoa(to.Port), "--scan", "--state", stateOf(t), "--rate-limit", "100kb")
	var log bytes.Buffer
	cmd.Stderr = &log
	must(t, cmd.Start())
	time.Sleep(time.Second)
	src.Stop()
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(log.String(), "goes on from here") {
		t.Errorf("the source went away: %v: %s", err, log.String())
	}
	must(t, os.Remove(stateOf(t)))
}

// TestImportConflicts: a key that is there with another value is an error, or left, or
// written over, as it was asked for.
func TestImportConflicts(t *testing.T) {
	src, to := testutil.StartRedis(t), testutil.StartDozo(t)
	c, d := src.Conn(t, 2), to.Conn(t, 2)
	c.MustOK("MSET", "same", "1", "other", "1", "new", "1")
	d.MustOK("MSET", "same", "1", "other", "2")
	for _, step := range []struct {
		option, other, says string
		code                int
	}{
		{"--scan", `"2"`, `key "other" in database 0: it is there with another value`, 2},
		{"--skip-existing", `"2"`, "3 keys were there and were left", 0},
		{"--replace", `"1"`, "3 keys written", 0},
	} {
		r := runImport(t, to, "--from", addr(src), "--scan", step.option)
		if got := d.Do("GET", "other").String(); r.code != step.code || got != step.other || !strings.Contains(r.out, step.says) {
			t.Errorf("%s: %s, %+v", step.option, got, r)
		}
	}
}

// TestImportOfGiants: values that are longer than the buffer of a database file go as
// commands, and nobody sees a part of them.
func TestImportOfGiants(t *testing.T) {
	src, to := testutil.StartRedis(t, "--repl-diskless-sync-delay", "0"), testutil.StartDozo(t)
	c := src.Conn(t, 2)
	c.SetTimeout(time.Minute)
	noise := rand.NewChaCha8([32]byte{}) // the same each time, and of a kind that is not compressed
	piece := make([]byte, 60<<10)
	for i := range 300 {
		_, _ = noise.Read(piece) // never fails
		for _, verb := range []string{"RPUSH", "SADD", "HSET f", "ZADD 1"} {
			words := strings.Fields(verb)
			args := append([]string{words[0], "giant " + words[0]}, words[1:]...)
			if len(words) > 1 {
				args[2] = strconv.Itoa(i)
			}
			c.MustOK(append(args, string(piece))...)
		}
		c.MustOK("APPEND", "giant string", string(piece))
	}
	c.MustOK("PEXPIRE", "giant ZADD", "1000000")
	c.MustOK("SET", "small", "v")
	r := runImport(t, to, "--from", addr(src))
	if r.code != 0 || !strings.Contains(r.out, "5 values were sent as commands") {
		t.Errorf("%+v", r)
	}
	d := to.Conn(t, 2)
	d.SetTimeout(time.Minute)
	if got, want := d.Do("DEBUG", "DIGEST").String(), c.Do("DEBUG", "DIGEST").String(); got != want || d.Do("DBSIZE").Int() != 6 {
		t.Errorf("%v keys, the digests are %s and %s", d.Do("DBSIZE"), got, want)
	}
	if got, want := d.Do("PEXPIRETIME", "giant ZADD"), c.Do("PEXPIRETIME", "giant ZADD"); got.Int() != want.Int() {
		t.Errorf("it ends at %v, not at %v", got, want)
	}
	if r := runImport(t, to, "--from", addr(src), "--scan"); r.code != 0 || !strings.Contains(r.out, "6 keys were there with the same value") {
		t.Errorf("%+v", r)
	}
}
