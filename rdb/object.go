package rdb

import (
	"math"

	"dozo/container/intset"
	"dozo/container/listpack"
	"dozo/object"
)

// Type is the byte that says how a value is written. A value type of Redis has
// several: one for each encoding, and older ones that are only read.
type Type uint8

// The types that are written.
const (
	TypeString         Type = 0
	TypeSet            Type = 2
	TypeHash           Type = 4
	TypeSetIntset      Type = 11
	TypeHashListpack   Type = 16
	TypeListQuicklist2 Type = 18
	TypeSetListpack    Type = 20 // since version 11
	// Hashes with deadlines of fields, since version 12.
	TypeHashDated   Type = 24
	TypeHashDatedLP Type = 25
)

// The types of older versions, which are read all the same.
const (
	TypeList          Type = 1
	TypeHashZipmap    Type = 9
	TypeListZiplist   Type = 10
	TypeHashZiplist   Type = 13
	TypeListQuicklist Type = 14
	// Hashes with deadlines as release candidates wrote them.
	typeHashDatedEarly   Type = 22
	typeHashDatedLPEarly Type = 23
)

// listpackSets is the version that has sets as listpacks.
const listpackSets = 11

// AppendObject appends the type of a value and its body.
func (e *Encoder) AppendObject(dst []byte, c *object.Cell) []byte {
	switch c.Type() {
	case object.Set:
		return e.appendSet(dst, object.SetValue{Cell: c})
	case object.Hash:
		return e.appendHash(dst, object.HashValue{Cell: c, Now: e.Now})
	case object.List:
		return e.appendList(dst, object.ListValue{Cell: c})
	case object.Stream:
		return e.appendStream(dst, object.StreamValue{Cell: c})
	case object.ZSet:
		return e.appendZSet(dst, object.ZSetValue{Cell: c})
	default:
		var digits [20]byte
		return e.AppendString(e.begin(dst, TypeString), c.Bytes(digits[:]))
	}
}

func (e *Encoder) appendSet(dst []byte, s object.SetValue) []byte {
	switch enc := s.Encoding(); {
	case enc == object.EncIntset:
		return e.AppendString(e.begin(dst, TypeSetIntset), s.Bare())
	case enc == object.EncListpack && e.Version >= listpackSets:
		return e.AppendString(e.begin(dst, TypeSetListpack), s.Bare())
	}
	var digits [20]byte
	dst = AppendLen(e.begin(dst, TypeSet), uint64(s.Len()))
	s.Each(func(v listpack.Value) bool {
		dst = e.AppendString(dst, v.Text(digits[:0]))
		return true
	})
	return dst
}

func (e *Encoder) appendHash(dst []byte, h object.HashValue) []byte {
	if h.Encoding() == object.EncListpack {
		return e.AppendString(e.begin(dst, TypeHashListpack), h.Bare())
	}
	if first := h.Upcoming(); first != 0 {
		return e.appendDated(dst, h, first)
	}
	var digits [20]byte
	dst = AppendLen(e.begin(dst, TypeHash), uint64(h.Len()))
	h.Each(func(f, v listpack.Value) bool {
		dst = e.AppendString(dst, f.Text(digits[:0]))
		dst = e.AppendString(dst, v.Text(digits[:0]))
		return true
	})
	return dst
}

// Builder is what is needed to make values of what is read.
type Builder struct {
	Limits *object.Limits
	// Deep has every element looked at, not just the frame: for bytes that anyone
	// may have sent.
	Deep bool
	// Buf is scratch space that is kept from one value to the next.
	Buf   []byte
	field []byte
	seen  seen
}

// Object reads a type and its body, and makes a draft of it for a place. After an
// error there is no draft.
func (b *Builder) Object(d *Decoder, at object.Place, into *object.Draft) error {
	t, err := d.Byte()
	if err != nil {
		return err
	}
	return b.Value(Type(t), d, at, into)
}

// Value is Object for a body whose type was read already.
func (b *Builder) Value(t Type, d *Decoder, at object.Place, into *object.Draft) error {
	switch t {
	case TypeString:
		if d.src != nil {
			return b.longString(d, at, into)
		}
		s, err := b.text(d)
		if err == nil {
			into.Begin(at, object.NewString(at.Heap, at.Key, s, at.Attrs))
		}
		return err
	case TypeSet:
		return b.set(d, at, into)
	case TypeSetIntset:
		return b.setIntset(d, at, into)
	case TypeSetListpack:
		return b.setListpack(d, at, into)
	case TypeHash:
		return b.hash(d, at, into)
	case TypeHashListpack, TypeHashZiplist, TypeHashZipmap:
		return b.hashListpack(t, d, at, into)
	case TypeList, TypeListZiplist, TypeListQuicklist, TypeListQuicklist2:
		return b.lists(t, d, at, into)
	case TypeHashDated, typeHashDatedEarly:
		return b.hashDated(d, at, into, t)
	case TypeHashDatedLP, typeHashDatedLPEarly:
		return b.hashDatedListpack(d, at, into, t)
	case TypeStream, TypeStream2, TypeStream3:
		return b.stream(d, t, at, into)
	case TypeZSet:
		return b.zset(d, at, into, textScore)
	case TypeZSet2:
		return b.zset(d, at, into, binaryScore)
	case TypeZSetListpack, TypeZSetZiplist:
		return b.zsetListpack(t, d, at, into)
	case TypeModule:
		id, err := d.Len()
		if err != nil {
			return err
		}
		return foreign(id)
	case typeModuleEarly:
		return errModule
	}
	return errType
}

// elementMax is the longest element: their lengths have 32 bits.
const elementMax = 1<<32 - 1

// string reads an element, which is valid until the next one is read.
func (b *Builder) string(d *Decoder) ([]byte, error) {
	s, err := b.text(d)
	if uint64(len(s)) > elementMax {
		return nil, errElementMax
	}
	return s, err
}

// text reads a string of any length.
func (b *Builder) text(d *Decoder) ([]byte, error) {
	s, err := d.String(b.Buf)
	if d.inBuffer && cap(s) > cap(b.Buf) {
		b.Buf = s[:0]
	}
	return s, err
}

// hold keeps an element that was just read while more is read, until hold is called
// again.
func (b *Builder) hold(d *Decoder, s []byte) []byte {
	if !d.inBuffer && d.src == nil {
		return s
	}
	b.field = append(b.field[:0], s...)
	return b.field
}

// Trim drops scratch space that has become larger than max.
func (b *Builder) Trim(max int) {
	if cap(b.Buf) > max {
		b.Buf = nil
	}
	if cap(b.field) > max {
		b.field = nil
	}
}

// discard gives a draft up that cannot be finished, because of err.
func discard(d *object.Draft, err error) error {
	heap := d.Heap
	g := d.Discard()
	g.FreeSome(heap, math.MaxInt)
	return err
}

// longString reads a string from a stream to its place, without keeping it in memory
// elsewhere, unless it is compressed.
func (b *Builder) longString(d *Decoder, at object.Place, into *object.Draft) error {
	n, special, err := d.lenOrEncoding()
	switch {
	case err != nil:
		return err
	case special || n <= longMin:
		s, err := d.content(n, special, b.Buf)
		if err == nil {
			into.Begin(at, object.NewString(at.Heap, at.Key, s, at.Attrs))
		}
		return err
	case n > uint64(d.Left()):
		return errEnds
	}
	step := d.src.trusted(n)
	into.Begin(at, object.NewZeros(at.Heap, at.Key, int(step), at.Attrs))
	for have := uint64(0); ; step = min(n, 2*have) {
		room := into.Bytes(nil)
		if have != 0 {
			room = into.Resize(int(step))
		}
		if err := d.src.readTo(room[have:]); err != nil {
			return discard(into, err)
		}
		if have = step; have == n {
			return nil
		}
	}
}

// longMin is the length from which on a string is read to its place.
const longMin = 1 << 16

func (b *Builder) set(d *Decoder, at object.Place, into *object.Draft) error {
	n, err := d.count()
	if err != nil {
		return err
	}
	l := &b.Limits.Set
	hint := 0
	if n > uint64(l.Intset) {
		hint = math.MaxInt
	}
	into.Begin(at, at.NewSet([]byte("0"), hint, l))
	s := object.SetValue{Cell: &into.Cell}
	for ; n > 0; n-- {
		m, err := b.string(d)
		if err != nil {
			return discard(into, err)
		}
		if !s.Add(m, l) {
			return discard(into, errTwice)
		}
	}
	return nil
}

func (b *Builder) setIntset(d *Decoder, at object.Place, into *object.Draft) error {
	blob, err := b.string(d)
	switch {
	case err != nil:
		return err
	case !intset.Validate(blob):
		return errIntset
	}
	into.Begin(at, at.NewCompact(object.Set, object.EncIntset, blob))
	object.SetValue{Cell: &into.Cell}.Expect(intset.Len(blob), &b.Limits.Set)
	return nil
}

func (b *Builder) setListpack(d *Decoder, at object.Place, into *object.Draft) error {
	blob, err := b.packed(TypeSetListpack, d, 1, b.Limits.Set.Listpack)
	if err != nil {
		return err
	}
	into.Begin(at, at.NewCompact(object.Set, object.EncListpack, blob))
	object.SetValue{Cell: &into.Cell}.Expect(listpack.Len(blob), &b.Limits.Set)
	return nil
}

func (b *Builder) hash(d *Decoder, at object.Place, into *object.Draft) error {
	n, err := d.count()
	if err != nil {
		return err
	}
	l := &b.Limits.Hash
	into.Begin(at, at.NewHash())
	h := object.HashValue{Cell: &into.Cell}
	if n > uint64(l.Listpack) {
		h.ToTable()
	}
	for ; n > 0; n-- {
		if _, err := b.setField(d, h); err != nil {
			return discard(into, err)
		}
	}
	return nil
}

// setField reads a field, which it returns, and its value. It must not be there yet.
func (b *Builder) setField(d *Decoder, h object.HashValue) (field []byte, err error) {
	f, err := b.string(d)
	if err != nil {
		return nil, err
	}
	f = b.hold(d, f)
	v, err := b.string(d)
	if err != nil {
		return nil, err
	}
	if !h.Set(f, v, &b.Limits.Hash) {
		return nil, errTwice
	}
	return f, nil
}

func (b *Builder) hashListpack(t Type, d *Decoder, at object.Place, into *object.Draft) error {
	blob, err := b.packed(t, d, 2, b.Limits.Hash.Listpack)
	if err != nil {
		return err
	}
	into.Begin(at, at.NewCompact(object.Hash, object.EncListpack, blob))
	h := object.HashValue{Cell: &into.Cell}
	if h.Len() > b.Limits.Hash.Listpack || t == TypeHashZipmap && longest(blob) > b.Limits.Hash.Value {
		h.ToTable()
	}
	return nil
}

// packed reads a listpack, or what its forerunners have as one, of groups of step
// elements, of which there must be one. That no two groups begin alike is looked at if
// Deep; in old forms, as in Redis; and when there are more than max groups, which go
// into a table that each of them must be found in.
func (b *Builder) packed(t Type, d *Decoder, step, max int) (blob []byte, err error) {
	blob, err = b.string(d)
	if err != nil {
		return nil, err
	}
	ok, old, fault := true, true, errZiplist
	switch t {
	case TypeHashZiplist, TypeZSetZiplist:
		blob, ok = listpackOf(blob)
	case TypeHashZipmap:
		fault = errZipmap
		blob, ok = listpackOfZipmap(blob)
	default:
		fault, old = errListpack, false
		ok = listpack.Validate(blob)
	}
	if !ok {
		return nil, fault
	}
	switch n := listpack.Len(blob); {
	case n == 0:
		return nil, ErrEmpty
	case n%step != 0:
		return nil, errGroups
	case (b.Deep || old || n/step > max) && b.seen.twice(blob, step):
		return nil, errTwice
	}
	return blob, nil
}

// longest is the length of the longest element of a listpack.
func longest(b []byte) (n int) {
	for p := listpack.First(b); p != 0; {
		var v listpack.Value
		v, p = listpack.Read(b, p)
		n = max(n, v.Len())
	}
	return n
}
