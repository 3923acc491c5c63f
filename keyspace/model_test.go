package keyspace

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"testing"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/env"
	"dozo/internal/invariants"
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
	// evicting is what Evict may take at the moment, nil when it does not run.
	evicting func(k twinKey) bool
	shadow   *shadowTwin // nil: nothing is loaded aside
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
	m := &twin{t: t, ks: newTestKeyspace(t, 1, 3, seed), rand: env.Seeded(seed)}
	m.v = m.ks.NewView(m)
	m.v.Now = 1_700_000_000_000
	for range 3 {
		m.dbs = append(m.dbs, map[string]twinKey{})
	}
	t.Cleanup(m.dropShadow)
	return m
}

func (m *twin) Serve(*Wait, []int) bool { return false }

func (*twin) FieldExpired(int, []byte, []byte) {}

func (*twin) FieldsExpired(int, []byte, bool) {}

func (m *twin) Removed(db int, key []byte, why Reason) {
	k, ok := m.dbs[db][string(key)]
	switch {
	case !ok:
		m.t.Fatalf("%.40q of database %d was removed, the twin does not have it", key, db)
	case why == Expired && !k.dead(m.v.Now):
		m.t.Fatalf("%.40q of database %d expired at %d, its deadline is %d", key, db, m.v.Now, k.deadline)
	case why == Evicted && (m.evicting == nil || !m.evicting(k)):
		m.t.Fatalf("%.40q of database %d (deadline %d) was evicted", key, db, k.deadline)
	}
	delete(m.dbs[db], string(key))
}

func (k twinKey) dead(now int64) bool { return k.deadline != 0 && k.deadline <= now }

func (m *twin) n(limit int) int { return int(m.rand.Uint64() % uint64(limit)) }

// keyLengths are where the layout of a key changes.
var keyLengths = []int{0, 1, 254, 255, 256, 257, 1000, 16 << 10, 100 << 10}

func (m *twin) key() []byte {
	switch m.n(20) {
	case 0:
		return make([]byte, keyLengths[m.n(len(keyLengths))])
	case 1:
		return fmt.Appendf(nil, "key:%d%s", m.n(100), make([]byte, 300))
	}
	return fmt.Appendf(nil, "key:%d", m.n(400))
}

// valueLengths are around the borders of encodings, classes and blocks.
var valueLengths = []int{0, 1, 3, 20, 44, 45, 200, 1023, 1024, 1025, 5000, 16 << 10, 70_000}

func (m *twin) value() []byte {
	if m.n(4) == 0 {
		return fmt.Append(nil, int64(m.rand.Uint64()))
	}
	b := make([]byte, valueLengths[m.n(len(valueLengths))])
	for i := range b {
		b[i] = byte('a' + i%26)
	}
	if len(b) > 0 {
		b[m.n(len(b))] = byte(m.n(256))
	}
	return b
}

func (m *twin) deadline() int64 {
	switch m.n(16) {
	case 0, 1, 2, 3:
		return m.v.Now + int64(m.n(50))
	case 4, 5, 6, 7:
		return m.v.Now + int64(m.n(100_000))
	case 8, 9:
		return m.v.Now + int64(m.rand.Uint64()>>24)
	case 10: // again and again the same
		return 2_000_000_000_000
	case 11:
		return []int64{math.MaxInt64, math.MaxInt64 - 1, 1, -1, math.MinInt64}[m.n(5)]
	}
	return 0
}

// alive drops the twin's key if its time is over, and returns it.
func (m *twin) alive(db int, key []byte) (twinKey, bool) {
	k, ok := m.dbs[db][string(key)]
	if ok && k.dead(m.v.Now) {
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
	switch m.n(19) {
	case 0, 1, 2:
		val, dl, raw := m.value(), m.deadline(), m.n(3) == 0
		m.held(func() { m.v.SetString(key, val, dl, raw) }, key)
		m.dbs[m.v.DB][string(key)] = twinKey{string(val), dl}
	case 3, 4:
		m.compare(key)
	case 5:
		m.stepDelete(key)
	case 6, 7:
		m.stepDeadline(key)
	case 8:
		m.stepCopy(key, m.key())
	case 9:
		m.v.Now += int64(m.n(200))
	case 10:
		m.v.Expire(0, 1, 1+m.n(500))
	case 11, 12:
		m.stepEdit(key)
	case 13:
		m.stepZeros(key)
	case 14:
		m.stepTouch(key)
	case 15:
		m.stepRandom()
	case 16:
		m.stepDefrag()
	default:
		m.stepSeldom()
	}
}

// stepSeldom does what would leave nothing to test if it were frequent.
func (m *twin) stepSeldom() {
	switch m.n(100) {
	case 0:
		m.stepFlush()
	case 1:
		m.stepEvict()
	case 2:
		m.v.Now -= int64(m.n(3000))
	case 3:
		m.v.Now += int64(m.n(300_000))
	case 4, 5, 6, 7:
		m.stepShadow()
	}
}

func (m *twin) stepDelete(key []byte) {
	m.held(func() {
		_, want := m.alive(m.v.DB, key)
		if got := m.v.Delete(key); got != want {
			m.t.Fatalf("Delete(%.40q) = %t, want %t", key, got, want)
		}
	}, key)
	delete(m.dbs[m.v.DB], string(key))
}

// stepZeros makes a key zeros and fills some of them in.
func (m *twin) stepZeros(key []byte) {
	n := valueLengths[m.n(len(valueLengths))]
	m.held(func() {
		_, there := m.alive(m.v.DB, key)
		c, added := m.v.SetZeros(key, n)
		if added == there {
			m.t.Fatalf("SetZeros(%.40q) says added: %t", key, added)
		}
		b := c.Resize(n)
		if n > 0 {
			b[m.n(n)] = 'x'
		}
		m.dbs[m.v.DB][string(key)] = twinKey{string(b), 0}
		if at := bytes.IndexByte(b, 'x'); bytes.Count(b, []byte{0}) != max(n-1, 0) || n > 0 && at < 0 {
			m.t.Fatalf("SetZeros(%.40q, %d) is not zeros", key, n)
		}
	}, key)
}

// stepTouch uses a key; nothing else may change.
func (m *twin) stepTouch(key []byte) {
	m.held(func() {
		c := m.v.Peek(key)
		if k, ok := m.alive(m.v.DB, key); ok {
			m.v.Touch(&c)
			if m.v.IdleSeconds(c.Entry) != 0 && !m.ks.Limits().Policy.lfu() {
				m.t.Fatalf("%.40q was touched and is idle for %d s", key, m.v.IdleSeconds(c.Entry))
			}
			m.same(&c, key, k)
		}
	}, key)
}

func (m *twin) stepRandom() {
	key, ok := m.v.RandomKey(nil)
	if _, alive := m.alive(m.v.DB, key); ok && !alive {
		m.t.Fatalf("RandomKey gives %.40q of database %d, which is not there", key, m.v.DB)
	}
	if ok {
		return
	}
	for name := range m.dbs[m.v.DB] {
		if _, alive := m.alive(m.v.DB, []byte(name)); alive {
			m.t.Fatalf("RandomKey finds nothing in database %d, but there is %.40q", m.v.DB, name)
		}
	}
}

// stepEvict sets a limit somewhat below what is used and evicts by a policy.
func (m *twin) stepEvict() {
	l := Limits{Policy: Policy(m.n(int(VolatileTTL) + 1)), Samples: 1 + m.n(10), LFULogFactor: 10, LFUDecayMins: 1}
	m.ks.SetLimits(l)
	m.ks.Publish()
	l.MaxMemory = max(1, m.ks.arena.Used()*int64(m.n(20)+80)/100)
	if m.n(10) == 0 {
		l.MaxMemory = 1
	}
	m.ks.SetLimits(l)
	m.evicting = func(k twinKey) bool { return !l.Policy.volatile() || k.deadline != 0 }
	limit := m.n(200)
	within := m.v.Evict(limit)
	if !within && l.Policy != NoEviction {
		for db := range m.dbs {
			for name, k := range m.dbs[db] {
				if m.evicting(k) {
					m.t.Fatalf("policy %d: nothing can go, but there is %.40q", l.Policy, name)
				}
			}
		}
	}
	m.evicting = nil
	m.ks.SetLimits(Limits{Policy: l.Policy, Samples: 5, LFULogFactor: 10, LFUDecayMins: 1})
}

func (m *twin) stepDeadline(key []byte) {
	dl := m.deadline()
	m.held(func() {
		k, want := m.alive(m.v.DB, key)
		if got := m.v.SetDeadline(key, dl); got != want {
			m.t.Fatalf("SetDeadline(%.40q) = %t, want %t", key, got, want)
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
			m.t.Fatalf("Peek(%.40q) = %t, want %t", from, c.Ok(), want)
		}
		if want && m.n(2) == 0 {
			m.v.Move(from, toDB, to)
			delete(m.dbs[m.v.DB], string(from))
			m.dbs[toDB][string(to)] = k
		} else if want {
			m.v.Copy(&c, toDB, to)
			m.dbs[toDB][string(to)] = k
		}
	}, from, to)
}

// stepEdit changes a string in place.
func (m *twin) stepEdit(key []byte) {
	more := m.value()
	m.held(func() {
		c := m.v.Edit(key)
		k, want := m.alive(m.v.DB, key)
		if c.Ok() != want {
			m.t.Fatalf("Edit(%.40q) = %t, want %t", key, c.Ok(), want)
		}
		if !want {
			return
		}
		switch n := c.Len(); {
		case m.n(3) == 0:
			to := m.n(2*n + 50)
			cut := append([]byte(k.value), make([]byte, max(0, to-n))...)
			c.Resize(to)
			k.value = string(cut[:to])
		case m.n(4) == 0:
			v := int64(m.rand.Uint64()) >> m.n(64)
			c.SetInt(v)
			k.value = fmt.Sprint(v)
		case n < 200_000:
			copy(c.Grow(n + len(more))[n:], more)
			k.value += string(more)
		}
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
	if m.shadow != nil && m.n(2) == 0 {
		m.v.Adopt(m.shadow.ks)
		m.dbs, m.shadow = m.shadow.dbs, nil
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
			m.t.Fatalf("Find(%.40q) = %t, want %t", key, c.Ok(), want)
		}
		if want {
			m.same(&c, key, k)
		}
	}, key)
}

func (m *twin) same(c *object.Cell, key []byte, k twinKey) {
	var scratch [32]byte
	if got := string(c.Bytes(scratch[:0])); got != k.value || c.Len() != len(k.value) {
		m.t.Fatalf("%.40q holds %.40q (length %d), want %.40q", key, got, c.Len(), k.value)
	}
	if c.Entry.Deadline() != k.deadline {
		m.t.Fatalf("%.40q has deadline %d, want %d", key, c.Entry.Deadline(), k.deadline)
	}
}

// check compares everything.
func (m *twin) check() {
	m.dropShadow()
	m.ks.BeginExclusive(m.v)
	defer m.ks.EndExclusive(m.v)
	for db := range m.dbs {
		m.v.DB = db
		seen := 0
		m.v.Each(db, func(e entry.Entry, _ arena.Ref) bool {
			seen++
			if _, ok := m.alive(db, e.Key()); !ok {
				m.t.Fatalf("database %d has %.40q, which should not be there", db, e.Key())
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
				m.t.Fatalf("database %d lacks %.40q", db, key)
			}
			m.same(&c, []byte(key), k)
		}
		if seen != want {
			m.t.Fatalf("database %d has %d living keys, want %d", db, seen, want)
		}
	}
	checkKeyspace(m.t, m.ks)
}

// TestModel does random things to a keyspace and to its twin.
func TestModel(t *testing.T) {
	for _, seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("-seed=%d", seed)
			m := newTwin(t, seed)
			for i := range steps(t, 15_000) {
				m.step()
				if i%1000 == 0 {
					m.check()
				}
			}
			m.check()
			for m.v.Expire(0, 1, 1<<20) {
			}
			m.check()
			for db := range m.dbs {
				for key := range m.dbs[db] {
					if _, ok := m.alive(db, []byte(key)); !ok {
						t.Fatalf("%.40q of database %d is dead but was not removed", key, db)
					}
				}
			}
		})
	}
}

// steps is how long a random test goes on.
func steps(t *testing.T, n int) int {
	if testing.Short() || invariants.Enabled || raceEnabled {
		return n / 4
	}
	return n
}
