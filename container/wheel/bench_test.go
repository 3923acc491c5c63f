package wheel

import (
	"math/rand/v2"
	"testing"
)

const benchStart = 1_700_000_000_000

func BenchmarkAdd(b *testing.B) {
	h := newHeap(b)
	w := New(h, benchStart)
	r := rand.New(rand.NewPCG(1, 1))
	deadline := make([]int64, 1<<16)
	for i := range deadline {
		deadline[i] = benchStart + r.Int64N(24*3600*1000)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		w.Add(uint64(i)<<24, deadline[i&(1<<16-1)])
		if w.Len() == 4<<20 {
			b.StopTimer()
			w.Free()
			b.StartTimer()
		}
	}
	b.StopTimer()
	w.Free()
}

// benchDue times the way of a million records through the wheel, from an hour
// before to the last, called as the server does, each ten milliseconds.
func benchDue(b *testing.B, spread, step int64, budget int) {
	const n = 1_000_000
	h := newHeap(b)
	w := New(h, benchStart)
	r := rand.New(rand.NewPCG(1, 1))
	at := int64(benchStart + 3600*1000)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		for i := range n {
			w.Add(uint64(i)<<24, at+r.Int64N(spread))
		}
		bytes := w.Bytes()
		b.StartTimer()
		now, due := at-3600*1000, 0
		for w.Len() > 0 {
			now += step
			for again := true; again; {
				_, again = w.Advance(now, budget, func(uint64, int64) { due++ })
			}
		}
		b.ReportMetric(float64(bytes)/n, "B/record")
		if due != n {
			b.Fatalf("%d due", due)
		}
		at = now + 3600*1000
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
	b.StopTimer()
	w.Free()
}

func BenchmarkAdvanceAllInOneMillisecond(b *testing.B) { benchDue(b, 1, 10, 1000) }
func BenchmarkAdvanceAllInOneSecond(b *testing.B)      { benchDue(b, 1000, 10, 1000) }
func BenchmarkAdvanceAllInOneHour(b *testing.B)        { benchDue(b, 3600*1000, 10, 1000) }
func BenchmarkAdvanceAfterADay(b *testing.B)           { benchDue(b, 24*3600*1000, 25*3600*1000, 1000) }

func BenchmarkAdvanceNothingDue(b *testing.B) {
	h := newHeap(b)
	w := New(h, benchStart)
	w.Add(0, benchStart<<1)
	for i := range b.N {
		w.Advance(benchStart+int64(i)/100, 100, nil)
	}
	w.Free()
}

func BenchmarkSample(b *testing.B) {
	h := newHeap(b)
	w := New(h, benchStart)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 1_000_000 {
		w.Add(uint64(i)<<24, benchStart+r.Int64N(3600*1000))
	}
	b.ResetTimer()
	for i := range b.N {
		w.Sample(uint64(i))
	}
	w.Free()
}
