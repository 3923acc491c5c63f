package commands

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dozo/container/listpack"
	"dozo/object"
	"dozo/rdb"
)

// TestDrawOfDamaged: a value that a damaged file had has one element many times, so that fewer different ones can be drawn than there seem to be.
func TestDrawOfDamaged(t *testing.T) {
	h := newHarness(t)
	h.ctx.Set.Limits.Set = object.SetLimits{Intset: 512, Listpack: 128, Value: 64}
	for _, c := range []struct {
		kind  rdb.Type
		words string
		calls []string
	}{
		{rdb.TypeSetListpack, "m m m m m m m m m", []string{"SRANDMEMBER k 3", "SPOP k 3"}},
		{rdb.TypeHashListpack, "m 0 m 1 m 2 m 3 m 4 m 5 m 6 m 7 m 8", []string{"HRANDFIELD k 3"}},
		{rdb.TypeZSetListpack, "m 0 m 1 m 2 m 3 m 4 m 5 m 6 m 7 m 8", []string{"ZRANDMEMBER k 3"}},
	} {
		lp := listpack.AppendEmpty(nil)
		for w := range strings.FieldsSeq(c.words) {
			e := listpack.String([]byte(w))
			lp = listpack.Append(lp, &e)
		}
		e := rdb.NewEncoder(0, false)
		in, b := rdb.NewDecoder(e.AppendString([]byte{byte(c.kind)}, lp)), rdb.Builder{Limits: &h.ctx.Set.Limits}
		h.call("DEL", "k")
		key, view := []byte("k"), h.ctx.View
		shard := h.ks.LockKey(view, h.ks.Hash(key))
		var d object.Draft
		if err := b.Object(&in, h.ctx.Place(key), &d); err != nil {
			t.Fatal(err)
		}
		h.ctx.Store(key, &d, 0)
		h.ks.UnlockShard(view, shard)
		for _, call := range c.calls {
			if got := h.call(strings.Fields(call)...).Strings(); len(got) != 3 {
				t.Errorf("%s: %q", call, got)
			}
		}
	}
}

// TestSpopLog: what chance has chosen is logged, in calls of a bounded length.
func TestSpopLog(t *testing.T) {
	h := newHarness(t)
	add := []string{"SADD", "s"}
	for i := range 3000 {
		add = append(add, fmt.Sprint("m", i))
	}
	h.call(add...)
	popped := h.call("SPOP", "s", "2500").Strings()
	var logged []string
	for i, line := range h.logged {
		words := strings.Fields(line)
		if want := []int{1024, 1024, 452}[i]; strings.Join(words[:3], " ") != "0 SREM s" || len(words)-3 != want {
			t.Fatalf("entry %d of the log has %d words: %.60s", i, len(words), line)
		}
		logged = append(logged, words[3:]...)
	}
	if !slices.Equal(popped, logged) {
		t.Errorf("%d members popped, %d logged, or others", len(popped), len(logged))
	}
	if n := h.call("SCARD", "s").Int(); n != 500 {
		t.Errorf("%d members are left", n)
	}
}

// TestDrawAgain: any number of elements may be asked for, but not any length of reply.
func TestDrawAgain(t *testing.T) {
	h := newHarness(t)
	h.ctx.Set.MaxBulk = 1000
	h.call("SADD", "s", "member")
	h.call("HSET", "h", "field", "value")
	h.call("ZADD", "z", "1", "member")
	for _, call := range []string{"SRANDMEMBER s ", "HRANDFIELD h ", "ZRANDMEMBER z "} {
		if got := h.call(strings.Fields(call + "-20")...); len(got.Strings()) != 20 {
			t.Errorf("%s-20: %s", call, got)
		}
		if got := h.call(strings.Fields(call + "-4611686018427387904")...); got.Str != errCountRange.Error() {
			t.Errorf("%s of very many: %s", call, got)
		}
	}
	h.ctx.OutMax = 500
	if got := h.do([][]byte{[]byte("SRANDMEMBER"), []byte("s"), []byte("-1000")}); len(got) < 500 || len(got) > 600 {
		t.Errorf("%d bytes for a client that is sent 500 at the most", len(got))
	}
}

// TestDiffOfMissing: keys that are missing do not count when the way is chosen in which
// sets are subtracted, as in Redis, where the encoding shows it.
func TestDiffOfMissing(t *testing.T) {
	h := newHarness(t)
	h.ctx.Set.Limits.Set = object.SetLimits{Intset: 4}
	h.call("SADD", "a", "1", "2", "3", "4", "5", "6")
	h.call("SADD", "b", "1", "2", "3", "4", "5")
	h.call("SDIFFSTORE", "d", "a", "b", "no", "nor", "none")
	if got := h.call("OBJECT", "ENCODING", "d").Str; got != "intset" {
		t.Errorf("a set of one integer is a %s", got)
	}
}
