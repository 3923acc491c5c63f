package keyspace

import (
	"flag"
	"fmt"
	"testing"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/env"
	"dozo/object"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 = a fixed list")

func seeds() []uint64 {
	if *seedFlag != 0 {
		return []uint64{*seedFlag}
	}
	return []uint64{1, 2, 3, 4, 5, 6}
}

// twinKey is what the dumb second implementation knows of a key.
type twinKey struct {
	value    string
	deadline int64
}

// twin is a keyspace of Go maps beside the real one.
type twin struct {
	t    *testing.T
	ks   *Keyspace
	v    *View
	dbs  []map[string]twinKey
	rand env.Rand
	gone map[string]int // keys that went by themselves, by db and name
}

func newTestKeyspace(t testing.TB, loops, databases int, seed uint64) *Keyspace {
	t.Helper()
	a, err := arena.New(arena.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ks := New(Options{
		Arena: a, Loops: loops, Databases: databases, Seed: seed,
		NewRand: func() env.Rand { return env.Seeded(seed) },
	})
	t.Cleanup(func() {
		ks.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return ks
}

func newTwin(t *testing.T, seed uint64) *twin {
	m := &twin{t: t, ks: newTestKeyspace(t, 1, 3, seed), rand: env.Seeded(seed), gone: map[string]int{}}
	m.v = m.ks.NewView(m)
	m.v.Now = 1_700_000_000_000
	for range 3 {
		m.dbs = append(m.dbs, map[string]twinKey{})
	}
	return m
}

func (m *twin) Removed(db int, key []byte, why Reason) {
	if why != Expired {
		m.t.Fatalf("key %q was removed for reason %d", key, why)
	}
	k := m.dbs[db][string(key)]
	if k.deadline == 0 || k.deadline > m.v.Now {
		m.t.Fatalf("key %q of database %d expired at %d, its deadline is %d", key, db, m.v.Now, k.deadline)
	}
	delete(m.dbs[db], string(key))
}

func (m *twin) n(limit int) int { return int(m.rand.Uint64() % uint64(limit)) }

func (m *twin) key() []byte {
	k := fmt.Sprintf("key:%d", m.n(400))
	if m.n(10) == 0 {
		k += string(make([]byte, 300)) // a long key
	}
	return []byte(k)
}

func (m *twin) value() []byte {
	sizes := []int{0, 3, 40, 60, 200, 1000, 1100, 5000}
	switch m.n(4) {
	case 0:
		return fmt.Append(nil, int64(m.rand.Uint64()))
	default:
		b := make([]byte, sizes[m.n(len(sizes))])
		for i := range b {
			b[i] = byte('a' + m.n(26))
		}
		return b
	}
}

func (m *twin) deadline() int64 {
	switch m.n(4) {
	case 0:
		return m.v.Now + int64(m.n(50))
	case 1:
		return m.v.Now + int64(m.n(100_000))
	case 2:
		return m.v.Now + int64(m.rand.Uint64()>>24)
	}
	return 0
}

// alive drops the twin's key if its time is over, and returns it.
func (m *twin) alive(db int, key []byte) (twinKey, bool) {
	k, ok := m.dbs[db][string(key)]
	if ok && k.deadline != 0 && k.deadline <= m.v.Now {
		return twinKey{}, false
	}
	return k, ok
}

// held runs fn with the shards of the keys held.
func (m *twin) held(fn func(), keys ...[]byte) {
	var set LockSet
	for _, k := range keys {
		m.ks.Add(&set, m.ks.Hash(k))
	}
	m.ks.Lock(m.v, &set)
	defer m.ks.Unlock(m.v, &set)
	fn()
}

// step does one random thing to both.
func (m *twin) step() {
	m.v.DB = m.n(3)
	key := m.key()
	switch m.n(12) {
	case 0, 1, 2:
		val, dl, raw := m.value(), m.deadline(), m.n(3) == 0
		m.held(func() { m.v.SetString(key, val, dl, raw) }, key)
		m.dbs[m.v.DB][string(key)] = twinKey{string(val), dl}
	case 3, 4:
		m.compare(key)
	case 5:
		m.held(func() {
			_, want := m.alive(m.v.DB, key)
			if got := m.v.Delete(key); got != want {
				m.t.Fatalf("Delete(%q) = %t, want %t", key, got, want)
			}
		}, key)
		delete(m.dbs[m.v.DB], string(key))
	case 6:
		m.stepDeadline(key)
	case 7:
		m.stepCopy(key, m.key())
	case 8:
		m.v.Now += int64(m.n(200))
	case 9:
		m.v.Expire(0, 1, 1+m.n(500))
	case 10:
		m.stepGrow(key)
	case 11:
		if m.n(200) == 0 {
			m.stepFlush()
		}
	}
}

func (m *twin) stepDeadline(key []byte) {
	dl := m.deadline()
	m.held(func() {
		k, want := m.alive(m.v.DB, key)
		if got := m.v.SetDeadline(key, dl); got != want {
			m.t.Fatalf("SetDeadline(%q) = %t, want %t", key, got, want)
		}
		if want {
			k.deadline = dl
			m.dbs[m.v.DB][string(key)] = k
		}
	}, key)
}

func (m *twin) stepCopy(from, to []byte) {
	toDB := m.n(3)
	if string(from) == string(to) && toDB == m.v.DB {
		return
	}
	m.held(func() {
		c := m.v.Peek(from)
		k, want := m.alive(m.v.DB, from)
		if c.Ok() != want {
			m.t.Fatalf("Peek(%q) = %t, want %t", from, c.Ok(), want)
		}
		if want {
			m.v.Copy(&c, toDB, to)
			m.dbs[toDB][string(to)] = k
		}
	}, from, to)
}

// stepGrow appends to a string in place.
func (m *twin) stepGrow(key []byte) {
	more := m.value()
	m.held(func() {
		c := m.v.Edit(key)
		k, want := m.alive(m.v.DB, key)
		if c.Ok() != want {
			m.t.Fatalf("Edit(%q) = %t, want %t", key, c.Ok(), want)
		}
		if !want || c.Len() > 100_000 {
			return
		}
		n := c.Len()
		copy(c.Grow(n + len(more))[n:], more)
		k.value += string(more)
		m.dbs[m.v.DB][string(key)] = k
	}, key)
}

func (m *twin) stepFlush() {
	m.ks.BeginExclusive(m.v)
	defer m.ks.EndExclusive(m.v)
	if m.n(2) == 0 {
		a, b := m.n(3), m.n(3)
		m.v.Swap(a, b)
		m.dbs[a], m.dbs[b] = m.dbs[b], m.dbs[a]
		return
	}
	db := m.n(4) - 1
	m.v.Flush(db)
	for i := range m.dbs {
		if db < 0 || i == db {
			clear(m.dbs[i])
		}
	}
}

func (m *twin) compare(key []byte) {
	m.held(func() {
		c := m.v.Find(key)
		k, want := m.alive(m.v.DB, key)
		if c.Ok() != want {
			m.t.Fatalf("Find(%q) = %t, want %t", key, c.Ok(), want)
		}
		if want {
			m.same(&c, key, k)
		}
	}, key)
}

func (m *twin) same(c *object.Cell, key []byte, k twinKey) {
	var scratch [32]byte
	if got := string(c.Bytes(scratch[:0])); got != k.value || c.Len() != len(k.value) {
		m.t.Fatalf("%q holds %q (length %d), want %q", key, got, c.Len(), k.value)
	}
	if c.Entry.Deadline() != k.deadline {
		m.t.Fatalf("%q has deadline %d, want %d", key, c.Entry.Deadline(), k.deadline)
	}
}

// check compares everything.
func (m *twin) check() {
	m.ks.BeginExclusive(m.v)
	defer m.ks.EndExclusive(m.v)
	for db := range m.dbs {
		m.v.DB = db
		seen := 0
		m.v.Each(db, func(e entry.Entry, _ arena.Ref) bool {
			seen++
			if _, ok := m.alive(db, e.Key()); !ok {
				m.t.Fatalf("database %d has %q, which should not be there", db, e.Key())
			}
			return true
		})
		want := 0
		for key := range m.dbs[db] {
			k, ok := m.alive(db, []byte(key))
			if !ok {
				continue
			}
			want++
			c := m.v.Peek([]byte(key))
			if !c.Ok() {
				m.t.Fatalf("database %d lacks %q", db, key)
			}
			m.same(&c, []byte(key), k)
		}
		if seen != want {
			m.t.Fatalf("database %d has %d living keys, want %d", db, seen, want)
		}
	}
	m.checkVolatile()
}

// checkVolatile recounts the keys with a deadline.
func (m *twin) checkVolatile() {
	for i := range m.ks.shards {
		for db, d := range m.ks.shards[i].dbs {
			if d == nil {
				continue
			}
			n := 0
			d.table.Each(func(ref arena.Ref) bool {
				if entry.At(m.ks.arena, ref).HasDeadline() {
					n++
				}
				return true
			})
			if n != d.volatile {
				m.t.Fatalf("shard %d database %d: %d keys with a deadline, counted %d", i, db, n, d.volatile)
			}
		}
	}
}

// TestModel does random things to a keyspace and to its twin.
func TestModel(t *testing.T) {
	for _, seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("-seed=%d", seed)
			m := newTwin(t, seed)
			for i := range 20_000 {
				m.step()
				if i%2000 == 0 {
					m.check()
				}
			}
			m.check()
			for m.v.Expire(0, 1, 1<<20) {
			}
			for db := range m.dbs {
				for key := range m.dbs[db] {
					if _, ok := m.alive(db, []byte(key)); !ok {
						t.Fatalf("%q of database %d is dead but was not removed", key, db)
					}
				}
			}
		})
	}
}

// TestScanGuarantee: every key that is there from the beginning of a scan to its
// end is returned, whatever else comes and goes.
func TestScanGuarantee(t *testing.T) {
	for _, seed := range seeds() {
		ks := newTestKeyspace(t, 2, 1, seed)
		v := ks.NewView(nil)
		v.Now = 1
		r := env.Seeded(seed)
		set := func(key string) {
			i := ks.LockKey(v, ks.Hash([]byte(key)))
			v.SetString([]byte(key), []byte("v"), 0, false)
			ks.UnlockShard(v, i)
		}
		for i := range 3000 {
			set(fmt.Sprintf("stays:%d", i))
		}
		seen := map[string]bool{}
		cursor, calls := uint64(0), 0
		for {
			cursor = v.Scan(cursor, 1+int(r.Uint64()%20), func(e entry.Entry) { seen[string(e.Key())] = true })
			if cursor == 0 {
				break
			}
			if calls++; calls > 100_000 {
				t.Fatalf("seed %d: the scan does not end", seed)
			}
			for i := range 30 {
				set(fmt.Sprintf("comes:%d:%d", calls, i))
			}
		}
		for i := range 3000 {
			if key := fmt.Sprintf("stays:%d", i); !seen[key] {
				t.Fatalf("seed %d: the scan missed %q", seed, key)
			}
		}
		ks.BeginExclusive(v)
		v.Flush(-1)
		ks.EndExclusive(v)
	}
}
