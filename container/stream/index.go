package stream

import (
	"unsafe"

	"dozo/arena"
)

// The index: a B+tree from IDs to words, for the nodes of a stream and for pending
// entries. Leaves and inner pages are alike: pairs in order, where an inner page has
// the Ref of a page for a value. The key of a pair in an inner page is no later than
// any key below it, and later than all keys below the pair in front of it; that of
// the first pair says nothing, since all that is earlier goes there as well.
//
// Pages begin small, since most indexes do: a consumer has one entry pending.
// They grow step by step to 1 KiB. What is put behind the last pair of a full
// page begins a new one and leaves the old one full, so an index that grows at
// its end, as they all do, is dense. There are no links between leaves: whoever
// has come to the end of one looks for the next key, which costs as much as a
// find once in 42 pairs, and leaves one word to change when a page moves.

const (
	pairsMax = 42 // 1 KiB
	// pairsLow is when a page looks for a neighbour to join, and pairsJoined how
	// many pairs both may have then.
	pairsLow    = 10
	pairsJoined = 31
	// heightMax fits the three low bits of a Ref.
	heightMax = 7
)

// pageSteps are the numbers of pairs that pages have room for.
var pageSteps = [...]uint16{1, 2, 4, 8, 16, 28, pairsMax}

// stepBehind is the step that a page behind a full one begins with.
const stepBehind = 3

type pair struct {
	key   ID
	value uint64
}

// page is the start of a page's block; the pairs follow.
type page struct {
	count uint16
	step  uint16 // into pageSteps
	_     uint32
}

const pageHeader = int(unsafe.Sizeof(page{}))

func pageBytes(step uint16) int {
	return pageHeader + int(pageSteps[step])*int(unsafe.Sizeof(pair{}))
}

// stepFor is the step that has room for n pairs.
func stepFor(n int) (step uint16) {
	for int(pageSteps[step]) < n {
		step++
	}
	return step
}

// room is all pairs that the page has room for.
func (g *page) room() []pair {
	return unsafe.Slice((*pair)(unsafe.Add(unsafe.Pointer(g), pageHeader)), pageSteps[g.step])
}

func (g *page) pairs() []pair { return g.room()[:g.count] }

func (g *page) full() bool { return g.count == pageSteps[g.step] }

// floor is the last pair whose key is not later than k, -1 if there is none. The
// end is looked at first: that is where streams grow.
func (g *page) floor(k ID) int {
	ps := g.pairs()
	lo, hi := 0, len(ps)-1
	if !k.Less(ps[hi].key) {
		return hi
	}
	for lo < hi {
		if m := int(uint(lo+hi) >> 1); k.Less(ps[m].key) {
			hi = m
		} else {
			lo = m + 1
		}
	}
	return lo - 1
}

// indexRoot is an index at rest. The zero root is an empty one.
type indexRoot struct {
	top   uint64 // Ref of the first page, and the height in the low bits
	count uint64
	bytes int64 // of the pages
}

// index is a root with what is needed to work on it.
type index struct {
	space
	root *indexRoot
}

func (x *index) height() int { return int(x.root.top & heightMax) }

func (x *index) top() arena.Ref { return arena.Ref(x.root.top &^ heightMax) }

func (x *index) setTop(r arena.Ref, height int) { x.root.top = uint64(r) | uint64(height) }

func (x *index) page(r arena.Ref) *page { return (*page)(x.arena.Ptr(r)) }

func (x *index) newPage(step uint16) (arena.Ref, *page) {
	n := pageBytes(step)
	r := x.alloc(n)
	x.root.bytes += int64(arena.UsableSize(n))
	g := x.page(r)
	*g = page{step: step}
	return r, g
}

func (x *index) freePage(r arena.Ref) {
	n := pageBytes(x.page(r).step)
	x.root.bytes -= int64(arena.UsableSize(n))
	x.free(r, n)
}

// path is the way to a leaf, which is level 0: the page of each level, and which of
// its pairs is meant.
type path [heightMax + 1]struct {
	ref arena.Ref
	i   int
}

// descend is the way to the leaf where k belongs. i is floor there.
func (x *index) descend(p *path, k ID) {
	r := x.top()
	for l := x.height(); ; l-- {
		g := x.page(r)
		i := g.floor(k)
		p[l].ref = r
		if l == 0 {
			p[0].i = i
			return
		}
		p[l].i = max(i, 0)
		r = arena.Ref(g.pairs()[p[l].i].value)
	}
}

// down makes p the way from a pair of level l to the first or the last pair below.
func (x *index) down(p *path, l int, last bool) {
	for ; l > 0; l-- {
		r := arena.Ref(x.page(p[l].ref).pairs()[p[l].i].value)
		p[l-1].ref, p[l-1].i = r, 0
		if last {
			p[l-1].i = int(x.page(r).count) - 1
		}
	}
}

// spot is a pair of a leaf. It is good until the index changes.
type spot struct {
	page *page
	i    int
}

func (s spot) ok() bool { return s.page != nil }

func (s spot) pair() *pair { return &s.page.pairs()[s.i] }

func (x *index) spot(p *path) spot { return spot{x.page(p[0].ref), p[0].i} }

// find is the pair of k.
func (x *index) find(k ID) spot {
	if s := x.floor(k); s.ok() && s.pair().key == k {
		return s
	}
	return spot{}
}

// floor is the last pair that is not later than k.
func (x *index) floor(k ID) spot {
	if x.root.top == 0 {
		return spot{}
	}
	var p path
	x.descend(&p, k)
	if p[0].i >= 0 {
		return x.spot(&p)
	}
	for l := 1; l <= x.height(); l++ {
		if p[l].i > 0 {
			p[l].i--
			x.down(&p, l, true)
			return x.spot(&p)
		}
	}
	return spot{}
}

// ceil is the first pair that is not earlier than k.
func (x *index) ceil(k ID) spot {
	if x.root.top == 0 {
		return spot{}
	}
	var p path
	x.descend(&p, k)
	g := x.page(p[0].ref)
	if p[0].i < 0 || g.pairs()[p[0].i].key != k {
		p[0].i++
	}
	if p[0].i < int(g.count) {
		return x.spot(&p)
	}
	for l := 1; l <= x.height(); l++ {
		if p[l].i++; p[l].i < int(x.page(p[l].ref).count) {
			x.down(&p, l, false)
			return x.spot(&p)
		}
	}
	return spot{}
}

// last is the last pair.
func (x *index) last() spot {
	var p path
	if !x.lastPath(&p) {
		return spot{}
	}
	return x.spot(&p)
}

func (x *index) lastPath(p *path) bool {
	if x.root.top == 0 {
		return false
	}
	h := x.height()
	p[h].ref = x.top()
	p[h].i = int(x.page(p[h].ref).count) - 1
	x.down(p, h, true)
	return true
}

// after and before are the neighbours of a pair.
func (x *index) after(s spot) spot {
	if s.i+1 < int(s.page.count) {
		return spot{s.page, s.i + 1}
	}
	if k, ok := s.pair().key.Next(); ok {
		return x.ceil(k)
	}
	return spot{}
}

func (x *index) before(s spot) spot {
	if s.i > 0 {
		return spot{s.page, s.i - 1}
	}
	if k, ok := s.pair().key.Prev(); ok {
		return x.floor(k)
	}
	return spot{}
}
