package object

import (
	"unsafe"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/container/listpack"
	"dozo/container/quicklist"
)

// ListLimits are where a list changes its encoding, and how large its nodes become.
type ListLimits struct {
	Fill int // list-max-listpack-size
	// PlainFrom is the size from which on an element has a node of its own, 0 = the
	// default: DEBUG QUICKLIST-PACKED-THRESHOLD.
	PlainFrom int
}

// Side is one of the two ends of a list.
type Side bool

// The sides.
const (
	Head Side = false
	Tail Side = true
)

// ListValue is the value of a key that holds a list. A small one is a listpack, a
// large one a quicklist whose root is the payload of the key's entry.
//
// Growing is asked for before it happens (Expect), and shrinking told afterwards
// (Shrunk), by commands, since that is when Redis converts.
type ListValue struct{ *Cell }

const listRootSize = int(unsafe.Sizeof(quicklist.Root{}))

// listRoot is the root in the entry of a large list. It may be unaligned.
func listRoot(e entry.Entry) *quicklist.Root {
	return (*quicklist.Root)(unsafe.Pointer(unsafe.SliceData(rootsOf(e))))
}

// large is what the quicklist of a large list is attached to. (A function that made a
// List would have it copied at each call.)
func (v ListValue) large() (*arena.Heap, *quicklist.Root) {
	h, roots := v.open()
	return h, (*quicklist.Root)(roots)
}

func (v ListValue) isSmall() bool { return v.Encoding() == EncListpack }

// NewList makes an entry for an empty list.
func (p Place) NewList() arena.Ref {
	var room [listpack.EmptySize]byte
	return p.NewCompact(List, EncListpack, listpack.AppendEmpty(room[:0]))
}

// NewQuicklist makes an entry for an empty large list, to be filled by AddNode and
// finished by Settle.
func (p Place) NewQuicklist(l *ListLimits) arena.Ref {
	ref := p.newLarge(List, EncQuicklist, listRootSize)
	*listRoot(entry.At(p.Heap.Arena(), ref)) = quicklist.New(l.Fill)
	return ref
}

// Len is the number of elements.
func (v ListValue) Len() int {
	if v.isSmall() {
		return listpack.Len(v.room())
	}
	return listRoot(v.Entry).Len()
}

// Expect prepares for n elements of together size bytes to be added at once.
func (v ListValue) Expect(n, size int, l *ListLimits) {
	if !v.isSmall() {
		return
	}
	b := v.room()
	if quicklist.Exceeds(l.Fill, len(b)+size, listpack.Len(b)+n) {
		v.toQuicklist(l)
	}
}

// toQuicklist makes a small list a large one.
func (v ListValue) toQuicklist(l *ListLimits) {
	root := quicklist.New(l.Fill)
	q := quicklist.Attach(v.Heap, &root)
	q.AppendListpack(v.room())
	freeValue(v.Heap, v.Entry)
	v.becomeLarge(EncQuicklist, listRootSize)
	*listRoot(v.Entry) = root
}

// Shrunk makes a large list that has lost elements small, if it is by far small
// enough.
func (v ListValue) Shrunk(l *ListLimits) { v.tryListpack(l, true) }

// Settle makes a large list that was just built small, if it is small enough.
func (v ListValue) Settle(l *ListLimits) { v.tryListpack(l, false) }

func (v ListValue) tryListpack(l *ListLimits, shrinking bool) {
	if v.isSmall() {
		return
	}
	q := quicklist.Attach(v.large())
	b, ok := q.Listpack(l.Fill, shrinking)
	if !ok {
		return
	}
	v.splice(0, v.Len(), v.Len()) // nobody hears of changes in a small one
	root := *listRoot(v.Entry)    // the node stays until its bytes are copied
	part := partOf(v.Entry)
	clear(v.Entry.Payload())
	v.recompact(EncListpack, b)
	if part != 0 {
		dropPart(v.Heap, part)
		return
	}
	q = quicklist.Attach(v.Heap, &root)
	q.Free()
}

// Push adds an element at a side.
func (v ListValue) Push(s []byte, at Side, l *ListLimits) {
	if v.Kit.Keeper != nil {
		v.splice(v.edge(0, at), 0, 1)
	}
	if v.isSmall() {
		e := listpack.String(s)
		b := v.compactRoom(e.Size())
		if at == Head {
			b = listpack.Prepend(b, &e)
		} else {
			b = listpack.Append(b, &e)
		}
		v.storeCompact(b)
		return
	}
	var q quicklist.List
	q.Attach(v.large())
	q.SetPlainFrom(l.PlainFrom)
	bytes := q.Bytes()
	if at == Head {
		q.PushHead(s)
	} else {
		q.PushTail(s)
	}
	if q.Bytes() != bytes {
		v.fit()
	}
}

// edge is the index of the first of n elements at a side.
func (v ListValue) edge(n int, at Side) int {
	if at == Head {
		return 0
	}
	return v.Len() - n
}

// fit gives a large list a part of the heap, or takes it away, as its size demands.
func (v ListValue) fit() { v.Cell.fit(listRoot(v.Entry).Bytes(), ownList) }

// End is the element at a side; there must be one. It is good until the next change.
func (v ListValue) End(at Side) (x listpack.Value) {
	if v.isSmall() {
		b := v.room()
		if at == Head {
			return listpack.Get(b, listpack.First(b))
		}
		return listpack.Get(b, listpack.Last(b))
	}
	q := quicklist.Attach(v.large())
	if at == Head {
		x, _ = q.Head()
		return x
	}
	x, _ = q.Tail()
	return x
}

// Drop takes n elements away from a side, or as many as there are. A list without
// elements must be deleted by the caller.
func (v ListValue) Drop(n int, from Side) {
	if v.Kit.Keeper != nil {
		n = min(n, v.Len())
		v.splice(v.edge(n, from), n, 0)
	}
	switch small := v.isSmall(); {
	case small && from == Head:
		v.storeCompact(listpack.DeleteRange(v.compactRoom(0), 0, n))
	case small:
		b := v.compactRoom(0)
		n = min(n, listpack.Len(b))
		v.storeCompact(listpack.DeleteRange(b, -n, n))
	default:
		v.dropLarge(n, from)
	}
}

func (v ListValue) dropLarge(n int, from Side) {
	var q quicklist.List
	q.Attach(v.large())
	bytes := q.Bytes()
	if from == Head {
		q.DropHead(n)
	} else {
		q.DropTail(n)
	}
	if q.Bytes() != bytes {
		v.fit()
	}
}

// At is the element with an index from 0 on, or from -1 on backwards from the end.
func (v ListValue) At(index int) (x listpack.Value, ok bool) {
	n := v.Len()
	if index < 0 {
		index += n
	}
	if index < 0 || index >= n {
		return x, false
	}
	r := v.Run(index)
	if r.Plain {
		return listpack.Value{Str: r.Bytes}, true
	}
	return listpack.Get(r.Bytes, listpack.Seek(r.Bytes, index-r.First)), true
}

// Set puts s in the place of the element with an index as for At, and tells whether
// there is one.
func (v ListValue) Set(index int, s []byte, l *ListLimits) bool {
	if v.Kit.Keeper != nil {
		v.aboutToSet(index)
	}
	if v.isSmall() {
		p := listpack.Seek(v.room(), index)
		if p != 0 {
			e := listpack.String(s)
			v.storeCompact(listpack.Replace(v.compactRoom(e.Size()), p, &e))
		}
		return p != 0
	}
	q := quicklist.Attach(v.large())
	q.SetPlainFrom(l.PlainFrom)
	c := q.Seek(index)
	ok := c.Ok()
	if ok {
		c.Set(s)
		v.fit()
	}
	return ok
}

// aboutToSet tells the keeper, if there is an element with the index.
func (v ListValue) aboutToSet(index int) {
	if index < 0 {
		index += v.Len()
	}
	if index >= 0 && index < v.Len() {
		v.splice(index, 1, 1)
	}
}

// Insert puts s before the first element that is pivot, or behind it, and tells
// whether there is one.
func (v ListValue) Insert(pivot, s []byte, behind bool, l *ListLimits) bool {
	if v.isSmall() {
		return v.insertSmall(pivot, s, behind)
	}
	q := quicklist.Attach(v.large())
	q.SetPlainFrom(l.PlainFrom)
	c := q.Seek(0)
	c.Find(pivot)
	switch {
	case !c.Ok():
		return false
	case behind:
		v.splice(c.Index()+1, 0, 1)
		c.InsertAfter(s)
	default:
		v.splice(c.Index(), 0, 1)
		c.InsertBefore(s)
	}
	v.fit()
	return true
}

func (v ListValue) insertSmall(pivot, s []byte, behind bool) bool {
	b := v.room()
	p := listpack.Find(b, listpack.First(b), pivot, 0)
	if p == 0 {
		return false
	}
	e := listpack.String(s)
	if b = v.compactRoom(e.Size()); behind {
		b = listpack.InsertAfter(b, p, &e)
	} else {
		b = listpack.Insert(b, p, &e)
	}
	v.storeCompact(b)
	return true
}

// Remove takes out the first n elements that are s, counted from a side, and says how
// many there were. A list without elements must be deleted by the caller.
func (v ListValue) Remove(s []byte, n int, from Side) (removed int) {
	if v.isSmall() {
		return v.removeSmall(s, n, from)
	}
	q := quicklist.Attach(v.large())
	if from == Tail {
		removed = v.removeBack(&q, s, n)
	} else {
		removed = v.removeFront(&q, s, n)
	}
	v.fit()
	return removed
}

// removeFront is Remove from the head of a quicklist.
func (v ListValue) removeFront(q *quicklist.List, s []byte, n int) (removed int) {
	c := q.Seek(0)
	for removed < n {
		if c.Find(s); !c.Ok() {
			break
		}
		v.splice(c.Index(), 1, 0)
		c.Delete()
		removed++
	}
	return removed
}

// removeBack is Remove from the tail of a quicklist.
func (v ListValue) removeBack(q *quicklist.List, s []byte, n int) (removed int) {
	for c := q.Seek(-1); c.Ok() && removed < n; {
		if c.Value().Equal(s) {
			v.splice(c.Index(), 1, 0)
			c.DeleteBack()
			removed++
			continue
		}
		c.Prev()
	}
	return removed
}

func (v ListValue) removeSmall(s []byte, n int, from Side) (removed int) {
	b := v.compactRoom(0)
	if from == Head {
		for p := listpack.Find(b, listpack.First(b), s, 0); p != 0 && removed < n; p = listpack.Find(b, p, s, 0) {
			b = listpack.Delete(b, p)
			removed++
		}
	} else {
		for p := listpack.Last(b); p != 0 && removed < n; {
			at := p
			p = listpack.Prev(b, at)
			if listpack.Get(b, at).Equal(s) {
				b = listpack.Delete(b, at)
				removed++
			}
		}
	}
	v.storeCompact(b)
	return removed
}

// Run is elements that lie together: a listpack, which is a whole small list or a
// node of a large one, or a single large element as it is.
type Run struct {
	Bytes []byte
	Plain bool
	// First is the index of the first of them in the list, Count how many there are.
	First, Count int
}

// Run is where the element with an index from 0 on lies. There must be one. It is
// good until the next change.
func (v ListValue) Run(index int) Run {
	if v.isSmall() {
		b := v.room()
		return Run{Bytes: b, Count: listpack.Len(b)}
	}
	q := quicklist.Attach(v.large())
	n, _ := q.NodeAt(index)
	return Run{n.Bytes, n.Plain, n.First, n.Count}
}

// Each calls visit for every element until it returns false. The list must not be
// changed meanwhile.
func (v ListValue) Each(visit func(listpack.Value) bool) {
	for c := v.Seek(0); c.Ok(); c.Next() {
		if !visit(c.Value()) {
			return
		}
	}
}

// Nodes is the number of nodes of a large list; a small one counts as one.
func (v ListValue) Nodes() int {
	if v.isSmall() {
		return 1
	}
	q := quicklist.Attach(v.large())
	return q.Nodes()
}

// Fill is the list-max-listpack-size that a large list was made with.
func (v ListValue) Fill() int {
	q := quicklist.Attach(v.large())
	return q.Fill()
}

// AddNode adds a node behind all others of a large list, as it was written.
func (v ListValue) AddNode(b []byte, plain bool) {
	q := quicklist.Attach(v.large())
	if plain {
		q.AppendPlain(b)
	} else {
		q.AppendListpack(b)
	}
	v.fit()
}

// ListCursor stands on an element of a list, or on none. It is good until the list
// changes.
type ListCursor struct {
	large quicklist.Cursor
	b     []byte // the listpack of a small list
	p     int
}

// Seek gives a cursor on the element with an index as for At.
func (v ListValue) Seek(index int) (c ListCursor) {
	if v.isSmall() {
		c.b = v.room()
		c.p = listpack.Seek(c.b, index)
		return c
	}
	q := quicklist.Attach(v.large())
	c.large = q.Seek(index)
	return c
}

// Ok tells whether there is an element.
func (c *ListCursor) Ok() bool {
	if c.b != nil {
		return c.p != 0
	}
	return c.large.Ok()
}

// Value is the element.
func (c *ListCursor) Value() listpack.Value {
	if c.b != nil {
		return listpack.Get(c.b, c.p)
	}
	return c.large.Value()
}

// Next goes on to the element behind.
func (c *ListCursor) Next() {
	if c.b != nil {
		c.p = listpack.Next(c.b, c.p)
		return
	}
	c.large.Next()
}

// Prev goes back to the element before.
func (c *ListCursor) Prev() {
	if c.b != nil {
		c.p = listpack.Prev(c.b, c.p)
		return
	}
	c.large.Prev()
}

// copyList copies the nodes of a large list to an empty one; see copyInside.
func copyList(from, to *Cell, take bool) {
	old := quicklist.Attach(ListValue{from}.large())
	*listRoot(to.Entry) = quicklist.New(old.Fill())
	q := quicklist.Attach(ListValue{to}.large())
	if take {
		q.Take(&old)
		return
	}
	old.EachNode(func(n quicklist.Node) bool {
		if n.Plain {
			q.AppendPlain(n.Bytes)
		} else {
			q.AppendListpack(n.Bytes)
		}
		return true
	})
}
