package btree

import (
	"bytes"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/internal/invariants"
)

// Root is a tree at rest: plain words, without Go pointers, so that the owner
// of a big sorted set can keep it inside an entry. The zero Root is an empty
// tree.
type Root struct {
	top    uint64 // the uppermost node's Ref
	count  uint64
	leaves uint32
	inners uint32
	height uint32 // levels: 0 for an empty tree, 1 for a single leaf
	_      uint32
}

// Len is the number of items.
func (r *Root) Len() int { return int(r.count) }

// Bytes is the memory that the tree takes, the entries apart.
func (r *Root) Bytes() int64 {
	return int64(r.leaves)*int64(arena.UsableSize(leafSize)) + int64(r.inners)*int64(arena.UsableSize(innerSize))
}

// Tree is a Root with what is needed to work on it. Two Trees must not be used
// on copies of one Root, unless nothing is changed.
type Tree struct {
	root  Root
	arena *arena.Arena
	heap  *arena.Heap
}

// New makes an empty tree, which takes no memory until the first Insert.
func New(h *arena.Heap) Tree { return Attach(h, Root{}) }

// Attach makes a tree of a Root that a tree with the same heap gave.
func Attach(h *arena.Heap, r Root) Tree { return Tree{root: r, arena: h.Arena(), heap: h} }

// Root is the tree at rest. It is outdated by the next change.
func (t *Tree) Root() Root { return t.root }

// Len is the number of items.
func (t *Tree) Len() int { return int(t.root.count) }

// Bytes is the memory that the tree takes, the entries apart.
func (t *Tree) Bytes() int64 { return t.root.Bytes() }

func (t *Tree) node(r arena.Ref) node { return node{t.arena.Ptr(r)} }

func (t *Tree) top() node { return t.node(arena.Ref(t.root.top)) }

func (t *Tree) member(r arena.Ref) []byte { return entry.At(t.arena, r).Key() }

// alloc makes an empty node.
func (t *Tree) alloc(level int) (arena.Ref, node) {
	size := leafSize
	if level == 0 {
		t.root.leaves++
	} else {
		size = innerSize
		t.root.inners++
	}
	r := t.heap.Alloc(arena.PurposeBTree, size)
	v := t.node(r)
	v.init(level)
	return r, v
}

// free gives a node back, but not what is below it.
func (t *Tree) free(r arena.Ref) {
	k := t.node(r).kind()
	if k == &kinds[0] {
		t.root.leaves--
	} else {
		t.root.inners--
	}
	t.heap.Free(arena.PurposeBTree, r, k.size)
}

// step is a node on the way from the top to a leaf, and the slot in it that the
// way goes on from; in the leaf, the slot of an item or the gap before it.
type step struct {
	node
	i int
}

// path is the way to a leaf, which is path[0].
type path [heightMax]step

// Insert adds the item: a score, which is not NaN, and an entry, whose key is
// the member. There must be no item with both the same.
func (t *Tree) Insert(score float64, ref arena.Ref) {
	b := AfterItem(score, t.member(ref))
	var p path
	if t.root.top != 0 {
		t.find(&p, &b)
	}
	if invariants.Enabled {
		invariants.Check(score == score, "btree: a score is not a number")
		invariants.Check(!t.isAt(&p, score, b.member), "btree: %q inserted twice with score %v", b.member, score)
	}
	t.put(&p, score, ref)
}

// Append adds an item that comes after all others: the way to build a tree from
// sorted input, which leaves the leaves full.
func (t *Tree) Append(score float64, ref arena.Ref) {
	if invariants.Enabled {
		b := FromItem(score, t.member(ref))
		invariants.Check(t.CountBelow(b) == t.Len(), "btree: appended %q with score %v, which is not the last", b.member, score)
	}
	var p path
	if t.root.top != 0 {
		t.findLast(&p)
	}
	t.put(&p, score, ref)
}

// isAt tells whether the item before the gap that p leads to is the given one.
func (t *Tree) isAt(p *path, score float64, member []byte) bool {
	v, i := p[0].node, p[0].i-1
	return i >= 0 && v.score(i) == score && bytes.Equal(t.member(v.ref(i)), member)
}

// findItem leads p to an item.
func (t *Tree) findItem(p *path, score float64, member []byte) bool {
	if t.root.top == 0 {
		return false
	}
	b := AfterItem(score, member)
	t.find(p, &b)
	if !t.isAt(p, score, member) {
		return false
	}
	p[0].i--
	return true
}

// Delete takes an item out and returns its entry, which is the caller's.
func (t *Tree) Delete(score float64, member []byte) (ref arena.Ref, ok bool) {
	var p path
	if !t.findItem(&p, score, member) {
		return 0, false
	}
	ref = p[0].ref(p[0].i)
	t.remove(&p, 1)
	return ref, true
}

// Update changes an item's score. It returns false when there is no such item.
func (t *Tree) Update(score float64, member []byte, to float64) bool {
	var p path
	if !t.findItem(&p, score, member) {
		return false
	}
	v, i := p[0].node, p[0].i
	if t.fits(&p, to, member) {
		v.setScore(i, to)
		if i == 0 {
			t.refreshFirst(&p, 0)
		}
		return true
	}
	ref := v.ref(i)
	t.remove(&p, 1)
	t.Insert(to, ref)
	return true
}

// fits tells whether the item that p leads to keeps its place with another
// score. It looks no further than the leaf, so false may be wrong.
func (t *Tree) fits(p *path, score float64, member []byte) bool {
	v, i := p[0].node, p[0].i
	if t.root.height > 1 && (i == 0 || i == v.len()-1) {
		return false
	}
	from := FromItem(score, member)
	return (i == 0 || t.below(v, i-1, &from)) && (i == v.len()-1 || !t.below(v, i+1, &from))
}

// Replace says that an item's entry is another block now, with the same member:
// active defragmentation moves it. The old block must still be there. It
// returns false when there is no such item.
func (t *Tree) Replace(score float64, member []byte, ref arena.Ref) bool {
	var p path
	if !t.findItem(&p, score, member) {
		return false
	}
	p[0].set(p[0].i, p[0].score(p[0].i), ref)
	if p[0].i == 0 {
		t.refreshFirst(&p, 0)
	}
	return true
}
