package object

import (
	"crypto/sha1"
	"encoding/binary"

	"dozo/container/listpack"
	"dozo/internal/invariants"
	"dozo/text"
)

// Digest is the sum that DEBUG DIGEST shows: 20 bytes that two data sets share
// only if they are equal. Parts without an order are joined by Xor, so that the
// order in which they are met does not matter; parts in order by Mix. It equals
// that of a genuine server with the same data.
type Digest [sha1.Size]byte

// Xor adds b as one of several parts that have no order.
func (d *Digest) Xor(b []byte) {
	sum := sha1.Sum(b)
	for i := range d {
		d[i] ^= sum[i]
	}
}

// Mix adds b as the next part.
func (d *Digest) Mix(b []byte) {
	d.Xor(b)
	*d = sha1.Sum(d[:])
}

// MixInt adds a number as the next part, in four bytes.
func (d *Digest) MixInt(n uint32) {
	d.Mix(binary.BigEndian.AppendUint32(nil, n))
}

// Digest adds the value, as it is at the given time, with whether it will expire, to
// d.
func (c *Cell) Digest(d *Digest, now int64) {
	d.MixInt(uint32(c.Type()))
	switch c.Type() {
	case String:
		var scratch [intDigitsMax]byte
		d.Mix(c.Bytes(scratch[:0]))
	case Set:
		var scratch [intDigitsMax]byte
		SetValue{c}.Each(func(v listpack.Value) bool {
			d.Xor(v.Text(scratch[:0]))
			return true
		})
	case List:
		var scratch [intDigitsMax]byte
		ListValue{c}.Each(func(v listpack.Value) bool {
			d.Mix(v.Text(scratch[:0]))
			return true
		})
	case Hash:
		HashValue{c, now}.EachDated(func(f, v listpack.Value, deadline int64) bool {
			var pair Digest
			var scratch [intDigitsMax]byte
			pair.Mix(f.Text(scratch[:0]))
			pair.Mix(v.Text(scratch[:0]))
			if deadline != 0 {
				pair.Xor([]byte("!!hexpire!!"))
			}
			d.Xor(pair[:])
			return true
		})
	case ZSet:
		ZSetValue{c}.Each(func(s Scored) bool {
			var pair Digest
			var scratch [ScoreTextMax]byte
			pair.Mix(s.Member.Text(scratch[:0]))
			pair.Mix(text.AppendShort(scratch[:0], s.Score()))
			d.Xor(pair[:])
			return true
		})
	case Stream:
		StreamValue{c}.digest(d)
	default:
		invariants.Failf("no digest of type %s", c.Type())
	}
	if c.Entry.HasDeadline() {
		d.Xor([]byte("!!expire!!"))
	}
}
