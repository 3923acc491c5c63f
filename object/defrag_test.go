package object

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"dozo/arena"
	"dozo/container/stream"
)

// ballast is blocks that lie among those of a draft.
type ballast struct {
	refs  []arena.Ref
	sizes []int
}

func (b *ballast) add(h *arena.Heap, n int) {
	b.refs, b.sizes = append(b.refs, h.Alloc(arena.PurposeSnapshot, n)), append(b.sizes, n)
}

// drop frees the block i.
func (b *ballast) drop(h *arena.Heap, i int) {
	h.Free(arena.PurposeSnapshot, b.refs[i], b.sizes[i])
	last := len(b.refs) - 1
	b.refs[i], b.sizes[i] = b.refs[last], b.sizes[last]
	b.refs, b.sizes = b.refs[:last], b.sizes[:last]
}

func (b *ballast) clear(h *arena.Heap) {
	for len(b.refs) > 0 {
		b.drop(h, 0)
	}
}

// shake lets other blocks come and go among those of the draft, has slabs chosen, or
// does a step of defragmentation, which goes on where the last one stopped.
func (s *shelf) shake(r *rand.Rand) {
	switch r.IntN(8) {
	case 0:
		for range 60 {
			s.ballast.add(s.heap, 1+r.IntN(150)*r.IntN(10))
		}
		for range r.IntN(70) {
			if n := len(s.ballast.refs); n > 0 {
				s.ballast.drop(s.heap, r.IntN(n))
			}
		}
	case 1:
		s.heap.MarkSparse()
	case 2:
		s.d.Defrag(&s.moves)
	case 3, 4:
		n := 1 + r.IntN(60)
		cost, done := s.d.DefragElements(&s.mark, n, &s.moves)
		if cost > 2*n+60 { // a bucket of the table more, each element of which may count twice
			s.t.Fatalf("%s: %d elements in a step of %d", s.d.Encoding(), cost, n)
		}
		if done {
			s.mark = DefragMark{}
		}
	case 5:
		if r.IntN(50) == 0 {
			s.relocate()
		}
	}
}

// relocate moves the draft to the other heap.
func (s *shelf) relocate() {
	s.ballast.clear(s.heap)
	old := s.d.Slot.Ref()
	ref := Move(&s.d.Cell, s.other, []byte("key"), s.d.Entry.Deadline())
	g := Free(s.heap, old)
	g.FreeSome(s.heap, math.MaxInt)
	if n := s.heap.Used(); n != 0 {
		s.t.Fatalf("%d bytes left where the value was", n)
	}
	s.heap, s.other = s.other, s.heap
	s.d.Begin(s.place(), ref)
}

// TestDefragLarge thins out the memory around a value of each kind, and has it moved
// together: the heap gives most of its slabs back, and every step is bounded.
func TestDefragLarge(t *testing.T) {
	const n = 20_000
	word := func(i int) []byte { return fmt.Appendf(nil, "%d%s", i, strings.Repeat("w", i%60)) }
	for name, fill := range map[string]func(s *shelf, i int){
		"set":  func(s *shelf, i int) { SetValue{&s.d.Cell}.Add(word(i), &SetLimits{}) },
		"hash": func(s *shelf, i int) { HashValue{Cell: &s.d.Cell}.Set(word(i), word(7*i), &HashLimits{}) },
		"zset": func(s *shelf, i int) { ZSetValue{&s.d.Cell}.Add(word(i), float64(i%1000), 0, &ZSetLimits{}) },
		"list": func(s *shelf, i int) {
			l := ListLimits{Fill: 8}
			ListValue{&s.d.Cell}.Expect(1, 100, &l)
			ListValue{&s.d.Cell}.Push(word(i), Tail, &l)
		},
		"dated": func(s *shelf, i int) {
			h := HashValue{Cell: &s.d.Cell}
			h.Set(word(i), word(7*i), &HashLimits{})
			h.SetFieldDeadline(word(i), int64(i%3)*int64(1+i%1000))
		},
		"stream": func(s *shelf, i int) {
			at := StreamValue{&s.d.Cell}.Open()
			id := stream.ID{Ms: uint64(i + 1)}
			_ = at.Append(id, StreamLimits{NodeEntries: 10}, [][]byte{word(i), word(7 * i)}) // the last is greater
			g, _ := at.CreateGroup([]byte("group"), stream.ID{}, 0)
			who, _ := g.CreateConsumer([]byte("consumer"), 0)
			g.Deliver(&who, id, 1)
		},
		"large fields": func(s *shelf, i int) {
			if i%50 == 0 {
				HashValue{Cell: &s.d.Cell}.Set(word(i), make([]byte, 1200+i%1000), &HashLimits{})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			p := s.place()
			switch name {
			case "set":
				s.d.Begin(p, p.NewSet(nil, 1, &SetLimits{}))
			case "zset":
				s.d.Begin(p, p.NewLargeZSet())
			case "list":
				s.d.Begin(p, p.NewList())
			case "stream":
				s.d.Begin(p, p.NewStream())
			default:
				s.d.Begin(p, p.NewHash())
			}
			r := rand.New(rand.NewPCG(1, 1))
			for i := range n {
				fill(s, i)
				for range 4 {
					s.ballast.add(s.heap, 16+r.IntN(200)+r.IntN(2)*r.IntN(3000))
				}
			}
			var before Digest
			s.d.Digest(&before, 0)
			s.ballast.clear(s.heap)
			held := s.a.Stats().Mapped
			for more := true; more; {
				_, more = s.heap.MarkSparse()
			}
			steps := 0
			s.d.Defrag(&s.moves)
			for done := false; !done; steps++ {
				_, done = s.d.DefragElements(&s.mark, 64, &s.moves)
			}
			var after Digest
			if s.d.Digest(&after, 0); after != before {
				t.Error("another value")
			}
			s.checkUse()
			if err := s.heap.Audit(); err != nil {
				t.Error(err)
			}
			now := s.a.Stats().Mapped
			t.Logf("%d KiB before, %d after, %d in use; %d steps, %d blocks moved, %d not",
				held>>10, now>>10, s.heap.Used()>>10, steps, s.moves.Hits, s.moves.Misses)
			if waste := s.heap.Waste(); waste > s.heap.Used()/10+256<<10 {
				t.Errorf("%d bytes are wasted, %d in use", waste, s.heap.Used())
			}
		})
	}
}
