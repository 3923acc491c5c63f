package object

import (
	"cmp"
	"slices"
	"unsafe"

	"dozo/arena"
	"dozo/container/btree"
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/container/listpack"
)

// A hash whose fields have deadlines of their own is dated. A small one is a
// listpack of field, value and deadline (0 = none), those with a deadline first, in
// the order of it; equal ones stand in the order in which Redis has them. A large one is a
// table whose entries carry the deadlines, as those of keys do. Up to unorderedMax
// fields, long ones most likely, are looked through when the order matters. With more
// of them the entries with deadlines are in a tree as well (package btree), whose ranks tell how many
// fields are due: exact in O(log n) however many there are. The tree costs some 16
// bytes for each field with a deadline, and a hash without any has none of this.
//
// Package object knows no time: a HashValue with a time in Now does not show
// fields that are due by then. They are there until DropDue takes them out, which
// the keyspace sees to (keyspace/fields.go).
//
// LIMITATIONS: a hash that was dated once stays so (as in Redis, which says so in
// OBJECT ENCODING), at two bytes for each field of a small one and 56 bytes for a
// large one. A tree takes at least 1 KiB, and stays until no field has a deadline.

// datesSize is what follows the table's root in the payload of a large dated hash.
const datesSize = int(unsafe.Sizeof(dates{}))

// dates is the order of the deadlines of a large hash.
type dates struct {
	tree  btree.Root // empty while there are few fields
	first int64      // the earliest deadline, 0 = none
}

// unorderedMax is the most fields that a table can have whose deadlines are not in a
// tree.
const unorderedMax = 64

// Dated tells hashes whose fields may have deadlines.
func (e Encoding) Dated() bool { return e >= EncListpackEx }

// datesOf reads the order of a large dated hash.
func datesOf(e entry.Entry) (d dates) {
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&d)), datesSize), rootsOf(e)[rootSize:])
	return d
}

func putDates(e entry.Entry, d dates) {
	copy(rootsOf(e)[rootSize:], unsafe.Slice((*byte)(unsafe.Pointer(&d)), datesSize))
}

// order is the tree of a large dated hash, to be changed; putOrder must follow.
func (h HashValue) order() btree.Tree { return btree.Attach(h.inside(), datesOf(h.Entry).tree) }

func (h HashValue) putOrder(t *btree.Tree) {
	d := datesOf(h.Entry)
	ordered := d.tree.Len() > 0
	d.tree = t.Root()
	if c := t.First(); c.Ok() {
		d.first = int64(c.Score())
	} else if ordered {
		d.first = 0
	}
	putDates(h.Entry, d)
}

// ordered tells whether the deadlines of a large dated hash are in a tree. Without one
// there are none, or few fields.
func (h HashValue) ordered() bool {
	d := datesOf(h.Entry)
	return d.tree.Len() > 0
}

func (h HashValue) putFirst(first int64) {
	d := datesOf(h.Entry)
	d.first = first
	putDates(h.Entry, d)
}

// putInOrder makes the tree, if there are enough fields for one, or finds the earliest
// deadline.
func (h HashValue) putInOrder() {
	root := rootOf(h.Entry)
	if root.Len() <= unorderedMax {
		h.putFirst(h.firstAfter(0, entry.Entry{}))
		return
	}
	order := h.order()
	h.eachDeadline(func(e entry.Entry, ref arena.Ref) { order.Insert(float64(e.Deadline()), ref) })
	h.putOrder(&order)
}

// eachDeadline looks through a table for the fields that have deadlines.
func (h HashValue) eachDeadline(visit func(e entry.Entry, ref arena.Ref)) {
	t := hashtable.Attach(h.inside(), nil, rootOf(h.Entry))
	t.Each(func(ref arena.Ref) bool {
		if e := entry.At(h.Heap.Arena(), ref); e.HasDeadline() {
			visit(e, ref)
		}
		return true
	})
}

// firstAfter looks through a table for the earliest deadline after a time, other than
// that of one entry.
func (h HashValue) firstAfter(time int64, but entry.Entry) (first int64) {
	h.eachDeadline(func(e entry.Entry, _ arena.Ref) {
		if at := e.Deadline(); e != but && at > time && (first == 0 || at < first) {
			first = at
		}
	})
	return first
}

// FieldsDue is when the first field of an entry's is due; 0 = never.
func FieldsDue(a *arena.Arena, e entry.Entry) int64 {
	switch Encoding(e.Encoding()) {
	case EncListpackEx:
		b := e.Payload()
		if e.IsOutside() {
			o := e.Outside()
			b = a.Bytes(o.Ref, o.Len)
		}
		if p := listpack.First(b); p != 0 {
			_, _, deadline, _ := readTriple(b, p)
			return deadline
		}
	case EncHashtableEx:
		return datesOf(e).first
	}
	return 0
}

// AllDue tells whether a value is a hash whose fields are all due.
func AllDue(c *Cell, now int64) bool {
	h := HashValue{c, now}
	first := h.Earliest()
	return first != 0 && first <= now && h.Len() == 0
}

// readTriple reads a field of a small dated hash, and says where the next one is.
func readTriple(b []byte, p int) (field, value listpack.Value, deadline int64, next int) {
	var d listpack.Value
	field, p = listpack.Read(b, p)
	value, p = listpack.Read(b, p)
	d, next = listpack.Read(b, p)
	return field, value, d.Int, next
}

// due tells whether a deadline hides its field.
func (h HashValue) due(deadline int64) bool { return deadline != 0 && deadline <= h.Now }

// Earliest is when the first field is due, or was; 0 = never.
func (h HashValue) Earliest() int64 {
	if !h.Encoding().Dated() {
		return 0
	}
	return FieldsDue(h.Heap.Arena(), h.Entry)
}

// Upcoming is when the first field will be due of those that are not yet; 0 = never.
func (h HashValue) Upcoming() (deadline int64) {
	if deadline = h.Earliest(); !h.due(deadline) {
		return deadline
	}
	if h.Encoding() == EncHashtableEx {
		if !h.ordered() {
			return h.firstAfter(h.Now, entry.Entry{})
		}
		t := h.order()
		c := t.At(h.Due())
		if !c.Ok() {
			return 0
		}
		return int64(c.Score())
	}
	h.eachTriple(func(_, _ listpack.Value, first int64) bool {
		deadline = first
		return false
	})
	if h.due(deadline) {
		return 0
	}
	return deadline
}

// Due is the number of fields that are due.
func (h HashValue) Due() (n int) {
	if !h.due(h.Earliest()) {
		return 0
	}
	if h.Encoding() == EncHashtableEx {
		return h.dueEntries()
	}
	b := h.room()
	for p := listpack.First(b); p != 0; n++ {
		var deadline int64
		if _, _, deadline, p = readTriple(b, p); !h.due(deadline) {
			break
		}
	}
	return n
}

// dueEntries is Due for a large hash.
func (h HashValue) dueEntries() (n int) {
	if h.ordered() {
		t := h.order()
		return t.CountBelow(btree.AfterScore(float64(h.Now)))
	}
	h.eachDeadline(func(e entry.Entry, _ arena.Ref) {
		if h.due(e.Deadline()) {
			n++
		}
	})
	return n
}

// Size is the number of fields, due ones included.
func (h HashValue) Size() int {
	switch h.Encoding() {
	case EncListpack:
		return listpack.Len(h.room()) / 2
	case EncListpackEx:
		return listpack.Len(h.room()) / 3
	}
	root := rootOf(h.Entry)
	return root.Len()
}

// findTriple is the place of a field in a small dated hash, due or not, with the
// place of its value, and its deadline; 0 if there is none.
func findTriple(b, field []byte) (at, value int, deadline int64) {
	p := listpack.Find(b, listpack.First(b), field, 2)
	if p == 0 {
		return 0, 0, 0
	}
	value = listpack.Next(b, p)
	return p, value, listpack.Get(b, listpack.Next(b, value)).Int
}

// getTriple is Get for a small dated hash.
func (h HashValue) getTriple(field []byte) (v listpack.Value, ok bool) {
	b := h.room()
	p, at, deadline := findTriple(b, field)
	if p == 0 || h.due(deadline) {
		return v, false
	}
	return listpack.Get(b, at), true
}

// FieldDeadline is when a field is due, 0 = never.
func (h HashValue) FieldDeadline(field []byte) (deadline int64, ok bool) {
	switch h.Encoding() {
	case EncListpack:
		b := h.room()
		return 0, listpack.Find(b, listpack.First(b), field, 1) != 0
	case EncListpackEx:
		var p int
		p, _, deadline = findTriple(h.room(), field)
		ok = p != 0
	default:
		t := h.table()
		if slot := t.Find(h.Kit.Hash(field), field); slot.Ok() {
			deadline, ok = entry.At(h.Heap.Arena(), slot.Ref()).Deadline(), true
		}
	}
	if h.due(deadline) {
		return 0, false
	}
	return deadline, ok
}

// SetFieldDeadline changes when a field is due (0 = never) that is there and is not
// due.
func (h HashValue) SetFieldDeadline(field []byte, deadline int64) {
	switch h.Encoding() {
	case EncListpack, EncHashtable:
		if deadline == 0 {
			return
		}
		h.beDated()
	}
	if h.Encoding() == EncListpackEx {
		b := h.compactRoom(tripleGrowth)
		p, at, _ := findTriple(b, field)
		h.storeCompact(moveTriple(b, p, field, listpack.Get(b, at), deadline))
		return
	}
	h.element(field)
	t := h.table()
	slot := t.Find(h.Kit.Hash(field), field)
	h.dateEntry(slot, deadline)
}

// beDated makes room for deadlines.
func (h HashValue) beDated() {
	if h.Encoding() == EncHashtable {
		s := h.Entry.Shape()
		s.Encoding, s.Payload = uint8(EncHashtableEx), partWordSize+rootSize+datesSize
		h.Reshape(s)
		putDates(h.Entry, dates{})
		return
	}
	b := h.compactRoom(listpack.Len(h.room()) / 2 * noDeadlineSize)
	none := listpack.Int(0)
	for p := listpack.End(b); p > listpack.HeaderSize; {
		b = listpack.Insert(b, p, &none)
		p = listpack.Prev(b, listpack.Prev(b, p))
	}
	h.storeCompact(b)
	h.Entry.SetEncoding(uint8(EncListpackEx))
}

const (
	// noDeadlineSize is what a listpack spends on the number 0.
	noDeadlineSize = 2
	// tripleGrowth is the most that a deadline grows by: from 0 to eight bytes.
	tripleGrowth = 8
)

// moveTriple gives the field at p another deadline and the place that goes with it.
func moveTriple(b []byte, p int, field []byte, value listpack.Value, deadline int64) []byte {
	var room [256]byte
	if value.Str != nil {
		value.Str = append(room[:0], value.Str...)
	}
	b = listpack.DeleteFrom(b, p, 3)
	return insertTriple(b, field, value, deadline)
}

// insertTriple adds a field: behind all without a deadline, and else before the first
// one that is not due earlier.
func insertTriple(b, field []byte, value listpack.Value, deadline int64) []byte {
	at := listpack.End(b)
	if deadline != 0 {
		for p := listpack.First(b); p != 0; {
			_, _, other, next := readTriple(b, p)
			if other == 0 || other >= deadline {
				at = p
				break
			}
			p = next
		}
	}
	d, v, f := listpack.Int(deadline), listpack.Prepare(value), listpack.String(field)
	b = listpack.Insert(b, at, &d)
	b = listpack.Insert(b, at, &v)
	return listpack.Insert(b, at, &f)
}

// dateEntry changes when a field of a large dated hash is due.
func (h HashValue) dateEntry(slot hashtable.Slot, deadline int64) {
	f := Cell{Heap: h.inside(), Slot: slot, Entry: entry.At(h.Heap.Arena(), slot.Ref())}
	old := f.Entry.Deadline()
	if old == deadline {
		return
	}
	if root := rootOf(h.Entry); !h.ordered() && root.Len() <= unorderedMax {
		f.SetDeadline(deadline)
		h.putFirst(h.firstAfter(0, entry.Entry{}))
		return
	}
	order := h.order()
	switch {
	case old != 0 && deadline != 0:
		order.Update(float64(old), f.Entry.Key(), float64(deadline))
	case old != 0:
		order.Delete(float64(old), f.Entry.Key())
	}
	f.SetDeadline(deadline)
	if old == 0 {
		order.Insert(float64(deadline), slot.Ref())
	}
	h.putOrder(&order)
}

// undate takes a field that is about to go out of the order.
func (h HashValue) undate(e entry.Entry) {
	switch {
	case !e.HasDeadline():
	case h.ordered():
		order := h.order()
		order.Delete(float64(e.Deadline()), e.Key())
		h.putOrder(&order)
	default:
		h.putFirst(h.firstAfter(0, e))
	}
}

// setTriple is set for a small dated hash.
func (h HashValue) setTriple(field, value []byte, l *HashLimits, keep bool) (added bool) {
	v, f := listpack.String(value), listpack.String(field)
	b := h.compactRoom(f.Size() + v.Size() + noDeadlineSize)
	p, at, deadline := findTriple(b, field)
	was := deadline
	added = p == 0 || h.due(deadline)
	if added || !keep {
		deadline = 0
	}
	switch {
	case p == 0:
		b = insertTriple(b, field, listpack.Value{Str: value}, 0)
	case was == deadline:
		b = listpack.Replace(b, at, &v)
	default:
		b = moveTriple(b, p, field, listpack.Value{Str: value}, 0)
	}
	h.storeCompact(b)
	if h.Size() > l.Listpack {
		h.ToTable()
	}
	return added
}

// newField is newElement for a field with a deadline, 0 = none.
func newField(h *arena.Heap, name, value []byte, deadline int64) arena.Ref {
	return newShaped(h, name, value, bytesShape(len(value), 0, Attrs{Deadline: deadline}))
}

// datedTable makes a small dated hash a table.
func (h HashValue) datedTable() {
	t := hashtable.New(h.Heap, h.Kit.Hash)
	b := h.room()
	var f, w [intDigitsMax]byte
	for p := listpack.First(b); p != 0; {
		var field, value listpack.Value
		var deadline int64
		field, value, deadline, p = readTriple(b, p)
		name := field.Text(f[:0])
		t.Insert(h.Kit.Hash(name), newField(h.Heap, name, value.Text(w[:0]), deadline))
	}
	freeValue(h.Heap, h.Entry)
	h.becomeLarge(EncHashtableEx, rootSize+datesSize)
	h.storeTable(&t)
	putDates(h.Entry, dates{})
	h.putInOrder()
}

// dropMax is the most fields that DropDue takes out at once.
const dropMax = 64

// DropDue takes at most max fields out that are due, dropMax at the most, the
// earliest first, and calls visit with the name of each before. It says how many they
// were.
func (h HashValue) DropDue(max int, visit func(field []byte)) (n int) {
	if max = min(max, dropMax); !h.due(h.Earliest()) {
		return 0
	}
	if h.Encoding() == EncHashtableEx {
		return h.dropEntries(max, visit)
	}
	b := h.compactRoom(0)
	var f [intDigitsMax]byte
	for p := listpack.First(b); p != 0 && n < max; n++ {
		field, _, deadline, next := readTriple(b, p)
		if !h.due(deadline) {
			break
		}
		visit(field.Text(f[:0]))
		p = next
	}
	h.storeCompact(listpack.DeleteFrom(b, listpack.First(b), 3*n))
	return n
}

// dropEntries is DropDue for a large hash.
func (h HashValue) dropEntries(max int, visit func(field []byte)) int {
	var room [dropMax]arena.Ref
	ordered := h.ordered()
	refs := h.takeDue(room[:0], max)
	for _, ref := range refs { // before the first goes: a keeper looks at the value itself
		h.element(entry.At(h.Heap.Arena(), ref).Key())
	}
	t := h.table()
	for _, ref := range refs {
		name := entry.At(h.Heap.Arena(), ref).Key()
		visit(name)
		sum := h.Kit.Hash(name)
		t.Delete(sum, t.Find(sum, name))
		freeElement(t.Heap(), ref)
	}
	h.storeTable(&t)
	if !ordered {
		h.putFirst(h.firstAfter(0, entry.Entry{}))
	}
	h.shrunk(t.Len())
	return len(refs)
}

// takeDue finds the entries that are due first, at most max, in their order, and
// takes them out of the tree if there is one.
func (h HashValue) takeDue(refs []arena.Ref, max int) []arena.Ref {
	if h.ordered() {
		order := h.order()
		order.DeleteRange(0, min(max, h.Due()), func(_ float64, ref arena.Ref) { refs = append(refs, ref) })
		h.putOrder(&order)
		return refs
	}
	a := h.Heap.Arena()
	h.eachDeadline(func(e entry.Entry, ref arena.Ref) {
		if h.due(e.Deadline()) {
			refs = append(refs, ref)
		}
	})
	slices.SortFunc(refs, func(x, y arena.Ref) int { return cmp.Compare(entry.At(a, x).Deadline(), entry.At(a, y).Deadline()) })
	return refs[:min(max, len(refs))]
}

// DropField takes a field out if it is due, and tells whether it was.
func (h HashValue) DropField(field []byte) bool {
	all := HashValue{Cell: h.Cell}
	if deadline, ok := all.FieldDeadline(field); !ok || !h.due(deadline) {
		return false
	}
	return all.Delete(field)
}

// eachTriple is Each for a small dated hash.
func (h HashValue) eachTriple(visit func(field, value listpack.Value, deadline int64) bool) {
	b := h.room()
	for p := listpack.First(b); p != 0; {
		var f, v listpack.Value
		var deadline int64
		f, v, deadline, p = readTriple(b, p)
		if !h.due(deadline) && !visit(f, v, deadline) {
			return
		}
	}
}

// EachDated is Each with the deadlines, 0 = none.
func (h HashValue) EachDated(visit func(field, value listpack.Value, deadline int64) bool) {
	switch h.Encoding() {
	case EncListpack:
		h.Each(func(f, v listpack.Value) bool { return visit(f, v, 0) })
	case EncListpackEx:
		h.eachTriple(visit)
	default:
		t := h.table()
		t.Each(func(ref arena.Ref) bool {
			f, v := h.pair(ref)
			deadline := entry.At(h.Heap.Arena(), ref).Deadline()
			return h.due(deadline) || visit(f, v, deadline)
		})
	}
}

// hidden tells whether an entry of a table is one that is not shown.
func (h HashValue) hidden(ref arena.Ref) bool {
	return h.due(entry.At(h.Heap.Arena(), ref).Deadline())
}

// randomTries bounds the search by chance for a field that is not due, among others
// that are.
const randomTries = 100

// randomDated is Random for a dated hash. Of the fields with deadlines the order knows
// those that are shown; when nearly all are due and few others have none, one of these
// is the first from some place on, which costs a walk over what is before it.
func (h HashValue) randomDated(r uint64) (field, value listpack.Value) {
	due := h.Due()
	nth := int(r % uint64(h.Size()-due)) // of those that are shown
	if h.Encoding() == EncListpackEx {
		b := h.room()
		f, v, _, _ := readTriple(b, listpack.Seek(b, 3*(due+nth)))
		return f, v
	}
	t, shown := h.table(), h.isShown
	if order := h.order(); order.Len() > 0 {
		if nth += due; nth < order.Len() {
			c := order.At(nth)
			return h.pair(c.Ref())
		}
		shown = h.isUndated
	}
	ref := t.Random(r)
	for i := 0; !shown(ref) && i < randomTries; i++ {
		r = r*6364136223846793005 + 1442695040888963407 // Knuth's MMIX
		ref = t.Random(r)
	}
	if !shown(ref) {
		ref = firstOf(&t, r, shown)
	}
	return h.pair(ref)
}

// isShown tells whether the entry of a table is that of a field that is not due, and
// isUndated whether it can never be due.
func (h HashValue) isShown(ref arena.Ref) bool   { return !h.hidden(ref) }
func (h HashValue) isUndated(ref arena.Ref) bool { return !entry.At(h.Heap.Arena(), ref).HasDeadline() }

// firstOf is the first field of a table from a position on, going round, that is wanted.
// There must be one.
func firstOf(t *hashtable.Table, pos uint64, wanted func(arena.Ref) bool) (ref arena.Ref) {
	for ref == 0 {
		pos = t.Scan(pos, func(other arena.Ref) {
			if wanted(other) {
				ref = other
			}
		})
	}
	return ref
}

// copyDates makes the order anew for a copy of a large hash.
func copyDates(to *Cell) {
	putDates(to.Entry, dates{})
	HashValue{Cell: to}.putInOrder()
}
