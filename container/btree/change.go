package btree

import "dozo/arena"

// put adds an item at the gap that p leads to.
func (t *Tree) put(p *path, score float64, ref arena.Ref) {
	if t.root.top == 0 {
		r, v := t.alloc(0)
		t.root.top, t.root.height = uint64(r), 1
		p[0] = step{v, 0}
	} else if p[0].len() == kinds[0].slots {
		t.makeRoom(p, 0, t.edgeOf(p))
	}
	v, i := p[0].node, p[0].i
	v.open(i, 1)
	v.set(i, score, ref)
	t.count(p, 1)
	if i == 0 {
		t.refreshFirst(p, 0)
	}
}

// remove takes n items of one leaf out, from the one that p leads to on.
func (t *Tree) remove(p *path, n int) {
	v, i := p[0].node, p[0].i
	v.cut(i, n)
	t.count(p, -n)
	if i == 0 && v.len() > 0 {
		t.refreshFirst(p, 0)
	}
	if v.len() < kinds[0].low {
		t.fill(p, 0)
	}
}

// count adds n items to all totals on the way.
func (t *Tree) count(p *path, n int) {
	t.root.count += uint64(n)
	for level := 1; level < int(t.root.height); level++ {
		p[level].setTotal(p[level].i, p[level].total(p[level].i)+n)
	}
}

// refreshFirst copies the first item of the node at the level to all above that
// repeat it.
func (t *Tree) refreshFirst(p *path, level int) {
	score, ref := p[level].score(0), p[level].ref(0)
	for level++; level < int(t.root.height); level++ {
		p[level].set(p[level].i, score, ref)
		if p[level].i > 0 {
			return
		}
	}
}

// refresh copies to slot i what must be known of the child there.
func (t *Tree) refresh(v node, i int) {
	c := t.node(v.child(i))
	if c.len() > 0 {
		v.set(i, c.score(0), c.ref(0))
	}
	v.setTotal(i, c.items())
}

// adopt makes a node child i; there must be room.
func (t *Tree) adopt(v node, i int, r arena.Ref) {
	v.open(i, 1)
	v.setChild(i, r)
	t.refresh(v, i)
}
