package text

import (
	"math"
	"math/bits"
)

// Grisu2, by Florian Loitsch ("Printing Floating-Point Numbers Quickly and
// Accurately with Integers", PLDI 2010), with the constants that Redis 7.2's
// printer uses: cached powers every 8 decimal exponents from 1e-348, a binary
// exponent of the product between -60 and -32, and one unit taken off each
// boundary for the error of the product.
//
// Why not strconv's shortest form: Grisu2 always gives digits that read back as
// the same double, but in about one case of a thousand not the fewest, or not
// the nearest of the fewest. DEBUG DIGEST, DUMP and replies must agree with a
// genuine server in these cases also.
//
// The idea: scale the value and the midpoints to its neighbours by a power of
// ten so that the integer part fits 32 bits, then emit digits of the upper
// midpoint until what is left is less than the distance between the midpoints;
// at last step the final digit down while that comes nearer to the value.
//
// LIMITATIONS: the value must be finite and not zero; the caller has these.

// unpacked is mantissa * 2^exp.
type unpacked struct {
	mant uint64
	exp  int
}

const (
	mantBits  = 52
	hiddenBit = 1 << mantBits
)

// appendGrisu appends v, finite and not zero.
func appendGrisu(dst []byte, v float64) []byte {
	if v < 0 {
		dst = append(dst, '-')
	}
	var g generator
	g.generate(v)
	return appendDigits(dst, g.buf[:g.n], g.exp10)
}

// generate finds the digits of |v|, which is digits * 10^exp10.
func (g *generator) generate(v float64) {
	w := unpack(v)
	lower, upper := boundaries(w)
	shift := bits.LeadingZeros64(w.mant)
	w = unpacked{w.mant << shift, w.exp - shift}
	power, k := cachedPower(upper.exp)
	w, lower, upper = w.mul(power), lower.mul(power), upper.mul(power)
	lower.mant++
	upper.mant--
	g.delta = upper.mant - lower.mant
	g.above = upper.mant - w.mant
	g.shift = uint(-upper.exp)
	g.exp10 = -k
	g.run(upper.mant)
}

func unpack(v float64) unpacked {
	b := math.Float64bits(v)
	mant, exp := b&(hiddenBit-1), int(b>>mantBits&0x7ff)
	if exp == 0 {
		return unpacked{mant, 1 - 1023 - mantBits}
	}
	return unpacked{mant | hiddenBit, exp - 1023 - mantBits}
}

// boundaries are the midpoints between w and its neighbours, normalized to the
// exponent of the upper. Below a power of two the lower neighbour is nearer.
func boundaries(w unpacked) (lower, upper unpacked) {
	upper = unpacked{w.mant<<1 + 1, w.exp - 1}
	shift := bits.LeadingZeros64(upper.mant)
	upper = unpacked{upper.mant << shift, upper.exp - shift}
	step := 1
	if w.mant == hiddenBit {
		step = 2
	}
	mant := (w.mant<<step - 1) << (w.exp - step - upper.exp)
	return unpacked{mant, upper.exp}, upper
}

// mul is the upper half of the product, rounded as the printer of Redis does it:
// by the middle bits, in which the low halves count with their upper part only.
func (a unpacked) mul(b unpacked) unpacked {
	const low = 1<<32 - 1
	ah, al, bh, bl := a.mant>>32, a.mant&low, b.mant>>32, b.mant&low
	mid := ah*bl&low + al*bh&low + al*bl>>32 + 1<<31
	return unpacked{ah*bh + ah*bl>>32 + al*bh>>32 + mid>>32, a.exp + b.exp + 64}
}

// cachedPower finds 10^k whose product with a number of the binary exponent exp
// has an exponent in -60..-32.
func cachedPower(exp int) (p unpacked, k int) {
	const logTwo = 0.30102999566398114
	i := (int(-float64(exp+len(grisuPowers))*logTwo) - grisuFirst) / grisuStep
	for {
		e := grisuPowers[i].exp
		switch sum := exp + int(e) + 64; {
		case sum < -60:
			i++
		case sum > -32:
			i--
		default:
			return unpacked{grisuPowers[i].mant, int(e)}, grisuFirst + i*grisuStep
		}
	}
}

// generator emits the digits. All quantities are fixed point with shift
// fractional bits: delta the width of the interval, above the distance of the
// value from its upper end.
type generator struct {
	buf          [20]byte // at most 18 digits are needed
	n            int
	delta, above uint64
	shift        uint
	exp10        int
}

func (g *generator) run(upper uint64) {
	whole, frac := upper>>g.shift, upper&(1<<g.shift-1)
	div := uint64(1_000_000_000)
	for left := 9; left >= 0; left-- {
		g.digit(whole / div)
		whole %= div
		if rest := whole<<g.shift + frac; rest <= g.delta {
			g.exp10 += left
			g.roundLast(rest, div<<g.shift, g.above)
			return
		}
		div /= 10
	}
	g.fraction(frac)
}

// fraction emits digits behind the point; the interval is scaled along.
func (g *generator) fraction(frac uint64) {
	one := uint64(1) << g.shift
	for unit := uint64(10); ; unit *= 10 {
		frac *= 10
		g.delta *= 10
		g.exp10--
		g.digit(frac >> g.shift)
		if frac &= one - 1; frac < g.delta {
			g.roundLast(frac, one, g.above*unit)
			return
		}
	}
}

func (g *generator) digit(d uint64) {
	if d != 0 || g.n > 0 {
		g.buf[g.n] = byte('0' + d)
		g.n++
	}
}

// roundLast lowers the last digit while the result stays inside the interval
// and comes nearer to the value. rest is the distance of the digits so far from
// the upper end, unit the weight of the last digit.
func (g *generator) roundLast(rest, unit, above uint64) {
	last := g.n - 1
	for rest < above && g.delta-rest >= unit &&
		(rest+unit < above || above-rest > rest+unit-above) {
		g.buf[last]--
		rest += unit
	}
}

// appendDigits lays out digits * 10^exp10: plainly when few zeros are needed,
// else with an exponent of as many digits as it has.
func appendDigits(dst, digits []byte, exp10 int) []byte {
	n := len(digits)
	exp := exp10 + n - 1
	size := max(exp, -exp)
	switch {
	case exp10 >= 0 && size < n+7:
		return appendZeros(append(dst, digits...), exp10)
	case exp10 < 0 && (exp10 > -7 || size < 4):
		if n+exp10 <= 0 {
			dst = appendZeros(append(dst, "0."...), -n-exp10)
			return append(dst, digits...)
		}
		dst = append(append(dst, digits[:n+exp10]...), '.')
		return append(dst, digits[n+exp10:]...)
	}
	return appendExponent(dst, digits, exp)
}

func appendZeros(dst []byte, n int) []byte {
	for ; n > 0; n-- {
		dst = append(dst, '0')
	}
	return dst
}

func appendExponent(dst, digits []byte, exp int) []byte {
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	if exp < 0 {
		return AppendInt(append(dst, 'e', '-'), int64(-exp))
	}
	return AppendInt(append(dst, 'e', '+'), int64(exp))
}
