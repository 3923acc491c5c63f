package btree

import (
	"bytes"
	"math/bits"
	"unsafe"
)

// Bound is a place between items: all that are less lie below it.
type Bound struct {
	score  float64
	member []byte
	by     order
	after  bool // items equal to the bound lie below it
}

// order is what of an item a bound looks at.
type order uint8

const (
	byScore order = iota
	byItem
	byMember
)

// FromScore is the place before all items of a score.
func FromScore(score float64) Bound { return Bound{score: score} }

// AfterScore is the place behind all items of a score.
func AfterScore(score float64) Bound { return Bound{score: score, after: true} }

// FromItem is the place before an item, which need not be in the tree.
func FromItem(score float64, member []byte) Bound {
	return Bound{score: score, member: member, by: byItem}
}

// AfterItem is the place behind an item, which need not be in the tree.
func AfterItem(score float64, member []byte) Bound {
	return Bound{score: score, member: member, by: byItem, after: true}
}

// FromMember is the place before a member in a tree whose scores are all equal.
// In any other it is some place.
func FromMember(member []byte) Bound { return Bound{member: member, by: byMember} }

// AfterMember is the place behind a member in a tree whose scores are all
// equal. In any other it is some place.
func AfterMember(member []byte) Bound { return Bound{member: member, by: byMember, after: true} }

// search is how many of the slots before slot n lie below the bound, those
// before slot lo taken for granted.
func (t *Tree) search(v node, lo, n int, b *Bound) int {
	switch b.by {
	case byScore:
		if b.after {
			return v.upper(lo, n, b.score)
		}
		return v.lower(lo, n, b.score)
	case byItem:
		lo = v.lower(lo, n, b.score)
		if lo == n || v.score(lo) != b.score {
			return lo
		}
		n = v.upper(lo+1, n, b.score)
	}
	for lo < n {
		mid := (lo + n) / 2
		if t.memberBelow(v, mid, b) {
			lo = mid + 1
		} else {
			n = mid
		}
	}
	return lo
}

// memberBelow compares members only.
func (t *Tree) memberBelow(v node, i int, b *Bound) bool {
	c := bytes.Compare(t.member(v.ref(i)), b.member)
	return c < 0 || c == 0 && b.after
}

// below tells whether item i lies below a bound by item.
func (t *Tree) below(v node, i int, b *Bound) bool {
	s := v.score(i)
	return s < b.score || s == b.score && t.memberBelow(v, i, b)
}

// group is how many keys count looks past at first.
const group = 8

// count is how many keys from slot lo to n are less than key, plus lo. It looks
// at the last of each group, and then at all of one: none of that waits for
// anything, and there is no branch to be foretold wrongly but those of the
// loops. Halving takes twice as long.
func (v node) count(lo, n int, key uint64) int {
	p := (*[max(leafCap, innerCap)]uint64)(unsafe.Add(v.p, headerSize))
	var groups uint64
	for i := lo + group - 1; i < n; i += group {
		_, less := bits.Sub64(p[i], key, 0)
		groups += less
	}
	lo += int(groups) * group
	var k uint64
	for i := lo; i < min(lo+group-1, n); i++ {
		_, less := bits.Sub64(p[i], key, 0)
		k += less
	}
	return lo + int(k)
}

// lower is the first slot from lo to n whose score is not less than s.
func (v node) lower(lo, n int, s float64) int {
	if s == 0 {
		return v.count(lo, n, minusZero)
	}
	return v.count(lo, n, keyOf(s))
}

// upper is the first slot from lo to n whose score is greater than s.
func (v node) upper(lo, n int, s float64) int {
	if s == 0 {
		return v.count(lo, n, plusZero+1)
	}
	return v.count(lo, n, keyOf(s)+1)
}

// find leads p to the gap where the bound is. The tree must not be empty.
func (t *Tree) find(p *path, b *Bound) {
	v := t.top()
	for level := int(t.root.height) - 1; level > 0; level-- {
		i := t.search(v, 1, v.len(), b) - 1
		p[level] = step{v, i}
		v = t.node(v.child(i))
	}
	p[0] = step{v, t.search(v, 0, v.len(), b)}
}

// findLast leads p to the gap behind all items. The tree must not be empty.
func (t *Tree) findLast(p *path) {
	v := t.top()
	for level := int(t.root.height) - 1; level > 0; level-- {
		i := v.len() - 1
		p[level] = step{v, i}
		v = t.node(v.child(i))
	}
	p[0] = step{v, v.len()}
}

// findRank leads p to the item of a rank below Len.
func (t *Tree) findRank(p *path, rank int) {
	v := t.top()
	for level := int(t.root.height) - 1; level > 0; level-- {
		i := 0
		for n := v.total(0); rank >= n; n = v.total(i) {
			rank -= n
			i++
		}
		p[level] = step{v, i}
		v = t.node(v.child(i))
	}
	p[0] = step{v, rank}
}

// place is where a bound is: a leaf, the gap in it, and the rank of the leaf's
// first item. The tree must not be empty.
func (t *Tree) place(b *Bound) (v node, i, start int) {
	v = t.top()
	for level := int(t.root.height) - 1; level > 0; level-- {
		i := t.search(v, 1, v.len(), b) - 1
		for j := range i {
			start += v.total(j)
		}
		v = t.node(v.child(i))
	}
	return v, t.search(v, 0, v.len(), b), start
}

// CountBelow is how many items lie below the bound: the rank of the first that
// does not. The difference of two is how many lie between.
func (t *Tree) CountBelow(b Bound) int {
	if t.root.top == 0 {
		return 0
	}
	_, i, start := t.place(&b)
	return start + i
}

// Rank is how many items come before an item.
func (t *Tree) Rank(score float64, member []byte) (rank int, ok bool) {
	if t.root.top == 0 {
		return 0, false
	}
	b := AfterItem(score, member)
	v, i, start := t.place(&b)
	if i == 0 || v.score(i-1) != score || !bytes.Equal(t.member(v.ref(i-1)), member) {
		return 0, false
	}
	return start + i - 1, true
}
