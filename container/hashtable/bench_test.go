package hashtable

import (
	"encoding/binary"
	"fmt"
	"math/bits"
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
	b.ReportAllocs()
	b.ResetTimer()
	return x, &t
}

func benchKey(key *[16]byte, i int) {
	copy(key[:], "key:....")
	binary.LittleEndian.PutUint64(key[8:], uint64(i))
}

// pick is a number below n that the processor cannot foresee.
func pick(i, n int) int {
	hi, _ := bits.Mul64(mix(uint64(i)), uint64(n))
	return int(hi)
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
		for i := range b.N {
			benchKey(&key, pick(i, n))
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
		benchKey(&key, pick(i, 1e6))
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
		for i := range b.N {
			benchKey(&key, pick(i, n))
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

// BenchmarkMemory reports the bytes of table for a key while the table grows:
// the least, the mean and the most. Eight bytes would be a load of 100%.
func BenchmarkMemory(b *testing.B) {
	for range b.N {
		x := newBox(b)
		x.h.SetPublishStep(1 << 16)
		t := New(x.h, goodHash)
		low, high, sum, samples := 1e9, 0.0, 0.0, 0.0
		var key [16]byte
		for i := range 2_000_000 {
			benchKey(&key, i)
			t.Insert(goodHash(key[:]), x.entry(key[:]))
			if i > 50_000 && i%1000 == 0 {
				v := float64(t.Bytes()) / float64(i+1)
				low, high = min(low, v), max(high, v)
				sum += v
				samples++
			}
		}
		b.ReportMetric(low, "min-B/key")
		b.ReportMetric(sum/samples, "mean-B/key")
		b.ReportMetric(high, "max-B/key")
		x.freeAll(&t)
	}
}
