package hashtable

import (
	"encoding/binary"
	"flag"
	"math/bits"
	"math/rand/v2"
	"testing"

	"dozo/arena"
	"dozo/container/entry"
)

var seedFlag = flag.Uint64("seed", 0, "run the random tests with this seed only")

// seeds runs the test once for each seed; the subtest's name has the seed.
func seeds(t *testing.T, run func(t *testing.T, r *rand.Rand)) {
	list := []uint64{1, 2, 3, 4}
	if testing.Short() {
		list = list[:1]
	}
	if *seedFlag != 0 {
		list = []uint64{*seedFlag}
	}
	for _, seed := range list {
		t.Run("", func(t *testing.T) {
			t.Logf("-seed=%d", seed)
			run(t, rand.New(rand.NewPCG(seed, seed)))
		})
	}
}

// goodHash is a hash of 64 well mixed bits.
func goodHash(key []byte) uint64 {
	h := uint64(len(key)) * 0x9e3779b97f4a7c15
	for len(key) >= 8 {
		h = fold(h^binary.LittleEndian.Uint64(key), 0xa0761d6478bd642f)
		key = key[8:]
	}
	for _, c := range key {
		h = fold(h^uint64(c), 0xe7037ed1a0b428db)
	}
	return fold(h, 0x8ebc6af09c88c6e3)
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo ^ a>>32
}

// hashes that do not spread, by what is wrong with them.
var hashes = map[string]Hash{
	"good":       goodHash,
	"shifted":    func(k []byte) uint64 { return goodHash(k) << 8 },
	"equal":      func([]byte) uint64 { return 0x123456789abcdef0 },
	"zero":       func([]byte) uint64 { return 0 },
	"ones":       func([]byte) uint64 { return ^uint64(0) },
	"equalTop12": func(k []byte) uint64 { return goodHash(k)>>12 | 0xabc<<52 },
	"equalTop30": func(k []byte) uint64 { return goodHash(k)>>30 | 0x155<<54 },
	"equalTop60": func(k []byte) uint64 { return goodHash(k) >> 60 },
	"fewValues":  func(k []byte) uint64 { return goodHash(k) & (7 << 61) },
	"halfColliding": func(k []byte) uint64 {
		h := goodHash(k)
		if h&1 == 0 {
			return 0x7fff << 48
		}
		return h
	},
}

// box is an arena with one heap, which must be empty in the end.
type box struct {
	tb testing.TB
	a  *arena.Arena
	h  *arena.Heap
}

func newBox(tb testing.TB) *box {
	a, err := arena.New(arena.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	b := &box{tb: tb, a: a, h: a.NewHeap()}
	tb.Cleanup(func() {
		if n := b.h.Used(); n != 0 && !tb.Failed() {
			tb.Errorf("%d bytes still in use", n)
		}
		if err := a.Close(); err != nil && !tb.Failed() {
			tb.Error(err)
		}
	})
	return b
}

func (b *box) entry(key []byte) arena.Ref {
	var s entry.Shape
	r := b.h.Alloc(arena.PurposeEntry, entry.SizeFor(len(key), s))
	entry.Init(b.a, r, key, s)
	return r
}

func (b *box) drop(r arena.Ref) { b.h.Free(arena.PurposeEntry, r, entry.At(b.a, r).Size()) }

func (b *box) key(r arena.Ref) string { return string(entry.At(b.a, r).Key()) }

// freeAll frees the table with its entries.
func (b *box) freeAll(t *Table) {
	t.Each(func(r arena.Ref) bool {
		b.drop(r)
		return true
	})
	t.Free()
	if t.Len() != 0 || t.Bytes() != 0 {
		b.tb.Errorf("after Free: %d entries, %d bytes", t.Len(), t.Bytes())
	}
}

func check(tb testing.TB, t *Table) {
	tb.Helper()
	if err := t.Check(); err != nil {
		tb.Fatal(err)
	}
}
