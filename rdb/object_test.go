package rdb

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"runtime"
	"testing"

	"dozo/arena"
	"dozo/container/listpack"
	"dozo/object"
)

// shelf is where values are made of what is read.
type shelf struct {
	t    testing.TB
	heap *arena.Heap
	kit  object.Kit
	Builder
}

func newShelf(t testing.TB) *shelf {
	a, err := arena.New(arena.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{t: t, heap: a.NewHeap()}
	s.kit.Hash = func(b []byte) uint64 { return CRC64(0, b) * 0x9e3779b97f4a7c15 }
	s.Limits = &object.Limits{
		Set: object.SetLimits{Intset: 4, Listpack: 4, Value: 8}, Hash: object.HashLimits{Listpack: 4, Value: 8}, List: object.ListLimits{Fill: 4},
		ZSet: object.ZSetLimits{Listpack: 4, Value: 8},
	}
	s.Deep = true
	t.Cleanup(func() {
		if n := s.heap.Used(); n != 0 && !t.Failed() {
			t.Errorf("%d bytes still in use", n)
		}
		s.heap.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *shelf) place() object.Place {
	return object.Place{Heap: s.heap, Kit: &s.kit, Key: []byte("key")}
}

// read makes a value of a payload, and writes it again in both versions.
func (s *shelf) read(body []byte) (now, old []byte, err error) {
	var d object.Draft
	in := NewDecoder(body)
	if err = s.Object(&in, s.place(), &d); err != nil {
		if d.Ok() {
			s.t.Fatal("a draft is left after an error")
		}
		return nil, nil, err
	}
	if n, err := Skim(Type(body[0]), body[1:]); err != nil || 1+n != len(body)-in.Left() {
		s.t.Fatalf("%x: skimmed as %d bytes, %v; it has %d", body, 1+n, err, len(body)-in.Left())
	}
	now = NewEncoder(VersionDefault, true).AppendObject(nil, &d.Cell)
	old = NewEncoder(10, false).AppendObject(nil, &d.Cell)
	g := d.Discard()
	g.FreeSome(s.heap, math.MaxInt)
	if n := s.heap.Used(); n != 0 {
		s.t.Fatalf("%x: %d bytes lost", body, n)
	}
	return now, old, nil
}

// collections are sets and hashes of n elements in all their encodings.
func (s *shelf) collections(n int) (bodies [][]byte) {
	e := NewEncoder(VersionDefault, true)
	add := func(c *object.Draft) {
		bodies = append(bodies, e.AppendObject(nil, &c.Cell))
		g := c.Discard()
		g.FreeSome(s.heap, math.MaxInt)
	}
	for _, l := range []object.SetLimits{{Intset: 1000}, {Listpack: 1000, Value: 100}, {}} {
		var d object.Draft
		d.Begin(s.place(), s.place().NewSet([]byte("0"), 0, &l))
		for i := range n {
			object.SetValue{Cell: &d.Cell}.Add(fmt.Append(nil, i*i*i), &l)
		}
		add(&d)
	}
	for _, l := range []object.HashLimits{{Listpack: 1000, Value: 100}, {}} {
		var d object.Draft
		d.Begin(s.place(), s.place().NewHash())
		h := object.HashValue{Cell: &d.Cell}
		for i := range n {
			h.Set(fmt.Append(nil, "field:", i), bytes.Repeat([]byte("v"), i), &l)
		}
		bodies = append(bodies, e.AppendObject(nil, &d.Cell))
		for i := range n {
			h.SetFieldDeadline(fmt.Append(nil, "field:", i), int64(i*i%5)*1_000_000_000_000)
		}
		add(&d)
	}
	for _, l := range []object.ZSetLimits{{Listpack: 1000, Value: 100}, {}} {
		var d object.Draft
		d.Begin(s.place(), s.place().NewZSet(0, 0, &l))
		for i := range n {
			object.ZSetValue{Cell: &d.Cell}.Add(fmt.Append(nil, "m", i), float64(i%7)/3, 0, &l)
		}
		add(&d)
	}
	for _, l := range []object.ListLimits{{Fill: -2}, {Fill: 4}, {Fill: 4, PlainFrom: 3}} {
		var d object.Draft
		d.Begin(s.place(), s.place().NewList())
		v := object.ListValue{Cell: &d.Cell}
		for i := range n {
			v.Expect(1, 4, &l)
			v.Push(fmt.Append(nil, i*i*i), object.Tail, &l)
		}
		add(&d)
	}
	return bodies
}

// TestCollections: what is written reads back as the same value, and every shorter
// or doubled form of it is refused.
func TestCollections(t *testing.T) {
	s := newShelf(t)
	for _, n := range []int{1, 3, 4, 5, 50} {
		for _, body := range s.collections(n) {
			now, old, err := s.read(body)
			if err != nil {
				t.Fatalf("%x: %v", body, err)
			}
			for _, again := range [][]byte{now, old} {
				third, _, err := s.read(again)
				if err != nil || len(third) != len(now) {
					t.Errorf("%x comes back as %x, %v", now, third, err)
				}
			}
			for cut := range body {
				if _, _, err := s.read(body[:cut]); err == nil {
					t.Errorf("%x is read although it ends after %d bytes", body, cut)
				}
			}
		}
	}
	for _, body := range []string{
		"\x01\x00", "\x12\x00", "\x12\x01\x03\x01a", "\x12\x01\x01\x00", "\x12\x01\x02\x07\x07\x00\x00\x00\x00\x00\xff", "\x12\x01\x02\x01a",
		"\x02\x00", "\x02\x02\x01a\x01a", "\x04\x00", "\x04\x02\x01a\x01b\x01a\x01c", "\x04\x01\x01a",
		"\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a", "\x0b\x08\x02\x00\x00\x00\x00\x00\x00\x00",
		"\x14\x07\x07\x00\x00\x00\x00\x00\xff", "\x10\x07\x07\x00\x00\x00\x00\x00\xff",
		"\x14\x0b\x0b\x00\x00\x00\x02\x00\x01\x01\x01\x01\xff",   // the same member twice
		"\x10\x09\x09\x00\x00\x00\x01\x00\x01\x01\xff",           // a field without a value
		"\x18\x01\x00\x00\x00\x00\x00\x00\x00\x00",               // no fields
		"\x18\x01\x00\x00\x00\x00\x00\x01\x00\x01\x00\x01a\x01b", // due too late
		"\x19\x01\x00\x00\x00\x00\x00\x00\x00\x0d\x0d\x00\x00\x00\x03\x00\x01\x01\x02\x01\x80a\x02\xff",
	} {
		if _, _, err := s.read([]byte(body)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// FuzzObject: bytes from anywhere give a value that comes back, or an error, and in
// neither case is memory lost.
func FuzzObject(f *testing.F) {
	s := newShelf(f)
	for _, n := range []int{1, 5, 20} {
		for _, body := range s.collections(n) {
			f.Add(body)
		}
		for _, body := range s.streams(n) {
			f.Add(body)
		}
	}
	f.Add(withGroups("\x01\x01g\x01\x00\x01\x01" + pend1 + "\x01\x01c" + time1 + "\x01" + oneZero))
	f.Add([]byte("\x00\x03abc"))
	zip := ziplistOf(oldEntries[:9]...)
	for _, head := range []string{"\x0a", "\x0e\x01"} {
		f.Add([]byte(head + string(AppendLen(nil, uint64(len(zip)))) + zip))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := newShelf(t)
		now, old, err := s.read(body)
		if n := s.heap.Used(); n != 0 {
			t.Fatalf("%d bytes lost", n)
		}
		if err != nil {
			return
		}
		for _, again := range [][]byte{now, old} {
			if third, _, err := s.read(again); err != nil || len(third) != len(now) {
				t.Fatalf("%x comes back as %x, %v", now, third, err)
			}
		}
	})
}

// TestTwiceTheSame: what is there twice is refused in any case where it would go into
// a table, or into an order of deadlines.
func TestTwiceTheSame(t *testing.T) {
	s := newShelf(t)
	s.Deep = false
	body := func(kind Type, head string, groups int, group ...string) []byte {
		lp := listpack.AppendEmpty(nil)
		for range groups {
			for _, w := range group {
				e := listpack.String([]byte(w))
				lp = listpack.Append(lp, &e)
			}
		}
		return NewEncoder(0, false).AppendString(append([]byte{byte(kind)}, head...), lp)
	}
	first := "\x00\x10\x00\x00\x00\x00\x00\x00"
	for name, bad := range map[string][]byte{
		"set": body(TypeSetListpack, "", 5, "a"), "hash": body(TypeHashListpack, "", 5, "a", "b"),
		"dated hash": body(TypeHashDatedLP, first, 2, "a", "b", "4096"),
	} {
		if _, _, err := s.read(bad); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTwiceInSmall: a small value of a file that has a member twice loses one of them as
// it becomes a table, so that what is written of it then can be read again.
func TestTwiceInSmall(t *testing.T) {
	s := newShelf(t)
	s.Deep = false
	for _, body := range []string{
		"\x14\x0d\x0d\x00\x00\x00\x02\x00\x81a\x02\x81a\x02\xff",
		"\x10\x13\x13\x00\x00\x00\x04\x00\x81a\x02\x81v\x02\x81a\x02\x81w\x02\xff",
		"\x11\x11\x11\x00\x00\x00\x04\x00\x81a\x02\x01\x01\x81a\x02\x02\x01\xff",
	} {
		in := NewDecoder([]byte(body))
		var d object.Draft
		if err := s.Object(&in, s.place(), &d); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		for _, m := range []string{"b", "c", "d", "e"} {
			switch d.Type() {
			case object.Set:
				object.SetValue{Cell: &d.Cell}.Add([]byte(m), &s.Limits.Set)
			case object.Hash:
				object.HashValue{Cell: &d.Cell}.Set([]byte(m), []byte(m), &s.Limits.Hash)
			default:
				object.ZSetValue{Cell: &d.Cell}.Add([]byte(m), 3, 0, &s.Limits.ZSet)
			}
		}
		again := NewEncoder(0, false).AppendObject(nil, &d.Cell)
		g := d.Discard()
		g.FreeSome(s.heap, math.MaxInt)
		if _, _, err := s.read(again); err != nil || again[1] != 5 {
			t.Errorf("%q became %q: %v", body, again, err)
		}
	}
}

// TestNoMemoryForClaims: a string that claims more than its bytes give is refused
// before there is memory for it.
func TestNoMemoryForClaims(t *testing.T) {
	junk := bytes.Repeat([]byte{0xe0, 0xff, 0}, 1<<20)
	body := AppendLen(AppendLen([]byte{byte(TypeString), kindEnc + encLZF}, uint64(len(junk))), uint64(len(junk))*88-1)
	s := newShelf(t)
	in := NewDecoder(append(body, junk...))
	var d object.Draft
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := s.Object(&in, s.place(), &d)
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, ErrFormat) || taken > 1<<20 {
		t.Errorf("%v, and %d bytes taken", err, taken)
	}
}
