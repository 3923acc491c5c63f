package hashtable

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"dozo/arena"
)

// benchTable is a table of n entries with keys of 16 bytes.
func benchTable(b *testing.B, n int) (*box, *Table) {
	x := newBox(b)
	x.h.SetPublishStep(1 << 16)
	t := New(x.h, goodHash)
	var key [16]byte
	for i := range n {
		benchKey(&key, i)
		t.Insert(goodHash(key[:]), x.entry(key[:]))
	}
	b.Cleanup(func() { x.freeAll(&t) })
	return x, &t
}

func benchKey(key *[16]byte, i int) {
	copy(key[:], "key:....")
	binary.LittleEndian.PutUint64(key[8:], uint64(i))
}

var sizesToBench = []int{1e3, 1e4, 1e5, 1e6, 1e7}

func eachSize(b *testing.B, run func(b *testing.B, n int)) {
	for _, n := range sizesToBench {
		b.Run(fmt.Sprintf("%.0e", float64(n)), func(b *testing.B) {
			if n > 1e6 && testing.Short() {
				b.Skip("long")
			}
			run(b, n)
		})
	}
}

func BenchmarkFindHit(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		_, t := benchTable(b, n)
		var key [16]byte
		b.ReportAllocs()
		for i := range b.N {
			benchKey(&key, int(mix(uint64(i))%uint64(n)))
			if !t.Find(goodHash(key[:]), key[:]).Ok() {
				b.Fatal("lost")
			}
		}
	})
}

func BenchmarkFindMiss(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		_, t := benchTable(b, n)
		var key [16]byte
		for i := range b.N {
			benchKey(&key, n+i)
			if t.Find(goodHash(key[:]), key[:]).Ok() {
				b.Fatal("found")
			}
		}
	})
}

// BenchmarkHashOnly is what the benchmarks above spend on making and hashing
// the keys.
func BenchmarkHashOnly(b *testing.B) {
	var key [16]byte
	var sum uint64
	for i := range b.N {
		benchKey(&key, int(mix(uint64(i))%1e6))
		sum += goodHash(key[:])
	}
	if sum == 0 {
		b.Fatal("zero")
	}
}

// BenchmarkInsert fills a table from nothing; the entries exist already.
func BenchmarkInsert(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		x := newBox(b)
		x.h.SetPublishStep(1 << 16)
		hash := make([]uint64, n)
		refs := make([]arena.Ref, n)
		var key [16]byte
		for i := range refs {
			benchKey(&key, i)
			hash[i], refs[i] = goodHash(key[:]), x.entry(key[:])
		}
		t := New(x.h, goodHash)
		b.ReportAllocs()
		b.ResetTimer()
		at := 0
		for range b.N {
			if at == n {
				b.StopTimer()
				t.Free()
				at = 0
				b.StartTimer()
			}
			t.Insert(hash[at], refs[at])
			at++
		}
		b.StopTimer()
		t.Free()
		for _, r := range refs {
			x.drop(r)
		}
	})
}

// BenchmarkDeleteInsert takes an entry out and puts it back: a table in balance.
func BenchmarkDeleteInsert(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		_, t := benchTable(b, n)
		var key [16]byte
		b.ReportAllocs()
		for i := range b.N {
			benchKey(&key, int(mix(uint64(i))%uint64(n)))
			h := goodHash(key[:])
			s := t.Find(h, key[:])
			r := s.Ref()
			t.Delete(h, s)
			t.Insert(h, r)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	_, t := benchTable(b, 1e6)
	var c uint64
	var n int
	for n < b.N {
		c = t.Scan(c, func(arena.Ref) { n++ })
	}
}

func BenchmarkRandom(b *testing.B) {
	_, t := benchTable(b, 1e6)
	for i := range b.N {
		if t.Random(uint64(i)) == 0 {
			b.Fatal("none")
		}
	}
}

// BenchmarkMemory reports the bytes of table for a key, over a growing table,
// and the load at which full segments were split.
func BenchmarkMemory(b *testing.B) {
	for range b.N {
		x := newBox(b)
		t := New(x.h, goodHash)
		r := rand.New(rand.NewPCG(1, 2))
		var low, high, sum float64
		samples := 0
		ref := x.entry([]byte("any"))
		for i := 1; i <= 2_000_000; i++ {
			t.Insert(r.Uint64(), ref)
			if i > 100_000 && i%1000 == 0 && !rebaseNear(&t) {
				v := float64(t.Bytes()) / float64(i)
				if samples == 0 || v < low {
					low = v
				}
				high = max(high, v)
				sum += v
				samples++
			}
		}
		b.ReportMetric(low, "min-B/key")
		b.ReportMetric(sum/float64(samples), "mean-B/key")
		b.ReportMetric(high, "max-B/key")
		t.Free()
		x.drop(ref)
	}
}
