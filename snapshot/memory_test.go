package snapshot

import (
	"fmt"
	"testing"

	"dozo/keyspace"
	"dozo/object"
)

// fill gives keys short strings.
func (w *history) fill(prefix string, n int) {
	for i := range n {
		key := fmt.Appendf(nil, "%s:%d", prefix, i)
		w.held(func() { w.v.SetString(key, key, 0, false) }, key)
	}
}

// bigSet makes a set of n members.
func (w *history) bigSet(key []byte, n int) {
	w.held(func() {
		c := w.v.Add(key, w.v.Place(key).NewSet(key, n, &setLimits))
		for i := range n {
			object.SetValue{Cell: &c}.Add(fmt.Appendf(nil, "member:%d", i), &setLimits)
		}
	}, key)
}

// limit allows no more memory than there is in use, and so much.
func (w *history) limit(more int64) {
	l := keyspace.Limits{MaxMemory: 1 << 30, Policy: keyspace.AllKeysRandom, Samples: 5}
	w.ks.SetLimits(l) // from now on the count is exact, nearly
	l.MaxMemory = w.ks.Arena().Used() + more
	w.ks.SetLimits(l)
}

// TestEviction: what only a snapshot needs does not cost other keys their place. It cannot
// be evicted, so that all that can be would go.
func TestEviction(t *testing.T) {
	w := newHistory(t, 1)
	const keys, members, fresh = 20_000, 50_000, 2_000
	w.fill("key", keys)
	big := []byte("big")
	w.bigSet(big, members)
	w.limit(16 << 10)
	s := Begin(w.v, Options{})
	evict := func() int64 {
		before := w.v.Stats.Evicted
		if !w.v.Evict(keys) || w.ks.Over() > 0 {
			t.Errorf("%d bytes are still too many", w.ks.Over())
		}
		return w.v.Stats.Evicted - before
	}
	w.held(func() { w.v.Delete(big) }, big) // it is taken
	w.bigSet(big, members)
	if n := evict(); n > keys/100 {
		t.Errorf("%d keys are evicted because a value that is being saved was replaced", n)
	}
	w.fill("fresh", fresh)
	if n := evict(); n > 2*fresh {
		t.Errorf("%d keys are evicted for %d new ones", n, fresh)
	}
	if w.ks.Apart() == 0 {
		t.Error("nothing counts as the snapshot's")
	}
	s.End(w.v)
	if n := w.ks.Apart(); n != 0 {
		t.Errorf("%d bytes count as a snapshot's that has ended", n)
	}
}
