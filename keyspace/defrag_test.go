package keyspace

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dozo/env"
	"dozo/object"
)

// stepDefrag is some steps of a pass, which goes on where the last ones stopped.
func (m *twin) stepDefrag() {
	if m.n(30) == 0 {
		m.v.BeginDefrag()
	}
	for range m.n(40) {
		if more, _ := m.v.Defrag(0, 1, 1+m.n(100)); !more {
			m.v.BeginDefrag()
			return
		}
	}
}

// crowd is a keyspace full of keys of all kinds, of which most go.
type crowd struct {
	t    *testing.T
	ks   *Keyspace
	v    *View
	rand env.Rand
	keys map[string]object.Digest
}

func newCrowd(t *testing.T, seed uint64) *crowd {
	t.Logf("-seed=%d", seed)
	m := &crowd{t: t, ks: newTestKeyspace(t, 1, 2, seed), rand: env.Seeded(seed), keys: map[string]object.Digest{}}
	m.v = m.ks.NewView(m)
	m.v.Now = 1_700_000_000_000
	return m
}

func (m *crowd) Serve(*Wait, []int) bool { return false }

func (*crowd) FieldExpired(int, []byte, []byte) {}

func (*crowd) FieldsExpired(int, []byte, bool) {}

// Removed hears of keys that expire or are evicted.
func (m *crowd) Removed(_ int, key []byte, _ Reason) { delete(m.keys, string(key)) }

func (m *crowd) n(limit int) int { return int(m.rand.Uint64() % uint64(limit)) }

// add makes a key hold something.
func (m *crowd) add(key string) {
	k := []byte(key)
	m.v.holding(k, func() {
		switch m.n(40) {
		case 0:
			large := m.v.Add(k, m.v.Place(k).NewHash())
			for i := range m.n(300) {
				object.HashValue{Cell: &large}.Set(fmt.Append(nil, i), make([]byte, m.n(200)), &object.HashLimits{})
			}
		case 1:
			large := m.v.Add(k, m.v.Place(k).NewLargeZSet())
			for i := range 1 + m.n(300) {
				object.ZSetValue{Cell: &large}.Add(fmt.Append(nil, i), float64(m.n(50)), 0, &object.ZSetLimits{})
			}
		case 2:
			m.v.SetString(k, make([]byte, 1024+m.n(8000)), 0, true)
		case 3:
			large := m.v.Add(k, m.v.Place(k).NewQuicklist(&object.ListLimits{Fill: 10}))
			for i := range 1 + m.n(300) {
				object.ListValue{Cell: &large}.Push(fmt.Append(nil, i), object.Tail, &object.ListLimits{})
			}
		case 4:
			large := m.v.Add(k, m.v.Place(k).NewHash())
			for i := range 1 + m.n(300) {
				h := object.HashValue{Cell: &large}
				h.Set(fmt.Append(nil, i), make([]byte, m.n(200)), &object.HashLimits{})
				h.SetFieldDeadline(fmt.Append(nil, i), m.v.Now*int64(2+m.n(2))) // not in this test's time
			}
		default:
			deadline := int64(m.n(2)) * (m.v.Now + int64(m.n(1_000_000)))
			m.v.SetString(k, []byte(strings.Repeat("v", m.n(300))), deadline, false)
		}
		c := m.v.Peek(k)
		m.keys[key] = digestOf(&c)
	})
}

func digestOf(c *object.Cell) (d object.Digest) {
	if c.Ok() {
		c.Digest(&d, 0)
	}
	return d
}

func (m *crowd) drop(key string) {
	m.v.holding([]byte(key), func() { m.v.Delete([]byte(key)) })
	delete(m.keys, key)
}

// thinOut fills the keyspace and deletes three keys of four.
func (m *crowd) thinOut(keys int) {
	for i := range keys {
		m.v.DB = i % 2
		m.add(fmt.Sprintf("%d:%d", i%2, i))
	}
	for key := range m.keys {
		if m.v.DB = int(key[0] - '0'); m.n(4) > 0 {
			m.drop(key)
		}
	}
	for m.v.FreeGraves(0, 1, 1000) {
	}
}

// same demands that all keys hold what they held, but for those that are dead.
func (m *crowd) same() {
	m.t.Helper()
	for key, want := range m.keys {
		m.v.DB = int(key[0] - '0')
		m.v.holding([]byte(key), func() {
			c := m.v.Peek([]byte(key))
			if _, alive := m.keys[key]; alive && digestOf(&c) != want {
				m.t.Fatalf("%q has another value, or is gone (%t)", key, c.Ok())
			}
		})
	}
}

// pass runs one pass and returns how long its steps took, in ascending order.
func (m *crowd) pass() (took []time.Duration) {
	m.v.BeginDefrag()
	for more := true; more; {
		begin := time.Now()
		more, _ = m.v.Defrag(0, 1, 1000)
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return took
}

// TestDefrag: a keyspace that has lost most of its keys at random gives their memory
// back in one pass.
func TestDefrag(t *testing.T) {
	m := newCrowd(t, 1)
	m.thinOut(steps(t, 60_000))
	a := m.ks.Arena()
	used, before := m.v.Fragmentation(0, 1)
	held := a.Stats().Mapped
	took := m.pass()
	_, after := m.v.Fragmentation(0, 1)
	t.Logf("%d KiB used, %d wasted before and %d after, %d KiB held before and %d after", used>>10, before>>10, after>>10, held>>10, a.Stats().Mapped>>10)
	n := len(took)
	t.Logf("%d steps: median %v, p99 %v, p99.9 %v, max %v; %+v", n, took[n/2], took[n*99/100], took[n*999/1000], took[n-1], m.v.Stats)
	if before < used || after > used/10+int64(m.ks.Shards())<<20 { // each shard has its slabs at hand
		t.Errorf("%d bytes used; wasted %d before and %d after", used, before, after)
	}
	if s := &m.v.Stats; s.DefragHits == 0 || s.DefragMisses == 0 || s.DefragKeyHits == 0 || s.DefragKeyHits > s.DefragHits {
		t.Errorf("%+v", s)
	}
	m.same()
	moved := m.v.Stats.DefragHits
	if m.pass(); m.v.Stats.DefragHits-moved > moved/20 {
		t.Errorf("%d blocks were moved in the first pass, and %d in the second", moved, m.v.Stats.DefragHits-moved)
	}
	m.audit()
}

// audit recounts what heaps, tables and wheels say of themselves.
func (m *crowd) audit() {
	m.t.Helper()
	for i := range m.ks.shards {
		sh := &m.ks.shards[i]
		if err := sh.heap.Audit(); err != nil {
			m.t.Fatal(err)
		}
		for _, d := range sh.dbs {
			if d == nil {
				continue
			}
			if err := d.table.Check(); err != nil {
				m.t.Fatal(err)
			}
			if err := d.wheel.Check(); d.hasWheel && err != nil {
				m.t.Fatal(err)
			}
		}
	}
}

// TestDefragAmid has keys come, change, expire and go, by eviction and otherwise,
// between the steps of passes.
func TestDefragAmid(t *testing.T) {
	for _, seed := range seeds()[:1] {
		m := newCrowd(t, seed)
		m.thinOut(steps(t, 40_000))
		for i := range steps(t, 40_000) {
			if more, _ := m.v.Defrag(0, 1, 1+m.n(100)); !more {
				m.v.BeginDefrag()
			}
			m.amid(fmt.Sprintf("%d:%d", m.n(2), m.n(40_000)))
			if i%5000 == 0 {
				m.same()
				m.audit()
			}
		}
		m.same()
		m.audit()
		if s := &m.v.Stats; s.DefragHits < 1000 || s.Expired == 0 || s.Evicted == 0 {
			t.Errorf("%+v", s)
		}
	}
}

// amid does one thing to a key, or to whatever keys there are.
func (m *crowd) amid(key string) {
	m.v.DB = int(key[0] - '0')
	switch _, there := m.keys[key]; {
	case m.n(10) == 0:
		m.v.Now += int64(m.n(300))
		m.v.Expire(0, 1, 100)
	case m.n(500) == 0:
		m.ks.SetLimits(Limits{MaxMemory: 1, Policy: AllKeysRandom, Samples: 5})
		m.v.Evict(20)
		m.ks.SetLimits(Limits{Samples: 5})
	case m.n(10) == 0:
		m.v.FreeGraves(0, 1, 200)
	case there && m.n(2) == 0:
		m.drop(key)
	case there:
		m.v.holding([]byte(key), func() {
			if c := m.v.Edit([]byte(key)); c.Ok() {
				change(&c, m.n(400))
				m.keys[key] = digestOf(&c)
			}
		})
	case m.n(2) == 0:
		m.add(key)
	}
}

// change does something to a value of any kind.
func change(c *object.Cell, i int) {
	word := fmt.Append(nil, i)
	switch c.Type() {
	case object.String:
		c.Grow(c.Len() + i)
	case object.Hash:
		object.HashValue{Cell: c}.Set(word, make([]byte, i), &object.HashLimits{})
	case object.List:
		object.ListValue{Cell: c}.Push(word, object.Head, &object.ListLimits{})
	case object.ZSet:
		object.ZSetValue{Cell: c}.Add(word, float64(i), 0, &object.ZSetLimits{})
	}
}

// TestDefragTogether has two executors each move what is in their shards, while both
// write to all.
func TestDefragTogether(t *testing.T) {
	seed := seeds()[0]
	t.Logf("-seed=%d", seed)
	ks := newTestKeyspace(t, 2, 1, seed)
	var wg sync.WaitGroup
	for id := range 2 {
		wg.Go(func() {
			rand, v, own := env.Seeded(seed+uint64(id)), ks.NewView(nil), map[string]string{}
			for i := range 10 * steps(t, 10_000) {
				key := fmt.Sprintf("%d:%d", id, rand.Uint64()%10_000)
				v.holding([]byte(key), func() {
					c := v.Find([]byte(key))
					if want, ok := own[key]; c.Ok() != ok || ok && string(c.Bytes(nil)) != want {
						t.Errorf("%q: %t, want %t, or another value", key, c.Ok(), ok)
					}
					if v.Delete([]byte(key)); rand.Uint64()%10 < [...]uint64{9, 1}[i/8000%2] { // in waves
						own[key] = strings.Repeat(key, 80+int(rand.Uint64()%2)*50)
						v.SetString([]byte(key), []byte(own[key]), 0, false)
					} else {
						delete(own, key)
					}
				})
				if i%4 != 0 {
					continue
				}
				if more, _ := v.Defrag(id, 2, 100); !more {
					v.BeginDefrag()
				}
			}
			if v.Stats.DefragHits == 0 {
				t.Errorf("executor %d has moved nothing", id)
			}
		})
	}
	wg.Wait()
	checkKeyspace(t, ks)
}
