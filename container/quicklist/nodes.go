package quicklist

import (
	"dozo/arena"
	"dozo/container/listpack"
)

// Node is what DUMP and snapshots write of a node.
type Node struct {
	First int    // the index of its first element
	Count int    // elements
	Plain bool   // it is one large element
	Bytes []byte // a listpack, or the element; in place, good until the next change
}

// NodeAt is the node with the element at an index; false if there is none.
func (l *List) NodeAt(index int) (n Node, ok bool) {
	if index < 0 || index >= l.Len() {
		return n, false
	}
	s := l.locate(index)
	return l.describe(&s), true
}

// EachNode calls visit for all nodes in order, until it returns false. visit must
// not change the list.
func (l *List) EachNode(visit func(Node) bool) {
	if l.Len() == 0 {
		return
	}
	for s := l.locate(0); visit(l.describe(&s)) && l.after(&s); {
	}
}

func (l *List) describe(s *spot) Node {
	e := l.node(s)
	return Node{First: s.first, Count: e.count(), Plain: e.plain(), Bytes: l.bytes(e)}
}

// AppendListpack adds a node with a copy of a listpack behind all, whatever its
// size: what was loaded, or a small list that has grown. An empty one is left out.
func (l *List) AppendListpack(b []byte) {
	n := listpack.Len(b)
	if n == 0 {
		return
	}
	e, to := l.newNode(len(b), n)
	copy(to, b)
	l.link(l.Len(), e)
}

// AppendPlain adds a plain node behind all. s must not be empty.
func (l *List) AppendPlain(s []byte) { l.link(l.Len(), l.newPlain(s)) }

// Listpack is the listpack that the list may be stored as instead, in place, good
// until the next change; false if it may not, since it has several nodes or a plain
// one, or is too large for a fill, which is today's list-max-listpack-size. shrinking
// asks for half the size, so that a list that varies around the limit is not
// converted time and again: after elements were taken out of it, but not when it was
// just built.
func (l *List) Listpack(fill int, shrinking bool) (b []byte, ok bool) {
	e := l.root.head
	if l.root.nodes != 1 || e.plain() {
		return nil, false
	}
	size, count := NodeLimit(fill)
	if shrinking {
		size /= 2
		count /= 2
	}
	return l.bytes(e), e.size() <= size && e.count() <= count
}

// MoveSparse moves the blocks of some nodes out of thinly filled slabs (arena.Sparse)
// for active defragmentation: from the node with the element at an index on, at most
// budget nodes are looked at. It returns the index to go on with, 0 when the end is
// reached, and how many blocks it moved.
func (l *List) MoveSparse(index, budget int) (next, moved int) {
	if index < 0 || index >= l.Len() {
		return 0, 0
	}
	for s := l.locate(index); budget > 0; budget-- {
		moved += l.moveNode(&s)
		if !l.after(&s) {
			return 0, moved
		}
		index = s.first
	}
	return index, moved
}

func (l *List) moveNode(s *spot) (moved int) {
	if s.kind == inside {
		moved = l.moveIndex(&s.path)
	}
	e := l.node(s)
	if l.heap.Sparse(e.ref(), e.room()) {
		l.setNode(s, l.moved(e, e.room(), int(e.lead)))
		moved++
	}
	return moved
}

// moveIndex moves the blocks of the index whose first item the path leads to.
func (l *List) moveIndex(p *path) (moved int) {
	for level := 0; level < p.height && p.step[level].i == 0; level++ {
		s := &p.step[level]
		r := l.root.top.ref()
		if level+1 < p.height {
			r = p.step[level+1].item().ref()
		}
		size := blockSize(int(s.b.room))
		if !l.heap.Sparse(r, size) {
			continue
		}
		to := l.alloc(size)
		copy(l.heap.Arena().Bytes(to, size), l.heap.Arena().Bytes(r, size))
		l.free(r, size)
		s.b = l.block(to)
		if moved++; level+1 < p.height {
			up := p.step[level+1].item()
			*up = upper(to, up.b)
		} else {
			l.root.top = l.root.top.withTop(to, p.height)
		}
	}
	return moved
}

// Take moves all nodes of another list of the same arena, which is empty then, to the
// front of this one. Nodes that have whole granules are not copied.
func (l *List) Take(from *List) {
	for from.root.nodes > 0 {
		e := from.unlink(from.lastSpot())
		n := uint64(arena.UsableSize(e.room()))
		if l.heap.Adopt(from.heap, arena.PurposeQuicklist, e.ref(), e.room()) {
			from.root.bytes -= n
			l.root.bytes += n
			l.link(0, e)
			continue
		}
		to, b := l.newNode(e.size(), e.count())
		copy(b, from.bytes(e))
		if e.plain() {
			to.a |= plainBit
		}
		from.freeNode(e.item)
		l.link(0, to)
	}
}
