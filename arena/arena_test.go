package arena

import (
	"testing"
)

func newArena(t testing.TB, o Options) *Arena {
	t.Helper()
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func TestEverySize(t *testing.T) {
	a := newArena(t, Options{Reserve: 64 << 20})
	h := a.NewHeap()
	for n := 1; n <= 10000; n++ {
		r := h.Alloc(PurposeValue, n)
		b := a.Bytes(r, n)
		for i := range b {
			b[i] = byte(n)
		}
		if r == 0 || r&7 != 0 {
			t.Fatalf("ref %#x for %d bytes", r, n)
		}
		if n%64 == 0 && r%64 != 0 {
			t.Fatalf("%d bytes at %#x: not on a cache line", n, r)
		}
		if got := h.Used(); got != int64(UsableSize(n)) {
			t.Fatalf("used %d after a block of %d", got, n)
		}
		h.Free(PurposeValue, r, n)
	}
	if h.Used() != 0 || a.Used() != 0 {
		t.Fatalf("used %d, published %d after freeing all", h.Used(), a.Used())
	}
}
