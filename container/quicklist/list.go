package quicklist

import (
	"dozo/arena"
	"dozo/container/listpack"
)

// Root is a list at rest: plain words, without Go pointers, so that the owner can
// keep it inside an entry. It is made by New.
type Root struct {
	head  end // the zero end if the list is empty
	tail  end // the zero end if there is but one node
	top   topWord
	count uint64
	nodes uint64
	bytes uint64
}

// New is an empty list, which takes no memory until the first push. Its nodes will be
// as large as fill says, which is a value of list-max-listpack-size.
func New(fill int) Root { return Root{top: topWord(0).withFill(clampFill(fill))} }

// Len is the number of elements.
func (r *Root) Len() int { return int(r.count) }

// Nodes is the number of nodes.
func (r *Root) Nodes() int { return int(r.nodes) }

// Bytes is the memory that the list takes.
func (r *Root) Bytes() int64 { return int64(r.bytes) }

// List is a Root with what is needed to work on it. The Root is changed in place, so
// it must stay where it is as long as the List is used; it may lie in the arena, and
// need not be aligned. Two Lists must not be used on one Root, unless nothing is
// changed.
//
// It is made anew for each command, so it has no more fields than are returned in
// registers.
type List struct {
	root      *Root
	heap      *arena.Heap
	plainFrom int
	// mergeSaves is how many bytes two nodes are taken to need less when they are one:
	// a header and an end. Redis 7.0 takes it for 11, which a test has to do as well.
	mergeSaves int
}

// Attach makes a list of a Root whose nodes are of the heap h.
func Attach(h *arena.Heap, r *Root) List {
	return List{root: r, heap: h, plainFrom: PlainFromDefault, mergeSaves: listpack.EmptySize}
}

// Attach makes l another list, whose Root lies in the arena. (It saves those who are in
// a hurry a copy of the List.)
func (l *List) Attach(h *arena.Heap, r *Root) {
	l.root, l.heap = r, h
	l.plainFrom, l.mergeSaves = PlainFromDefault, listpack.EmptySize
}

// SetPlainFrom says from which size on an element has a plain node, 0 for the
// default: DEBUG QUICKLIST-PACKED-THRESHOLD. It is not part of the Root.
func (l *List) SetPlainFrom(size int) {
	if size == 0 {
		size = PlainFromDefault
	}
	l.plainFrom = size
}

// Len is the number of elements.
func (l *List) Len() int { return int(l.root.count) }

// Nodes is the number of nodes.
func (l *List) Nodes() int { return int(l.root.nodes) }

// Bytes is the memory that the list takes.
func (l *List) Bytes() int64 { return int64(l.root.bytes) }

// Fill is the list-max-listpack-size that the list was made with.
func (l *List) Fill() int { return l.root.top.fill() }

// back is the last node.
func (l *List) back() *end {
	if l.root.tail.none() {
		return &l.root.head
	}
	return &l.root.tail
}

// PushTail adds an element behind all.
func (l *List) PushTail(s []byte) {
	e := l.back()
	if e.none() || !l.accepts(e.item, len(s)) {
		l.link(l.Len(), l.newOf(s))
		return
	}
	if listpack.IsWord(s) {
		n := listpack.WordSize(len(s))
		listpack.AppendWord(l.roomBehind(e, n), s)
		l.pushed(e, n)
		return
	}
	el := listpack.String(s)
	n := el.Size()
	listpack.Append(l.roomBehind(e, n), &el)
	l.pushed(e, n)
}

// pushed counts an element of n bytes that has come to e.
func (l *List) pushed(e *end, n int) {
	e.b += uint64(oneElement + n)
	l.root.count++
}

// PushHead adds an element before all.
func (l *List) PushHead(s []byte) {
	e := &l.root.head
	if e.none() || !l.accepts(e.item, len(s)) {
		l.link(0, l.newOf(s))
		return
	}
	if listpack.IsWord(s) {
		n := listpack.WordSize(len(s))
		b := l.roomInFront(e, n)
		listpack.PrependWord(b, int(e.lead), s)
		e.lead -= uint32(n)
		l.pushed(e, n)
		return
	}
	el := listpack.String(s)
	n := el.Size()
	b := l.roomInFront(e, n)
	listpack.PrependInto(b, int(e.lead), &el)
	e.lead -= uint32(n)
	l.pushed(e, n)
}

// newOf is a node with one element.
func (l *List) newOf(s []byte) end {
	if l.large(len(s)) {
		return l.newPlain(s)
	}
	return l.newPacked(s)
}

// Head is the first element; false if there is none. It is good until the next
// change.
func (l *List) Head() (v listpack.Value, ok bool) {
	e := l.root.head
	if e.none() {
		return v, false
	}
	return l.valueAt(e, listpack.HeaderSize), true
}

// Tail is the last element; false if there is none. It is good until the next
// change.
func (l *List) Tail() (v listpack.Value, ok bool) {
	e := *l.back()
	if e.none() {
		return v, false
	}
	return l.valueAt(e, l.lastOf(e)), true
}

// lastOf is where the last element of a node is.
func (l *List) lastOf(e end) int {
	if e.plain() {
		return 0
	}
	return listpack.Last(l.bytes(e))
}

func (l *List) valueAt(e end, p int) listpack.Value {
	if e.plain() {
		return listpack.Value{Str: l.bytes(e)}
	}
	return listpack.Get(l.bytes(e), p)
}

// DropHead takes the first n elements out, or as many as there are.
func (l *List) DropHead(n int) {
	for n > 0 && l.root.nodes > 0 {
		e := &l.root.head
		if n >= e.count() {
			n -= e.count()
			l.freeNode(l.unlink(spot{kind: atHead}).item)
			continue
		}
		rest := listpack.DropFirst(l.bytes(*e), n)
		e.lead += uint32(e.size() - len(rest))
		e.b = uint64(e.count()-n)<<32 | uint64(len(rest))
		l.root.count -= uint64(n)
		l.slim(e)
		return
	}
}

// DropTail takes the last n elements out, or as many as there are.
func (l *List) DropTail(n int) {
	for n > 0 && l.root.nodes > 0 {
		e := l.back()
		if n >= e.count() {
			n -= e.count()
			l.freeNode(l.unlink(l.lastSpot()).item)
			continue
		}
		rest := l.bytes(*e)
		if n == 1 {
			rest = listpack.DropLast(rest)
		} else {
			rest = listpack.DeleteRange(rest, -n, n)
		}
		e.b = uint64(e.count()-n)<<32 | uint64(len(rest))
		l.root.count -= uint64(n)
		l.slim(e)
		return
	}
}

// Free gives all memory back, and leaves an empty list.
func (l *List) Free() {
	for l.FreeSome(1 << 20) {
	}
}

// FreeSome gives back the last n nodes, and reports that there are more: for a list
// too large to be freed at once. What is left is a list all the while.
func (l *List) FreeSome(n int) (more bool) {
	for ; n > 0 && l.root.nodes > 0; n-- {
		l.freeNode(l.unlink(l.lastSpot()).item)
	}
	return l.root.nodes > 0
}
