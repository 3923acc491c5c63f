package object

import (
	"unsafe"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/container/hashtable"
)

// A large set or hash is a table of entries, one for each member or field, whose
// root is in the payload of the key's entry. It is the table that the keyspace itself
// is made of.

const rootSize = int(unsafe.Sizeof(hashtable.Root{}))

// rootOf reads the root from the entry of a large value.
func rootOf(e entry.Entry) (r hashtable.Root) {
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&r)), rootSize), rootsOf(e))
	return r
}

func putRoot(e entry.Entry, r hashtable.Root) {
	copy(rootsOf(e), unsafe.Slice((*byte)(unsafe.Pointer(&r)), rootSize))
}

// table is the table of a large value. After changes it goes back by storeTable.
func (c *Cell) table() hashtable.Table {
	h, roots := c.open()
	return hashtable.Attach(h, c.Kit.Hash, *(*hashtable.Root)(roots))
}

func (c *Cell) storeTable(t *hashtable.Table) { putRoot(c.Entry, t.Root()) }

// becomeTable replaces a small collection by a table that was made of it.
func (c *Cell) becomeTable(t *hashtable.Table) {
	freeValue(c.Heap, c.Entry)
	c.becomeLarge(EncHashtable, rootSize)
	c.storeTable(t)
}

// newTable makes an entry for an empty large set or hash.
func (p Place) newTable(t Type) arena.Ref { return p.newLarge(t, EncHashtable, rootSize) }

// newLarge makes an entry for an empty large value, whose roots take n bytes.
func (p Place) newLarge(t Type, enc Encoding, n int) arena.Ref {
	s := entry.Shape{Type: uint8(t), Encoding: uint8(enc), Deadline: p.Deadline, Age: p.Age, Payload: partWordSize + n}
	ref := p.Heap.Alloc(arena.PurposeEntry, entry.SizeFor(len(p.Key), s))
	clear(entry.Init(p.Heap.Arena(), ref, p.Key, s).Payload())
	return ref
}

// newElement makes the entry of a member, or of a field with its value, laid out as
// strings are.
func newElement(h *arena.Heap, name, value []byte) arena.Ref {
	return newShaped(h, name, value, bytesShape(len(value), 0, Attrs{}))
}

// copyTable copies a table with its entries to a heap; see copyInside.
func copyTable(from *Cell, to *arena.Heap, take bool) hashtable.Root {
	old := from.table()
	t := hashtable.New(to, from.Kit.Hash)
	a := to.Arena()
	old.Each(func(ref arena.Ref) bool {
		e := entry.At(a, ref)
		size := e.Size()
		b := to.Alloc(arena.PurposeEntry, size)
		copy(a.Bytes(b, size), a.Bytes(ref, size))
		switch {
		case !e.IsOutside():
		case take && to.Adopt(old.Heap(), arena.PurposeValue, e.Outside().Ref, e.Outside().Cap):
			e.DropOutside()
		default:
			o := e.Outside()
			text := a.Bytes(o.Ref, o.Len)
			o.Ref = to.Alloc(arena.PurposeValue, o.Cap)
			copy(a.Bytes(o.Ref, o.Len), text)
			entry.At(a, b).SetOutside(o)
		}
		t.Insert(from.Kit.Hash(e.Key()), b)
		return true
	})
	return t.Root()
}

// tableUsage is what a table and its entries take; see MemoryUsage.
func (c *Cell) tableUsage(samples int) int {
	t := c.table()
	if samples <= 0 {
		samples = t.Len()
	}
	seen, bytes := 0, 0
	t.Each(func(ref arena.Ref) bool {
		e := entry.At(c.Heap.Arena(), ref)
		bytes += arena.UsableSize(e.Size())
		if e.IsOutside() {
			bytes += arena.UsableSize(e.Outside().Cap)
		}
		seen++
		return seen < samples
	})
	if seen < t.Len() {
		bytes = int(float64(bytes) / float64(seen) * float64(t.Len()))
	}
	return int(t.Bytes()) + bytes
}

// CursorBits is the precision of the cursors that SCAN and its like give out:
// exact in a float64, since languages without other numbers keep them in one.
const CursorBits = 52

// scanTable visits entries from a cursor on, until it has visited count or looked
// at ten times as many places, and returns the next cursor; 0 is the end.
func scanTable(t *hashtable.Table, cursor uint64, count int, visit func(arena.Ref)) uint64 {
	pos, n := cursor<<(64-CursorBits), 0
	for budget := 10 * count; n < count && budget > 0; budget-- {
		pos = t.Scan(pos, func(ref arena.Ref) {
			n++
			visit(ref)
		})
		if pos == 0 {
			return 0
		}
	}
	return pos >> (64 - CursorBits)
}
