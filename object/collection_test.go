package object

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dozo/arena"
	"dozo/container/listpack"
)

// testHash spreads well enough for tables of some thousand names.
func testHash(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return (h ^ h>>29) * 0x9e3779b97f4a7c15
}

// shelf is a heap with one draft in it.
type shelf struct {
	t     *testing.T
	a     *arena.Arena
	heap  *arena.Heap
	other *arena.Heap
	kit   Kit
	d     Draft

	ballast ballast
	mark    DefragMark
	moves   Moves
}

func newShelf(t *testing.T) *shelf {
	a, err := arena.New(arena.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{t: t, a: a, heap: a.NewHeap(), other: a.NewHeap(), kit: Kit{Hash: testHash, PartDivisor: partDivisor}}
	t.Cleanup(func() {
		if s.d.Ok() {
			s.drop()
		}
		if n := s.heap.Used(); n != 0 {
			t.Errorf("%d bytes still in use", n)
		}
		s.heap.Close()
		s.other.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *shelf) place() Place {
	return Place{Heap: s.heap, Kit: &s.kit, Key: []byte("key"), Attrs: Attrs{Age: 7}}
}

// drop frees the draft as the keyspace does: what is large in steps.
func (s *shelf) drop() {
	g := s.d.Discard()
	for left := g.Len(); left > 0; left = g.Len() {
		if g.FreeSome(s.heap, 100); g.Len() >= left {
			s.t.Fatalf("%d elements are left of %d", g.Len(), left)
		}
	}
}

// checkUse compares the memory that is in use with what MemoryUsage says.
func (s *shelf) checkUse() {
	s.t.Helper()
	s.ballast.clear(s.heap)
	if n := s.heap.Used(); int64(s.d.MemoryUsage(0)) != n {
		s.t.Fatalf("%s: %d bytes in use, MemoryUsage says %d", s.d.Encoding(), n, s.d.MemoryUsage(0))
	}
	if s.d.Entry.Age() != 7 {
		s.t.Fatal("the age is lost")
	}
}

// partDivisor is that of new shelves.
var partDivisor int

// eachSeed runs a test for some seeds, or for that of -seed.
func eachSeed(t *testing.T, run func(t *testing.T, r *rand.Rand)) {
	list := []uint64{1, 2, 3, 4, 5, 6}
	if *seedFlag != 0 {
		list = []uint64{*seedFlag}
	}
	for _, seed := range list {
		partDivisor = []int{0, 128}[seed%2]
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { run(t, rand.New(rand.NewPCG(seed, 9))) })
		partDivisor = 0
	}
}

// element is a member or field: integers of all widths, short strings, long ones.
func element(r *rand.Rand, few int) []byte {
	switch r.IntN(8) {
	case 0:
		return []byte(strings.Repeat("x", r.IntN(200)))
	case 1:
		return strconv.AppendInt(nil, r.Int64()>>r.IntN(64), 10)
	case 2:
		return fmt.Appendf(nil, "member:%d", r.IntN(few))
	}
	return strconv.AppendInt(nil, int64(r.IntN(few)), 10)
}

func TestSetTwin(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for _, few := range []int{10, 100, 3000} {
			s := newShelf(t)
			l := SetLimits{Intset: r.IntN(30), Listpack: r.IntN(30), Value: 1 + r.IntN(64)}
			s.d.Begin(s.place(), s.place().NewSet(element(r, few), r.IntN(40), &l))
			set, twin := SetValue{&s.d.Cell}, map[string]bool{}
			for range 3 * few {
				s.shake(r)
				m := element(r, few)
				switch {
				case r.IntN(3) > 0:
					if added := set.Add(m, &l); added == twin[string(m)] {
						t.Fatalf("Add(%q) = %t", m, added)
					}
					twin[string(m)] = true
				case set.Remove(m) != twin[string(m)]:
					t.Fatalf("Remove(%q)", m)
				default:
					delete(twin, string(m))
				}
				if set.Has(m) != twin[string(m)] || set.Len() != len(twin) {
					t.Fatalf("Has(%q) = %t of %d members, want %d", m, set.Has(m), set.Len(), len(twin))
				}
			}
			checkSet(s, set, twin, r)
		}
	})
}

// checkSet compares a set with its twin in every way of reading it, and so a copy.
func checkSet(s *shelf, set SetValue, twin map[string]bool, r *rand.Rand) {
	s.t.Helper()
	s.checkUse()
	want := slices.Sorted(maps.Keys(twin))
	if got := membersOf(set); !slices.Equal(got, want) {
		s.t.Fatalf("%s: members %q, want %q", set.Encoding(), got, want)
	}
	var scanned []string
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		cursor = set.Scan(cursor, 10, func(v listpack.Value) { scanned = append(scanned, string(v.Append(nil))) })
	}
	if slices.Sort(scanned); !slices.Equal(scanned, want) {
		s.t.Fatalf("%s: scanned %q, want %q", set.Encoding(), scanned, want)
	}
	if len(want) > 0 && !twin[string(set.Random(r.Uint64()).Append(nil))] {
		s.t.Fatal("a random member is none")
	}
	var copied Draft
	p := s.place()
	copied.Begin(p, Copy(&s.d.Cell, s.heap, p.Key, 0))
	if got := membersOf(SetValue{&copied.Cell}); !slices.Equal(got, want) {
		s.t.Fatalf("%s: the copy has %q, want %q", set.Encoding(), got, want)
	}
	g := copied.Discard()
	g.FreeSome(s.heap, 1<<30)
}

func membersOf(set SetValue) (all []string) {
	set.Each(func(v listpack.Value) bool {
		all = append(all, string(v.Append(nil)))
		return true
	})
	slices.Sort(all)
	return all
}

// TestSetShrinks: a table may become small again, and integers an intset.
func TestSetShrinks(t *testing.T) {
	s := newShelf(t)
	l := SetLimits{Intset: 10, Listpack: 10, Value: 64}
	s.d.Begin(s.place(), s.place().NewSet(nil, 0, &l))
	set := SetValue{&s.d.Cell}
	for i := range 1000 {
		set.Add(strconv.AppendInt(nil, int64(i), 10), &l)
	}
	for i := range 995 {
		set.Remove(strconv.AppendInt(nil, int64(i), 10))
	}
	if set.Encoding() != EncHashtable {
		t.Fatal(set.Encoding())
	}
	if set.Compact(&l); set.Encoding() != EncListpack || set.Len() != 5 || !set.Has([]byte("999")) {
		t.Fatal(set.Encoding(), set.Len())
	}
	s.checkUse()
	if set.Integers(&l); set.Encoding() != EncIntset || set.Len() != 5 || !set.Has([]byte("995")) {
		t.Fatal(set.Encoding(), set.Len())
	}
	s.checkUse()
}

func TestHashTwin(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for _, few := range []int{10, 100, 3000} {
			s := newShelf(t)
			l := HashLimits{Listpack: r.IntN(60), Value: 1 + r.IntN(100)}
			s.d.Begin(s.place(), s.place().NewHash())
			h, twin := HashValue{Cell: &s.d.Cell}, map[string]string{}
			for range 3 * few {
				s.shake(r)
				stepHash(t, r, h, twin, &l, few)
			}
			s.checkUse()
			got := map[string]string{}
			h.Each(func(f, v listpack.Value) bool {
				got[string(f.Append(nil))] = string(v.Append(nil))
				return true
			})
			scanned := map[string]string{}
			for cursor, first := uint64(0), true; first || cursor != 0; first = false {
				cursor = h.Scan(cursor, 10, func(f, v listpack.Value) { scanned[string(f.Append(nil))] = string(v.Append(nil)) })
			}
			if !maps.Equal(got, twin) || !maps.Equal(scanned, twin) {
				t.Fatalf("%s: %d fields, %d scanned, want %d", h.Encoding(), len(got), len(scanned), len(twin))
			}
		}
	})
}

// stepHash does one thing to a hash and its twin.
func stepHash(t *testing.T, r *rand.Rand, h HashValue, twin map[string]string, l *HashLimits, few int) {
	t.Helper()
	f := element(r, few)
	before, had := twin[string(f)]
	switch r.IntN(4) {
	case 0:
		if h.Delete(f) != had {
			t.Fatalf("Delete(%q)", f)
		}
		delete(twin, string(f))
	case 1:
		if v, ok := h.Get(f); ok != had || ok && string(v.Append(nil)) != before {
			t.Fatalf("Get(%q) = %t, want %t", f, ok, had)
		}
	default:
		v := element(r, 1<<20)
		if r.IntN(20) == 0 {
			v = []byte(strings.Repeat("long", r.IntN(2000)))
		}
		if h.Set(f, v, l) == had {
			t.Fatalf("Set(%q)", f)
		}
		twin[string(f)] = string(v)
	}
	if h.Len() != len(twin) {
		t.Fatalf("%d fields, want %d", h.Len(), len(twin))
	}
}

// TestLargeLeavesAGrave: no more than freeAtOnce elements go with their key.
func TestLargeLeavesAGrave(t *testing.T) {
	s := newShelf(t)
	for _, n := range []int{10, freeAtOnce, 1000, 50_000} {
		s.d.Begin(s.place(), s.place().NewHash())
		h := HashValue{Cell: &s.d.Cell}
		for i := range n {
			h.Set(fmt.Append(nil, i), []byte("v"), &HashLimits{})
		}
		g := s.d.Discard()
		if want := n > freeAtOnce; g.Len() > 0 != want {
			t.Errorf("%d elements: %d in the grave", n, g.Len())
		}
		for g.Len() > 0 {
			g.FreeSome(s.heap, 1)
		}
		if s.heap.Used() != 0 {
			t.Fatalf("%d bytes left of %d elements", s.heap.Used(), n)
		}
	}
}
