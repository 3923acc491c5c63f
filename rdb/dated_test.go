package rdb

import (
	"encoding/hex"
	"testing"

	"dozo/container/listpack"
	"dozo/object"
)

// TestDatedForms pins the bytes of hashes with deadlines, made by hand after the
// format's description.
func TestDatedForms(t *testing.T) {
	s := newShelf(t)
	const first = 1_700_000_000_000
	for _, c := range []struct {
		l    object.HashLimits
		want string
	}{
		{object.HashLimits{Listpack: 10, Value: 10}, "190068e5cf8b010000" + // type, first deadline
			"1f1f0000000600" + // listpack of 31 bytes, 6 elements
			"816202" + "817902" + "f40068e5cf8b01000009" + // b, y, first
			"816102" + "817802" + "000" + "1" + "ff"}, // a, x, none
		{object.HashLimits{}, "180068e5cf8b01000001" + "01" + "0162" + "0179"},
	} {
		var d object.Draft
		d.Begin(s.place(), s.place().NewHash())
		h := object.HashValue{Cell: &d.Cell}
		if c.l.Listpack > 0 {
			h.Set([]byte("a"), []byte("x"), &c.l)
		}
		h.Set([]byte("b"), []byte("y"), &c.l)
		h.SetFieldDeadline([]byte("b"), first)
		e := NewEncoder(10, false)
		body := e.AppendObject(nil, &d.Cell)
		if got := hex.EncodeToString(body); got != c.want {
			t.Errorf("%s is written as\n%s, want\n%s", h.Encoding(), got, c.want)
		}
		if dump := e.AppendFooter(body, 0); dump[len(body)] != datedHashes {
			t.Errorf("a payload of version %d", dump[len(body)])
		}
		e.Now = first // nothing is left that has a deadline
		want := byte(TypeHash)
		if body := e.AppendObject(nil, &d.Cell); body[0] != want || int(body[1]) != h.Size()-1 {
			t.Errorf("with all deadlines over it is written as %x", body)
		}
		g := d.Discard()
		g.FreeSome(s.heap, 100)
	}
}

// TestEarlyForms: those of the release candidates are read.
func TestEarlyForms(t *testing.T) {
	for _, body := range []string{
		"\x16\x02" + "\x00\x01a\x01x" + "\x41\x00\x01b\x01y",
		"\x17\x18" + "\x18\x00\x00\x00\x06\x00" + "\x81b\x02\x81y\x02\xc1\x00\x02" + "\x81a\x02\x81x\x02\x00\x01\xff",
	} {
		s := newShelf(t)
		l := object.Limits{Hash: object.HashLimits{Listpack: 10, Value: 10}}
		b, in, d := Builder{Limits: &l, Deep: true}, NewDecoder([]byte(body)), object.Draft{}
		if err := b.Object(&in, s.place(), &d); err != nil {
			t.Errorf("%x: %v", body, err)
			continue
		}
		sum := int64(0)
		object.HashValue{Cell: &d.Cell}.EachDated(func(_, _ listpack.Value, deadline int64) bool {
			sum += deadline
			return true
		})
		if sum != 256 {
			t.Errorf("%x: the deadlines are %d", body, sum)
		}
		g := d.Discard()
		g.FreeSome(s.heap, 100)
	}
}
