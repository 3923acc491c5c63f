package quicklist

import (
	"dozo/arena"
	"dozo/container/listpack"
)

// Where nodes are split and merged, which is Redis' way to the letter, so that after
// the same operations the same elements are in the same nodes.

// roomIn makes room for n bytes more in the listpack at s, and returns it.
func (l *List) roomIn(s *spot, n int) []byte {
	e := l.node(s)
	b := l.bytes(e)
	if cap(b)-len(b) >= n {
		return b
	}
	if s.kind == inside {
		e = l.moved(e, arena.UsableSize(e.size()+n), 0)
	} else {
		room, _ := l.roomFor(&e, n)
		l.place(&e, room, 0)
	}
	l.setNode(s, e)
	return l.bytes(e)
}

// replaced says that the listpack at s has become b, in place, with so many elements
// more.
func (l *List) replaced(s *spot, b []byte, more int) {
	e := l.node(s)
	e.b = uint64(e.count()+more)<<32 | uint64(len(b))
	switch {
	case s.kind != inside:
		l.slim(&e)
	case arena.UsableSize(len(b)) < e.room():
		e = l.moved(e, arena.UsableSize(len(b)), 0)
	}
	l.setNode(s, e)
}

// append puts an element behind all of the listpack at s.
func (l *List) append(s *spot, v []byte) {
	el := listpack.String(v)
	l.replaced(s, listpack.Append(l.roomIn(s, el.Size()), &el), 1)
}

// prepend puts an element before all of the listpack at s.
func (l *List) prepend(s *spot, v []byte) {
	el := listpack.String(v)
	l.replaced(s, listpack.Prepend(l.roomIn(s, el.Size()), &el), 1)
}

// insert puts v before or behind the element that c stands on.
func (l *List) insert(c *Cursor, v []byte, after bool) {
	e := l.node(&c.at)
	nth := c.nth // of v in the node
	if after {
		nth++
	}
	border := c.at.first + nth
	switch atBorder := nth == 0 || nth == e.count(); {
	case l.accepts(e.item, len(v)):
		el := listpack.String(v)
		b := l.roomIn(&c.at, el.Size())
		if after {
			b = listpack.InsertAfter(b, c.p, &el)
		} else {
			b = listpack.Insert(b, c.p, &el)
		}
		l.replaced(&c.at, b, 1)
	case atBorder && l.insertBeside(c.at, v, after):
	case atBorder:
		l.link(border, l.newOf(v))
	default:
		l.insertSplit(c.at, nth, v, after)
	}
}

// insertBeside puts v at the near side of the node before or behind the one at s, if
// that has room.
func (l *List) insertBeside(s spot, v []byte, after bool) bool {
	if after {
		if !l.after(&s) || !l.accepts(l.node(&s).item, len(v)) {
			return false
		}
		l.prepend(&s, v)
		return true
	}
	if !l.before(&s) || !l.accepts(l.node(&s).item, len(v)) {
		return false
	}
	l.append(&s, v)
	return true
}

// insertSplit splits the node at s before its nth element and puts v between the
// halves: with a node of its own if it is large, or else to the half that is new.
func (l *List) insertSplit(s spot, nth int, v []byte, after bool) {
	first := s.first
	l.split(s, nth)
	switch {
	case l.large(len(v)):
		l.link(first+nth, l.newPlain(v))
	case after:
		right := l.locate(first + nth)
		l.prepend(&right, v)
		l.mergeAround(first)
	default:
		left := l.locate(first)
		l.append(&left, v)
		l.mergeAround(first + nth + 1)
	}
}

// setApart puts v in the place of the element that c stands on when it cannot be in
// the same node.
func (l *List) setApart(c *Cursor, v []byte) {
	i, e := c.Index(), l.node(&c.at)
	if c.nth != e.count()-1 {
		l.split(c.at, c.nth+1)
	}
	l.link(i+1, l.newOf(v))
	old := l.Seek(i)
	if old.drop() {
		l.mergeAround(i)
	}
}

// split makes two nodes of the one at s; the nth element is the first of the right.
func (l *List) split(s spot, nth int) {
	e := l.node(&s)
	b := l.bytes(e)
	p, n := listpack.Seek(b, nth), e.count()-nth
	right, rb := l.newNode(listpack.HeaderSize+len(b)-p, n)
	listpack.AppendFrom(rb[:0], b, p, n)
	l.replaced(&s, listpack.DeleteFrom(b, p, n), -n)
	l.link(s.first+nth, right)
}

// mergeAround merges nodes near the one that begins with element i, where they fit:
// the two before it, the two behind it, then it with the one before, and what has
// become of it with the one behind.
func (l *List) mergeAround(i int) {
	s := l.locate(i)
	if l.before(&s) {
		if prev := s; l.before(&s) {
			l.merge(s.first, prev.first)
		}
	}
	s = l.locate(i)
	if l.after(&s) {
		if next := s; l.after(&s) {
			l.merge(next.first, s.first)
		}
	}
	center := i
	if s = l.locate(i); l.before(&s) && l.merge(s.first, i) {
		center = s.first
	}
	if s = l.locate(center); l.after(&s) {
		l.merge(center, s.first)
	}
}

// merge makes one node of two neighbours, which begin with elements i and j, if the
// limits allow.
func (l *List) merge(i, j int) bool {
	left, right := l.locate(i), l.locate(j)
	if !l.mayMerge(l.node(&left).item, l.node(&right).item) {
		return false
	}
	e := l.unlink(right)
	left = l.locate(i)
	b := l.roomIn(&left, e.size()-listpack.EmptySize)
	l.replaced(&left, listpack.Concat(b, l.bytes(e)), e.count())
	l.freeNode(e.item)
	return true
}
