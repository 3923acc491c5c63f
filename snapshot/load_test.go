package snapshot

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"dozo/arena"
	"dozo/env"
	"dozo/internal/testutil"
	"dozo/keyspace"
	"dozo/object"
	"dozo/rdb"
)

// store is a keyspace to load in.
type store struct {
	t      testing.TB
	ks     *keyspace.Keyspace
	v      *keyspace.View
	arena  *arena.Arena
	limits object.Limits
	closed bool
}

func (s *store) close() {
	if s.closed {
		return
	}
	s.closed = true
	s.ks.Close()
	if err := s.arena.Close(); err != nil {
		s.t.Error(err)
	}
	s.ks, s.v, s.arena = nil, nil, nil // the test's list of what to clean up keeps s
}

func newStore(t testing.TB, loops int) *store {
	t.Helper()
	a, err := arena.New(arena.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ks := keyspace.New(keyspace.Options{Arena: a, Loops: loops, Databases: 16, Seed: 5, NewRand: func() env.Rand { return env.Seeded(1) }})
	s := &store{t: t, ks: ks, v: ks.NewView(nil), arena: a}
	t.Cleanup(s.close)
	s.limits = object.Limits{
		Set: object.SetLimits{Intset: 512, Listpack: 128, Value: 64}, Hash: object.HashLimits{Listpack: 512, Value: 64},
		ZSet: object.ZSetLimits{Listpack: 128, Value: 64}, List: object.ListLimits{Fill: -2},
	}
	return s
}

func (s *store) load(file []byte, o LoadOptions) (*Loaded, error) {
	return s.loadFrom(bytes.NewReader(file), o)
}

func (s *store) loadFrom(r io.Reader, o LoadOptions) (*Loaded, error) {
	o.Keyspace, o.Limits = s.ks, &s.limits
	return Load(context.Background(), r, o)
}

// alone runs fn in exclusive mode.
func (s *store) alone(fn func()) {
	s.ks.BeginExclusive(s.v)
	fn()
	s.ks.EndExclusive(s.v)
}

// digest is what DEBUG DIGEST gives for the same data.
func (s *store) digest() string {
	var d object.Digest
	s.alone(func() { d = s.v.Digest() })
	return hex.EncodeToString(d[:])
}

// save writes everything to a file.
func (s *store) save(t testing.TB, o rdb.WriterOptions, info *rdb.Info, functions [][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := rdb.NewWriter(&out, o)
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(w.Header(info))
	for _, f := range functions {
		check(w.Function(f))
	}
	var snap *Snapshot
	s.alone(func() { snap = Begin(s.v, Options{Version: o.Version}) })
	sink, err := snap.NewSink()
	check(err)
	for more := true; more; {
		more = snap.Step(s.v, 0, 1, 1<<20)
		for sink.waiting() || snap.Walked() && !more {
			c, err := sink.Next()
			check(err)
			if c == nil {
				break
			}
			size := snap.Databases()[c.DB]
			check(w.Database(c.DB, size.Keys, size.Volatile))
			check(w.Records(c.Records))
			sink.Done(c)
			more = more || !snap.Walked()
		}
	}
	s.alone(func() { snap.End(s.v) })
	check(w.Close())
	return out.Bytes()
}

// fillRedis gives a genuine server data of all types and encodings.
func fillRedis(c *testutil.Peer, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	word := func() string {
		switch r.IntN(5) {
		case 0:
			return strconv.FormatInt(r.Int64()>>r.IntN(64)-1000, 10)
		case 1:
			return strings.Repeat("abc", r.IntN(100))
		case 2:
			return string(strings.Repeat("\x00\xff", r.IntN(20)))
		}
		return fmt.Sprint("word", r.IntN(10000))
	}
	sizes := []int{1, 2, 5, 30, 130, 200}
	for i := range 400 {
		if i%100 == 0 {
			c.MustOK("SELECT", strconv.Itoa([]int{0, 1, 9, 15}[i/100]))
		}
		key, n := word()+strconv.Itoa(i), sizes[r.IntN(len(sizes))]
		words := make([]string, 0, 2*n)
		for range n {
			words = append(words, word())
		}
		switch i % 8 {
		case 0, 1:
			c.MustOK("SET", key, word())
		case 2:
			c.MustOK(append([]string{"RPUSH", key}, words...)...)
		case 3:
			c.MustOK(append([]string{"SADD", key}, words...)...)
		case 4:
			call := []string{"SADD", key}
			for range n {
				call = append(call, strconv.Itoa(r.IntN(1<<r.IntN(40))))
			}
			c.MustOK(call...)
		case 5:
			call := []string{"HSET", key}
			for _, w := range words {
				call = append(call, w, word())
			}
			c.MustOK(call...)
		case 6:
			call := []string{"ZADD", key}
			for _, w := range words {
				// A digest of 7.0 has scores with 17 digits, one of 7.2 the shortest: these are alike.
				call = append(call, strconv.FormatFloat(float64(r.IntN(1<<20)-1<<10)/8, 'g', -1, 64), w)
			}
			c.MustOK(append(call, "inf", "top")...)
		case 7:
			fillStream(c, key, words)
		}
		if i%3 == 0 {
			c.MustOK("PEXPIRE", key, "86400000")
		}
	}
	c.MustOK("SELECT", "0")
	c.MustOK("SET", "long", strings.Repeat("0123456789", 150_000))
	c.MustOK("SETRANGE", "zeros", "2000000", "end")
	c.MustOK("EVAL", `for i = 1, 25000 do
		redis.call('HSET', 'big-hash', 'field:' .. i, i * 7)
		redis.call('ZADD', 'big-zset', i / 4, 'member:' .. i)
		redis.call('SADD', 'big-set', 'member:' .. i)
		redis.call('RPUSH', 'big-list', 'element:' .. i)
	end`, "0")
	c.MustOK("RPUSH", "plain-list", "short", strings.Repeat("x", 20_000), "short", strings.Repeat("y", 300_000))
	c.MustOK("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
}

func fillStream(c *testutil.Peer, key string, words []string) {
	for i, w := range words {
		c.MustOK("XADD", key, fmt.Sprintf("%d-%d", 5+i/7, i+1), "field", w, "n", strconv.Itoa(i))
	}
	c.MustOK("XGROUP", "CREATE", key, "group", "0")
	c.MustOK("XGROUP", "CREATE", key, "empty", "$")
	c.MustOK("XREADGROUP", "GROUP", "group", "consumer-1", "COUNT", "7", "STREAMS", key, ">")
	c.MustOK("XREADGROUP", "GROUP", "group", "consumer-2", "COUNT", "3", "STREAMS", key, ">")
	c.MustOK("XDEL", key, "5-2")
	if len(words) == 5 {
		c.MustOK("XTRIM", key, "MAXLEN", "0")
	}
}

// saved is the file that a genuine server makes of its data.
func saved(t *testing.T, s *testutil.Server, c *testutil.Peer) []byte {
	t.Helper()
	c.MustOK("SAVE")
	file, err := os.ReadFile(filepath.Join(s.Dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestLoadWhatRedisSaved: files of a genuine server, with all its options, give the
// same data here, whoever decodes them; and what is written of it gives the same data
// there and here again.
func TestLoadWhatRedisSaved(t *testing.T) {
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	for i, config := range [][]string{
		{}, {"--rdbcompression", "no", "--maxmemory-policy", "allkeys-lru"},
		{"--rdbchecksum", "no", "--maxmemory-policy", "allkeys-lfu", "--list-max-listpack-size", "3"},
		{"--hash-max-listpack-entries", "0", "--set-max-intset-entries", "0", "--zset-max-listpack-entries", "0", "--list-max-listpack-size", "-1"},
	} {
		if testing.Short() && i%3 != 0 {
			continue
		}
		srv := testutil.StartRedis(t, config...)
		c := srv.Conn(t, 2)
		fillRedis(c, uint64(i+1))
		file, want := saved(t, srv, c), c.MustOK("DEBUG", "DIGEST").Str
		for _, workers := range []int{1, 5} {
			s := newStore(t, 2)
			s.v.Now = nowMs(c)
			p := new(LoadProgress)
			got, err := s.load(file, LoadOptions{Workers: workers, Now: s.v.Now, Size: int64(len(file)), Progress: p, Deep: workers == 5})
			if err != nil {
				t.Fatal(err)
			}
			if d := s.digest(); d != want {
				t.Fatalf("%v, %d workers: digest %s and not %s", config, workers, d, want)
			}
			if got.End != int64(len(file)) || p.Bytes.Load() != got.End || p.Keys.Load() != got.Keys || got.Keys < 400 || len(got.Functions) != 1 || got.Info.CreatedAt == 0 {
				t.Errorf("%+v, progress %d bytes of %d, %d keys", got, p.Bytes.Load(), len(file), p.Keys.Load())
			}
			if workers == 5 {
				backToRedis(t, s, got, want)
			}
		}
	}
}

func nowMs(c *testutil.Peer) int64 {
	v := c.MustOK("TIME").Strings()
	n, _ := strconv.ParseInt(v[0], 10, 64)
	return n * 1000
}

// backToRedis has a genuine server load what is written here.
func backToRedis(t *testing.T, s *store, got *Loaded, want string) {
	t.Helper()
	for _, o := range []rdb.WriterOptions{{Version: 10, Compress: true}, {Version: 10, NoChecksum: true}} {
		file := s.save(t, o, &got.Info, got.Functions)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), file, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("redis-check-rdb", filepath.Join(dir, "dump.rdb")).CombinedOutput(); err != nil {
			t.Errorf("redis-check-rdb: %v\n%s", err, out)
		}
		c := testutil.StartRedis(t, "--dir", dir).Conn(t, 2)
		if d := c.MustOK("DEBUG", "DIGEST").Str; d != want {
			t.Errorf("%+v: digest there %s and not %s", o, d, want)
		}
		if n := len(c.MustOK("FUNCTION", "LIST").Elems); n != 1 {
			t.Errorf("%d libraries of functions", n)
		}
		again := newStore(t, 1)
		again.v.Now = s.v.Now
		if _, err := again.load(file, LoadOptions{Workers: 2, Now: s.v.Now}); err != nil {
			t.Error(err)
		} else if d := again.digest(); d != want {
			t.Errorf("%+v: digest here %s and not %s", o, d, want)
		}
	}
}

// TestLoadFilesOfOldVersions loads the files that lie beside the checkout.
func TestLoadFilesOfOldVersions(t *testing.T) {
	folder := filepath.Join(testutil.Root(), "..", "shared", "testdata", "rdb")
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("the files of old versions are not there: %v", err)
	}
	for name, want := range map[string]Loaded{
		"hash-zipmap.rdb": {Keys: 1}, "hash-ziplist.rdb": {Keys: 1}, "list-quicklist.rdb": {Keys: 2}, "zset-ziplist.rdb": {Keys: 1}, "encodings.rdb": {Keys: 13},
		"rdb-preamble.aof": {Keys: 2, Rest: make([]byte, 52)}, "scriptbackup.rdb": {}, "corrupt_empty_keys.rdb": {Empty: 9},
	} {
		file, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := newStore(t, 1).load(file, LoadOptions{Workers: 2, Now: 1})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got.Keys != want.Keys || got.Empty != want.Empty || len(got.Rest) != len(want.Rest) || len(got.EmptyNames) != int(want.Empty) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	file, err := os.ReadFile(filepath.Join(folder, "corrupt_ziplist.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `key "key:000000000091" of type hash-ziplist in database 0: ziplist integrity check failed`
	if _, err := newStore(t, 1).load(file, LoadOptions{}); err == nil || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
}

// smallFile is a file of n keys, those divisible by 5 with deadlines around the time 1000.
func smallFile(t testing.TB, n int) []byte {
	var out bytes.Buffer
	w := rdb.NewWriter(&out, rdb.WriterOptions{})
	var plain []byte
	for i := range n {
		if i%5 == 0 {
			plain = append(plain, 252, byte(i), 3, 0, 0, 0, 0, 0, 0)
		}
		key := fmt.Sprint("key", i)
		plain = append(append(plain, 0, byte(len(key))), key...)
		plain = append(plain, 3, 'a', 'b', 'c')
	}
	for _, err := range []error{w.Header(&rdb.Info{ServerVersion: "7.2.6"}), w.Database(2, n, 0), w.Records(plain), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func TestLoadLeavesExpiredKeysOut(t *testing.T) {
	file := smallFile(t, 250)
	for _, o := range []LoadOptions{{}, {KeepExpired: true}, {KeepExpired: true, Following: true}} {
		s := newStore(t, 1)
		o.Now = 900
		got, err := s.load(file, o)
		if err != nil {
			t.Fatal(err)
		}
		want := Loaded{Keys: 223, Expired: 27} // 768 + 0, 5, ... 130 are below 900
		if o.KeepExpired {
			want.Keys = 250 // and what is over is counted all the same
		}
		if o.Following {
			want.Expired = 0
		}
		if got.Keys != want.Keys || got.Expired != want.Expired {
			t.Errorf("keep %v, following %v: %d keys and %d expired, not %d and %d", o.KeepExpired, o.Following, got.Keys, got.Expired, want.Keys, want.Expired)
		}
		s.alone(func() {
			if n := s.v.Len(2); int64(n) != got.Keys {
				t.Errorf("%d keys", n)
			}
		})
	}
}

// TestLoadRefuses: what is wrong is found, and said; the first of several.
func TestLoadRefuses(t *testing.T) {
	file := smallFile(t, 20_000)
	twice := append(append(bytes.Clone(file[:len(file)-9]), 0, 4, 'k', 'e', 'y', '1', 1, 'x'), 255, 0, 0, 0, 0, 0, 0, 0, 0)
	changed := bytes.Clone(file)
	changed[len(changed)/2] ^= 1
	broken := errors.New("input/output error")
	stopped, stop := context.WithCancel(context.Background())
	for _, c := range []struct {
		about string
		src   io.Reader
		ctx   context.Context
		want  string
	}{
		{"a key twice", bytes.NewReader(twice), nil, `key "key1" of type string in database 2: the key is in the file twice, or was there before`},
		{"its end is missing", bytes.NewReader(file[:len(file)-20]), nil, "the file ends in the middle"},
		{"a changed byte", bytes.NewReader(changed), nil, ": "},
		{"a disk that fails", io.MultiReader(bytes.NewReader(file[:300_000]), iotest.ErrReader(broken)), nil, "it cannot be read any further: input/output error"},
		{"an interruption", io.MultiReader(bytes.NewReader(file[:300_000]), stopper{stop, bytes.NewReader(file[300_000:])}), stopped, "context canceled"},
	} {
		s := newStore(t, 2)
		if c.ctx == nil {
			c.ctx = context.Background()
		}
		_, err := Load(c.ctx, c.src, LoadOptions{Keyspace: s.ks, Limits: &s.limits, Workers: 3, Now: 1})
		var f *rdb.FileError
		if !errors.As(err, &f) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.about, err)
		}
	}
	s := newStore(t, 1)
	if got, err := s.load(twice, LoadOptions{Replace: true, Workers: 4}); err != nil || got.Keys != 20_000 {
		t.Errorf("%+v, %v", got, err)
	}
	few := keyspace.New(keyspace.Options{Arena: s.arena, Loops: 1, Databases: 2, NewRand: func() env.Rand { return env.Seeded(1) }})
	defer few.Close()
	if _, err := Load(context.Background(), bytes.NewReader(file), LoadOptions{Keyspace: few, Limits: &s.limits}); err == nil ||
		!strings.Contains(err.Error(), "there are only 2 databases here: set the directive databases to 3 at least") {
		t.Error(err)
	}
}

// stopper cancels a context when it is read.
type stopper struct {
	stop func()
	io.Reader
}

func (s stopper) Read(p []byte) (int, error) {
	s.stop()
	return s.Reader.Read(p[:1])
}

var mutations = flag.Int("mutations", 300, "how many damaged files TestLoadDamaged loads; 100000 for a soak")

// TestLoadDamaged: files with random damage are loaded or refused by workers that
// neither wait for each other for ever nor lose memory.
func TestLoadDamaged(t *testing.T) {
	file := mixedFile(t)
	r := rand.New(rand.NewPCG(*seedFlag, 9))
	t.Logf("seed %d", *seedFlag)
	whole := 0
	n := *mutations
	if testing.Short() {
		n = min(n, 60)
	}
	for i := range n {
		bad := bytes.Clone(file)
		for range 1 + r.IntN(3) {
			at := 9 + r.IntN(len(bad)-9)
			switch r.IntN(4) {
			case 0:
				bad[at] = byte(r.Uint32())
			case 1:
				bad[at] ^= 1 << r.IntN(8)
			case 2:
				bad = append(bad[:at:at], bad[min(at+1+r.IntN(9), len(bad)):]...)
			case 3:
				bad = bad[:max(at, 10)]
			}
		}
		s := newStore(t, 2)
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		_, err := Load(ctx, bytes.NewReader(bad), LoadOptions{
			Keyspace: s.ks, Limits: &s.limits, Workers: 1 + i%4, Now: 1, SkipChecksum: true, Size: int64(i % 2 * len(bad)), Replace: i%3 == 0,
		})
		var f *rdb.FileError
		if err == nil {
			whole++
		} else if !errors.As(err, &f) || ctx.Err() != nil {
			t.Errorf("mutation %d: %v", i, err)
		}
		stop()
		s.close()
	}
	t.Logf("%d of %d could be loaded", whole, n)
}

// mixedFile has small values, and some longer than a buffer, of all types.
func mixedFile(t testing.TB) []byte {
	s := newStore(t, 1)
	s.v.Now = 1
	s.alone(func() {
		for i := range 300 {
			s.v.DB = i % 3
			s.v.SetString(fmt.Append(nil, "key", i), bytes.Repeat([]byte("text "), i), int64(i%4)<<40, false)
		}
		long := bytes.Repeat([]byte("x"), 400_000)
		s.v.SetString([]byte("long"), long, 0, false)
		s.fill("hash", func(p object.Place) arena.Ref { return p.NewHash() }, func(c *object.Cell, m []byte) {
			object.HashValue{Cell: c}.Set(m, m, &s.limits.Hash)
		})
		s.fill("set", func(p object.Place) arena.Ref { return p.NewSet([]byte("x"), 1000, &s.limits.Set) }, func(c *object.Cell, m []byte) {
			object.SetValue{Cell: c}.Add(m, &s.limits.Set)
		})
		s.fill("list", func(p object.Place) arena.Ref { return p.NewList() }, func(c *object.Cell, m []byte) {
			v := object.ListValue{Cell: c}
			v.Expect(1, len(m), &s.limits.List)
			v.Push(m, object.Tail, &s.limits.List)
		})
		s.fill("zset", func(p object.Place) arena.Ref { return p.NewLargeZSet() }, func(c *object.Cell, m []byte) {
			object.ZSetValue{Cell: c}.Add(m, float64(len(m)), 0, &s.limits.ZSet)
		})
	})
	return s.save(t, rdb.WriterOptions{}, &rdb.Info{ServerVersion: "7.2.6"}, nil)
}

// fill makes a value of many members.
func (s *store) fill(key string, place func(object.Place) arena.Ref, add func(c *object.Cell, m []byte)) {
	name := []byte(key)
	var d object.Draft
	d.Begin(s.v.Place(name), place(s.v.Place(name)))
	for i := range 15_000 {
		add(&d.Cell, fmt.Append(nil, "member:", i*i))
	}
	s.v.Store(name, &d, 0)
}
