package quicklist

import "dozo/container/listpack"

// Cursor stands on an element of a list, or on none. Only what the Cursor itself
// does to the list may change it meanwhile.
type Cursor struct {
	l     *List
	b     []byte // the node's listpack, or plain string
	p     int    // the element's offset in it
	nth   int    // the element's index in it
	plain bool
	ok    bool
	at    spot
}

// Seek gives a Cursor on the element with an index from 0 on, or from -1 on
// backwards from the end.
func (l *List) Seek(index int) (c Cursor) {
	c.l = l
	c.seek(index)
	return c
}

func (c *Cursor) seek(index int) {
	n := c.l.Len()
	if index < 0 {
		index += n
	}
	if c.ok = index >= 0 && index < n; c.ok {
		c.at = c.l.locate(index)
		c.open(index - c.at.first)
	}
}

// open makes the nth element of the node that the cursor is at its own.
func (c *Cursor) open(nth int) {
	e := c.l.node(&c.at)
	c.b, c.plain, c.nth, c.p = c.l.bytes(e), e.plain(), nth, 0
	switch {
	case c.plain:
	case nth == e.count()-1:
		c.p = listpack.Last(c.b)
	default:
		c.p = listpack.Seek(c.b, nth)
	}
}

// Ok tells whether there is an element.
func (c *Cursor) Ok() bool { return c.ok }

// Index is the element's, from 0 on.
func (c *Cursor) Index() int { return c.at.first + c.nth }

// Value is the element, good until the next change of the list.
func (c *Cursor) Value() listpack.Value {
	if c.plain {
		return listpack.Value{Str: c.b}
	}
	return listpack.Get(c.b, c.p)
}

// Read is Value, and then Next: the quick way through many.
func (c *Cursor) Read() listpack.Value {
	if c.plain {
		v := listpack.Value{Str: c.b}
		c.Next()
		return v
	}
	v, p := listpack.Read(c.b, c.p)
	if p != 0 {
		c.p = p
		c.nth++
		return v
	}
	c.nextNode()
	return v
}

// Next goes on to the element behind; behind the last there is none.
func (c *Cursor) Next() {
	if !c.plain {
		if p := listpack.Next(c.b, c.p); p != 0 {
			c.p = p
			c.nth++
			return
		}
	}
	c.nextNode()
}

func (c *Cursor) nextNode() {
	if c.ok = c.l.after(&c.at); c.ok {
		c.open(0)
	}
}

// Prev goes back to the element before; before the first there is none.
func (c *Cursor) Prev() {
	if c.nth == 0 {
		if c.ok = c.l.before(&c.at); c.ok {
			e := c.l.node(&c.at)
			c.open(e.count() - 1)
		}
		return
	}
	c.nth--
	c.p = listpack.Prev(c.b, c.p)
}

// Find goes on to the first element that is s, from the present one on.
func (c *Cursor) Find(s []byte) {
	for c.ok {
		if c.plain {
			if string(c.b) == string(s) {
				return
			}
		} else {
			p, passed := listpack.FindNext(c.b, c.p, s)
			if p != 0 {
				c.p = p
				c.nth += passed
				return
			}
		}
		c.nextNode()
	}
}

// Delete takes the element out and stands on the one that was behind it.
func (c *Cursor) Delete() {
	i := c.Index()
	if !c.drop() {
		c.seek(i)
		return
	}
	if c.nth == c.l.node(&c.at).count() {
		c.nextNode()
	}
}

// DeleteBack takes the element out and stands on the one that was before it.
func (c *Cursor) DeleteBack() {
	i := c.Index()
	switch {
	case i == 0:
		c.drop()
		c.ok = false
	case !c.drop() || c.nth == 0:
		c.seek(i - 1)
	default:
		c.nth--
		c.p = listpack.Prev(c.b, c.p)
	}
}

// drop takes the element out; what was behind it in the node is then where it was.
// False means that there is no such node any more.
func (c *Cursor) drop() bool {
	l := c.l
	e := l.node(&c.at)
	if e.count() == 1 {
		l.freeNode(l.unlink(c.at).item)
		return false
	}
	l.replaced(&c.at, listpack.Delete(c.b, c.p), -1)
	c.b = l.bytes(l.node(&c.at))
	return true
}

// Set puts s in the place of the element. The cursor is spent.
func (c *Cursor) Set(s []byte) {
	l := c.l
	e := l.node(&c.at)
	if e.plain() && !l.large(len(s)) {
		i := c.Index()
		l.insert(c, s, true)
		l.freeNode(l.unlink(l.locate(i)).item)
		return
	}
	if e.plain() {
		l.setNode(&c.at, l.newPlain(s))
		l.freeNode(e.item)
		return
	}
	el := listpack.String(s)
	grow := el.Size() - c.elementSize()
	if l.large(len(s)) || !listpack.Fits(c.b, grow) {
		l.setApart(c, s)
		return
	}
	b := l.roomIn(&c.at, grow)
	l.replaced(&c.at, listpack.Replace(b, c.p, &el), 0)
}

// elementSize is how many bytes the element takes in its listpack.
func (c *Cursor) elementSize() int {
	e := listpack.Prepare(listpack.Get(c.b, c.p))
	return e.Size()
}

// InsertBefore puts s before the element. The cursor is spent.
func (c *Cursor) InsertBefore(s []byte) { c.l.insert(c, s, false) }

// InsertAfter puts s behind the element. The cursor is spent.
func (c *Cursor) InsertAfter(s []byte) { c.l.insert(c, s, true) }
