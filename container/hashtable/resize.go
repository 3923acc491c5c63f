package hashtable

import (
	"dozo/arena"
	"dozo/container/entry"
)

const (
	// fillTenths is the load that a segment is built with, in tenths.
	fillTenths = 7
	// sparseTenths is the load below which it is made smaller or merged.
	sparseTenths = 4
	// mergedTenths is the most that a merged segment is filled.
	mergedTenths = 5
)

// sizes are the sizes of segments in lines, the header included. They are such
// that the arena wastes nothing on them.
var sizes = [...]uint8{2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, maxLines}

// linesFor is the size to build a segment of n entries with.
func linesFor(n uint) uint {
	for _, l := range sizes {
		if n*10 <= (uint(l)*lineSlots-(lineSlots-stashSlots))*fillTenths {
			return uint(l)
		}
	}
	return maxLines
}

// linesAbove is the next size above lines.
func linesAbove(lines uint) uint {
	for _, l := range sizes {
		if uint(l) > lines {
			return uint(l)
		}
	}
	return maxLines
}

// newSegment makes an empty segment.
func (t *Table) newSegment(lines, depth, base uint) segment {
	n := int(lines) * lineSize
	t.root.bytes += uint64(arena.UsableSize(n))
	r := t.heap.AllocZero(arena.PurposeTable, n)
	return t.open(segOf(r, lines-1, depth, base))
}

func (t *Table) freeSegment(s segment) {
	t.freeChain(s)
	t.free(s.ref(), int(s.lines())*lineSize)
}

// firstSegment is what an empty table gets.
func (t *Table) firstSegment() seg {
	s := t.newSegment(uint(sizes[0]), 0, 0)
	t.root.top = uint64(s.seg)
	t.tally(0, 1)
	return s.seg
}

// grow makes room in the segment that hash belongs to: larger, or two of it.
// It returns false when the segment must stay as it is.
func (t *Table) grow(v segment, hash uint64) bool {
	if v.lines() < maxLines {
		t.resize(v, hash, linesAbove(v.lines()))
		return true
	}
	if v.depth() == depthMax || v.depth() == uint(t.root.depth) && !t.mayDouble() {
		return false
	}
	t.split(v, hash)
	return true
}

// resize rebuilds the segment that hash belongs to with another size.
func (t *Table) resize(v segment, hash uint64, lines uint) {
	n := t.newSegment(lines, v.depth(), v.base())
	f := filler{t: t, to: n}
	t.pour(v, &f, &f)
	f.finish()
	t.setRange(hash, n.seg)
	t.freeSegment(v)
	t.checkSegment(n)
}

// split makes two segments, with one more bit of prefix, of the one that hash
// belongs to.
func (t *Table) split(v segment, hash uint64) {
	if v.lag() == lagMax {
		v = t.rebase(v)
	}
	depth := v.depth() + 1
	if v.depth() == uint(t.root.depth) {
		t.doubleDirectory()
	}
	ones := t.countOnes(v)
	low := t.newSegment(linesFor(v.header().count()+uint(t.chained(v))-ones), depth, v.base())
	high := t.newSegment(linesFor(ones), depth, v.base())
	t.fillBoth(v, low, high)
	bit := uint64(1) << (64 - depth)
	t.setRange(hash&^bit, low.seg)
	t.setRange(hash|bit, high.seg)
	t.tally(v.depth(), -1)
	t.tally(depth, 2)
	t.freeSegment(v)
	t.checkSegment(low)
	t.checkSegment(high)
}

// countOnes is how many entries of v have a one right after the prefix.
func (t *Table) countOnes(v segment) (n uint) {
	lag := v.lag()
	for _, w := range v.words() {
		n += uint(w << lag >> 63)
	}
	for c := t.chainOf(v); c != nil; c = t.nextLink(c) {
		for _, w := range c.words[:c.used()] {
			n += uint(w << lag >> 63)
		}
	}
	return n
}

// rebase computes the hashes of the segment's entries anew, from their keys, so
// that the tags begin where the prefix ends. Nothing moves: the bits that tell
// the home are the same. The directory's words are left as they were: the
// caller replaces them.
func (t *Table) rebase(v segment) segment {
	to := segOf(v.ref(), v.buckets(), v.depth(), v.depth())
	t.rebaseWords(v.words(), to.base())
	for c := t.chainOf(v); c != nil; c = t.nextLink(c) {
		t.rebaseWords(c.words[:c.used()], to.base())
	}
	return segment{to, v.p}
}

func (t *Table) rebaseWords(words []word, base uint) {
	for i, w := range words {
		if w != 0 {
			words[i] = wordOf(t.hashOf(w), base, refOf(w))
		}
	}
}

// hashOf is the hash of an entry's key.
func (t *Table) hashOf(w word) uint64 { return t.hash(entry.At(t.arena, refOf(w)).Key()) }

// shrink is called when the segment that hash belongs to has become sparse.
func (t *Table) shrink(v segment, hash uint64) {
	if v.depth() > 0 && t.merge(v, hash) {
		return
	}
	if lines := linesFor(v.header().count()); lines < v.lines() {
		t.resize(v, hash, lines)
	}
}

// merge makes one segment of the one that hash belongs to and its sibling, when
// they fit in one with room to spare.
//
// A sibling that has been split further cannot be merged with. It does not have
// to be tried again later from here: when its parts are merged to one, they get
// sparse in turn, and try this segment.
func (t *Table) merge(v segment, hash uint64) bool {
	bit := uint64(1) << (64 - v.depth())
	u := t.open(t.at(hash ^ bit))
	if u.depth() != v.depth() || u.header().chain() != 0 {
		return false
	}
	n := v.header().count() + u.header().count()
	if n*10 > (maxLines*lineSlots)*mergedTenths {
		return false
	}
	low, high := v, u
	if hash&bit != 0 {
		low, high = u, v
	}
	depth := v.depth() - 1
	m := t.newSegment(linesFor(n), depth, min(low.base(), high.base(), depth))
	f := filler{t: t, to: m}
	f.pourSibling(low, hash&^bit)
	f.pourSibling(high, hash|bit)
	f.finish()
	t.setRange(hash, m.seg)
	t.tally(v.depth(), -2)
	t.tally(depth, 1)
	t.freeSegment(low)
	t.freeSegment(high)
	t.trimDirectory()
	t.checkSegment(m)
	return true
}
