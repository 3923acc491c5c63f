package stream

import (
	"flag"
	"math/rand/v2"
	"testing"

	"dozo/arena"
)

var seedFlag = flag.Uint64("seed", 0, "run the random tests with this seed only")

// seeds runs the test once for each seed.
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
	tb.Helper()
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

// check asks the stream, and compares what it counts with what the heap counts.
func check(tb testing.TB, s *Stream) {
	tb.Helper()
	if err := s.Check(); err != nil {
		tb.Fatal(err)
	}
	if n, used := s.Bytes(), s.heap.Used(); n != used {
		tb.Fatalf("the stream counts %d bytes, the heap %d", n, used)
	}
}

func bytesOf(words ...string) (out [][]byte) {
	for _, w := range words {
		out = append(out, []byte(w))
	}
	return out
}

// freed frees a rest in steps, of which none may be longer than it should, and says how
// many things there were.
func freed(tb testing.TB, n int64, rest Stream) int64 {
	tb.Helper()
	if rest.IsNone() {
		return n
	}
	if err := rest.Check(); err != nil {
		tb.Fatal(err)
	}
	const steps = 20
	for before, more := rest.heap.Used(), true; more; before = rest.heap.Used() {
		more = rest.FreeSome(steps)
		if got := before - rest.heap.Used(); got > (steps+pairsMax)*8<<10 {
			tb.Fatalf("%d bytes freed in %d steps", got, steps)
		}
	}
	return n
}
