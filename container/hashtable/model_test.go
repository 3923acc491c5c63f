package hashtable

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"dozo/arena"
	"dozo/container/entry"
)

// twin is a table beside a map that must hold the same.
type twin struct {
	*box
	r     *rand.Rand
	hash  Hash
	table Table
	refs  map[string]arena.Ref
	keys  []string       // the keys of refs, in no order
	where map[string]int // place in keys
	next  int
	sweep sweep
}

func newTwin(t testing.TB, r *rand.Rand, hash Hash) *twin {
	b := newBox(t)
	return &twin{box: b, r: r, hash: hash, table: New(b.h, hash), refs: map[string]arena.Ref{}, where: map[string]int{}}
}

func (w *twin) insert() {
	key := fmt.Sprintf("key:%d", w.next)
	w.next++
	if w.table.Find(w.hash([]byte(key)), []byte(key)).Ok() {
		w.tb.Fatalf("found %q before it was inserted", key)
	}
	ref := w.entry([]byte(key))
	w.table.Insert(w.hash([]byte(key)), ref)
	w.refs[key] = ref
	w.where[key] = len(w.keys)
	w.keys = append(w.keys, key)
}

func (w *twin) any() string { return w.keys[w.r.IntN(len(w.keys))] }

// find returns the slot of a key, which must be there.
func (w *twin) find(key string) Slot {
	h := w.hash([]byte(key))
	s := w.table.Find(h, []byte(key))
	if !s.Ok() || s.Ref() != w.refs[key] {
		w.tb.Fatalf("Find(%q) = %#x, want %#x", key, s.Ref(), w.refs[key])
	}
	if by := w.table.FindRef(h, w.refs[key]); by != s {
		w.tb.Fatalf("FindRef(%q) is another slot", key)
	}
	return s
}

func (w *twin) remove(key string) {
	h := w.hash([]byte(key))
	w.table.Delete(h&^(1<<24-1), w.find(key))
	w.drop(w.refs[key])
	delete(w.refs, key)
	i, last := w.where[key], w.keys[len(w.keys)-1]
	w.keys[i] = last
	w.where[last] = i
	w.keys = w.keys[:len(w.keys)-1]
	delete(w.where, key)
	delete(w.sweep.owed, key)
}

// move gives the entry of a key another block.
func (w *twin) move(key string) {
	s := w.find(key)
	ref := w.entry([]byte(key))
	w.drop(s.Ref())
	s.SetRef(ref)
	w.refs[key] = ref
}

// moveSparse moves what lies in sparse slabs: blocks of the table, and entries.
func (w *twin) moveSparse() {
	if w.r.IntN(4) == 0 {
		w.h.MarkSparse()
	}
	pos, n := w.r.Uint64()&uint64(-w.r.IntN(2))&^0xffff, 1+w.r.IntN(50)
	slots, next, _, _ := w.table.Gather(pos, nil, n)
	if next != 0 && len(slots) < n {
		w.tb.Fatalf("%d slots of %d gathered, and it is not the end", len(slots), n)
	}
	for _, s := range slots {
		key := w.key(s.Ref())
		if w.refs[key] != s.Ref() {
			w.tb.Fatalf("gathered %q at %#x, it is at %#x", key, s.Ref(), w.refs[key])
		}
		w.refs[key] = w.moved(s)
	}
}

// moved moves the entry in a slot, if it is sparse.
func (b *box) moved(s Slot) arena.Ref {
	ref, _ := b.h.MoveSparse(arena.PurposeEntry, s.Ref(), entry.At(b.a, s.Ref()).Size())
	s.SetRef(ref)
	return ref
}

func (w *twin) step(grow bool) {
	p := w.r.IntN(100)
	switch {
	case len(w.keys) == 0 || p < 30 || grow && p < 60:
		w.insert()
	case p < 70:
		w.remove(w.any())
	case p < 80:
		w.move(w.any())
	case p < 85:
		key := fmt.Sprintf("absent:%d", w.r.IntN(1000))
		if w.table.Find(w.hash([]byte(key)), []byte(key)).Ok() {
			w.tb.Fatalf("found %q", key)
		}
	case p < 94:
		w.find(w.any())
	case p < 96:
		w.moveSparse()
	default:
		w.scanStep()
	}
}

// sweep is a SCAN in progress.
type sweep struct {
	running bool
	cursor  uint64
	owed    map[string]bool // there since the start, and not returned yet
	seen    map[string]bool
}

func (w *twin) scanStep() {
	s := &w.sweep
	if !s.running {
		*s = sweep{running: true, owed: map[string]bool{}, seen: map[string]bool{}}
		for _, k := range w.keys {
			s.owed[k] = true
		}
	}
	next := w.table.Scan(s.cursor, func(r arena.Ref) {
		k := w.key(r)
		if w.refs[k] != r {
			w.tb.Fatalf("Scan returned %q at %#x, it is at %#x", k, r, w.refs[k])
		}
		if h := w.hash([]byte(k)); h < s.cursor {
			w.tb.Fatalf("Scan(%#x) returned the hash %#x", s.cursor, h)
		}
		if s.seen[k] {
			w.tb.Fatalf("Scan returned %q twice", k)
		}
		s.seen[k] = true
		delete(s.owed, k)
	})
	if next != 0 && next <= s.cursor || next&0xffff != 0 {
		w.tb.Fatalf("Scan(%#x) = %#x", s.cursor, next)
	}
	if s.cursor = next; next == 0 {
		for k := range s.owed {
			w.tb.Fatalf("Scan did not return %q of hash %#x, which was there throughout", k, w.hash([]byte(k)))
		}
		s.running = false
	}
}

// agree compares the table with the twin as a whole.
func (w *twin) agree() {
	check(w.tb, &w.table)
	if w.table.Len() != len(w.refs) {
		w.tb.Fatalf("Len is %d, want %d", w.table.Len(), len(w.refs))
	}
	if u := w.h.UsedBy(arena.PurposeTable); u != w.table.Bytes() {
		w.tb.Fatalf("Bytes is %d, the heap counts %d", w.table.Bytes(), u)
	}
	got := make([]string, 0, len(w.refs))
	w.table.Each(func(r arena.Ref) bool {
		got = append(got, w.key(r))
		return true
	})
	slices.Sort(got)
	want := slices.Clone(w.keys)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.tb.Fatalf("Each gave %d keys, want %d, or others", len(got), len(want))
	}
	for _, k := range w.keys {
		w.find(k)
	}
}

func TestModel(t *testing.T) {
	for name, hash := range hashes {
		t.Run(name, func(t *testing.T) {
			seeds(t, func(t *testing.T, r *rand.Rand) {
				w := newTwin(t, r, hash)
				size := 6000
				if name != "good" && name != "shifted" {
					size = 600
				}
				for round := range 6 {
					for range size {
						w.step(round%3 != 2)
					}
					if round == 4 {
						for len(w.keys) > 3 {
							w.remove(w.any())
							if w.r.IntN(20) == 0 {
								w.scanStep()
							}
						}
					}
					w.agree()
				}
				w.freeAll(&w.table)
			})
		})
	}
}

// TestSmall walks every size of a table up and down, checking it at each step.
func TestSmall(t *testing.T) {
	seeds(t, func(t *testing.T, r *rand.Rand) {
		w := newTwin(t, r, goodHash)
		for range 300 {
			w.insert()
			check(t, &w.table)
		}
		for len(w.keys) > 0 {
			w.remove(w.any())
			check(t, &w.table)
		}
		if w.table.Bytes() > 128 {
			t.Errorf("an emptied table takes %d bytes", w.table.Bytes())
		}
		w.freeAll(&w.table)
	})
}

// TestScanGuarantee grows and shrinks a table between the calls of SCANs, by so
// much that segments split and merge under each cursor.
func TestScanGuarantee(t *testing.T) {
	seeds(t, func(t *testing.T, r *rand.Rand) {
		w := newTwin(t, r, goodHash)
		for range 2000 {
			w.insert()
		}
		for pass := range 12 {
			for range 60 {
				w.scanStep()
				n := r.IntN(400)
				for range n {
					if pass%2 == 0 {
						w.insert()
					} else if len(w.keys) > 100 {
						w.remove(w.any())
					}
				}
			}
			for w.sweep.running {
				w.scanStep()
			}
			check(t, &w.table)
		}
		w.freeAll(&w.table)
	})
}

// TestScanDeleting empties a table by SCAN and delete, as programs do.
func TestScanDeleting(t *testing.T) {
	w := newTwin(t, rand.New(rand.NewPCG(1, 1)), goodHash)
	for range 5000 {
		w.insert()
	}
	var cursor uint64
	for {
		var found []string
		cursor = w.table.Scan(cursor, func(r arena.Ref) { found = append(found, w.key(r)) })
		for _, k := range found {
			w.remove(k)
		}
		if cursor == 0 {
			break
		}
	}
	if len(w.keys) != 0 {
		t.Errorf("%d keys left", len(w.keys))
	}
	w.freeAll(&w.table)
}

// TestScanAnyCursor gives Scan cursors that it never gave out.
func TestScanAnyCursor(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	w := newTwin(t, r, goodHash)
	if w.table.Scan(12345, func(arena.Ref) { t.Error("an empty table has no entries") }) != 0 {
		t.Error("an empty table is at its end at once")
	}
	for range 3000 {
		w.insert()
	}
	for range 200 {
		from := r.Uint64()
		want := 0
		for _, k := range w.keys {
			if w.hash([]byte(k)) >= from {
				want++
			}
		}
		got := 0
		for c := from; ; {
			if c = w.table.Scan(c, func(arena.Ref) { got++ }); c == 0 {
				break
			}
		}
		if got != want {
			t.Fatalf("from %#x: %d entries, want %d", from, got, want)
		}
	}
	w.freeAll(&w.table)
}
