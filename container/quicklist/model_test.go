package quicklist

import (
	"math/rand/v2"
	"slices"
	"testing"

	"dozo/arena"
	"dozo/container/listpack"
)

// twin is a list beside a slice of what it should hold.
type twin struct {
	tb   testing.TB
	r    *rand.Rand
	h    *arena.Heap
	l    List
	want []string
	wide int
}

var fills = []int{-5, -4, -3, -2, -1, 0, 1, 2, 3, 5, 17, 128, 1000, FillMax + 5}

func newTwin(tb testing.TB, r *rand.Rand, h *arena.Heap) *twin {
	w := &twin{tb: tb, r: r, h: h, wide: []int{8, 40, 300, 5000}[r.IntN(4)]}
	w.l = newList(h, fills[r.IntN(len(fills))])
	if r.IntN(2) == 0 {
		w.l.SetPlainFrom(1 + r.IntN(w.wide))
	}
	return w
}

func (w *twin) word() string { return word(w.r, w.wide) }

// index is one of the list's, often near an end.
func (w *twin) index() int {
	n := len(w.want)
	switch w.r.IntN(4) {
	case 0:
		return min(w.r.IntN(4), n-1)
	case 1:
		return max(n-1-w.r.IntN(4), 0)
	}
	return w.r.IntN(n)
}

func (w *twin) push() {
	for n := w.r.IntN(60); n >= 0; n-- {
		s := w.word()
		switch w.r.IntN(2) {
		case 0:
			w.l.PushTail([]byte(s))
			w.want = append(w.want, s)
		default:
			w.l.PushHead([]byte(s))
			w.want = slices.Insert(w.want, 0, s)
		}
	}
}

func (w *twin) run(n int) {
	for range n {
		s := w.word()
		w.l.PushTail([]byte(s))
		w.want = append(w.want, s)
	}
}

func (w *twin) pop() {
	for n := w.r.IntN(40); n >= 0 && len(w.want) > 0; n-- {
		var got string
		use := func(v listpack.Value) { got = string(v.Append(nil)) }
		if w.r.IntN(2) == 0 {
			if !w.l.PopHead(use) || got != w.want[0] {
				w.tb.Fatalf("the head is %q, want %q", got, w.want[0])
			}
			w.want = w.want[1:]
			continue
		}
		last := len(w.want) - 1
		if !w.l.PopTail(use) || got != w.want[last] {
			w.tb.Fatalf("the tail is %q, want %q", got, w.want[last])
		}
		w.want = w.want[:last]
	}
}

func (w *twin) set() {
	i, s := w.index(), w.word()
	at := i
	if w.r.IntN(2) == 0 {
		at -= len(w.want)
	}
	c := w.l.Seek(at)
	if got := string(c.Value().Append(nil)); got != w.want[i] {
		w.tb.Fatalf("element %d is %q, want %q", i, got, w.want[i])
	}
	c.Set([]byte(s))
	w.want[i] = s
}

func (w *twin) insert() {
	i, s := w.index(), w.word()
	c := w.l.Seek(i)
	if w.r.IntN(2) == 0 {
		c.InsertBefore([]byte(s))
		w.want = slices.Insert(w.want, i, s)
		return
	}
	c.InsertAfter([]byte(s))
	w.want = slices.Insert(w.want, i+1, s)
}

// remove is LREM, of what may well be there often.
func (w *twin) remove() {
	s, n := w.want[w.index()], 1+w.r.IntN(30)
	if w.r.IntN(2) == 0 {
		c := w.l.Seek(0)
		for c.Find([]byte(s)); c.Ok() && n > 0; c.Find([]byte(s)) {
			i := slices.Index(w.want, s)
			if c.Index() != i {
				w.tb.Fatalf("%q is found at %d, want %d", s, c.Index(), i)
			}
			c.Delete()
			w.want = slices.Delete(w.want, i, i+1)
			n--
		}
		return
	}
	for c := w.l.Seek(-1); c.Ok() && n > 0; {
		if !c.Value().Equal([]byte(s)) {
			c.Prev()
			continue
		}
		c.DeleteBack()
		slices.Reverse(w.want)
		i := slices.Index(w.want, s)
		w.want = slices.Delete(w.want, i, i+1)
		slices.Reverse(w.want)
		n--
	}
}

func (w *twin) deleteAt() {
	i := w.index()
	for n := w.r.IntN(20); n >= 0 && i < len(w.want); n-- {
		c := w.l.Seek(i)
		c.Delete()
		w.want = slices.Delete(w.want, i, i+1)
		if c.Ok() != (i < len(w.want)) || c.Ok() && string(c.Value().Append(nil)) != w.want[i] {
			w.tb.Fatalf("after Delete of %d the cursor is elsewhere", i)
		}
	}
}

func (w *twin) trim() {
	n := len(w.want)
	start, stop := w.r.IntN(n/4+1), n-1-w.r.IntN(n/4+1)
	if w.r.IntN(30) == 0 {
		start = w.r.IntN(n + 1)
	}
	w.l.Trim(start, stop)
	if start > stop {
		w.want = nil
		return
	}
	w.want = slices.Clone(w.want[start : stop+1])
}

// rest does what changes nothing that can be read.
func (w *twin) rest() {
	switch w.r.IntN(3) {
	case 0:
		plainFrom := w.l.plainFrom
		root := *w.l.root
		w.l = Attach(w.h, &root)
		w.l.SetPlainFrom(plainFrom)
	case 1:
		next := 0
		w.h.MarkSparse()
		for more := true; more; more = next > 0 {
			next, _ = w.l.MoveSparse(next, 1+w.r.IntN(50))
		}
	case 2:
		to := newList(w.h, w.l.Fill())
		w.l.EachNode(func(n Node) bool {
			if n.First != to.Len() {
				w.tb.Fatalf("a node begins with element %d, and %d are before it", n.First, to.Len())
			}
			if n.Plain {
				to.AppendPlain(n.Bytes)
			} else {
				to.AppendListpack(n.Bytes)
			}
			return true
		})
		to.SetPlainFrom(w.l.plainFrom)
		if to.Nodes() != w.l.Nodes() {
			w.tb.Fatalf("%d nodes copied of %d", to.Nodes(), w.l.Nodes())
		}
		w.l.Free()
		w.l = to
	}
}

func (w *twin) step() {
	switch w.r.IntN(12) {
	case 0, 1:
		w.push()
	case 2:
		w.run(w.r.IntN(300))
	case 3:
		w.rest()
	}
	if len(w.want) == 0 {
		return
	}
	switch w.r.IntN(14) {
	case 0:
		w.pop()
	case 1, 2, 3:
		w.set()
	case 4, 5, 6, 7, 8:
		w.insert()
	case 9:
		w.remove()
	case 10, 11:
		w.deleteAt()
	case 12:
		if w.r.IntN(10) == 0 {
			w.trim()
		}
	}
}

func TestTwin(t *testing.T) {
	seeds(t, func(t *testing.T, r *rand.Rand) {
		h := newHeap(t)
		lists := 10
		if testing.Short() {
			lists = 4
		}
		for range lists {
			w := newTwin(t, r, h)
			for i := range 1000 {
				w.step()
				if i%50 == 0 {
					same(t, &w.l, w.want)
				} else if i%5 == 0 && len(w.want) < 2000 {
					check(t, &w.l)
				}
				if len(w.want) > 6000 {
					w.l.Trim(0, 3000)
					w.want = w.want[:3001]
				}
			}
			same(t, &w.l, w.want)
			for n := 0; w.l.FreeSome(1 + r.IntN(20)); n++ {
				if n%10 == 0 {
					check(t, &w.l)
				}
			}
			if w.l.Len() != 0 || w.l.Bytes() != 0 || w.l.Nodes() != 0 {
				t.Fatalf("freed, but %d elements in %d nodes and %d bytes", w.l.Len(), w.l.Nodes(), w.l.Bytes())
			}
			if n := h.UsedBy(arena.PurposeQuicklist); n != 0 {
				t.Fatalf("%d bytes still in use", n)
			}
		}
	})
}
