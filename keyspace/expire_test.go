package keyspace

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/internal/invariants"
	"dozo/object"
)

// undue counts the keys that should be there but are not, or the reverse.
type undue struct {
	t    *testing.T
	v    *View
	gone int
}

func (u *undue) Serve(*Wait, []int) bool { return false }

func (*undue) FieldExpired(int, []byte, []byte) {}

func (*undue) FieldsExpired(int, []byte, bool) {}

func (u *undue) Removed(_ int, key []byte, why Reason) {
	u.gone++
	if why != Expired {
		u.t.Errorf("%q was removed for reason %d", key, why)
	}
}

// TestExpiryStorm: very many keys are due within one second. Each call handles
// no more than its budget, whatever the wheels have to hand down, and after each
// tick just the keys whose time is over are gone.
func TestExpiryStorm(t *testing.T) {
	keys := 1_000_000
	if testing.Short() || invariants.Enabled || raceEnabled {
		keys = 50_000
	}
	const budget, tick, begin = 512, 100, 1_700_000_000_000
	ks := newTestKeyspace(t, 2, 1, 4)
	u := &undue{t: t, v: ks.NewView(nil)}
	v := u.v
	v.Events, v.Now = u, begin
	due := make([]int, 1001)
	for i := range keys {
		key, after := fmt.Appendf(nil, "key:%d", i), int(v.Rand.Uint64()%1000)
		due[after]++
		v.holding(key, func() { v.SetString(key, []byte("v"), begin+600_000+int64(after), false) })
	}
	stays := []byte("stays")
	v.holding(stays, func() { v.SetString(stays, []byte("v"), begin+700_000, false) })
	calls, sum := 0, 0
	var took []time.Duration
	for at := int64(0); at <= 1000; at += tick {
		v.Now = begin + 600_000 + at
		for more := true; more; calls++ {
			before, start := u.gone, time.Now()
			more = v.Expire(0, 1, budget)
			took = append(took, time.Since(start))
			// A record may stand for more than one dead key, if seldom.
			if n := u.gone - before; n > budget*11/10 {
				t.Fatalf("%d keys removed in one call", n)
			}
		}
		sum = 0
		for after, n := range due {
			if int64(after) <= at {
				sum += n
			}
		}
		if u.gone != sum {
			t.Fatalf("%d ms on %d keys are gone, %d are due", at, u.gone, sum)
		}
	}
	slices.Sort(took)
	t.Logf("%d keys in %d calls: median %v, p99 %v, longest %v", keys, calls, took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	if n := v.Len(0); n != 1 {
		t.Errorf("%d keys are left, want 1", n)
	}
	// Records are handed down four times in ten minutes.
	if limit := 5*keys/budget + 11*(len(ks.shards)+1); calls > limit {
		t.Errorf("%d calls, at most %d expected", calls, limit)
	}
}

// TestBudgetCountsWhatIsHandedDown: a call that finds nothing due must not hand
// down a whole wheel at once.
func TestBudgetCountsWhatIsHandedDown(t *testing.T) {
	ks := newTestKeyspace(t, 1, 1, 5)
	v := ks.NewView(nil)
	v.Now = 64
	const keys = 20_000
	for i := range keys {
		key := fmt.Appendf(nil, "key:%d", i)
		v.holding(key, func() { v.SetString(key, []byte("v"), 4096+4000, false) })
	}
	v.Now = 4096
	calls := 0
	for more := true; more; calls++ {
		more = v.Expire(0, 1, 100)
	}
	if calls < keys/100 {
		t.Errorf("%d records were handed down in %d calls of 100", keys, calls)
	}
}

// TestFlushLeavesNothing: not a byte is in use after FLUSHALL, nor after FLUSHDB
// of each database.
func TestFlushLeavesNothing(t *testing.T) {
	for _, one := range []bool{false, true} {
		m := newTwin(t, 11)
		for range steps(t, 8000) {
			m.step()
		}
		m.dropShadow()
		m.ks.BeginExclusive(m.v)
		if one {
			for db := range m.dbs {
				m.v.Flush(db)
				checkKeyspace(t, m.ks)
			}
		} else {
			m.v.Flush(-1)
		}
		m.ks.EndExclusive(m.v)
		m.ks.Publish()
		if n := m.ks.arena.Used(); n != 0 {
			t.Errorf("%d bytes in use after the flush (one by one: %t)", n, one)
		}
		for p := range arena.NumPurposes {
			if n := m.ks.UsedBy(p); n != 0 {
				t.Errorf("%d bytes in use for %v after the flush (one by one: %t)", n, p, one)
			}
		}
	}
}

// TestDeletingAllLeavesLittle: tables shrink, and wheels drop records of keys
// that are gone.
func TestDeletingAllLeavesLittle(t *testing.T) {
	const keys = 50_000
	ks := newTestKeyspace(t, 1, 1, 6)
	v := ks.NewView(nil)
	v.Now = 1
	for i := range keys {
		key := fmt.Appendf(nil, "key:%d", i)
		v.holding(key, func() { v.SetString(key, []byte("v"), 1<<40+int64(i), false) })
	}
	for i := range keys {
		key := fmt.Appendf(nil, "key:%d", i)
		v.holding(key, func() { v.Delete(key) })
	}
	for range 200 {
		v.Expire(0, 1, 1000)
	}
	checkKeyspace(t, ks)
	// A wheel may keep staleSlack records, and the rings of its levels.
	if n, limit := ks.UsedBy(arena.PurposeExpiry), int64(len(ks.shards)*(staleSlack*9+8<<10)); n > limit {
		t.Errorf("%d bytes for expiry, at most %d expected", n, limit)
	}
	if n, limit := ks.UsedBy(arena.PurposeTable), int64(len(ks.shards)*512); n > limit {
		t.Errorf("%d bytes for tables, at most %d expected", n, limit)
	}
	if n := ks.UsedBy(arena.PurposeEntry); n != 0 {
		t.Errorf("%d bytes for entries", n)
	}
}

// TestEachSkipsTheDead: and stops when told to.
func TestEachSkipsTheDead(t *testing.T) {
	ks := newTestKeyspace(t, 1, 1, 8)
	v := ks.NewView(nil)
	ks.BeginExclusive(v)
	defer ks.EndExclusive(v)
	for i := range 100 {
		v.SetString(fmt.Append(nil, i), nil, int64(i%2)*50, false)
	}
	v.Now = 50
	n := 0
	v.Each(0, func(entry.Entry, arena.Ref) bool { n++; return true })
	if n != 50 {
		t.Errorf("%d keys, want the 50 that live", n)
	}
	n = 0
	v.Each(0, func(entry.Entry, arena.Ref) bool { n++; return n < 7 })
	if n != 7 {
		t.Errorf("%d keys after it should have stopped at 7", n)
	}
}

// TestKeepDead: dead keys are hidden but stay, until somebody writes.
func TestKeepDead(t *testing.T) {
	for name, write := range map[string]func(v *View, key []byte){
		"SetString": func(v *View, key []byte) { v.SetString(key, []byte("new"), 0, false) },
		"SetZeros":  func(v *View, key []byte) { v.SetZeros(key, 3) },
		"Copy": func(v *View, key []byte) {
			v.SetString([]byte("other"), []byte("new"), 0, false)
			c := v.Peek([]byte("other"))
			v.Copy(&c, 0, key)
			v.Delete([]byte("other"))
		},
		"Move": func(v *View, key []byte) {
			v.SetString([]byte("other"), []byte("new"), 0, false)
			v.Move([]byte("other"), 0, key)
		},
		"Add": func(v *View, key []byte) {
			v.Add(key, newString(v.Place(key).Heap, key, []byte("new"), object.Attrs{}, false))
		},
	} {
		for _, follows := range []bool{false, true} {
			ks := newTestKeyspace(t, 1, 1, 9)
			v := ks.NewView(nil)
			ks.BeginExclusive(v)
			key := []byte("key")
			v.SetString(key, []byte("old"), 10, false)
			v.Now, v.KeepDead = 10, !follows
			v.SetFollows(follows)
			if c := v.Find(key); c.Ok() || v.Len(0) != 1 {
				t.Errorf("%s: the dead key is seen, or gone", name)
			}
			write(v, key)
			if c := v.Find(key); !c.Ok() || c.Len() != 3 || v.Len(0) != 1 {
				t.Errorf("%s: the new key is not seen, or the old one is still there", name)
			}
			checkKeyspace(t, ks)
			ks.EndExclusive(v)
		}
	}
}
