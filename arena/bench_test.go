package arena

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

const benchStep = 16 << 10

// BenchmarkPair is a block that comes and goes, the cache hot.
func BenchmarkPair(b *testing.B) {
	for _, n := range []int{16, 88, 500, 4000, 16000, 40000, 1 << 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := newArena(b, Options{}).NewHeap()
			h.SetPublishStep(benchStep)
			keep := h.Alloc(PurposeEntry, n) // so that the slab stays
			for b.Loop() {
				h.Free(PurposeEntry, h.Alloc(PurposeEntry, n), n)
			}
			h.Free(PurposeEntry, keep, n)
		})
	}
	b.Run("88 published at once", func(b *testing.B) {
		h := newArena(b, Options{}).NewHeap()
		for b.Loop() {
			h.Free(PurposeEntry, h.Alloc(PurposeEntry, 88), 88)
		}
	})
}

// BenchmarkBatch allocates and frees 1000 blocks in random order: a pair each.
func BenchmarkBatch(b *testing.B) {
	for _, n := range []int{16, 88, 500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := newArena(b, Options{}).NewHeap()
			h.SetPublishStep(benchStep)
			refs, order := make([]Ref, 1000), rand.New(rand.NewPCG(1, 1)).Perm(1000)
			for i := 0; b.Loop(); i++ {
				if i %= len(refs); i == 0 {
					for j := range refs {
						if refs[j] != 0 {
							h.Free(PurposeEntry, refs[order[j]], n)
						}
					}
				}
				refs[i] = h.Alloc(PurposeEntry, n)
			}
			h.Close()
		})
	}
}

// BenchmarkChurn replaces random blocks of 1 M: every access misses the cache.
func BenchmarkChurn(b *testing.B) {
	a := newArena(b, Options{})
	h := a.NewHeap()
	h.SetPublishStep(benchStep)
	rng := rand.New(rand.NewPCG(1, 1))
	refs := make([]Ref, 1<<20)
	for i := range refs {
		refs[i] = h.Alloc(PurposeEntry, 88)
	}
	for b.Loop() {
		i := rng.IntN(len(refs))
		h.Free(PurposeEntry, refs[i], 88)
		refs[i] = h.Alloc(PurposeEntry, 88)
	}
	h.Close()
}

// BenchmarkFill is the first use of memory: page faults and all.
func BenchmarkFill(b *testing.B) {
	a := newArena(b, Options{})
	h := a.NewHeap()
	h.SetPublishStep(benchStep)
	for n := 0; b.Loop(); n++ {
		r := h.Alloc(PurposeEntry, 88)
		clear(a.Bytes(r, 88))
		if n == 10<<20 {
			b.StopTimer()
			h.Close()
			a.Purge()
			h, n = a.NewHeap(), 0
			h.SetPublishStep(benchStep)
			b.StartTimer()
		}
	}
	h.Close()
}

// BenchmarkGoMake is what the runtime takes for the same, for comparison.
func BenchmarkGoMake(b *testing.B) {
	var keep []byte
	for b.Loop() {
		keep = make([]byte, 88)
	}
	_ = keep
}
