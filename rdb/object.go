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
}

// Object reads a type and its body, and makes a draft of it for a place. After an
// error there is no draft.
func (b *Builder) Object(d *Decoder, at object.Place, into *object.Draft) error {
	t, err := d.Byte()
	if err != nil {
		return err
	}
	switch Type(t) {
	case TypeString:
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
	case TypeHashListpack, TypeHashZiplist:
		return b.hashListpack(Type(t), d, at, into)
	case TypeList, TypeListZiplist, TypeListQuicklist, TypeListQuicklist2:
		return b.lists(Type(t), d, at, into)
	case TypeHashDated, typeHashDatedEarly:
		return b.hashDated(d, at, into, Type(t))
	case TypeHashDatedLP, typeHashDatedLPEarly:
		return b.hashDatedListpack(d, at, into, Type(t))
	case TypeStream, TypeStream2, TypeStream3:
		return b.stream(d, Type(t), at, into)
	case TypeZSet:
		return b.zset(d, at, into, textScore)
	case TypeZSet2:
		return b.zset(d, at, into, binaryScore)
	case TypeZSetListpack, TypeZSetZiplist:
		return b.zsetListpack(Type(t), d, at, into)
	}
	return ErrFormat
}

// elementMax is the longest element: their lengths have 32 bits.
const elementMax = 1<<32 - 1

// string reads an element, which is valid until the next one is read.
func (b *Builder) string(d *Decoder) ([]byte, error) {
	s, err := b.text(d)
	if uint64(len(s)) > elementMax {
		return nil, ErrFormat
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

// Trim drops scratch space that has become larger than max.
func (b *Builder) Trim(max int) {
	if cap(b.Buf) > max {
		b.Buf = nil
	}
	if cap(b.field) > max {
		b.field = nil
	}
}

// discard gives a draft up that cannot be finished.
func discard(d *object.Draft) error {
	heap := d.Heap
	g := d.Discard()
	g.FreeSome(heap, math.MaxInt)
	return ErrFormat
}

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
		if err != nil || !s.Add(m, l) { // twice the same: damaged
			return discard(into)
		}
	}
	return nil
}

func (b *Builder) setIntset(d *Decoder, at object.Place, into *object.Draft) error {
	blob, err := b.string(d)
	if err != nil || !intset.Validate(blob) {
		return ErrFormat
	}
	into.Begin(at, at.NewCompact(object.Set, object.EncIntset, blob))
	object.SetValue{Cell: &into.Cell}.Expect(intset.Len(blob), &b.Limits.Set)
	return nil
}

func (b *Builder) setListpack(d *Decoder, at object.Place, into *object.Draft) error {
	blob, ok := b.packed(d, false, 1, b.Limits.Set.Listpack)
	if !ok {
		return ErrFormat
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
		f, err1 := b.string(d)
		if err1 == nil && d.inBuffer {
			b.field = append(b.field[:0], f...)
			f = b.field
		}
		v, err2 := b.string(d)
		if err1 != nil || err2 != nil || !h.Set(f, v, l) { // twice the same: damaged
			return discard(into)
		}
	}
	return nil
}

func (b *Builder) hashListpack(t Type, d *Decoder, at object.Place, into *object.Draft) error {
	blob, ok := b.packed(d, t == TypeHashZiplist, 2, b.Limits.Hash.Listpack)
	if !ok {
		return ErrFormat
	}
	into.Begin(at, at.NewCompact(object.Hash, object.EncListpack, blob))
	if h := (object.HashValue{Cell: &into.Cell}); h.Len() > b.Limits.Hash.Listpack {
		h.ToTable()
	}
	return nil
}

// packed reads a listpack, or a ziplist as one (zip), of groups of step elements, of
// which there must be one. That no two groups begin alike is looked at if Deep; in a
// ziplist, as in Redis; and when there are more than max groups, which go into a table
// that each of them must be found in.
func (b *Builder) packed(d *Decoder, zip bool, step, max int) (blob []byte, ok bool) {
	blob, err := b.string(d)
	switch {
	case err != nil:
		return nil, false
	case zip:
		blob, ok = listpackOf(blob)
	default:
		ok = listpack.Validate(blob)
	}
	if !ok {
		return nil, false
	}
	n := listpack.Len(blob)
	if n == 0 || n%step != 0 {
		return nil, false
	}
	return blob, !(b.Deep || zip || n/step > max) || !twice(blob, step)
}

// twice tells whether an element of a listpack, or the first of each group of step,
// is there more than once.
func twice(b []byte, step int) bool {
	seen := make(map[string]struct{}, listpack.Len(b)/step)
	var digits [20]byte
	i := 0
	for p := listpack.First(b); p != 0; i++ {
		var v listpack.Value
		if v, p = listpack.Read(b, p); i%step != 0 {
			continue
		}
		m := string(v.Text(digits[:0]))
		if _, again := seen[m]; again {
			return true
		}
		seen[m] = struct{}{}
	}
	return false
}
