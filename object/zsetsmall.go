package object

import (
	"bytes"

	"dozo/container/listpack"
	"dozo/text"
)

// The small sorted set: a listpack of members and scores in turn, ordered by score
// and among equal scores by member. A score that is an integer is stored as one, so
// a negative zero becomes a zero there; others are stored as text.

// parseScore reads a score that is stored as text. What rdb has let in is a number.
func parseScore(b []byte) float64 {
	score, _ := text.ParseFloat(b)
	return score
}

func scoreOf(v listpack.Value) float64 {
	if v.Str != nil {
		return parseScore(v.Str)
	}
	return float64(v.Int)
}

// scoreAt is the score at p.
func scoreAt(b []byte, p int) float64 { return scoreOf(listpack.Get(b, p)) }

// scoreElement is a score as it is stored; buf is room for its text.
func scoreElement(score float64, buf []byte) listpack.Element {
	if n, ok := text.DoubleInt(score); ok {
		return listpack.Int(n)
	}
	return listpack.String(text.AppendDouble(buf[:0], score))
}

// appendScored appends a member and its score to a listpack.
func appendScored(b, member []byte, score float64) []byte {
	var buf [ScoreTextMax]byte
	m, s := listpack.String(member), scoreElement(score, buf[:])
	b = listpack.Append(b, &m)
	return listpack.Append(b, &s)
}

// readScored reads the member at p and its score, and finds the next member.
func readScored(b []byte, p int) (s Scored, next int) {
	s.small = true
	s.Member, p = listpack.Read(b, p)
	v, next := listpack.Read(b, p)
	if v.Str == nil {
		s.score = float64(v.Int)
	} else {
		s.text = v.Str
	}
	return s, next
}

// compareMembers compares the bytes of a member with those of another.
func compareMembers(v listpack.Value, member []byte) int {
	var buf [intDigitsMax]byte
	return bytes.Compare(v.Text(buf[:0]), member)
}

// gapFor is where a member with a score belongs in b.
func gapFor(b, member []byte, score float64) int {
	if p := listpack.Last(b); p == 0 || scoreAt(b, p) < score {
		return listpack.End(b)
	}
	for p := listpack.First(b); p != 0; {
		q := listpack.Next(b, p)
		v, next := listpack.Read(b, q)
		at := scoreOf(v)
		if at > score || at == score && compareMembers(listpack.Get(b, p), member) > 0 {
			return p
		}
		p = next
	}
	return listpack.End(b)
}

// putSmall inserts a member with its score, after taking the pair at cut out; 0 =
// none.
func (z ZSetValue) putSmall(cut int, member []byte, score float64) {
	var buf [ScoreTextMax]byte
	m, s := listpack.String(member), scoreElement(score, buf[:])
	b := z.compactRoom(m.Size() + s.Size())
	if cut != 0 {
		b = listpack.DeleteFrom(b, cut, 2)
	}
	p := gapFor(b, member, score)
	b = listpack.Insert(b, p, &m)
	z.storeCompact(listpack.InsertAfter(b, p, &s))
}

// addSmall is Add for a listpack, which may become a large sorted set by it.
func (z ZSetValue) addSmall(member []byte, score float64, f ZAddFlags, l *ZSetLimits) (float64, ZAddResult) {
	b := z.room()
	p := listpack.Find(b, listpack.First(b), member, 1)
	if p != 0 {
		score, done := f.settle(scoreAt(b, listpack.Next(b, p)), score)
		if done == ZAddUpdated {
			z.putSmall(p, member, score)
		}
		return score, done
	}
	switch {
	case f&ZAddXX != 0:
		return 0, ZAddNothing
	case listpack.Len(b)/2 >= l.Listpack || len(member) > l.Value || !listpack.Fits(b, len(member)+2*ScoreTextMax):
		z.toLarge()
		return z.addLarge(member, score, f)
	}
	z.putSmall(0, member, score)
	return score, ZAddAdded
}

// IsZSet tells whether a listpack is a small sorted set: members, each with a score
// that is a number, in order.
func IsZSet(b []byte) bool {
	var last Scored
	var buf [intDigitsMax]byte
	if listpack.Len(b)%2 != 0 {
		return false
	}
	for p := listpack.First(b); p != 0; {
		first := p == listpack.First(b)
		s, next := readScored(b, p)
		if s.text != nil {
			var ok bool
			if s.score, ok = text.ParseFloat(s.text); !ok {
				return false
			}
		}
		if !first && (s.score < last.score || s.score == last.score && compareMembers(last.Member, s.Member.Text(buf[:0])) >= 0) {
			return false
		}
		last, p = s, next
	}
	return true
}

// rankSmall is how many members come before the one at p.
func rankSmall(b []byte, p int) (rank int) {
	for q := listpack.First(b); q != p; q = listpack.Next(b, listpack.Next(b, q)) {
		rank++
	}
	return rank
}
