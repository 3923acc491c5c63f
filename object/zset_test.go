package object

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"dozo/container/listpack"
	"dozo/internal/invariants"
)

// zsetTwin is a sorted set as a map.
type zsetTwin map[string]float64

// pair is a member and its score, as read from either.
type pair struct {
	member string
	score  float64
}

func (t zsetTwin) sorted() []pair {
	var all []pair
	for m, s := range t {
		all = append(all, pair{m, s})
	}
	slices.SortFunc(all, func(a, b pair) int {
		if c := cmp.Compare(a.score, b.score); c != 0 {
			return c
		}
		return bytes.Compare([]byte(a.member), []byte(b.member))
	})
	return all
}

// add is what ZADD's conditions say, written down plainly.
func (t zsetTwin) add(m string, score float64, f ZAddFlags) (float64, ZAddResult) {
	old, had := t[m]
	switch {
	case math.IsNaN(score):
		return score, ZAddNaN
	case !had && f&ZAddXX != 0:
		return 0, ZAddNothing
	case !had:
		t[m] = score
		return score, ZAddAdded
	case f&ZAddNX != 0:
		return old, ZAddNothing
	}
	if f&ZAddIncr != 0 {
		score += old
	}
	switch {
	case math.IsNaN(score):
		return old, ZAddNaN
	case f&ZAddGT != 0 && !(score > old) || f&ZAddLT != 0 && !(score < old):
		return old, ZAddNothing
	case score == old:
		return score, ZAddSame
	}
	t[m] = score
	return score, ZAddUpdated
}

// someScore is often equal to another: integers, fractions, infinities, few values.
func someScore(r *rand.Rand, few int) float64 {
	switch r.IntN(8) {
	case 0:
		return math.Inf(1 - 2*r.IntN(2))
	case 1:
		return r.NormFloat64() * 1e9
	case 2:
		return float64(r.IntN(few)) / 10
	case 3:
		return math.Float64frombits(r.Uint64()&^(1<<62) | 1)
	}
	return float64(r.IntN(few) - few/2)
}

// someFlags is a set of conditions that ZADD allows together.
func someFlags(r *rand.Rand) ZAddFlags {
	sets := []ZAddFlags{0, 0, 0, 0, ZAddNX, ZAddXX, ZAddGT, ZAddLT, ZAddXX | ZAddGT, ZAddXX | ZAddLT}
	f := sets[r.IntN(len(sets))]
	if r.IntN(4) == 0 {
		f |= ZAddIncr
	}
	return f
}

func TestZSetTwin(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for _, few := range []int{10, 100, 3000} {
			s := newShelf(t)
			l := ZSetLimits{Listpack: r.IntN(150), Value: 1 + r.IntN(100)}
			s.d.Begin(s.place(), s.place().NewZSet(r.IntN(100), r.IntN(80), &l))
			z, twin := ZSetValue{&s.d.Cell}, zsetTwin{}
			for range 3 * few {
				s.shake(r)
				stepZSet(t, r, z, twin, &l, few)
			}
			checkZSet(s, z, twin, r)
			if z.Compact(&ZSetLimits{Listpack: few / 2, Value: 100}); z.Len() != len(twin) {
				t.Fatalf("%d members after Compact, want %d", z.Len(), len(twin))
			}
			checkZSet(s, z, twin, r)
			z.Expect(1, &ZSetLimits{})
			checkZSet(s, z, twin, r)
		}
	})
}

// stepZSet does one thing to a sorted set and its twin.
func stepZSet(t *testing.T, r *rand.Rand, z ZSetValue, twin zsetTwin, l *ZSetLimits, few int) {
	t.Helper()
	m := element(r, few)
	old, had := twin[string(m)]
	switch r.IntN(10) {
	case 0, 1:
		if z.Remove(m) != had {
			t.Fatalf("Remove(%q) = %t", m, !had)
		}
		delete(twin, string(m))
	case 2:
		if score, ok := z.Score(m); ok != had || score != old {
			t.Fatalf("Score(%q) = %v %t, want %v %t", m, score, ok, old, had)
		}
	case 3:
		if r.IntN(10) == 0 {
			deleteSome(t, r, z, twin)
		}
	default:
		score, f := someScore(r, few), someFlags(r)
		got, done := z.Add(m, score, f, l)
		want, wantDone := twin.add(string(m), score, f)
		if done != wantDone || got != want && done != ZAddNaN {
			t.Fatalf("%s: Add(%q, %v, %b) = %v %d, want %v %d", z.Encoding(), m, score, f, got, done, want, wantDone)
		}
	}
	if z.Len() != len(twin) {
		t.Fatalf("%d members, want %d", z.Len(), len(twin))
	}
}

// deleteSome takes a few ranks out.
func deleteSome(t *testing.T, r *rand.Rand, z ZSetValue, twin zsetTwin) {
	t.Helper()
	all := twin.sorted()
	from := r.IntN(len(all) + 1)
	to := min(from+r.IntN(5), len(all))
	var got []pair
	z.DeleteRange(from, to, func(s Scored) { got = append(got, pairOf(s)) })
	if !slices.Equal(got, all[from:to]) {
		t.Fatalf("DeleteRange(%d, %d) met %v, want %v", from, to, got, all[from:to])
	}
	for _, p := range got {
		delete(twin, p.member)
	}
}

func pairOf(s Scored) pair { return pair{string(s.Member.Append(nil)), s.Score()} }

// checkZSet compares a sorted set with its twin in every way of reading it, and so a
// copy.
func checkZSet(s *shelf, z ZSetValue, twin zsetTwin, r *rand.Rand) {
	s.t.Helper()
	s.checkUse()
	all := twin.sorted()
	checkPairs(s.t, z, all)
	for i, p := range all {
		if rank, score, ok := z.Rank([]byte(p.member)); !ok || rank != i || score != p.score {
			s.t.Fatalf("Rank(%q) = %d %v %t, want %d %v", p.member, rank, score, ok, i, p.score)
		}
	}
	checkScoreRanges(s.t, z, all, r)
	scanned := zsetTwin{}
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		cursor = z.Scan(cursor, 10, func(s Scored) {
			p := pairOf(s)
			if _, again := scanned[p.member]; again {
				panic("scanned twice")
			}
			scanned[p.member] = p.score
		})
	}
	if !slices.Equal(scanned.sorted(), all) {
		s.t.Fatalf("%s: scanned %v, want %v", z.Encoding(), scanned.sorted(), all)
	}
	if len(all) > 0 {
		if p := pairOf(z.Random(r.Uint64())); twin[p.member] != p.score {
			s.t.Fatalf("a random member is %v", p)
		}
	}
	var copied Draft
	p := s.place()
	copied.Begin(p, Copy(&s.d.Cell, s.heap, p.Key, 0))
	checkPairs(s.t, ZSetValue{&copied.Cell}, all)
	g := copied.Discard()
	for g.Len() > 0 {
		g.FreeSome(s.heap, 1+r.IntN(100))
	}
	s.checkUse()
}

// checkPairs walks both ways.
func checkPairs(t *testing.T, z ZSetValue, want []pair) {
	t.Helper()
	var up, down []pair
	z.Each(func(s Scored) bool { up = append(up, pairOf(s)); return true })
	if n := z.Len(); n > 0 {
		z.Walk(n-1, n, true, func(s Scored) bool { down = append(down, pairOf(s)); return true })
	}
	slices.Reverse(down)
	if !slices.Equal(up, want) || !slices.Equal(down, want) {
		t.Fatalf("%s: holds %v, backwards %v, want %v", z.Encoding(), up, down, want)
	}
}

func checkScoreRanges(t *testing.T, z ZSetValue, all []pair, r *rand.Rand) {
	t.Helper()
	for range 20 {
		q := ScoreRange{someScore(r, 20), someScore(r, 20), r.IntN(2) == 0, r.IntN(2) == 0}
		if math.IsNaN(q.Min) || math.IsNaN(q.Max) {
			continue
		}
		want := 0
		for _, p := range all {
			if q.reaches(p.score) && !q.passed(p.score) {
				want++
			}
		}
		from, to := z.ScoreRanks(&q)
		if to-from != want || want > 0 && (!q.reaches(all[from].score) || q.passed(all[to-1].score)) {
			t.Fatalf("%s: %+v is the ranks %d to %d, of which there should be %d", z.Encoding(), q, from, to, want)
		}
	}
}

// TestZSetLexRanges: scores are equal, and members order them.
func TestZSetLexRanges(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		s := newShelf(t)
		l := ZSetLimits{Listpack: 50, Value: 250}
		s.d.Begin(s.place(), s.place().NewZSet(0, 0, &l))
		z, twin := ZSetValue{&s.d.Cell}, zsetTwin{}
		for i := range 300 {
			m := element(r, 100)
			z.Add(m, 1.5, 0, &l)
			twin[string(m)] = 1.5
			if i%10 == 0 {
				checkLexRange(t, r, z, twin.sorted())
			}
		}
	})
}

func checkLexRange(t *testing.T, r *rand.Rand, z ZSetValue, all []pair) {
	t.Helper()
	q := LexRange{LexLimit{element(r, 100), LexKind(r.IntN(4))}, LexLimit{element(r, 100), LexKind(r.IntN(4))}}
	var want []pair
	for _, p := range all {
		lowest, highest := bytes.Compare([]byte(p.member), q.Min.Member), bytes.Compare([]byte(p.member), q.Max.Member)
		above := q.Min.Kind == LexFirst || q.Min.Kind == LexAt && lowest >= 0 || q.Min.Kind == LexPast && lowest > 0
		below := q.Max.Kind == LexLast || q.Max.Kind == LexAt && highest <= 0 || q.Max.Kind == LexPast && highest < 0
		if above && below {
			want = append(want, p)
		}
	}
	from, to := z.LexRanks(&q)
	if !slices.Equal(all[from:to], want) {
		t.Fatalf("%s: %+v is %v, want %v", z.Encoding(), q, all[from:to], want)
	}
}

// TestZSetGather: what is gathered without order is put in order at the end.
func TestZSetGather(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		s := newShelf(t)
		s.d.Begin(s.place(), s.place().NewLargeZSet())
		z, twin := ZSetValue{&s.d.Cell}, zsetTwin{}
		for range r.IntN(2000) {
			m, score := element(r, 300), float64(r.IntN(100))
			z.Gather(m, score, func(old, score float64) float64 { return old + score })
			twin[string(m)] += score
		}
		z.Arrange()
		checkZSet(s, z, twin, r)
	})
}

// TestZSetBytes: the listpack is the bytes that a genuine server would have.
func TestZSetBytes(t *testing.T) {
	s := newShelf(t)
	l := ZSetLimits{Listpack: 128, Value: 64}
	s.d.Begin(s.place(), s.place().NewZSet(1, 1, &l))
	z := ZSetValue{&s.d.Cell}
	for _, p := range []pair{{"c", 3}, {"7", 0.1}, {"b", math.Copysign(0, -1)}, {"a", math.Inf(1)}, {"d", 1e30}} {
		z.Add([]byte(p.member), p.score, 0, &l)
	}
	want := listpack.AppendEmpty(nil)
	for _, word := range []string{"b", "0", "7", "0.1", "c", "3", "d", "1e+30", "a", "inf"} {
		e := listpack.String([]byte(word))
		want = listpack.Append(want, &e)
	}
	if !bytes.Equal(z.Bare(), want) {
		t.Errorf("%x, want %x", z.Bare(), want)
	}
}

// TestZSetHotPath: nothing is allocated on Go's heap.
func TestZSetHotPath(t *testing.T) {
	if invariants.Enabled {
		t.Skip("the checks allocate")
	}
	for _, size := range []int{20, 2000} {
		s := newShelf(t)
		l := ZSetLimits{Listpack: 128, Value: 64}
		s.d.Begin(s.place(), s.place().NewZSet(1, 1, &l))
		z := ZSetValue{&s.d.Cell}
		for i := range size {
			z.Add(fmt.Appendf(nil, "member:%d", i), float64(i)/8, 0, &l)
		}
		i, buf, sum := 0, []byte("member:1234567"), 0.0
		if n := testing.AllocsPerRun(200, func() {
			m := strconv.AppendInt(buf[:7], int64(i%size), 10)
			i++
			z.Add(m, float64(i%17)*1.25, 0, &l)
			rank, _, _ := z.Rank(m)
			z.Walk(rank, 10, true, func(s Scored) bool { sum += s.Score(); return true })
			q := ScoreRange{Min: 3, Max: 9}
			from, _ := z.ScoreRanks(&q)
			z.DeleteRange(from, from+1, func(s Scored) { sum += s.Score() })
			z.Remove(m)
			z.Add(m, sum, ZAddNX, &l)
		}); n != 0 {
			t.Errorf("%d members: %v allocations", size, n)
		}
	}
}

// TestZSetDigest is that of a genuine server: a member and its score are one part.
func TestZSetDigest(t *testing.T) {
	var digests []Digest
	for _, l := range []ZSetLimits{{Listpack: 10, Value: 10}, {}} {
		s := newShelf(t)
		s.d.Begin(s.place(), s.place().NewZSet(1, 1, &l))
		ZSetValue{&s.d.Cell}.Add([]byte("a"), 1e20, 0, &l)
		ZSetValue{&s.d.Cell}.Add([]byte("5"), 0.1, 0, &l)
		var d Digest
		s.d.Digest(&d, 0)
		digests = append(digests, d)
	}
	if digests[0] != digests[1] || digests[0] == (Digest{}) {
		t.Errorf("%x and %x", digests[0], digests[1])
	}
}
