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

func TestOptions(t *testing.T) {
	for _, reserve := range []int64{-1, maxReserve + 1} {
		if _, err := New(Options{Reserve: reserve}); err == nil {
			t.Errorf("reserve of %d accepted", reserve)
		}
	}
	if a := newArena(t, Options{Reserve: 5}); a.Stats().Reserved != minReserve {
		t.Errorf("reserved %d", a.Stats().Reserved)
	}
	a, b := newArena(t, Options{Reserve: 1 << 20}), newArena(t, Options{Reserve: 1 << 20})
	ra, rb := a.NewHeap().AllocZero(PurposeValue, 8), b.NewHeap().AllocZero(PurposeValue, 8)
	a.Bytes(ra, 8)[0] = 1
	if ra != rb || b.Bytes(rb, 8)[0] != 0 || a.Ptr(ra) == b.Ptr(rb) {
		t.Error("two arenas share memory")
	}
	a.heaps[0].Close()
	b.heaps[0].Close()
}

func TestReallocInPlace(t *testing.T) {
	a := newArena(t, Options{Reserve: 64 << 20})
	h := a.NewHeap()
	r := h.Alloc(PurposeValue, 50<<10)
	for n := 50 << 10; n < 8<<20; n = n * 3 / 2 {
		if to := h.Realloc(PurposeValue, r, n, n*3/2); to != r {
			t.Fatalf("a block of %d at the end moved from %#x to %#x", n, r, to)
		}
		if n*3/2 >= 8<<20 {
			h.Realloc(PurposeValue, r, n*3/2, 17<<10)
		}
	}
	if s := a.Stats(); s.Mapped != 2*granuleSize || h.Used() != 20<<10 {
		t.Errorf("after shrinking: %+v, heap uses %d", s, h.Used())
	}
	a.Purge()
	next := h.Alloc(PurposeValue, 40<<10) // lies behind r
	if to := h.Realloc(PurposeValue, r, 17<<10, 100<<10); to == r {
		t.Error("grew into another block")
	} else {
		h.Free(PurposeValue, to, 100<<10)
	}
	h.Free(PurposeValue, next, 40<<10)
	if err := a.Audit(); err != nil {
		t.Error(err)
	}
}

func TestPublishStep(t *testing.T) {
	a := newArena(t, Options{Reserve: 1 << 20})
	h := a.NewHeap()
	h.SetPublishStep(1000)
	r := h.Alloc(PurposeValue, 960)
	if a.Used() != 0 || h.Used() != 960 {
		t.Errorf("published %d of %d", a.Used(), h.Used())
	}
	s := h.Alloc(PurposeValue, 48)
	if a.Used() != 1008 {
		t.Errorf("published %d of 1008", a.Used())
	}
	h.Free(PurposeValue, s, 48)
	if a.Used() != 1008 {
		t.Errorf("published %d before the step is exceeded", a.Used())
	}
	h.SetPublishStep(0)
	h.Free(PurposeValue, r, 960)
	if a.Used() != 0 {
		t.Errorf("published %d", a.Used())
	}
}

func TestTrimIsBounded(t *testing.T) {
	a := newArena(t, Options{Reserve: 64 << 20})
	h := a.NewHeap()
	h.Alloc(PurposeValue, 40<<20)
	h.Close()
	if n := a.Trim(1 << 20); n != 1<<20 {
		t.Errorf("trimmed %d bytes, not 1 MiB", n)
	}
	a.Trim(1 << 40)
	if s := a.Stats(); s.Free != dirtyMin<<granuleShift {
		t.Errorf("%d bytes kept", s.Free)
	}
	a.Purge()
	if s := a.Stats(); s.Free != 0 || s.Purged < 40<<20 || s.Clean < 40<<20 {
		t.Errorf("%+v", s)
	}
}
