package listpack_test

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"dozo/container/listpack"
	"dozo/internal/testutil"
	"dozo/rdb"
)

// The RDB types that hold one listpack, or a list of them.
const (
	typeHash      = 16
	typeZSet      = 17
	typeQuicklist = 18
	typeSet       = 20
	packed        = 2
)

func oracle(t *testing.T, config ...string) *testutil.Peer {
	t.Helper()
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	return testutil.StartRedis(t, config...).Conn(t, 2)
}

// dumped is the listpack inside the DUMP of a small value.
func dumped(t *testing.T, c *testutil.Peer, key string) (kind byte, b []byte) {
	t.Helper()
	body, _, err := rdb.CheckDump([]byte(c.MustOK("DUMP", key).Str), false)
	if err != nil {
		t.Fatal(err)
	}
	d := rdb.NewDecoder(body)
	if kind, err = d.Byte(); err != nil {
		t.Fatal(err)
	}
	if kind == typeQuicklist {
		nodes, err := d.Len()
		container, err2 := d.Len()
		if err != nil || err2 != nil || nodes != 1 || container != packed {
			t.Fatalf("a list of %d nodes, container %d: %v %v", nodes, container, err, err2)
		}
	}
	if b, err = d.String(nil); err != nil {
		t.Fatal(err)
	}
	return kind, b
}

// word makes an element of one of the kinds that are stored differently.
func word(r *rand.Rand) string {
	switch r.IntN(5) {
	case 0:
		return strconv.FormatInt(r.Int64()>>r.IntN(64), 10)
	case 1:
		return strconv.FormatInt(-r.Int64()>>r.IntN(64), 10)
	case 2:
		return strings.Repeat("ab", r.IntN(90))
	case 3:
		return strings.Repeat("0", r.IntN(4)) + strconv.Itoa(r.IntN(1000))
	}
	return "w" + strconv.Itoa(r.IntN(1000))
}

// same compares with what a genuine server holds, and lets it load these bytes.
func same(t *testing.T, c *testutil.Peer, key string, want byte, b []byte) {
	t.Helper()
	kind, got := dumped(t, c, key)
	if kind != want {
		t.Fatalf("RDB type %d, want %d", kind, want)
	}
	if !listpack.Validate(got) || !bytes.Equal(got, b) {
		t.Fatalf("redis %x\nhere  %x", got, b)
	}
}

func pack(elements ...string) []byte {
	b := listpack.AppendEmpty(nil)
	for _, s := range elements {
		e := listpack.String([]byte(s))
		b = listpack.Append(b, &e)
	}
	return b
}

func TestListAgainstRedis(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	c := oracle(t, "--list-max-listpack-size", "1000")
	for range 40 {
		c.MustOK("DEL", "list")
		b := listpack.AppendEmpty(nil)
		for range 60 {
			s := word(r)
			e := listpack.String([]byte(s))
			n := listpack.Len(b)
			switch i := r.IntN(n + 1); {
			case i == n:
				c.MustOK("RPUSH", "list", s)
				b = listpack.Append(b, &e)
			case r.IntN(3) == 0:
				c.MustOK("LPUSH", "list", s)
				b = listpack.Prepend(b, &e)
			case r.IntN(2) == 0:
				c.MustOK("LSET", "list", strconv.Itoa(i), s)
				b = listpack.Replace(b, listpack.Seek(b, i), &e)
			case n > 5:
				c.MustOK("LTRIM", "list", "1", "-2")
				b = listpack.DeleteRange(listpack.DeleteRange(b, -1, 1), 0, 1)
			}
		}
		same(t, c, "list", typeQuicklist, b)
	}
}

func TestHashAgainstRedis(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	c := oracle(t, "--hash-max-listpack-value", "1000")
	for range 40 {
		c.MustOK("DEL", "hash")
		b := listpack.AppendEmpty(nil)
		for range 60 {
			field, value := word(r), word(r)
			f, v := listpack.String([]byte(field)), listpack.String([]byte(value))
			p := listpack.Find(b, listpack.First(b), []byte(field), 1)
			switch {
			case p != 0 && r.IntN(2) == 0 && listpack.Len(b) > 2:
				c.MustOK("HDEL", "hash", field)
				b = listpack.DeleteFrom(b, p, 2)
			case p != 0:
				c.MustOK("HSET", "hash", field, value)
				b = listpack.Replace(b, listpack.Next(b, p), &v)
			default:
				c.MustOK("HSET", "hash", field, value)
				b = listpack.Append(listpack.Append(b, &f), &v)
			}
		}
		same(t, c, "hash", typeHash, b)
	}
}

func TestZSetAgainstRedis(t *testing.T) {
	c := oracle(t)
	var elements []string
	for i := range 100 {
		score := strconv.Itoa(i*i*i*7 - 5000)
		c.MustOK("ZADD", "zset", score, "member:"+score)
		elements = append(elements, "member:"+score, score)
	}
	c.MustOK("ZADD", "zset", "1e30", "large", "inf", "largest")
	elements = append(elements, "large", "1e+30", "largest", "inf")
	same(t, c, "zset", typeZSet, pack(elements...))
}

// TestSetAgainstRedis needs a server of 7.2: before, small sets of strings are hash
// tables.
func TestSetAgainstRedis(t *testing.T) {
	c := oracle(t)
	c.MustOK("SADD", "set", "b", "1", "a", "-77", "b")
	if kind, _ := dumped(t, c, "set"); kind != typeSet {
		t.Skipf("this server stores small sets as type %d", kind)
	}
	same(t, c, "set", typeSet, pack("b", "1", "a", "-77"))
}

// TestRestoreIntoRedis: a genuine server accepts, after its deep check, what is built
// here.
func TestRestoreIntoRedis(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	c := oracle(t, "--sanitize-dump-payload", "yes", "--list-max-listpack-size", "1000")
	e := rdb.NewEncoder(10, true)
	for range 100 {
		var elements []string
		for range 1 + r.IntN(30) {
			elements = append(elements, word(r))
		}
		payload := rdb.AppendLen(rdb.AppendLen([]byte{typeQuicklist}, 1), packed)
		payload = e.AppendFooter(e.AppendString(payload, pack(elements...)), 0)
		c.MustOK("RESTORE", "k", "0", string(payload), "REPLACE")
		got := c.MustOK("LRANGE", "k", "0", "-1").Strings()
		if strings.Join(got, "\n") != strings.Join(elements, "\n") {
			t.Fatalf("%q came out as %q", elements, got)
		}
	}
}
