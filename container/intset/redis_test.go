package intset_test

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"testing"

	"dozo/container/intset"
	"dozo/internal/testutil"
	"dozo/rdb"
)

const typeIntset = 11 // the RDB type

// TestAgainstRedis compares bytes with a genuine server's small sets, and lets it
// load what is built here.
func TestAgainstRedis(t *testing.T) {
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	c := testutil.StartRedis(t, "--sanitize-dump-payload", "yes").Conn(t, 2)
	r, e := rand.New(rand.NewPCG(1, 2)), rdb.NewEncoder(10, true)
	for range 200 {
		c.MustOK("DEL", "set")
		b := intset.AppendEmpty(nil)
		shift := r.IntN(64)
		for range 1 + r.IntN(100) {
			v := int64(r.Uint64()) >> shift
			out, added := intset.Add(b, v)
			if got := c.MustOK("SADD", "set", strconv.FormatInt(v, 10)).Int() == 1; got != added {
				t.Fatalf("SADD %d: %v, here %v", v, got, added)
			}
			if b = out; r.IntN(4) == 0 && intset.Len(b) > 1 {
				c.MustOK("SREM", "set", strconv.FormatInt(v, 10))
				b, _ = intset.Remove(b, v)
			}
		}
		body, _, err := rdb.CheckDump([]byte(c.MustOK("DUMP", "set").Str), false)
		if err != nil || body[0] != typeIntset {
			t.Fatalf("RDB type %d, %v", body[0], err)
		}
		d := rdb.NewDecoder(body[1:])
		got, err := d.String(nil)
		if err != nil || !intset.Validate(got) || !bytes.Equal(got, b) {
			t.Fatalf("redis %x, %v\nhere  %x", got, err, b)
		}
		payload := e.AppendFooter(e.AppendString([]byte{typeIntset}, b), 0)
		c.MustOK("RESTORE", "copy", "0", string(payload), "REPLACE")
		if n := c.MustOK("SINTERCARD", "2", "set", "copy").Int(); n != int64(intset.Len(b)) {
			t.Fatalf("%d of %d members are in the copy", n, intset.Len(b))
		}
	}
}
