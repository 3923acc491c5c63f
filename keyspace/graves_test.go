package keyspace

import (
	"fmt"
	"testing"

	"dozo/object"
)

// largeSet makes a key hold a set of n members.
func largeSet(v *View, key string, n int) {
	k := []byte(key)
	v.holding(k, func() {
		cell := v.Add(k, v.Place(k).NewSet(nil, 1, &object.SetLimits{}))
		for i := range n {
			object.SetValue{Cell: &cell}.Add(fmt.Append(nil, "member:", i), &object.SetLimits{})
		}
	})
}

// TestGraves: whatever takes a large value away takes no time for its elements, and
// they are all given back in the end.
func TestGraves(t *testing.T) {
	const members = 3000
	for name, take := range map[string]func(v *View, key []byte){
		"delete":    func(v *View, key []byte) { v.Delete(key) },
		"overwrite": func(v *View, key []byte) { v.SetString(key, []byte("short"), 0, false); v.Delete(key) },
		"zeros":     func(v *View, key []byte) { v.SetZeros(key, 100); v.Delete(key) },
		"expire":    func(v *View, key []byte) { v.SetDeadline(key, v.Now+1); v.Now += 2; v.Find(key) },
		"rename":    func(v *View, key []byte) { v.Move(key, 1, key); v.DeleteIn(1, key) },
		"replace": func(v *View, key []byte) {
			var d object.Draft
			at := v.Place(key)
			d.Begin(at, at.NewHash())
			v.Store(key, &d, 0)
			v.Delete(key)
		},
	} {
		ks := newTestKeyspace(t, 1, 2, 1)
		v := ks.NewView(nil)
		v.Now = 1000
		largeSet(v, "k", members)
		v.holding([]byte("k"), func() { take(v, []byte("k")) })
		if ks.Graves() != 1 {
			t.Errorf("%s: %d graves", name, ks.Graves())
		}
		rounds := 1
		for v.FreeGraves(0, 1, 500) {
			rounds++
		}
		ks.Publish()
		if used := ks.Arena().Used(); ks.Graves() != 0 || rounds < 4 || v.Stats.LazyFreed != 1 {
			t.Errorf("%s: %d graves, %d bytes left after %d rounds, %d freed", name, ks.Graves(), used, rounds, v.Stats.LazyFreed)
		}
		checkKeyspace(t, ks)
	}
}

// TestGravesMakeRoom: what lies in graves goes before any key is evicted.
func TestGravesMakeRoom(t *testing.T) {
	ks := newTestKeyspace(t, 1, 1, 1)
	v := ks.NewView(nil)
	largeSet(v, "large", 20_000)
	v.holding([]byte("kept"), func() { v.SetString([]byte("kept"), []byte("v"), 0, false) })
	ks.Publish()
	used := ks.Arena().Used()
	v.holding([]byte("large"), func() { v.Delete([]byte("large")) })
	ks.SetLimits(Limits{MaxMemory: used / 2, Policy: AllKeysRandom, Samples: 5})
	for range 1000 {
		if v.Evict(1); ks.Over() <= 0 {
			break
		}
	}
	if ks.Over() > 0 || v.Stats.Evicted != 0 {
		t.Errorf("%d bytes too many, %d keys evicted", ks.Over(), v.Stats.Evicted)
	}
}

// TestFlush: the keys of a flushed database, what lay in graves, and the heaps of
// shards without keys are given back a little at a time.
func TestFlush(t *testing.T) {
	const keys = 5000
	for name, c := range map[string]struct {
		db    int
		other bool // another database has keys
		freed int64
	}{
		"all":           {-1, true, 2 * keys},
		"the only one":  {0, false, keys},
		"one among two": {0, true, keys + 1},
	} {
		ks := newTestKeyspace(t, 1, 2, 1)
		v := ks.NewView(nil)
		v.Now = 1000
		fill := func(db int) {
			v.DB = db
			for i := range keys {
				k := fmt.Appendf(nil, "key:%d", i)
				v.holding(k, func() { v.SetString(k, []byte("value"), int64(i%2)*5000, false) })
			}
		}
		if c.other {
			fill(1)
		}
		fill(0)
		largeSet(v, "large", 3000)
		v.holding([]byte("large"), func() { v.Delete([]byte("large")) })
		before := v.Len(1)
		alone(v, func() { v.Flush(c.db) })
		if v.Len(0) != 0 || c.db == 0 && v.Len(1) != before {
			t.Errorf("%s: %d keys after the flush, %d of the other database", name, v.Len(0), v.Len(1))
		}
		v.DB = 0
		v.holding([]byte("new"), func() { v.SetString([]byte("new"), []byte("v"), 9000, false) })
		rounds := 1
		for v.FreeGraves(0, 1, 500) {
			rounds++
		}
		if c.freed == keys+1 && rounds < 4 || ks.Graves() != 0 || v.Stats.LazyFreed != c.freed {
			t.Errorf("%s: %d graves left after %d rounds, %d objects freed", name, ks.Graves(), rounds, v.Stats.LazyFreed)
		}
		if v.Len(0) != 1 {
			t.Errorf("%s: a key that came after the flush is gone", name)
		}
		checkKeyspace(t, ks)
	}
}

// TestFlushesInARow: memory does not grow when databases are flushed faster than
// their keys are freed.
func TestFlushesInARow(t *testing.T) {
	for name, db := range map[string]int{"all": -1, "one among two": 0} {
		ks := newTestKeyspace(t, 1, 2, 1)
		v := ks.NewView(nil)
		fill := func(db int) {
			v.DB = db
			for i := range 3000 {
				k := fmt.Appendf(nil, "key:%d", i)
				v.holding(k, func() { v.SetString(k, make([]byte, 500), 0, false) })
			}
		}
		fill(1)
		var after [30]int64
		for i := range after {
			if fill(0); db < 0 {
				fill(1)
			}
			alone(v, func() { v.Flush(db) })
			after[i] = ks.Arena().Stats().Mapped
		}
		if first, last := after[2*flushesKept], after[len(after)-1]; last > first+first/2 {
			t.Errorf("%s: %d bytes are mapped after some flushes, %d after more", name, first, last)
		}
		checkKeyspace(t, ks)
	}
}
