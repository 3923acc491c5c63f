package wheel

import (
	"flag"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"dozo/arena"
)

var seedFlag = flag.Uint64("seed", 0, "run the random tests with this seed only")

func seeds(t *testing.T, run func(t *testing.T, r *rand.Rand)) {
	list := []uint64{1, 2, 3, 4, 5, 6}
	if testing.Short() {
		list = list[:2]
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

func newHeap(tb testing.TB) *arena.Heap {
	a, err := arena.New(arena.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	h := a.NewHeap()
	h.SetPublishStep(1 << 16)
	tb.Cleanup(func() {
		if n := h.Used(); n != 0 && !tb.Failed() {
			tb.Errorf("%d bytes still in use", n)
		}
		if err := a.Close(); err != nil && !tb.Failed() {
			tb.Error(err)
		}
	})
	return h
}

// twin is a wheel beside the deadlines that it should have, by the number that
// each record has for a hash.
type twin struct {
	t     *testing.T
	r     *rand.Rand
	heap  *arena.Heap
	w     Wheel
	now   int64
	left  map[uint64]int64
	exact map[uint64]bool // the record must be exact to the millisecond
	ids   uint64
	early int
}

func newTwin(t *testing.T, r *rand.Rand, now int64) *twin {
	h := newHeap(t)
	return &twin{t: t, r: r, heap: h, w: New(h, now), now: now, left: map[uint64]int64{}, exact: map[uint64]bool{}}
}

// covers tells whether a record that gives the deadline dl may have been made for
// the given one: equal, or rounded down as records of far deadlines are.
func covers(dl, deadline int64) bool {
	if dl >= deadline {
		return dl == deadline
	}
	for l := exactLevel + 1; l < levels; l++ {
		if deadline>>unit(l)<<unit(l) == dl {
			return true
		}
	}
	return false
}

func (w *twin) add(deadline int64) {
	w.ids++
	w.readd(w.ids, deadline)
}

func (w *twin) readd(id uint64, deadline int64) {
	w.left[id] = deadline
	w.exact[id] = deadline < w.w.now || (deadline^w.w.now)>>30 == 0
	w.w.Add(id<<24|uint64(w.r.Uint32()&restMask), deadline)
}

// due is what the keyspace does: the entry's deadline decides.
func (w *twin) due(hash uint64, dl int64) {
	id := hash >> 24
	want, ok := w.left[id]
	switch {
	case hash&restMask != 0:
		w.t.Fatalf("hash %#x has low bits", hash)
	case !ok:
		w.t.Fatalf("record %d was not there, or due twice", id)
	case dl > w.now:
		w.t.Fatalf("record %d with deadline %d is due at %d", id, dl, w.now)
	case dl != want && w.exact[id]:
		w.t.Fatalf("record %d of deadline %d came with %d", id, want, dl)
	case !covers(dl, want):
		w.t.Fatalf("record %d of deadline %d came with %d, which does not cover it", id, want, dl)
	}
	if want <= w.now {
		delete(w.left, id)
		return
	}
	w.early++
	w.readd(id, want)
}

// advance sets the clock and calls Advance until there is no more.
func (w *twin) advance(now int64, budget int) {
	w.now = now
	calls := 0
	for {
		were := 0
		before := w.w.Len()
		handled, more := w.w.Advance(now, budget, func(h uint64, dl int64) {
			were++
			w.due(h, dl)
		})
		if were > handled || handled > budget || more && handled == 0 {
			w.t.Fatalf("%d records due, %d handled, the budget was %d", were, handled, budget)
		}
		if !more {
			break
		}
		if calls++; calls > 12*(before+1)*12 {
			w.t.Fatalf("%d calls and no end", calls)
		}
	}
	for id, d := range w.left {
		if d <= now {
			w.t.Fatalf("record %d of deadline %d is not due at %d", id, d, now)
		}
	}
	w.agree()
}

// move moves some chunks out of sparse slabs.
func (w *twin) move() {
	if w.r.IntN(4) == 0 {
		w.heap.MarkSparse()
	}
	left := w.w.Len()
	if seen, _ := w.w.MoveSparse(1 + w.r.IntN(100)); seen > left {
		w.t.Fatalf("%d records of %d were seen", seen, left)
	}
}

func (w *twin) agree() {
	if err := w.w.Check(); err != nil {
		w.t.Fatal(err)
	}
	if w.w.Len() != len(w.left) {
		w.t.Fatalf("Len is %d, want %d", w.w.Len(), len(w.left))
	}
	if u := w.heap.UsedBy(arena.PurposeExpiry); u != w.w.Bytes() {
		w.t.Fatalf("Bytes is %d, the heap counts %d", w.w.Bytes(), u)
	}
	next, ok := w.w.Next()
	if ok != (len(w.left) > 0) {
		w.t.Fatalf("Next says %v with %d records", ok, len(w.left))
	}
	for id, d := range w.left {
		if next > d && next > w.now {
			w.t.Fatalf("Next is %d, but record %d is due at %d", next, id, d)
		}
	}
}

// distance is a random distance in time of a random magnitude.
func distance(r *rand.Rand) int64 { return r.Int64() >> r.IntN(63) }

func (w *twin) deadline() int64 {
	d := w.now + distance(w.r)
	switch w.r.IntN(40) {
	case 0:
		return math.MaxInt64
	case 1:
		return w.now - distance(w.r)
	case 2:
		return math.MinInt64
	case 3:
		return w.now
	}
	if d < w.now { // beyond the end of time
		return math.MaxInt64
	}
	return d
}

func TestModel(t *testing.T) {
	seeds(t, func(t *testing.T, r *rand.Rand) {
		w := newTwin(t, r, 1_700_000_000_000+r.Int64N(1<<40))
		for range 400 {
			for range r.IntN(60) {
				w.add(w.deadline())
			}
			now := w.now + distance(r)>>20
			if r.IntN(10) == 0 {
				now = w.now + r.Int64N(3)
			}
			w.move()
			w.advance(now, 1+r.IntN(200))
			w.sample()
		}
		w.w.Free()
	})
}

// TestEveryMillisecond compares with a sorted slice, over all of the first
// levels, at each millisecond.
func TestEveryMillisecond(t *testing.T) {
	seeds(t, func(t *testing.T, r *rand.Rand) {
		start := int64(1_700_000_000_000) + r.Int64N(1<<32)
		w := newTwin(t, r, start)
		var sorted []int64
		for range 3000 {
			d := start + r.Int64N(20_000)
			sorted = append(sorted, d)
			w.add(d)
		}
		slices.Sort(sorted)
		for now := start; len(sorted) > 0; now++ {
			n := 0
			w.now = now
			for more := true; more; {
				_, more = w.w.Advance(now, 7, func(h uint64, dl int64) {
					w.due(h, dl)
					n++
				})
			}
			for range n {
				if sorted[0] != now {
					t.Fatalf("a record was due at %d, the next of the twin at %d", now, sorted[0])
				}
				sorted = sorted[1:]
			}
			if len(sorted) > 0 && sorted[0] <= now {
				t.Fatalf("nothing more at %d, the twin has %d", now, sorted[0])
			}
		}
		w.w.Free()
	})
}

// TestJumps sets the clock forwards and backwards by all magnitudes.
func TestJumps(t *testing.T) {
	seeds(t, func(t *testing.T, r *rand.Rand) {
		w := newTwin(t, r, 1<<50+r.Int64N(1<<50))
		for range 600 {
			for range r.IntN(20) {
				w.add(w.deadline())
			}
			jump := distance(r) >> 13
			switch r.IntN(3) {
			case 0:
				jump = -jump
			case 1:
				jump = r.Int64N(200) - 100
			}
			// Keys come before the wheel has seen the new time.
			w.now = max(0, w.now+jump)
			for range r.IntN(5) {
				w.add(w.now + r.Int64N(1000))
			}
			w.move()
			clear(w.exact) // what is put down again after a jump may be rounded
			if r.IntN(3) == 0 {
				w.now = max(0, w.now)
				w.w.Advance(w.now, r.IntN(10), w.due)
				continue
			}
			w.advance(w.now, 1+r.IntN(100))
		}
		w.w.Free()
	})
}

// TestFar has deadlines of many years, and the hints on the way to them.
func TestFar(t *testing.T) {
	w := newTwin(t, rand.New(rand.NewPCG(1, 1)), 1_700_000_000_123)
	const year = int64(365 * 24 * 3600 * 1000)
	for i := range int64(40) {
		w.add(w.now + i*i*year/3 + i)
	}
	w.add(math.MaxInt64)
	for w.w.Len() > 1 {
		next, _ := w.w.Next()
		w.advance(max(next, w.now+1), 3)
	}
	if w.early == 0 || w.early > 40*8 {
		t.Errorf("%d early hints for 41 records", w.early)
	}
	w.advance(math.MaxInt64-1, 10)
	w.advance(math.MaxInt64, 10)
	if w.w.Len() != 0 {
		t.Errorf("%d left at the end of time", w.w.Len())
	}
	w.w.Free()
}

// TestBudget: a call handles no more than it may, whatever is due.
func TestBudget(t *testing.T) {
	w := newTwin(t, rand.New(rand.NewPCG(1, 1)), 1000)
	for range 10_000 {
		w.add(50_000 + w.r.Int64N(10))
	}
	w.now = 60_000
	due, calls := 0, 0
	for more := true; more; calls++ {
		before := due
		var handled int
		handled, more = w.w.Advance(w.now, 100, func(h uint64, dl int64) {
			due++
			w.due(h, dl)
		})
		if due-before > handled || handled > 100 {
			t.Fatalf("%d due and %d handled in one call", due-before, handled)
		}
	}
	if due != 10_000 || calls > 102 {
		t.Errorf("%d due in %d calls", due, calls)
	}
	if handled, more := w.w.Advance(w.now, 0, nil); more || handled != 0 {
		t.Errorf("more (%t) or handled %d, though nothing is left", more, handled)
	}
	w.w.Free()
}

// TestAddInDue adds, while a record is due, records that are due themselves.
func TestAddInDue(t *testing.T) {
	h := newHeap(t)
	w := New(h, 1000)
	w.Add(1<<24, 5000)
	n := 0
	due := func(hash uint64, dl int64) {
		if n++; n < 2000 {
			w.Add(hash, []int64{-5, 0, 10, 5000, 5999, 6000, 1 << 30 * -int64(n)}[n%7])
			if n%3 == 0 {
				w.Add(hash, 7000)
			}
		}
	}
	for calls, more := 0, true; more; calls++ {
		_, more = w.Advance(6000, 50, due)
		if err := w.Check(); err != nil {
			t.Fatal(err)
		}
		if calls > 100 {
			t.Fatal("no end")
		}
	}
	if n != 2000 || w.Len() != 666 {
		t.Errorf("%d were due and %d are left", n, w.Len())
	}
	w.Free()
}

func (w *twin) sample() {
	for range 5 {
		h, d, ok := w.w.Sample(w.r.Uint64())
		h2, d2, ok2 := w.w.SampleEarliest(w.r.Uint64())
		if !ok || !ok2 {
			if len(w.left) > 0 {
				w.t.Fatal("no sample, though there are records")
			}
			return
		}
		if !covers(d, w.left[h>>24]) || !covers(d2, w.left[h2>>24]) {
			w.t.Fatalf("samples %d and %d, want %d and %d", d, d2, w.left[h>>24], w.left[h2>>24])
		}
	}
}

// TestSample counts how often each record is drawn.
func TestSample(t *testing.T) {
	w := newTwin(t, rand.New(rand.NewPCG(2, 3)), 1_700_000_000_000)
	const n, each = 3000, 200
	for i := range n {
		d := w.now + 1 + w.r.Int64N(100_000)
		if i%2 == 0 {
			d = w.now + 1<<33 // half of them in one slot
		}
		w.add(d)
	}
	drawn := map[uint64]int{}
	for range n * each {
		h, _, _ := w.w.Sample(w.r.Uint64())
		drawn[h>>24]++
	}
	for id := range w.left {
		if c := drawn[id]; c < each/3 || c > each*3 {
			t.Errorf("record %d drawn %d times, expected about %d", id, c, each)
		}
	}
	w.agree()
	earliest := int64(math.MaxInt64)
	for _, d := range w.left {
		earliest = min(earliest, d)
	}
	if _, d, _ := w.w.SampleEarliest(5); d > earliest+64 {
		t.Errorf("earliest sample %d, the earliest is %d", d, earliest)
	}
	w.w.Free()
}

// TestCompact drops what is not alive, a little at a time, while the wheel
// turns, grows, is sampled and set back.
func TestCompact(t *testing.T) {
	seeds(t, func(t *testing.T, r *rand.Rand) {
		w := newTwin(t, r, 1_700_000_000_000)
		dead := map[uint64]bool{}
		for range 300 {
			for range r.IntN(400) {
				w.add(w.now + distance(r)>>(20+r.IntN(20)))
				if r.IntN(3) != 0 {
					dead[w.ids] = true
				}
			}
			dropped := w.w.Compact(r.IntN(300), func(h uint64, dl int64) bool {
				id := h >> 24
				if _, ok := w.left[id]; !ok || !covers(dl, w.left[id]) {
					t.Fatalf("record %d of deadline %d was offered with %d", id, w.left[id], dl)
				}
				if !dead[id] {
					return true
				}
				delete(dead, id)
				delete(w.left, id)
				return false
			})
			if dropped < 0 || w.w.Len() != len(w.left) {
				t.Fatalf("%d dropped, %d left, want %d", dropped, w.w.Len(), len(w.left))
			}
			w.sample()
			clear(w.exact)
			w.advance(w.now+r.Int64N(300_000)-20_000, 1+r.IntN(500))
		}
		w.compactAll(dead)
		w.w.Free()
	})
}

// compactAll demands that a few rounds drop all the dead, and give the memory.
func (w *twin) compactAll(dead map[uint64]bool) {
	for range 3 {
		for seen, all := 0, w.w.Len(); seen <= all; {
			w.w.Compact(100, func(h uint64, _ int64) bool {
				seen++
				if dead[h>>24] {
					delete(w.left, h>>24)
				}
				return !dead[h>>24]
			})
			if w.w.Len() == 0 {
				break
			}
		}
	}
	w.agree()
	for id := range w.left {
		if dead[id] {
			w.t.Fatalf("record %d is dead and still there", id)
		}
	}
}

// TestMemory demands what a record costs.
func TestMemory(t *testing.T) {
	h := newHeap(t)
	w := New(h, 1_700_000_000_000)
	r := rand.New(rand.NewPCG(1, 1))
	const n = 200_000
	for i := range n {
		w.Add(uint64(i)<<24, 1_700_000_000_000+r.Int64N(24*3600*1000))
	}
	if b := float64(w.Bytes()) / n; b > 9.5 {
		t.Errorf("%.2f bytes for a record", b)
	}
	// Nine tenths die: the memory must come back.
	for range 20 {
		w.Compact(n/10, func(h uint64, _ int64) bool { return h>>24%10 == 0 })
	}
	if b := float64(w.Bytes()) / float64(w.Len()); w.Len() != n/10 || b > 20 {
		t.Errorf("after Compact %d records of %.2f bytes", w.Len(), b)
	}
	w.Free()
	if w.Len() != 0 || w.Bytes() != 0 {
		t.Errorf("after Free %d records, %d bytes", w.Len(), w.Bytes())
	}
}

func TestNoAllocation(t *testing.T) {
	h := newHeap(t)
	w := New(h, 1000)
	now := int64(1000)
	got := 0
	n := testing.AllocsPerRun(5000, func() {
		w.Add(uint64(now)<<24, now+now%5000)
		w.Advance(now, 100, func(uint64, int64) { got++ })
		w.Compact(3, func(uint64, int64) bool { return true })
		w.Sample(uint64(now))
		now += 3
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
	if got == 0 {
		t.Error("nothing was due")
	}
	w.Free()
}

// TestMoveSparse has a wheel lie thinly among others that are gone, and moves it.
func TestMoveSparse(t *testing.T) {
	h := newHeap(t)
	var wheels [64]Wheel
	for i := range wheels {
		wheels[i] = New(h, 1000)
	}
	for k := range int64(500) { // in turn, so that their chunks are mixed
		for i := range wheels {
			wheels[i].Add(uint64(k)<<restBits, 2000+k*k*k)
		}
	}
	for i := range wheels {
		if i%8 != 0 {
			wheels[i].Free()
		}
	}
	before := h.Arena().Stats().Mapped
	h.MarkSparse()
	for i := 0; i < len(wheels); i += 8 {
		w := &wheels[i]
		rings := w.level[2].rings
		seen, moved := w.MoveSparse(w.Len())
		if seen < w.Len() || i > 8 && (moved < 4 || w.level[2].rings == rings) {
			t.Errorf("wheel %d: %d records of %d seen, %d blocks moved, the rings from %#x to %#x", i, seen, w.Len(), moved, rings, w.level[2].rings)
		}
		if err := w.Check(); err != nil {
			t.Error(err)
		}
	}
	if after := h.Arena().Stats().Mapped; after > before/2 {
		t.Errorf("%d bytes mapped before and %d after", before, after)
	}
	for i := 0; i < len(wheels); i += 8 {
		wheels[i].Free()
	}
}
