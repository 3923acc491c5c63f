package rdb

import (
	"encoding/binary"

	"dozo/container/listpack"
	"dozo/object"
)

// Hashes whose fields have deadlines. A small one is the earliest deadline, in
// milliseconds in eight bytes, and the listpack of field, value and deadline (0 = none)
// in the order of the deadlines. A large one is the earliest deadline and, for each field, how
// much later than that it is due plus one (0 = never), its name and its value. The early
// forms lack the earliest deadline, and have the deadlines as they are.

// datedHashes is the version that has them.
const datedHashes = 12

// deadlineMax is the latest deadline that a field can have.
const deadlineMax = 1<<48 - 1

// appendDated appends a hash whose fields are first due at the given time. Fields that
// are due already are left out.
func (e *Encoder) appendDated(dst []byte, h object.HashValue, first int64) []byte {
	small := h.Encoding() == object.EncListpackEx && h.Due() == 0
	t := TypeHashDated
	if small {
		t = TypeHashDatedLP
	}
	dst = binary.LittleEndian.AppendUint64(e.begin(dst, t), uint64(first))
	if small {
		return e.AppendString(dst, h.Bare())
	}
	var digits [20]byte
	dst = AppendLen(dst, uint64(h.Len()))
	h.EachDated(func(f, v listpack.Value, deadline int64) bool {
		if deadline != 0 {
			deadline -= first - 1
		}
		dst = AppendLen(dst, uint64(deadline))
		dst = e.AppendString(dst, f.Text(digits[:0]))
		dst = e.AppendString(dst, v.Text(digits[:0]))
		return true
	})
	return dst
}

// firstDeadline reads the earliest deadline, which early forms do not have.
func firstDeadline(d *Decoder, early bool) (uint64, error) {
	if early {
		return 1, nil // so that what is added to it is the deadline
	}
	b, err := d.Take(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

func (b *Builder) hashDated(d *Decoder, at object.Place, into *object.Draft, t Type) error {
	first, err := firstDeadline(d, t == typeHashDatedEarly)
	switch {
	case err != nil:
		return err
	case first > deadlineMax:
		return errDeadline
	}
	n, err := d.count()
	if err != nil {
		return err
	}
	into.Begin(at, at.NewHash())
	h := object.HashValue{Cell: &into.Cell}
	if n > uint64(b.Limits.Hash.Listpack) {
		h.ToTable()
	}
	for ; n > 0; n-- {
		if err := b.datedField(d, h, first); err != nil {
			return discard(into, err)
		}
	}
	return nil
}

// datedField reads how much later than first a field is due, the field, and its value.
func (b *Builder) datedField(d *Decoder, h object.HashValue, first uint64) error {
	after, err := d.Len()
	switch {
	case err != nil:
		return err
	case after > deadlineMax || after != 0 && first+after-1 > deadlineMax:
		return errDeadline
	}
	field, err := b.setField(d, h)
	if err == nil && after != 0 {
		h.SetFieldDeadline(field, int64(first+after-1))
	}
	return err
}

// hashDatedListpack looks in any case whether a field is there twice: in the order of
// deadlines two that are due together would pass for one another.
func (b *Builder) hashDatedListpack(d *Decoder, at object.Place, into *object.Draft, t Type) error {
	if _, err := firstDeadline(d, t == typeHashDatedLPEarly); err != nil {
		return err
	}
	blob, err := b.packed(t, d, 3, 0)
	switch {
	case err != nil:
		return err
	case !inOrder(blob):
		return errOrder
	}
	into.Begin(at, at.NewCompact(object.Hash, object.EncListpackEx, blob))
	if h := (object.HashValue{Cell: &into.Cell}); h.Len() > b.Limits.Hash.Listpack {
		h.ToTable()
	}
	return nil
}

// inOrder tells whether a listpack of triples has deadlines as their third elements,
// in order.
func inOrder(blob []byte) bool {
	last, i := int64(0), 0
	for p := listpack.First(blob); p != 0; i++ {
		var v listpack.Value
		if v, p = listpack.Read(blob, p); i%3 != 2 {
			continue
		}
		if v.Str != nil || v.Int < 0 || v.Int > deadlineMax || last < 0 && v.Int != 0 || v.Int != 0 && v.Int < last {
			return false
		}
		if last = v.Int; last == 0 {
			last = -1 // no deadlines from here on
		}
	}
	return true
}
