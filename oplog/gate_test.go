package oplog

import (
	"math/rand"
	"slices"
	"sync"
	"testing"
)

func TestGateIsMonotone(t *testing.T) {
	l := started(t, Options{})
	g := l.Gate("fsync")
	var heard []uint64
	cancel := g.Subscribe(func(o uint64) { heard = append(heard, o) })
	era := l.Era()
	for _, o := range []uint64{0, 5, 5, 3, 9} {
		g.Advance(era, o)
	}
	cancel()
	g.Advance(era, 20)
	if g.Passed() != 20 || !slices.Equal(heard, []uint64{5, 9}) || g.Name() != "fsync" {
		t.Errorf("%s passed %d, heard %v", g.Name(), g.Passed(), heard)
	}
	if gates := l.Gates(); len(gates) != 1 || gates[0] != g {
		t.Errorf("gates: %v", gates)
	}
}

func TestGateStartsAtTheEnd(t *testing.T) {
	l := newLog(t, Options{})
	l.Activate(700)
	if p := l.Gate("late").Passed(); p != 700 {
		t.Errorf("a gate made at 700 stands at %d", p)
	}
}

func TestFormerEraIsIgnored(t *testing.T) {
	l := newLog(t, Options{})
	l.Activate(1000)
	g, q := l.Gate("fsync"), l.Quorum("replicas", 1)
	both := l.All("both", g, q.Gate)
	r := reader(t, l, 1000)
	g.Advance(r.Era(), 1500)
	q.Ack(r.Era(), 1, 1500)
	l.Activate(0)
	g.Advance(r.Era(), 2000)
	q.Ack(r.Era(), 1, 2000)
	if g.Passed() != 0 || q.Passed() != 0 || both.Passed() != 0 {
		t.Errorf("late advances count in a new history: %d %d %d", g.Passed(), q.Passed(), both.Passed())
	}
	if n := q.Holding(0); n != 0 {
		t.Errorf("%d members of the former history", n)
	}
	now := reader(t, l, 0)
	g.Advance(now.Era(), 7)
	q.Ack(now.Era(), 1, 6)
	if both.Passed() != 6 {
		t.Errorf("the new history's gate stands at %d", both.Passed())
	}
}

func TestCompositeIsTheLeast(t *testing.T) {
	l := started(t, Options{})
	era := l.Era()
	a, b, c := l.Gate("a"), l.Gate("b"), l.Gate("c")
	ab := l.All("ab", a, b)
	abc := l.All("abc", ab, c)
	a.Advance(era, 10)
	b.Advance(era, 4)
	c.Advance(era, 7)
	if ab.Passed() != 4 || abc.Passed() != 4 {
		t.Fatalf("ab %d, abc %d", ab.Passed(), abc.Passed())
	}
	b.Advance(era, 20)
	if ab.Passed() != 10 || abc.Passed() != 7 {
		t.Fatalf("ab %d, abc %d", ab.Passed(), abc.Passed())
	}
	ab.SetParts(b)
	if ab.Passed() != 20 || abc.Passed() != 7 {
		t.Fatalf("without a: ab %d, abc %d", ab.Passed(), abc.Passed())
	}
	ab.SetParts(a)
	a.Advance(era, 15)
	if ab.Passed() != 20 {
		t.Fatalf("a gate went back to %d", ab.Passed())
	}
	abc.SetParts()
	if abc.Passed() != 7 {
		t.Fatalf("without parts: %d", abc.Passed())
	}
	fill(l, 100)
	abc.SetParts()
	if abc.Passed() != l.Offset() {
		t.Errorf("without parts: %d, the log ends at %d", abc.Passed(), l.Offset())
	}
}

func TestNewCompositeKnowsNothingBetter(t *testing.T) {
	l := started(t, Options{})
	g := l.Gate("fsync")
	fill(l, 100)
	if p := l.All("all", g).Passed(); p != 0 {
		t.Errorf("made over a gate at 0, it stands at %d", p)
	}
	if p := l.All("none").Passed(); p != l.Offset() {
		t.Errorf("made without parts, it stands at %d", p)
	}
}

func TestQuorum(t *testing.T) {
	l := started(t, Options{})
	era := l.Era()
	q := l.Quorum("voters", 2)
	step := func(want uint64) {
		t.Helper()
		if q.Passed() != want {
			t.Fatalf("quorum at %d, want %d", q.Passed(), want)
		}
	}
	q.Ack(era, 1, 100)
	step(0)
	q.Ack(era, 2, 50)
	step(50)
	q.Ack(era, 3, 80)
	step(80)
	q.Drop(1)
	step(80)
	q.Ack(era, 2, 10)
	step(80)
	if q.Holding(10) != 2 || q.Holding(60) != 1 || q.Holding(90) != 0 {
		t.Errorf("holding: %d %d %d", q.Holding(10), q.Holding(60), q.Holding(90))
	}
	q.SetNeed(0)
	step(80)
	q.Ack(era, 3, 90)
	step(90)
	q.SetNeed(3)
	q.Ack(era, 2, 500)
	step(90)
	q.Ack(era, 1, 300)
	step(90)
	q.Ack(era, 3, 200)
	step(200)
}

// The k-th largest, by a dumb second way.
func TestQuorumTwin(t *testing.T) {
	for _, seed := range seeds(1, 2, 3) {
		rnd := rand.New(rand.NewSource(seed))
		l := started(t, Options{})
		need := 1 + rnd.Intn(4)
		q := l.Quorum("q", need)
		acked, passed := map[uint64]uint64{}, uint64(0)
		for range 2000 {
			m := uint64(rnd.Intn(6))
			if rnd.Intn(20) == 0 {
				q.Drop(m)
				delete(acked, m)
			} else {
				acked[m] += uint64(rnd.Intn(10))
				q.Ack(l.Era(), m, acked[m])
			}
			for o := passed; ; o++ {
				n := 0
				for _, a := range acked {
					if a >= o {
						n++
					}
				}
				if n < need {
					break
				}
				passed = max(passed, o)
			}
			if q.Passed() != passed {
				t.Fatalf("seed %d: %d, want %d of %v by %d", seed, q.Passed(), passed, acked, need)
			}
		}
	}
}

func TestWaiter(t *testing.T) {
	l := started(t, Options{})
	era := l.Era()
	g := l.Gate("fsync")
	var posts []uint64
	w := g.NewWaiter(func(o uint64) { posts = append(posts, o) })
	g.Advance(era, 5)
	if w.Want(5) || !w.Want(10) {
		t.Fatal("Want at 5")
	}
	g.Advance(era, 7)
	g.Advance(era, 12)
	g.Advance(era, 20)
	if !slices.Equal(posts, []uint64{12}) {
		t.Fatalf("posts %v", posts)
	}
	if w.Want(20) || !w.Want(21) {
		t.Fatal("Want at 20")
	}
	w.Close()
	g.Advance(era, 30)
	if len(posts) != 1 {
		t.Errorf("posts after Close: %v", posts)
	}
}

// A loop that holds replies and an advancer that never says a number twice: no
// reply may be left behind.
func TestNoWakeUpIsLost(t *testing.T) {
	const n = 20_000
	l := started(t, Options{})
	era, g := l.Era(), l.Gate("fsync")
	inbox := make(chan uint64, n)
	w := g.NewWaiter(func(o uint64) { inbox <- o })
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for o := uint64(1); o <= n; o++ {
			g.Advance(era, o)
		}
	}()
	for need := uint64(1); need <= n; need++ {
		if g.Passed() >= need || !w.Want(need) {
			continue
		}
		if o := <-inbox; o < need {
			t.Fatalf("posted at %d, wanted %d", o, need)
		}
	}
	wg.Wait()
	if len(inbox) != 0 {
		t.Errorf("%d posts too many", len(inbox))
	}
}
