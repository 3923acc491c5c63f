package object

import (
	"dozo/arena"
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/container/listpack"
)

// HashLimits are where a hash changes its encoding.
type HashLimits struct {
	Listpack int // hash-max-listpack-entries
	Value    int // hash-max-listpack-value
}

// HashValue is the value of a key that holds a hash. Small ones are a listpack of
// fields, each followed by its value; see dated.go for those with deadlines.
type HashValue struct {
	*Cell
	// Now hides fields that are due by then, 0 = none.
	Now int64
}

// NewHash makes an entry for an empty hash.
func (p Place) NewHash() arena.Ref {
	var room [listpack.EmptySize]byte
	return p.NewCompact(Hash, EncListpack, listpack.AppendEmpty(room[:0]))
}

// Len is the number of fields that are shown.
func (h HashValue) Len() int {
	switch h.Encoding() {
	case EncListpack:
		return listpack.Len(h.room()) / 2
	case EncHashtable:
		root := rootOf(h.Entry)
		return root.Len()
	}
	return h.Size() - h.Due()
}

// Get is the value of a field.
func (h HashValue) Get(field []byte) (v listpack.Value, ok bool) {
	switch h.Encoding() {
	case EncListpack:
		b := h.room()
		p := listpack.Find(b, listpack.First(b), field, 1)
		if p == 0 {
			return v, false
		}
		return listpack.Get(b, listpack.Next(b, p)), true
	case EncListpackEx:
		return h.getTriple(field)
	}
	t := h.table()
	slot := t.Find(h.Kit.Hash(field), field)
	if !slot.Ok() {
		return v, false
	}
	e := entry.At(h.Heap.Arena(), slot.Ref())
	if e.HasDeadline() && h.due(e.Deadline()) {
		return v, false
	}
	return h.valueOf(e), true
}

// valueOf is the value in a field's entry.
func (h HashValue) valueOf(e entry.Entry) listpack.Value {
	b := e.Payload()
	if e.IsOutside() {
		o := e.Outside()
		b = h.Heap.Arena().Bytes(o.Ref, o.Len)
	}
	return listpack.Value{Str: b}
}

// Expect prepares for fields and values, in turn, to be set at once.
func (h HashValue) Expect(words [][]byte, l *HashLimits) {
	if h.large() {
		return
	}
	sum, long := 0, len(words)/2 > l.Listpack
	for _, w := range words {
		sum += len(w)
		long = long || len(w) > l.Value
	}
	if long || !listpack.Fits(h.room(), sum) {
		h.ToTable()
	}
}

// large tells whether the hash is a table.
func (h HashValue) large() bool {
	return h.Encoding() == EncHashtable || h.Encoding() == EncHashtableEx
}

// Set gives a field a value, without a deadline, and tells whether the field is new.
func (h HashValue) Set(field, value []byte, l *HashLimits) bool { return h.set(field, value, l, false) }

// Revalue is Set for a field that keeps its deadline.
func (h HashValue) Revalue(field, value []byte, l *HashLimits) bool {
	return h.set(field, value, l, true)
}

func (h HashValue) set(field, value []byte, l *HashLimits, keep bool) bool {
	switch enc := h.Encoding(); {
	case enc == EncHashtable || enc == EncHashtableEx:
	case len(field) > l.Value || len(value) > l.Value:
		h.ToTable()
	case enc == EncListpack:
		return h.setSmall(field, value, l)
	default:
		return h.setTriple(field, value, l, keep)
	}
	h.element(field)
	t := h.table()
	sum := h.Kit.Hash(field)
	slot := t.Find(sum, field)
	if slot.Ok() {
		return h.overwriteField(slot, value, keep)
	}
	t.Insert(sum, newElement(t.Heap(), field, value))
	h.storeTable(&t)
	if t.Len() == unorderedMax+1 && h.Earliest() != 0 && !h.ordered() {
		h.putInOrder()
	}
	if h.grown(t.Len()); len(value) >= heavyElement {
		h.weighed(t.Len())
	}
	return true
}

// setSmall is Set for a listpack.
func (h HashValue) setSmall(field, value []byte, l *HashLimits) bool {
	v := listpack.String(value)
	b := h.room()
	if p := listpack.Find(b, listpack.First(b), field, 1); p != 0 {
		p = listpack.Next(b, p)
		h.storeCompact(listpack.Replace(h.compactRoom(v.Size()), p, &v))
		return false
	}
	f := listpack.String(field)
	b = listpack.Append(h.compactRoom(f.Size()+v.Size()), &f)
	b = listpack.Append(b, &v)
	h.storeCompact(b)
	if listpack.Len(b)/2 > l.Listpack {
		h.ToTable()
	}
	return true
}

// overwriteField gives the field in a slot another value, and tells whether it was
// due: it is as good as new then. The entry stays where it is if it has the right
// size.
func (h HashValue) overwriteField(slot hashtable.Slot, value []byte, keep bool) (added bool) {
	a := h.Heap.Arena()
	if e := entry.At(a, slot.Ref()); e.HasDeadline() {
		if added = h.due(e.Deadline()); added || !keep {
			h.dateEntry(slot, 0)
		}
	}
	old := slot.Ref()
	e := entry.At(a, old)
	size, key := e.Size(), e.Key()
	if len(value) <= inlineMax && !e.IsOutside() && arena.UsableSize(size-e.PayloadLen()+len(value)) == arena.UsableSize(size) {
		e.SetPayloadLen(len(value))
		copy(e.Payload(), value)
		return added
	}
	inside := h.inside()
	slot.SetRef(newField(inside, key, value, e.Deadline()))
	if e.HasDeadline() && h.ordered() {
		order := h.order()
		order.Replace(float64(e.Deadline()), key, slot.Ref())
		h.putOrder(&order)
	}
	freeElement(inside, old)
	if len(value) >= heavyElement {
		root := rootOf(h.Entry)
		h.weighed(root.Len())
	}
	return added
}

// ToTable makes the hash a table.
func (h HashValue) ToTable() {
	if h.Encoding() == EncListpackEx {
		h.datedTable()
		return
	}
	t := hashtable.New(h.Heap, h.Kit.Hash)
	var f, w [intDigitsMax]byte
	h.Each(func(field, value listpack.Value) bool {
		name := field.Text(f[:0])
		if sum := h.Kit.Hash(name); !t.Find(sum, name).Ok() { // see SetValue.toTable
			t.Insert(sum, newElement(h.Heap, name, value.Text(w[:0])))
		}
		return true
	})
	h.becomeTable(&t)
}

// Delete takes a field out and tells whether it was there. A hash without fields
// must be deleted by the caller.
func (h HashValue) Delete(field []byte) bool {
	switch h.Encoding() {
	case EncListpack:
		b := h.room()
		p := listpack.Find(b, listpack.First(b), field, 1)
		if p != 0 {
			h.storeCompact(listpack.DeleteFrom(h.compactRoom(0), p, 2))
		}
		return p != 0
	case EncListpackEx:
		p, _, deadline := findTriple(h.room(), field)
		if p == 0 || h.due(deadline) {
			return false
		}
		h.storeCompact(listpack.DeleteFrom(h.compactRoom(0), p, 3))
		return true
	}
	t := h.table()
	sum := h.Kit.Hash(field)
	slot := t.Find(sum, field)
	if !slot.Ok() || h.hidden(slot.Ref()) {
		return false
	}
	h.element(field)
	ref := slot.Ref()
	h.undate(entry.At(h.Heap.Arena(), ref))
	t.Delete(sum, slot)
	freeElement(t.Heap(), ref)
	h.storeTable(&t)
	h.shrunk(t.Len())
	return true
}

// Each calls visit for every field and its value until it returns false. The hash
// must not be changed meanwhile.
func (h HashValue) Each(visit func(field, value listpack.Value) bool) {
	if h.Encoding() == EncListpack {
		b := h.room()
		for p := listpack.First(b); p != 0; {
			var f, v listpack.Value
			f, p = listpack.Read(b, p)
			if v, p = listpack.Read(b, p); !visit(f, v) {
				return
			}
		}
		return
	}
	if h.Encoding() != EncHashtable {
		h.EachDated(func(f, v listpack.Value, _ int64) bool { return visit(f, v) })
		return
	}
	t := h.table()
	t.Each(func(ref arena.Ref) bool { return visit(h.pair(ref)) })
}

// pair is the field of a table's entry, and its value.
func (h HashValue) pair(ref arena.Ref) (field, value listpack.Value) {
	e := entry.At(h.Heap.Arena(), ref)
	return listpack.Value{Str: e.Key()}, h.valueOf(e)
}

// Random is a field, chosen by r: any number, and its value. There must be one.
func (h HashValue) Random(r uint64) (field, value listpack.Value) {
	if h.Encoding() == EncListpack {
		b := h.room()
		f, p := listpack.Read(b, listpack.Seek(b, 2*int(r%uint64(h.Len()))))
		return f, listpack.Get(b, p)
	}
	if h.Encoding() != EncHashtable {
		return h.randomDated(r)
	}
	t := h.table()
	return h.pair(t.Random(r))
}

// Scan is one step of HSCAN; see SetValue.Scan.
func (h HashValue) Scan(cursor uint64, count int, visit func(field, value listpack.Value)) uint64 {
	if !h.large() {
		h.Each(func(f, v listpack.Value) bool { visit(f, v); return true })
		return 0
	}
	t := h.table()
	return scanTable(&t, cursor, count, func(ref arena.Ref) {
		if !h.hidden(ref) {
			visit(h.pair(ref))
		}
	})
}
