package snapshot

import (
	"fmt"
	"testing"

	"dozo/arena"
	"dozo/env"
	"dozo/keyspace"
)

// BenchmarkWalk is what writing down a key costs the executors: 16 bytes with a value
// of 64.
func BenchmarkWalk(b *testing.B) {
	a, err := arena.New(arena.Options{})
	if err != nil {
		b.Fatal(err)
	}
	ks := keyspace.New(keyspace.Options{Arena: a, Loops: 1, Databases: 1, NewRand: func() env.Rand { return env.Seeded(1) }})
	v := ks.NewView(nil)
	v.Now = 1_700_000_000_000
	value := make([]byte, 64)
	for i := range b.N {
		v.SetString(fmt.Appendf(nil, "key:%012d", i), value, 0, false)
	}
	s := Begin(v, Options{QueueMax: 1 << 40})
	sink, err := s.NewSink()
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan int64)
	go func() {
		var n int64
		for {
			c, err := sink.Next()
			if c == nil || err != nil {
				done <- n
				return
			}
			n += int64(len(c.Records))
			sink.Done(c)
		}
	}()
	b.ReportAllocs()
	b.ResetTimer()
	for s.Step(v, 0, 1, 32<<10) {
	}
	b.SetBytes(<-done / int64(b.N))
	b.StopTimer()
	s.End(v)
}
