package btree

import (
	"fmt"
)

// Check recounts everything that the package comment promises and returns what
// does not hold. It reads every entry: it is for tests.
func (t *Tree) Check() error {
	c := census{t: t}
	if t.root.top == 0 {
		if t.root != (Root{}) {
			c.fail("an empty tree with the root %+v", t.root)
		}
		return c.err
	}
	top := t.top()
	if int(t.root.height) != top.level()+1 {
		c.fail("the height is %d, the uppermost node is of level %d", t.root.height, top.level())
	}
	n := c.node(top, true, true, true)
	if n != t.Len() || c.leaves != t.root.leaves || c.inners != t.root.inners {
		c.fail("%d items in %d leaves and %d inner nodes, the root says %d, %d and %d",
			n, c.leaves, c.inners, t.root.count, t.root.leaves, t.root.inners)
	}
	return c.err
}

// census is what Check counts.
type census struct {
	t              *Tree
	err            error
	leaves, inners uint32
	last           *Bound // behind the item before
}

func (c *census) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("btree: "+format, args...)
	}
}

// node checks a node with all below it and returns its items. left and right
// tell whether it is at that edge of the tree.
func (c *census) node(v node, top, left, right bool) (items int) {
	least := v.kind().scant
	if top || left || right {
		least = 1 + min(v.level(), 1)
	}
	if v.len() < least || v.len() > v.kind().slots {
		c.fail("a node of level %d has %d slots in use, of %d", v.level(), v.len(), v.kind().slots)
	}
	if c.err != nil {
		return 0
	}
	if v.isLeaf() {
		c.leaf(v)
		return v.len()
	}
	c.inners++
	for i := range v.len() {
		items += c.child(v, i, left && i == 0, right && i == v.len()-1)
	}
	return items
}

// child checks child i and what its parent says of it.
func (c *census) child(v node, i int, left, right bool) (items int) {
	w := c.t.node(v.child(i))
	if w.level() != v.level()-1 {
		c.fail("a node of level %d has a child of level %d", v.level(), w.level())
		return 0
	}
	items = c.node(w, false, left, right)
	if c.err == nil && (w.score(0) != v.score(i) || w.ref(0) != v.ref(i)) {
		c.fail("child %d of level %d begins with %v at %#x, its parent says %v at %#x",
			i, w.level(), w.score(0), w.ref(0), v.score(i), v.ref(i))
	}
	if items != v.total(i) {
		c.fail("below child %d of level %d are %d items, its parent says %d", i, w.level(), items, v.total(i))
	}
	return items
}

// leaf demands that each item comes after the one before.
func (c *census) leaf(v node) {
	c.leaves++
	for i := range v.len() {
		s, member := v.score(i), c.t.member(v.ref(i))
		if s != s {
			c.fail("the score of %q is not a number", member)
		}
		if c.last != nil && c.t.below(v, i, c.last) {
			c.fail("%q with score %v comes after %q with score %v", member, s, c.last.member, c.last.score)
		}
		b := AfterItem(s, member)
		c.last = &b
	}
}
