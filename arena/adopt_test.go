package arena

import (
	"bytes"
	"testing"
)

// TestAdopt hands blocks of all kinds from one heap to another.
func TestAdopt(t *testing.T) {
	a, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	from, to := a.NewHeap(), a.NewHeap()
	for _, n := range []int{1, 1000, smallMax, smallMax + 1, 100_000, 3 << 20} {
		want := n > smallMax
		r := from.Alloc(PurposeValue, n)
		beside := from.Alloc(PurposeValue, n)
		fill(a.Bytes(r, n), 'x')
		if got := to.Adopt(from, PurposeValue, r, n); got != want {
			t.Fatalf("Adopt of %d bytes: %t, want %t", n, got, want)
		}
		if !from.Adopt(from, PurposeValue, beside, n) {
			t.Fatalf("a heap does not adopt its own block of %d bytes", n)
		}
		owner := from
		if want {
			owner = to
		}
		if !bytes.Equal(a.Bytes(r, n), bytes.Repeat([]byte("x"), n)) {
			t.Fatalf("%d bytes: the block has changed", n)
		}
		if from.UsedBy(PurposeValue)+to.UsedBy(PurposeValue) != 2*int64(UsableSize(n)) {
			t.Fatalf("%d bytes: %d and %d are in use", n, from.Used(), to.Used())
		}
		if want && to.Used() != int64(UsableSize(n)) {
			t.Fatalf("%d bytes: the new heap counts %d", n, to.Used())
		}
		for _, h := range []*Heap{from, to} {
			if err := h.Audit(); err != nil {
				t.Fatal(err)
			}
		}
		r = owner.Realloc(PurposeValue, r, n, 2*n)
		owner.Free(PurposeValue, r, 2*n)
		from.Free(PurposeValue, beside, n)
		if from.Used() != 0 || to.Used() != 0 || a.Used() != 0 {
			t.Fatalf("%d, %d and %d bytes left in use", from.Used(), to.Used(), a.Used())
		}
	}
	from.Close()
	to.Close()
	if err := a.Audit(); err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
