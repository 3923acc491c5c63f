package object

import (
	"dozo/arena"
	"dozo/container/btree"
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/container/listpack"
)

// Ranges of a sorted set, by score or by member, are first made ranges of ranks:
// from the first up to but not including the second. So there is one way to walk a
// range, to count it and to delete it.

// ScoreRange is all scores from Min to Max, which themselves may be left out.
type ScoreRange struct {
	Min, Max     float64
	MinEx, MaxEx bool
}

func (r *ScoreRange) reaches(score float64) bool {
	return score > r.Min || score == r.Min && !r.MinEx
}

func (r *ScoreRange) passed(score float64) bool {
	return score > r.Max || score == r.Max && r.MaxEx
}

// LexLimit is a place in the order of members.
type LexLimit struct {
	Member []byte
	Kind   LexKind
}

// LexKind is where a LexLimit is.
type LexKind uint8

// The kinds.
const (
	LexFirst LexKind = iota // before all members
	LexLast                 // behind all
	LexAt                   // at the member, which belongs to the range
	LexPast                 // at the member, which does not
)

// LexRange is all members from one limit to another. It means something in a sorted
// set whose scores are all equal.
type LexRange struct{ Min, Max LexLimit }

// ScoreRanks is the range of ranks whose scores are in r.
func (z ZSetValue) ScoreRanks(r *ScoreRange) (from, to int) {
	if z.Encoding() == EncListpack {
		return smallRanks(z.room(),
			func(_ listpack.Value, b []byte, p int) bool { return r.reaches(scoreAt(b, p)) },
			func(_ listpack.Value, b []byte, p int) bool { return r.passed(scoreAt(b, p)) })
	}
	low, high := btree.FromScore(r.Min), btree.AfterScore(r.Max)
	if r.MinEx {
		low = btree.AfterScore(r.Min)
	}
	if r.MaxEx {
		high = btree.FromScore(r.Max)
	}
	t := z.tree()
	from = t.CountBelow(low)
	return from, max(from, t.CountBelow(high))
}

// LexRanks is the range of ranks whose members are in r.
func (z ZSetValue) LexRanks(r *LexRange) (from, to int) {
	if z.Encoding() == EncListpack {
		return smallRanks(z.room(),
			func(v listpack.Value, _ []byte, _ int) bool { return !r.Min.above(v, LexPast) },
			func(v listpack.Value, _ []byte, _ int) bool { return !r.Max.above(v, LexAt) })
	}
	t := z.tree()
	from = rankOfLimit(&t, &r.Min, LexPast)
	return from, max(from, rankOfLimit(&t, &r.Max, LexAt))
}

// above tells whether a member lies below the limit; the one at the limit does for
// limits of the given kind.
func (m *LexLimit) above(v listpack.Value, with LexKind) bool {
	if m.Kind <= LexLast {
		return m.Kind == LexLast
	}
	c := compareMembers(v, m.Member)
	return c < 0 || c == 0 && m.Kind == with
}

// rankOfLimit is how many members of a tree lie below the limit; see above.
func rankOfLimit(t *btree.Tree, m *LexLimit, with LexKind) int {
	switch {
	case m.Kind == LexFirst:
		return 0
	case m.Kind == LexLast:
		return t.Len()
	case m.Kind == with:
		return t.CountBelow(btree.AfterMember(m.Member))
	}
	return t.CountBelow(btree.FromMember(m.Member))
}

// smallRanks is the range of ranks of a listpack from the first pair that reached
// tells on to the next one that passed tells. Both are given the member, and the
// listpack with the place of the score.
func smallRanks(b []byte, reached, passed func(v listpack.Value, b []byte, score int) bool) (from, to int) {
	inside := false
	for p := listpack.First(b); p != 0; to++ {
		var v listpack.Value
		v, p = listpack.Read(b, p)
		if !inside && reached(v, b, p) {
			from, inside = to, true
		}
		if inside && passed(v, b, p) {
			return from, to
		}
		p = listpack.Next(b, p)
	}
	if !inside {
		from = to
	}
	return from, to
}

// Rank is how many members come before a member, and its score.
func (z ZSetValue) Rank(member []byte) (rank int, score float64, ok bool) {
	if z.Encoding() == EncListpack {
		b := z.room()
		p := listpack.Find(b, listpack.First(b), member, 1)
		if p == 0 {
			return 0, 0, false
		}
		return rankSmall(b, p), scoreAt(b, listpack.Next(b, p)), true
	}
	if score, ok = z.Score(member); ok {
		t := z.tree()
		rank, ok = t.Rank(score, member)
	}
	return rank, score, ok
}

// Walk visits n members, or as many as there are, from a rank on, upwards or
// downwards, until visit returns false. The sorted set must not be changed
// meanwhile.
func (z ZSetValue) Walk(rank, n int, down bool, visit func(Scored) bool) {
	if z.Encoding() == EncListpack {
		walkSmall(z.room(), rank, n, down, visit)
		return
	}
	var items [warmMax]btree.Item
	a, t := z.Heap.Arena(), z.tree()
	for c := t.At(rank); n > 0 && c.Ok(); n -= warmMax {
		for _, it := range items[:c.Take(items[:min(n, warmMax)], down)] {
			if !visit(Scored{Member: listpack.Value{Str: entry.At(a, it.Ref).Key()}, score: it.Score}) {
				return
			}
		}
	}
}

// walkSmall is Walk for a listpack.
func walkSmall(b []byte, rank, n int, down bool, visit func(Scored) bool) {
	for p := listpack.Seek(b, 2*rank); p != 0 && n > 0; n-- {
		s, next := readScored(b, p)
		if down {
			if next = listpack.Prev(b, p); next != 0 {
				next = listpack.Prev(b, next)
			}
		}
		if !visit(s) {
			return
		}
		p = next
	}
}

// Each calls visit for every member in order until it returns false. The sorted set
// must not be changed meanwhile.
func (z ZSetValue) Each(visit func(Scored) bool) { z.Walk(0, z.Len(), false, visit) }

// DeleteRange takes the members of the ranks from one up to but not including
// another out, and calls visit, which may be nil, for each in order before it goes.
// A sorted set without members must be deleted by the caller.
func (z ZSetValue) DeleteRange(from, to int, visit func(Scored)) {
	if from >= to {
		return
	}
	if z.Encoding() == EncListpack {
		z.deleteSmall(from, to, visit)
		return
	}
	if z.Kit.Keeper != nil { // before the first goes: a keeper looks at the value itself
		z.Walk(from, to-from, false, func(s Scored) bool { z.element(s.Member.Str); return true })
	}
	t, tree := z.table(), z.tree()
	for from < to {
		n := min(to-from, warmMax)
		z.deleteLarge(&t, &tree, from, n, visit)
		to -= n
	}
	z.storeTable(&t)
	z.storeTree(&tree)
	z.shrunk(t.Len())
}

// warmMax is how many members are asked for before the first of them is looked at:
// each waits for two lines of memory, its entry's and its slot's in the table, and so
// they are waited for at once.
const warmMax = 16

// deleteLarge takes n members, warmMax at most, from a rank on out of the tree and the
// table.
func (z ZSetValue) deleteLarge(t *hashtable.Table, tree *btree.Tree, from, n int, visit func(Scored)) {
	var sums [warmMax]uint64
	a := z.Heap.Arena()
	var items [warmMax]btree.Item
	c := tree.At(from)
	for i, it := range items[:c.Take(items[:n], false)] {
		sums[i] = z.Kit.Hash(entry.At(a, it.Ref).Key())
		t.PrefetchBucket(sums[i])
	}
	i := 0
	tree.DeleteRange(from, from+n, func(score float64, ref arena.Ref) {
		if visit != nil {
			visit(Scored{Member: listpack.Value{Str: entry.At(a, ref).Key()}, score: score})
		}
		t.Delete(sums[i], t.FindRef(sums[i], ref))
		freeElement(t.Heap(), ref)
		i++
	})
}

// deleteSmall is DeleteRange for a listpack.
func (z ZSetValue) deleteSmall(from, to int, visit func(Scored)) {
	if visit != nil {
		walkSmall(z.room(), from, to-from, false, func(s Scored) bool {
			visit(s)
			return true
		})
	}
	z.storeCompact(listpack.DeleteRange(z.compactRoom(0), 2*from, 2*(to-from)))
}

// Random is a member, chosen by r: any number. There must be one.
func (z ZSetValue) Random(r uint64) Scored {
	if z.Encoding() == EncListpack {
		b := z.room()
		s, _ := readScored(b, listpack.Seek(b, 2*int(r%uint64(z.Len()))))
		return s
	}
	t := z.table()
	return z.scored(t.Random(r))
}

// Scan is one step of ZSCAN; see SetValue.Scan.
func (z ZSetValue) Scan(cursor uint64, count int, visit func(Scored)) uint64 {
	if z.Encoding() == EncListpack {
		z.Each(func(s Scored) bool { visit(s); return true })
		return 0
	}
	t := z.table()
	return scanTable(&t, cursor, count, func(ref arena.Ref) { visit(z.scored(ref)) })
}
