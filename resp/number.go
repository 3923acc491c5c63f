package resp

import (
	"math"
	"strconv"
)

// maxIntLen is the longest text of an int64.
const maxIntLen = 20

// ParseInt reads an integer as Redis does: canonical decimal only. No plus sign,
// no leading zeros, no "-0", no spaces; so that each number has one text.
func ParseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > maxIntLen {
		return 0, false
	}
	if len(b) == 1 && b[0] == '0' {
		return 0, true
	}
	negative := b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 || len(b) == maxIntLen || b[0] < '1' || b[0] > '9' {
		return 0, false
	}
	var v uint64 // 19 digits cannot overflow it
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	if negative {
		return -int64(v), v <= 1<<63
	}
	return int64(v), v < 1<<63
}

// AppendDouble appends a double as Redis 7.2 sends scores and the like: integers
// plainly, others with the fewest digits that read back as the same double.
// Redis 7.0 differs: it prints %.17g, so 0.1 is 0.10000000000000001 there.
func AppendDouble(b []byte, d float64) []byte {
	switch {
	case math.IsNaN(d):
		return append(b, "nan"...)
	case math.IsInf(d, 1):
		return append(b, "inf"...)
	case math.IsInf(d, -1):
		return append(b, "-inf"...)
	case d == 0 && math.Signbit(d):
		return append(b, "-0"...)
	}
	if math.Abs(d) <= 1<<62 && d == math.Trunc(d) {
		return strconv.AppendInt(b, int64(d), 10)
	}
	return appendShortest(b, d)
}

// appendShortest lays out the shortest digits of d: plain from 1e-7 up to seven
// zeros behind the digits, with an exponent beyond.
func appendShortest(b []byte, d float64) []byte {
	if d < 0 {
		b = append(b, '-')
		d = -d
	}
	var space [32]byte
	ds, exp := shortestDigits(space[:0], d) // d = 0.ds * 10^exp
	k := exp - len(ds)                      // d = ds * 10^k
	switch lead := exp - 1; {
	case k >= 0 && abs(lead) < len(ds)+7:
		return appendZeros(append(b, ds...), k)
	case k < 0 && (k > -7 || abs(lead) < 4):
		if exp <= 0 {
			b = appendZeros(append(b, '0', '.'), -exp)
			return append(b, ds...)
		}
		b = append(append(b, ds[:exp]...), '.')
		return append(b, ds[exp:]...)
	default:
		return appendScientific(b, ds, lead)
	}
}

func appendScientific(b, ds []byte, exp int) []byte {
	b = append(b, ds[0])
	if len(ds) > 1 {
		b = append(append(b, '.'), ds[1:]...)
	}
	if exp < 0 {
		b = append(b, 'e', '-')
	} else {
		b = append(b, 'e', '+')
	}
	return strconv.AppendInt(b, int64(abs(exp)), 10)
}

// shortestDigits gives the digits of d > 0, and the exponent exp for which
// d = 0.digits * 10^exp.
func shortestDigits(b []byte, d float64) (ds []byte, exp int) {
	b = strconv.AppendFloat(b, d, 'e', -1, 64) // d.ddde+xx
	e := len(b) - 1
	for b[e] != 'e' {
		e--
	}
	for _, c := range b[e+2:] {
		exp = exp*10 + int(c-'0')
	}
	if b[e+1] == '-' {
		exp = -exp
	}
	if e == 1 {
		return b[:1], exp + 1
	}
	b[1] = b[0] // over the point
	return b[1:e], exp + 1
}

func appendZeros(b []byte, n int) []byte {
	for ; n > 0; n-- {
		b = append(b, '0')
	}
	return b
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// AppendHumanDouble appends a double the way GEOPOS shows coordinates: 17 places
// behind the point, trailing zeros cut, never an exponent.
func AppendHumanDouble(b []byte, d float64) []byte {
	if math.IsNaN(d) || math.IsInf(d, 0) {
		return AppendDouble(b, d)
	}
	from := len(b)
	b = strconv.AppendFloat(b, d, 'f', 17, 64)
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	if string(b[from:]) == "-0" {
		return append(b[:from], '0')
	}
	return b
}
