package arena

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// partModel is the dumb twin of two heaps with parts: which blocks are in which.
type partModel struct {
	t     *testing.T
	rng   *rand.Rand
	arena *Arena
	heaps [2]*Heap
	parts []*twinPart
	dying []*twinPart // abandoned, not closed yet
}

type twinPart struct {
	heap   int
	ref    Ref
	blocks []block
}

func newPartModel(t *testing.T, seed uint64) *partModel {
	m := &partModel{t: t, rng: rand.New(rand.NewPCG(seed, 1)), arena: newArena(t, Options{Reserve: 128 << 20})}
	for i := range m.heaps {
		m.heaps[i] = m.arena.NewHeap()
		m.heaps[i].SetPublishStep(int64(i) * 5000)
	}
	return m
}

func (m *partModel) step() {
	if len(m.parts) == 0 || len(m.parts) < 12 && m.rng.IntN(100) == 0 {
		p := &twinPart{heap: m.rng.IntN(2)}
		p.ref = m.heaps[p.heap].NewPart()
		m.parts = append(m.parts, p)
	}
	i := m.rng.IntN(len(m.parts))
	p := m.parts[i]
	h := m.heaps[0].Part(p.ref)
	switch x := m.rng.IntN(1000); {
	case x < 5:
		m.heaps[p.heap].AbandonPart(p.ref)
		m.dying = append(m.dying, p)
		m.parts = append(m.parts[:i], m.parts[i+1:]...)
	case x < 30:
		from := p.heap
		p.heap = m.rng.IntN(2)
		p.ref = m.heaps[p.heap].AdoptPart(m.heaps[from], p.ref)
	case x < 60 && len(m.dying) > 0:
		p = m.dying[len(m.dying)-1]
		if !m.heaps[p.heap].ClosePart(p.ref, 1+m.rng.IntN(5)) {
			m.dying = m.dying[:len(m.dying)-1]
		}
	case x < 65:
		h.MarkSparse()
	case x < 550:
		n := 1 + m.rng.IntN(300)
		if m.rng.IntN(50) == 0 {
			n = 1 + m.rng.IntN(50000)
		}
		b := block{purpose: Purpose(m.rng.IntN(int(NumPurposes))), contents: bytes.Repeat([]byte{byte(x)}, n)}
		b.ref = h.Alloc(b.purpose, n)
		copy(m.arena.Bytes(b.ref, n), b.contents)
		p.blocks = append(p.blocks, b)
	case len(p.blocks) > 0:
		m.change(h, p)
	}
}

// change moves or frees a block.
func (m *partModel) change(h *Heap, p *twinPart) {
	i := m.rng.IntN(len(p.blocks))
	b := &p.blocks[i]
	n := len(b.contents)
	if !bytes.Equal(m.arena.Bytes(b.ref, n), b.contents) {
		m.t.Fatalf("block %#x of %d bytes has changed", b.ref, n)
	}
	if m.rng.IntN(2) == 0 {
		b.ref, _ = h.MoveSparse(b.purpose, b.ref, n)
		return
	}
	h.Free(b.purpose, b.ref, n)
	p.blocks[i] = p.blocks[len(p.blocks)-1]
	p.blocks = p.blocks[:len(p.blocks)-1]
}

// audit compares what the heaps and their parts count with the twin.
func (m *partModel) audit() {
	m.t.Helper()
	var used [2][NumPurposes]int64
	for _, p := range m.parts {
		var own int64
		for _, b := range p.blocks {
			used[p.heap][b.purpose] += int64(UsableSize(len(b.contents)))
			own += int64(UsableSize(len(b.contents)))
		}
		used[p.heap][PurposeHeap] += int64(UsableSize(PartSize))
		if got := m.heaps[0].Part(p.ref).Used(); got != own {
			m.t.Fatalf("a part counts %d bytes in use, has %d", got, own)
		}
	}
	for _, p := range m.dying {
		used[p.heap][PurposeHeap] += int64(UsableSize(PartSize))
	}
	for i, h := range m.heaps {
		for p := range NumPurposes {
			if h.UsedBy(p) != used[i][p] {
				m.t.Fatalf("heap %d counts %d bytes of %v, its parts have %d", i, h.UsedBy(p), p, used[i][p])
			}
		}
		if err := h.Audit(); err != nil {
			m.t.Fatal(err)
		}
	}
	if err := m.arena.Audit(); err != nil {
		m.t.Fatal(err)
	}
	if n := m.arena.Stats().Parts; n != len(m.parts)+len(m.dying) {
		m.t.Fatalf("%d parts, should be %d", n, len(m.parts)+len(m.dying))
	}
}

// TestParts makes, fills, moves, abandons and closes parts of two heaps, one of which
// is flushed with them in the end.
func TestParts(t *testing.T) {
	for _, seed := range seeds() {
		m := newPartModel(t, seed)
		for i := range 20000 {
			if m.step(); i%500 == 0 {
				m.audit()
			}
		}
		m.audit()
		first := m.heaps[0]
		first.Abandon()
		if want := m.heaps[1].Used(); m.arena.Used() > want+5000 || m.arena.Used() < want-5000 {
			t.Errorf("seed %d: %d bytes in use after a heap was abandoned, the other has %d", seed, m.arena.Used(), want)
		}
		for first.CloseSome(3) {
		}
		m.heaps[1].Close()
		if s := m.arena.Stats(); s.Mapped != 0 || s.Parts != 0 || s.Used != 0 {
			t.Errorf("seed %d: all heaps are closed, and there is %+v", seed, s)
		}
		if err := m.arena.Close(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// TestAdoptPart demands that a part of any size is given away by touching nothing but
// the part itself.
func TestAdoptPart(t *testing.T) {
	a := newArena(t, Options{})
	from, to := a.NewHeap(), a.NewHeap()
	r := from.NewPart()
	var last Ref
	for range 100_000 {
		last = from.Part(r).Alloc(PurposeEntry, 50)
	}
	before, used := a.Stats(), from.Used()
	r = to.AdoptPart(from, r)
	if from.Used() != 0 || from.Handed() > int64(UsableSize(PartSize)) || to.Used() != used {
		t.Errorf("%d bytes in use and %d handed out where the part was, %d where it is, should be %d", from.Used(), from.Handed(), to.Used(), used)
	}
	if after := a.Stats(); after.Mapped-before.Mapped > 64<<10 {
		t.Errorf("%d bytes more", after.Mapped-before.Mapped)
	}
	from.Part(r).Free(PurposeEntry, last, 50)
	if err := to.Audit(); err != nil {
		t.Error(err)
	}
	to.AbandonPart(r)
	for to.ClosePart(r, 100) {
	}
	if to.Used() != 0 || from.Used() != 0 {
		t.Errorf("%d and %d bytes are left", from.Used(), to.Used())
	}
	from.Close()
	to.Close()
}
