package keyspace

import (
	"fmt"
	"testing"
)

// filled is a keyspace with n keys of 100 bytes; every third has a deadline.
func filled(t *testing.T, n int, l Limits) *View {
	ks := newTestKeyspace(t, 1, 2, 3)
	ks.SetLimits(l)
	v := ks.NewView(nil)
	v.Now = 1_000_000
	for i := range n {
		key := fmt.Appendf(nil, "key:%d", i)
		deadline := int64(0)
		if i%3 == 0 {
			deadline = v.Now + 1<<40 + int64(i)
		}
		sh := ks.LockKey(v, ks.Hash(key))
		v.SetString(key, make([]byte, 100), deadline, false)
		ks.UnlockShard(v, sh)
	}
	return v
}

func (v *View) lenForTest() int {
	v.ks.BeginExclusive(v)
	defer v.ks.EndExclusive(v)
	return v.Len(0)
}

func TestEvictionReachesTheLimit(t *testing.T) {
	const keys = 3000
	for p := AllKeysLRU; p <= VolatileTTL; p++ {
		l := Limits{MaxMemory: 1 << 40, Policy: p, Samples: 5, LFULogFactor: 10, LFUDecayMins: 1}
		v := filled(t, keys, l)
		l.MaxMemory = v.ks.arena.Used() * 85 / 100
		v.ks.SetLimits(l)
		if !v.Evict(1 << 30) {
			t.Fatalf("policy %d: memory is still short", p)
		}
		if over := v.ks.Over(); over > 0 {
			t.Errorf("policy %d: %d bytes over the limit", p, over)
		}
		left := v.lenForTest()
		if v.Stats.Evicted != int64(keys-left) || left < keys/2 {
			t.Errorf("policy %d: evicted %d, %d keys of %d left", p, v.Stats.Evicted, left, keys)
		}
	}
}

func TestEvictionEndsWhenNothingCanGo(t *testing.T) {
	for _, p := range []Policy{NoEviction, VolatileLRU, VolatileLFU, VolatileRandom, VolatileTTL} {
		l := Limits{MaxMemory: 1, Policy: p, Samples: 5}
		v := filled(t, 300, l)
		if v.Evict(1 << 30) {
			t.Errorf("policy %d: memory is within 1 byte?", p)
		}
		want := 200
		if p == NoEviction {
			want = 300
		}
		if left := v.lenForTest(); left != want {
			t.Errorf("policy %d: %d keys left, want the %d that must stay", p, left, want)
		}
	}
}

// TestEvictionPrefersIdleKeys: with LRU, keys that are used outlive those that
// are not; with volatile-ttl, those that die last outlive the others.
func TestEvictionPrefersIdleKeys(t *testing.T) {
	for _, p := range []Policy{AllKeysLRU, AllKeysLFU} {
		l := Limits{MaxMemory: 1 << 40, Policy: p, Samples: 10, LFULogFactor: 10, LFUDecayMins: 1}
		v := filled(t, 2000, l)
		for range 20 {
			v.Now += 100_000
			for i := range 1000 {
				key := fmt.Appendf(nil, "key:%d", i)
				sh := v.ks.LockKey(v, v.ks.Hash(key))
				v.Find(key)
				v.ks.UnlockShard(v, sh)
			}
		}
		l.MaxMemory = v.ks.arena.Used() * 3 / 4
		v.ks.SetLimits(l)
		v.Evict(1 << 30)
		used := 0
		v.ks.BeginExclusive(v)
		for i := range 1000 {
			if c := v.Peek(fmt.Appendf(nil, "key:%d", i)); c.Ok() {
				used++
			}
		}
		v.ks.EndExclusive(v)
		if used < 950 {
			t.Errorf("policy %d: only %d of 1000 used keys are left", p, used)
		}
	}
}
