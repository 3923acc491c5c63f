package keyspace

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/env"
)

// executor is one of several that work on a keyspace at once. Each has keys of
// its own, whose values it knows, and keys that it shares with the others.
type executor struct {
	t     *testing.T
	v     *View
	id, n int // of n executors
	rand  env.Rand
	own   map[string]string
}

func (x *executor) Serve(*Wait, []int) bool { return false }

func (*executor) FieldExpired(int, []byte, []byte) {}

func (*executor) FieldsExpired(int, []byte, bool) {}

func (x *executor) Removed(_ int, key []byte, _ Reason) {
	if len(key) == 0 {
		x.t.Error("a key without a name went")
	}
}

func (x *executor) below(n int) int { return int(x.rand.Uint64() % uint64(n)) }

func (x *executor) ownKey() []byte { return fmt.Appendf(nil, "own:%d:%d", x.id, x.below(300)) }

func sharedKey(i int) []byte { return fmt.Appendf(nil, "shared:%d", i) }

// step does one thing, with the lock set of the keys it needs.
func (x *executor) step() {
	key, a, b := x.ownKey(), sharedKey(x.below(50)), sharedKey(x.below(50))
	var set LockSet
	for _, k := range [][]byte{key, a, b} {
		x.v.ks.Add(&set, x.v.ks.Hash(k))
	}
	x.v.ks.Lock(x.v, &set)
	defer x.v.ks.Unlock(x.v, &set)
	switch x.below(6) {
	case 0:
		val := fmt.Appendf(nil, "%d %s", x.rand.Uint64(), bytes.Repeat([]byte("x"), x.below(2000)))
		x.v.SetString(key, val, 0, false)
		x.own[string(key)] = string(val)
	case 1:
		c := x.v.Find(key)
		if want, ok := x.own[string(key)]; c.Ok() != ok || ok && string(c.Bytes(nil)) != want {
			x.t.Errorf("%q: %t, want %t, or another value", key, c.Ok(), ok)
		}
	case 2:
		x.v.Delete(key)
		delete(x.own, string(key))
	case 3:
		x.v.SetString(a, []byte("v"), x.v.Now+int64(x.below(100)), false)
		x.v.Changed(0, a)
	case 4:
		if c := x.v.Edit(a); c.Ok() {
			n := c.Len()
			copy(c.Grow(n%5000 + 10)[n%5000:], "0123456789")
		}
	case 5:
		if c := x.v.Peek(a); c.Ok() && !bytes.Equal(a, b) {
			x.v.Copy(&c, 0, b)
			x.v.SetDeadline(b, x.v.Now+int64(x.below(100)))
		}
	}
}

// roam does one thing that takes shards by itself.
func (x *executor) roam(w *Watch) {
	switch x.below(8) {
	case 0:
		x.v.Expire(x.id, x.n, 100)
	case 1:
		x.v.RandomKey(nil)
	case 2:
		x.v.Len(0)
	case 3:
		x.v.Scan(x.rand.Uint64()>>12, 20, func(e entry.Entry) { _ = e.Key() })
	case 4:
		x.v.Now += int64(x.below(5))
	case 5:
		key := sharedKey(x.below(50))
		x.v.holding(key, func() { x.v.Watch(w, key) })
		x.v.Unwatch(w)
	case 6:
		x.v.Evict(1) // only keys with a deadline: the shared ones
	case 7:
		for range x.below(30) {
			if more, _ := x.v.Defrag(x.id, x.n, 100); !more {
				x.v.BeginDefrag()
			}
		}
	}
}

// TestExecutors lets several executors work at once; under -race the detector
// looks on, and so do the checks of the invariants build.
func TestExecutors(t *testing.T) {
	for _, seed := range seeds()[:min(2, len(seeds()))] {
		ks := newTestKeyspace(t, 2, 1, seed)
		ks.SetLimits(Limits{MaxMemory: 1, Policy: VolatileLRU, Samples: 2})
		var all []*executor
		var wg sync.WaitGroup
		for id := range 3 {
			x := &executor{t: t, id: id, n: 3, rand: env.Seeded(seed + uint64(id)), own: map[string]string{}}
			x.v = ks.NewView(x)
			x.v.Now = 1000
			all = append(all, x)
			wg.Go(func() {
				w := &Watch{}
				for i := range steps(t, 20_000) {
					if x.step(); i%10 == 0 {
						x.roam(w)
					}
				}
			})
		}
		wg.Wait()
		checkKeyspace(t, ks)
		for _, x := range all {
			for key, want := range x.own {
				x.v.holding([]byte(key), func() {
					if c := x.v.Find([]byte(key)); !c.Ok() || string(c.Bytes(nil)) != want {
						t.Errorf("%q is lost, or has another value", key)
					}
				})
			}
		}
	}
}

// TestPeeking warms keys while tables grow, shrink and go under the peeker's eyes.
// That nothing faults is all it asks.
func TestPeeking(t *testing.T) {
	if arena.Watched {
		t.Skip("the race detector would report what peeking is")
	}
	ks := newTestKeyspace(t, 1, 1, seeds()[0])
	writer, peeker := ks.NewView(nil), ks.NewView(nil)
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		rand, warm := env.Seeded(1), &Warm{}
		for !done.Load() {
			for !warm.Full() {
				peeker.AddWarm(warm, sharedKey(int(rand.Uint64()%100_000)))
			}
			peeker.Warm(warm)
		}
	})
	ks.BeginExclusive(writer)
	for round := range 3 {
		n := steps(t, 100_000)
		for i := range n {
			writer.SetString(sharedKey(i), []byte("a value"), 0, false)
		}
		if round == 1 {
			writer.Flush(-1)
		}
		for i := range n {
			writer.Delete(sharedKey(i))
		}
	}
	ks.EndExclusive(writer)
	done.Store(true)
	wg.Wait()
	checkKeyspace(t, ks)
}
