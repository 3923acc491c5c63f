package quicklist

import (
	"flag"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dozo/arena"
)

var seedFlag = flag.Uint64("seed", 0, "run the random tests with this seed only")

// seeds runs the test once for each seed; the log has the seed.
func seeds(t *testing.T, run func(t *testing.T, r *rand.Rand)) {
	list := []uint64{1, 2, 3, 4, 5, 6, 7, 8}
	if testing.Short() {
		list = list[:2]
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

// newHeap is a heap that must be empty in the end.
func newHeap(tb testing.TB) *arena.Heap {
	a, err := arena.New(arena.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	h := a.NewHeap()
	tb.Cleanup(func() {
		if n := h.Used(); n != 0 && !tb.Failed() {
			tb.Errorf("%d bytes still in use", n)
		}
		if err := a.Close(); err != nil && !tb.Failed() {
			tb.Error(err)
		}
	})
	return h
}

// newList is a list with a Root of its own.
func newList(h *arena.Heap, fill int) List {
	r := New(fill)
	return Attach(h, &r)
}

// word makes an element; wide is how long it may be.
func word(r *rand.Rand, wide int) string {
	switch r.IntN(6) {
	case 0:
		return strconv.FormatInt(r.Int64()>>r.IntN(64), 10)
	case 1:
		return strconv.FormatInt(-r.Int64()>>r.IntN(64), 10)
	case 2:
		return strings.Repeat("ab", r.IntN(wide/2+1))
	case 3:
		return strconv.Itoa(r.IntN(10))
	}
	return "w" + strconv.Itoa(r.IntN(1000))
}

// elements reads the whole list, in both directions.
func elements(tb testing.TB, l *List) []string {
	tb.Helper()
	var all, back, read []string
	for c := l.Seek(0); c.Ok(); c.Next() {
		if c.Index() != len(all) {
			tb.Fatalf("the cursor says index %d at %d", c.Index(), len(all))
		}
		all = append(all, string(c.Value().Append(nil)))
	}
	for c := l.Seek(-1); c.Ok(); c.Prev() {
		if c.Index() != l.Len()-1-len(back) {
			tb.Fatalf("the cursor says index %d, %d from the end", c.Index(), len(back))
		}
		back = append(back, string(c.Value().Append(nil)))
	}
	for c := l.Seek(0); c.Ok(); {
		v := c.Read()
		read = append(read, string(v.Append(nil)))
	}
	slices.Reverse(back)
	if !slices.Equal(all, back) || !slices.Equal(all, read) {
		tb.Fatalf("forwards %.300q, backwards %.300q, read %.300q", all, back, read)
	}
	return all
}

func check(tb testing.TB, l *List) {
	tb.Helper()
	if err := l.Check(); err != nil {
		tb.Fatal(err)
	}
}

// same compares the list with what it should hold.
func same(tb testing.TB, l *List, want []string) {
	tb.Helper()
	check(tb, l)
	if got := elements(tb, l); !slices.Equal(got, want) || l.Len() != len(want) {
		i := 0
		for i < len(got) && i < len(want) && got[i] == want[i] {
			i++
		}
		tb.Fatalf("%d elements, Len %d, want %d; the first that differs is %d", len(got), l.Len(), len(want), i)
	}
}
