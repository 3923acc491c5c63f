package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

// cliLines are invocations whose output must be the same with both servers. They
// run in order on servers that begin empty.
var cliLines = [][]string{
	{"PING"},
	{"SET", "k", "hello world"},
	{"GET", "k"},
	{"--no-raw", "GET", "k"},
	{"--csv", "MGET", "k", "nope"},
	{"--json", "MGET", "k", "nope"},
	{"-3", "--no-raw", "MGET", "k", "nope"},
	{"-3", "--json", "CONFIG", "GET", "maxmemory-policy"},
	{"-n", "3", "SET", "k", "three"},
	{"-n", "3", "GET", "k"},
	{"-r", "5", "INCR", "n"},
	{"GET"},
	{"NOSUCH", "a"},
	{"-e", "NOSUCH"},
	{"INCR", "k"},
	{"-e", "INCR", "k"},
	{"--no-raw", "KEYS", "?"},
	{"-d", ";", "MGET", "n", "n"},
	{"SET", "bin", "\xff\xfe"},
	{"--no-raw", "GET", "bin"},
	{"--scan"},
	{"--scan", "--pattern", "k*"},
	{"--user", "default", "--pass", "x", "--no-auth-warning", "PING"},
	{"-n", "99", "PING"},
	{"BITFIELD", "bf", "SET", "u8", "0", "255", "GET", "i8", "0"},
	{"DEL", "k", "n", "nope"},
	{"DEBUG", "SLEEP", "0"},
	{"DBSIZE"},
}

func TestRedisCLIArguments(t *testing.T) {
	dozo, redis := both(t)
	compareLines(t, dozo, redis, func(s *testutil.Server, args []string) result { return redisCLI(t, s, "", args...) })
}

func compareLines(t *testing.T, dozo, redis *testutil.Server, run func(*testutil.Server, []string) result) {
	t.Helper()
	for _, args := range cliLines {
		got, want := run(dozo, args), run(redis, args)
		if sortLines(args, got) != sortLines(args, want) {
			t.Errorf("%q:\n dozo:  %+v\n redis: %+v", args, got, want)
		}
	}
}

// sortLines forgets the order of output lines that come from a hash table.
func sortLines(args []string, r result) result {
	if slices.Contains(args, "--scan") || slices.Contains(args, "KEYS") {
		words := strings.Fields(r.out)
		slices.Sort(words)
		r.out = strings.Join(words, "\n")
	}
	return r
}

func TestRedisCLIInput(t *testing.T) {
	dozo, redis := both(t)
	script := "SET a 1\nINCR a\n\nGET a\nSET s \"with \\x41 quotes\"\nGET s\nMULTI\nINCR a\nGET a\nEXEC\nNOSUCH\nGET\nSUBSTR s 0 3\n"
	for _, args := range [][]string{nil, {"--no-raw"}, {"-3", "--no-raw"}} {
		got, want := redisCLI(t, dozo, script, args...), redisCLI(t, redis, script, args...)
		if got != want {
			t.Errorf("commands on standard input, %v:\n dozo:  %+v\n redis: %+v", args, got, want)
		}
	}
	big := strings.Repeat("big value ", 100_000)
	if r := redisCLI(t, dozo, big, "-x", "SET", "big"); r.out != "OK\n" {
		t.Errorf("-x: %+v", r)
	}
	if r := redisCLI(t, dozo, "", "STRLEN", "big"); r.out != "1000000\n" {
		t.Errorf("STRLEN after -x: %+v", r)
	}
}

func TestRedisCLIReports(t *testing.T) {
	s := testutil.StartDozo(t)
	c := s.Conn(t, 2)
	for i := range 2000 {
		c.Queue("SET", "key:"+strconv.Itoa(i), strings.Repeat("v", i%50+1))
	}
	c.Queue("SET", "giant", strings.Repeat("g", 100_000))
	flushAndRead(t, c, 2001)
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"--bigkeys"}, []string{"2001 keys", "giant", "100000 bytes"}},
		{[]string{"--memkeys"}, []string{"2001 keys", "giant"}},
		{[]string{"INFO", "keyspace"}, []string{"db0:keys=2001,expires=0"}},
		{[]string{"-r", "2", "-i", "0.1", "INFO", "server"}, []string{"redis_version:7.2"}},
		{[]string{"INFO", "dozo"}, []string{"dozo_version:"}},
	} {
		args := test.args
		r := runProgram(t, "", "timeout", append([]string{"3", "redis-cli", "-p", strconv.Itoa(s.Port)}, args...)...)
		for _, want := range test.want {
			if !strings.Contains(r.out, want) {
				t.Errorf("redis-cli %v: no %q in\n%s", args, want, r.out)
			}
		}
	}
}

func flushAndRead(t *testing.T, c *testutil.Peer, replies int) {
	t.Helper()
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	for range replies {
		raw, err := c.ReadRaw()
		if err != nil || raw[0] == '-' {
			t.Fatalf("%q, %v", raw, err)
		}
	}
}

// dozoCLI returns a function that runs Dozo's own cli under the name redis-cli.
func dozoCLI(t *testing.T) string {
	t.Helper()
	path, err := testutil.Build(testutil.Plain)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "redis-cli")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	return link
}

// TestDozoCLI runs Dozo's cli and the genuine one against the same kind of
// server: what they print must be the same.
func TestDozoCLI(t *testing.T) {
	dozo, redis := both(t)
	cli := dozoCLI(t)
	compareLines(t, dozo, redis, func(s *testutil.Server, args []string) result {
		program := "redis-cli"
		if s == dozo {
			program = cli
		}
		return runProgram(t, "", program, append([]string{"-p", strconv.Itoa(s.Port)}, args...)...)
	})
	script := "SET a 1\nINCR a\nGET a\nNOSUCH\nMULTI\nGET a\nEXEC\n"
	for _, args := range [][]string{nil, {"--no-raw"}} {
		args = append([]string{"-p", strconv.Itoa(dozo.Port)}, args...)
		if got, want := runProgram(t, script, cli, args...), runProgram(t, script, "redis-cli", args...); sameButCounter(got, want) != "" {
			t.Errorf("commands on standard input, %v: %s", args, sameButCounter(got, want))
		}
	}
}

// sameButCounter compares outputs of a script that both ran on one server.
func sameButCounter(got, want result) string {
	if got == want {
		return ""
	}
	return "\n dozo cli:  " + strconv.Quote(got.out) + "\n redis-cli: " + strconv.Quote(want.out)
}
