package keyspace

import (
	"fmt"
	"maps"
	"math"
	"testing"

	"dozo/container/listpack"
	"dozo/env"
	"dozo/internal/invariants"
	"dozo/object"
)

// twinHash is what the dumb twin knows of a hash: its fields' deadlines (0 = none),
// and its own.
type twinHash struct {
	fields   map[string]int64
	deadline int64
}

// hashTwin is a keyspace of hashes beside one of Go maps.
type hashTwin struct {
	t    *testing.T
	ks   *Keyspace
	v    *View
	rand env.Rand
	l    object.HashLimits
	keys map[string]*twinHash
	few  int
}

func newHashTwin(t *testing.T, seed uint64) *hashTwin {
	m := &hashTwin{t: t, ks: newTestKeyspace(t, 1, 1, seed), rand: env.Seeded(seed), keys: map[string]*twinHash{}}
	m.l = object.HashLimits{Listpack: m.n(100), Value: 64}
	m.few = 5 + m.n(300)
	m.v = m.ks.NewView(m)
	m.v.Now = 1_700_000_000_000
	return m
}

func (m *hashTwin) n(limit int) int { return int(m.rand.Uint64() % uint64(limit)) }

func (m *hashTwin) over(deadline int64) bool { return deadline != 0 && deadline <= m.v.Now }

func (m *hashTwin) Serve(*Wait, []int) bool { return false }

func (m *hashTwin) Removed(_ int, key []byte, why Reason) {
	k := m.keys[string(key)]
	switch {
	case k == nil:
		m.t.Fatalf("%q was removed, the twin does not have it", key)
	case why == Expired && !m.over(k.deadline), why == FieldsGone && len(m.alive(k)) > 0, why == Evicted:
		m.t.Fatalf("%q was removed for reason %d", key, why)
	}
	delete(m.keys, string(key))
}

func (m *hashTwin) FieldExpired(_ int, key, field []byte) {
	k := m.keys[string(key)]
	if k == nil || !m.over(k.fields[string(field)]) {
		m.t.Fatalf("field %q of %q has expired too early, or twice", field, key)
	}
	delete(k.fields, string(field))
}

func (m *hashTwin) FieldsExpired(_ int, key []byte, emptied bool) {
	if emptied != (len(m.keys[string(key)].fields) == 0) {
		m.t.Fatalf("%q is said to be empty: %t", key, emptied)
	}
	if emptied {
		delete(m.keys, string(key))
	}
}

// alive is the fields that are not due.
func (m *hashTwin) alive(k *twinHash) map[string]int64 {
	all := map[string]int64{}
	for f, deadline := range k.fields {
		if !m.over(deadline) {
			all[f] = deadline
		}
	}
	return all
}

// find is a key that is not dead.
func (m *hashTwin) find(key []byte) *twinHash {
	if k := m.keys[string(key)]; k != nil && !m.over(k.deadline) && len(m.alive(k)) > 0 {
		return k
	}
	return nil
}

func (m *hashTwin) deadline() int64 {
	switch m.n(8) {
	case 0:
		return 0
	case 1:
		return m.v.Now + 1 + int64(m.n(100_000))
	}
	return m.v.Now + 1 + int64(m.n(300))
}

func (m *hashTwin) step() {
	key := fmt.Appendf(nil, "key:%d", m.n(20))
	other := fmt.Appendf(nil, "key:%d", m.n(20))
	switch m.n(20) {
	case 0:
		m.v.Now += int64(m.n(50))
		return
	case 1:
		m.v.Expire(0, 1, 1+m.n(100))
		return
	}
	var set LockSet
	m.ks.Add(&set, m.ks.Hash(key))
	m.ks.Add(&set, m.ks.Hash(other))
	m.ks.Lock(m.v, &set)
	defer m.ks.Unlock(m.v, &set)
	switch m.n(30) {
	case 0:
		m.stepKey(key)
	case 1:
		m.stepPlace(key, other)
	default:
		m.stepFields(key)
	}
}

// stepKey changes the key as a whole.
func (m *hashTwin) stepKey(key []byte) {
	k := m.find(key)
	switch m.n(4) {
	case 0:
		if got := m.v.Delete(key); got != (k != nil) {
			m.t.Fatalf("Delete(%q) = %t", key, got)
		}
		delete(m.keys, string(key))
	case 1:
		m.v.SetString(key, []byte("v"), 0, false)
		m.v.Delete(key)
		delete(m.keys, string(key))
	default:
		deadline := m.deadline()
		if got := m.v.SetDeadline(key, deadline); got != (k != nil) {
			m.t.Fatalf("SetDeadline(%q) = %t", key, got)
		}
		if k != nil {
			k.deadline = deadline
		}
	}
}

func (m *hashTwin) stepPlace(from, to []byte) {
	c, k := m.v.Peek(from), m.find(from)
	if c.Ok() != (k != nil) {
		m.t.Fatalf("Peek(%q) = %t", from, c.Ok())
	}
	if k == nil || string(from) == string(to) {
		return
	}
	if m.n(2) == 0 {
		m.v.Move(from, 0, to)
		delete(m.keys, string(from))
		m.keys[string(to)] = k
		return
	}
	m.v.Copy(&c, 0, to)
	m.keys[string(to)] = &twinHash{maps.Clone(k.fields), k.deadline}
}

// stepFields changes some fields, as commands do, and compares the hash.
func (m *hashTwin) stepFields(key []byte) {
	c := m.v.Edit(key)
	k := m.find(key)
	if c.Ok() != (k != nil) {
		m.t.Fatalf("Edit(%q) = %t, want %t", key, c.Ok(), k != nil)
	}
	if k == nil {
		c = m.v.Add(key, m.v.Place(key).NewHash())
		k = &twinHash{fields: map[string]int64{}}
		m.keys[string(key)] = k
	}
	h := object.HashValue{Cell: &c, Now: m.v.Now}
	was := h.Earliest()
	for range 1 + m.n(10) {
		m.stepField(h, k)
	}
	m.v.FieldsDated(key, &c, was)
	if h.Size() == 0 {
		m.v.Delete(key)
		delete(m.keys, string(key))
		return
	}
	got := map[string]int64{}
	h.EachDated(func(f, _ listpack.Value, deadline int64) bool {
		got[string(f.Append(nil))] = deadline
		return true
	})
	if want := m.alive(k); !maps.Equal(got, want) || h.Len() != len(want) {
		m.t.Fatalf("%q has %d fields of %d, want %d", key, len(got), h.Len(), len(want))
	}
}

func (m *hashTwin) stepField(h object.HashValue, k *twinHash) {
	f := fmt.Appendf(nil, "f:%d", m.n(m.few))
	deadline, alive := k.fields[string(f)]
	alive = alive && !m.over(deadline)
	switch m.n(6) {
	case 0:
		if h.Delete(f) != alive {
			m.t.Fatalf("Delete(%q) = %t", f, !alive)
		}
		if alive {
			delete(k.fields, string(f))
		}
	case 1, 2:
		if alive {
			deadline = m.deadline()
			h.SetFieldDeadline(f, deadline)
			k.fields[string(f)] = deadline
		}
	default:
		h.Set(f, []byte("value"), &m.l)
		k.fields[string(f)] = 0
		if m.n(2) == 0 {
			deadline = m.deadline()
			h.SetFieldDeadline(f, deadline)
			k.fields[string(f)] = deadline
		}
	}
}

// TestFieldsModel does random things to hashes with deadlines, and to their twins:
// nothing goes too early, everything is gone when the rounds of expiry are done.
func TestFieldsModel(t *testing.T) {
	for _, seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("-seed=%d", seed)
			m := newHashTwin(t, seed)
			for i := range steps(t, 20_000) {
				m.step()
				if i%1000 == 0 {
					for m.v.FreeGraves(0, 1, math.MaxInt32) {
					}
					checkKeyspace(t, m.ks)
				}
			}
			m.v.Now += 200
			for m.v.Expire(0, 1, 100) {
			}
			for key, k := range m.keys {
				if m.over(k.deadline) || len(m.alive(k)) < len(k.fields) {
					t.Fatalf("%q is due, or some of its fields are", key)
				}
			}
			for m.v.FreeGraves(0, 1, math.MaxInt32) {
			}
			checkKeyspace(t, m.ks)
		})
	}
}

// counted counts what expires.
type counted struct{ fields, keys int }

func (c *counted) Serve(*Wait, []int) bool               { return false }
func (c *counted) Removed(int, []byte, Reason)           { c.keys++ }
func (c *counted) FieldExpired(int, []byte, []byte)      { c.fields++ }
func (c *counted) FieldsExpired(_ int, _ []byte, _ bool) {}

// TestManyFieldsDue: a hash with very many fields that are due loses some at a time,
// and a hash that has none besides them goes in one piece.
func TestManyFieldsDue(t *testing.T) {
	n := 300_000
	if testing.Short() || invariants.Enabled || raceEnabled {
		n = 20_000
	}
	for _, stays := range []bool{true, false} {
		ks := newTestKeyspace(t, 1, 1, 3)
		seen := &counted{}
		v := ks.NewView(seen)
		v.Now = 1_700_000_000_000
		key := []byte("key")
		v.holding(key, func() {
			c := v.Add(key, v.Place(key).NewHash())
			h := object.HashValue{Cell: &c}
			for i := range n {
				f := fmt.Append(nil, i)
				h.Set(f, []byte("v"), &object.HashLimits{})
				h.SetFieldDeadline(f, v.Now+10)
			}
			if stays {
				h.Set([]byte("stays"), []byte("v"), &object.HashLimits{})
			}
			v.FieldsDated(key, &c, 0)
		})
		v.Now += 10
		v.holding(key, func() {
			if stays {
				c := v.Find(key)
				h := object.HashValue{Cell: &c, Now: v.Now}
				if h.Len() != 1 || seen.fields != fieldsPerLookup {
					t.Errorf("%d fields, %d removed by the lookup", h.Len(), seen.fields)
				}
			} else if c := v.Peek(key); c.Ok() {
				t.Error("the dead hash is to be seen")
			}
		})
		for more := true; more; {
			before := seen.fields
			more = v.Expire(0, 1, 200)
			if seen.fields-before > 200+duePerLock {
				t.Fatalf("%d fields in one call", seen.fields-before)
			}
		}
		if stays && (seen.fields != n || seen.keys != 0) || !stays && (seen.fields != 0 || seen.keys != 1) {
			t.Errorf("%d fields and %d keys have expired", seen.fields, seen.keys)
		}
	}
}
