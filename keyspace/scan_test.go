package keyspace

import (
	"fmt"
	"math"
	"testing"

	"dozo/container/entry"
	"dozo/env"
)

// TestScanGuarantee: every key that is there from the beginning of a scan to its
// end is returned, and just once, whatever comes and goes meanwhile: tables grow
// to ten times their size and shrink again.
func TestScanGuarantee(t *testing.T) {
	for _, seed := range seeds() {
		ks := newTestKeyspace(t, 2, 1, seed)
		v := ks.NewView(nil)
		v.Now = 1
		r := env.Seeded(seed)
		set := func(key []byte, there bool) {
			v.holding(key, func() {
				if there {
					v.SetString(key, []byte("v"), 0, false)
				} else {
					v.Delete(key)
				}
			})
		}
		const stay, most = 1000, 10_000
		for i := range stay {
			set(fmt.Appendf(nil, "stays:%d", i), true)
		}
		seen := map[string]int{}
		from, to := 0, 0 // of those that come and go
		for cursor, again := uint64(0), true; again; again = cursor != 0 {
			cursor = v.Scan(cursor, 1+int(r.Uint64()%10), func(e entry.Entry) { seen[string(e.Key())]++ })
			grow := to < most || r.Uint64()%4 == 0
			for range r.Uint64() % 100 {
				if grow {
					set(fmt.Appendf(nil, "comes:%d", to), true)
					to++
				} else if from < to {
					set(fmt.Appendf(nil, "comes:%d", from), false)
					from++
				}
			}
		}
		for i := range stay {
			if key := fmt.Sprintf("stays:%d", i); seen[key] != 1 {
				t.Fatalf("seed %d: the scan returned %q %d times", seed, key, seen[key])
			}
		}
	}
}

// fill sets n keys and returns the view that did it, at 1 ms.
func fill(t *testing.T, ks *Keyspace, n int, deadline func(i int) int64) *View {
	v := ks.NewView(nil)
	v.Now = 1
	for i := range n {
		key := fmt.Appendf(nil, "key:%d", i)
		v.holding(key, func() { v.SetString(key, []byte("v"), deadline(i), false) })
	}
	return v
}

// TestScanOfAnyCount: a count from the wire may be anything.
func TestScanOfAnyCount(t *testing.T) {
	ks := newTestKeyspace(t, 2, 1, 1)
	v := fill(t, ks, 1000, func(int) int64 { return 0 })
	for _, count := range []int{math.MinInt64, -1, 0, 1, 10, math.MaxInt32, math.MaxInt64 / 10, math.MaxInt64/10 + 1, math.MaxInt64} {
		n := 0
		for cursor, again := uint64(0), true; again; again = cursor != 0 {
			cursor = v.Scan(cursor, count, func(entry.Entry) { n++ })
		}
		if n != 1000 {
			t.Errorf("with a count of %d the scan returns %d of 1000 keys", count, n)
		}
	}
	for range 10_000 {
		v.Scan(v.Rand.Uint64(), 5, func(entry.Entry) {})
	}
}

// TestRandomKeyIsAlive: dead keys are not returned, however many there are, and
// are not removed.
func TestRandomKeyIsAlive(t *testing.T) {
	const keys = 20_000
	for _, alive := range []int{0, 1, 5} {
		ks := newTestKeyspace(t, 2, 1, 2)
		v := fill(t, ks, keys, func(i int) int64 {
			if i < alive {
				return 1000
			}
			return 10
		})
		v.Now = 10
		for range 20 {
			key, ok := v.RandomKey([]byte("+"))
			if ok != (alive > 0) || ok && (len(key) != 6 || key[5] >= byte('0'+alive)) {
				t.Fatalf("RandomKey gives %q, %t with %d of %d keys alive", key, ok, alive, keys)
			}
		}
		if n := v.Len(0); n != keys {
			t.Errorf("%d keys are left", n)
		}
	}
}

// TestRandomKeyIsFair: the frequencies are those of a fair draw.
func TestRandomKeyIsFair(t *testing.T) {
	for _, keys := range []int{3, 100, 500} {
		ks := newTestKeyspace(t, 2, 1, 3)
		v := fill(t, ks, keys, func(int) int64 { return 0 })
		each := steps(t, 200)
		drawn := map[string]int{}
		for range keys * each {
			key, _ := v.RandomKey(nil)
			drawn[string(key)]++
		}
		chi := 0.0
		for i := range keys {
			diff := float64(drawn[fmt.Sprintf("key:%d", i)] - each)
			chi += diff * diff / float64(each)
		}
		// The mean is keys-1, the deviation sqrt(2 keys).
		if limit := float64(keys) + 6*math.Sqrt(2*float64(keys)); chi > limit {
			t.Errorf("%d keys: chi-square %.0f, at most %.0f expected", keys, chi, limit)
		}
	}
}
