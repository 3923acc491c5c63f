package quicklist

// spot names a node. It is good until a node comes or goes.
type spot struct {
	kind  spotKind
	first int // the index of the node's first element
	path  path
}

type spotKind uint8

const (
	atHead spotKind = iota
	inside
	atTail
)

// innerCount is the number of elements in inner nodes.
func (l *List) innerCount() int {
	return l.Len() - l.root.head.count() - l.root.tail.count()
}

// innerNodes is the number of inner nodes.
func (l *List) innerNodes() int { return int(l.root.nodes) - 2 }

// locate finds the node with the element at an index, which there must be.
func (l *List) locate(index int) spot {
	n := l.root.head.count()
	if index < n {
		return spot{kind: atHead}
	}
	if first := l.Len() - l.root.tail.count(); index >= first {
		return spot{kind: atTail, first: first}
	}
	p, off := l.seek(uint64(index - n))
	return spot{kind: inside, first: index - off, path: p}
}

// lastSpot is that of the last node.
func (l *List) lastSpot() spot {
	if l.root.tail.none() {
		return spot{kind: atHead}
	}
	return spot{kind: atTail, first: l.Len() - l.root.tail.count()}
}

// node is the node at s.
func (l *List) node(s *spot) end {
	switch s.kind {
	case atHead:
		return l.root.head
	case atTail:
		return l.root.tail
	}
	return end{item: *s.path.item()}
}

// setNode says what has become of the node at s, which has the same elements or more
// or less of them, but one at least.
func (l *List) setNode(s *spot, e end) {
	was := l.node(s).count()
	l.root.count += uint64(e.count() - was)
	switch s.kind {
	case atHead:
		l.root.head = e
	case atTail:
		l.root.tail = e
	default:
		l.setItem(&s.path, e.item)
	}
}

// after moves s to the next node; false if it was the last.
func (l *List) after(s *spot) bool {
	s.first += l.node(s).count()
	if s.first >= l.Len() {
		return false
	}
	if s.kind == inside && l.next(&s.path) {
		return true
	}
	*s = l.locate(s.first)
	return true
}

// before moves s to the node before; false if it was the first.
func (l *List) before(s *spot) bool {
	if s.first == 0 {
		return false
	}
	if s.kind == inside && l.prev(&s.path) {
		s.first -= s.path.item().count()
		return true
	}
	*s = l.locate(s.first - 1)
	return true
}

// link puts a node where its first element has the given index, which must be that
// of another node's first element, or the number of elements.
func (l *List) link(index int, e end) {
	r := l.root
	switch {
	case r.head.none():
		r.head = e
	case index == 0:
		if r.tail.none() {
			r.tail = r.head
		} else {
			l.insertInner(0, l.settled(r.head).item)
		}
		r.head = e
	case index == l.Len():
		if !r.tail.none() {
			l.insertInner(l.innerCount(), l.settled(r.tail).item)
		}
		r.tail = e
	default:
		l.insertInner(index-r.head.count(), l.settled(e).item)
	}
	r.count += uint64(e.count())
	r.nodes++
}

// insertInner puts a node into the index, at the place of that element in it.
func (l *List) insertInner(index int, it item) {
	p, _ := l.seek(uint64(index))
	l.insertItem(&p, it)
}

// unlink takes the node at s out of the list, and leaves its block to the caller.
func (l *List) unlink(s spot) end {
	e := l.node(&s)
	r := l.root
	switch s.kind {
	case inside:
		l.removeItem(&s.path)
	case atHead:
		if r.head = r.tail; l.innerNodes() > 0 {
			p, _ := l.seek(0)
			r.head = end{item: *p.item()}
			l.removeItem(&p)
		} else {
			r.tail = end{}
		}
	case atTail:
		if r.tail = (end{}); l.innerNodes() > 0 {
			p := l.lastPath()
			r.tail = end{item: *p.item()}
			l.removeItem(&p)
		}
	}
	r.count -= uint64(e.count())
	r.nodes--
	return e
}
