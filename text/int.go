package text

import (
	"math"
	"strconv"
)

// intTextMax is the length of the longest int64, sign included.
const intTextMax = 20

// ParseInt reads a signed 64-bit decimal in the one spelling that AppendInt
// gives it: no space, no plus sign, no leading zero, no "-0". Since a number has
// one spelling only, a value that parses may be stored as an integer and still
// be read back as the same bytes.
func ParseInt(b []byte) (v int64, ok bool) {
	if len(b) == 0 || len(b) > intTextMax {
		return 0, false
	}
	neg := b[0] == '-'
	if neg {
		b = b[1:]
	} else if len(b) == 1 && b[0] == '0' {
		return 0, true
	}
	u, ok := parseDigits(b)
	switch {
	case !ok:
		return 0, false
	case neg && u <= 1<<63:
		return -int64(u), true
	case !neg && u <= math.MaxInt64:
		return int64(u), true
	}
	return 0, false
}

// ParseUint is ParseInt for the range of uint64.
func ParseUint(b []byte) (v uint64, ok bool) {
	if len(b) == 1 && b[0] == '0' {
		return 0, true
	}
	return parseDigits(b)
}

// ParseUintLoose reads what C's strtoull takes, to the end: white space in front, a
// sign and leading zeros are let pass, and a negative number wraps around.
func ParseUintLoose(b []byte) (v uint64, ok bool) {
	for len(b) > 0 && IsSpace(b[0]) {
		b = b[1:]
	}
	negative := len(b) > 0 && b[0] == '-'
	if negative || len(b) > 0 && b[0] == '+' {
		b = b[1:]
	}
	for len(b) > 1 && b[0] == '0' {
		b = b[1:]
	}
	if v, ok = ParseUint(b); negative {
		v = -v
	}
	return v, ok
}

// parseDigits reads digits that do not start with a zero; 20 at most.
func parseDigits(b []byte) (u uint64, ok bool) {
	if len(b) == 0 || len(b) > intTextMax || b[0]-'1' >= 9 {
		return 0, false
	}
	head := b
	if len(b) == intTextMax {
		head = b[:intTextMax-1]
	}
	for _, c := range head {
		d := c - '0'
		if d >= 10 {
			return 0, false
		}
		u = u*10 + uint64(d)
	}
	if len(b) < intTextMax {
		return u, true
	}
	return pushDigit(u, b[intTextMax-1])
}

// pushDigit appends the 20th digit, the only one that can overflow.
func pushDigit(u uint64, c byte) (uint64, bool) {
	d := uint64(c - '0')
	if d >= 10 || u > math.MaxUint64/10 || u*10 > math.MaxUint64-d {
		return 0, false
	}
	return u*10 + d, true
}

// AppendInt appends v in decimal.
func AppendInt(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }

// AppendUint appends v in decimal.
func AppendUint(dst []byte, v uint64) []byte { return strconv.AppendUint(dst, v, 10) }

// IntLen is the length of v in decimal, sign included.
func IntLen(v int64) int {
	n, u := 0, uint64(v)
	if v < 0 {
		n, u = 1, -u
	}
	for n++; u >= 10; n++ {
		u /= 10
	}
	return n
}
