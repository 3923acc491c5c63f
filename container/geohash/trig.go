package geohash

import "math"

// Sine, cosine and arc sine, rounded to the nearest float64 in all but one of some
// thousand cases. The standard library's are a few times less exact, and not the same
// on every processor. Here a product is never added to something but by FMA, so that no
// compiler can choose how it is rounded, and a replica computes what its primary did.
//
// A pair of float64 holds 106 bits of an angle or of a result. An angle is brought to
// within 45 degrees; from there a table has the sine and cosine of the next multiple
// of 1/64, and what remains is so small that a few terms of the series do.

// pair is an unrounded sum: lo is less than a unit of the last place of hi.
type pair struct{ hi, lo float64 }

// twoSum is a+b, exactly.
func twoSum(a, b float64) pair {
	s := a + b
	t := s - a
	return pair{s, (a - (s - t)) + (b - t)}
}

// fastSum is twoSum for an a that is not below b in size, or 0.
func fastSum(a, b float64) pair {
	s := a + b
	return pair{s, b - (s - a)}
}

// twoProduct is a*b, exactly.
func twoProduct(a, b float64) pair {
	p := a * b
	return pair{p, math.FMA(a, b, -p)}
}

func (p pair) add(q pair) pair {
	s := twoSum(p.hi, q.hi)
	return fastSum(s.hi, s.lo+(p.lo+q.lo))
}

func (p pair) times(q pair) pair {
	r := twoProduct(p.hi, q.hi)
	return fastSum(r.hi, math.FMA(p.hi, q.lo, math.FMA(p.lo, q.hi, r.lo)))
}

// over is p divided by a small integer.
func (p pair) over(n float64) pair {
	q := p.hi / n
	rest := math.FMA(-q, n, p.hi) + p.lo
	return fastSum(q, rest/n)
}

// turn is a sine with its cosine.
type turn struct{ sin, cos pair }

// tableSteps is how many angles of the table make 1.
const tableSteps = 64

// turns has the angles up to 45 degrees.
var turns = makeTurns()

func makeTurns() (t [52]turn) {
	for i := range t {
		x := pair{float64(i) / tableSteps, 0}
		t[i] = turn{series(x, 1, x), series(x, 0, pair{1, 0})}
	}
	return t
}

// series adds the terms of a sine or a cosine, beginning with that of x to the n-th.
func series(x pair, n float64, term pair) pair {
	const termsMax = 16
	square := x.times(x)
	square = pair{-square.hi, -square.lo}
	sum := term
	for range termsMax {
		term = term.times(square).over((n + 1) * (n + 2))
		sum = sum.add(term)
		n += 2
	}
	return sum
}

// The parts of a quarter turn.
const (
	quarter1 = 0x1.921fb54442d18p0
	quarter2 = 0x1.1a62633145c07p-54
	quarter3 = -0x1.f1976b7ed8fbcp-110
)

// angleMax is up to where angles are reduced here; beyond, one degree is less than
// the last place of any angle in use.
const angleMax = 1 << 20

// reduce brings an angle to within an eighth turn and says how many quarters it took
// off. (As long as there are few, the first product is subtracted without rounding.)
func reduce(x float64) (rest pair, quarters int) {
	if math.Abs(x) < quarter1/2 {
		return pair{x, 0}, 0
	}
	n := math.RoundToEven(x / quarter1)
	p := twoProduct(n, quarter2)
	rest = twoSum(math.FMA(-n, quarter1, x), -p.hi)
	rest.lo -= math.FMA(n, quarter3, p.lo)
	return rest, int(n)
}

// near is an angle within an eighth turn, as an angle of the table and a small rest d,
// with what sin(d) is more than d, and cos(d) more than 1.
type near struct {
	table       *turn
	d, sin, cos float64
}

func nearby(x pair) (n near) {
	sign := 1.0
	if x.hi < 0 {
		sign = -1
	}
	i := int(x.hi*sign*tableSteps + 0.5)
	n.table = &turns[i]
	n.d = x.hi*sign - float64(i)/tableSteps
	lo, square := x.lo*sign, n.d*n.d
	n.sin = math.FMA(n.d*square, math.FMA(square, math.FMA(square, -1.0/5040, 1.0/120), -1.0/6), lo)
	n.cos = math.FMA(square, math.FMA(square, math.FMA(square, -1.0/720, 1.0/24), -0.5), -n.d*lo)
	return n
}

// sine is that of an angle from 0 on.
func (n *near) sine() pair { return n.rotate(n.table.sin, n.table.cos, 1) }

func (n *near) cosine() pair { return n.rotate(n.table.cos, n.table.sin, -1) }

// rotate is a*cos + sign*b*sin of the rest.
func (n *near) rotate(a, b pair, sign float64) pair {
	p := twoProduct(b.hi, n.d*sign)
	s := fastSum(a.hi, p.hi)
	small := math.FMA(b.lo, n.d*sign, a.lo) + (s.lo + p.lo)
	small = math.FMA(a.hi, n.cos, math.FMA(b.hi, n.sin*sign, small))
	return fastSum(s.hi, small)
}

// sine is the sine of an angle.
func sine(x float64) float64 {
	if !(math.Abs(x) < angleMax) {
		return math.Sin(x)
	}
	rest, quarters := reduce(x)
	return quarterSine(rest, quarters)
}

// cosine is the cosine of an angle.
func cosine(x float64) float64 {
	if !(math.Abs(x) < angleMax) {
		return math.Cos(x)
	}
	rest, quarters := reduce(x)
	return quarterSine(rest, quarters+1)
}

// quarterSine is the sine of an angle within an eighth turn, so many quarters further.
func quarterSine(x pair, quarters int) float64 {
	n := nearby(x)
	negative := quarters&2 != 0
	var y float64
	if quarters&1 != 0 {
		y = n.cosine().hi
	} else {
		y = n.sine().hi
		negative = negative != (x.hi < 0)
	}
	if negative {
		return -y
	}
	return y
}

// arcsine is the arc sine of a number from 0 on; what is over 1, which only rounding
// can bring, counts as 1.
func arcsine(y float64) float64 {
	const flat = 0.7 // from where the sine is too flat to be inverted
	switch {
	case y >= 1:
		return quarter1
	case y < flat:
		x, more := invert(y, 0)
		return x + more
	}
	// The sine of half of what is missing to a quarter turn.
	square := (1 - y) / 2
	half := math.Sqrt(square)
	x, more := invert(half, math.FMA(-half, half, square)/(2*half))
	s := twoSum(quarter1, -2*x)
	return s.hi + (s.lo + (quarter2 - 2*more))
}

// invert finds the angle of a sine, which is given in two parts, by correcting that
// of the standard library, and answers in two parts.
func invert(hi, lo float64) (x, more float64) {
	x = math.Asin(hi)
	n := nearby(pair{x, 0})
	s := n.sine()
	return x, ((hi - s.hi) - s.lo + lo) / n.cosine().hi
}
