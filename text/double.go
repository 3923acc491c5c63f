package text

import (
	"math"
	"strconv"
)

// AppendDouble appends v as Redis 7.2 prints doubles everywhere (scores, RESP
// doubles, listpack elements): integers plainly, else the digits of Grisu2, "inf",
// "-inf", "nan", and "-0" for the negative zero.
func AppendDouble(dst []byte, v float64) []byte {
	switch {
	case v != v:
		return append(dst, "nan"...)
	case v == 0 && math.Signbit(v):
		return append(dst, "-0"...)
	case math.IsInf(v, 0):
		return appendInf(dst, v < 0)
	}
	if i, ok := DoubleInt(v); ok {
		return AppendInt(dst, i)
	}
	return appendGrisu(dst, v)
}

func appendInf(dst []byte, negative bool) []byte {
	if negative {
		dst = append(dst, '-')
	}
	return append(dst, "inf"...)
}

// DoubleInt returns v as an integer when it is one and lies well inside int64;
// such scores are stored and printed as integers.
func DoubleInt(v float64) (int64, bool) {
	const limit = 1 << 62
	if !(v >= -limit && v <= limit) {
		return 0, false
	}
	i := int64(v)
	return i, float64(i) == v
}

// AppendShort appends v by its Grisu2 digits even if it is an integer, which
// AppendDouble prints otherwise from seventeen digits on: the form in which DEBUG
// DIGEST sums scores.
func AppendShort(dst []byte, v float64) []byte {
	if v == 0 || v != v || math.IsInf(v, 0) {
		return AppendDouble(dst, v)
	}
	return appendGrisu(dst, v)
}

// AppendDouble17 appends v as printf's %.17g does: the form of Redis before 7.2,
// and of ZSCAN and Lua's numbers still.
func AppendDouble17(dst []byte, v float64) []byte {
	switch {
	case v != v:
		return append(dst, "nan"...)
	case math.IsInf(v, 0):
		return appendInf(dst, v < 0)
	}
	return strconv.AppendFloat(dst, v, 'g', 17, 64)
}

// AppendFixed appends v with exactly digits (1 to 17) digits behind the point,
// as the geo commands print distances. The scaled value must fit an int64.
func AppendFixed(dst []byte, v float64, digits int) []byte {
	scaled := int64(math.RoundToEven(v * math.Pow10(digits)))
	u := uint64(scaled)
	if scaled < 0 {
		dst, u = append(dst, '-'), -u
	}
	var buf [intTextMax]byte
	text := AppendUint(buf[:0], u)
	if whole := len(text) - digits; whole > 0 {
		dst = append(append(dst, text[:whole]...), '.')
		return append(dst, text[whole:]...)
	}
	dst = append(dst, "0."...)
	for i := len(text); i < digits; i++ {
		dst = append(dst, '0')
	}
	return append(dst, text...)
}
