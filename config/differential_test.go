package config

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/env"
	"dozo/internal/testutil"
)

// The tests in this file run a genuine redis-server 7.0.15 beside a Config and
// compare what both say. What differs is listed, with the reason.

// onlyIn72 are directives that 7.0 does not have or does not show.
var onlyIn72 = map[string]string{
	"cluster-announce-human-nodename": "new in 7.2",
	"cluster-ping-interval":           "new in 7.2, hidden",
	"locale-collate":                  "new in 7.2",
	"set-max-listpack-entries":        "new in 7.2",
	"set-max-listpack-value":          "new in 7.2",
	"config-set-persist":              "only in Dozo",
	"config-drift-warn-after":         "only in Dozo",
	"rdb-version":                     "only in Dozo",
	"startup-data-check":              "only in Dozo",
	"repl-backlog-time":               "only in Dozo",
	"repl-max-full-syncs":             "only in Dozo",
	"repl-sync-rate-limit":            "only in Dozo",
	"replica-refuse-older-primary":    "only in Dozo",
	"repl-rescue":                     "only in Dozo",
	"repl-rescue-max-bytes":           "only in Dozo",
}

// differentDefault are directives whose value is not that of 7.0 without any
// setting.
var differentDefault = map[string]string{
	"aof-disable-auto-gc": "7.2 hides it, 7.0 does not",
}

// oracle is a redis-server and a Config that were started the same way.
type oracle struct {
	t     *testing.T
	redis *testutil.Peer
	dozo  *Config
	file  string // the server's configuration file
	own   string // the Config's
}

// startOracle gives both the file content and the options.
func startOracle(t *testing.T, content string, options ...string) *oracle {
	t.Helper()
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	o := &oracle{t: t, file: filepath.Join(dir, "redis.conf"), own: filepath.Join(dir, "dozo.conf")}
	for _, name := range []string{o.file, o.own} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	so, err := testutil.RedisOptions(options...)
	if err != nil {
		t.Fatal(err)
	}
	so.Args, so.Bare = []string{o.file}, true
	s, err := testutil.Start(so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	o.redis = s.Conn(t, 2)
	o.dozo = New(Options{FS: env.Real().FS, WorkDir: s.Dir})
	a := ParseArgs(append([]string{o.own, "--port", strconv.Itoa(s.Port), "--bind", "127.0.0.1", "--dir", s.Dir}, options...))
	if err := o.dozo.Load(Sources{File: a.File, Options: a.Options}); err != nil {
		t.Fatal(err)
	}
	return o
}

func toMap(words []string) map[string]string {
	m := map[string]string{}
	for ; len(words) > 1; words = words[2:] {
		m[words[0]] = words[1]
	}
	return m
}

func (o *oracle) redisGet(patterns ...string) map[string]string {
	return toMap(o.redis.MustOK(append([]string{"CONFIG", "GET"}, patterns...)...).Strings())
}

func (o *oracle) dozoGet(patterns ...string) map[string]string {
	m := map[string]string{}
	for _, p := range o.dozo.Get(patterns...) {
		m[p.Name] = p.Value
	}
	return m
}

// sameAll compares CONFIG GET *.
func (o *oracle) sameAll() {
	o.t.Helper()
	theirs, ours := o.redisGet("*"), o.dozoGet("*")
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		if got, there := ours[name]; (!there || got != theirs[name]) && differentDefault[name] == "" {
			o.t.Errorf("%s: redis %q, dozo %q (there: %v)", name, theirs[name], got, there)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		if _, there := theirs[name]; !there && onlyIn72[name] == "" {
			o.t.Errorf("%s: redis does not have it", name)
		}
	}
}

// set sends the pairs to both and compares the replies and the values after.
func (o *oracle) set(words ...string) {
	o.t.Helper()
	theirs := o.redis.Do(append([]string{"CONFIG", "SET"}, words...)...).Str
	ours := "OK"
	if err := o.dozo.Set(pairs(words...), Caller{Local: true}); err != nil {
		ours = err.Error()
	}
	if theirs != ours {
		o.t.Errorf("SET %q:\nredis %s\ndozo  %s", words, theirs, ours)
	}
	for i := 0; i < len(words); i += 2 {
		if a, b := o.redisGet(words[i]), o.dozoGet(words[i]); !maps.Equal(a, b) {
			o.t.Errorf("GET after SET %q: redis %q, dozo %q", words, a, b)
		}
	}
}

func TestDifferentialDefaults(t *testing.T) {
	startOracle(t, "").sameAll()
}

func TestDifferentialGet(t *testing.T) {
	o := startOracle(t, "")
	for _, patterns := range [][]string{
		{"MAXmemory"}, {"maxmemory", "MaxMemory"}, {"slave-*"}, {"[hm]z", "h?"}, {"key-load-delay"},
		{"key-load-dela?"}, {"nothing"}, {"save", "s[a]ve", "SAVE"}, {"*listpack*", "*ziplist*"}, {"\\save"}, {"s\\ave*"}, {""},
	} {
		theirs, ours := o.redisGet(patterns...), o.dozoGet(patterns...)
		maps.DeleteFunc(ours, func(name, _ string) bool { return onlyIn72[name] != "" })
		if !maps.Equal(theirs, ours) {
			t.Errorf("GET %q: redis %q, dozo %q", patterns, theirs, ours)
		}
	}
}

// TestDifferentialCommandLine compares all values after a start with many
// options, and after one with a file.
func TestDifferentialCommandLine(t *testing.T) {
	startOracle(t, "", "--save", "900", "1", "300", "10", "--maxmemory", "1gb",
		"--client-output-buffer-limit", "pubsub", "1mb", "2kb", "3", "--shutdown-on-sigterm", "save force",
		"--hz 50", "--notify-keyspace-events", "EKA", "--masterauth", "a \"b\"\n", "--slave-priority", "7",
		"--oom-score-adj-values", "1 2 3", "--latency-tracking-info-percentiles", "50", "99.99", "--save").sameAll()
	startOracle(t, `# a file
SAVE 900 1
save "300 10"
lua-time-limit 100
maxmemory-policy ALLKEYS-lru
rename-command FLUSHALL ""
client-output-buffer-limit replica 1k 2k 3
client-output-buffer-limit normal 5 6 7
	masteruser   'single \' quoted'
list-max-ziplist-size 128
unixsocketperm 0700
oom-score-adj-values "5 6 7"
shutdown-on-sigint nosave now
`, "--save", "60 1").sameAll()
}

// leftAlone are directives that TestDifferentialSet does not set on the server.
var leftAlone = map[string]string{
	"port":              "the connection would be lost",
	"bind":              "the connection would be lost",
	"tls-port":          "it needs certificates",
	"appendonly":        "it starts a rewrite",
	"maxclients":        "it depends on the limits of the machine",
	"maxmemory-clients": "it disconnects the test",
	"oom-score-adj":     "it depends on the rights of the test",
	"activedefrag":      "Debian's build cannot; Dozo has its own allocator",
	"dir":               "a folder; see TestDifferentialSetCases",
}

var oddValues = []string{
	"", " ", "x", "-1", "0", "1", "5", "100", "101", "1000000", "-2147483648", "-2147483649", "2147483647", "2147483648",
	"4294967295", "4294967296", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
	"99999999999999999999", "1k", "1KB", "5mb", "1g", "1gb", "1t", "k", "5%", "-5%", "%", " 1", "1 ", "+5", "007", "0x10", "1.5",
	"yes", "no", "YES", "No", "true", "a/b", "a b", "900 1", "1 2 3", "K", "KEA", "gxE", "nA", "save now", "allkeys-lru",
	"A", "*", "\"quoted\"", "tab\t", "new\nline", "50 99.9", "normal 1 2 3", "replica 1mb 1kb 60 pubsub 1 2 3", "{title}", "{title} x", "{port",
}

// differentSets are replies that differ from 7.0's on purpose, by directive and
// value.
func differentSet(d *Directive, value string) (why string) {
	k, numeric := d.kind.(*numberKind)
	switch {
	case numeric && k.form == memoryForm && value == "99999999999999999999":
		return "Redis takes a size beyond 64 bits as the largest"
	case d == LogLevel && (value == "nothing" || d.kind.(*choiceKind).wrong(value)):
		return "7.2 has the level nothing, and says so when a word is wrong"
	case (d == TLSReplication || d == TLSCluster) && strings.EqualFold(value, "yes"):
		return "Redis loads the certificates then; here the server does, in a hook"
	case strings.Contains(value, "\x00"):
		return "Redis cuts most texts at a zero byte"
	case d == NotifyKeyspaceEvents && strings.Contains(value, "n") && strings.Contains(value, "A"):
		return "Redis does not show n beside A"
	}
	return ""
}

func (k *choiceKind) wrong(word string) bool {
	_, ok := k.find(word)
	return !ok
}

func TestDifferentialSet(t *testing.T) {
	o := startOracle(t, "")
	for _, d := range All() {
		if onlyIn72[d.Name()] != "" || leftAlone[d.Name()] != "" {
			continue
		}
		values := oddValues
		if d.Has(Immutable) {
			values = values[:3]
		}
		for _, v := range append(slices.Clone(values), samples(d)...) {
			if differentSet(d, v) == "" {
				o.set(d.Name(), v)
			}
		}
		o.redis.Do("CONFIG", "SET", d.Name(), d.Default())
		_ = assignText(o.dozo, d, d.Default()) // dir has no such default
	}
}

func TestDifferentialSetCases(t *testing.T) {
	o := startOracle(t, "enable-protected-configs yes")
	sub := filepath.Join(o.dozo.String(Dir), "sub")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{
		{"nope", "1"}, {"hz", "1", "nope", "2", "nope2", "3"}, {"Databases", "2"}, {"hz", "5", "HZ", "6"},
		{"slave-priority", "5", "replica-priority", "6"}, {"hz", "7", "timeout", "x"}, {"timeout", "8", "hz", "x", "nope", "1"},
		{"databases", "1", "nope", "1"}, {"nope", "1", "databases", "1"}, {"SLAVE-priority", "x"}, {"Lua-Time-Limit", "-5"},
		{"dir", "sub"}, {"dir", ".."}, {"dir", "/nowhere/at/all"}, {"dir", sub + "/../sub/."}, {"dir", o.file},
		{"appendonly", "maybe"}, {"port", "x"}, {"port", "65536"}, {"maxclients", "0"}, {"maxclients", "4294967296"},
		{"maxmemory-clients", "101%"}, {"maxmemory-clients", "-5"}, {"maxmemory-clients", "x"}, {"maxmemory-clients", "50%"}, {"maxmemory-clients", "0"},
		{"oom-score-adj-values", "1 2"}, {"oom-score-adj-values", "1 2 -2001"}, {"oom-score-adj-values", "-1 +2 3"},
		{"save", ""}, {"save", "1"}, {"save", "900 "}, {"save", "900  1"}, {"save", " 900 1"}, {"save", "60 0"}, {"save", "0 1"},
		{"client-output-buffer-limit", "normal 1 2"}, {"client-output-buffer-limit", "master 1 2 3"},
		{"client-output-buffer-limit", "slave 1 2 3 normal 1 x 3"}, {"client-output-buffer-limit", "NORMAL 1gb 2mb 3"}, {"client-output-buffer-limit", ""},
		{"shutdown-on-sigint", "save nosave"}, {"shutdown-on-sigint", "now now force"}, {"shutdown-on-sigint", "default  save"}, {"shutdown-on-sigterm", ""},
		{"latency-tracking-info-percentiles", "0 100 50.123456789"}, {"latency-tracking-info-percentiles", "-0.1"}, {"latency-tracking-info-percentiles", "inf"},
		{"latency-tracking-info-percentiles", "nan"}, {"latency-tracking-info-percentiles", "1e1 0x10"}, {"latency-tracking-info-percentiles", "50  99"},
		{"bind", strings.TrimSpace(strings.Repeat("127.0.0.1 ", 17))},
		{"cluster-announce-hostname", strings.Repeat("a", 255)}, {"cluster-announce-hostname", strings.Repeat("a", 256)}, {"cluster-announce-hostname", ""},
		{"requirepass", "x y"}, {"requirepass", ""}, {"masterauth", "\x00\x01"}, {"dbfilename", "a/b"}, {"dbfilename", ""}, {"dbfilename", "x\\y"},
	} {
		o.set(words...)
	}
}

// TestDifferentialRewrite compares the files that both write after the same
// changes. Redis appends in the order of a hash table, so what is appended is
// compared as a set.
func TestDifferentialRewrite(t *testing.T) {
	for _, content := range []string{
		"",
		"# comment\n\n\n\nport 1\nbind 127.0.0.1\nsave 900 1\nsave 300 10\nslave-priority 5\n  hz 10\nmaxmemory 1024\n\nclient-output-buffer-limit pubsub 1 2 3\nSAVE 60 5\n",
		"# Generated by CONFIG REWRITE\nmaxmemory 5gb\nlua-replicate-commands yes\nrename-command DECR B\nnotify-keyspace-events KEA\nappendfsync \"always\"\n# end",
	} {
		o := startOracle(t, content)
		o.set("timeout", "10", "maxmemory-policy", "allkeys-lru", "requirepass", "a\"b\n")
		o.set("save", "100 1", "maxmemory", "3145728", "latency-tracking-info-percentiles", "50")
		o.set("client-output-buffer-limit", "replica 1024 1048577 3", "shutdown-on-sigterm", "save now")
		if err := o.dozo.Rewrite(); err != nil {
			t.Fatal(err)
		}
		o.redis.MustOK("CONFIG", "REWRITE")
		sameRewrite(t, o.file, o.own)
	}
}

// TestDifferentialRewriteErrors compares what both say of files that cannot be
// written.
func TestDifferentialRewriteErrors(t *testing.T) {
	for what, spoil := range map[string]func(file string) error{
		"the folder is gone": func(file string) error { return os.RemoveAll(filepath.Dir(file)) },
		"a folder is in its place": func(file string) error {
			return errors.Join(os.Remove(file), os.Mkdir(file, 0o755))
		},
		"a file is in its folder's place": func(file string) error {
			dir := filepath.Dir(file)
			return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o644))
		},
	} {
		o := startOracle(t, "hz 20\n")
		if err := spoil(o.file); err != nil {
			t.Fatal(err)
		}
		theirs := o.redis.Do("CONFIG", "REWRITE").Str
		_ = os.RemoveAll(filepath.Dir(o.file))
		if err := errors.Join(os.MkdirAll(filepath.Dir(o.own), 0o755), os.WriteFile(o.own, nil, 0o644), spoil(o.own)); err != nil {
			t.Fatal(err)
		}
		if err := o.dozo.Rewrite(); err == nil || err.Error() != theirs {
			t.Errorf("%s: redis %q, dozo %v", what, theirs, err)
		}
		if err := os.RemoveAll(filepath.Dir(o.own)); err != nil { // for the test's own cleaning up
			t.Fatal(err)
		}
	}
}

func sameRewrite(t *testing.T, theirs, ours string) {
	t.Helper()
	a, b := linesOf(t, theirs), linesOf(t, ours)
	kept := func(lines []string) int { return slices.Index(lines, signature) + 1 }
	if !slices.Equal(a[:kept(a)], b[:kept(b)]) {
		t.Errorf("kept lines:\nredis %q\ndozo  %q", a[:kept(a)], b[:kept(b)])
	}
	slices.Sort(a)
	slices.Sort(b)
	if !slices.Equal(a, b) {
		t.Errorf("all lines:\nredis %q\ndozo  %q", a, b)
	}
}

// linesOf leaves out what is meant to differ: empty lines at the end, the
// default user, and the lines that 7.2 has more.
func linesOf(t *testing.T, name string) []string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "user ") })
}

// TestDifferentialErrors compares what a server prints about a bad start.
func TestDifferentialErrors(t *testing.T) {
	program, err := testutil.Oracle()
	if err != nil {
		t.Skip(err)
	}
	for _, args := range [][]string{
		{"--foo", "bar"}, {"--port"}, {"--port", "1", "2"}, {"--hz", "x"}, {"--port", "6380", "--save", "", "--appendonly", "maybe"},
		{"--save", "1"}, {"--save 1 2 3"}, {"--maxmemory", "--port", "1"}, {"--user"},
		{"--appendfsync", "loud"}, {"--dir", "/nowhere"}, {"--appendfilename", "a/b"}, {"--tcp-backlog", "-1"}, {"--unixsocketperm", "999"},
		{"--requirepass", "a\"b", "--nope"}, {"--bind", strings.Repeat("a ", 17)}, {"--replicaof", "a", "b"}, {"--include", "/nowhere/x.conf"},
		{"/nowhere/redis.conf"}, {"--nope", "--port", "--port"}, {"--shutdown-on-sigint", "save", "nosave"},
		{"--client-output-buffer-limit", "x 1 2 3"}, {"--rename-command", "a"}, {"--io-threads", "0"}, {"--databases", "99999999999"},
	} {
		sameFailure(t, program, args)
	}
}

func sameFailure(t *testing.T, program string, args []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = t.TempDir()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err == nil || ctx.Err() != nil {
		t.Errorf("%q: redis starts", args)
		return
	}
	a := ParseArgs(args)
	c := New(Options{FS: env.Real().FS, WorkDir: cmd.Dir, Sentinel: a.Sentinel})
	var e *Error
	if err := c.Load(Sources{File: a.File, Options: a.Options}); !errors.As(err, &e) {
		t.Errorf("%q: dozo accepts it, redis says\n%s", args, out.String())
		return
	}
	ours, _, _ := strings.Cut(e.Report("7.0.15"), "(in ")
	if !strings.Contains(out.String(), ours) {
		t.Errorf("%q:\nredis %s\ndozo  %s", args, out.String(), ours)
	}
}
