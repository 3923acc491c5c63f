package arena

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"testing"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 runs the fixed ones")

func seeds() []uint64 {
	if *seedFlag != 0 {
		return []uint64{*seedFlag}
	}
	return []uint64{1, 2, 3, 4}
}

// block is what the twin remembers of one block.
type block struct {
	heap     int
	purpose  Purpose
	ref      Ref
	contents []byte
}

// model is the dumb twin of an arena: a list of blocks with their contents.
type model struct {
	t      *testing.T
	rng    *rand.Rand
	arena  *Arena
	heaps  []*Heap
	blocks []block
	used   [NumPurposes]int64
}

func newModel(t *testing.T, seed uint64, heaps int) *model {
	m := &model{t: t, rng: rand.New(rand.NewPCG(seed, seed)), arena: newArena(t, Options{Reserve: 128 << 20})}
	for i := range heaps {
		m.heaps = append(m.heaps, m.arena.NewHeap())
		m.heaps[i].SetPublishStep(int64(i) * 1000)
	}
	return m
}

// size is mostly small, at times up to a MiB.
func (m *model) size() int {
	switch x := m.rng.IntN(200); {
	case x == 0:
		return 1 + m.rng.IntN(1<<20)
	case x < 10:
		return 1 + m.rng.IntN(40000)
	case x < 50:
		return 1 + m.rng.IntN(2000)
	}
	return 1 + m.rng.IntN(200)
}

func (m *model) write(b []byte) {
	c := byte(m.rng.Uint32())
	for i := range b {
		b[i] = c + byte(i)
	}
}

func (m *model) alloc() {
	b := block{heap: m.rng.IntN(len(m.heaps)), purpose: Purpose(m.rng.IntN(int(NumPurposes)))}
	n := m.size()
	b.contents = make([]byte, n)
	h := m.heaps[b.heap]
	if m.rng.IntN(3) == 0 {
		b.ref = h.AllocZero(b.purpose, n)
		if !bytes.Equal(m.arena.Bytes(b.ref, n), b.contents) {
			m.t.Fatalf("AllocZero of %d bytes is not zero", n)
		}
	} else {
		b.ref = h.Alloc(b.purpose, n)
	}
	m.write(b.contents)
	copy(m.arena.Bytes(b.ref, n), b.contents)
	m.used[b.purpose] += int64(UsableSize(n))
	m.blocks = append(m.blocks, b)
}

func (m *model) verify(b *block) {
	if !bytes.Equal(m.arena.Bytes(b.ref, len(b.contents)), b.contents) {
		m.t.Fatalf("block %#x of %d bytes has changed", b.ref, len(b.contents))
	}
}

func (m *model) free(i int) {
	b := &m.blocks[i]
	m.verify(b)
	n := len(b.contents)
	if m.rng.IntN(2) == 0 {
		n = UsableSize(n) // as good as the size asked for
	}
	m.heaps[b.heap].Free(b.purpose, b.ref, n)
	m.used[b.purpose] -= int64(UsableSize(n))
	last := len(m.blocks) - 1
	m.blocks[i] = m.blocks[last]
	m.blocks = m.blocks[:last]
}

func (m *model) realloc(i int) {
	b := &m.blocks[i]
	m.verify(b)
	old, size := len(b.contents), m.size()
	if m.rng.IntN(2) == 0 {
		size = max(1, old+m.rng.IntN(65)-32)
	}
	ref := m.heaps[b.heap].Realloc(b.purpose, b.ref, old, size)
	if UsableSize(old) == UsableSize(size) && ref != b.ref {
		m.t.Fatalf("moved though %d and %d bytes are one class", old, size)
	}
	b.ref = ref
	kept := min(old, size)
	b.contents = append(b.contents[:kept:kept], make([]byte, size-kept)...)
	copy(m.arena.Bytes(ref, size)[kept:], b.contents[kept:])
	m.verify(b)
	m.used[b.purpose] += int64(UsableSize(size) - UsableSize(old))
}

// move is what active defragmentation does.
func (m *model) move(i int) {
	b := &m.blocks[i]
	h, n := m.heaps[b.heap], len(b.contents)
	if m.rng.IntN(100) == 0 {
		h.MarkSparse()
	}
	b.ref, _ = h.MoveSparse(b.purpose, b.ref, n)
}

func (m *model) audit() {
	m.t.Helper()
	for i := range m.blocks {
		m.verify(&m.blocks[i])
	}
	var used, total int64
	for p := range NumPurposes {
		used = 0
		for _, h := range m.heaps {
			used += h.UsedBy(p)
		}
		if used != m.used[p] {
			m.t.Fatalf("%v: %d bytes in use, should be %d", p, used, m.used[p])
		}
		total += used
	}
	for _, h := range m.heaps {
		if err := h.Audit(); err != nil {
			m.t.Fatal(err)
		}
		h.Publish()
	}
	if got := m.arena.Used(); got != total {
		m.t.Fatalf("arena has published %d, heaps use %d", got, total)
	}
	var held int64
	for _, h := range m.heaps {
		held += h.held
	}
	if mapped := m.arena.Stats().Mapped; held != mapped {
		m.t.Fatalf("arena has given out %d bytes, heaps hold %d", mapped, held)
	}
	if err := m.arena.Audit(); err != nil {
		m.t.Fatal(err)
	}
}

// step does one random thing; grow leans towards more blocks.
func (m *model) step(grow bool) {
	if len(m.blocks) == 0 {
		m.alloc()
		return
	}
	i := m.rng.IntN(len(m.blocks))
	switch x := m.rng.IntN(20); {
	case x < 4:
		m.realloc(i)
	case x < 6:
		m.move(i)
	case x == 6 && m.rng.IntN(50) == 0:
		m.heaps[m.blocks[i].heap].Trim()
	case x == 7 && m.rng.IntN(50) == 0:
		m.arena.Trim(int64(m.rng.IntN(4 << 20)))
	case grow && x < 15, !grow && x < 11:
		m.alloc()
	default:
		m.free(i)
	}
}

func TestModel(t *testing.T) {
	steps := 20000
	if testing.Short() || checked || !purgeZeroes {
		steps = 6000 // the slower builds
	}
	for _, seed := range seeds() {
		m := newModel(t, seed, 3)
		t.Logf("seed %d", seed)
		for i := range steps {
			m.step(i/1000%4 < 2 && len(m.blocks) < 1500)
			if i%1000 == 999 {
				m.audit()
			}
		}
		for len(m.blocks) > 0 {
			m.free(m.rng.IntN(len(m.blocks)))
		}
		m.audit()
		for _, h := range m.heaps {
			h.Trim()
		}
		m.arena.Purge()
		if s := m.arena.Stats(); s.Mapped != 0 || s.Free != 0 || s.Slabs != 0 || s.Larges != 0 {
			t.Fatalf("seed %d: not all given back: %+v", seed, s)
		}
	}
}

// TestTightReserve fills an arena to its end, frees and fills again with other
// sizes: free runs must join, whether they have pages or not.
func TestTightReserve(t *testing.T) {
	a := newArena(t, Options{Reserve: 16 << 20})
	h := a.NewHeap()
	for _, n := range []int{20 << 10, 100 << 10, 3 << 20, 15 << 20, 64 << 10} {
		var refs []Ref
		for range max(1, 920/int(granulesFor(n))) { // of 1023 granules
			refs = append(refs, h.Alloc(PurposeValue, n))
		}
		for i, r := range refs {
			if i%3 == 0 {
				a.Trim(1 << 20)
			}
			h.Free(PurposeValue, r, n)
		}
		if err := a.Audit(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestExhausted(t *testing.T) {
	a := newArena(t, Options{Reserve: 1 << 20})
	h := a.NewHeap()
	defer func() {
		if recover() == nil {
			t.Error("no panic when the reserve is exhausted")
		}
		h.Close()
	}()
	for {
		h.Alloc(PurposeValue, 1000)
	}
}
