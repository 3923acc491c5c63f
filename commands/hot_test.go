package commands

import (
	"fmt"
	"strings"
	"testing"

	"dozo/command"
	"dozo/internal/invariants"
	"dozo/keyspace"
)

// hotCalls are the commands that servers spend their days with.
var hotCalls = []string{
	"GET text", "GET number", "GET missing", "GET big",
	"SET text value-of-the-same-size", "SET number 12345", "SET text {x*64}", "SET big {x*4096}",
	"SET text v EX 100", "SET text v PX 100000 XX", "SET text v KEEPTTL", "SET text v NX", "SET text v XX GET EX 5",
	"SETEX text 100 v", "PSETEX text 100000 v", "SETNX text v", "GETSET text v", "GETEX text EX 100", "GETEX text",
	"INCR number", "DECR number", "INCRBY number 5", "DECRBY number 5",
	"MGET text number missing big", "MSET text v number 5",
	"STRLEN text", "EXISTS text missing", "TTL text", "PTTL text", "TYPE text", "TOUCH text",
	"EXPIRE text 100", "EXPIRE text 100 LT", "PEXPIREAT text 1800000000000", "PERSIST text",
	"GETRANGE text 0 2", "GETBIT text 5", "SETBIT text 5 1", "BITCOUNT text", "BITFIELD text SET u8 0 5 GET u8 3",
	"LRANGE list 0 99", "LRANGE small 0 -1", "LINDEX list 5000", "LLEN list", "LSET list 7 value", "LPOS small c", "LMOVE list list LEFT RIGHT",
	"LMPOP 2 missing list LEFT COUNT 2", "BLMPOP 0 1 list RIGHT", "BLMOVE list list RIGHT LEFT 0", "BRPOPLPUSH list list 0",
	"LPUSH list value:1", "RPUSH list 12345", "LPOP list", "RPOP list", "RPOP list 3", "LPOP list 3", "LREM small 1 nope", "BLPOP list 0",
	"PFADD dense a b", "PFCOUNT dense",
	"SADD tags a b", "SREM tags nope", "SISMEMBER tags a", "SMISMEMBER tags a nope", "SCARD tags", "SRANDMEMBER tags",
	"HSET record name value hits 5", "HGET record name", "HMGET record name nope", "HINCRBY record hits 1", "HEXISTS record name", "HLEN record", "HGETALL record", "HSTRLEN record name",
	"HEXPIRE record 100 NX FIELDS 1 name", "HTTL record FIELDS 1 name", "HGETEX record EX 50 FIELDS 1 name", "HGETEX record FIELDS 1 name", "HPERSIST record FIELDS 1 name",
	"ZADD board 5 m7", "ZADD board XX GT CH 6 m8 7 m9", "ZADD small-board 5 a 6 b", "ZINCRBY board 1 m5", "ZREM board nope", "ZSCORE board m5", "ZMSCORE board m5 nope", "ZCARD board",
	"ZRANK board m5", "ZREVRANK board m5 WITHSCORE", "ZRANGE board 0 9 WITHSCORES", "ZREVRANGE board 0 9", "ZRANGE small-board 0 -1", "ZRANGEBYSCORE board (5 100 LIMIT 0 10", "ZCOUNT board 5 (100", "ZLEXCOUNT small-board - +",
	"ZPOPMIN board", "ZPOPMAX board 2", "ZMPOP 2 missing board MIN COUNT 2", "BZPOPMIN board 0", "BZMPOP 0 1 board MAX",
	"GEOADD places 13.36 38.11 here 13.37 38.12 there", "GEODIST places here there km", "GEOPOS places here there nowhere", "GEOHASH places here there",
	"GEOSEARCH places FROMMEMBER here BYRADIUS 100 km ASC WITHDIST WITHCOORD", "GEOSEARCH places FROMLONLAT 13 38 BYBOX 200 200 km COUNT 1",
	"XADD log * field value", "XADD log MAXLEN ~ 1000 * field value other 12", "XADD log MAXLEN 50 * field value", "XLEN log",
	"XREAD COUNT 10 STREAMS log 0", "XREAD STREAMS log $", "XRANGE log - + COUNT 10", "XREVRANGE log + - COUNT 1",
	"XREADGROUP GROUP workers me COUNT 1 STREAMS log >", "XREADGROUP GROUP workers me COUNT 2 STREAMS log 0", "XPENDING log workers",
}

// pairs are hot calls that would not work twice.
var hotPairs = [][2]string{
	{"SET gone v", "DEL gone"}, {"SET gone v", "UNLINK gone"}, {"SET gone v", "GETDEL gone"}, {"SETNX gone v", "DEL gone"},
	{"APPEND grown xyz", "DEL grown"}, {"INCR gone", "DEL gone"}, {"SETRANGE gone 5 v", "DEL gone"},
	{"LPUSH gone v", "RPOP gone"}, {"RPUSH gone v w", "LPOP gone 2"}, {"RPUSH from v", "RPOPLPUSH from list"},
	{"SADD gone v", "SREM gone v"}, {"HSET gone f v", "HDEL gone f"}, {"HSETNX gone f v", "HDEL gone f"}, {"HSETEX gone EX 100 FIELDS 2 f v g w", "HGETDEL gone FIELDS 2 f g"}, {"ZADD gone 1 v", "ZREM gone v"}, {"ZADD gone 1 v", "ZPOPMAX gone"},
	{"SET gone v EX 100", "PERSIST gone"}, {"SET gone v EX 100", "EXPIRE gone 0"}, {"SETBIT gone 9 1", "DEL gone"},
	{"GEOADD places CH 1 1 moved", "GEOADD places CH 2 2 moved"},
}

// hot is a harness that does only what the server does for a call.
type hot struct {
	h    *harness
	args [][]byte
	cmd  *command.Command
}

func (h *harness) prepare(call string) *hot {
	args := words(h.t, call)
	cmd, fault := h.resolve(args)
	if cmd == nil {
		h.t.Fatalf("%s: %s", call, fault)
	}
	return &hot{h, args, cmd}
}

func (c *hot) run() {
	h := c.h
	h.out.Buf = h.out.Buf[:0]
	h.ctx.Effects.Reset()
	h.ctx.Args, h.ctx.Cmd = c.args, c.cmd
	var err error
	if c.cmd.OneKey != 0 {
		shard := h.ks.LockKey(h.ctx.View, h.ks.Hash(c.args[c.cmd.OneKey]))
		err = c.cmd.Handler(&h.ctx)
		h.ks.UnlockShard(h.ctx.View, shard)
	} else {
		var set keyspace.LockSet
		h.refs = c.cmd.LockSet(&set, h.ks, c.args, h.refs)
		h.ks.Lock(h.ctx.View, &set)
		err = c.cmd.Handler(&h.ctx)
		h.ks.Unlock(h.ctx.View, &set)
	}
	if err != nil {
		h.t.Fatalf("%q: %v", c.args, err)
	}
	if e := &h.ctx.Effects; e.Dirty != 0 && !e.Explicit() {
		e.Add(h.ctx.DB, c.args...)
	}
}

// newHot is a harness with the keys of hotCalls.
func newHot(t testing.TB) *harness {
	h := newHarness(t)
	h.ctx.NotifyMask = 0
	h.call("MSET", "text", "some-text", "number", "1", "big", strings.Repeat("x", 4096))
	for range 10000 {
		h.call("RPUSH", "list", "value:2")
	}
	h.call("RPUSH", "small", "a", "b", "c")
	for i := range 3000 {
		h.call("ZADD", "board", fmt.Sprint(i), fmt.Sprint("m", i))
	}
	h.call("PFADD", "dense", "a")
	h.call("GEOADD", "places", "13.36", "38.11", "here")
	h.call("PFDEBUG", "TODENSE", "dense")
	h.call("XGROUP", "CREATE", "log", "workers", "0", "MKSTREAM")
	return h
}

func TestHotCommandsDoNotAllocate(t *testing.T) {
	if invariants.Enabled || raceEnabled {
		t.Skip("checks of the build allocate")
	}
	h := newHot(t)
	for _, call := range hotCalls {
		c := h.prepare(call)
		if n := testing.AllocsPerRun(100, c.run); n > 0 {
			t.Errorf("%s: %v allocations", call, n)
		}
	}
	for _, pair := range hotPairs {
		a, b := h.prepare(pair[0]), h.prepare(pair[1])
		if n := testing.AllocsPerRun(100, func() { a.run(); b.run() }); n > 0 {
			t.Errorf("%s, %s: %v allocations", pair[0], pair[1], n)
		}
	}
}

// BenchmarkHot measures handlers with the lock of their key and the log's bytes,
// on a keyspace that does not fit the processor's cache.
func BenchmarkHot(b *testing.B) {
	const n = 1 << 17
	for _, call := range []string{
		"GET k%d", "SET k%d {x*64}", "SET k%d 12345", "SET k%d {x*64} EX 100", "INCR n%d", "EXISTS k%d", "TTL k%d",
		"EXPIRE k%d 100", "STRLEN k%d", "APPEND k%d x",
	} {
		b.Run(strings.ReplaceAll(call, " ", "_"), func(b *testing.B) {
			h := newHot(b)
			h.ctx.Effects.Enabled = false
			for i := range n {
				h.do([][]byte{[]byte("SET"), fmt.Appendf(nil, "k%d", i), []byte(strings.Repeat("x", 64))})
			}
			calls := make([]*hot, 1<<14)
			for i := range calls {
				calls[i] = h.prepare(fmt.Sprintf(call, i*7919%n))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				calls[i&(len(calls)-1)].run()
			}
		})
	}
}
