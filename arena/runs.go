package arena

import (
	"fmt"
	"math/bits"
	"unsafe"
)

const (
	granuleShift = 14
	// granuleSize is the unit in which heaps get memory from the arena.
	granuleSize = 1 << granuleShift

	descShift = 5
	descSize  = 1 << descShift
)

// kind is what a run of granules is. Only the first and the last granule of a
// run have a kind that means anything.
type kind uint8

const (
	kindReserved kind = iota // granule 0, and runs being purged: neither free nor in use
	kindDirty                // free, its pages may still be resident
	kindClean                // free, without pages (and zero, where purgeZeroes)
	kindSlab                 // first granule of a heap's slab
	kindLarge                // first granule of a large block
	kindBody                 // last granule of a slab or large block of several granules
)

// desc describes a run, in the place of the run's first granule; of a free run
// the last granule's descriptor has kind and length too. The descriptors live
// in a range of their own, not at the head of the memory they describe, for
// three reasons: a block of a power of two fits a slab exactly, blocks of a
// multiple of 64 bytes are aligned to cache lines, and the descriptors of many
// slabs spread over all sets of the cache instead of fighting for a few.
type desc struct {
	kind   kind // written under Arena.mu only
	class  uint8
	list   uint8 // which of the class's lists a slab is on
	length uint32
	next   uint32 // granule numbers; 0 = none
	prev   uint32
	free   uint16 // first free block: position in the slab in 8 bytes, plus 1; 0 = none
	carved uint16 // blocks from here on were never handed out; 8 bytes
	used   uint16 // blocks in use
	low    uint16 // when used falls below this, the slow path has work
	heap   uint32
}

// numBins is enough for runs of 1<<29 granules.
const numBins = 192

// binOf sorts run lengths: exact up to 31, then four bins a doubling.
func binOf(n uint32) int {
	if n < 32 {
		return int(n)
	}
	k := bits.Len32(n) // 6 for 32..63
	return 32 + (k-6)*4 + int(n>>(k-3)&3)
}

// runList holds the free runs of one kind by length.
type runList struct {
	kind     kind
	granules int64
	set      [numBins / 64]uint64 // which bins have runs
	heads    [numBins]uint32
}

func (a *Arena) desc(g uint32) *desc {
	return (*desc)(unsafe.Add(a.descs, uintptr(g)<<descShift))
}

// nextBin is the first bin from b on that has a run, or numBins.
func (l *runList) nextBin(b int) int {
	for w := b >> 6; w < len(l.set); w++ {
		m := l.set[w]
		if w == b>>6 {
			m &= ^uint64(0) << (b & 63)
		}
		if m != 0 {
			return w<<6 + bits.TrailingZeros64(m)
		}
	}
	return numBins
}

// lastBin is the last bin that has a run, or -1.
func (l *runList) lastBin() int {
	for w := len(l.set) - 1; w >= 0; w-- {
		if l.set[w] != 0 {
			return w<<6 + bits.Len64(l.set[w]) - 1
		}
	}
	return -1
}

// insert makes granules [g, g+n) a free run of l, as it is.
func (a *Arena) insert(l *runList, g, n uint32) {
	b := binOf(n)
	first, last := a.desc(g), a.desc(g+n-1)
	last.kind, last.length = l.kind, n
	first.kind, first.length = l.kind, n
	first.prev, first.next = 0, l.heads[b]
	if first.next != 0 {
		a.desc(first.next).prev = g
	}
	l.heads[b] = g
	l.set[b>>6] |= 1 << (b & 63)
	l.granules += int64(n)
}

// remove takes the run at g out of l and returns its length.
func (a *Arena) remove(l *runList, g uint32) uint32 {
	d := a.desc(g)
	b := binOf(d.length)
	if d.prev != 0 {
		a.desc(d.prev).next = d.next
	} else if l.heads[b] = d.next; d.next == 0 {
		l.set[b>>6] &^= 1 << (b & 63)
	}
	if d.next != 0 {
		a.desc(d.next).prev = d.prev
	}
	l.granules -= int64(d.length)
	a.setKind(g, d.length, kindReserved)
	return d.length
}

func (a *Arena) setKind(g, n uint32, k kind) {
	a.desc(g + n - 1).kind = k
	a.desc(g).kind = k
}

// join makes [g, g+n) free and merges it with its neighbours in l.
func (a *Arena) join(l *runList, g, n uint32) {
	if left := a.desc(g - 1); left.kind == l.kind {
		g -= a.remove(l, g-left.length)
		n += left.length
	}
	if g+n < a.top && a.desc(g+n).kind == l.kind {
		n += a.remove(l, g+n)
	}
	a.insert(l, g, n)
}

// binTries bounds the search in one bin, so that a take has a bounded cost.
const binTries = 8

// find looks for a run in l that has n granules at a multiple of align. It is
// a good fit, not always the best: bins are searched from the fitting one up,
// and in a bin the shortest of the first binTries runs is taken.
func (a *Arena) find(l *runList, n, align uint32) (g uint32, ok bool) {
	for b := l.nextBin(binOf(n)); b < numBins; b = l.nextBin(b + 1) {
		var best uint32
		tries := 0
		for g := l.heads[b]; g != 0 && tries < binTries; g = a.desc(g).next {
			length := a.desc(g).length
			fits := alignUp(g, align)+n <= g+length
			if fits && (best == 0 || length < a.desc(best).length) {
				best = g
			}
			tries++
		}
		if best != 0 {
			return best, true
		}
	}
	return 0, false
}

func alignUp(g, align uint32) uint32 { return (g + align - 1) &^ (align - 1) }

// takeRun gives n granules at a multiple of align, a power of two, to a heap.
// Resident memory is used first, then free addresses, then new ones; fresh asks for
// one without pages. clean says that the run has not been written to since it last had
// no pages.
func (a *Arena) takeRun(k kind, n, align uint32, fresh bool) (g uint32, clean bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if run, ok := a.find(&a.dirty, n, align); ok && !fresh {
		g = a.cut(&a.dirty, run, n, align)
	} else {
		g, clean = a.takeClean(n, align), purgeZeroes
	}
	a.own(k, g, n)
	a.mapped += int64(n)
	a.count(k, 1)
	return g, clean
}

// own writes down that a run is in the hands of a heap.
func (a *Arena) own(k kind, g, n uint32) {
	a.desc(g + n - 1).kind = kindBody
	d := a.desc(g)
	d.kind, d.length = k, n
}

// takeClean takes granules that have no pages. The server keeps a limit below
// the reserve (maxmemory), so running out here has no answer but to say so.
func (a *Arena) takeClean(n, align uint32) uint32 {
	g, err := a.findOrGrow(n, align)
	if err != nil {
		a.purgeAll()
		g, err = a.findOrGrow(n, align)
	}
	if err == nil {
		return g
	}
	panic(fmt.Sprintf("arena: out of memory: %v; %d bytes are in use, %d reserved: "+
		"set maxmemory below what the system grants this process",
		err, a.mapped<<granuleShift, a.data.reserved))
}

func (a *Arena) count(k kind, by int) {
	if k == kindSlab {
		a.slabs += by
	} else {
		a.larges += by
	}
}

// cut takes n aligned granules out of a free run and puts the rest back.
func (a *Arena) cut(l *runList, run, n, align uint32) uint32 {
	length := a.remove(l, run)
	g := alignUp(run, align)
	if g > run {
		a.insert(l, run, g-run)
	}
	if end := run + length; g+n < end {
		a.insert(l, g+n, end-g-n)
	}
	return g
}

func (a *Arena) findOrGrow(n, align uint32) (uint32, error) {
	if run, ok := a.find(&a.clean, n, align); ok {
		return a.cut(&a.clean, run, n, align), nil
	}
	return a.grow(n, align)
}

// grow takes granules that were never used, and the clean ones before them.
func (a *Arena) grow(n, align uint32) (uint32, error) {
	start := a.top
	if left := a.desc(start - 1); left.kind == kindClean {
		start -= left.length
	}
	g := alignUp(start, align)
	if err := a.ensure(g + n); err != nil {
		return 0, err
	}
	if start < a.top {
		a.remove(&a.clean, start)
	}
	end := max(a.top, g+n)
	a.top = end
	if g > start {
		a.insert(&a.clean, start, g-start)
	}
	if end > g+n {
		a.insert(&a.clean, g+n, end-g-n)
	}
	return g, nil
}

// ensure makes everything below granule g accessible.
func (a *Arena) ensure(g uint32) error {
	if err := a.data.ensure(int64(g) << granuleShift); err != nil {
		return err
	}
	a.reach.Store(uint64(a.data.committed))
	if err := a.marks.ensure(a.markBytes(g)); err != nil {
		return err
	}
	return a.meta.ensure(int64(g) << descShift)
}

// giveRun takes a run back from a heap. It tells whether more is free than need
// be, so that a trimStep is due.
func (a *Arena) giveRun(g uint32) bool {
	a.mu.Lock()
	d := a.desc(g)
	a.count(d.kind, -1)
	a.mapped -= int64(d.length)
	a.join(&a.dirty, g, d.length)
	due := a.dirty.granules > a.keepDirty()
	a.mu.Unlock()
	return due
}

// resizeRun makes the run at g one of n granules if what follows it allows.
func (a *Arena) resizeRun(g, n uint32) bool {
	a.mu.Lock()
	d := a.desc(g)
	k, have := d.kind, d.length
	ok := n < have || a.annex(g+have, n-have)
	if ok {
		a.own(k, g, n)
		a.mapped += int64(n) - int64(have)
	}
	if n < have {
		a.join(&a.dirty, g+n, have-n)
	}
	due := a.dirty.granules > a.keepDirty()
	a.mu.Unlock()
	if due {
		a.trimStep()
	}
	return ok
}

// annex takes the n granules at g if they are free.
func (a *Arena) annex(g, n uint32) bool {
	if g == a.top {
		_, err := a.grow(n, 1)
		return err == nil
	}
	for _, l := range [...]*runList{&a.dirty, &a.clean} {
		if d := a.desc(g); d.kind == l.kind && d.length >= n {
			a.cut(l, g, n, 1)
			return true
		}
	}
	return false
}
