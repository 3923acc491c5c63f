package stream

import (
	"math/rand/v2"
	"slices"
	"testing"

	"dozo/arena"
)

// twinIndex is an index and a sorted slice that holds the same.
type twinIndex struct {
	t    *testing.T
	x    index
	keys []ID
}

func newTwinIndex(t *testing.T) *twinIndex {
	h := newHeap(t)
	return &twinIndex{t: t, x: index{space{h, h.Arena(), new(int64)}, new(indexRoot)}}
}

func valueOf(k ID) uint64 { return k.Ms*31 + k.Seq }

func (w *twinIndex) search(k ID) (int, bool) {
	return slices.BinarySearchFunc(w.keys, k, ID.Compare)
}

func (w *twinIndex) insert(k ID) {
	i, found := w.search(k)
	if w.x.insert(k, valueOf(k)) == found {
		w.t.Fatalf("insert %v: found is %v", k, found)
	}
	if !found {
		w.keys = slices.Insert(w.keys, i, k)
	}
}

func (w *twinIndex) remove(k ID) {
	i, found := w.search(k)
	v, ok := w.x.remove(k)
	if ok != found || ok && v != valueOf(k) {
		w.t.Fatalf("remove %v: %v, found is %v", k, ok, found)
	}
	if found {
		w.keys = slices.Delete(w.keys, i, i+1)
	}
}

func (w *twinIndex) same(what string, s spot, i int) {
	w.t.Helper()
	if i < 0 || i >= len(w.keys) {
		if s.ok() {
			w.t.Fatalf("%s: %v, want none", what, s.pair().key)
		}
		return
	}
	if !s.ok() || s.pair().key != w.keys[i] || s.pair().value != valueOf(w.keys[i]) {
		w.t.Fatalf("%s: not %v", what, w.keys[i])
	}
}

func (w *twinIndex) look(k ID) {
	i, found := w.search(k)
	w.same("ceil", w.x.ceil(k), i)
	floor := i - 1
	if found {
		floor = i
		w.same("find", w.x.find(k), i)
		w.same("after", w.x.after(w.x.find(k)), i+1)
		w.same("before", w.x.before(w.x.find(k)), i-1)
	} else if w.x.find(k).ok() {
		w.t.Fatalf("found %v", k)
	}
	w.same("floor", w.x.floor(k), floor)
	w.same("last", w.x.last(), len(w.keys)-1)
}

func (w *twinIndex) check() {
	w.t.Helper()
	c := census{}
	c.index(&w.x)
	c.count("index", *w.x.used)
	if c.err != nil {
		w.t.Fatal(c.err)
	}
	if int(w.x.root.count) != len(w.keys) || w.x.heap.Used() != *w.x.used {
		w.t.Fatalf("%d pairs, want %d; %d bytes of %d", w.x.root.count, len(w.keys), *w.x.used, w.x.heap.Used())
	}
}

func (w *twinIndex) empty() {
	for w.x.dropLeaf(func(v *pair) {
		if v.value != valueOf(v.key) {
			w.t.Fatalf("the value of %v is %d", v.key, v.value)
		}
	}) > 0 {
	}
	w.keys = nil
	w.check()
}

// TestIndexTwin mixes keys at the end with random ones, while the index grows and
// shrinks to nothing.
func TestIndexTwin(t *testing.T) {
	seeds(t, func(t *testing.T, r *rand.Rand) {
		w := newTwinIndex(t)
		end := ID{Ms: 1000}
		for round := range 12 {
			space, growing := uint64(50<<r.IntN(8)), round%2 == 0
			for range 2000 {
				k := ID{r.Uint64N(space) / 8, r.Uint64N(8)}
				if len(w.keys) > 0 && r.IntN(2) == 0 {
					k = w.keys[r.IntN(len(w.keys))]
				}
				switch {
				case r.IntN(20) == 0:
					w.look(k)
				case growing && r.IntN(2) == 0:
					end.Ms += r.Uint64N(3)
					end.Seq++
					w.insert(end)
				case growing:
					w.insert(ID{r.Uint64N(space) / 8, r.Uint64N(8)})
				case len(w.keys) > 0 && r.IntN(3) == 0:
					w.remove(w.keys[0])
				default:
					w.remove(k)
				}
			}
			w.check()
			if r.IntN(3) == 0 {
				w.empty()
			}
		}
		w.empty()
	})
}

// TestIndexDense: keys that come in order fill the pages, and a queue takes no more
// than what is in it.
func TestIndexDense(t *testing.T) {
	w := newTwinIndex(t)
	const n = 100_000
	for i := range n {
		w.insert(ID{uint64(i), 0})
	}
	w.check()
	if per := float64(*w.x.used) / n; per > 25.5 {
		t.Errorf("%.1f bytes a pair", per)
	}
	for i := range n - 100 {
		if _, ok := w.x.remove(ID{uint64(i), 0}); !ok {
			t.Fatal(i)
		}
	}
	w.keys = w.keys[n-100:]
	w.check()
	if *w.x.used > 6<<10 {
		t.Errorf("%d bytes for 100 pairs", *w.x.used)
	}
	w.empty()
}

// TestIndexSparse: an index that has lost most of its keys at random gives their
// memory back, and its pages may move.
func TestIndexSparse(t *testing.T) {
	w := newTwinIndex(t)
	r := rand.New(rand.NewPCG(1, 1))
	const n = 50_000
	for i := range n {
		w.insert(ID{uint64(i), 0})
	}
	kept := w.keys[:0:0]
	for _, k := range w.keys {
		if r.IntN(20) == 0 {
			kept = append(kept, k)
		} else {
			w.x.remove(k)
		}
	}
	w.keys = kept
	w.check()
	if per := float64(*w.x.used) / float64(len(kept)); per > 60 {
		t.Errorf("%.1f bytes a pair", per)
	}
	w.x.heap.MarkSparse()
	moved := 0
	for _, k := range w.keys {
		moved += w.x.moveSparse(k)
	}
	if moved == 0 {
		t.Error("no page was moved")
	}
	w.check()
	for _, k := range w.keys {
		w.look(k)
	}
	w.empty()
}

func TestIndexEnds(t *testing.T) {
	w := newTwinIndex(t)
	w.look(ID{})
	for _, k := range []ID{MaxID, {}, {0, 1}} {
		w.insert(k)
	}
	for _, k := range []ID{MaxID, {}, {0, 1}, {5, 5}} {
		w.look(k)
	}
	w.insert(MaxID)
	w.empty()
	if w.x.heap.UsedBy(arena.PurposeStream) != 0 {
		t.Error("memory left")
	}
}
