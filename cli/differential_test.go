package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// result is all that a run of either program leaves behind.
type result struct {
	out, err string
	code     int
}

func (r result) String() string { return fmt.Sprintf("out %q, err %q, code %d", r.out, r.err, r.code) }

// connectionID matches what HELLO says of itself.
var connectionID = regexp.MustCompile(`(?s)\bid\b.*?\bmode\b`)

// normal is the result without the numbers that differ from run to run.
func (r result) normal() result {
	r.out = connectionID.ReplaceAllString(r.out, "id mode")
	return r
}

// runReal runs redis-cli.
func runReal(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "redis-cli", args...)
	var out, errout bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errout
	err := cmd.Run()
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("redis-cli %q does not end with input %q", args, stdin)
	}
	return result{out.String(), errout.String(), cmd.ProcessState.ExitCode()}
}

// runOurs runs Main.
func runOurs(stdin string, args ...string) result {
	var out, errout bytes.Buffer
	code := Main(args, strings.NewReader(stdin), &out, &errout)
	return result{out.String(), errout.String(), code}
}

// pair starts a server, and skips the test when the real programs are missing.
func pair(t *testing.T, config ...string) *testutil.Server {
	t.Helper()
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	if _, err := exec.LookPath("redis-cli"); err != nil {
		t.Skip(err)
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("TERM", "dumb")
	return testutil.StartRedis(t, append([]string{"--enable-debug-command", "yes"}, config...)...)
}

// compareRun runs both programs on an empty data set each and compares.
func compareRun(t *testing.T, s *testutil.Server, stdin string, args ...string) {
	t.Helper()
	c := s.Conn(t, 2)
	args = append([]string{"-p", strconv.Itoa(s.Port)}, args...)
	c.MustOK("FLUSHALL")
	want := runReal(t, stdin, args...)
	c.MustOK("FLUSHALL")
	if got := runOurs(stdin, args...); got.normal() != want.normal() {
		t.Errorf("%q with input %.200q\n got %v\nwant %v", args, stdin, got, want)
	}
}

// replies are scripts, one command a line, whose replies have every shape.
var replies = []string{
	"ping\nping hello\necho \"a\\x00b\\n\\\"\"\n",
	"set k v\nget k\nget nokey\nincr n\nincr k\ndel k n\n",
	"rpush l a b c d e f g h i j k\nlrange l 0 -1\nlrange nolist 0 -1\nlpop l 2\n",
	"hset h f 1 g 2\nhgetall h\nhgetall noh\nhmget h f x\nhrandfield h 0 withvalues\n",
	"sadd s 1\nsmembers s\nsmembers nos\n",
	"zadd z 1.5 a 2 b\nzrange z 0 -1 withscores\nzscore z a\nzscore z x\nzmscore z a x\n",
	"xadd x 1-1 a b c d\nxadd x 1-2 e f\nxrange x - +\nxread streams x 0\nxinfo stream x\n",
	"eval 'return {1,{2,{3,{}},\"x\"},false,{err=\"MY error\"},{ok=\"fine\"}}' 0\neval 'return {}' 0\n",
	"debug protocol string\ndebug protocol integer\ndebug protocol double\ndebug protocol null\ndebug protocol array\ndebug protocol set\ndebug protocol map\n",
	"debug protocol true\ndebug protocol false\ndebug protocol verbatim\n",
	"multi\nset a 1\nget a\nincr nan\nexec\nmulti\ndiscard\nexec\n",
	"select 3\nset a 1\nmulti\nselect 5\nexec\nget a\nselect 99\n",
	"nosuchcommand a b\nget\n\"\"\n'unbalanced\n\"a\"b\n   \n\n",
	"3 ping\n-1 ping\n0 ping\n99999999999999999999 ping\n+2 ping\n2\n",
	"hello 3\nhgetall noh\nset k v\nhset h f 1 g 2\nhgetall h\nconfig get maxmemory\nclient setname me\nhello 2\nhgetall h\nreset\n",
	":set hints\n:set nohints\n:set x\n:x\nrestart\n",
	"quit\nping\n",
	"exit\n",
	"info nosuchsection\nclient getname\nmemory doctor\nlatency doctor\nobject help\n",
	"geoadd g 13.361389 38.115556 p\ngeopos g p q\ngeosearch g fromlonlat 15 37 byradius 500 km withcoord withdist\n",
	"monitor x y\n",
	"client tracking on\nacl whoami\ncommand getkeys mset a b c d\ncommand count\nfunction list\n",
	"auth x\nauth a b\nhello 9\n",
	"config set maxmemory-policy allkeys-lru\nconfig set maxmemory-policy noeviction\nconfig get maxmemory-p*\n",
}

// modes are the ways to show a reply.
var modes = [][]string{{}, {"--no-raw"}, {"--raw"}, {"--csv"}, {"--json"}, {"--quoted-json"}, {"-3"}, {"-3", "--no-raw"}, {"-2", "--json"}, {"-3", "--csv"}, {"-d", ",", "-D", ";"}}

func TestReplies(t *testing.T) {
	s := pair(t)
	step := 2 // of all pairs of a script and a mode
	if testing.Short() {
		step = 6
	}
	for _, fake := range []string{"", "1"} {
		if fake == "" {
			os.Unsetenv("FAKETTY")
		} else {
			t.Setenv("FAKETTY", fake)
		}
		for i, script := range replies {
			for j, mode := range modes {
				if (i+j)%step != 0 {
					continue
				}
				compareRun(t, s, script, mode...)
			}
		}
	}
}

// TestSingleCommands sends each line of the scripts as arguments.
func TestSingleCommands(t *testing.T) {
	s := pair(t)
	for _, args := range [][]string{
		{"ping"}, {"get", "k"}, {"-n", "3", "set", "k", "v"}, {"-n", "99", "set", "k", "v"}, {"-n", "x", "ping"}, {"incr", "a", "b"},
		{"-r", "3", "incr", "k"}, {"-r", "2", "-i", "0.01", "ping"}, {"-r", "0", "ping"}, {"-e", "incr", "a", "b"}, {"-e", "ping"}, {"-e", "--no-raw", "get"},
		{"-x", "set", "k"}, {"-X", "tag", "set", "k", "tag"}, {"-X", "tag", "set", "k", "v"}, {"-x", "-X", "tag", "set", "k", "tag"},
		{"--quoted-input", "set", `"a\x00b"`, "'c'"}, {"--quoted-input", "set", `"a`, "c"}, {"--quoted-input", "set", "a b", "c"}, {"--quoted-input", "echo", `""`},
		{"-a", "secret", "ping"}, {"-a", "secret", "--no-auth-warning", "ping"}, {"--user", "u", "--pass", "p", "ping"}, {"-2", "-3", "ping"}, {"-3", "hello"},
		{"--nosuch", "ping"}, {"-p"}, {"-n"}, {"-c", "ping"}, {"-c", "-s", "/nonexistent", "ping"}, {"-s", "/nonexistent", "ping"}, {"-s", "/nonexistent"},
		{"-h", "127.0.0.1", "-p", "1", "ping"}, {"-p", "1"}, {"-u", "http://x", "ping"}, {"-u", "redis://127.0.0.1:1/2", "ping"}, {"-u", "redis://u:p%41@127.0.0.1:1/2", "ping"},
		{"subscribe"}, {"eval", "return redis.error_reply('x y')", "0"}, {"--eval", "/nonexistent", "a"}, {"debug", "protocol", "push"}, {"-3", "--no-raw", "debug", "protocol", "push"},
		{"shutdown", "abort"}, {"config", "get", "port-x"}, {"--show-pushes", "no", "-3", "ping"}, {"client", "kill", "id", "999999"},
		{"--verbose", "ping"}, {"object", "freq", "k"}, {"--json", "-3", "eval", "redis.setresp(3); return {map={[1]='a',b={double=1.5}}}", "0"},
	} {
		compareRun(t, s, "input\nof two lines\n", args...)
	}
}

func TestScanTool(t *testing.T) {
	s := pair(t)
	c := s.Conn(t, 2)
	c.MustOK("MSET", "a1", "1", "a2", "2", "b\x01", "3")
	for _, args := range [][]string{
		{"--scan"}, {"--scan", "--pattern", "a*"}, {"--scan", "--no-raw"}, {"--scan", "--quoted-pattern", `"b\x01"`},
		{"--scan", "--quoted-pattern", `"b`}, {"--scan", "--pattern"},
	} {
		args = append([]string{"-p", strconv.Itoa(s.Port)}, args...)
		if got, want := runOurs("", args...), runReal(t, "", args...); got != want {
			t.Errorf("%q\n got %v\nwant %v", args, got, want)
		}
	}
}

func TestPipeTool(t *testing.T) {
	s := pair(t)
	var many strings.Builder
	for i := range 20000 {
		many.WriteString("*3\r\n$3\r\nSET\r\n$5\r\nk" + strconv.Itoa(1000+i%9000) + "\r\n$1\r\nv\r\n")
	}
	for _, in := range []string{
		"", "set a b\r\nget a\r\n", "set a b\r\nincr a\r\n", "*1\r\n$4\r\nPING\r\n", "PING", many.String(),
	} {
		compareRun(t, s, in, "--pipe")
	}
}

func TestEvalTool(t *testing.T) {
	s := pair(t)
	script := filepath.Join(t.TempDir(), "script.lua")
	if err := os.WriteFile(script, []byte("return {#KEYS, #ARGV, KEYS[1] or 'none', ARGV[1] or 'none'}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{}, {"a"}, {"a", "b", ",", "c"}, {",", "c", ","}} {
		compareRun(t, s, "", append([]string{"--no-raw", "--eval", script}, args...)...)
	}
}

func TestPasswords(t *testing.T) {
	s := pair(t, "--requirepass", "secret")
	port := strconv.Itoa(s.Port)
	both := func(args ...string) {
		t.Helper()
		args = append([]string{"-p", port}, args...)
		if got, want := runOurs("ping\nauth secret\nping\n", args...), runReal(t, "ping\nauth secret\nping\n", args...); got != want {
			t.Errorf("%q\n got %v\nwant %v", args, got, want)
		}
	}
	both("ping")
	both("-a", "wrong", "ping")
	both("-a", "wrong")
	both("-a", "secret", "-n", "3", "ping")
	both("-n", "3")
	both("--no-auth-warning", "--user", "default", "--pass", "secret", "ping")
	both("-u", "redis://default:secret@127.0.0.1:"+port+"/1", "ping")
	both("-u", "redis://secret@localhost:"+port, "ping")
	both("-a", "wrong", "-3", "ping")
	both("-3", "ping")
	both("--json", "ping")
	t.Setenv("REDISCLI_AUTH", "secret")
	both("ping")
	both("-a", "wrong", "ping")
	both("-3", "ping")
}
