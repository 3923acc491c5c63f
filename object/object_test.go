package object

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/container/hashtable"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 = a fixed list")

// box is a table with one key, in a heap of its own.
type box struct {
	t     *testing.T
	a     *arena.Arena
	heap  *arena.Heap
	table hashtable.Table
	key   []byte
}

const hash = 0x123456789abcdef0

func newBox(t *testing.T, key []byte) *box {
	a, err := arena.New(arena.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, a: a, heap: a.NewHeap(), key: key}
	b.table = hashtable.New(b.heap, func([]byte) uint64 { return hash })
	t.Cleanup(func() {
		if c := b.cell(); c.Ok() {
			Free(b.heap, c.Slot.Ref())
		}
		b.table.Free()
		if n := b.heap.Used(); n != 0 {
			t.Errorf("%d bytes still in use", n)
		}
		b.heap.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *box) insert(ref arena.Ref) Cell {
	b.table.Insert(hash, ref)
	return b.cell()
}

func (b *box) cell() Cell {
	slot := b.table.Find(hash, b.key)
	if !slot.Ok() {
		return Cell{}
	}
	return Cell{Heap: b.heap, Slot: slot, Entry: entry.At(b.a, slot.Ref())}
}

// want is what a value should be.
type want struct {
	text     string
	enc      Encoding
	deadline int64
	age      uint32
	stamp    uint8
}

// check looks the key up anew, so that a block that moved must have told the
// table, and recounts the memory.
func (b *box) check(what string, w want) {
	b.t.Helper()
	c := b.cell()
	if !c.Ok() {
		b.t.Fatalf("%s: the key is lost", what)
	}
	var scratch [32]byte
	got := want{string(c.Bytes(scratch[:0])), c.Encoding(), c.Entry.Deadline(), c.Entry.Age(), c.Entry.Stamp()}
	if got != w {
		b.t.Fatalf("%s: %.100v, want %.100v", what, got, w)
	}
	if c.Len() != len(w.text) || c.Type() != String {
		b.t.Fatalf("%s: length %d and type %v, want %d", what, c.Len(), c.Type(), len(w.text))
	}
	n := b.heap.UsedBy(arena.PurposeEntry) + b.heap.UsedBy(arena.PurposeValue)
	if int64(c.MemoryUsage(0)) != n {
		b.t.Fatalf("%s: %d bytes in use, MemoryUsage says %d", what, n, c.MemoryUsage(0))
	}
}

// encoded is the encoding that SET gives.
func encoded(text string, raw bool) Encoding {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case !raw && err == nil && strconv.FormatInt(n, 10) == text:
		return EncInt
	case len(text) <= 44:
		return EncEmbstr
	}
	return EncRaw
}

// lengths are around the borders of encodings, blocks and slabs.
var lengths = []int{0, 1, 7, 8, 9, 19, 20, 21, 44, 45, 100, 1000, 1023, 1024, 1025, 1500, 4096, 16 << 10, 16<<10 + 1, 100_000, 3 << 20}

func randomText(r *rand.Rand) string {
	switch r.IntN(5) {
	case 0:
		return strconv.FormatInt(int64(r.Uint64())>>r.IntN(64), 10)
	case 1:
		return []string{"-0", "00", "+1", " 1", "1 ", "9223372036854775808", "-9223372036854775808", "9223372036854775807", "-"}[r.IntN(9)]
	}
	n := lengths[r.IntN(len(lengths))]
	if r.IntN(20) != 0 {
		n = min(n, 20_000)
	}
	return string(bytes.Repeat([]byte{byte(r.IntN(256))}, n))
}

// TestString changes one string in all ways that there are.
func TestString(t *testing.T) {
	seeds := []uint64{1, 2, 3}
	if *seedFlag != 0 {
		seeds = []uint64{*seedFlag}
	}
	for _, seed := range seeds {
		for _, klen := range []int{0, 10, 255, 256, 20_000} {
			t.Run(fmt.Sprint(seed, " ", klen), func(t *testing.T) {
				t.Logf("-seed=%d", seed)
				r := rand.New(rand.NewPCG(seed, uint64(klen)))
				b := newBox(t, bytes.Repeat([]byte("k"), klen))
				text := randomText(r)
				b.insert(NewString(b.heap, b.key, []byte(text), Attrs{}))
				w := want{text: text, enc: encoded(text, false)}
				for range 400 {
					b.check(b.change(r, &w), w)
				}
			})
		}
	}
}

// change does something to the string and to what it should be.
func (b *box) change(r *rand.Rand, w *want) (what string) {
	c := b.cell()
	at := Attrs{Age: r.Uint32N(1 << 24)}
	if r.IntN(2) == 0 {
		at.Deadline = r.Int64() | 1
	}
	switch r.IntN(8) {
	case 0:
		text := randomText(r)
		c.SetString([]byte(text), at)
		*w = want{text, encoded(text, false), at.Deadline, at.Age, 0}
		return "SetString"
	case 1:
		text := randomText(r)
		c.SetRawString([]byte(text), at)
		*w = want{text, encoded(text, true), at.Deadline, at.Age, 0}
		return "SetRawString"
	case 2:
		n := lengths[r.IntN(len(lengths))]
		c.SetZeros(n, at)
		*w = want{string(make([]byte, n)), EncRaw, at.Deadline, at.Age, 0}
		return "SetZeros"
	case 3:
		n := []int64{math.MinInt64, math.MaxInt64, 0, -1, int64(r.Uint64())}[r.IntN(5)]
		c.SetInt(n)
		w.text, w.enc = strconv.FormatInt(n, 10), EncInt
		if got, ok := c.Int(); !ok || got != n {
			b.t.Fatalf("Int = %d, %t; want %d", got, ok, n)
		}
		return "SetInt"
	case 4:
		more := min(len(randomText(r)), 50_000)
		old := len(w.text)
		room := c.Grow(old + more)
		if len(room) != old+more {
			b.t.Fatalf("Grow(%d) gives %d bytes", old+more, len(room))
		}
		w.text += string(make([]byte, more))
		w.enc = EncRaw
		if c.Grow(old / 2); c.Len() != len(w.text) {
			b.t.Fatal("Grow has shortened the string")
		}
		return "Grow"
	case 5:
		n := r.IntN(len(w.text) + 2)
		if got := len(c.Resize(n)); got != n {
			b.t.Fatalf("Resize(%d) gives %d bytes", n, got)
		}
		w.text, w.enc = (w.text + "\x00")[:n], EncRaw
		return "Resize"
	case 6:
		w.deadline = at.Deadline
		c.SetDeadline(w.deadline)
		return "SetDeadline"
	}
	w.stamp = uint8(r.IntN(16))
	c.Entry.SetStamp(w.stamp)
	return "SetStamp"
}

// TestCopyAndMove: a copy is independent, a moved value is the same block if it
// is a large one or stays in its heap.
func TestCopyAndMove(t *testing.T) {
	for _, n := range lengths {
		for _, other := range []bool{false, true} {
			b := newBox(t, []byte("from"))
			to := b.heap
			if other {
				to = b.a.NewHeap()
			}
			val := bytes.Repeat([]byte("v"), n)
			c := b.insert(NewRawString(b.heap, b.key, val, Attrs{Deadline: 5, Age: 7}))
			copied := Copy(&c, to, []byte("copied"), 9)
			block := func(ref arena.Ref) (r arena.Ref) {
				if e := entry.At(b.a, ref); e.IsOutside() {
					r = e.Outside().Ref
				}
				return r
			}
			was := block(c.Slot.Ref())
			moved := Move(&c, to, []byte("moved"), 0)
			if stays := n > 1024 && (!other || n > 16<<10); stays != (was != 0 && block(moved) == was) {
				t.Errorf("%d bytes, other heap: %t: the value's block was %#x and is %#x", n, other, was, block(moved))
			}
			for ref, deadline := range map[arena.Ref]int64{copied: 9, moved: 0} {
				d := Cell{Heap: to, Entry: entry.At(b.a, ref)}
				if !bytes.Equal(d.Bytes(nil), val) || d.Entry.Deadline() != deadline || d.Entry.Age() != 7 {
					t.Errorf("%d bytes: another value, deadline %d or age %d", n, d.Entry.Deadline(), d.Entry.Age())
				}
				Free(to, ref)
			}
			if other {
				if used := to.Used(); used != 0 {
					t.Errorf("%d bytes: %d still in use in the other heap", n, used)
				}
				to.Close()
			}
		}
	}
}

// TestAppendIsCheap: appending a little many times copies each byte a few times
// at most.
func TestAppendIsCheap(t *testing.T) {
	b := newBox(t, []byte("k"))
	c := b.insert(NewString(b.heap, b.key, []byte("x"), Attrs{}))
	moved, at := 0, arena.Ref(0)
	const step, to = 10_000, 40 << 20
	for n := step; n < to; n += step {
		c.Grow(n)
		if o := c.Entry.Outside(); o.Ref != at {
			moved, at = moved+o.Len, o.Ref
		}
	}
	if moved > 12*to {
		t.Errorf("%d bytes moved for a string of %d", moved, to)
	}
}

// TestOverwriteKeepsTheBlock: SET of a value of the same size takes no memory
// from the arena.
func TestOverwriteKeepsTheBlock(t *testing.T) {
	b := newBox(t, []byte("k"))
	val := make([]byte, 100_000)
	c := b.insert(NewString(b.heap, b.key, val, Attrs{}))
	o := c.Entry.Outside()
	for i := range 10 {
		val[i] = 'x'
		c.SetString(val[:len(val)-i], Attrs{Deadline: int64(i)})
		if got := c.Entry.Outside(); got.Ref != o.Ref || got.Len != len(val)-i {
			t.Fatalf("the block was %v and is %v", o, got)
		}
		b.check("SetString", want{text: string(val[:len(val)-i]), enc: EncRaw, deadline: int64(i)})
	}
}

// TestHugeString: as large as the arena of a race build allows.
func TestHugeString(t *testing.T) {
	b := newBox(t, []byte("k"))
	const n = 60 << 20
	c := b.insert(NewZeros(b.heap, b.key, n, Attrs{}))
	copy(c.Grow(n + 5)[n:], "hello")
	if got := string(c.Bytes(nil)[n-1:]); c.Len() != n+5 || got != "\x00hello" {
		t.Errorf("length %d, the end is %q", c.Len(), got)
	}
	c.Resize(3)
	b.check("Resize", want{text: "\x00\x00\x00", enc: EncRaw})
}

func TestNames(t *testing.T) {
	for _, typ := range []Type{String, List, Set, ZSet, Hash, Stream} {
		if got, ok := ParseType(typ.String()); !ok || got != typ {
			t.Errorf("ParseType(%q) = %v, %t", typ, got, ok)
		}
	}
	if _, ok := ParseType("strings"); ok {
		t.Error("strings is a type?")
	}
	for e := EncRaw; e <= EncStream; e++ {
		if e.String() == "" {
			t.Errorf("encoding %d has no name", e)
		}
	}
}
