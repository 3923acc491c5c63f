package btree

import (
	"flag"
	"math/rand/v2"
	"testing"

	"dozo/arena"
	"dozo/container/entry"
)

var seedFlag = flag.Uint64("seed", 0, "run the random tests with this seed only")

// seeds runs the test once for each seed and logs it.
func seeds(t *testing.T, run func(t *testing.T, r *rand.Rand)) {
	list := []uint64{1, 2, 3, 4}
	if testing.Short() {
		list = list[:1]
	}
	if *seedFlag != 0 {
		list = []uint64{*seedFlag}
	}
	for _, seed := range list {
		t.Run("", func(t *testing.T) {
			t.Logf("-seed=%d", seed)
			run(t, rand.New(rand.NewPCG(seed, seed)))
		})
	}
}

// box is an arena with one heap, which must be empty in the end.
type box struct {
	tb testing.TB
	a  *arena.Arena
	h  *arena.Heap
}

func newBox(tb testing.TB) *box {
	o := arena.Options{Reserve: 64 << 20} // under the race detector that is Go memory
	if _, ok := tb.(*testing.B); ok {
		o.Reserve = 0
	}
	a, err := arena.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	b := &box{tb: tb, a: a, h: a.NewHeap()}
	tb.Cleanup(func() {
		for p := range arena.NumPurposes {
			if n := b.h.UsedBy(p); n != 0 && !tb.Failed() {
				tb.Errorf("%d bytes of %v still in use", n, p)
			}
		}
		if err := a.Close(); err != nil && !tb.Failed() {
			tb.Error(err)
		}
	})
	return b
}

func (b *box) entry(member string) arena.Ref {
	var s entry.Shape
	r := b.h.Alloc(arena.PurposeEntry, entry.SizeFor(len(member), s))
	entry.Init(b.a, r, []byte(member), s)
	return r
}

func (b *box) drop(r arena.Ref) { b.h.Free(arena.PurposeEntry, r, entry.At(b.a, r).Size()) }

// dropItem is drop in the form that DeleteRange wants.
func (b *box) dropItem(_ float64, r arena.Ref) { b.drop(r) }

// freeAll frees the tree with its entries, in steps.
func (b *box) freeAll(t *Tree) {
	for t.FreeSome(1000, b.dropItem) {
	}
	b.empty(t)
}

func (b *box) empty(t *Tree) {
	b.tb.Helper()
	if t.Root() != (Root{}) || t.Len() != 0 || t.Bytes() != 0 || b.h.UsedBy(arena.PurposeBTree) != 0 {
		b.tb.Errorf("an empty tree: %+v, and %d bytes in use", t.Root(), b.h.UsedBy(arena.PurposeBTree))
	}
}

func check(tb testing.TB, t *Tree) {
	tb.Helper()
	if err := t.Check(); err != nil {
		tb.Fatal(err)
	}
}
