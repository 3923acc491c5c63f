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
// fields, each followed by its value.
type HashValue struct{ *Cell }

// NewHash makes an entry for an empty hash.
func (p Place) NewHash() arena.Ref {
	var room [listpack.EmptySize]byte
	return p.NewCompact(Hash, EncListpack, listpack.AppendEmpty(room[:0]))
}

// Len is the number of fields.
func (h HashValue) Len() int {
	if h.Encoding() == EncListpack {
		return listpack.Len(h.room()) / 2
	}
	root := rootOf(h.Entry)
	return root.Len()
}

// Get is the value of a field.
func (h HashValue) Get(field []byte) (v listpack.Value, ok bool) {
	if h.Encoding() == EncListpack {
		b := h.room()
		p := listpack.Find(b, listpack.First(b), field, 1)
		if p == 0 {
			return v, false
		}
		return listpack.Get(b, listpack.Next(b, p)), true
	}
	t := h.table()
	slot := t.Find(h.Kit.Hash(field), field)
	if !slot.Ok() {
		return v, false
	}
	return h.valueOf(entry.At(h.Heap.Arena(), slot.Ref())), true
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
	if h.Encoding() != EncListpack {
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

// Set gives a field a value and tells whether the field is new.
func (h HashValue) Set(field, value []byte, l *HashLimits) bool {
	if h.Encoding() == EncListpack && (len(field) > l.Value || len(value) > l.Value) {
		h.ToTable()
	}
	if h.Encoding() == EncListpack {
		return h.setSmall(field, value, l)
	}
	t := h.table()
	sum := h.Kit.Hash(field)
	slot := t.Find(sum, field)
	if slot.Ok() {
		h.overwriteField(slot, value)
		return false
	}
	t.Insert(sum, newElement(h.Heap, field, value))
	h.storeTable(&t)
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

// overwriteField gives the field in a slot another value. The entry stays where it
// is if it has the right size.
func (h HashValue) overwriteField(slot hashtable.Slot, value []byte) {
	old := slot.Ref()
	e := entry.At(h.Heap.Arena(), old)
	size, key := e.Size(), e.Key()
	if len(value) <= inlineMax && !e.IsOutside() && arena.UsableSize(size-e.PayloadLen()+len(value)) == arena.UsableSize(size) {
		e.SetPayloadLen(len(value))
		copy(e.Payload(), value)
		return
	}
	slot.SetRef(newElement(h.Heap, key, value))
	freeElement(h.Heap, old)
}

// ToTable makes the hash a table.
func (h HashValue) ToTable() {
	t := hashtable.New(h.Heap, h.Kit.Hash)
	var f, w [intDigitsMax]byte
	h.Each(func(field, value listpack.Value) bool {
		name := field.Text(f[:0])
		t.Insert(h.Kit.Hash(name), newElement(h.Heap, name, value.Text(w[:0])))
		return true
	})
	h.becomeTable(&t)
}

// Delete takes a field out and tells whether it was there. A hash without fields
// must be deleted by the caller.
func (h HashValue) Delete(field []byte) bool {
	if h.Encoding() == EncListpack {
		b := h.room()
		p := listpack.Find(b, listpack.First(b), field, 1)
		if p != 0 {
			h.storeCompact(listpack.DeleteFrom(h.compactRoom(0), p, 2))
		}
		return p != 0
	}
	t := h.table()
	sum := h.Kit.Hash(field)
	slot := t.Find(sum, field)
	if !slot.Ok() {
		return false
	}
	ref := slot.Ref()
	t.Delete(sum, slot)
	freeElement(h.Heap, ref)
	h.storeTable(&t)
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
	t := h.table()
	return h.pair(t.Random(r))
}

// Scan is one step of HSCAN; see SetValue.Scan.
func (h HashValue) Scan(cursor uint64, count int, visit func(field, value listpack.Value)) uint64 {
	if h.Encoding() == EncListpack {
		h.Each(func(f, v listpack.Value) bool { visit(f, v); return true })
		return 0
	}
	t := h.table()
	return scanTable(&t, cursor, count, func(ref arena.Ref) { visit(h.pair(ref)) })
}
