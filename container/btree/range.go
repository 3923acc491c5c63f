package btree

import "dozo/arena"

// DeleteRange takes the items of the ranks from `from` up to but not including
// `to` out, and calls visit, which may be nil, for each in order. visit may free
// the entry; it must not use the tree.
func (t *Tree) DeleteRange(from, to int, visit func(score float64, ref arena.Ref)) {
	from, to = max(from, 0), min(to, t.Len())
	var p path
	for from < to {
		t.findRank(&p, from)
		v, i := p[0].node, p[0].i
		n := min(to-from, v.len()-i)
		if visit != nil {
			for j := i; j < i+n; j++ {
				visit(v.score(j), v.ref(j))
			}
		}
		t.warmBeside(v, i, n)
		t.remove(&p, n)
		to -= n
	}
}

// warmBeside asks for the entry of the item that takes the place of n removed ones at
// slot i: who takes items off an end one by one needs it next.
func (t *Tree) warmBeside(v node, i, n int) {
	switch {
	case i+n < v.len():
		t.arena.PrefetchBlock(v.ref(i + n))
	case i > 0:
		t.arena.PrefetchBlock(v.ref(i - 1))
	}
}

// FreeSome takes the last n items out as DeleteRange does, and tells whether
// there are more: the way to free a large tree in steps. The tree is whole after
// each step.
func (t *Tree) FreeSome(n int, visit func(score float64, ref arena.Ref)) (more bool) {
	t.DeleteRange(t.Len()-n, t.Len(), visit)
	return t.Len() > 0
}

// Free gives the tree's memory back, but not the entries', and leaves an empty
// tree. It costs a step for each node: FreeSome is for large trees.
func (t *Tree) Free() {
	if t.root.top != 0 {
		t.freeBelow(arena.Ref(t.root.top))
	}
	t.root = Root{}
}

func (t *Tree) freeBelow(r arena.Ref) {
	if v := t.node(r); !v.isLeaf() {
		for i := range v.len() {
			t.freeBelow(v.child(i))
		}
	}
	t.free(r)
}

// MoveNodes looks at the nodes on the way to the item of the given rank and on
// to the following leaves, leaves of them, and gives those that want asks for a
// new block: for active defragmentation want is Heap.Sparse. It returns the rank
// to go on from, 0 at the end. Each node is met once in a pass over a tree that
// does not change; a change may cause a node to be met twice, or not at all.
func (t *Tree) MoveNodes(rank, leaves int, want func(r arena.Ref, size int) bool) (next int) {
	var p path
	rank = max(rank, 0)
	for ; leaves > 0 && rank < t.Len(); leaves-- {
		t.findRank(&p, rank)
		rank += p[0].len() - p[0].i
		for level := 0; level < int(t.root.height) && (level == 0 || p[level].i == 0); level++ {
			t.moveNode(&p, level, want)
		}
	}
	if rank >= t.Len() {
		return 0
	}
	return rank
}

// moveNode gives the node at the level another block if want asks for it.
func (t *Tree) moveNode(p *path, level int, want func(r arena.Ref, size int) bool) {
	old := arena.Ref(t.root.top)
	top := level+1 == int(t.root.height)
	if !top {
		old = p[level+1].child(p[level+1].i)
	}
	size := p[level].kind().size
	if !want(old, size) {
		return
	}
	r := t.heap.Alloc(arena.PurposeBTree, size)
	copy(t.arena.Bytes(r, size), t.arena.Bytes(old, size))
	t.heap.Free(arena.PurposeBTree, old, size)
	if top {
		t.root.top = uint64(r)
	} else {
		p[level+1].setChild(p[level+1].i, r)
	}
	p[level].node = t.node(r)
}
