package commands

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// newRand is the source of a random test; the seed is logged if it fails.
func newRand(t *testing.T) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = 1
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("run again with -seed=%d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, seed))
}

// randomBits are bytes with long runs of equal ones, as bitmaps have.
func randomBits(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; {
		run, v := 1+r.IntN(40), byte(r.IntN(256))
		if k := r.IntN(4); k < 2 {
			v = []byte{0, 0xff}[k]
		}
		for ; run > 0 && i < n; run-- {
			b[i] = v
			i++
		}
	}
	return b
}

func naiveBit(b []byte, i int64) bool { return b[i>>3]>>(7-i&7)&1 == 1 }

func TestCountAndFindBits(t *testing.T) {
	r := newRand(t)
	for range 3000 {
		b := randomBits(r, 1+r.IntN(200))
		first := int64(r.IntN(len(b) * 8))
		last := first + r.Int64N(int64(len(b)*8)-first)
		set := r.IntN(2) == 1
		count, found := int64(0), int64(-1)
		for i := first; i <= last; i++ {
			if naiveBit(b, i) {
				count++
			}
			if found < 0 && naiveBit(b, i) == set {
				found = i
			}
		}
		if got := countBitRange(b, first, last); got != count {
			t.Fatalf("countBitRange(%x, %d, %d) = %d, want %d", b, first, last, got, count)
		}
		if got := findBit(b, first, last, set); got != found {
			t.Fatalf("findBit(%x, %d, %d, %v) = %d, want %d", b, first, last, set, got, found)
		}
		all := countBitRange(b, 0, int64(len(b)*8-1))
		if got := countBits(b); got != all {
			t.Fatalf("countBits(%x) = %d, want %d", b, got, all)
		}
	}
}

func TestCombine(t *testing.T) {
	r := newRand(t)
	for range 300 {
		op := bitOp(r.IntN(4))
		sources := make([][]byte, 1)
		if op != opNot {
			sources = make([][]byte, 1+r.IntN(4))
		}
		longest := 0
		for i := range sources {
			sources[i] = randomBits(r, r.IntN(3*blockBytes/2)+r.IntN(10))
			if r.IntN(3) == 0 {
				sources[i] = sources[i][:min(len(sources[i]), 20)]
			}
			longest = max(longest, len(sources[i]))
		}
		got, want := make([]byte, longest), make([]byte, longest)
		for i := range want {
			want[i] = naiveCombine(op, sources, i)
			got[i] = byte(i) // what was there before must not matter
		}
		combine(got, op, sources)
		if !bytes.Equal(got, want) {
			t.Fatalf("op %d of %d sources, %d bytes: wrong", op, len(sources), longest)
		}
	}
}

func naiveCombine(op bitOp, sources [][]byte, i int) byte {
	at := func(s []byte) byte {
		if i < len(s) {
			return s[i]
		}
		return 0
	}
	v := at(sources[0])
	if op == opNot {
		return ^v
	}
	for _, s := range sources[1:] {
		switch op {
		case opAnd:
			v &= at(s)
		case opOr:
			v |= at(s)
		case opXor:
			v ^= at(s)
		}
	}
	return v
}

func TestFields(t *testing.T) {
	r := newRand(t)
	for range 20000 {
		b := randomBits(r, 1+r.IntN(20))
		width := uint(1 + r.IntN(64))
		offset := uint64(r.IntN(len(b)*8 + 80))
		want := uint64(0)
		for i := offset; i < offset+uint64(width); i++ {
			want <<= 1
			if i < uint64(len(b)*8) && naiveBit(b, int64(i)) {
				want |= 1
			}
		}
		if got := getField(b, offset, width); got != want {
			t.Fatalf("getField(%x, %d, %d) = %x, want %x", b, offset, width, got, want)
		}
		if offset+uint64(width) > uint64(len(b)*8) {
			continue
		}
		v := r.Uint64()
		changed := bytes.Clone(b)
		putField(changed, offset, width, v)
		if got := getField(changed, offset, width); got != v&(^uint64(0)>>(64-width)) {
			t.Fatalf("putField(%x, %d, %d, %x) wrote %x", b, offset, width, v, got)
		}
		putField(changed, offset, width, want)
		if !bytes.Equal(changed, b) {
			t.Fatalf("putField at %d, %d bits, touched other bits of %x", offset, width, b)
		}
	}
}

func BenchmarkBitcount(b *testing.B) {
	s := make([]byte, 1<<20)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		countBits(s)
	}
}

func BenchmarkBitpos(b *testing.B) {
	s := make([]byte, 1<<20)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		findBit(s, 0, int64(len(s))*8-1, true)
	}
}

func BenchmarkBitop(b *testing.B) {
	x, y, z := make([]byte, 1<<20), make([]byte, 1<<20), make([]byte, 1<<20)
	for name, op := range map[string]bitOp{"and": opAnd, "or": opOr, "xor": opXor} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(z)))
			for b.Loop() {
				combine(z, op, [][]byte{x, y})
			}
		})
	}
}
