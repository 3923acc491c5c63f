package keyspace

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	benchKeys = 1 << 20
	keySize   = 16
)

// walk is keys in an order, one behind the other, so that the reading of them
// costs next to nothing.
type walk []byte

func (w walk) key(i int) []byte {
	at := i % (len(w) / keySize) * keySize
	return w[at : at+keySize]
}

// newWalk is n numbered keys in random order, of those that want grants.
func newWalk(n int, seed uint64, want func(key []byte) bool) (w walk) {
	for _, i := range rand.New(rand.NewPCG(seed, 0)).Perm(n) {
		at := len(w)
		w = fmt.Appendf(w, "key:%012d", i)
		if !want(w[at:]) {
			w = w[:at]
		}
	}
	return w
}

// benchKeyspace is a keyspace for two executors with a million keys.
func benchKeyspace(b *testing.B) *Keyspace {
	ks := newTestKeyspace(b, 2, 1, 5)
	v := ks.NewView(nil)
	v.Now = 1
	w := newWalk(benchKeys, 9, func([]byte) bool { return true })
	for i := range benchKeys {
		key := w.key(i)
		v.holding(key, func() { v.SetString(key, benchValue, 0, false) })
	}
	return ks
}

// BenchmarkScaling lets executors, as many as -cpu says, find or set keys: any,
// or each those of its own half of the shards. Run it with -cpu 1,2: twice the
// time of one line divided by that of the other is the gain.
func BenchmarkScaling(b *testing.B) {
	ks := benchKeyspace(b)
	for _, disjoint := range []bool{true, false} {
		var walks [2]walk
		for me := range walks {
			walks[me] = newWalk(benchKeys, uint64(me), func(key []byte) bool {
				return !disjoint || ks.shardOf(ks.Hash(key))&1 == me
			})
		}
		for name, op := range map[string]func(v *View, key []byte){"find": find, "set": set, "grow": setOther, "limited": setOther} {
			b.Run(fmt.Sprintf("%s/disjoint=%t", name, disjoint), func(b *testing.B) {
				ks.SetLimits(Limits{Samples: 5})
				if name == "limited" {
					ks.SetLimits(Limits{Samples: 5, MaxMemory: 1 << 40})
				}
				parallel(b, ks, walks, op)
			})
		}
	}
}

// BenchmarkAdopt is how long everybody waits when a data set takes the place of another,
// both of so many keys. Run it with -benchtime 5x; most-ns is the longest.
func BenchmarkAdopt(b *testing.B) {
	for _, keys := range []int{1_000, 1_000_000, 5_000_000} {
		for _, watched := range []int{0, 1000} {
			b.Run(fmt.Sprintf("keys=%d/watched=%d", keys, watched), func(b *testing.B) { benchAdopt(b, keys, watched) })
		}
	}
}

func benchAdopt(b *testing.B, keys, watched int) {
	ks := newTestKeyspace(b, 2, 16, 5)
	v := ks.NewView(nil)
	v.Now = 1
	var w Watch
	fill := func() *Keyspace {
		s := ks.NewShadow()
		sv := s.NewView(nil)
		sv.Now = 1
		var key []byte
		for i := range keys {
			key = fmt.Appendf(key[:0], "key:%012d", i)
			sv.holding(key, func() { sv.SetString(key, benchValue, int64(i%2)*1_000_000, false) })
		}
		return s
	}
	alone(v, func() { v.Adopt(fill()) })
	for i := range watched {
		key := fmt.Appendf(nil, "key:%012d", i)
		v.holding(key, func() { v.Watch(&w, key) })
	}
	var most, sum time.Duration
	for range b.N {
		b.StopTimer()
		s := fill()
		for v.FreeGraves(0, 1, 1_000_000) {
		}
		b.StartTimer()
		began := time.Now()
		alone(v, func() { v.Adopt(s) })
		took := time.Since(began)
		most, sum = max(most, took), sum+took
	}
	b.ReportMetric(float64(most), "most-ns")
	b.ReportMetric(float64(sum)/float64(b.N), "mean-ns")
	b.StopTimer()
	v.Unwatch(&w)
}

// parallel runs op on the executors, each a thread of its own. cpu-ns/op is the
// processor time of an operation, which a busy machine spoils less than the
// time that passed; sleeps are those of threads that waited for a shard.
func parallel(b *testing.B, ks *Keyspace, walks [2]walk, op func(v *View, key []byte)) {
	var cpu, sleeps atomic.Int64
	var wg sync.WaitGroup
	executors := runtime.GOMAXPROCS(0)
	for me := range executors {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			v := ks.NewView(nil)
			v.Now = 1
			from := threadUse(b)
			for i := range b.N / executors {
				key := walks[me&1].key(i)
				sh := ks.LockKey(v, ks.Hash(key))
				op(v, key)
				ks.UnlockShard(v, sh)
			}
			to := threadUse(b)
			cpu.Add(to.Utime.Nano() + to.Stime.Nano() - from.Utime.Nano() - from.Stime.Nano())
			sleeps.Add(to.Nvcsw - from.Nvcsw)
		})
	}
	wg.Wait()
	b.ReportMetric(float64(cpu.Load())/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(sleeps.Load())/float64(b.N), "sleeps/op")
}

var benchValue = make([]byte, 64)

func find(v *View, key []byte) { v.Find(key) }

func set(v *View, key []byte) { v.SetString(key, benchValue, 0, false) }

// setOther changes the size of the value, so that the block moves.
func setOther(v *View, key []byte) {
	v.SetString(key, benchValue[:32+v.Rand.Uint64()%4*8], 0, false)
}
