package robustness

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dozo/internal/testutil"
)

// payloadMakers are calls that make values of all types and encodings at the key k.
var payloadMakers = [][]string{
	{"SET k text"}, {"SET k 12345"}, {"SETRANGE k 3000 end"}, {"PFADD k a b c d e f"}, {"PFADD k a b c", "PFDEBUG TODENSE k"},
	{"RPUSH k a 1 -70000 some-longer-element-for-a-list 99999999999"},
	{"SADD k 1 2 300 70000"}, {"SADD k 1 2 5000000000"}, {"SADD k a b 3 some-longer-member"},
	{"HSET k f v 1 2 field some-longer-value-of-a-field"},
	{"ZADD k 1 a 2.5 b 3 3 -inf c inf d"}, {"GEOADD k 13.36 38.11 p 15.08 37.5 q"},
	{"XADD k 1-1 f v", "XADD k 1-2 f w g x", "XADD k 5-0 f v", "XGROUP CREATE k g 0", "XREADGROUP GROUP g c COUNT 2 STREAMS k >", "XDEL k 1-2", "XGROUP CREATE k h $", "XGROUP CREATECONSUMER k g d"},
	{"XGROUP CREATE k g $ MKSTREAM"},
	{"HSET k f v g w h x", "HPEXPIREAT k 9999999999999 FIELDS 2 f g"},
	{"HSET k f v g " + strings.Repeat("w", 100), "HPEXPIREAT k 9999999999999 FIELDS 1 g"},
}

// oldPayloads are in forms that are not written any more: plain lists, a zipmap,
// ziplists, lists of ziplists, scores as text.
var oldPayloads = []string{
	"\x01\x03\x01a\x01b\xc0\x07", "\x02\x03\x01a\x01b\xc0\x07", "\x04\x02\x01f\x01v\x01g\x01w",
	"\x03\x03\x01a\x031.5\x01b\xfe\x01c\xff", "\x05\x01\x01a\x00\x00\x00\x00\x00\x00\xf8\x3f",
	"\x09\x0d\x02\x01f\x02\x01v1x\x01g\x00\x00\xff",
	"\x0a\x17" + aZiplist, "\x0d\x17" + aZiplist, "\x0e\x02\x17" + aZiplist + "\x17" + aZiplist,
	"\x0c\x17" + strings.Replace(strings.Replace(aZiplist, "\x01v", "\x011", 1), "\x01w", "\x012", 1),
}

// aZiplist has f v g w: total size, where the last one is, how many.
const aZiplist = "\x17\x00\x00\x00\x13\x00\x00\x00\x04\x00" + "\x00\x01f" + "\x03\x01v" + "\x03\x01g" + "\x03\x01w" + "\xff"

// manyWords is a size at which values are no listpacks any more.
const manyWords = 700

// collect dumps values of all types and encodings, small, and over the limits.
func (m *mangler) collect() {
	const unchecked = "\x0b\x00--------" // a version; the checksum is not looked at
	for _, p := range oldPayloads {
		m.payloads = append(m.payloads, p+unchecked)
	}
	m.payloads = append(m.payloads, m.corpus()...)
	for _, calls := range payloadMakers {
		for _, c := range calls {
			m.c.MustOK(strings.Fields(c)...)
		}
		m.take()
	}
	for _, begin := range []string{"SADD k", "RPUSH k", "HSET k", "ZADD k"} {
		call := strings.Fields(begin)
		for i := range manyWords {
			call = append(call, strconv.Itoa(i))
		}
		m.c.MustOK(call...)
		m.take()
		m.c.MustOK(slices.Concat(strings.Fields(begin), []string{"1", strings.Repeat("x", 9000)})...)
		m.take()
	}
}

// take adds the payloads of the key k, in two versions, compressed and plain, and
// deletes it.
func (m *mangler) take() {
	for _, packed := range []string{"yes", "no"} {
		for _, version := range []string{"10", "11"} {
			m.c.MustOK("CONFIG", "SET", "rdbcompression", packed, "rdb-version", version)
			if p := m.c.MustOK("DUMP", "k").Str; !slices.Contains(m.payloads, p) {
				m.payloads = append(m.payloads, p)
			}
		}
	}
	m.c.MustOK("DEL", "k")
}

var tclText = regexp.MustCompile(`"((?:\\x[0-9A-Fa-f]{2}|[^"\\\n]|\\["$\[\]])*)"`)

// corpus reads the texts of a file that could be payloads.
func (m *mangler) corpus() (list []string) {
	if *corpusFlag == "" {
		return nil
	}
	text, err := os.ReadFile(*corpusFlag)
	must(m.t, err)
	for _, found := range tclText.FindAllStringSubmatch(string(text), -1) {
		quoted := strings.NewReplacer(`\$`, `$`, `\[`, `[`, `\]`, `]`).Replace(found[1])
		s, err := strconv.Unquote(`"` + quoted + `"`)
		if err == nil && len(s) > 12 && strings.Contains(found[1], `\x`) {
			list = append(list, s)
		}
	}
	m.t.Logf("%d payloads of the corpus", len(list))
	return list
}

// words are elements that a value says it has, and some others.
func (m *mangler) words(kind, key string) []string {
	ask := map[string][]string{
		"string": {"GET", key}, "list": {"LRANGE", key, "0", "-1"}, "set": {"SMEMBERS", key}, "hash": {"HGETALL", key},
		"zset": {"ZRANGE", key, "0", "-1"}, "stream": {"XINFO", "STREAM", key, "FULL", "COUNT", "5"},
	}[kind]
	words := []string{"a", "1", "0", "f", "member", "-5", "70000", strings.Repeat("long", 30)}
	if ask == nil {
		return words
	}
	v := m.do(ask...)
	return appendTexts(words, v)
}

// appendTexts appends the strings in a reply, however deep.
func appendTexts(words []string, v testutil.Value) []string {
	if v.Kind == '$' && len(v.Str) < 1<<16 {
		words = append(words, v.Str)
	}
	for _, e := range v.Elems {
		words = appendTexts(words, e)
	}
	return words
}

// uses are the commands of each type: K is the key, W an element or another word, N a
// small number, I an id of a stream.
var uses = map[string][]string{
	"string": {
		"GET K", "STRLEN K", "APPEND K W", "SETRANGE K N W", "GETRANGE K 0 -1", "GETRANGE K N -N", "INCR K", "INCRBYFLOAT K 1.5", "BITCOUNT K", "BITPOS K 1", "BITFIELD K INCRBY u8 N 1",
		"SETBIT K N 1", "PFCOUNT K", "PFADD K W W", "PFMERGE k2 K", "PFMERGE K k2", "PFCOUNT K k2", "PFDEBUG DECODE K", "PFDEBUG GETREG K", "LCS K k2", "BITOP NOT k2 K", "GETEX K PERSIST",
	},
	"list": {
		"LRANGE K 0 -1", "LRANGE K -N N", "LINDEX K N", "LINDEX K -N", "LINSERT K BEFORE W W", "LINSERT K AFTER W W", "LPOS K W RANK -1 COUNT 0", "LREM K N W", "LREM K -N W", "LSET K N W",
		"LPUSH K W W", "RPUSH K W", "LPOP K", "RPOP K N", "LTRIM K 0 -N", "LMOVE K k2 LEFT RIGHT", "LMOVE K K RIGHT LEFT", "LMPOP 1 K RIGHT COUNT N", "SORT K ALPHA", "LLEN K",
	},
	"set": {
		"SMEMBERS K", "SADD K W W", "SREM K W", "SPOP K", "SPOP K N", "SRANDMEMBER K N", "SRANDMEMBER K -N", "SISMEMBER K W", "SMISMEMBER K W W", "SMOVE K k2 W", "SINTER K K", "SUNION K k2",
		"SDIFF K k2", "SSCAN K 0 COUNT 100", "SINTERCARD 1 K", "SORT K ALPHA", "SUNIONSTORE k2 K", "SDIFFSTORE k2 K k2", "SCARD K",
	},
	"hash": {
		"HGETALL K", "HSET K W W", "HDEL K W", "HGET K W", "HINCRBY K W N", "HINCRBYFLOAT K W 1.5", "HRANDFIELD K N WITHVALUES", "HRANDFIELD K -N", "HSCAN K 0 COUNT 100", "HKEYS K", "HVALS K", "HLEN K",
		"HEXISTS K W", "HSTRLEN K W", "HMGET K W W", "HPEXPIRE K 100000 FIELDS 1 W", "HPTTL K FIELDS 1 W", "HPERSIST K FIELDS 1 W", "HPEXPIRE K 0 FIELDS 1 W", "HSETNX K W W", "HGETDEL K FIELDS 1 W",
	},
	"zset": {
		"ZRANGE K 0 -1 WITHSCORES", "ZRANGE K -inf +inf BYSCORE LIMIT N N", "ZRANGE K - + BYLEX", "ZRANGE K + - BYLEX REV", "ZRANK K W", "ZREVRANK K W", "ZADD K N W", "ZADD K -N W", "ZINCRBY K N W", "ZREM K W", "ZPOPMIN K",
		"ZPOPMAX K N", "ZRANDMEMBER K N WITHSCORES", "ZRANDMEMBER K -N", "ZUNION 2 K k2", "ZINTER 1 K WITHSCORES", "ZDIFF 2 K k2", "ZREMRANGEBYRANK K N N", "ZREMRANGEBYSCORE K N 7", "ZREMRANGEBYLEX K [W [W",
		"ZSCAN K 0 COUNT 100", "ZCOUNT K -inf +inf", "ZLEXCOUNT K - +", "ZSCORE K W", "ZMSCORE K W W", "ZRANGESTORE k2 K 0 -1", "ZUNIONSTORE k2 1 K", "ZCARD K", "SORT K ALPHA",
		"GEOSEARCH K FROMLONLAT 0 0 BYRADIUS 20000 km ASC COUNT N", "GEOPOS K W", "GEOHASH K W", "GEODIST K W W", "GEOADD K 1 N W",
	},
	"stream": {
		"XRANGE K - +", "XREVRANGE K + - COUNT N", "XLEN K", "XADD K * W W", "XADD K I W W", "XDEL K I", "XTRIM K MAXLEN N", "XTRIM K MAXLEN ~ N", "XTRIM K MINID I", "XINFO STREAM K FULL COUNT 0", "XINFO STREAM K", "XINFO GROUPS K",
		"XINFO CONSUMERS K g", "XREADGROUP GROUP g c COUNT N STREAMS K >", "XREADGROUP GROUP g c COUNT N STREAMS K I", "XREAD STREAMS K I", "XACK K g I I", "XCLAIM K g d 0 I I", "XCLAIM K g e 0 I FORCE JUSTID",
		"XAUTOCLAIM K g d 0 I COUNT N", "XPENDING K g", "XPENDING K g - + 10", "XPENDING K g IDLE 0 - + 10 c", "XGROUP CREATE K W I", "XGROUP SETID K g I", "XGROUP DELCONSUMER K g c", "XGROUP CREATECONSUMER K g W", "XGROUP DESTROY K W", "XSETID K I",
	},
}

// anyUses work with values of all types.
var anyUses = []string{
	"OBJECT ENCODING K", "MEMORY USAGE K SAMPLES 0", "DEBUG OBJECT K", "TOUCH K", "RENAME K k3", "RENAME k3 K", "PEXPIRE K 100000", "OBJECT FREQ K", "DUMP K",
}

// commands are some of those that the type has, in any order.
func (m *mangler) commands(kind, key string, words []string) (calls [][]string) {
	list := uses[kind]
	for range 12 {
		form := pick(m.r, list)
		if m.r.IntN(10) == 0 {
			form = pick(m.r, anyUses)
		}
		calls = append(calls, m.fill(form, key, words))
	}
	return calls
}

func (m *mangler) fill(form, key string, words []string) []string {
	call := strings.Fields(form)
	for i, w := range call[1:] {
		switch w {
		case "K":
			w = key
		case "W", "[W":
			w = w[:len(w)-1] + pick(m.r, words)
		case "I":
			w = pick(m.r, []string{"0-0", "0-1", "1-1", "1-2", "1-3", "5-0", "9-9", "18446744073709551615-18446744073709551615"})
		case "N", "-N":
			w = w[:len(w)-1] + strconv.Itoa(m.r.IntN(8))
		}
		call[i+1] = w
	}
	return call
}
