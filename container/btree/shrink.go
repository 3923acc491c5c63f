package btree

import "dozo/arena"

// fill looks after a node that has few slots in use. It has a neighbour: no inner
// node is left with a single child.
func (t *Tree) fill(p *path, level int) {
	if level+1 == int(t.root.height) {
		t.shrink()
		return
	}
	v, up := p[level].node, p[level+1]
	if v.len() == 0 {
		t.drop(p, level+1)
		return
	}
	k := v.kind()
	best := -1
	for _, i := range [2]int{up.i - 1, up.i} {
		if i >= 0 && i+1 < up.len() && (best < 0 || t.pairLen(up.node, i) < t.pairLen(up.node, best)) {
			best = i
		}
	}
	switch n := t.pairLen(up.node, best); {
	case n <= k.joint:
		t.join(p, level, best)
	case v.len() < k.scant:
		t.balance(p, level, best)
	}
}

// join makes one node of child i of the node above and the next.
func (t *Tree) join(p *path, level, i int) {
	up := &p[level+1]
	l, r := t.node(up.child(i)), t.node(up.child(i+1))
	l.pass(r, -r.len())
	t.refresh(up.node, i)
	up.i = i + 1
	t.drop(p, level+1)
}

// drop frees the child, which is empty, that p leads to at the level.
func (t *Tree) drop(p *path, level int) {
	v, i := p[level].node, p[level].i
	t.free(v.child(i))
	v.cut(i, 1)
	if i == 0 {
		t.refreshFirst(p, level)
	}
	if v.len() < v.kind().low {
		t.fill(p, level)
	}
}

// shrink takes nodes off the top that serve no purpose.
func (t *Tree) shrink() {
	v := t.top()
	for v.len() == 1 && !v.isLeaf() {
		r := v.child(0)
		t.free(arena.Ref(t.root.top))
		t.root.top = uint64(r)
		t.root.height--
		v = t.node(r)
	}
	if v.len() == 0 {
		t.free(arena.Ref(t.root.top))
		t.root.top, t.root.height = 0, 0
	}
}
