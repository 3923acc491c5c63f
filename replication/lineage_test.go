package replication

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNewID(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for range 1000 {
		id := NewID(r)
		if len(id) != IDLength || strings.Trim(id, "0123456789abcdef") != "" || seen[id] {
			t.Fatalf("bad name %q", id)
		}
		seen[id] = true
	}
}

func TestLineage(t *testing.T) {
	a, b, c := long("a"), long("b"), long("c")
	l := NewLineage(a)
	if l.ID() != a || l.ID2() != strings.Repeat("0", 40) || l.SecondOffset() != -1 {
		t.Errorf("at first: %s %s %d", l.ID(), l.ID2(), l.SecondOffset())
	}
	first := l
	l = l.Shift(b, 100)
	if l.ID() != b || l.ID2() != a || l.SecondOffset() != 101 || first.ID() != a {
		t.Errorf("after a promotion: %s", l)
	}
	l = l.Shift(c, 150)
	for _, w := range []struct {
		p    Position
		want error
	}{
		{Position{c, 1 << 40}, nil}, {Position{strings.ToUpper(c), 0}, nil},
		{Position{b, 150}, nil}, {Position{b, 151}, ErrBeyondSwitch},
		{Position{a, 100}, nil}, {Position{a, 101}, ErrBeyondSwitch},
		{Position{long("d"), 0}, ErrOtherHistory}, {Position{"", 0}, ErrOtherHistory},
	} {
		if err := l.Check(w.p); !errors.Is(err, w.want) {
			t.Errorf("%s: %v, not %v", w.p, err, w.want)
		}
	}
	if l = l.Shift(long("d"), 120); l.String() != a+":0,"+b+":100,"+long("d")+":120" {
		t.Errorf("bytes that were cut off keep their name: %s", l)
	}
}

func TestParseLineage(t *testing.T) {
	l := NewLineage(long("a")).Shift(long("b"), 7).Shift(long("c"), 7)
	got, err := ParseLineage(l.String())
	if err != nil || got.String() != l.String() {
		t.Errorf("%s became %s: %v", l, got, err)
	}
	for _, bad := range []string{"", "x", long("a"), long("a") + ":-1", long("a") + ":5," + long("b") + ":4", "a:0", long("a") + ":9223372036854775808", l.String() + ",", strings.Repeat(long("a")+":0,", 20)} {
		if l, err := ParseLineage(bad); err == nil {
			t.Errorf("%q became %s", bad, l)
		}
	}
}

// TestLineageTruth plays servers that write, are promoted and follow each other. Whoever
// may go on must have a prefix of what it follows, and histories fork where they do.
func TestLineageTruth(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for i := range uint64(300) {
		playLineages(t, seed+i)
	}
}

// copyOf is one server's data: each number is a byte that was written once, by anybody.
type copyOf struct {
	data    []int
	lineage Lineage
	primary bool
}

func (c *copyOf) at() Position { return Position{c.lineage.ID(), uint64(len(c.data))} }

func playLineages(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 5))
	nodes := make([]*copyOf, 4)
	for i := range nodes {
		nodes[i] = &copyOf{lineage: NewLineage(NewID(r)), primary: true}
	}
	written, partial := 0, 0
	for range 400 {
		n, other := nodes[r.IntN(4)], nodes[r.IntN(4)]
		switch {
		case n == other && !n.primary:
			n.lineage, n.primary = n.lineage.Shift(NewID(r), uint64(len(n.data))), true
		case n == other, r.IntN(3) == 0:
			for k := r.IntN(5); n.primary && k > 0; k-- {
				written++
				n.data = append(n.data, written)
			}
		default:
			partial += followCopy(t, seed, r, n, other)
		}
	}
	if partial == 0 {
		t.Errorf("seed %d: nobody ever went on", seed)
	}
}

// followCopy makes n a replica of p, as far as p has got to sending.
func followCopy(t *testing.T, seed uint64, r *rand.Rand, n, p *copyOf) (partial int) {
	common := 0
	for common < min(len(n.data), len(p.data)) && n.data[common] == p.data[common] {
		common++
	}
	if fork, ok := n.lineage.Fork(uint64(len(n.data)), p.lineage, uint64(len(p.data))); ok && fork > uint64(common) {
		t.Fatalf("seed %d: %v and %v are one up to %d only, not %d", seed, n.lineage, p.lineage, common, fork)
	}
	n.primary = false
	if p.lineage.Check(n.at()) == nil && len(n.data) <= len(p.data) {
		if common != len(n.data) {
			t.Fatalf("seed %d: %s goes on in %s, with %d bytes of others", seed, n.at(), p.lineage, len(n.data)-common)
		}
		if id := p.lineage.ID(); id != n.lineage.ID() {
			n.lineage = n.lineage.Shift(id, uint64(len(n.data)))
		}
		upto := common + r.IntN(len(p.data)-common+1)
		n.data = slices.Clone(p.data[:upto])
		return 1
	}
	n.data, n.lineage = slices.Clone(p.data), NewLineage(p.lineage.ID())
	return 0
}
