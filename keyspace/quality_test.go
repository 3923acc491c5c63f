package keyspace

import (
	"container/list"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// cache is something with room for so many keys that notes when they are used.
type cache interface {
	// use tells whether the key was there, and makes it be.
	use(key int, now int64) bool
}

// trueLRU is what the policies approximate.
type trueLRU struct {
	room  int
	order *list.List
	at    map[int]*list.Element
}

func (c *trueLRU) use(key int, _ int64) bool {
	if e, ok := c.at[key]; ok {
		c.order.MoveToFront(e)
		return true
	}
	if c.order.Len() == c.room {
		last := c.order.Back()
		delete(c.at, c.order.Remove(last).(int))
	}
	c.at[key] = c.order.PushFront(key)
	return false
}

// redisLRU is Redis' approximation as its documentation tells it: a few keys
// are sampled, the best are kept in a pool of sixteen, the best of that goes.
// The clock has seconds.
type redisLRU struct {
	room, samples int
	r             *rand.Rand
	keys          []int
	at            map[int]int // index in keys
	used          map[int]int64
	pool          []pooled
}

func newRedisLRU(room int) *redisLRU {
	return &redisLRU{room: room, samples: 5, r: rand.New(rand.NewPCG(3, 4)), at: map[int]int{}, used: map[int]int64{}}
}

type pooled struct {
	key  int
	used int64
}

func (c *redisLRU) use(key int, now int64) bool {
	_, ok := c.at[key]
	c.used[key] = now / 1000
	if ok {
		return true
	}
	if len(c.keys) == c.room {
		c.evict()
	}
	c.at[key] = len(c.keys)
	c.keys = append(c.keys, key)
	return false
}

func (c *redisLRU) evict() {
	for {
		for range c.samples {
			k := c.keys[c.r.IntN(len(c.keys))]
			if slices.ContainsFunc(c.pool, func(p pooled) bool { return p.key == k }) {
				continue
			}
			c.pool = append(c.pool, pooled{k, c.used[k]})
		}
		slices.SortFunc(c.pool, func(a, b pooled) int { return int(a.used - b.used) })
		c.pool = c.pool[:min(len(c.pool), 16)]
		for len(c.pool) > 0 {
			k := c.pool[0].key
			c.pool = c.pool[1:]
			if i, ok := c.at[k]; ok {
				last := c.keys[len(c.keys)-1]
				c.keys[i], c.at[last] = last, i
				c.keys = c.keys[:len(c.keys)-1]
				delete(c.at, k)
				return
			}
		}
	}
}

// dozoLRU is the keyspace.
type dozoLRU struct {
	v    *View
	room int
	n    int
	l    Limits
}

func (c *dozoLRU) use(key int, now int64) bool {
	c.v.Now = now
	k := fmt.Appendf(nil, "key:%d", key)
	there := false
	c.v.holding(k, func() {
		cell := c.v.Find(k)
		there = cell.Ok()
	})
	if there {
		return true
	}
	for failures := 0; c.n >= c.room; failures++ {
		if c.v.evictOne(&c.l, failures) {
			c.n--
		}
	}
	c.v.holding(k, func() { c.v.SetString(k, []byte("v"), c.l.deadline(now), false) })
	c.n++
	return false
}

func (l *Limits) deadline(now int64) int64 {
	if l.Policy.volatile() {
		return now + 1<<40
	}
	return 0
}

func newDozoLRU(t *testing.T, room int, policy Policy) *dozoLRU {
	ks := newTestKeyspace(t, 2, 1, 12)
	return &dozoLRU{v: ks.NewView(nil), room: room, l: Limits{Policy: policy, Samples: 5}}
}

// trace is a sequence of keys used, a millisecond or more apart.
func trace(keys, n int, shape float64) []int {
	r := rand.New(rand.NewPCG(1, 2))
	z := rand.NewZipf(r, shape, 10, uint64(keys-1))
	out := make([]int, n)
	for i := range out {
		// What is popular drifts, so that the past is no help for ever.
		out[i] = (int(z.Uint64())*7919 + i/50) % keys
	}
	return out
}

func hitRatio(c cache, keys []int, step int64) float64 {
	hits := 0
	for i, k := range keys {
		if c.use(k, 1_000_000+int64(i)*step) && i > len(keys)/4 {
			hits++
		}
	}
	return float64(hits) / float64(len(keys)*3/4)
}

// TestLRUQuality: the approximation of LRU is as good as Redis' one with the same
// number of samples.
func TestLRUQuality(t *testing.T) {
	n := steps(t, 40_000)
	for _, c := range []struct {
		room  int
		shape float64
	}{{500, 1.3}, {4000, 1.05}} {
		keys := trace(20_000, n, c.shape)
		best := hitRatio(&trueLRU{c.room, list.New(), map[int]*list.Element{}}, keys, 40)
		redis := hitRatio(newRedisLRU(c.room), keys, 40)
		all := hitRatio(newDozoLRU(t, c.room, AllKeysLRU), keys, 40)
		volatile := hitRatio(newDozoLRU(t, c.room, VolatileLRU), keys, 40)
		t.Logf("room %d, zipf %.2f: LRU %.4f, Redis %.4f, Dozo %.4f, volatile %.4f", c.room, c.shape, best, redis, all, volatile)
		if min(all, volatile) < redis*0.98 {
			t.Errorf("worse than Redis")
		}
	}
}

// TestLRUOrder: of keys used one after the other, and once only, the oldest go,
// and hardly any of the younger half.
func TestLRUOrder(t *testing.T) {
	const room = 10_000
	redis, dozo := newRedisLRU(room), newDozoLRU(t, room, AllKeysLRU)
	for i := range room + room/2 {
		redis.use(i, int64(i)*1000)
		dozo.use(i, int64(i)*1000)
	}
	var left, left2 [15]int
	for i := range room + room/2 {
		if dozo.has(i) {
			left[i/1000]++
		}
		if _, ok := redis.at[i]; ok {
			left2[i/1000]++
		}
	}
	t.Logf("of each thousand, oldest first, are left %v; with Redis %v", left, left2)
	for i := 7; i < 15; i++ {
		if left[i] < 990 {
			t.Errorf("of those of age %d thousand %d are left", 15-i, left[i])
		}
	}
	if left[0]+left[1]+left[2] > 450 {
		t.Errorf("of the oldest three thousand %d are left", left[0]+left[1]+left[2])
	}
}

func (c *dozoLRU) has(key int) (ok bool) {
	k := fmt.Appendf(nil, "key:%d", key)
	c.v.holding(k, func() { cell := c.v.Peek(k); ok = cell.Ok() })
	return ok
}

// TestEvictionComparesDatabases: a small database of keys in use is safe from a
// large one of idle keys.
func TestEvictionComparesDatabases(t *testing.T) {
	for _, p := range []Policy{AllKeysLRU, AllKeysLFU, VolatileLRU, VolatileLFU, VolatileTTL} {
		ks := newTestKeyspace(t, 1, 16, 13)
		l := Limits{Policy: p, Samples: 5, LFULogFactor: 10, LFUDecayMins: 1}
		ks.SetLimits(l)
		v := ks.NewView(nil)
		v.Now = 1_000_000_000
		set := func(db, i int, deadline int64) {
			key := fmt.Appendf(nil, "key:%d", i)
			v.DB = db
			v.holding(key, func() { v.SetString(key, []byte("v"), deadline, false) })
		}
		for i := range 5000 {
			set(0, i, v.Now+1<<30)
		}
		v.Now += 3_600_000
		for i := range 100 {
			set(7, i, v.Now+1<<40)
		}
		for range 3000 {
			for failures := 0; !v.evictOne(ks.Limits(), failures); failures++ {
			}
		}
		if n := v.Len(7); n < 98 {
			t.Errorf("policy %d: %d of 100 keys of the small database are left", p, n)
		}
		if n := v.Len(0) + v.Len(7); n != 2100 {
			t.Errorf("policy %d: %d keys are left, want 2100", p, n)
		}
	}
}

// TestIdleTimeWhenTheClockGoesBack: a key used in the future was used just now,
// not half a year ago.
func TestIdleTimeWhenTheClockGoesBack(t *testing.T) {
	ks := newTestKeyspace(t, 1, 1, 14)
	v := ks.NewView(nil)
	v.Now = 1_700_000_000_000
	key := []byte("key")
	v.holding(key, func() { v.SetString(key, []byte("v"), 0, false) })
	for _, c := range []struct{ later, idle int64 }{
		{0, 0}, {10, 10}, {-1, 0}, {-86_400, 0}, {-10 * 86_400, 0}, {86_400 * 180, 86_400 * 180},
	} {
		v.Now = 1_700_000_000_000 + c.later*1000
		v.holding(key, func() {
			if cell := v.Peek(key); int64(v.IdleSeconds(cell.Entry)) != c.idle {
				t.Errorf("%d s later it is idle for %d s", c.later, v.IdleSeconds(cell.Entry))
			}
		})
	}
}

func TestEvictionDoesNotAllocate(t *testing.T) {
	for p := AllKeysLRU; p <= VolatileTTL; p++ {
		v := filled(t, 20_000, Limits{Policy: p, Samples: 5, LFULogFactor: 10, LFUDecayMins: 1})
		n := testing.AllocsPerRun(1000, func() { v.evictOne(v.ks.Limits(), 0) })
		if n != 0 {
			t.Errorf("policy %d: %v allocations", p, n)
		}
	}
}
