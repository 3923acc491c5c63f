package rdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"dozo/container/listpack"
)

// scoredBody is a sorted set of type 5.
func scoredBody(pairs ...any) []byte {
	b := AppendLen([]byte{byte(TypeZSet2)}, uint64(len(pairs)/2))
	e := NewEncoder(0, false)
	for i := 0; i < len(pairs); i += 2 {
		b = e.AppendString(b, []byte(pairs[i].(string)))
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(pairs[i+1].(float64)))
	}
	return b
}

// packedBody is a sorted set of type 17.
func packedBody(words ...string) []byte {
	lp := listpack.AppendEmpty(nil)
	for _, w := range words {
		e := listpack.String([]byte(w))
		lp = listpack.Append(lp, &e)
	}
	return NewEncoder(0, false).AppendString([]byte{byte(TypeZSetListpack)}, lp)
}

// TestZSetForms: the older forms are read, and written as listpacks.
func TestZSetForms(t *testing.T) {
	s := newShelf(t)
	want := packedBody("b", "-inf", "c", "2.5", "a", "7")
	for name, body := range map[string]string{
		"text":    "\x03\x03\x01a\x017\x01b\xff\x01c\x032.5",
		"binary":  string(scoredBody("a", 7.0, "c", 2.5, "b", math.Inf(-1))),
		"ziplist": "\x0c\x21\x21\x00\x00\x00\x1e\x00\x00\x00\x06\x00\x00\x01b\x03\x04-inf\x06\x01c\x03\x032.5\x05\x01a\x03\xf8\xff",
	} {
		now, _, err := s.read([]byte(body))
		if err != nil || !bytes.Equal(now, want) {
			t.Errorf("%s: %x, %v; want %x", name, now, err, want)
		}
	}
}

func TestDamagedZSets(t *testing.T) {
	s := newShelf(t)
	for name, body := range map[string][]byte{
		"nobody":             scoredBody(),
		"twice the same":     scoredBody("a", 1.0, "a", 2.0),
		"no number":          scoredBody("a", math.NaN()),
		"no number, as text": []byte("\x03\x01\x01a\xfd"),
		"words, as text":     []byte("\x03\x01\x01a\x01x"),
		"no pairs":           packedBody("a", "1", "b"),
		"empty":              packedBody(),
		"words for scores":   packedBody("a", "x"),
		"scores fall":        packedBody("a", "2", "b", "1"),
		"members fall":       packedBody("b", "1", "a", "1"),
		"the same pair":      packedBody("a", "1", "a", "1"),
		"the same member":    packedBody("a", "1", "a", "2"),
	} {
		if _, _, err := s.read(body); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Deep = false // then this is not looked for in a small one
	if now, _, err := s.read(packedBody("a", "1", "a", "2")); err != nil || now == nil {
		t.Error(err)
	}
	if _, _, err := s.read(packedBody("a", "1", "a", "2", "b", "3", "c", "3", "d", "4")); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}
