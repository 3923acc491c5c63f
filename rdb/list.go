package rdb

import (
	"dozo/container/listpack"
	"dozo/object"
)

// A list is written node by node, a small one as a single node: how many there are,
// and for each what it is and its bytes.
const (
	nodePlain  = 1 // one large element as it is
	nodePacked = 2 // a listpack
)

func (e *Encoder) appendList(dst []byte, v object.ListValue) []byte {
	dst = AppendLen(e.begin(dst, TypeListQuicklist2), uint64(v.Nodes()))
	for i, n := 0, v.Len(); i < n; {
		r := v.Run(i)
		kind := uint64(nodePacked)
		if r.Plain {
			kind = nodePlain
		}
		dst = e.AppendString(AppendLen(dst, kind), r.Bytes)
		i = r.First + r.Count
	}
	return dst
}

// count reads how many elements or nodes of a value follow. Each takes a byte at
// least, and there must be one.
func (d *Decoder) count() (uint64, error) {
	n, err := d.Len()
	switch {
	case err != nil:
		return 0, err
	case n == 0:
		return 0, ErrEmpty
	case n > uint64(d.Left()):
		return 0, errCount
	}
	return n, nil
}

// lists reads a list in any of the forms that it had.
func (b *Builder) lists(t Type, d *Decoder, at object.Place, into *object.Draft) error {
	n := uint64(1)
	if t != TypeListZiplist {
		var err error
		if n, err = d.count(); err != nil {
			return err
		}
	}
	into.Begin(at, at.NewQuicklist(&b.Limits.List))
	v := object.ListValue{Cell: &into.Cell}
	for ; n > 0; n-- {
		if err := b.listPart(t, d, v); err != nil {
			return discard(into, err)
		}
	}
	if v.Len() == 0 {
		return discard(into, ErrEmpty)
	}
	if t != TypeListZiplist { // as Redis has it: so is such a list a quicklist
		v.Settle(&b.Limits.List)
	}
	return nil
}

// listPart reads an element or a node, as the form has them.
func (b *Builder) listPart(t Type, d *Decoder, v object.ListValue) error {
	kind := uint64(nodePacked)
	if t == TypeListQuicklist2 {
		var err error
		if kind, err = d.Len(); err != nil {
			return err
		}
	}
	s, err := b.string(d)
	if err != nil {
		return err
	}
	switch t {
	case TypeList:
		v.Push(s, object.Tail, &b.Limits.List)
		return nil
	case TypeListQuicklist2:
		return addNode(v, kind, s)
	}
	pack, ok := listpackOf(s)
	switch {
	case !ok:
		return errZiplist
	case t == TypeListQuicklist:
		return addNode(v, kind, pack)
	}
	for p := listpack.First(pack); p != 0; {
		var x listpack.Value
		var digits [20]byte
		x, p = listpack.Read(pack, p)
		v.Push(x.Text(digits[:0]), object.Tail, &b.Limits.List)
	}
	return nil
}

// addNode adds a node that was read; one without elements is left out.
func addNode(v object.ListValue, kind uint64, b []byte) error {
	switch {
	case len(b) == 0:
		return errNode
	case kind == nodePlain:
		v.AddNode(b, true)
		return nil
	case kind == nodePacked && listpack.Validate(b):
		v.AddNode(b, false)
		return nil
	}
	return errNode
}
