package object

import (
	"strconv"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/container/intset"
	"dozo/container/listpack"
	"dozo/text"
)

// SetLimits are where a set changes its encoding.
type SetLimits struct {
	Intset   int // set-max-intset-entries
	Listpack int // set-max-listpack-entries
	Value    int // set-max-listpack-value
}

// intsetMax is the most members an intset may have, whatever the limit.
const intsetMax = 1 << 30

func (l *SetLimits) intset() int { return min(l.Intset, intsetMax) }

// SetValue is the value of a key that holds a set.
type SetValue struct{ *Cell }

// NewSet makes an entry for an empty set that is to get hint members, such as
// first.
func (p Place) NewSet(first []byte, hint int, l *SetLimits) arena.Ref {
	var room [intset.HeaderSize]byte
	if _, ok := text.ParseInt(first); ok && hint <= l.Intset {
		return p.NewCompact(Set, EncIntset, intset.AppendEmpty(room[:0]))
	}
	if hint <= l.Listpack {
		return p.NewCompact(Set, EncListpack, listpack.AppendEmpty(room[:0]))
	}
	return p.newTable(Set)
}

// Len is the number of members.
func (s SetValue) Len() int {
	switch s.Encoding() {
	case EncIntset:
		return intset.Len(s.room())
	case EncListpack:
		return listpack.Len(s.room())
	}
	root := rootOf(s.Entry)
	return root.Len()
}

// Has tells whether m is a member.
func (s SetValue) Has(m []byte) bool {
	switch s.Encoding() {
	case EncIntset:
		n, ok := text.ParseInt(m)
		return ok && intset.Contains(s.room(), n)
	case EncListpack:
		b := s.room()
		return listpack.Find(b, listpack.First(b), m, 0) != 0
	}
	t := s.table()
	return t.Find(s.Kit.Hash(m), m).Ok()
}

// HasValue is Has for a member of another set.
func (s SetValue) HasValue(v listpack.Value) bool {
	if v.Str == nil && s.Encoding() == EncIntset {
		return intset.Contains(s.room(), v.Int)
	}
	var buf [intDigitsMax]byte
	return s.Has(v.Text(buf[:0]))
}

// AddValue is Add for a member of another set.
func (s SetValue) AddValue(v listpack.Value, l *SetLimits) bool {
	if v.Str == nil && s.Encoding() == EncIntset {
		return s.addInt(v.Int, l)
	}
	var buf [intDigitsMax]byte
	return s.Add(v.Text(buf[:0]), l)
}

// RemoveValue is Remove for a member of another set.
func (s SetValue) RemoveValue(v listpack.Value) bool {
	var buf [intDigitsMax]byte
	return s.Remove(v.Text(buf[:0]))
}

// Integers makes a set whose members are all integers an intset, if it is not too
// large for one.
func (s SetValue) Integers(l *SetLimits) {
	if s.Encoding() == EncIntset || s.Len() > l.intset() {
		return
	}
	out := intset.AppendEmpty(nil)
	s.Each(func(v listpack.Value) bool {
		n := v.Int
		if v.Str != nil {
			n, _ = text.ParseInt(v.Str)
		}
		out, _ = intset.Add(out, n)
		return true
	})
	if g := s.Empty(); g.Len() > 0 {
		g.FreeSome(s.Heap, g.Len())
	}
	s.recompact(EncIntset, out)
}

// Compact makes a table that has become small a listpack again, as if it had been
// made with the members that are left.
func (s SetValue) Compact(l *SetLimits) {
	if s.Encoding() != EncHashtable || s.Len() > l.Listpack {
		return
	}
	fits, out := true, listpack.AppendEmpty(nil)
	s.Each(func(v listpack.Value) bool {
		s.element(v.Str)
		e := listpack.String(v.Str)
		fits = len(v.Str) <= l.Value
		out = listpack.Append(out, &e)
		return fits
	})
	if !fits {
		return
	}
	if g := s.Empty(); g.Len() > 0 {
		g.FreeSome(s.Heap, g.Len())
	}
	s.recompact(EncListpack, out)
}

// Expect prepares for n members to be added at once.
func (s SetValue) Expect(n int, l *SetLimits) {
	if e := s.Encoding(); e == EncListpack && n > l.Listpack || e == EncIntset && n > l.Intset {
		s.toTable()
	}
}

// Add makes m a member and tells whether it was none.
func (s SetValue) Add(m []byte, l *SetLimits) bool {
	switch s.Encoding() {
	case EncIntset:
		if n, ok := text.ParseInt(m); ok {
			return s.addInt(n, l)
		}
		s.leaveIntset(m, l)
		return s.Add(m, l)
	case EncListpack:
		b := s.room()
		if listpack.Find(b, listpack.First(b), m, 0) != 0 {
			return false
		}
		e := listpack.String(m)
		if listpack.Len(b) < l.Listpack && len(m) <= l.Value && listpack.Fits(b, e.Size()) {
			s.element(m) // it may have been large at a snapshot's epoch, and become so again
			s.storeCompact(listpack.Append(s.compactRoom(e.Size()), &e))
			return true
		}
		s.toTable()
	}
	t := s.table()
	h := s.Kit.Hash(m)
	if t.Find(h, m).Ok() {
		return false
	}
	s.element(m)
	t.Insert(h, newElement(t.Heap(), m, nil))
	s.storeTable(&t)
	s.grown(t.Len())
	return true
}

// addInt is Add for a set that is an intset.
func (s SetValue) addInt(n int64, l *SetLimits) bool {
	b := s.room()
	if intset.Contains(b, n) {
		return false
	}
	if s.Kit.Keeper != nil {
		s.element(strconv.AppendInt(nil, n, 10))
	}
	b, _ = intset.Add(s.compactRoom(intset.SizeWith(b, n)-len(b)), n)
	s.storeCompact(b)
	if intset.Len(b) > l.intset() {
		s.toTable()
	}
	return true
}

// leaveIntset makes room for m, which is no integer, by another encoding.
func (s SetValue) leaveIntset(m []byte, l *SetLimits) {
	b := s.room()
	n := intset.Len(b)
	longest := 0
	if n > 0 {
		longest = max(text.IntLen(intset.Min(b)), text.IntLen(intset.Max(b)))
	}
	if n >= l.Listpack || len(m) > l.Value || longest > l.Value {
		s.toTable()
		return
	}
	out := listpack.AppendEmpty(nil)
	for i := range n {
		e := listpack.Int(intset.At(b, i))
		out = listpack.Append(out, &e)
	}
	s.recompact(EncListpack, out)
}

// toTable makes the set a table.
//
// A listpack of a file that is not checked in full could have a member twice. A table
// that had would be written to a file that could not be loaded.
func (s SetValue) toTable() {
	t := hashtable.New(s.Heap, s.Kit.Hash)
	var buf [intDigitsMax]byte
	s.Each(func(v listpack.Value) bool {
		m := v.Text(buf[:0])
		if sum := s.Kit.Hash(m); !t.Find(sum, m).Ok() {
			t.Insert(sum, newElement(s.Heap, m, nil))
		}
		return true
	})
	s.becomeTable(&t)
}

// Remove takes a member out and tells whether it was one. A set without members
// must be deleted by the caller.
func (s SetValue) Remove(m []byte) bool {
	switch s.Encoding() {
	case EncIntset:
		n, ok := text.ParseInt(m)
		if !ok || !intset.Contains(s.room(), n) {
			return false
		}
		b, _ := intset.Remove(s.compactRoom(0), n)
		s.storeCompact(b)
		return true
	case EncListpack:
		b := s.room()
		p := listpack.Find(b, listpack.First(b), m, 0)
		if p != 0 {
			s.storeCompact(listpack.Delete(s.compactRoom(0), p))
		}
		return p != 0
	}
	t := s.table()
	h := s.Kit.Hash(m)
	slot := t.Find(h, m)
	if !slot.Ok() {
		return false
	}
	s.element(m)
	ref := slot.Ref()
	t.Delete(h, slot)
	freeElement(t.Heap(), ref)
	s.storeTable(&t)
	s.shrunk(t.Len())
	return true
}

// Each calls visit for every member until it returns false. The set must not be
// changed meanwhile.
func (s SetValue) Each(visit func(listpack.Value) bool) {
	switch b := s.room(); s.Encoding() {
	case EncIntset:
		for i := range intset.Len(b) {
			if !visit(listpack.Value{Int: intset.At(b, i)}) {
				return
			}
		}
	case EncListpack:
		for p := listpack.First(b); p != 0; {
			var v listpack.Value
			if v, p = listpack.Read(b, p); !visit(v) {
				return
			}
		}
	default:
		t := s.table()
		t.Each(func(ref arena.Ref) bool { return visit(s.member(ref)) })
	}
}

// member is the member of a table's entry.
func (s SetValue) member(ref arena.Ref) listpack.Value {
	return listpack.Value{Str: entry.At(s.Heap.Arena(), ref).Key()}
}

// Random is a member, chosen by r: any number. There must be one.
func (s SetValue) Random(r uint64) listpack.Value {
	switch b := s.room(); s.Encoding() {
	case EncIntset:
		return listpack.Value{Int: intset.At(b, int(r%uint64(intset.Len(b))))}
	case EncListpack:
		return listpack.Get(b, listpack.Seek(b, int(r%uint64(listpack.Len(b)))))
	}
	t := s.table()
	return s.member(t.Random(r))
}

// Scan is one step of SSCAN: it visits some members from a cursor on, about count
// of them, and returns the next cursor, 0 at the end. Small sets are visited
// whole.
func (s SetValue) Scan(cursor uint64, count int, visit func(listpack.Value)) uint64 {
	if s.Encoding() != EncHashtable {
		s.Each(func(v listpack.Value) bool { visit(v); return true })
		return 0
	}
	t := s.table()
	return scanTable(&t, cursor, count, func(ref arena.Ref) { visit(s.member(ref)) })
}
