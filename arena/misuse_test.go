//go:build invariants

package arena

import (
	"strings"
	"testing"

	"dozo/internal/invariants"
)

// expectBroken runs f and demands that it breaks an invariant with this message.
func expectBroken(t *testing.T, message string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		b, ok := recover().(invariants.Broken)
		if !ok || !strings.Contains(b.Message, message) {
			t.Errorf("want %q, got %v", message, b)
		}
	}()
	f()
}

func TestMisuse(t *testing.T) {
	const p = PurposeValue
	sizes := []int{20, 88, 1000, 5000, 100000}
	cases := []struct {
		name, message string
		misuse        func(h *Heap, r Ref, n int)
	}{
		{"double free", "freed", func(h *Heap, r Ref, n int) { h.Free(p, r, n); h.Free(p, r, n) }},
		{"wrong size", "freed with", func(h *Heap, r Ref, n int) { h.Free(p, r, n*2+8) }},
		{"wrong purpose", "freed as listpack, but it is value", func(h *Heap, r Ref, n int) { h.Free(PurposeListpack, r, n) }},
		{"inside", "", func(h *Heap, r Ref, n int) { h.Free(p, r+8, n) }},
		{"nil", "not a block", func(h *Heap, r Ref, n int) { h.Free(p, 0, n) }},
		{"wild", "not a block", func(h *Heap, r Ref, n int) { h.Free(p, 1<<42, n) }},
		{"odd", "not a block", func(h *Heap, r Ref, n int) { h.Free(p, r+1, n) }},
		{"other heap", "of heap 1 freed by heap 2", func(h *Heap, r Ref, n int) { h.Arena().NewHeap().Free(p, r, n) }},
		{"realloc of a freed block", "", func(h *Heap, r Ref, n int) { h.Free(p, r, n); h.Realloc(p, r, n, 3*n) }},
	}
	for _, c := range cases {
		for _, n := range sizes {
			a, err := New(Options{Reserve: 32 << 20})
			if err != nil {
				t.Fatal(err)
			}
			h := a.NewHeap()
			for range 5 {
				h.Alloc(p, n)
			}
			r := h.Alloc(p, n)
			h.Alloc(p, n)
			t.Run(c.name, func(t *testing.T) {
				expectBroken(t, c.message, func() { c.misuse(h, r, n) })
			})
			h.Close()
			if err := a.Close(); err != nil && c.name != "other heap" {
				t.Error(err)
			}
		}
	}
}

func TestWriteAfterFree(t *testing.T) {
	for _, n := range []int{8, 64, 700, 9000} {
		a := newArena(t, Options{Reserve: 4 << 20})
		h := a.NewHeap()
		keep, r := h.Alloc(PurposeValue, n), h.Alloc(PurposeValue, n)
		h.Free(PurposeValue, r, n)
		for i, c := range a.Bytes(r, n)[linkSize:] {
			if c != poisonFreed {
				t.Fatalf("freed block of %d bytes reads %#x at %d", n, c, i+linkSize)
			}
		}
		a.Bytes(r, n)[n-1] = 1
		expectBroken(t, "was written to", func() { h.Alloc(PurposeValue, n) })
		_ = keep
		h.Close()
	}
}

func TestNewBlocksAreNotZero(t *testing.T) {
	a := newArena(t, Options{Reserve: 4 << 20})
	h := a.NewHeap()
	for _, n := range []int{8, 500, 50000} {
		r := h.Alloc(PurposeValue, n)
		if b := a.Bytes(r, n); b[0] != poisonNew || b[n-1] != poisonNew {
			t.Errorf("new block of %d bytes has no pattern", n)
		}
		h.Free(PurposeValue, r, n)
	}
}

func TestCloseDemandsZero(t *testing.T) {
	a, err := New(Options{Reserve: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	a.NewHeap().Alloc(PurposeBTree, 100)
	if err := a.Close(); err == nil || !strings.Contains(err.Error(), "104 bytes of btree") {
		t.Errorf("leak not told: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}
