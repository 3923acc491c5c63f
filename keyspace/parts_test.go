package keyspace

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"dozo/arena"
	"dozo/container/stream"
	"dozo/env"
	"dozo/internal/invariants"
	"dozo/object"
)

// newPartsKeyspace is a keyspace in which values of few elements have parts of a heap.
func newPartsKeyspace(t *testing.T, seed uint64) (*Keyspace, *View) {
	t.Helper()
	a, err := arena.New(arena.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ks := New(Options{
		Arena: a, Loops: 1, Databases: 3, Seed: seed, PartDivisor: 128,
		NewRand: func() env.Rand { return env.Seeded(seed) },
	})
	t.Cleanup(func() {
		ks.Close()
		if s := a.Stats(); s.Used != 0 || s.Mapped != 0 || s.Parts != 0 {
			t.Errorf("the keyspace is closed, and there is %+v", s)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	v := ks.NewView(nil)
	v.Now = 1_700_000_000_000
	return ks, v
}

// partsTwin moves values of all kinds about, and knows where they are by their digests.
type partsTwin struct {
	t    *testing.T
	ks   *Keyspace
	v    *View
	r    *rand.Rand
	want [3]map[string]object.Digest
}

func (m *partsTwin) key() []byte { return fmt.Appendf(nil, "key:%d", m.r.IntN(30)) }

// fill gives a key a value of a kind by chance with some elements.
func (m *partsTwin) fill(key []byte) {
	p, n := m.v.Place(key), m.r.IntN(400)
	word := func(i int) []byte { return fmt.Appendf(nil, "%0*d", 1+i%40, i) }
	var d object.Draft
	switch m.r.IntN(5) {
	case 0:
		d.Begin(p, p.NewSet([]byte("x"), 1000, &object.SetLimits{}))
		for i := range n + 1 {
			object.SetValue{Cell: &d.Cell}.Add(word(i), &object.SetLimits{})
		}
	case 1:
		d.Begin(p, p.NewHash())
		for i := range n + 1 {
			object.HashValue{Cell: &d.Cell}.Set(word(i), word(7*i), &object.HashLimits{})
		}
	case 2:
		d.Begin(p, p.NewLargeZSet())
		for i := range n + 1 {
			object.ZSetValue{Cell: &d.Cell}.Add(word(i), float64(i%17), 0, &object.ZSetLimits{})
		}
	case 3:
		l := object.ListLimits{Fill: -1}
		d.Begin(p, p.NewQuicklist(&l))
		for i := range 4*n + 1 {
			object.ListValue{Cell: &d.Cell}.Push(word(i), object.Tail, &l)
		}
	default:
		d.Begin(p, p.NewStream())
		m.fillStream(object.StreamValue{Cell: &d.Cell}, n)
	}
	m.v.Store(key, &d, 0)
}

// fillStream adds entries that are pending in a group.
func (m *partsTwin) fillStream(v object.StreamValue, n int) {
	for i := range n {
		s, id := v.Edit(), stream.ID{Ms: uint64(i + 1)}
		_ = s.Append(id, object.StreamLimits{NodeEntries: 10}, [][]byte{{'f'}, {'v'}})
		g, _ := s.CreateGroup([]byte("group"), stream.ID{}, 0)
		who, _ := g.CreateConsumer([]byte("consumer"), 0)
		g.Deliver(&who, id, 1)
	}
}

func (m *partsTwin) digest(key []byte) (d object.Digest) {
	c := m.v.Peek(key)
	c.Digest(&d, m.v.Now)
	return d
}

// step does one thing, with all keys held.
func (m *partsTwin) step() {
	m.v.DB = m.r.IntN(3)
	here, key := m.want[m.v.DB], m.key()
	_, there := here[string(key)]
	switch x := m.r.IntN(100); {
	case x < 30:
		m.fill(key)
		here[string(key)] = m.digest(key)
	case x < 60 && there:
		db, to := m.r.IntN(3), m.key()
		if db == m.v.DB && string(to) == string(key) {
			return
		}
		m.v.Move(key, db, to)
		m.want[db][string(to)] = here[string(key)]
		delete(here, string(key))
	case x < 70 && there:
		db, to := m.r.IntN(3), m.key()
		if db == m.v.DB && string(to) == string(key) {
			return
		}
		c := m.v.Peek(key)
		m.v.Copy(&c, db, to)
		m.want[db][string(to)] = here[string(key)]
	case x < 80 && there:
		m.dropGroups(key)
	case x < 90:
		m.v.Delete(key)
		delete(here, string(key))
	case x == 90:
		m.v.Flush(m.v.DB)
		clear(here)
	case x == 91:
		other := m.r.IntN(3)
		m.v.Swap(m.v.DB, other)
		m.want[m.v.DB], m.want[other] = m.want[other], m.want[m.v.DB]
	}
}

// dropGroups leaves what was pending in a stream's groups in graves.
func (m *partsTwin) dropGroups(key []byte) {
	c := m.v.Edit(key)
	if c.Type() != object.Stream {
		return
	}
	v := object.StreamValue{Cell: &c}
	for s := v.Open(); s.Groups() > 0; {
		m.v.Bury(key, object.StreamGrave(s.DestroyGroup(s.GroupAt(0))))
	}
}

func (m *partsTwin) check() {
	m.t.Helper()
	for db := range m.want {
		m.v.DB = db
		if n := m.v.Len(db); n != len(m.want[db]) {
			m.t.Fatalf("database %d has %d keys, should have %d", db, n, len(m.want[db]))
		}
		for key, want := range m.want[db] {
			if got := m.digest([]byte(key)); got != want {
				m.t.Fatalf("database %d: the value of %s has changed", db, key)
			}
		}
	}
	for i := range m.ks.shards {
		if err := m.ks.shards[i].heap.Audit(); err != nil {
			m.t.Fatal(err)
		}
	}
}

// TestParts moves values around the size from which on they have parts of a heap
// between keys, shards and databases, copies, deletes, flushes and swaps them, with
// steps of defragmentation and of freeing in between.
func TestParts(t *testing.T) {
	for seed := uint64(1); seed <= 4; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			ks, v := newPartsKeyspace(t, seed)
			m := &partsTwin{t: t, ks: ks, v: v, r: rand.New(rand.NewPCG(seed, 3))}
			for db := range m.want {
				m.want[db] = map[string]object.Digest{}
			}
			for i := range 3000 {
				alone(v, m.step)
				switch m.r.IntN(4) {
				case 0:
					v.FreeGraves(0, 1, 1+m.r.IntN(100))
				case 1:
					if more, _ := v.Defrag(0, 1, 100); !more {
						v.BeginDefrag()
					}
				}
				if i%100 == 0 {
					alone(v, m.check)
				}
			}
			alone(v, m.check)
			for v.FreeGraves(0, 1, 1000) {
			}
			if n := ks.Graves(); n != 0 {
				t.Errorf("%d graves are left", n)
			}
		})
	}
}

// TestRenameIsCheap: what RENAME to another shard allocates, and what it leaves to be
// freed, does not depend on the size of the value.
func TestRenameIsCheap(t *testing.T) {
	ks, v := newPartsKeyspace(t, 7)
	n := 200_000
	if invariants.Enabled {
		n = 20_000
	}
	alone(v, func() {
		from, to := keyOfShard(ks, 3), keyOfShard(ks, 5)
		p := v.Place(from)
		var d object.Draft
		d.Begin(p, p.NewLargeZSet())
		for i := range n {
			object.ZSetValue{Cell: &d.Cell}.Add(fmt.Append(nil, i), float64(i), 0, &object.ZSetLimits{})
		}
		v.Store(from, &d, 0)
		source, target := ks.shards[3].heap, ks.shards[5].heap
		used, before := source.Used(), ks.arena.Stats()
		v.Move(from, 0, to)
		if after := ks.arena.Stats(); after.Slabs > before.Slabs+4 || after.Larges != before.Larges || ks.Graves() != 0 {
			t.Errorf("%d slabs more, %d graves", after.Slabs-before.Slabs, ks.Graves())
		}
		if moved := target.Used(); moved < used*9/10 || source.Used() > used/10 {
			t.Errorf("%d bytes were in use; %d where it was, %d where it is", used, source.Used(), moved)
		}
		if c := v.Peek(to); (object.ZSetValue{Cell: &c}).Len() != n {
			t.Error("members are missing")
		}
	})
}

// keyOfShard is a key that lies in a shard.
func keyOfShard(ks *Keyspace, shard int) []byte {
	for i := 0; ; i++ {
		if key := fmt.Appendf(nil, "key of %d", i); ks.shardOf(ks.Hash(key)) == shard {
			return key
		}
	}
}

// TestDefragPart fragments a value that has a part of a heap, and has it mended.
func TestDefragPart(t *testing.T) {
	ks, v := newPartsKeyspace(t, 9)
	key := keyOfShard(ks, 0)
	alone(v, func() {
		p := v.Place(key)
		var d object.Draft
		d.Begin(p, p.NewHash())
		for i := range 20_000 {
			object.HashValue{Cell: &d.Cell}.Set(fmt.Append(nil, i), make([]byte, i%90), &object.HashLimits{})
		}
		v.Store(key, &d, 0)
		c := v.Edit(key)
		for i := range 20_000 {
			if i%8 != 0 {
				object.HashValue{Cell: &c}.Delete(fmt.Append(nil, i))
			}
		}
	})
	_, before := v.Fragmentation(0, 1)
	v.BeginDefrag()
	for more := true; more; {
		more, _ = v.Defrag(0, 1, 100)
	}
	if _, after := v.Fragmentation(0, 1); after > before/4 {
		t.Errorf("%d bytes were wasted, and are %d", before, after)
	}
}
