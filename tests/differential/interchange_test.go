package differential

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dozo/internal/testutil"
)

var exchangesFlag = flag.Int("exchanges", 0, "rounds of TestInterchange (0: 2 with -short, else 8)")

// chapterCommands is the length of the histories that make the data of a round.
const chapterCommands = 700

// TestInterchange: what generated histories make of data is written by a genuine server
// in all forms that it has (a snapshot; an append only file with either kind of base and
// several files behind it), loaded by Dozo, written by that, and loaded by a genuine
// server again. All of them have the same data, with their deadlines, ages and pending
// entries. So do those that load the log that Dozo wrote while it executed the histories.
func TestInterchange(t *testing.T) {
	rounds := *exchangesFlag
	if rounds == 0 {
		rounds = 8
		if testing.Short() {
			rounds = 2
		}
	}
	g := newGenerator(t, newPair(t))
	for n := range rounds {
		if *onlyFlag < 0 || *onlyFlag == n {
			t.Run(strconv.Itoa(n), func(t *testing.T) { newExchange(t, g, n).round(g) })
		}
	}
}

// exchange is a round of TestInterchange.
type exchange struct {
	t      *testing.T
	n      int
	p      *Pair
	config []string // of all servers
	yesno  [2]string
	saved  time.Time // when keys began to grow older than the file says
}

func newExchange(t *testing.T, g *Generator, n int) *exchange {
	x := &exchange{t: t, n: n, yesno: [2]string{[]string{"yes", "no"}[n%2], []string{"yes", "no"}[n/2%2]}}
	x.config = []string{
		"--maxmemory", "10gb", "--maxmemory-policy", []string{"allkeys-lfu", "allkeys-lru", "volatile-ttl"}[n%3], "--appendonly", "yes", "--appendfsync", "no",
		"--auto-aof-rewrite-percentage", "0", "--aof-use-rdb-preamble", x.yesno[0], "--aof-timestamp-enabled", x.yesno[1], "--rdbcompression", x.yesno[1],
		"--list-compress-depth", strconv.Itoa(n % 2),
	}
	h := g.History(n, 0)
	for _, name := range sortedKeys(h.Config) {
		if name != "notify-keyspace-events" {
			x.config = append(x.config, "--"+name, h.Config[name])
		}
	}
	p, err := NewPair(x.options(true, ""), x.options(false, ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	x.p = p
	hurry(t, p)
	return x
}

// options are those of one of the servers, which finds its data in a folder if there is
// one.
func (x *exchange) options(redis bool, dir string, more ...string) testutil.Options {
	config := slices.Concat(x.config, more)
	if dir != "" {
		config = append(config, "--dir", dir)
	}
	o, err := testutil.RedisOptions(config...)
	if !redis {
		o, err = testutil.DozoOptions(testutil.Plain, append(config, "--rdb-version", "10")...)
	}
	x.must(err)
	return o
}

func (x *exchange) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// open starts a server on a copy of what another has in its folder.
func (x *exchange) open(redis bool, from *side, what string, more ...string) *side {
	x.t.Helper()
	dir := x.t.TempDir()
	switch what {
	case "dump.rdb":
		text, err := os.ReadFile(filepath.Join(x.folder(from), what))
		x.must(err)
		x.must(os.WriteFile(filepath.Join(dir, what), text, 0o600))
	case singleFile:
		x.must(os.WriteFile(filepath.Join(dir, what), x.single(from), 0o600))
	default:
		for err := errors.New(""); err != nil; { // while what was replaced is tidied up
			x.must(os.RemoveAll(filepath.Join(dir, what)))
			err = os.CopyFS(filepath.Join(dir, what), os.DirFS(filepath.Join(x.folder(from), what)))
		}
	}
	s, err := startSide(from.name+" to "+map[bool]string{true: "redis", false: "dozo"}[redis], x.options(redis, dir, more...))
	x.must(err)
	x.t.Cleanup(s.stop)
	if bad := regexp.MustCompile(`(?m)^.*(loaded anyway|CRITICAL).*$`).FindString(s.server.Log()); bad != "" {
		x.t.Errorf("%s: %s", s.name, bad)
	}
	return s
}

// singleFile is an append only file as versions before 7.0 wrote it, with one kind of
// base or the other in front.
const singleFile = "appendonly.aof"

var part = regexp.MustCompile(`(?m)^file (\S+) seq \d+ type [bi]`)

// single makes one of the files that the manifest names.
func (x *exchange) single(from *side) (all []byte) {
	folder := filepath.Join(x.folder(from), "appendonlydir")
	manifest, err := os.ReadFile(filepath.Join(folder, "appendonly.aof.manifest"))
	x.must(err)
	for _, name := range part.FindAllSubmatch(manifest, -1) {
		text, err := os.ReadFile(filepath.Join(folder, string(name[1])))
		x.must(err)
		all = append(all, text...)
	}
	return all
}

func (x *exchange) folder(s *side) string {
	v, err := s.admin.DoErr("CONFIG", "GET", "dir")
	x.must(err)
	return v.Elems[1].Str
}

// round has the histories executed, and then the files exchanged.
func (x *exchange) round(g *Generator) {
	x.chapters(g)
	redis, dozo := x.p.oracle, x.p.dozo
	x.must(dozo.mustDo("WAITAOF", "1", "0", "10000"))
	// What a log makes of data is not in all encodings that there were.
	own := x.open(true, redis, "appendonlydir")
	x.same(own, x.times(dozo, x.open(true, dozo, "appendonlydir")))
	through := x.open(false, redis, "appendonlydir")
	x.same(own, x.times(redis, through))
	old := x.open(false, redis, singleFile)
	x.same(own, x.times(redis, old))
	x.same(own, x.times(redis, x.open(true, old, singleFile)))
	// What a rewrite makes of it is again something else: encodings, streams' nodes, and,
	// when it writes commands, what is pending of entries that are gone.
	x.rewrite(own)
	x.must(own.mustDo("DEBUG", "LOADAOF"))
	x.rewrite(through)
	x.functions(own, x.same(own, x.times(redis, x.open(true, through, "appendonlydir"))))
	x.check(redis, through, "aof", "appendonlydir/appendonly.aof.manifest")

	x.saved = time.Now()
	x.must(redis.mustDo("DEBUG", "RELOAD"))
	off := []string{"--appendonly", "no"}
	through = x.aged(redis, x.open(false, redis, "dump.rdb", off...))
	x.must(through.mustDo("SAVE"))
	back := x.open(true, through, "dump.rdb", off...)
	x.aged(redis, back)
	x.same(redis, x.times(redis, through))
	x.functions(redis, x.same(redis, x.times(redis, back)))
	x.check(redis, through, "rdb", "dump.rdb")
}

// chapters are three histories, with a rewrite behind the first, and one that fails, for
// another file, behind the second.
func (x *exchange) chapters(g *Generator) {
	both := []*side{x.p.oracle, x.p.dozo}
	x.library("one", "1")
	for i := range 3 {
		h := g.History(3*x.n+i, chapterCommands)
		for _, s := range both {
			s.hangUp()
			x.must(s.awaitClosed()) // what they were subscribed to would count
			s.proto = h.Proto
		}
		r := run{Pair: x.p, h: h, queued: map[int][]queuedCall{}}
		for k := 0; k < len(h.Steps); {
			next, diff := r.step(k)
			if diff != nil {
				x.t.Fatalf("%s: %v", h.Name, diff)
			}
			k = next
		}
		switch i {
		case 0:
			x.curated("base:")
			x.rewrite(x.p.oracle)
			x.rewrite(x.p.dozo)
			x.library("one", "2")
			x.library("two", "1")
		case 1:
			x.failedRewrite()
			x.must(x.p.oracle.mustDo("FUNCTION", "DELETE", "two"))
			x.library("three", "1")
		}
	}
	x.curated("\x00\xff\r\n")
	x.limits()
	diff, err := x.p.compareState()
	x.must(err)
	if diff != nil {
		x.t.Fatal(diff)
	}
}

// library has the genuine server, which alone has scripts, load a library.
func (x *exchange) library(name, version string) {
	code := fmt.Sprintf("#!lua name=%s\nredis.register_function('%s', function() return %s end)", name, name, version)
	x.must(x.p.oracle.mustDo("FUNCTION", "LOAD", "REPLACE", code))
}

// curated makes values of all encodings, small and large.
func (x *exchange) curated(prefix string) {
	for db, n := range []int{3, 700} {
		x.both("SELECT", strconv.Itoa(db))
		for _, call := range []string{"SADD words", "SADD ints", "RPUSH list", "HSET hash", "ZADD zset"} {
			args := strings.Fields(call)
			args[1] = prefix + args[1]
			for i := range n {
				word := strconv.Itoa(i * i)
				if strings.HasPrefix(call, "HSET") || call == "SADD words" {
					word = "word " + word
				}
				if args = append(args, word); len(call) == len("ZADD zset") && call != "SADD ints" {
					args = append(args, "value "+word)
				}
			}
			x.both(args...)
		}
		x.both("RPUSH", prefix+"list", strings.Repeat("plain", 4000), "last")
		x.both("SET", prefix+"text", strings.Repeat("text", n), "PX", "5000000")
		x.both("SETRANGE", prefix+"huge", strconv.Itoa(n*1000), "end")
		x.both("INCRBYFLOAT", prefix+"float", "10.5")
		x.stream(prefix+"stream", n)
	}
	x.both("SELECT", "0")
}

// stream makes a stream of n entries, of which some are gone, some are pending, and some
// are both.
func (x *exchange) stream(key string, n int) {
	for i := range n {
		x.both("XADD", key, fmt.Sprintf("%d-%d", 1+i/9, 1+i), "f", "v", fmt.Sprint("field", i/40), strings.Repeat("x", i%60))
	}
	x.both("XGROUP", "CREATE", key, "g", "0")
	x.both("XGROUP", "CREATE", key, "empty", "$", "ENTRIESREAD", "2")
	x.both("XREADGROUP", "GROUP", "g", "alice", "COUNT", "5", "STREAMS", key, ">")
	x.both("XREADGROUP", "GROUP", "g", "bob", "COUNT", "9", "STREAMS", key, ">")
	x.both("XACK", key, "g", "1-1")
	x.both("XDEL", key, "1-2", "1-3")
	x.both("XCLAIM", key, "g", "carol", "0", "1-2", "2-10", "RETRYCOUNT", "7")
}

// limits are commands that are executed again from the log when they would be refused:
// trims whose LIMIT stands beside their exact end in the log, and strings beyond what
// proto-max-bulk-len says by then.
func (x *exchange) limits() {
	for i := range 40 {
		x.both("XADD", "trimmed", "MAXLEN", "~", "5", "LIMIT", "200", strconv.Itoa(i+1)+"-1", "f", "v")
	}
	x.both("XTRIM", "trimmed", "MINID", "~", "20", "LIMIT", "300")
	const directive = "proto-max-bulk-len"
	x.both("CONFIG", "SET", directive, "8mb")
	x.both("SETRANGE", "long", "3000000", "end")
	x.both("SETBIT", "bits", "16000000", "1")
	x.both("BITFIELD", "bits", "SET", "u8", "#1500000", "7")
	x.both("APPEND", "long", strings.Repeat("x", 10))
	x.both("CONFIG", "SET", directive, "1048576")
}

func (x *exchange) both(args ...string) {
	x.t.Helper()
	x.must(x.p.oracle.mustDo(args...))
	x.must(x.p.dozo.mustDo(args...))
}

// rewrite rewrites a server's append only file.
func (x *exchange) rewrite(s *side) {
	x.must(s.mustDo("BGREWRITEAOF"))
	x.rewritten(s)
	v, err := s.admin.DoErr("INFO", "persistence")
	x.must(err)
	if got := testutil.InfoField(v.Str, "aof_last_bgrewrite_status"); got != "ok" {
		x.t.Fatalf("%s: the rewrite ended %s: %s", s.name, got, s.server.Log())
	}
}

func (x *exchange) rewritten(s *side) {
	for range 1000 {
		v, err := s.admin.DoErr("INFO", "persistence")
		x.must(err)
		if testutil.InfoField(v.Str, "aof_rewrite_in_progress") == "0" && testutil.InfoField(v.Str, "aof_rewrite_scheduled") == "0" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	x.t.Fatalf("%s: the rewrite does not end", s.name)
}

var rewriter = regexp.MustCompile(`rewriting started by pid (\d+)`)

// failedRewrite kills the process that rewrites the genuine server's file: the file that
// was begun for what came meanwhile stays.
func (x *exchange) failedRewrite() {
	s := x.p.oracle
	x.both("SET", "slow", "1") // a key at least
	x.must(s.mustDo("CONFIG", "SET", "rdb-key-save-delay", "10000000"))
	x.must(s.mustDo("BGREWRITEAOF"))
	all := rewriter.FindAllStringSubmatch(s.server.Log(), -1)
	pid, err := strconv.Atoi(all[len(all)-1][1])
	x.must(err)
	x.must(syscall.Kill(pid, syscall.SIGUSR1))
	x.rewritten(s)
	x.must(s.mustDo("CONFIG", "SET", "rdb-key-save-delay", "0"))
}

// same compares the data of two servers.
func (x *exchange) same(redis, other *side) *side {
	x.t.Helper()
	p := &Pair{oracle: redis, dozo: other, list: x.p.list, accepted: x.p.accepted}
	diff, err := p.compareState()
	x.must(err)
	if diff != nil {
		x.t.Errorf("%s: %v", other.name, diff)
	}
	return other
}

// times compares the moments in the data of a server with what another has made of its
// files.
func (x *exchange) times(from, other *side) *side {
	x.t.Helper()
	p := &Pair{oracle: from, dozo: other}
	for db := range databases {
		x.must(p.selectDB(db))
		for _, key := range p.keys(x) {
			for _, ask := range [][]string{{"PEXPIRETIME", key}, {"XINFO", "STREAM", key, "FULL", "COUNT", "0"}} {
				o, d, err := p.both(ask...)
				x.must(err)
				if ask[0] == "XINFO" {
					o, d = pendingOf(o), pendingOf(d)
				}
				if !reflect.DeepEqual(o, d) {
					x.t.Errorf("%s: %q: %v and not %v", other.name, ask, shorten(d.String()), shorten(o.String()))
				}
			}
		}
	}
	x.must(p.selectDB(0))
	return other
}

func (p *Pair) keys(x *exchange) []string {
	v, err := p.oracle.admin.DoErr("KEYS", "*")
	x.must(err)
	return v.Strings()
}

// pendingOf is what XINFO STREAM FULL says of pending entries, with their times.
func pendingOf(v Value) Value {
	out := Value{Kind: '*'}
	for i, e := range v.Elems {
		if e.Str == "pel" && i+1 < len(v.Elems) {
			out.Elems = append(out.Elems, v.Elems[i+1])
		} else if e.Elems != nil {
			out.Elems = append(out.Elems, pendingOf(e).Elems...)
		}
	}
	return out
}

// aged compares what a snapshot says of how keys were used. Nobody may have read the
// keys of the other server.
func (x *exchange) aged(redis, other *side) *side {
	x.t.Helper()
	ask, rule := "IDLETIME", mustRule(fmt.Sprint("within ", 4+int(time.Since(x.saved).Seconds())))
	if x.n%3 == 0 {
		ask, rule = "FREQ", mustRule("within 1")
	}
	p := &Pair{oracle: redis, dozo: other}
	for db := range databases {
		x.must(p.selectDB(db))
		for _, key := range p.keys(x) {
			o, d, err := p.both("OBJECT", ask, key)
			x.must(err)
			if rule.Compare(o, d) != "" {
				x.t.Errorf("%s: OBJECT %s %q: %v and not %v", other.name, ask, key, d, o)
			}
		}
	}
	x.must(p.selectDB(0))
	return other
}

// functions compares the libraries that two genuine servers have.
func (x *exchange) functions(redis, other *side) {
	x.t.Helper()
	p := &Pair{oracle: redis, dozo: other}
	o, d, err := p.both("FUNCTION", "LIST", "WITHCODE")
	x.must(err)
	if !sameSorted(o, d, nil) || len(o.Elems) != 2 {
		x.t.Errorf("%s: %v and not %v", other.name, d, o)
	}
}

// check has each of the two tools look at what the other's server wrote.
func (x *exchange) check(redis, dozo *side, kind, name string) {
	x.t.Helper()
	theirs, err := exec.LookPath("redis-check-" + kind)
	if err != nil {
		x.t.Skip(err)
	}
	ours := x.options(false, "").Program
	for _, s := range []*side{redis, dozo} {
		file := filepath.Join(x.folder(s), name)
		for _, call := range [][]string{{theirs, file}, {ours, "check", kind, file}} {
			if out, err := exec.Command(call[0], call[1:]...).CombinedOutput(); err != nil {
				x.t.Errorf("%q: %v\n%s", call, err, out)
			}
		}
	}
}

// TestFilesOfOldVersions: files of old servers, which lie beside the checkout, give both
// servers the same data.
func TestFilesOfOldVersions(t *testing.T) {
	folder := filepath.Join(testutil.Root(), "..", "shared", "testdata", "rdb")
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("the files of old versions are not there: %v", err)
	}
	x := &exchange{t: t, p: newPair(t)}
	for name, keys := range map[string]int64{
		"encodings.rdb": 13, "hash-ziplist.rdb": 1, "hash-zipmap.rdb": 1, "list-quicklist.rdb": 2, "zset-ziplist.rdb": 1, "scriptbackup.rdb": 0, "corrupt_empty_keys.rdb": 0, "rdb-preamble.aof": 3,
	} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		x.must(err)
		var both []*side
		for _, redis := range []bool{true, false} {
			dir, more, file := t.TempDir(), []string(nil), "dump.rdb"
			if strings.HasSuffix(name, ".aof") {
				more, file = []string{"--appendonly", "yes"}, singleFile
			}
			x.must(os.WriteFile(filepath.Join(dir, file), text, 0o600))
			s, err := startSide(name, x.options(redis, dir, more...))
			x.must(err)
			t.Cleanup(s.stop)
			both = append(both, s)
		}
		// The digest of a score is another in 7.2.
		p := &Pair{oracle: both[0], dozo: both[1], list: x.p.list, accepted: x.p.accepted}
		if diff, err := p.compareDB(0); diff != nil || err != nil {
			t.Errorf("%s: %v, %v", name, diff, err)
		}
		if v, err := both[1].admin.DoErr("DBSIZE"); err != nil || v.Int() != keys {
			t.Errorf("%s: %v keys, %v", name, v, err)
		}
	}
}
