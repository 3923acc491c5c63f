package rdb

import (
	"encoding/binary"
	"math"

	"dozo/container/listpack"
	"dozo/object"
	"dozo/text"
)

// The types of sorted sets.
const (
	TypeZSet         Type = 3 // with scores as text; only read
	TypeZSet2        Type = 5
	TypeZSetZiplist  Type = 12 // only read
	TypeZSetListpack Type = 17
)

// scoreBytes is the size of a score of TypeZSet2.
const scoreBytes = 8

// appendZSet writes a large sorted set from its highest member down, as a genuine
// server does.
func (e *Encoder) appendZSet(dst []byte, z object.ZSetValue) []byte {
	if z.Encoding() == object.EncListpack {
		return e.AppendString(e.begin(dst, TypeZSetListpack), z.Bare())
	}
	n := z.Len()
	dst = AppendLen(e.begin(dst, TypeZSet2), uint64(n))
	z.Walk(n-1, n, true, func(s object.Scored) bool {
		dst = e.AppendScored(dst, s.Member.Str, s.Score())
		return true
	})
	return dst
}

// zset reads members, each followed by a score that the given function reads.
func (b *Builder) zset(d *Decoder, at object.Place, into *object.Draft, score func(*Decoder) (float64, error)) error {
	n, err := d.count()
	if err != nil {
		return err
	}
	l := &b.Limits.ZSet
	into.Begin(at, at.NewZSet(int(n), 0, l))
	z := object.ZSetValue{Cell: &into.Cell}
	for ; n > 0; n-- {
		if err := b.scored(d, z, score); err != nil {
			return discard(into, err)
		}
	}
	return nil
}

// scored reads a member and its score. It must not be there yet.
func (b *Builder) scored(d *Decoder, z object.ZSetValue, score func(*Decoder) (float64, error)) error {
	m, err := b.string(d)
	if err != nil {
		return err
	}
	m = b.hold(d, m)
	s, err := score(d)
	switch {
	case err != nil:
		return err
	case math.IsNaN(s):
		return errScore
	}
	if _, done := z.Add(m, s, object.ZAddNX, &b.Limits.ZSet); done != object.ZAddAdded {
		return errTwice
	}
	return nil
}

// binaryScore reads a score of TypeZSet2.
func binaryScore(d *Decoder) (float64, error) {
	b, err := d.Take(scoreBytes)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
}

// The lengths of scores as text that stand for what is no number.
const (
	textNaN = 253 + iota
	textInf
	textMinusInf
)

// textScore reads a score of TypeZSet.
func textScore(d *Decoder) (float64, error) {
	n, err := d.Byte()
	switch {
	case err != nil:
		return 0, err
	case n == textNaN:
		return 0, errScore
	case n >= textInf:
		return math.Inf(textInf - int(n)), nil
	}
	b, err := d.Take(uint64(n))
	if err != nil {
		return 0, err
	}
	score, ok := text.ParseFloat(b)
	if !ok {
		return 0, errScore
	}
	return score, nil
}

// zsetListpack reads a small sorted set. It always looks at the order, which a tree
// would rely on.
func (b *Builder) zsetListpack(t Type, d *Decoder, at object.Place, into *object.Draft) error {
	blob, err := b.packed(t, d, 2, b.Limits.ZSet.Listpack)
	switch {
	case err != nil:
		return err
	case !object.IsZSet(blob):
		return errOrder
	}
	into.Begin(at, at.NewCompact(object.ZSet, object.EncListpack, blob))
	object.ZSetValue{Cell: &into.Cell}.Expect(listpack.Len(blob)/2, &b.Limits.ZSet)
	return nil
}
