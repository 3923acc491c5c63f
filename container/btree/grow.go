package btree

import "dozo/arena"

// edge is where a change happens: items that come in order at one end of the
// tree get new nodes at that end and leave full ones behind.
type edge int

const (
	leftEdge  edge = -1
	noEdge    edge = 0
	rightEdge edge = 1
)

// edgeOf tells whether the gap that p leads to is at one end of the tree.
func (t *Tree) edgeOf(p *path) edge {
	left, right := p[0].i == 0, p[0].i == p[0].len()
	for level := 1; level < int(t.root.height); level++ {
		left = left && p[level].i == 0
		right = right && p[level].i == p[level].len()-1
	}
	switch {
	case right:
		return rightEdge
	case left:
		return leftEdge
	}
	return noEdge
}

// makeRoom makes sure that the node at the level, which is full, has a free
// slot, and leads p to the same gap, or child, as before.
func (t *Tree) makeRoom(p *path, level int, at edge) {
	if level+1 == int(t.root.height) {
		t.raise(p)
	}
	if at == noEdge && t.share(p, level) {
		return
	}
	if p[level+1].len() == kinds[1].slots {
		t.makeRoom(p, level+1, at)
		if at == noEdge && t.share(p, level) { // it may have another neighbour now
			return
		}
	}
	if at == noEdge {
		t.split(p, level)
	} else {
		t.extend(p, level, at)
	}
}

// raise puts a new node on top, with the old one as its only child.
func (t *Tree) raise(p *path) {
	level := int(t.root.height)
	r, v := t.alloc(level)
	t.adopt(v, 0, arena.Ref(t.root.top))
	t.root.top = uint64(r)
	t.root.height++
	p[level] = step{v, 0}
}

// share gives some slots of a full node to a neighbour that has room.
func (t *Tree) share(p *path, level int) bool {
	k := p[level].kind()
	up := p[level+1]
	for _, i := range [2]int{up.i - 1, up.i} {
		if i < 0 || i+1 >= up.len() {
			continue
		}
		if t.pairLen(up.node, i) <= 2*k.slots-k.room {
			t.balance(p, level, i)
			return true
		}
	}
	return false
}

// pairLen is how many slots of child i and the next are in use. For leaves that
// is known without a look at them.
func (t *Tree) pairLen(v node, i int) int {
	if v.level() == 1 {
		return v.total(i) + v.total(i+1)
	}
	return t.node(v.child(i)).len() + t.node(v.child(i+1)).len()
}

// balance makes child i of the node above and the next equally full.
func (t *Tree) balance(p *path, level, i int) {
	up := p[level+1].node
	l, r := t.node(up.child(i)), t.node(up.child(i+1))
	g := t.position(p, level, i)
	l.pass(r, l.len()-(l.len()+r.len()+1)/2)
	t.settle(p, level, i, 2, g)
}

// position is the slot that p leads to at the level, counted from the first
// slot of child i of the node above.
func (t *Tree) position(p *path, level, i int) int {
	g := p[level].i
	for j := i; j < p[level+1].i; j++ {
		g += t.node(p[level+1].child(j)).len()
	}
	return g
}

// settle writes down what has become of n children from child i on, and leads p
// to position g of them.
func (t *Tree) settle(p *path, level, i, n, g int) {
	up := &p[level+1]
	found := false
	for j := i; j < i+n; j++ {
		t.refresh(up.node, j)
		c := t.node(up.child(j))
		if !found && (g < c.len() || j == i+n-1) {
			found = true
			up.i, p[level] = j, step{c, g}
		}
		g -= c.len()
	}
}

// split makes three nodes of a full one and a neighbour that share has found
// full, or two when it has no neighbour. The node above has room.
func (t *Tree) split(p *path, level int) {
	up := p[level+1]
	i, n := up.i, 2
	if i > 0 {
		i, n = i-1, 3
	} else if up.len() > 1 {
		n = 3
	}
	g := t.position(p, level, i)
	r, last := t.alloc(level)
	if n == 3 {
		a, b := t.node(up.child(i)), t.node(up.child(i+1))
		all := a.len() + b.len()
		b.pass(last, all/3)
		a.pass(b, a.len()-(all+2)/3)
	} else {
		a := t.node(up.child(i))
		a.pass(last, a.len()/2)
	}
	t.adopt(up.node, i+n-1, r)
	t.settle(p, level, i, n, g)
}

// extend puts a new node behind the last at a level, or before the first. A new
// leaf is empty: the item to come is all that it gets. An inner node takes the
// child that the way goes through along, for the one to come to be beside it.
func (t *Tree) extend(p *path, level int, at edge) {
	up := &p[level+1]
	r, v := t.alloc(level)
	old := p[level].node
	if at == rightEdge {
		if level > 0 {
			old.pass(v, 1)
			t.refresh(up.node, up.i)
		}
		up.i++
	} else if level > 0 {
		v.pass(old, -1)
		t.refresh(up.node, up.i)
	}
	t.adopt(up.node, up.i, r)
	p[level] = step{v, 0}
}
