package hashtable

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"dozo/arena"
)

func TestEmpty(t *testing.T) {
	b := newBox(t)
	tb := New(b.h, goodHash)
	if tb.Find(1, []byte("x")).Ok() || tb.FindRef(1, 8).Ok() || tb.Random(1) != 0 || tb.Len() != 0 || tb.Bytes() != 0 {
		t.Error("an empty table is not empty")
	}
	tb.Each(func(arena.Ref) bool { t.Error("Each found something"); return true })
	tb.Probe(0, 0, func(Slot) bool { t.Error("Probe found something"); return true })
	if (Slot{}).Ref() != 0 {
		t.Error("the zero Slot has a Ref")
	}
	tb.Free()
	check(t, &tb)
}

// TestRoot keeps a table at rest between all operations.
func TestRoot(t *testing.T) {
	b := newBox(t)
	var root Root
	for i := range 2000 {
		key := fmt.Appendf(nil, "member:%d", i)
		tb := Attach(b.h, goodHash, root)
		tb.Insert(goodHash(key), b.entry(key))
		root = tb.Root()
	}
	tb := Attach(b.h, goodHash, root)
	if root.Len() != 2000 || tb.Len() != 2000 {
		t.Errorf("%d entries", root.Len())
	}
	check(t, &tb)
	b.freeAll(&tb)
}

func TestEachStops(t *testing.T) {
	w := newTwin(t, rand.New(rand.NewPCG(1, 1)), hashes["equal"])
	for range 100 {
		w.insert()
	}
	for stop := 1; stop <= 100; stop++ {
		n := 0
		w.table.Each(func(arena.Ref) bool { n++; return n < stop })
		if n != stop {
			t.Fatalf("%d visited, want %d", n, stop)
		}
		n = 0
		w.table.Probe(0x123456789abcdef0, 40, func(Slot) bool { n++; return n < stop })
		if n != stop {
			t.Fatalf("%d probed, want %d", n, stop)
		}
	}
	w.freeAll(&w.table)
}

// TestProbe compares Probe with a look at every key.
func TestProbe(t *testing.T) {
	for name, hash := range hashes {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			w := newTwin(t, r, hash)
			for range 600 {
				w.insert()
			}
			for range 60 {
				h, n := hash([]byte(w.any())), r.IntN(65)
				if r.IntN(4) == 0 {
					h = r.Uint64()
				}
				w.probe(h, n)
			}
			w.freeAll(&w.table)
		})
	}
}

func (w *twin) probe(h uint64, n int) {
	must, may := map[arena.Ref]bool{}, map[arena.Ref]bool{}
	for k, ref := range w.refs {
		diff := w.hash([]byte(k)) ^ h
		must[ref] = diff>>(64-n) == 0
		may[ref] = diff>>(64-min(n, 24)) == 0
	}
	w.table.Probe(h, n, func(s Slot) bool {
		if !may[s.Ref()] {
			w.tb.Fatalf("Probe(%#x, %d) gave %q, or gave it twice", h, n, w.key(s.Ref()))
		}
		delete(may, s.Ref())
		delete(must, s.Ref())
		return true
	})
	for ref, m := range must {
		if m {
			w.tb.Fatalf("Probe(%#x, %d) did not give %q", h, n, w.key(ref))
		}
	}
}

// TestRandom counts how often each entry is drawn.
func TestRandom(t *testing.T) {
	for _, n := range []int{1, 2, 7, 14, 100, 2000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 6))
			w := newTwin(t, r, goodHash)
			for range n {
				w.insert()
			}
			const each = 300
			drawn := map[arena.Ref]int{}
			for range n * each {
				drawn[w.table.Random(r.Uint64())]++
			}
			for k, ref := range w.refs {
				if c := drawn[ref]; c < each*6/10 || c > each*15/10 {
					t.Errorf("%q drawn %d times, expected about %d", k, c, each)
				}
			}
			w.freeAll(&w.table)
		})
	}
}

// TestRandomSkewed draws from tables with empty segments and chains.
func TestRandomSkewed(t *testing.T) {
	for name, hash := range hashes {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 6))
			w := newTwin(t, r, hash)
			for range 80 {
				w.insert()
			}
			drawn := map[arena.Ref]int{}
			for range 80 * 100 {
				drawn[w.table.Random(r.Uint64())]++
			}
			// Half of the entries in a thousandth of the space of hashes are
			// drawn a thousandth of the time.
			if len(drawn) < 30 || len(drawn) < 80 && name != "halfColliding" {
				t.Errorf("%d of 80 entries drawn", len(drawn))
			}
			for len(w.keys) > 1 {
				w.remove(w.any())
			}
			if got := w.table.Random(r.Uint64()); got != w.refs[w.any()] {
				t.Errorf("the only entry was not drawn but %#x", got)
			}
			w.freeAll(&w.table)
		})
	}
}

// TestBadHashMemory: a hash that does not spread must not take memory without
// end, and what was taken must come back.
func TestBadHashMemory(t *testing.T) {
	for name, hash := range hashes {
		t.Run(name, func(t *testing.T) {
			w := newTwin(t, rand.New(rand.NewPCG(9, 9)), hash)
			const n = 1000
			for range n {
				w.insert()
			}
			check(t, &w.table)
			// A directory of 1024 words, the segments beside the path to the
			// crowded one, and the keys themselves at half a load.
			if most := int64(directoryBytes(10) + 1024*128 + n*16 + 8192); w.table.Bytes() > most {
				t.Errorf("%d bytes for %d keys", w.table.Bytes(), n)
			}
			for len(w.keys) > 0 {
				w.remove(w.any())
			}
			check(t, &w.table)
			if w.table.Bytes() > 16<<10 {
				t.Errorf("%d bytes are left of an emptied table", w.table.Bytes())
			}
			w.freeAll(&w.table)
		})
	}
}

// TestChainUnwinds: once the directory may grow, keys leave the chain.
func TestChainUnwinds(t *testing.T) {
	hash := func(k []byte) uint64 {
		h := goodHash(k)
		if k[0] == 'b' { // crowded: the top 11 bits are all alike
			return h >> 11
		}
		return h
	}
	b := newBox(t)
	tb := New(b.h, hash)
	put := func(format string, i int) {
		k := fmt.Appendf(nil, format, i)
		tb.Insert(hash(k), b.entry(k))
	}
	for i := range 600 {
		put("bad:%d", i)
	}
	if tb.chained(tb.open(tb.at(0))) == 0 {
		t.Fatal("no chain to begin with")
	}
	for i := range 40_000 {
		put("good:%d", i)
	}
	for i := range 20 {
		put("bad:more:%d", i)
	}
	check(t, &tb)
	if n := tb.chained(tb.open(tb.at(0))); n != 0 {
		t.Errorf("%d entries are still in the chain, the directory has depth %d", n, tb.root.depth)
	}
	b.freeAll(&tb)
}

// TestRebase grows a table far enough that tags must be renewed, and back.
func TestRebase(t *testing.T) {
	if testing.Short() {
		t.Skip("needs 250,000 entries")
	}
	b := newBox(t)
	tb := New(b.h, goodHash)
	var key [16]byte
	const n = 250_000
	for i := range n {
		benchKey(&key, i)
		tb.Insert(goodHash(key[:]), b.entry(key[:]))
	}
	check(t, &tb)
	if s := tb.at(0); s.base() == 0 {
		t.Errorf("depth %d and still base 0", s.depth())
	}
	for i := range n {
		benchKey(&key, i)
		h := goodHash(key[:])
		s := tb.Find(h, key[:])
		b.drop(s.Ref())
		tb.Delete(h, s)
		if i%50_000 == 0 || i == n-100 {
			check(t, &tb)
		}
	}
	if tb.Bytes() > 1024 {
		t.Errorf("%d bytes are left", tb.Bytes())
	}
	b.freeAll(&tb)
}

// TestLoad demands what the package comment says of the memory.
func TestLoad(t *testing.T) {
	b := newBox(t)
	tb := New(b.h, goodHash)
	var key [16]byte
	for i := range 60_000 {
		benchKey(&key, i)
		tb.Insert(goodHash(key[:]), b.entry(key[:]))
		if load := float64(8*tb.Len()) / float64(tb.Bytes()); i > 500 && load < 0.60 {
			t.Fatalf("load %.2f with %d entries", load, i)
		}
	}
	b.freeAll(&tb)
}

// TestNoAllocation: the Go heap is not touched.
func TestNoAllocation(t *testing.T) {
	b := newBox(t)
	tb := New(b.h, goodHash)
	var key [16]byte
	i := 0
	n := testing.AllocsPerRun(20_000, func() {
		benchKey(&key, i)
		h := goodHash(key[:])
		if !tb.Find(h, key[:]).Ok() {
			tb.Insert(h, b.entry(key[:]))
		}
		if i%3 == 0 {
			s := tb.Find(h, key[:])
			b.drop(s.Ref())
			tb.Delete(h, s)
		}
		tb.Scan(h, func(arena.Ref) { i += 0 })
		tb.Probe(h, 40, func(Slot) bool { return i < 0 })
		tb.Random(h)
		i++
	})
	if n != 0 {
		t.Errorf("%v allocations an operation", n)
	}
	b.freeAll(&tb)
}

// TestRemains frees tables a part at a time.
func TestRemains(t *testing.T) {
	for _, size := range []int{0, 1, 7, 300, 20_000} {
		for name, hash := range map[string]Hash{"good": goodHash, "equal": hashes["equal"]} {
			if name == "equal" && size > 300 {
				continue
			}
			b := newBox(t)
			tb := New(b.h, hash)
			for i := range size {
				key := fmt.Appendf(nil, "member:%d", i)
				tb.Insert(hash(key), b.entry(key))
			}
			if name == "good" && size > 300 { // the last segments have nothing any more
				for i := range size {
					key := fmt.Appendf(nil, "member:%d", i)
					if h := hash(key); h > 1<<63 {
						slot := tb.Find(h, key)
						b.drop(slot.Ref())
						tb.Delete(h, slot)
					}
				}
				size = tb.Len()
			}
			r := tb.Remains()
			if tb.Len() != 0 || r.Len() != size {
				t.Errorf("%s: %d entries left in the table, %d in its remains", name, tb.Len(), r.Len())
			}
			sum := 0
			for more := true; more; more = r.Len() > 0 { // as owners do it
				done, _ := r.FreeSome(b.h, 10, b.drop)
				if sum += done; done < 10 && r.Len() > 0 || done > 10+int(maxBuckets*lineSlots+stashSlots) && name == "good" {
					t.Fatalf("%s: %d freed at once", name, done)
				}
			}
			if sum != size || r.Len() != 0 || b.h.Used() != 0 {
				t.Errorf("%s: %d freed of %d, %d bytes left", name, sum, size, b.h.Used())
			}
		}
	}
}

// TestEmptyKey: the empty key is not found in an empty slot, although its tag and
// its length are those of one.
func TestEmptyKey(t *testing.T) {
	for name, hash := range hashes {
		b := newBox(t)
		tb := New(b.h, hash)
		other := []byte("other")
		tb.Insert(hash(other), b.entry(other))
		if tb.Find(hash(nil), nil).Ok() {
			t.Errorf("%s: the empty key is found before it is there", name)
		}
		tb.Insert(hash(nil), b.entry(nil))
		if s := tb.Find(hash(nil), nil); !s.Ok() || b.key(s.Ref()) != "" {
			t.Errorf("%s: the empty key is not found", name)
		}
		tb.Probe(hash(nil), 40, func(s Slot) bool {
			if !s.Ok() || s.Ref() == 0 {
				t.Errorf("%s: Probe found an empty slot", name)
			}
			return true
		})
		check(t, &tb)
		b.freeAll(&tb)
	}
}

// TestGather has tables lie thinly among others that are gone, and moves them.
func TestGather(t *testing.T) {
	b := newBox(t)
	var tables [256]Table
	for i := range tables {
		tables[i] = New(b.h, goodHash)
	}
	for k := range 1200 { // in turn, so that their blocks are mixed
		for i := range tables {
			key := fmt.Appendf(nil, "%d", k)
			tables[i].Insert(goodHash(key), b.entry(key))
		}
	}
	for i := range tables {
		if i%8 != 0 {
			b.freeAll(&tables[i])
		}
	}
	before, moved, directories := b.a.Stats().Mapped, 0, 0
	b.h.MarkSparse()
	for i := 0; i < len(tables); i += 8 {
		tb := &tables[i]
		top := tb.root.top
		for pos, begun := uint64(0), false; !begun || pos != 0; begun = true {
			var slots []Slot
			var n int
			slots, pos, n, _ = tb.Gather(pos, nil, 40)
			moved += n
			for _, s := range slots {
				b.moved(s)
			}
		}
		if tb.root.depth > 0 && tb.root.top != top {
			directories++
		}
		check(t, tb)
	}
	if moved < 64 || directories < 16 {
		t.Errorf("%d blocks of 32 tables were moved, %d directories", moved, directories)
	}
	if after := b.a.Stats().Mapped; after > before/2 {
		t.Errorf("%d bytes mapped before and %d after", before, after)
	}
	for i := 0; i < len(tables); i += 8 {
		b.freeAll(&tables[i])
	}
}
