package stream

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestDefrag: a stream that has lost most of its nodes and pending entries at random
// keeps their memory until it is defragmented.
func TestDefrag(t *testing.T) {
	s := New(newHeap(t))
	defer s.Free()
	r := rand.New(rand.NewPCG(1, 1))
	g, _ := s.CreateGroup([]byte("g"), ID{}, 0)
	const n = 40_000
	for i := range uint64(n) {
		id := ID{i + 1, 0}
		if err := s.Append(id, Limits{NodeEntries: 10}, bytesOf("field", "a value")); err != nil {
			t.Fatal(err)
		}
		c, _ := g.CreateConsumer([]byte(fmt.Sprint("c", i%7)), 0)
		g.Deliver(&c, id, int64(i))
	}
	for i := uint64(0); i < n; i += 10 {
		if r.IntN(10) == 0 {
			continue
		}
		for k := range uint64(10) {
			s.Delete(ID{i + k + 1, 0})
			g.Ack(ID{i + k + 1, 0})
		}
	}
	check(t, &s)
	want := textOf(&s)
	s.heap.Trim()
	before := s.arena.Stats().Mapped
	total := 0
	for pass := range 3 {
		moved := 0
		s.heap.MarkSparse()
		for at, done := (Position{}), false; !done; {
			var k int
			at, k, done = s.Defrag(at, 50)
			moved += k
		}
		if total += moved; pass == 2 && moved > total/10 {
			t.Errorf("%d of %d blocks were moved a third time", moved, total)
		}
	}
	s.heap.Trim()
	after := s.arena.Stats().Mapped
	t.Logf("%d blocks moved, %d KiB before, %d after, for %d", total, before>>10, after>>10, s.Bytes()>>10)
	if after > before/2 {
		t.Errorf("%d KiB before, %d after", before>>10, after>>10)
	}
	check(t, &s)
	if got := textOf(&s); got != want {
		t.Errorf("moving changed\n%s", clip(got, want))
	}
}

// TestFreeSome: freeing goes in steps that are as small as was asked for.
func TestFreeSome(t *testing.T) {
	s := New(newHeap(t))
	g, _ := s.CreateGroup([]byte("g"), ID{}, 0)
	c, _ := g.CreateConsumer([]byte("c"), 0)
	for i := range uint64(5000) {
		if err := s.Append(ID{1, i + 1}, Limits{NodeEntries: 1}, bytesOf("f", "v")); err != nil {
			t.Fatal(err)
		}
		g.Deliver(&c, ID{1, i + 1}, 1)
	}
	most, before := int64(0), s.heap.Used()
	for more := true; more; {
		more = s.FreeSome(50)
		now := s.heap.Used()
		most, before = max(most, before-now), now
	}
	if most > 100*64 {
		t.Errorf("%d bytes in one step", most)
	}
}

// TestManyConsumers: names stay in order, and found, when there are many.
func TestManyConsumers(t *testing.T) {
	s := New(newHeap(t))
	defer s.Free()
	g, _ := s.CreateGroup([]byte("g"), ID{}, 0)
	const n = 3000
	for i := range n {
		g.CreateConsumer([]byte(fmt.Sprint("consumer", i*7919%n)), int64(i))
	}
	check(t, &s)
	for i := range n {
		c, ok := g.Consumer([]byte(fmt.Sprint("consumer", i)))
		if !ok {
			t.Fatal(i)
		}
		if i%10 > 0 {
			g.DeleteConsumer(c)
		}
	}
	check(t, &s)
	if g.Consumers() != n/10 {
		t.Errorf("%d consumers", g.Consumers())
	}
}
