package aof

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// latencyBuckets is how many classes of durations there are: class i holds those
// below 2^i microseconds, from the last on all.
const latencyBuckets = 28

// meter counts how long calls took.
type meter struct {
	count, total, max atomic.Int64
	buckets           [latencyBuckets]atomic.Int64
}

// Latency is what a meter has seen. Buckets[i] is how many calls took less than
// 2^i microseconds and not less than the class before; the last holds the rest.
type Latency struct {
	Count      int64
	Total, Max time.Duration
	Buckets    [latencyBuckets]int64
}

func (m *meter) add(d time.Duration) {
	m.count.Add(1)
	m.total.Add(int64(d))
	if int64(d) > m.max.Load() { // one goroutine adds
		m.max.Store(int64(d))
	}
	class := bits.Len64(uint64(max(0, d.Microseconds())))
	m.buckets[min(class, latencyBuckets-1)].Add(1)
}

func (m *meter) read() Latency {
	l := Latency{Count: m.count.Load(), Total: time.Duration(m.total.Load()), Max: time.Duration(m.max.Load())}
	for i := range l.Buckets {
		l.Buckets[i] = m.buckets[i].Load()
	}
	return l
}
