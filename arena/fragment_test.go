package arena

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

// valueSize draws sizes as caches see them: most around the median, few large.
func valueSize(rng *rand.Rand, median float64) int {
	return min(max(int(median*math.Exp(rng.NormFloat64()*0.7)), 16), 8000)
}

// crowd is a heap full of blocks of mixed sizes.
type crowd struct {
	arena *Arena
	heap  *Heap
	rng   *rand.Rand
	refs  []Ref
	sizes []int
	asked int64 // bytes that were asked for
}

func (c *crowd) fill(total int64, median float64) {
	for c.asked < total {
		n := valueSize(c.rng, median)
		c.refs = append(c.refs, c.heap.Alloc(PurposeValue, n))
		c.sizes = append(c.sizes, n)
		c.asked += int64(n)
	}
}

// thin frees each block with probability p.
func (c *crowd) thin(p float64) {
	refs, sizes := c.refs, c.sizes
	c.refs, c.sizes = nil, nil
	for i, r := range refs {
		if c.rng.Float64() < p {
			c.heap.Free(PurposeValue, r, sizes[i])
			c.asked -= int64(sizes[i])
			continue
		}
		c.refs, c.sizes = append(c.refs, r), append(c.sizes, sizes[i])
	}
}

// compact is one pass of active defragmentation; it returns how many moved.
func (c *crowd) compact() (moved int) {
	for more := true; more; {
		_, more = c.heap.MarkSparse()
	}
	for i, r := range c.refs {
		to, ok := c.heap.MoveSparse(PurposeValue, r, c.sizes[i])
		if c.refs[i] = to; ok {
			moved++
		}
	}
	return moved
}

// expect checks the bytes taken from the arena for each byte asked for.
func (c *crowd) expect(t *testing.T, when string, most float64) {
	t.Helper()
	mapped := c.arena.Stats().Mapped
	ratio := float64(mapped) / float64(c.asked)
	t.Logf("%-40s asked %5.1f MiB, classes %.3f, slabs %.3f", when,
		float64(c.asked)/(1<<20), float64(c.heap.Used())/float64(c.asked), ratio)
	if ratio > most {
		t.Errorf("%s: %.3f bytes taken for each asked, at most %.3f expected", when, ratio, most)
	}
}

func TestFragmentation(t *testing.T) {
	if !purgeZeroes {
		t.Skip("one goroutine: nothing for the race detector, and slow under it")
	}
	a := newArena(t, Options{Reserve: 256 << 20})
	c := &crowd{arena: a, heap: a.NewHeap(), rng: rand.New(rand.NewPCG(7, 7))}
	const total = 24 << 20
	c.fill(total, 120)
	c.expect(t, "filled", 1.10)
	for range 4 {
		c.thin(0.25)
		c.fill(total, 120)
	}
	c.expect(t, "a quarter replaced, four times", 1.10)
	for range 4 {
		c.thin(0.25)
		c.fill(total, 200)
	}
	c.expect(t, "the same with larger values", 1.35)
	c.thin(0.6)
	c.expect(t, "60% freed at random", 3.4)
	moved := c.compact()
	t.Logf("moved %d of %d", moved, len(c.refs))
	c.expect(t, "compacted", 1.20)
	if again := c.compact(); again > len(c.refs)/50 {
		t.Errorf("a second pass moved %d of %d", again, len(c.refs))
	}
	c.expect(t, "compacted again", 1.20)
	c.heap.Close()
}

// TestHeapsInParallel has goroutines, each with its heap, on one arena.
func TestHeapsInParallel(t *testing.T) {
	a := newArena(t, Options{Reserve: 128 << 20})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			c := &crowd{arena: a, heap: a.NewHeap(), rng: rand.New(rand.NewPCG(uint64(w), 1))}
			for range 4 {
				c.fill(3<<20, 400)
				c.refs = append(c.refs, c.heap.Alloc(PurposeValue, 300000))
				c.sizes = append(c.sizes, 300000)
				c.thin(0.9)
				a.Trim(1 << 20)
			}
			c.thin(1)
			if err := c.heap.Audit(); err != nil {
				t.Error(err)
			}
			c.heap.Close()
		})
	}
	wg.Wait()
	if err := a.Audit(); err != nil {
		t.Error(err)
	}
	if s := a.Stats(); s.Mapped != 0 || s.Used != 0 || s.Heaps != 0 {
		t.Errorf("%+v", s)
	}
}
