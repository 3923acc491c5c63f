package replication

import (
	"bytes"
	"testing"
)

// summer sums up a history of which something is kept.
func summer(history []byte, first uint64) Summer {
	return func(from, to uint64) (uint64, bool) {
		if from < first || to > uint64(len(history)) {
			return 0, false
		}
		middle := (from + to) / 2
		return Sum(Sum(0, history[from:middle]), history[middle:to]), true
	}
}

// TestProof: other bytes before the same offset are found out as far back as both sides keep
// the history; who cannot tell, or is not told, believes.
func TestProof(t *testing.T) {
	history := bytes.Repeat([]byte("0123456789abcdef"), 2<<10)
	at := uint64(len(history))
	for _, c := range []struct {
		name         string
		back         int // the place that differs is so many bytes before the end, 0 = none does
		ours, theirs uint64
		fine         bool
	}{
		{"the same", 0, 0, 0, true},
		{"the last byte differs", 1, 0, 0, false},
		{"one of a command before", 900, 0, 0, false},
		{"one of long before", 16 << 10, 0, 0, false},
		{"one of too long before", 16<<10 + 1, 0, 0, true},
		{"the replica keeps little", 900, at - 900, 0, true},
		{"the replica keeps enough", 60, at - 64, 0, false},
		{"the primary keeps little", 900, 0, at - 900, true},
		{"the primary keeps enough", 60, 0, at - 64, false},
		{"the replica keeps nothing", 1, at, 0, true},
	} {
		other := bytes.Clone(history)
		if c.back > 0 {
			other[len(other)-c.back]++
		}
		proof := Prove(at, summer(other, c.ours))
		if err := disproved(proof, at, summer(history, c.theirs)); (err == nil) != c.fine {
			t.Errorf("%s: %v of %q", c.name, err, proof)
		}
	}
	for _, proof := range []string{"dozo-tail", "dozo-tail:", "dozo-tail:64", "dozo-tail:x=1", "dozo-tail:99999999=1", "dozo-tail:64=1:"} {
		if disproved(proof, at, summer(history, 0)) == nil {
			t.Errorf("%q is believed", proof)
		}
	}
	if err := disproved("", at, summer(history, 0)); err != nil {
		t.Errorf("who tells nothing is not believed: %v", err)
	}
}

// TestEarliest: names under which nothing was written are left out.
func TestEarliest(t *testing.T) {
	a, b, c := long("a"), long("b"), long("c")
	l := NewLineage(a).Shift(b, 50)
	for _, one := range []struct {
		l    Lineage
		end  uint64
		want string
	}{
		{NewLineage(a), 0, a}, {l, 50, a}, {l, 51, b}, {l.Shift(c, 50), 50, a}, {l.Shift(c, 60), 60, b}, {l.Shift(c, 60), 61, c},
	} {
		if got := one.l.Earliest(one.end); got != (Position{one.want, one.end}) {
			t.Errorf("%s at %d: %s", one.l, one.end, got)
		}
		if err := one.l.Check(one.l.Earliest(one.end)); err != nil {
			t.Errorf("%s at %d: %v", one.l, one.end, err)
		}
	}
}
