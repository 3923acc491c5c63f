package btree

import "dozo/arena"

// Cursor is an item's place in the order, or none. It is good until the next
// change to the tree.
type Cursor struct {
	t     *Tree
	v     node
	i     int
	start int // rank of the leaf's first item
}

// First is the item that comes first.
func (t *Tree) First() Cursor { return t.At(0) }

// Last is the item that comes last.
func (t *Tree) Last() Cursor { return t.At(t.Len() - 1) }

// At is the item of a rank, counted from 0. There is none at ranks below 0 and
// from Len on.
func (t *Tree) At(rank int) Cursor {
	c := Cursor{t: t}
	c.v, c.i, c.start = t.leafAt(rank)
	return c
}

// leafAt is where the item of a rank is: its leaf, the slot there, and the rank
// of the leaf's first item. It is no node when there is no such item.
func (t *Tree) leafAt(rank int) (v node, i, start int) {
	if uint(rank) >= uint(t.root.count) {
		return node{}, 0, 0
	}
	v = t.top()
	for level := int(t.root.height) - 1; level > 0; level-- {
		i := 0
		for n := v.total(0); rank >= start+n; n = v.total(i) {
			start += n
			i++
		}
		v = t.node(v.child(i))
	}
	return v, rank - start, start
}

// Seek is the first item that does not lie below the bound.
func (t *Tree) Seek(b Bound) Cursor {
	if t.root.top == 0 {
		return Cursor{}
	}
	v, i, start := t.place(&b)
	if i == v.len() {
		return t.At(start + i)
	}
	return Cursor{t, v, i, start}
}

// Ok tells whether there is an item.
func (c *Cursor) Ok() bool { return c.v.p != nil }

// Score is the item's score.
func (c *Cursor) Score() float64 { return c.v.score(c.i) }

// Ref is the item's entry.
func (c *Cursor) Ref() arena.Ref { return arena.Ref(c.v.word(leafRefs+c.i*refSize)) << refShift }

// Member is the key of the item's entry, in place: read only.
func (c *Cursor) Member() []byte { return c.t.member(c.Ref()) }

// Item is an item as the tree has it.
type Item struct {
	Score float64
	Ref   arena.Ref // of its entry
}

// Take fills items with those from the cursor on, or from it back if down, goes on to
// the one behind them, and says how many there were. It asks for the memory of their
// entries all at once: a walk that looks at entries would wait for one after another.
func (c *Cursor) Take(items []Item, down bool) (n int) {
	step := 1
	if down {
		step = -1
	}
	for n < len(items) && c.Ok() {
		for ; n < len(items) && uint(c.i) < uint(c.v.len()); n++ {
			items[n] = Item{c.Score(), c.Ref()}
			c.t.arena.PrefetchBlock(items[n].Ref)
			c.i += step
		}
		if uint(c.i) >= uint(c.v.len()) {
			c.v, c.i, c.start = c.t.leafAt(c.start + c.i)
		}
	}
	return n
}

// Rank is how many items come before.
func (c *Cursor) Rank() int { return c.start + c.i }

// Next goes to the item that comes after, or to none. (It does not keep the
// Tree's address, nor does Prev, so that a Tree may stay on the stack.)
func (c *Cursor) Next() {
	if c.i++; c.i == c.v.len() {
		c.v, c.i, c.start = c.t.leafAt(c.start + c.i)
	}
}

// Prev goes to the item that comes before, or to none.
func (c *Cursor) Prev() {
	if c.i--; c.i < 0 {
		c.v, c.i, c.start = c.t.leafAt(c.start - 1)
	}
}
