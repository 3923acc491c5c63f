package quicklist

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"dozo/container/listpack"
)

var benchWord = []byte("element:00000123")

func benchList(b *testing.B, n int) List {
	l := newList(newHeap(b), FillDefault)
	for range n {
		l.PushTail(benchWord)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return l
}

// benchPush bounds what is pushed.
func benchPush(b *testing.B, push func(l *List)) {
	l := benchList(b, 0)
	for i := range b.N {
		if push(&l); i&(1<<22-1) == 1<<22-1 {
			b.StopTimer()
			l.Free()
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(l.Bytes())/float64(l.Len()), "B/element")
	l.Free()
}

func BenchmarkPushTail(b *testing.B) { benchPush(b, func(l *List) { l.PushTail(benchWord) }) }
func BenchmarkPushHead(b *testing.B) { benchPush(b, func(l *List) { l.PushHead(benchWord) }) }

// BenchmarkAttachPushTail is PushTail as a command does it, from a Root.
func BenchmarkAttachPushTail(b *testing.B) {
	l := benchList(b, 0)
	for range b.N {
		at := Attach(l.heap, l.root)
		at.PushTail(benchWord)
		if at.Len() == 1<<22 {
			at.Free()
		}
	}
	b.StopTimer()
	l.Free()
}

func benchPop(b *testing.B, pop func(l *List)) {
	l := benchList(b, 1<<20)
	for range b.N {
		if pop(&l); l.Len() == 0 {
			b.StopTimer()
			for range 1 << 20 {
				l.PushTail(benchWord)
			}
			b.StartTimer()
		}
	}
	b.StopTimer()
	l.Free()
}

func BenchmarkPopTail(b *testing.B) {
	benchPop(b, func(l *List) { l.PopTail(func(listpack.Value) {}) })
}
func BenchmarkPopHead(b *testing.B) {
	benchPop(b, func(l *List) { l.PopHead(func(listpack.Value) {}) })
}

func BenchmarkQueue(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := benchList(b, n)
			for range b.N {
				l.PushTail(benchWord)
				l.PopHead(nil)
			}
			l.Free()
		})
	}
}

var benchSizes = []int{1e3, 1e4, 1e5, 1e6, 5e6}

func benchBySize(b *testing.B, run func(l *List, i int)) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := benchList(b, n)
			r := rand.New(rand.NewPCG(1, 1))
			for range b.N {
				run(&l, r.IntN(l.Len()))
			}
			b.StopTimer()
			b.ReportMetric(float64(l.Bytes())/float64(l.Len()), "B/element")
			l.Free()
		})
	}
}

func BenchmarkGet(b *testing.B) {
	benchBySize(b, func(l *List, i int) { l.Get(i) })
}

func BenchmarkLocate(b *testing.B) {
	benchBySize(b, func(l *List, i int) { l.locate(i) })
}

func BenchmarkSet(b *testing.B) {
	benchBySize(b, func(l *List, i int) {
		c := l.Seek(i)
		c.Set(benchWord)
	})
}

func BenchmarkInsertDelete(b *testing.B) {
	benchBySize(b, func(l *List, i int) {
		c := l.Seek(i)
		c.InsertBefore(benchWord)
		c = l.Seek(i)
		c.Delete()
	})
}

func BenchmarkRange100(b *testing.B) {
	benchBySize(b, func(l *List, i int) {
		c := l.Seek(i)
		for n := 0; n < 100 && c.Ok(); n++ {
			c.Read()
		}
	})
}

// BenchmarkGetSmallNodes is Get where the index is largest: a node an element.
func BenchmarkGetSmallNodes(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := newList(newHeap(b), 1)
			for range n {
				l.PushTail(benchWord)
			}
			r := rand.New(rand.NewPCG(1, 1))
			b.ResetTimer()
			for range b.N {
				l.Get(r.IntN(n))
			}
			b.StopTimer()
			b.ReportMetric(float64(l.Bytes())/float64(n), "B/element")
			l.Free()
		})
	}
}
