package object

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"dozo/container/listpack"
	"dozo/internal/invariants"
)

// twinField is what the dumb twin of a dated hash knows of a field.
type twinField struct {
	value    string
	deadline int64
}

// datedTwin is a hash beside its twin, with a clock.
type datedTwin struct {
	t      *testing.T
	r      *rand.Rand
	s      *shelf
	l      HashLimits
	fields map[string]twinField
	now    int64
	few    int
}

func (m *datedTwin) hash() HashValue { return HashValue{&m.s.d.Cell, m.now} }

// get is a field that is not due.
func (m *datedTwin) get(f []byte) (twinField, bool) {
	x, ok := m.fields[string(f)]
	if ok && x.deadline != 0 && x.deadline <= m.now {
		return twinField{}, false
	}
	return x, ok
}

// alive is the twin without the fields that are due.
func (m *datedTwin) alive() map[string]twinField {
	all := map[string]twinField{}
	for f, x := range m.fields {
		if _, ok := m.get([]byte(f)); ok {
			all[f] = x
		}
	}
	return all
}

func (m *datedTwin) earliest() (first int64) {
	for _, x := range m.fields {
		if x.deadline != 0 && (first == 0 || x.deadline < first) {
			first = x.deadline
		}
	}
	return first
}

func (m *datedTwin) value() []byte {
	if m.r.IntN(30) == 0 {
		return []byte(strings.Repeat("long", m.r.IntN(1000)))
	}
	return element(m.r, 1<<20)
}

// step does one thing to a hash and to its twin.
func (m *datedTwin) step() {
	h, f := m.hash(), element(m.r, m.few)
	before, had := m.get(f)
	switch m.r.IntN(10) {
	case 0, 1, 2:
		v := m.value()
		if h.Set(f, v, &m.l) == had {
			m.t.Fatalf("Set(%q) says that it was there: %t", f, !had)
		}
		m.fields[string(f)] = twinField{string(v), 0}
	case 3:
		v := m.value()
		if h.Revalue(f, v, &m.l) == had {
			m.t.Fatalf("Revalue(%q) says that it was there: %t", f, !had)
		}
		m.fields[string(f)] = twinField{string(v), before.deadline}
	case 4, 5, 6:
		if had {
			before.deadline = m.deadline()
			h.SetFieldDeadline(f, before.deadline)
			m.fields[string(f)] = before
		}
	case 7:
		if h.Delete(f) != had {
			m.t.Fatalf("Delete(%q) = %t", f, !had)
		}
		if had {
			delete(m.fields, string(f))
		}
	case 8:
		m.now += int64(m.r.IntN(3))
	default:
		m.drop(h, f)
	}
	m.compare(f)
}

func (m *datedTwin) deadline() int64 {
	if m.r.IntN(4) == 0 {
		return 0
	}
	return m.now + 1 + int64(m.r.IntN(1+m.r.IntN(400)))
}

// drop takes some of the fields out that are due, or the one of a name.
func (m *datedTwin) drop(h HashValue, f []byte) {
	if m.r.IntN(2) == 0 {
		x, ok := m.fields[string(f)]
		_, alive := m.get(f)
		if h.DropField(f) != (ok && !alive) {
			m.t.Fatalf("DropField(%q) with deadline %d at %d", f, x.deadline, m.now)
		}
		if !alive {
			delete(m.fields, string(f))
		}
		return
	}
	due, limit, last := h.Due(), m.r.IntN(100), int64(0)
	n := h.DropDue(limit, func(f []byte) {
		x, ok := m.fields[string(f)]
		if _, alive := m.get(f); !ok || alive || x.deadline < last {
			m.t.Fatalf("%q with deadline %d was dropped at %d, after one of %d", f, x.deadline, m.now, last)
		}
		last = x.deadline
		delete(m.fields, string(f))
	})
	if n != min(due, limit, dropMax) {
		m.t.Fatalf("%d fields dropped of %d, at most %d", n, due, limit)
	}
}

// compare looks at one field, and at the counts.
func (m *datedTwin) compare(f []byte) {
	h := m.hash()
	want, had := m.get(f)
	v, ok := h.Get(f)
	deadline, there := h.FieldDeadline(f)
	if ok != had || there != had || deadline != want.deadline || ok && string(v.Append(nil)) != want.value {
		m.t.Fatalf("%s: %q is there: %t and %t, due at %d, want %t and %d", h.Encoding(), f, ok, there, deadline, had, want.deadline)
	}
	if m.few > 100 && m.r.IntN(100) > 0 {
		return
	}
	alive := len(m.alive())
	if h.Len() != alive || h.Due() != len(m.fields)-alive || h.Size() != len(m.fields) || h.Earliest() != m.earliest() {
		m.t.Fatalf("%s: %d fields, %d due, the first at %d; want %d, %d and %d at %d",
			h.Encoding(), h.Size(), h.Due(), h.Earliest(), len(m.fields), len(m.fields)-alive, m.earliest(), m.now)
	}
	if AllDue(h.Cell, m.now) != (alive == 0 && len(m.fields) > 0) {
		m.t.Fatalf("AllDue with %d fields of %d alive", alive, len(m.fields))
	}
}

// check looks at everything, in a hash and in a copy of it.
func (m *datedTwin) check(c *Cell) {
	h, want := HashValue{c, m.now}, m.alive()
	got, scanned := map[string]twinField{}, map[string]twinField{}
	h.EachDated(func(f, v listpack.Value, deadline int64) bool {
		got[string(f.Append(nil))] = twinField{string(v.Append(nil)), deadline}
		return true
	})
	first := int64(0)
	for _, x := range want {
		if x.deadline != 0 && (first == 0 || x.deadline < first) {
			first = x.deadline
		}
	}
	if h.Upcoming() != first {
		m.t.Fatalf("%s: the next is due at %d, want %d", h.Encoding(), h.Upcoming(), first)
	}
	n := 0
	h.Each(func(f, v listpack.Value) bool { n++; return true })
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		cursor = h.Scan(cursor, 10, func(f, v listpack.Value) {
			name := string(f.Append(nil))
			scanned[name] = twinField{string(v.Append(nil)), want[name].deadline}
		})
	}
	if !maps.Equal(got, want) || !maps.Equal(scanned, want) || n != len(want) {
		m.t.Fatalf("%s: %d fields, %d scanned, want %d", h.Encoding(), len(got), len(scanned), len(want))
	}
	if len(want) > 0 {
		f, v := h.Random(m.r.Uint64())
		if x, ok := want[string(f.Append(nil))]; !ok || x.value != string(v.Append(nil)) {
			m.t.Fatalf("%s: the random field %q is none", h.Encoding(), f.Append(nil))
		}
	}
	if h.Encoding() == EncHashtableEx {
		order := h.order()
		if err := order.Check(); err != nil {
			m.t.Fatal(err)
		}
	}
}

// TestDatedTwin does random things to hashes with deadlines and to their twins.
func TestDatedTwin(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for _, few := range []int{10, 100, 3000} {
			m := &datedTwin{t: t, r: r, s: newShelf(t), few: few, now: 1_700_000_000_000, fields: map[string]twinField{}}
			m.l = HashLimits{Listpack: r.IntN(60), Value: 1 + r.IntN(100)}
			m.s.d.Begin(m.s.place(), m.s.place().NewHash())
			for i := range 4 * few {
				m.s.shake(r)
				m.step()
				if i%(few/2) == 0 {
					m.s.checkUse()
					m.check(&m.s.d.Cell)
				}
			}
			p := m.s.place()
			var copied, moved Draft
			copied.Begin(p, Copy(&m.s.d.Cell, m.s.heap, p.Key, 0))
			m.check(&copied.Cell)
			moved.Begin(p, Move(&copied.Cell, m.s.heap, p.Key, 0))
			m.check(&moved.Cell)
			for _, d := range []*Draft{&copied, &moved} {
				g := d.Discard()
				for g.Len() > 0 {
					g.FreeSome(m.s.heap, 1+r.IntN(300))
				}
			}
			m.s.checkUse()
		}
	})
}

// TestDigestOfDated: a deadline counts, whichever it is, and so does the encoding not.
func TestDigestOfDated(t *testing.T) {
	sum := func(l HashLimits, deadline, now int64) (d Digest) {
		s := newShelf(t)
		s.d.Begin(s.place(), s.place().NewHash())
		h := HashValue{Cell: &s.d.Cell}
		for i := range 10 {
			h.Set(fmt.Append(nil, i), []byte("v"), &l)
		}
		h.SetFieldDeadline([]byte("3"), deadline)
		s.d.Digest(&d, now)
		return d
	}
	small, large := HashLimits{Listpack: 100, Value: 100}, HashLimits{}
	dated := sum(small, 1000, 0)
	switch {
	case dated == sum(small, 0, 0):
		t.Error("the deadline does not count")
	case dated != sum(large, 1000, 0) || dated != sum(small, 2000, 1999):
		t.Error("the same fields have another digest")
	case dated == sum(small, 1000, 1000) || sum(small, 1000, 1000) != sum(large, 7, 8):
		t.Error("a field that is due counts")
	}
}

// TestLargeDatedLeavesAGrave: its order goes in steps too.
func TestLargeDatedLeavesAGrave(t *testing.T) {
	s := newShelf(t)
	s.d.Begin(s.place(), s.place().NewHash())
	h := HashValue{Cell: &s.d.Cell}
	for i := range 5000 {
		f := fmt.Append(nil, i)
		h.Set(f, []byte("v"), &HashLimits{})
		h.SetFieldDeadline(f, 1000)
	}
	g := s.d.Discard()
	for n := g.Len(); n > 0; n = g.Len() {
		if g.FreeSome(s.heap, 10); n-g.Len() > 1000 {
			t.Fatalf("%d at once", n-g.Len())
		}
	}
	g.FreeSome(s.heap, math.MaxInt)
}

// TestDatedNoAllocation: what commands do all the time takes no memory of Go's.
func TestDatedNoAllocation(t *testing.T) {
	if invariants.Enabled {
		t.Skip("the checks allocate")
	}
	for _, c := range []struct {
		n int
		l HashLimits
	}{{10, HashLimits{Listpack: 100, Value: 100}}, {10, HashLimits{}}, {1000, HashLimits{}}} {
		s := newShelf(t)
		s.d.Begin(s.place(), s.place().NewHash())
		h := HashValue{Cell: &s.d.Cell}
		var names [1000][]byte
		for i := range c.n {
			names[i] = fmt.Append(nil, "field:", i)
			h.Set(names[i], []byte("value"), &c.l)
			h.SetFieldDeadline(names[i], int64(1000+i))
		}
		h.Now = 500
		i := 0
		n := testing.AllocsPerRun(2000, func() {
			f := names[i%c.n]
			i++
			h.SetFieldDeadline(f, int64(2000+i))
			h.Set(f, []byte("other"), &c.l)
			h.SetFieldDeadline(f, int64(3000+i))
			h.Revalue(f, []byte("third"), &c.l)
			if v, ok := h.Get(f); !ok || v.Len() != 5 || h.Len() != c.n {
				t.Fatal("lost")
			}
			h.Delete(f)
			h.Set(f, []byte("value"), &c.l)
			h.SetFieldDeadline(f, int64(4000+i))
		})
		if n != 0 {
			t.Errorf("%d fields, %s: %v allocations", c.n, h.Encoding(), n)
		}
	}
}

// TestRandomAmongDue: the few fields that are not due are all found among many that are.
func TestRandomAmongDue(t *testing.T) {
	s := newShelf(t)
	s.d.Begin(s.place(), s.place().NewHash())
	h := HashValue{&s.d.Cell, 0}
	const fields, shown, draws = 20_000, 10, 500
	for i := range fields {
		f := fmt.Append(nil, "field", i)
		h.Set(f, nil, &HashLimits{})
		if i >= shown {
			h.SetFieldDeadline(f, 1000)
		}
	}
	h.Now = 1000
	seen := map[string]int{}
	for i := range draws {
		f, _ := h.Random(uint64(i) * 0x9e3779b97f4a7c15)
		seen[string(f.Str)]++
	}
	for f, n := range seen {
		if n > draws*3/4 {
			t.Errorf("%s was drawn %d times of %d", f, n, draws)
		}
	}
	if len(seen) < shown-2 {
		t.Errorf("%d of %d fields were drawn", len(seen), shown)
	}
}

// TestRandomAmongDueLater: of fields that will be due later each is as likely as the
// others, also among many that are due.
func TestRandomAmongDueLater(t *testing.T) {
	s := newShelf(t)
	s.d.Begin(s.place(), s.place().NewHash())
	h := HashValue{&s.d.Cell, 0}
	const fields, shown, draws = 5000, 10, 2000
	for i := range fields {
		f := fmt.Append(nil, "field", i)
		h.Set(f, nil, &HashLimits{})
		h.SetFieldDeadline(f, 1000)
		if i < shown {
			h.SetFieldDeadline(f, 2000)
		}
	}
	h.Now = 1000
	seen := map[string]int{}
	r := rand.New(rand.NewPCG(1, 1))
	for range draws {
		f, _ := h.Random(r.Uint64())
		seen[string(f.Str)]++
	}
	for f, n := range seen {
		if n < draws/shown/2 || n > draws/shown*2 {
			t.Errorf("%s was drawn %d times of %d", f, n, draws)
		}
	}
	if len(seen) != shown {
		t.Errorf("%d of %d fields were drawn", len(seen), shown)
	}
}
