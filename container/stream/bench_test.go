package stream

import (
	"fmt"
	"strings"
	"testing"
)

var sizesToBench = []int{1e3, 1e4, 1e5, 1e6, 5e6}

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

var benchArgs = bytesOf("field", strings.Repeat("v", 20))

func benchStream(b *testing.B, n int) *Stream {
	h := newHeap(b)
	h.SetPublishStep(1 << 16)
	s := New(h)
	for i := range n {
		benchAdd(b, &s, i)
	}
	b.Cleanup(s.Free)
	b.ReportAllocs()
	b.ResetTimer()
	return &s
}

func benchAdd(b *testing.B, s *Stream, i int) {
	if err := s.Append(ID{1 << 40, uint64(i) + 1}, redisLimits, benchArgs); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkAppend(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		s := benchStream(b, n)
		for i := range b.N {
			benchAdd(b, s, n+i)
		}
		b.StopTimer()
		b.ReportMetric(float64(s.Bytes())/float64(s.Len()), "B/entry")
	})
}

// BenchmarkAppendTrim is XADD MAXLEN ~ n.
func BenchmarkAppendTrim(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		s := benchStream(b, n)
		for i := range b.N {
			benchAdd(b, s, n+i)
			s.Trim(Trim{MaxLen: uint64(n), Approx: true, Limit: 10000})
		}
	})
}

// benchRange reads 100 entries from somewhere.
func benchRange(b *testing.B, reverse bool) {
	eachSize(b, func(b *testing.B, n int) {
		s := benchStream(b, n)
		sum := 0
		for i := range b.N {
			k := ID{1 << 40, uint64(i*7919%(n-100)) + 1}
			it := s.Range(k, MaxID, false)
			if reverse {
				it = s.Range(ID{}, k, true)
			}
			for range 100 {
				if !it.Next() {
					break
				}
				f, v := it.Field()
				sum += f.Len() + v.Len()
			}
		}
	})
}

func BenchmarkRange100(b *testing.B)        { benchRange(b, false) }
func BenchmarkReverseRange100(b *testing.B) { benchRange(b, true) }

// BenchmarkFind looks for one entry.
func BenchmarkFind(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		s := benchStream(b, n)
		for i := range b.N {
			if !s.Exists(ID{1 << 40, uint64(i*7919%n) + 1}) {
				b.Fatal("lost")
			}
		}
	})
}

// BenchmarkFollow adds an entry, reads it as a group does, and acknowledges one of
// n pending entries.
func BenchmarkFollow(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		s := benchStream(b, 0)
		g, _ := s.CreateGroup([]byte("g"), ID{}, 0)
		c, _ := g.CreateConsumer([]byte("c"), 0)
		step := func(i int) {
			benchAdd(b, s, i)
			from, _ := g.LastID().Next()
			for it := s.Range(from, MaxID, false); it.Next(); {
				s.Advance(&g, it.ID)
				g.Deliver(&c, it.ID, 7)
			}
		}
		for i := range n {
			step(i)
		}
		b.ResetTimer()
		for i := range b.N {
			step(n + i)
			g.Ack(ID{1 << 40, uint64(i) + 1})
		}
		b.ReportMetric(float64(*g.used)/float64(g.Pending()), "B/pending")
	})
}

// BenchmarkFree is what a step of FreeSome costs.
func BenchmarkFree(b *testing.B) {
	s := benchStream(b, 0)
	g, _ := s.CreateGroup([]byte("g"), ID{}, 0)
	c, _ := g.CreateConsumer([]byte("c"), 0)
	for i := range b.N {
		g.Deliver(&c, ID{1, uint64(i)}, 7)
	}
	b.ResetTimer()
	rest := s.DestroyGroup(g)
	for rest.FreeSome(1000) {
	}
}
