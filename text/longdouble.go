package text

import (
	"math"
	"math/bits"
)

// LongDouble is the x86 80-bit extended float, in which INCRBYFLOAT and
// HINCRBYFLOAT compute: 64 bits of mantissa, exponents to 16383. The increments
// of a counter add up rounding errors, and every node of a fleet must get the
// same bytes, so this is the format bit by bit and not merely something of
// enough precision.
//
// The value is mant * 2^exp. Unless the number is zero or denormal the top bit
// of mant is set. Rounding is to nearest, ties to even, as the hardware does.
//
// LIMITATIONS: only what the commands need: reading, adding, printing. A genuine
// server on a machine whose long double is another type (ARM: 128 bits, some: 64)
// differs from this one in last digits; Dozo is the same everywhere.
type LongDouble struct {
	mant     uint64
	exp      int32
	negative bool
	special  special
}

type special uint8

const (
	finite special = iota
	infinite
	notANumber
)

const (
	ldExpMin = -16445 // exponent of mant for denormals and the least normals
	ldExpMax = 16320
	ldTop    = 1 << 63
)

// LongDoubleFromInt is exact.
func LongDoubleFromInt(v int64) LongDouble {
	u := uint64(v)
	if v < 0 {
		u = -u
	}
	return roundLong(v < 0, u, 0, false, -64)
}

// LongDoubleFromFloat is exact.
func LongDoubleFromFloat(v float64) LongDouble {
	switch {
	case v != v:
		return LongDouble{special: notANumber}
	case math.IsInf(v, 0):
		return LongDouble{special: infinite, negative: v < 0}
	}
	w := unpack(math.Abs(v))
	return roundLong(math.Signbit(v), w.mant, 0, false, w.exp-64)
}

// Finite reports that x is neither infinite nor NaN.
func (x LongDouble) Finite() bool { return x.special == finite }

// Add is x + y.
func (x LongDouble) Add(y LongDouble) LongDouble {
	if x.special != finite || y.special != finite {
		return addSpecial(x, y)
	}
	if y.mant == 0 || x.mant != 0 && (x.exp > y.exp || x.exp == y.exp && x.mant >= y.mant) {
		return addOrdered(x, y)
	}
	return addOrdered(y, x)
}

// addOrdered is x + y for finite numbers where y is not the larger.
func addOrdered(x, y LongDouble) LongDouble {
	if y.mant == 0 {
		x.negative = x.negative && (x.mant != 0 || y.negative)
		return x
	}
	hi, lo, sticky := shiftRight(y.mant, 0, uint(x.exp-y.exp))
	if x.negative == y.negative {
		hi, carry := bits.Add64(x.mant, hi, 0)
		if carry == 0 {
			return roundLong(x.negative, hi, lo, sticky, int(x.exp)-64)
		}
		sticky = sticky || lo&1 != 0
		return roundLong(x.negative, hi>>1|ldTop, hi<<63|lo>>1, sticky, int(x.exp)-63)
	}
	borrow := uint64(0)
	if sticky { // what was shifted out is taken from the last bit that is kept
		borrow = 1
	}
	lo, borrow = bits.Sub64(0, lo, borrow)
	hi, _ = bits.Sub64(x.mant, hi, borrow)
	if hi|lo == 0 {
		return LongDouble{exp: ldExpMin}
	}
	return roundLong(x.negative, hi, lo, sticky, int(x.exp)-64)
}

func addSpecial(x, y LongDouble) LongDouble {
	switch {
	case x.special == notANumber || y.special == notANumber:
		return LongDouble{special: notANumber}
	case x.special == finite:
		return y
	case y.special == infinite && x.negative != y.negative:
		return LongDouble{special: notANumber}
	}
	return x
}

// shiftRight shifts the 128 bits hi:lo; sticky tells that a set bit was lost.
func shiftRight(hi, lo uint64, n uint) (uint64, uint64, bool) {
	switch {
	case n == 0:
		return hi, lo, false
	case n < 64:
		return hi >> n, hi<<(64-n) | lo>>n, lo<<(64-n) != 0
	case n < 128:
		n -= 64
		return 0, hi >> n, lo != 0 || hi&(1<<n-1) != 0
	}
	return 0, 0, hi|lo != 0
}

// roundLong makes a LongDouble of (hi:lo) * 2^exp, where sticky stands for
// something more than 0 and less than one unit of lo.
func roundLong(negative bool, hi, lo uint64, sticky bool, exp int) LongDouble {
	if hi|lo == 0 {
		return LongDouble{exp: ldExpMin, negative: negative}
	}
	if hi == 0 {
		hi, lo, exp = lo, 0, exp-64
	}
	n := bits.LeadingZeros64(hi)
	hi, lo, exp = hi<<n|lo>>(64-n), lo<<n, exp-n+64
	if exp < ldExpMin {
		more := false
		hi, lo, more = shiftRight(hi, lo, uint(ldExpMin-exp))
		sticky, exp = sticky || more, ldExpMin
	}
	if lo > ldTop || lo == ldTop && (sticky || hi&1 != 0) {
		if hi++; hi == 0 {
			hi, exp = ldTop, exp+1
		}
	}
	if exp > ldExpMax {
		return LongDouble{special: infinite, negative: negative}
	}
	return LongDouble{mant: hi, exp: int32(exp), negative: negative}
}
