package text

import (
	"math/big"
	"math/bits"
)

const (
	// longTextMax is the length that a long double's text must stay below.
	longTextMax = 5 * 1024

	// Decimal exponents beyond these limits are infinite or zero for certain,
	// which bounds the work on a hostile text.
	decimalExpMax = 5000
	decimalExpMin = -5100

	exponentCap = 1_000_000 // larger exponents saturate
)

// ParseLongDouble reads a long double as Redis does for INCRBYFLOAT: the grammar
// of ParseFloat, below 5 KiB, and like there no NaN, no overflow and no underflow
// to zero. The result is correctly rounded.
func ParseLongDouble(b []byte) (LongDouble, bool) {
	if len(b) >= longTextMax {
		return LongDouble{}, false
	}
	s := scanNumber(b)
	var x LongDouble
	switch s.syntax {
	case notNumber:
		return x, false
	case infinity:
		return LongDouble{special: infinite, negative: s.negative}, true
	case hexNumber:
		x = parseHexLong(s.body[2:], s.negative)
	case decimalNumber:
		x = parseDecimalLong(s.body, s.negative)
	}
	if x.special != finite || x.mant == 0 && s.nonzero {
		return LongDouble{}, false
	}
	return x, true
}

// parseExponent reads a signed exponent that scanExponent has accepted.
func parseExponent(b []byte) int {
	negative, e := false, 0
	for _, c := range b {
		switch {
		case c == '-':
			negative = true
		case c != '+' && e < exponentCap:
			e = e*10 + int(c-'0')
		}
	}
	if negative {
		return -e
	}
	return e
}

// parseHexLong reads a mantissa of hex digits with a point, and p exponent.
func parseHexLong(b []byte, negative bool) LongDouble {
	var hi, lo uint64
	sticky, point, exp := false, false, 0
	for i, c := range b {
		if c == '.' {
			point = true
			continue
		}
		d := hexDigit(c)
		if d < 0 {
			exp += parseExponent(b[i+1:])
			break
		}
		if point {
			exp -= 4
		}
		if hi>>60 != 0 { // full: the digit only tells about rounding
			sticky, exp = sticky || d != 0, exp+4
			continue
		}
		hi, lo = hi<<4|lo>>60, lo<<4|uint64(d)
	}
	return roundLong(negative, hi, lo, sticky, exp)
}

// decimal is digits * 10^exp.
type decimal struct {
	digits []byte // with the point still among them
	mant   uint64 // the first 19 significant digits
	count  int    // number of significant digits (leading zeros not counted)
	exp    int
}

func takeDecimal(b []byte) (d decimal) {
	point, end := false, len(b)
	for i, c := range b {
		if c == '.' {
			point = true
			continue
		}
		if !isDigit(c) {
			d.exp += parseExponent(b[i+1:])
			end = i
			break
		}
		if point {
			d.exp--
		}
		if c == '0' && d.count == 0 {
			continue
		}
		if d.count++; d.count <= 19 {
			d.mant = d.mant*10 + uint64(c-'0')
		}
	}
	d.digits = b[:end]
	return d
}

func parseDecimalLong(b []byte, negative bool) LongDouble {
	d := takeDecimal(b)
	switch top := d.count + d.exp; {
	case d.count == 0 || top < decimalExpMin:
		return LongDouble{exp: ldExpMin, negative: negative}
	case top > decimalExpMax:
		return LongDouble{special: infinite, negative: negative}
	case d.count > 19 || d.exp > 27 || d.exp < -27:
		return d.roundBig(negative)
	case d.exp >= 0:
		hi, lo := bits.Mul64(d.mant, powerOfFive(d.exp))
		return roundLong(negative, hi, lo, false, d.exp)
	}
	return d.divide(negative)
}

// powerOfFive is exact for 0 <= n <= 27.
func powerOfFive(n int) uint64 {
	p := uint64(1)
	for ; n > 0; n-- {
		p *= 5
	}
	return p
}

// divide is the value when 5^-exp fits 64 bits: 127 bits of the quotient and
// whether there is a rest.
func (d decimal) divide(negative bool) LongDouble {
	y := powerOfFive(-d.exp)
	mantShift, yShift := bits.LeadingZeros64(d.mant), bits.LeadingZeros64(y)
	m := d.mant << mantShift
	y <<= yShift
	hi, rest := bits.Div64(m>>1, m<<63, y)
	lo, rest := bits.Div64(rest, 0, y)
	return roundLong(negative, hi, lo, rest != 0, yShift-mantShift-127+d.exp)
}

// roundBig is the general case, of long texts and large exponents.
func (d decimal) roundBig(negative bool) LongDouble {
	text := make([]byte, 0, len(d.digits))
	for _, c := range d.digits {
		if c != '.' {
			text = append(text, c)
		}
	}
	m, _ := new(big.Int).SetString(string(text), 10)
	pow := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(d.exp, -d.exp))), nil)
	if d.exp >= 0 {
		return roundBigInt(negative, m.Mul(m, pow), false, 0)
	}
	shift := max(0, 128+pow.BitLen()-m.BitLen())
	q, rest := m.QuoRem(m.Lsh(m, uint(shift)), pow, new(big.Int))
	return roundBigInt(negative, q, rest.Sign() != 0, -shift)
}

// roundBigInt is roundLong for m * 2^exp.
func roundBigInt(negative bool, m *big.Int, sticky bool, exp int) LongDouble {
	if over := m.BitLen() - 128; over > 0 {
		sticky = sticky || m.TrailingZeroBits() < uint(over)
		m.Rsh(m, uint(over))
		exp += over
	}
	var buf [16]byte
	m.FillBytes(buf[:])
	var hi, lo uint64
	for i := range 8 {
		hi, lo = hi<<8|uint64(buf[i]), lo<<8|uint64(buf[i+8])
	}
	return roundLong(negative, hi, lo, sticky, exp)
}

// fractionDigits is the 17 of %.17Lf.
const (
	fractionDigits = 17
	fractionUnit   = 100_000_000_000_000_000
)

// AppendHuman appends x as replies and INCRBYFLOAT print it: no exponent, at
// most 17 digits behind the point (correctly rounded), no trailing zeros, and no
// sign when only a zero is left.
func (x LongDouble) AppendHuman(dst []byte) []byte {
	switch {
	case x.special == notANumber:
		return append(dst, "nan"...)
	case x.special == infinite:
		return appendInf(dst, x.negative)
	}
	whole, fraction := x.split()
	if x.negative && (whole != 0 || fraction != 0 || x.exp > 0 && x.mant != 0) {
		dst = append(dst, '-')
	}
	if x.exp > 0 {
		n := new(big.Int).SetUint64(x.mant)
		return n.Lsh(n, uint(x.exp)).Append(dst, 10)
	}
	return appendFraction(AppendUint(dst, whole), fraction)
}

// split takes a number with exp <= 0 apart: the whole part, and the fraction in
// units of 1e-17, rounded half to even.
func (x LongDouble) split() (whole, fraction uint64) {
	n := uint(-x.exp)
	if x.exp > 0 || n >= 128 { // 2^64 * 2^-128 is less than half a unit
		return 0, 0
	}
	rest := x.mant
	if n < 64 {
		whole = x.mant >> n
		rest = x.mant & (1<<n - 1)
	}
	if n == 0 {
		return whole, 0
	}
	hi, lo := bits.Mul64(rest, fractionUnit)
	_, twice, sticky := shiftRight(hi, lo, n-1)
	fraction = twice >> 1
	if twice&1 != 0 && (sticky || fraction&1 != 0) {
		fraction++
	}
	if fraction == fractionUnit {
		return whole + 1, 0
	}
	return whole, fraction
}

func appendFraction(dst []byte, fraction uint64) []byte {
	if fraction == 0 {
		return dst
	}
	n := fractionDigits
	for ; fraction%10 == 0; n-- {
		fraction /= 10
	}
	var buf [intTextMax]byte
	digits := AppendUint(buf[:0], fraction)
	dst = appendZeros(append(dst, '.'), n-len(digits))
	return append(dst, digits...)
}
