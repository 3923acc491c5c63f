package btree

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"dozo/arena"
	"dozo/internal/invariants"
)

// filled is a twin with n items of ascending scores, appended.
func filled(t testing.TB, n int) *twin {
	w := newTwin(t, rand.New(rand.NewPCG(1, 1)), kindsOfData["ascending"])
	for range n {
		x := w.fresh()
		x.ref = w.entry(x.member)
		w.tree.Append(x.score, x.ref)
		w.add(x)
	}
	return w
}

func TestEmpty(t *testing.T) {
	b := newBox(t)
	tree := New(b.h)
	check(t, &tree)
	if _, ok := tree.Rank(0, nil); ok || tree.Update(0, nil, 1) {
		t.Error("an item in an empty tree")
	}
	for _, bound := range []Bound{FromScore(0), AfterScore(0), FromItem(0, nil), AfterItem(0, nil), FromMember(nil), AfterMember(nil)} {
		if c := tree.Seek(bound); c.Ok() || tree.CountBelow(bound) != 0 {
			t.Errorf("something in an empty tree at %+v", bound)
		}
	}
	for _, c := range []Cursor{tree.First(), tree.Last(), tree.At(0), tree.At(-1), tree.At(1)} {
		if c.Ok() {
			t.Error("an item in an empty tree")
		}
	}
	tree.DeleteRange(-5, 5, nil)
	if tree.FreeSome(10, nil) || tree.MoveNodes(0, 10, nil) != 0 {
		t.Error("an empty tree has more to free, or to move")
	}
	tree.Free()
	b.empty(&tree)
}

// TestBuild appends in order: all leaves but the last are full, and the tree is
// whole at each moment.
func TestBuild(t *testing.T) {
	for _, n := range []int{1, leafCap, leafCap + 1, 2 * leafCap, leafCap * innerCap, leafCap*innerCap + 1, 2 * leafCap * innerCap} {
		w := filled(t, n)
		w.agree()
		if got, want := int(w.tree.root.leaves), (n+leafCap-1)/leafCap; got != want {
			t.Errorf("%d items appended take %d leaves, want %d", n, got, want)
		}
		for range 500 {
			w.step(false)
		}
		w.agree()
		w.end()
	}
}

// TestRangeBorders deletes ranges that begin and end at, before and behind the
// borders of leaves, and beyond those of the tree.
func TestRangeBorders(t *testing.T) {
	const n = 4*leafCap + 7
	borders := []int{-3, 0, 1, leafCap - 1, leafCap, leafCap + 1, 2 * leafCap, 3*leafCap - 1, 3 * leafCap, n - 7, n - 1, n, n + 9}
	for _, from := range borders {
		for _, to := range borders {
			w := filled(t, n)
			w.tree.DeleteRange(from, to, nil)
			if lo, hi := max(from, 0), min(to, n); lo < hi {
				w.forget(lo, hi)
			}
			w.agree()
			w.end()
		}
	}
}

// TestFreeSome frees a tree in steps; after each it is whole.
func TestFreeSome(t *testing.T) {
	narrow(t)
	for _, step := range []int{1, 7, 8, 100, 10_000} {
		w := filled(t, 2000)
		for more := true; more; {
			left := max(0, len(w.items)-step)
			n := len(w.items) - left
			more = w.tree.FreeSome(step, func(float64, arena.Ref) { n-- })
			if n != 0 || more != (left > 0) {
				t.Fatalf("FreeSome(%d) missed %d items, and says %v with %d left", step, n, more, left)
			}
			w.forget(left, len(w.items))
			check(t, &w.tree)
		}
		w.empty(&w.tree)
	}
}

// TestFree frees the nodes only.
func TestFree(t *testing.T) {
	w := filled(t, 20_000)
	w.tree.Free()
	w.empty(&w.tree)
	w.forget(0, len(w.items))
}

// TestMoveNodes gives all nodes another block, and looks at each once.
func TestMoveNodes(t *testing.T) {
	narrow(t)
	for _, leaves := range []int{1, 3, 10_000} {
		w := filled(t, 3000)
		seen := map[arena.Ref]bool{}
		var held []arena.Ref
		for rank, begun := 0, false; !begun || rank != 0; begun = true {
			rank = w.tree.MoveNodes(rank, leaves, func(r arena.Ref, size int) bool {
				if seen[r] {
					t.Fatalf("node %#x met twice", r)
				}
				seen[r] = true
				// What is taken here is not where the node will be moved to.
				held = append(held, w.h.Alloc(arena.PurposeBTree, size))
				return len(seen)%3 > 0
			})
		}
		if len(seen) != int(w.tree.root.leaves+w.tree.root.inners) {
			t.Errorf("%d nodes met, of %d", len(seen), w.tree.root.leaves+w.tree.root.inners)
		}
		for _, r := range held {
			w.h.Free(arena.PurposeBTree, r, leafSize)
		}
		w.agree()
		w.end()
	}
}

// TestDefragment lets nodes lie thinly in their slabs and moves the sparse ones.
func TestDefragment(t *testing.T) {
	w := filled(t, 0)
	other := New(w.h)
	var refs []arena.Ref
	for i := range 40_000 {
		r := w.entry(fmt.Sprintf("%09d", i))
		refs = append(refs, r)
		if i%1000 < 800 { // the nodes of two trees, mixed
			other.Append(float64(i), r)
		} else {
			w.tree.Append(float64(i), r)
		}
	}
	other.Free()
	sparse, before := 0, w.a.Stats().Mapped
	pass := func() {
		sparse = 0
		w.h.MarkSparse()
		for rank, begun := 0, false; !begun || rank != 0; begun = true {
			rank = w.tree.MoveNodes(rank, 4, func(r arena.Ref, size int) bool {
				if w.h.Sparse(r, size) {
					sparse++
					return true
				}
				return false
			})
		}
	}
	pass()
	check(t, &w.tree)
	w.h.Trim()
	if after := w.a.Stats().Mapped; sparse == 0 || after >= before {
		t.Errorf("%d nodes moved, %d bytes mapped before and %d after", sparse, before, after)
	}
	if pass(); sparse > 16 {
		t.Errorf("%d nodes are still sparse after a pass", sparse)
	}
	w.tree.Free()
	for _, r := range refs {
		w.drop(r)
	}
}

// TestZeros: the two zeros are one score, and each comes back as it was.
func TestZeros(t *testing.T) {
	w := newTwin(t, rand.New(rand.NewPCG(1, 1)), data{})
	minus := math.Copysign(0, -1)
	for i := range 400 {
		x := item{score: []float64{0, minus}[i&1], member: fmt.Sprintf("%03d", i)}
		x.ref = w.entry(x.member)
		w.tree.Insert(x.score, x.ref)
		w.add(x)
	}
	w.agree()
	for _, zero := range []float64{0, minus} {
		w.boundAt(FromScore(zero), 0)
		w.boundAt(AfterScore(zero), 400)
		w.boundAt(FromItem(zero, []byte("123")), 123)
		w.boundAt(AfterMember([]byte("123")), 124)
	}
	w.end()
}

// TestKeys: numbers of 64 bits are in the order of the scores, and lead back.
func TestKeys(t *testing.T) {
	last := uint64(0)
	for i, s := range []float64{math.Inf(-1), -math.MaxFloat64, -1, -math.SmallestNonzeroFloat64, math.Copysign(0, -1), 0,
		math.SmallestNonzeroFloat64, 1, math.MaxFloat64, math.Inf(1)} {
		k := keyOf(s)
		if math.Float64bits(scoreOf(k)) != math.Float64bits(s) || i > 0 && k <= last {
			t.Errorf("%v is %#x, which is %v again; before it %#x", s, k, scoreOf(k), last)
		}
		last = k
	}
	if keyOf(0) != plusZero || keyOf(math.Copysign(0, -1)) != minusZero {
		t.Error("the keys of the zeros are wrong")
	}
}

// TestLexOrder seeks members among equal scores, with long common beginnings.
func TestLexOrder(t *testing.T) {
	w := newTwin(t, rand.New(rand.NewPCG(1, 1)), data{})
	long := strings.Repeat("x", 300)
	for i := range 1000 {
		x := item{score: 3, member: fmt.Sprintf("%s%04d", long, 2*i)}
		x.ref = w.entry(x.member)
		w.tree.Insert(x.score, x.ref)
		w.add(x)
	}
	for i := range 1000 {
		there, between := fmt.Appendf(nil, "%s%04d", long, 2*i), fmt.Appendf(nil, "%s%04d", long, 2*i+1)
		w.boundAt(FromMember(there), i)
		w.boundAt(AfterMember(there), i+1)
		w.boundAt(FromMember(between), i+1)
		w.boundAt(AfterMember(between), i+1)
	}
	w.boundAt(FromMember(nil), 0)
	w.boundAt(FromMember([]byte("y")), 1000)
	w.end()
}

// TestCheckSees spoils one thing after another and puts it right again.
func TestCheckSees(t *testing.T) {
	narrow(t)
	w := filled(t, 500)
	top, leaf := w.tree.top(), w.tree.At(250).v
	root := w.tree.root
	for what, spoil := range map[string]func(){
		"count":     func() { w.tree.root.count++ },
		"leaves":    func() { w.tree.root.leaves++ },
		"height":    func() { w.tree.root.height++ },
		"total":     func() { top.setTotal(1, top.total(1)+1) },
		"separator": func() { top.setScore(1, top.score(1)+1) },
		"first":     func() { top.set(1, top.score(1), leaf.ref(1)) },
		"order":     func() { leaf.setScore(3, leaf.score(5)) },
		"equal":     func() { leaf.set(3, leaf.score(2), leaf.ref(2)) },
		"NaN":       func() { leaf.setScore(3, math.NaN()) },
		"scant":     func() { leaf.setLen(1) },
		"empty":     func() { leaf.setLen(0) },
		"crowded":   func() { leaf.setLen(kinds[0].slots + 1) },
		"one child": func() { top.setLen(1) },
		"level":     func() { top.setChild(1, w.tree.node(top.child(1)).child(0)) },
		"gone":      func() { w.tree.root.top = 0 },
	} {
		before, leafBefore := strings.Clone(nodeBytes(top)), strings.Clone(nodeBytes(leaf))
		spoil()
		if w.tree.Check() == nil {
			t.Errorf("%s: Check sees nothing", what)
		}
		w.tree.root = root
		copy(unsafe.Slice((*byte)(top.p), innerSize), before)
		copy(unsafe.Slice((*byte)(leaf.p), leafSize), leafBefore)
	}
	w.agree()
	w.end()
}

func nodeBytes(v node) string { return unsafe.String((*byte)(v.p), v.kind().size) }

func TestNoAllocation(t *testing.T) {
	w := filled(t, 5000)
	m := []byte(w.items[2500].member)
	s := w.items[2500].score
	sum := 0
	n := testing.AllocsPerRun(100, func() {
		tree := Attach(w.h, w.tree.Root())
		ref, _ := tree.Delete(s, m)
		tree.Insert(s, ref)
		tree.Update(s, m, s+1e6)
		tree.Update(s+1e6, m, s)
		rank, _ := tree.Rank(s, m)
		for c := tree.Seek(FromScore(s)); c.Ok() && sum < 1000; c.Next() {
			sum += rank
		}
		tree.DeleteRange(10, 10, nil)
		w.tree = Attach(w.h, tree.Root())
	})
	if n != 0 && !invariants.Enabled {
		t.Errorf("%v allocations", n)
	}
	w.agree()
	w.end()
}

// TestMisuse: the build with invariants stops at what the owner must not do.
func TestMisuse(t *testing.T) {
	if !invariants.Enabled {
		t.Skip("needs -tags invariants")
	}
	w := filled(t, 10)
	nan := w.entry("nan")
	for what, do := range map[string]func(){
		"twice":    func() { w.tree.Insert(w.items[3].score, w.items[3].ref) },
		"NaN":      func() { w.tree.Insert(math.NaN(), nan) },
		"too late": func() { w.tree.Append(0, nan) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: nothing stopped it", what)
				}
			}()
			do()
		}()
	}
	w.drop(nan)
	w.agree()
	w.end()
}
