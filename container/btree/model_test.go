package btree

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dozo/arena"
)

// item is what the tree should hold, spelled out.
type item struct {
	score  float64
	member string
	ref    arena.Ref
}

func compare(a, b item) int {
	return cmp.Or(cmp.Compare(a.score+0, b.score+0), strings.Compare(a.member, b.member))
}

// twin is a tree beside a sorted slice that must hold the same.
type twin struct {
	*box
	r     *rand.Rand
	data  data
	tree  Tree
	items []item
	in    map[string]bool
	moved map[string]bool // members whose score has changed, or that came later
	next  int
}

// data is where scores and members come from; n counts up.
type data struct {
	score  func(r *rand.Rand, n int) float64
	member func(r *rand.Rand, n int) string
}

var (
	plain    = func(_ *rand.Rand, n int) string { return fmt.Sprintf("m%d", n) }
	anyOrder = func(r *rand.Rand, _ int) string { return fmt.Sprintf("%x", r.Uint64()) }
	uniform  = func(r *rand.Rand, _ int) float64 { return r.NormFloat64() * 1e6 }
	equal    = func(*rand.Rand, int) float64 { return 7 }
)

// kindsOfData are orders that a tree may find hard.
var kindsOfData = map[string]data{
	"random":     {uniform, plain},
	"ascending":  {func(_ *rand.Rand, n int) float64 { return float64(n) }, plain},
	"descending": {func(_ *rand.Rand, n int) float64 { return -float64(n) }, plain},
	"equal":      {equal, anyOrder},
	"equalRun":   {equal, func(_ *rand.Rand, n int) string { return fmt.Sprintf("%09d", n) }},
	"few":        {func(r *rand.Rand, _ int) float64 { return float64(r.IntN(5)) }, anyOrder},
	"prefixes": {
		func(r *rand.Rand, _ int) float64 { return float64(r.IntN(2)) },
		func(r *rand.Rand, _ int) string { return strings.Repeat("a", r.IntN(400)) + anyOrder(r, 0) },
	},
	"extremes": {
		func(r *rand.Rand, _ int) float64 {
			return []float64{math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), math.MaxFloat64, math.SmallestNonzeroFloat64}[r.IntN(6)]
		}, anyOrder,
	},
	"twoEnds":   {func(r *rand.Rand, n int) float64 { return float64(n * (1 - 2*r.IntN(2))) }, plain},
	"middle":    {func(_ *rand.Rand, n int) float64 { return 1 / float64(n+1) * float64(1-2*(n&1)) }, plain},
	"nearlyNow": {func(r *rand.Rand, n int) float64 { return float64(n + r.IntN(100)) }, plain},
}

func eachData(t *testing.T, run func(t *testing.T, w *twin)) {
	for name, d := range kindsOfData {
		t.Run(name, func(t *testing.T) {
			seeds(t, func(t *testing.T, r *rand.Rand) { run(t, newTwin(t, r, d)) })
		})
	}
}

func newTwin(t testing.TB, r *rand.Rand, d data) *twin {
	b := newBox(t)
	return &twin{box: b, r: r, data: d, tree: New(b.h), in: map[string]bool{}, moved: map[string]bool{}}
}

// fresh is an item that is not in the tree yet; it has no entry.
func (w *twin) fresh() item {
	for {
		w.next++
		m := w.data.member(w.r, w.next)
		if !w.in[m] {
			return item{score: w.data.score(w.r, w.next), member: m}
		}
	}
}

// slot is where an item is, or would be.
func (w *twin) slot(x item) (int, bool) { return slices.BinarySearchFunc(w.items, x, compare) }

func (w *twin) insert() {
	x := w.fresh()
	x.ref = w.entry(x.member)
	w.tree.Insert(x.score, x.ref)
	w.add(x)
}

func (w *twin) add(x item) {
	i, _ := w.slot(x)
	w.items = slices.Insert(w.items, i, x)
	w.in[x.member] = true
	w.moved[x.member] = true
}

func (w *twin) any() int { return w.r.IntN(len(w.items)) }

func (w *twin) remove(i int) {
	x := w.items[i]
	ref, ok := w.tree.Delete(x.score, []byte(x.member))
	if !ok || ref != x.ref {
		w.tb.Fatalf("Delete(%v, %q) = %#x, %v, want %#x", x.score, x.member, ref, ok, x.ref)
	}
	w.forget(i, i+1)
}

// forget drops the entries of items that the tree has no more.
func (w *twin) forget(from, to int) {
	for _, x := range w.items[from:to] {
		w.drop(x.ref)
		delete(w.in, x.member)
	}
	w.items = slices.Delete(w.items, from, to)
}

// absent asks for an item that is not there.
func (w *twin) absent() {
	x := w.fresh()
	m := []byte(x.member)
	_, deleted := w.tree.Delete(x.score, m)
	_, ranked := w.tree.Rank(x.score, m)
	if deleted || ranked || w.tree.Update(x.score, m, 1) || w.tree.Replace(x.score, m, 8) {
		w.tb.Fatalf("found %q with score %v, which is not there", x.member, x.score)
	}
	if len(w.items) > 0 {
		x = w.items[w.any()]
		other := math.Nextafter(x.score, 0)
		if other == x.score {
			return
		}
		if _, ok := w.tree.Delete(other, []byte(x.member)); ok {
			w.tb.Fatalf("deleted %q with another score", x.member)
		}
	}
}

func (w *twin) update(i int) {
	x := w.items[i]
	to := w.data.score(w.r, w.next)
	if w.r.IntN(2) == 0 {
		to = x.score + float64(w.r.IntN(5)-2)
	}
	if !w.tree.Update(x.score, []byte(x.member), to) {
		w.tb.Fatalf("Update(%v, %q) found nothing", x.score, x.member)
	}
	w.items = slices.Delete(w.items, i, i+1)
	x.score = to
	w.add(x)
}

// move gives the entry of an item another block.
func (w *twin) move(i int) {
	x := &w.items[i]
	old := x.ref
	x.ref = w.entry(x.member)
	if !w.tree.Replace(x.score, []byte(x.member), x.ref) {
		w.tb.Fatalf("Replace(%v, %q) found nothing", x.score, x.member)
	}
	w.drop(old)
}

func (w *twin) rank(i int) {
	x := w.items[i]
	if got, ok := w.tree.Rank(x.score, []byte(x.member)); !ok || got != i {
		w.tb.Fatalf("Rank(%v, %q) = %d, %v, want %d", x.score, x.member, got, ok, i)
	}
	w.same(w.tree.At(i), i)
}

// same demands that a cursor is at rank i, or at none when there is no such.
func (w *twin) same(c Cursor, i int) {
	w.tb.Helper()
	if i < 0 || i >= len(w.items) {
		if c.Ok() {
			w.tb.Fatalf("an item at rank %d of %d: %q", i, len(w.items), c.Member())
		}
		return
	}
	x := w.items[i]
	if !c.Ok() {
		w.tb.Fatalf("no item at rank %d of %d", i, len(w.items))
	}
	if c.Rank() != i || math.Float64bits(c.Score()) != math.Float64bits(x.score) || c.Ref() != x.ref || string(c.Member()) != x.member {
		w.tb.Fatalf("the item of rank %d is %q with score %v, of rank %d; want %q, %v", i, c.Member(), c.Score(), c.Rank(), x.member, x.score)
	}
}

// walk goes some steps from a rank, to and fro.
func (w *twin) walk(i int) {
	c := w.tree.At(i)
	way := 1 - 2*w.r.IntN(2)
	for range w.r.IntN(200) {
		w.same(c, i)
		if !c.Ok() {
			return
		}
		if w.r.IntN(20) == 0 {
			way = -way
		}
		if i += way; way > 0 {
			c.Next()
		} else {
			c.Prev()
		}
	}
}

// seek looks for bounds of all kinds, near an item or at one that is not there.
func (w *twin) seek() {
	x := w.fresh()
	if len(w.items) > 0 && w.r.IntN(3) > 0 {
		x = w.items[w.any()]
		if w.r.IntN(4) == 0 {
			x.member += "\x00"
		}
	}
	m := []byte(x.member)
	low, high := item{score: x.score}, item{score: math.Nextafter(x.score, math.Inf(1))}
	w.bound(FromScore(x.score), low)
	if !math.IsInf(x.score, 1) {
		w.bound(AfterScore(x.score), high)
	} else {
		w.boundAt(AfterScore(x.score), len(w.items))
	}
	w.bound(FromItem(x.score, m), x)
	after := item{score: x.score, member: x.member + "\x00"}
	w.bound(AfterItem(x.score, m), after)
	if len(w.items) > 0 && w.items[0].score == w.items[len(w.items)-1].score {
		x.score, after.score = w.items[0].score, w.items[0].score
		w.bound(FromMember(m), x)
		w.bound(AfterMember(m), after)
	}
}

// bound demands that b is where x is, or would be.
func (w *twin) bound(b Bound, x item) {
	w.tb.Helper()
	i, _ := w.slot(x)
	w.boundAt(b, i)
}

func (w *twin) boundAt(b Bound, i int) {
	w.tb.Helper()
	if got := w.tree.CountBelow(b); got != i {
		w.tb.Fatalf("%d items below %+v, want %d", got, b, i)
	}
	w.same(w.tree.Seek(b), i)
	c := w.tree.Seek(b)
	if !c.Ok() {
		c = w.tree.Last()
	} else {
		c.Prev()
	}
	w.same(c, i-1)
}

// removeRange deletes a range, which may be a long one.
func (w *twin) removeRange() {
	n := len(w.items)
	from := w.r.IntN(n + 1)
	to := min(n, from+w.r.IntN(1+[]int{3, 100, n}[w.r.IntN(3)]))
	i := from
	w.tree.DeleteRange(from, to, func(score float64, ref arena.Ref) {
		if x := w.items[i]; x.ref != ref || x.score != score {
			w.tb.Fatalf("DeleteRange(%d, %d) visits %#x with score %v at rank %d, want %#x, %v", from, to, ref, score, i, x.ref, x.score)
		}
		i++
	})
	if i != to {
		w.tb.Fatalf("DeleteRange(%d, %d) ends at %d", from, to, i)
	}
	w.forget(from, to)
}

func (w *twin) step(grow bool) {
	p := w.r.IntN(1000)
	switch {
	case len(w.items) == 0 || p < 300 || grow && p < 550:
		w.insert()
	case p < 680:
		w.remove(w.any())
	case p < 800:
		w.update(w.any())
	case p < 850:
		w.move(w.any())
	case p < 900:
		w.rank(w.any())
	case p < 920:
		w.walk(w.any())
	case p < 970:
		w.seek()
	case p < 990:
		w.absent()
	case p < 993 || !grow && p < 997:
		w.removeRange()
	default:
		w.tree.MoveNodes(w.r.IntN(len(w.items)), 5, func(arena.Ref, int) bool { return true })
		w.tree = Attach(w.h, w.tree.Root())
	}
}

// agree compares the tree with the twin as a whole.
func (w *twin) agree() {
	w.tb.Helper()
	check(w.tb, &w.tree)
	if w.tree.Len() != len(w.items) {
		w.tb.Fatalf("Len is %d, want %d", w.tree.Len(), len(w.items))
	}
	if u := w.h.UsedBy(arena.PurposeBTree); u != w.tree.Bytes() {
		w.tb.Fatalf("Bytes is %d, the heap counts %d", w.tree.Bytes(), u)
	}
	c, d := w.tree.First(), w.tree.Last()
	for i := range w.items {
		w.same(c, i)
		c.Next()
		w.same(d, len(w.items)-1-i)
		d.Prev()
	}
	if c.Ok() || d.Ok() {
		w.tb.Fatal("a cursor goes on beyond the last item")
	}
}

func (w *twin) end() {
	w.freeAll(&w.tree)
	if err := w.h.Audit(); err != nil {
		w.tb.Error(err)
	}
}

// story grows a tree and lets it shrink again, with all operations mixed.
func (w *twin) story(steps, every int) {
	for i := range steps {
		w.step(i%(steps/2) < steps/3)
		if i%every == 0 {
			w.agree()
		}
	}
	w.agree()
	w.end()
}

func TestModel(t *testing.T) {
	eachData(t, func(t *testing.T, w *twin) {
		if testing.Short() {
			w.story(8_000, 499)
		} else {
			w.story(30_000, 499)
		}
	})
}

// narrow gives nodes few slots, so that small trees are deep ones.
func narrow(t testing.TB) {
	old := kinds
	kinds[0] = makeKind(leafSize, 8, old[0].columns...)
	kinds[1] = makeKind(innerSize, 7, old[1].columns...)
	t.Cleanup(func() { kinds = old })
}

func TestModelNarrow(t *testing.T) {
	narrow(t)
	eachData(t, func(t *testing.T, w *twin) {
		if testing.Short() {
			w.story(3_000, 99)
		} else {
			w.story(8_000, 99)
		}
	})
}

// TestGrowShrink inserts only, then deletes only, from both ends or at random.
func TestGrowShrink(t *testing.T) {
	narrow(t)
	eachData(t, func(t *testing.T, w *twin) {
		for i := range 3000 {
			w.insert()
			if i%50 == 0 {
				check(t, &w.tree)
			}
		}
		w.agree()
		how := w.r.IntN(3)
		for len(w.items) > 0 {
			w.remove([]int{0, len(w.items) - 1, w.any()}[how])
			if len(w.items)%50 == 0 {
				check(t, &w.tree)
			}
		}
		w.empty(&w.tree)
	})
}

// journey is a walk in steps: between two of them it knows no more than the item
// that it has come to.
type journey struct {
	begun  bool
	score  float64
	member []byte
	owed   map[string]float64 // there since the start with this score, not met yet
}

// on walks n items further, and returns false at the end.
func (j *journey) on(w *twin, n int) bool {
	c := w.tree.First()
	if j.begun {
		c = w.tree.Seek(AfterItem(j.score, j.member))
	}
	for ; n > 0 && c.Ok(); n-- {
		m := string(c.Member())
		if j.begun && (c.Score() < j.score || c.Score() == j.score && m <= string(j.member)) {
			w.tb.Fatalf("met %q with score %v after %q with score %v", m, c.Score(), j.member, j.score)
		}
		delete(j.owed, m)
		j.begun, j.score, j.member = true, c.Score(), []byte(m)
		c.Next()
	}
	return c.Ok()
}

// TestWalkWhileChanging walks in steps with changes between: what stays where it
// was is met, once.
func TestWalkWhileChanging(t *testing.T) {
	eachData(t, func(t *testing.T, w *twin) {
		for range 2000 {
			w.insert()
		}
		j := journey{owed: map[string]float64{}}
		for _, x := range w.items {
			j.owed[x.member] = x.score
		}
		clear(w.moved)
		for n := 0; j.on(w, w.r.IntN(60)) && n < 10_000; n++ {
			for range 10 {
				w.step(false)
			}
		}
		for _, x := range w.items {
			if s, ok := j.owed[x.member]; ok && s == x.score && !w.moved[x.member] {
				t.Errorf("%q with score %v was there throughout, and was not met", x.member, x.score)
			}
		}
		w.end()
	})
}
