package commands

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

// templates are calls with blanks: K a key, N a number near what matters for
// small strings, B a bit offset, V a value, T a field's type, O an overflow mode,
// U a unit, F a float, P an operation of BITOP, Z a key of sorted sets, S a score.
// Nothing depends on time.
var templates = []string{
	"SET K V", "SET K V", "SET K V GET", "SET K V NX", "SET K V XX GET", "SET K V EX 1000", "SET K V KEEPTTL", "SETNX K V",
	"GET K", "GETDEL K", "GETSET K V", "GETEX K PERSIST", "MGET K K K", "MSET K V K V", "MSETNX K V K V",
	"INCR K", "DECR K", "INCRBY K N", "DECRBY K N", "INCRBYFLOAT K F",
	"APPEND K V", "STRLEN K", "SETRANGE K N V", "GETRANGE K N N", "SUBSTR K N N", "LCS K K", "LCS K K IDX WITHMATCHLEN", "LCS K K LEN",
	"SETBIT K B 0", "SETBIT K B 1", "GETBIT K B", "BITCOUNT K", "BITCOUNT K N N", "BITCOUNT K N N U", "BITCOUNT K N N BIT",
	"BITPOS K 0", "BITPOS K 1", "BITPOS K 0 N", "BITPOS K 1 N", "BITPOS K 0 N N U", "BITPOS K 1 N N U", "BITPOS K 0 N N BIT", "BITPOS K 1 N N BIT",
	"BITOP P K K K", "BITOP NOT K K", "BITOP P K K",
	"BITFIELD K GET T B", "BITFIELD K SET T B N GET T B", "BITFIELD K INCRBY T B N", "BITFIELD_RO K GET T B GET T B",
	"BITFIELD K OVERFLOW O SET T B N OVERFLOW O INCRBY T B N INCRBY T B N", "BITFIELD K OVERFLOW O INCRBY T #N N",
	"PFADD K V V", "PFADD K V", "PFCOUNT K", "PFCOUNT K K", "PFMERGE K K", "PFDEBUG ENCODING K",
	"DEL K", "UNLINK K K", "EXISTS K K", "TYPE K", "RENAME K K", "RENAMENX K K", "COPY K K", "COPY K K REPLACE",
	"ZADD Z S V S V", "ZADD Z S V S V S V", "ZADD Z GT CH S V S V", "ZADD Z XX INCR S V", "ZINCRBY Z S V", "ZREM Z V V", "ZPOPMIN Z", "ZPOPMAX Z 2",
	"ZMPOP 2 Z Z MIN COUNT 2", "ZRANGE Z N N WITHSCORES", "ZREMRANGEBYRANK Z N N", "ZREMRANGEBYSCORE Z S S", "ZUNIONSTORE Z 2 Z Z", "ZINTERSTORE Z 2 Z Z",
	"ZDIFFSTORE Z 2 Z Z", "ZRANGESTORE Z Z N N", "ZRANK Z V", "ZCOUNT Z S S", "ZUNION 2 Z Z WITHSCORES", "COPY Z Z REPLACE", "RENAME Z Z", "DEL Z",
	"PERSIST K", "TTL K", "EXPIRE K 1000 NX", "OBJECT ENCODING K", "TOUCH K K",
}

// fill puts random words into the blanks of a template.
func fill(r *rand.Rand, template string) [][]byte {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	words := strings.Fields(template)
	args := make([][]byte, len(words))
	for i, w := range words {
		switch w {
		case "K":
			w = pick("a", "b", "c", "d", "e", "hll")
		case "Z":
			w = pick("z", "zz", "zzz", "zzz", "a")
		case "S":
			w = pick("0", "1", "2", "-1", "1.5", "7", "inf", "-inf", "100", "x")
		case "N":
			w = pick("0", "1", "2", "3", "5", "7", "8", "9", "15", "16", "40", "100", "-1", "-2", "-3", "-8", "-9", "-100",
				"127", "128", "255", "256", "65535", "-128", "-129", "4294967296",
				"9223372036854775807", "-9223372036854775808", "9223372036854775806", "x")
			if strings.Contains(template, "SETRANGE") && len(w) > 3 {
				w = "12" // not 512 MB, many times
			}
		case "#N":
			w = pick("#0", "#1", "#7", "#100", "#-1")
		case "B":
			w = pick("0", "1", "2", "5", "7", "8", "9", "13", "15", "16", "31", "63", "64", "65", "100", "1000", "-1")
		case "V":
			w = pick("", "x", "0", "1", "-5", "12", "1.5", "abc", "foobar", "\xff\xff", "\x00\x00\x00", "\xff\xf0\x0f\x00",
				strings.Repeat("ab", 30), strings.Repeat("\xff", 50), "9223372036854775807", fmt.Sprint(r.IntN(1000)))
		case "T":
			w = fmt.Sprint(pick("u", "i"), 1+r.IntN(64))
		case "O":
			w = pick("WRAP", "SAT", "FAIL")
		case "U":
			w = pick("BYTE", "BIT")
		case "P":
			w = pick("AND", "OR", "XOR")
		case "F":
			w = pick("1", "-1", "0.1", "1e5", "-2.5e-3", "3.0e20", "abc", "0x1p3", "1e-17", "123456789.987654321")
		}
		args[i] = []byte(w)
	}
	return args
}

var callsFlag = flag.Int("calls", 6000, "how many random calls TestRandomCalls makes")

// TestRandomCalls sends the same random calls to the handlers and to a genuine
// server, and compares the replies and key events. Tests of whole servers do so
// with all commands; this one finds a fault in a handler without them.
func TestRandomCalls(t *testing.T) {
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	calls := *callsFlag
	if testing.Short() || raceEnabled {
		calls = min(calls, 1000)
	}
	r, real, h := newRand(t), startOracle(t), newHarness(t)
	real.reset(t)
	for range calls {
		args := fill(r, templates[r.IntN(len(templates))])
		reply := render(parsed(t, h.do(args)))
		real.compare(t, h, 2, args, reply)
		if t.Failed() {
			return
		}
	}
}
