package btree

import (
	"math/rand/v2"
	"testing"
)

// FuzzTree reads operations from the input, three bytes each: what to do, a
// score or place, and a member or count.
func FuzzTree(f *testing.F) {
	f.Add([]byte{0, 1, 1, 0, 1, 2, 0, 2, 3, 1, 0, 0, 2, 1, 9})
	var run []byte
	for i := range 200 {
		run = append(run, 0, byte(i), byte(i*7))
	}
	f.Add(append(run, 3, 10, 200, 4, 0, 30, 5, 0, 9))
	narrow(f)
	shared := newBox(f) // an arena for each input would take most of the time
	f.Fuzz(func(t *testing.T, in []byte) {
		b := &box{tb: t, a: shared.a, h: shared.h}
		w := &twin{box: b, r: rand.New(rand.NewPCG(1, 1)), tree: New(b.h), in: map[string]bool{}, moved: map[string]bool{}}
		for ; len(in) >= 3; in = in[3:] {
			w.fuzzStep(in[0], int(in[1]), int(in[2]))
		}
		w.agree()
		w.end()
	})
}

func (w *twin) fuzzStep(op byte, a, b int) {
	n := len(w.items)
	switch op %= 6; {
	case op == 0 || n == 0:
		x := item{score: float64(a / 16), member: string(rune('a' + b))}
		if !w.in[x.member] {
			x.ref = w.entry(x.member)
			w.tree.Insert(x.score, x.ref)
			w.add(x)
		}
	case op == 1:
		w.remove(a % n)
	case op == 2:
		x := w.items[a%n]
		w.tree.Update(x.score, []byte(x.member), float64(b/16))
		w.items = append(w.items[:a%n:a%n], w.items[a%n+1:]...)
		x.score = float64(b / 16)
		w.add(x)
	case op == 3:
		from, to := a%n, min(n, a%n+b)
		w.tree.DeleteRange(from, to, nil)
		w.forget(from, to)
	case op == 4:
		w.rank(a % n)
		w.boundAt(FromItem(w.items[a%n].score, []byte(w.items[a%n].member)), a%n)
	case op == 5:
		left := max(0, n-b)
		w.tree.FreeSome(b, nil)
		w.forget(left, n)
	}
}
