package object

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dozo/container/listpack"
	"dozo/container/quicklist"
)

// listTwin is a list and a slice that must stay equal to it.
type listTwin struct {
	*shelf
	ListValue
	r    *rand.Rand
	l    ListLimits
	want []string
}

func TestListTwin(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for _, steps := range []int{50, 500, 3000} {
			w := &listTwin{shelf: newShelf(t), r: r}
			w.l = ListLimits{Fill: []int{-5, -2, -1, 0, 1, 4, 60}[r.IntN(7)], PlainFrom: []int{0, 0, 1, 30}[r.IntN(4)]}
			w.d.Begin(w.place(), w.place().NewList())
			w.ListValue = ListValue{&w.d.Cell}
			for range steps {
				w.shake(r)
				w.step()
			}
			w.check()
		}
	})
}

// step does one thing as commands do it: what grows is announced, what has shrunk is
// told.
func (w *listTwin) step() {
	s, side := element(w.r, 40), Side(w.r.IntN(2) == 0)
	if w.r.IntN(30) == 0 {
		s = []byte(strings.Repeat("long", w.r.IntN(3000)))
	}
	switch n := len(w.want); w.r.IntN(12) {
	case 0, 1, 2, 3, 4:
		w.Expect(1, len(s), &w.l)
		w.Push(s, side, &w.l)
		if side == Head {
			w.want = slices.Insert(w.want, 0, string(s))
		} else {
			w.want = append(w.want, string(s))
		}
	case 5, 6:
		w.drop(w.r.IntN(3), side)
	case 7:
		w.drop(w.r.IntN(n+1)/(1+w.r.IntN(10)), side)
	case 8:
		w.set(w.r.IntN(2*n+3)-n-1, s)
	case 9:
		w.insert(s, element(w.r, 40), side == Tail)
	case 10:
		w.remove(s, 1+w.r.IntN(4), side)
	default:
		w.read(w.r.IntN(2*n+3) - n - 1)
	}
	if w.Len() != len(w.want) {
		w.t.Fatalf("%d elements, want %d", w.Len(), len(w.want))
	}
}

func (w *listTwin) drop(n int, side Side) {
	have := len(w.want)
	n = min(n, have)
	if have > 0 {
		v := w.End(side)
		if want := w.want[map[Side]int{Head: 0, Tail: have - 1}[side]]; string(v.Append(nil)) != want {
			w.t.Fatalf("the end is %q, want %q", v.Append(nil), want)
		}
	}
	w.Drop(n, side)
	if side == Head {
		w.want = w.want[n:]
	} else {
		w.want = w.want[:have-n]
	}
	w.Shrunk(&w.l)
}

// index finds an index that may be counted from the end.
func (w *listTwin) index(i int) (int, bool) {
	if i < 0 {
		i += len(w.want)
	}
	return i, i >= 0 && i < len(w.want)
}

func (w *listTwin) set(at int, s []byte) {
	w.Expect(1, len(s), &w.l)
	i, there := w.index(at)
	if w.Set(at, s, &w.l) != there {
		w.t.Fatalf("Set(%d) of %d", at, len(w.want))
	}
	if there {
		w.want[i] = string(s)
		w.Shrunk(&w.l)
	}
}

func (w *listTwin) read(at int) {
	i, there := w.index(at)
	v, ok := w.At(at)
	if ok != there || ok && string(v.Append(nil)) != w.want[i] {
		w.t.Fatalf("At(%d) = %q, %t", at, v.Append(nil), ok)
	}
	if there {
		if run := w.Run(i); i < run.First || i >= run.First+run.Count {
			w.t.Fatalf("element %d lies in %d+%d", i, run.First, run.Count)
		}
	}
	for c := w.Seek(at); c.Ok(); c.Prev() {
		if string(c.Value().Append(nil)) != w.want[i] {
			w.t.Fatalf("element %d is %q, want %q", i, c.Value().Append(nil), w.want[i])
		}
		i--
	}
	if there && i != -1 {
		w.t.Fatal("a walk backwards ends before the list")
	}
}

func (w *listTwin) insert(pivot, s []byte, behind bool) {
	w.Expect(1, len(s), &w.l)
	i := slices.Index(w.want, string(pivot))
	if w.Insert(pivot, s, behind, &w.l) != (i >= 0) {
		w.t.Fatalf("Insert(%q)", pivot)
	}
	if behind {
		i++
	}
	if slices.Contains(w.want, string(pivot)) {
		w.want = slices.Insert(w.want, i, string(s))
	}
}

func (w *listTwin) remove(s []byte, n int, side Side) {
	if w.r.IntN(4) == 0 {
		n = math.MaxInt
	}
	removed := 0
	if side == Tail {
		slices.Reverse(w.want)
	}
	w.want = slices.DeleteFunc(w.want, func(x string) bool {
		yes := x == string(s) && removed < n
		if yes {
			removed++
		}
		return yes
	})
	if side == Tail {
		slices.Reverse(w.want)
	}
	if got := w.Remove(s, n, side); got != removed {
		w.t.Fatalf("Remove(%q, %d) = %d, want %d", s, n, got, removed)
	}
	if removed > 0 {
		w.Shrunk(&w.l)
	}
}

// check compares the whole list, and a copy, and looks at its blocks.
func (w *listTwin) check() {
	w.t.Helper()
	w.checkUse()
	if w.Encoding() == EncQuicklist {
		q := quicklist.Attach(w.large())
		if err := q.Check(); err != nil {
			w.t.Fatal(err)
		}
	} else if !listpack.Validate(w.Bare()) || quicklist.Exceeds(w.l.Fill, len(w.Bare()), w.Len()) && w.Len() > 1 {
		w.t.Fatalf("a listpack of %d bytes with a fill of %d", len(w.Bare()), w.l.Fill)
	}
	if got := elementsOf(w.ListValue); !slices.Equal(got, w.want) {
		w.t.Fatalf("%s: %q, want %q", w.Encoding(), got, w.want)
	}
	var copied Draft
	p := w.shelf.place()
	copied.Begin(p, Copy(&w.d.Cell, w.heap, p.Key, 0))
	if got := elementsOf(ListValue{&copied.Cell}); !slices.Equal(got, w.want) {
		w.t.Fatalf("%s: the copy has %q, want %q", w.Encoding(), got, w.want)
	}
	g := copied.Discard()
	g.FreeSome(w.heap, math.MaxInt)
}

func elementsOf(v ListValue) (all []string) {
	v.Each(func(x listpack.Value) bool {
		all = append(all, string(x.Append(nil)))
		return true
	})
	return all
}

// TestListConverts: where a list changes its encoding, and back.
func TestListConverts(t *testing.T) {
	s := newShelf(t)
	l := ListLimits{Fill: 10}
	s.d.Begin(s.place(), s.place().NewList())
	v := ListValue{&s.d.Cell}
	push := func(n int) {
		for range n {
			v.Expect(1, 1, &l)
			v.Push([]byte("x"), Tail, &l)
		}
	}
	push(10)
	if v.Encoding() != EncListpack {
		t.Fatal("a list of as many elements as are allowed is large")
	}
	push(1)
	if v.Encoding() != EncQuicklist || v.Fill() != 10 || v.Nodes() != 2 {
		t.Fatal(v.Encoding(), v.Nodes())
	}
	v.Drop(5, Tail)
	if v.Shrunk(&l); v.Encoding() != EncQuicklist {
		t.Fatal("a list of more than half the limit is small again")
	}
	v.Drop(1, Tail)
	if v.Shrunk(&l); v.Encoding() != EncListpack || v.Len() != 5 {
		t.Fatal(v.Encoding(), v.Len())
	}
	s.checkUse()
}

// TestLargeListLeavesAGrave: no more than freeAtOnce nodes go with their key.
func TestLargeListLeavesAGrave(t *testing.T) {
	s := newShelf(t)
	l := ListLimits{Fill: 1}
	s.d.Begin(s.place(), s.place().NewQuicklist(&l))
	v := ListValue{&s.d.Cell}
	for range 2000 {
		v.Push([]byte("x"), Head, &l)
	}
	g := s.d.Discard()
	if g.Len() != 2000 {
		t.Fatalf("%d nodes in the grave", g.Len())
	}
	for left := g.Len(); left > 0; left = g.Len() {
		if n := g.FreeSome(s.heap, 7); n != left-g.Len() {
			t.Fatalf("%d nodes freed, %d are fewer", n, left-g.Len())
		}
	}
	if s.heap.Used() != 0 {
		t.Fatalf("%d bytes left", s.heap.Used())
	}
}
