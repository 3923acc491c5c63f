package object

import (
	"dozo/arena"
	"dozo/container/btree"
	"dozo/container/entry"
	"dozo/container/listpack"
)

// Large values are gone through in pieces, between which they change: these visit a
// little from a place on, and say where to go on. What is beyond the place when it comes
// or goes is visited or not; the rest of it is visited once.

// Large tells whether the elements have blocks of their own.
func (c *Cell) Large() bool { return c.Encoding().isLarge() }

// FieldsFrom visits some fields of a large hash, those whose hash is pos or more, due
// ones too; 0 is the end.
func (h HashValue) FieldsFrom(pos uint64, visit func(sum uint64, field, value listpack.Value, deadline int64)) (next uint64) {
	t := h.table()
	return t.Scan(pos, func(ref arena.Ref) {
		e := entry.At(h.Heap.Arena(), ref)
		f, v := h.pair(ref)
		visit(h.Kit.Hash(f.Str), f, v, e.Deadline())
	})
}

// Field is a field with its value and its deadline, though it be due.
func (h HashValue) Field(name []byte) (value listpack.Value, deadline int64, ok bool) {
	t := h.table()
	slot := t.Find(h.Kit.Hash(name), name)
	if !slot.Ok() {
		return value, 0, false
	}
	e := entry.At(h.Heap.Arena(), slot.Ref())
	return h.valueOf(e), e.Deadline(), true
}

// MembersFrom visits some members of a large set, those whose hash is pos or more; 0 is
// the end.
func (s SetValue) MembersFrom(pos uint64, visit func(sum uint64, member listpack.Value)) (next uint64) {
	t := s.table()
	return t.Scan(pos, func(ref arena.Ref) {
		m := s.member(ref)
		visit(s.Kit.Hash(m.Str), m)
	})
}

// Below is how many members of a large sorted set come before one, which need not be in
// it.
func (z ZSetValue) Below(score float64, member []byte) int {
	tree := z.tree()
	return tree.CountBelow(btree.FromItem(score, member))
}
