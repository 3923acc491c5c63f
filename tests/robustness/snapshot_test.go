package robustness

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
	"dozo/rdb"
)

// TestSnapshotsUnderLoad: BGSAVE again and again while clients change values of all
// types, small and large, rename, move, swap and flush them. What a genuine server loads
// from each file is what there was at the epoch, which a pause of writes makes known.
func TestSnapshotsUnderLoad(t *testing.T) {
	snapshotsUnderLoad(t, "--activedefrag", "yes", "--active-defrag-ignore-bytes", "100kb", "--active-defrag-threshold-lower", "2")
}

// TestSnapshotsUnderEviction: the same while keys are evicted all the time.
func TestSnapshotsUnderEviction(t *testing.T) {
	snapshotsUnderLoad(t, "--maxmemory", "12mb", "--maxmemory-policy", "allkeys-random")
}

func snapshotsUnderLoad(t *testing.T, config ...string) {
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	seed := seeded(t)
	s := start(t, append(config, "--io-threads", "3", "--rdb-version", "10", "--hz", "50", "--rdb-key-save-delay", "50")...)
	fillSmall(t, s)
	const writers = 20
	peers, random := make([]*testutil.Peer, writers+1), sources(seed, writers+1)
	for i := range peers {
		peers[i] = s.Conn(t, 2)
	}
	var sv saves
	until(t, writers+1, func(i int) error {
		if i < writers {
			return (&changer{random[i], peers[i]}).batch()
		}
		return sv.saveAndCompare(t, s, peers[i], random[i])
	})
	t.Logf("%d snapshots as they must be, %d flushes during them", sv.good, sv.flushed)
	if sv.good == 0 {
		t.Error("no snapshot at all")
	}
}

// saves counts how saves went.
type saves struct{ good, flushed int }

// smallKeys is how many keys have small values: with those that are there from the start
// there is more than waits for its writer, so that saves take some time.
const smallKeys = 6_000

func fillSmall(t *testing.T, s *testutil.Server) {
	c := s.Conn(t, 2)
	text := strings.Repeat("some text ", 40)
	for db := range 2 {
		c.Queue("SELECT", strconv.Itoa(db))
		for i := range smallKeys {
			c.Queue("SET", "key:"+strconv.Itoa(i), text[i%100:])
		}
		must(t, c.Flush())
		for range 1 + smallKeys {
			_, err := c.ReadRaw()
			must(t, err)
		}
	}
}

// changer is a client that changes things at random.
type changer struct {
	*rand.Rand
	peer *testutil.Peer
}

// batch sends some commands. Many meet another type or nothing, and are refused, which is
// fine.
func (c *changer) batch() error {
	const most = 20
	n := 1 + c.IntN(most)
	c.peer.Queue("SELECT", strconv.Itoa(c.IntN(4)))
	for range n {
		c.peer.Queue(c.command()...)
	}
	if err := c.peer.Flush(); err != nil {
		return err
	}
	for range n + 1 {
		raw, err := c.peer.ReadRaw()
		if err != nil {
			return err
		}
		if strings.HasPrefix(string(raw), "-MISCONF") || strings.HasPrefix(string(raw), "-OOM") {
			return fmt.Errorf("%s", raw)
		}
	}
	return nil
}

// key names one of many small values, of those that may have deadlines, or of a few that
// get large.
func (c *changer) key() string {
	switch c.IntN(6) {
	case 0:
		return "due:" + strconv.Itoa(c.IntN(dueKeys))
	case 1, 2:
		return c.large()
	}
	return "key:" + strconv.Itoa(c.IntN(smallKeys))
}

// dueKeys is how many keys may have deadlines.
const dueKeys = 60

// large is a name by which the type is known, mostly.
func (c *changer) large() string { return "large:" + strconv.Itoa(c.IntN(12)) }

func (c *changer) word() string {
	switch c.IntN(4) {
	case 0:
		return strconv.Itoa(c.IntN(1 << (1 + c.IntN(40))))
	case 1:
		return strings.Repeat(string(rune('a'+c.IntN(26))), c.IntN(120))
	}
	return "word" + strconv.Itoa(c.IntN(5000))
}

// score is one that all versions write alike.
func (c *changer) score() string { return strconv.FormatFloat(float64(c.IntN(1<<16))/8, 'f', -1, 64) }

func (c *changer) command() []string {
	switch n := c.IntN(100); {
	case n == 0:
		return c.sweeping()
	case n < 8:
		return c.keys()
	case n < 12:
		at := time.Now().Add(time.Duration(c.IntN(4000)) * time.Millisecond)
		return []string{"PEXPIREAT", "due:" + strconv.Itoa(c.IntN(dueKeys)), strconv.FormatInt(at.UnixMilli(), 10)}
	case n < 30:
		return c.text()
	case n < 45:
		return c.between()
	}
	key := c.key()
	name, number, found := strings.Cut(key, ":")
	kind := c.IntN(5)
	if found && name == "large" {
		i, _ := strconv.Atoi(number) // as large writes it
		kind = i % 5
	}
	return c.collection(kind, key)
}

// sweeping is what concerns whole databases, and the ends of large values.
func (c *changer) sweeping() []string {
	return [][]string{{"SWAPDB", "2", "3"}, {"SWAPDB", "0", "1"}, {"UNLINK", c.large()}, {"DEL", c.large()}}[c.IntN(4)]
}

// keys are commands about keys whatever they hold. Deadlines stay among those that may
// have them, and what is large among the few: else saves get longer and longer.
func (c *changer) keys() []string {
	from, to := c.key(), c.key()
	if strings.HasPrefix(from, "large:") {
		to = c.large()
	} else if strings.HasPrefix(from, "due:") != strings.HasPrefix(to, "due:") {
		to = from + ":other"
	}
	return [][]string{
		{"RENAME", from, to}, {"RENAMENX", from, to}, {"COPY", from, to, "REPLACE"}, {"COPY", from, to, "DB", strconv.Itoa(c.IntN(4)), "REPLACE"},
		{"MOVE", from, strconv.Itoa(c.IntN(4))}, {"DEL", c.key()}, {"UNLINK", c.key(), c.key()}, {"PERSIST", from},
	}[c.IntN(8)]
}

func (c *changer) text() []string {
	key, offset := c.key(), c.IntN(2000)
	if strings.HasPrefix(key, "large:") {
		offset = c.IntN(300_000)
	}
	return [][]string{
		{"SET", key, c.word()}, {"APPEND", key, c.word()}, {"SETRANGE", key, strconv.Itoa(offset), c.word()}, {"INCRBY", key, c.word()},
		{"SETBIT", key, strconv.Itoa(8 * offset), "1"}, {"GETDEL", key}, {"SETNX", key, c.word()}, {"PFADD", key, c.word(), c.word()},
	}[c.IntN(8)]
}

// largeOf is a name of the type, by its number.
func (c *changer) largeOf(kind int) string {
	const kinds, names = 5, 12
	n := kind + kinds*c.IntN(3)
	if n >= names {
		n = kind
	}
	return "large:" + strconv.Itoa(n)
}

// between are commands that take from several large values, or make one of others.
func (c *changer) between() []string {
	list, set, hash, zset := c.largeOf(0), c.largeOf(1), c.largeOf(2), c.largeOf(3)
	list2, set2, zset2, any := c.largeOf(0), c.largeOf(1), c.largeOf(3), c.large()
	n := strconv.Itoa(c.IntN(200))
	return [][]string{
		{"LMOVE", list, list2, "LEFT", "RIGHT"}, {"RPOPLPUSH", list, list2}, {"BLMOVE", list, list2, "RIGHT", "LEFT", "0.01"},
		{"LMPOP", "2", list, list2, "LEFT", "COUNT", n + "1"}, {"BLPOP", list, list2, "0.01"}, {"LTRIM", list, n, "-" + n + "1"},
		{"SORT", list, "ALPHA", "LIMIT", "0", n, "STORE", list2}, {"SMOVE", set, set2, c.word()}, {"SPOP", set, n},
		{"SUNIONSTORE", set, set, set2}, {"SDIFFSTORE", set, set2, any}, {"SINTERSTORE", any, set, set2},
		{"HSET", hash, c.word(), c.word()}, {"HDEL", hash, c.word(), c.word()}, {"HINCRBY", hash, c.word(), n}, {"GETDEL", any},
		{"ZRANGESTORE", zset, zset2, "0", n}, {"ZUNIONSTORE", zset, "2", zset2, set}, {"ZMPOP", "2", zset, zset2, "MAX", "COUNT", n + "1"},
		{"ZREMRANGEBYRANK", zset, n, n + "1"}, {"BZPOPMIN", zset, zset2, "0.01"}, {"ZADD", zset, "XX", "CH", c.score(), c.word()},
		{"BITOP", "XOR", c.large(), any, any}, {"BITFIELD", any, "SET", "u16", "#" + n + "00", n}, {"COPY", any, c.largeOf(c.IntN(5)), "REPLACE"},
		c.grouped(), c.grouped(), c.grouped(), c.grouped(),
	}[c.IntN(29)]
}

// grouped is a command about a stream, its groups or its end.
func (c *changer) grouped() []string {
	key, group, consumer, n := c.largeOf(4), "group"+strconv.Itoa(c.IntN(3)), c.word(), strconv.Itoa(c.IntN(500))
	id := strconv.FormatInt(time.Now().UnixMilli()-int64(c.IntN(3000)), 10)
	return [][]string{
		{"XADD", key, "*", c.word(), c.word()}, {"XADD", key, id + "-5", c.word(), c.word()}, {"XTRIM", key, "MAXLEN", "0"},
		{"XTRIM", key, "MINID", id}, {"XSETID", key, id + "-0"}, {"XDEL", key, id, id + "-1", id + "-5"},
		{"XREADGROUP", "GROUP", group, consumer, "COUNT", n, "STREAMS", key, ">"}, {"XACK", key, group, id, id + "-5"},
		{"XAUTOCLAIM", key, group, consumer, "0", "0", "COUNT", n}, {"XGROUP", "DELCONSUMER", key, group, consumer},
		{"XGROUP", "DESTROY", key, group}, {"XGROUP", "SETID", key, group, id}, {"XCLAIM", key, group, consumer, "0", id, id + "-5", "FORCE"},
	}[c.IntN(13)]
}

// collection is a command on a value of one of the other types.
func (c *changer) collection(kind int, key string) []string {
	some := 1
	if strings.HasPrefix(key, "large:") {
		some = 1 + c.IntN(60)
	}
	many := func(verb string, each func() []string) []string {
		line := []string{verb, key}
		for range some {
			line = append(line, each()...)
		}
		return line
	}
	word := func() []string { return []string{c.word()} }
	index := strconv.Itoa(c.IntN(3000))
	switch kind {
	case 0:
		return [][]string{
			many("RPUSH", word), many("LPUSH", word), many("RPUSH", word), {"LPOP", key}, {"RPOP", key, "3"}, {"LSET", key, index, c.word()},
			{"LINSERT", key, "BEFORE", c.word(), c.word()}, {"LREM", key, "1", c.word()}, {"LTRIM", key, "1", "-2"},
		}[c.IntN(9)]
	case 1:
		return [][]string{many("SADD", word), many("SADD", word), many("SREM", word), {"SPOP", key}, {"SMOVE", key, c.large(), c.word()}}[c.IntN(5)]
	case 2:
		pair := func() []string { return []string{c.word(), c.word()} }
		return [][]string{many("HSET", pair), many("HSET", pair), many("HDEL", word), {"HINCRBY", key, c.word(), "3"}}[c.IntN(4)]
	case 3:
		scored := func() []string { return []string{c.score(), c.word()} }
		return [][]string{
			many("ZADD", scored), many("ZADD", scored), many("ZREM", word), {"ZINCRBY", key, "0.5", c.word()}, {"ZPOPMIN", key}, {"ZPOPMAX", key, "2"},
			{"ZREMRANGEBYRANK", key, index, index},
		}[c.IntN(7)]
	}
	return [][]string{
		{"XADD", key, "*", c.word(), c.word()}, {"XADD", key, "MAXLEN", "~", "4000", "*", c.word(), c.word(), "more", c.word()}, {"XTRIM", key, "MAXLEN", index},
		{"XGROUP", "CREATE", key, "group" + strconv.Itoa(c.IntN(3)), "0"}, {"XADD", key, "*", "field", c.word()},
		{"XREADGROUP", "GROUP", "group" + strconv.Itoa(c.IntN(3)), c.word(), "COUNT", "5", "STREAMS", key, ">"},
	}[c.IntN(6)]
}

// saveAndCompare takes one snapshot at a known moment and has a genuine server load it.
// Now and then a database is flushed meanwhile.
func (sv *saves) saveAndCompare(t *testing.T, s *testutil.Server, c *testutil.Peer, r *rand.Rand) error {
	want, err := epoch(c)
	if err != nil {
		return err
	}
	flush := sv.good > 0 && r.IntN(3) == 0
	if flush {
		c.MustOK("SELECT", strconv.Itoa([]int{0, 1, 2, 2, 3, 3, 3}[r.IntN(7)]))
		c.MustOK("FLUSHDB", []string{"SYNC", "ASYNC"}[r.IntN(2)])
	}
	for c.Info("persistence", "rdb_bgsave_in_progress") != "0" {
		time.Sleep(time.Millisecond)
	}
	if status := c.Info("persistence", "rdb_last_bgsave_status"); status != "ok" {
		return fmt.Errorf("the save failed: %s\n%s", status, s.Log())
	}
	if flush {
		sv.flushed++
	}
	if err := compareFile(t, filepath.Join(s.Dir, "dump.rdb"), want); err != nil {
		return err
	}
	sv.good++
	return nil
}

// sums are the sum of each key, by its database and name, and the deadlines.
type sums struct {
	of    map[string]string
	names [4][]string
	due   map[string]int64
	// until is when the epoch was at the latest. What is over by then may have been left out.
	until int64
}

// sumsOf asks for the sums. of is what is known to have been there: a replica does not
// show keys that are over, but has them.
func sumsOf(c *testutil.Conn, of *sums) (*sums, error) {
	d := &sums{of: map[string]string{}, due: map[string]int64{}}
	for db := range 4 {
		if _, err := c.DoErr("SELECT", strconv.Itoa(db)); err != nil {
			return nil, err
		}
		keys, err := c.DoErr("KEYS", "*")
		if err != nil {
			return nil, err
		}
		d.names[db] = keys.Strings()
		asked := d.names[db]
		if of != nil {
			asked = append(asked, of.names[db]...)
		}
		list, err := c.DoErr(append([]string{"DEBUG", "DIGEST-VALUE"}, asked...)...)
		if err != nil {
			return nil, err
		}
		if err := d.askDue(c, db); err != nil {
			return nil, err
		}
		for i, sum := range list.Strings() {
			if strings.Trim(sum, "0") != "" { // which is nothing
				d.of[nameIn(db, asked[i])] = sum
			}
		}
	}
	return d, nil
}

// gone is how PEXPIRETIME says that a key is not there, or not any more.
const gone = -2

// askDue asks for the deadlines of the keys that may have one.
func (d *sums) askDue(c *testutil.Conn, db int) error {
	names := slices.DeleteFunc(slices.Clone(d.names[db]), func(name string) bool { return !strings.HasPrefix(name, "due:") })
	for _, name := range names {
		c.Queue("PEXPIRETIME", name)
	}
	if err := c.Flush(); err != nil {
		return err
	}
	for _, name := range names {
		raw, err := c.ReadRaw()
		if err != nil {
			return err
		}
		v, err := testutil.Parse(raw)
		if err != nil {
			return err
		}
		switch at := v.Int(); {
		case at > 0:
			d.due[nameIn(db, name)] = at
		case at == gone:
			d.due[nameIn(db, name)] = 1
		}
	}
	return nil
}

func nameIn(db int, name string) string { return fmt.Sprintf("%d %q", db, name) }

// deadlinesIn are those that a file has.
func deadlinesIn(data []byte) (map[string]int64, error) {
	due, it := map[string]int64{}, new(rdb.Item)
	for r := rdb.NewReader(bytes.NewReader(data), rdb.ReaderOptions{}); ; {
		if err := r.Next(it); err != nil || it.Kind == rdb.End {
			return due, err
		}
		if it.Kind == rdb.Key && it.Dated {
			due[nameIn(it.DB, string(it.Name))] = it.Deadline
		}
	}
}

// epoch begins a save at a moment of which it tells the sums.
func epoch(c *testutil.Peer) (*sums, error) {
	c.MustOK("CLIENT", "PAUSE", "60000", "WRITE")
	defer c.MustOK("CLIENT", "UNPAUSE")
	d, err := sumsOf(c.Conn, nil)
	if err != nil {
		return nil, err
	}
	c.MustOK("BGSAVE")
	d.until = time.Now().UnixMilli()
	return d, nil
}

// compareFile has a genuine server load a file. As a replica it keeps what is over by
// now.
func compareFile(t *testing.T, file string, want *sums) error {
	dir := t.TempDir()
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), data, 0o600); err != nil {
		return err
	}
	o, err := testutil.RedisOptions("--dir", dir, "--replicaof", "127.0.0.1 1")
	if err != nil {
		return err
	}
	redis, err := testutil.Start(o)
	if err != nil {
		return err
	}
	defer redis.Stop()
	c, err := redis.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	got, err := sumsOf(c, want)
	if err != nil {
		return err
	}
	if got.due, err = deadlinesIn(data); err != nil {
		return err
	}
	if list := want.differences(got); len(list) > 0 {
		return fmt.Errorf("the file differs from the epoch (keys by database %d):\n%s", []int{len(got.names[0]), len(got.names[1]), len(got.names[2]), len(got.names[3])}, strings.Join(list, "\n"))
	}
	return nil
}

// differences says which keys are not the same.
func (d *sums) differences(got *sums) (list []string) {
	keys := maps.Clone(d.of)
	maps.Copy(keys, got.of)
	for key := range got.due {
		keys[key] = "" // also what a replica does not show
	}
	for key := range keys {
		if at := d.due[key]; at > 0 && at <= d.until {
			continue
		}
		if was, is := d.of[key], got.of[key]; was != is {
			list = append(list, fmt.Sprintf("%s: sum %q at the epoch, %q in the file", key, was, is))
		}
		if was, is := d.due[key], got.due[key]; was != is {
			list = append(list, fmt.Sprintf("%s: until %d at the epoch, until %d in the file", key, was, is))
		}
	}
	return list
}
