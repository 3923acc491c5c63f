package keyspace

import (
	"fmt"
	"testing"
)

// holding runs fn with the shard of one key held.
func (v *View) holding(key []byte, fn func()) {
	sh := v.ks.LockKey(v, v.ks.Hash(key))
	defer v.ks.UnlockShard(v, sh)
	fn()
}

// records is how many records the wheels of a keyspace have.
func records(ks *Keyspace) (n int) {
	for i := range ks.shards {
		for _, d := range ks.shards[i].dbs {
			if d != nil && d.hasWheel {
				n += d.wheel.Len()
			}
		}
	}
	return n
}

// TestRecordsAreBounded: whatever is done to deadlines, the wheels do not fill
// with records that nobody needs, not even between two rounds of expiry.
func TestRecordsAreBounded(t *testing.T) {
	const day = 86_400_000
	for _, c := range []struct {
		name string
		do   func(v *View, key []byte, i int)
	}{
		{"set and a fixed end", func(v *View, key []byte, i int) {
			v.SetString(key, []byte("v"), 0, false)
			v.SetDeadline(key, 30*day)
		}},
		{"to and fro", func(v *View, key []byte, i int) {
			if !v.SetDeadline(key, 30*day+int64(i&1)*day) {
				v.SetString(key, []byte("v"), 30*day, false)
			}
		}},
		{"deleted and made anew", func(v *View, key []byte, i int) {
			v.SetString(key, []byte("v"), 30*day, false)
			v.Delete(key)
		}},
		{"closer and closer", func(v *View, key []byte, i int) {
			v.SetString(key, []byte("v"), 3000*day-int64(i), false)
		}},
	} {
		for _, keys := range []int{1, 50, 3000} {
			t.Run(fmt.Sprint(c.name, " ", keys), func(t *testing.T) {
				ks := newTestKeyspace(t, 1, 1, 9)
				v := ks.NewView(nil)
				v.Now = day
				most := 0
				for i := range steps(t, 100_000) {
					key := fmt.Appendf(nil, "k:%d", i%keys)
					v.holding(key, func() { c.do(v, key, i/keys) })
					if i%1000 == 0 {
						most = max(most, records(ks))
					}
				}
				// What Compact may leave, and half as much again while it is on its way.
				if limit := 3*keys + 2*staleSlack*len(ks.shards); most > limit {
					t.Errorf("%d records for %d keys, at most %d expected", most, keys, limit)
				}
			})
		}
	}
}
