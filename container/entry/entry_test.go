package entry

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"testing"

	"dozo/arena"
)

var seedFlag = flag.Uint64("seed", 1, "seed of the random tests")

func newHeap(tb testing.TB) (*arena.Arena, *arena.Heap) {
	a, err := arena.New(arena.Options{Reserve: 64 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	h := a.NewHeap()
	tb.Cleanup(func() {
		if n := h.Used(); n != 0 && !tb.Failed() {
			tb.Errorf("%d bytes still in use", n)
		}
		if err := a.Close(); err != nil && !tb.Failed() {
			tb.Error(err)
		}
	})
	return a, h
}

// made is an entry with all that was put into it.
type made struct {
	t       testing.TB
	e       Entry
	key     []byte
	payload []byte
	shape   Shape
}

func (m *made) verify() {
	m.t.Helper()
	e, s := m.e, m.shape
	if !bytes.Equal(e.Key(), m.key) || !e.KeyIs(m.key) {
		m.t.Fatalf("key is %q, want %q", e.Key(), m.key)
	}
	if !bytes.Equal(e.Payload(), m.payload) || e.PayloadLen() != len(m.payload) {
		m.t.Fatalf("payload is %d bytes, or others; want %d", e.PayloadLen(), len(m.payload))
	}
	if got := e.Shape(); got != s {
		m.t.Fatalf("shape is %+v, want %+v", got, s)
	}
	if e.Size() != SizeFor(len(m.key), s) {
		m.t.Fatalf("size is %d, want %d", e.Size(), SizeFor(len(m.key), s))
	}
	if e.HasDeadline() != (s.Deadline != 0) || e.IsOutside() != s.Outside || !e.Valid() {
		m.t.Fatal("a flag is wrong")
	}
}

func randomShape(r *rand.Rand) Shape {
	s := Shape{
		Type: uint8(r.IntN(16)), Encoding: uint8(r.IntN(16)), Stamp: uint8(r.IntN(16)),
		Age: r.Uint32N(1 << 24), Payload: []int{0, 1, 7, r.IntN(300), PayloadMax}[r.IntN(5)],
	}
	if r.IntN(2) == 0 {
		s.Deadline = r.Int64() | 1
	}
	if r.IntN(4) == 0 {
		s.Outside, s.Payload = true, OutsideSize
	}
	return s
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestFields makes entries of all shapes and changes each field in turn: the
// others must stay.
func TestFields(t *testing.T) {
	t.Logf("-seed=%d", *seedFlag)
	r := rand.New(rand.NewPCG(*seedFlag, 0))
	a, h := newHeap(t)
	for _, klen := range []int{0, 1, 8, 100, 254, 255, 256, 257, 5000, 70_000} {
		for range 40 {
			s := randomShape(r)
			m := &made{t: t, key: randomBytes(r, klen), payload: randomBytes(r, s.Payload), shape: s}
			size := SizeFor(klen, s)
			ref := h.Alloc(arena.PurposeEntry, size)
			m.e = Init(a, ref, m.key, s)
			copy(m.e.Payload(), m.payload)
			m.verify()
			m.change(r)
			h.Free(arena.PurposeEntry, ref, m.e.Size())
		}
	}
}

func (m *made) change(r *rand.Rand) {
	e := m.e
	m.shape.Encoding = uint8(r.IntN(16))
	e.SetEncoding(m.shape.Encoding)
	m.verify()
	m.shape.Age = r.Uint32N(1 << 24)
	e.SetAge(m.shape.Age | 0xab<<24)
	m.verify()
	m.shape.Stamp = uint8(r.IntN(16))
	e.SetStamp(m.shape.Stamp | 0xf0)
	m.verify()
	m.restate(r)
	if m.shape.Deadline != 0 {
		m.shape.Deadline = r.Int64() | 1
		e.SetDeadline(m.shape.Deadline)
		m.verify()
	}
	if m.shape.Outside {
		o := Outside{Ref: 0x7fffffffff8, Len: r.Int(), Cap: r.Int()}
		e.SetOutside(o)
		if e.Outside() != o {
			m.t.Fatalf("outside is %+v, want %+v", e.Outside(), o)
		}
		m.payload = bytes.Clone(e.Payload())
		m.verify()
		return
	}
	size := e.Size()
	shorter := r.IntN(m.shape.Payload + 1)
	e.SetPayloadLen(shorter)
	m.shape.Payload, m.payload = shorter, m.payload[:shorter]
	m.verify()
	e.SetPayloadLen(size - SizeFor(len(m.key), m.shape) + shorter)
}

// restate gives the entry another shape that needs no other block.
func (m *made) restate(r *rand.Rand) {
	s := randomShape(r)
	s.Outside, s.Payload = m.shape.Outside, m.shape.Payload
	if m.shape.Deadline == 0 {
		s.Deadline = 0
	} else {
		s.Deadline |= 1
	}
	m.e.Restate(s)
	m.shape = s
	m.verify()
	m.e.Restate(m.e.Shape())
	m.verify()
}

func TestKeyIs(t *testing.T) {
	a, h := newHeap(t)
	ref := h.Alloc(arena.PurposeEntry, SizeFor(3, Shape{}))
	e := Init(a, ref, []byte("abc"), Shape{})
	for _, other := range []string{"", "ab", "abcd", "abd", "xbc"} {
		if e.KeyIs([]byte(other)) {
			t.Errorf("abc is said to be %q", other)
		}
	}
	if (Entry{}).Valid() {
		t.Error("the zero Entry is valid")
	}
	h.Free(arena.PurposeEntry, ref, e.Size())
}

// TestSizes pins what a key costs: the numbers that the memory targets rest on.
func TestSizes(t *testing.T) {
	for _, c := range []struct{ key, payload, want int }{{16, 64, 88}, {255, 0, 263}, {256, 0, 268}, {0, 0, 8}} {
		s := Shape{Payload: c.payload}
		if got := SizeFor(c.key, s); got != c.want {
			t.Errorf("key of %d and payload of %d take %d bytes, want %d", c.key, c.payload, got, c.want)
		}
		s.Deadline = 1
		if got := SizeFor(c.key, s); got != c.want+8 {
			t.Errorf("a deadline costs %d bytes, want 8", got-c.want)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	a, h := newHeap(t)
	key := []byte("some key")
	n := testing.AllocsPerRun(100, func() {
		s := Shape{Payload: 10, Deadline: 5}
		ref := h.Alloc(arena.PurposeEntry, SizeFor(len(key), s))
		e := Init(a, ref, key, s)
		e.SetAge(uint32(len(e.Key()) + len(e.Payload())))
		if !e.KeyIs(key) {
			t.Fatal("lost")
		}
		h.Free(arena.PurposeEntry, ref, e.Size())
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkKeyIs(b *testing.B) {
	a, h := newHeap(b)
	key := []byte("key:000000000001")
	ref := h.Alloc(arena.PurposeEntry, SizeFor(len(key), Shape{}))
	e := Init(a, ref, key, Shape{})
	for range b.N {
		if !e.KeyIs(key) {
			b.Fatal("lost")
		}
	}
	h.Free(arena.PurposeEntry, ref, e.Size())
}
