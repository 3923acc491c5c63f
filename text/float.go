package text

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"unsafe"
)

// syntax is what a number text looks like, before it is given a value.
type syntax uint8

const (
	notNumber syntax = iota
	decimalNumber
	hexNumber
	infinity
)

// shape is a number text taken apart.
type shape struct {
	syntax   syntax
	negative bool
	nonzero  bool // some mantissa digit is not 0
	exponent bool // has an exponent part
	body     []byte
}

// scanNumber classifies the whole of b by the grammar of C's strtod: optional
// sign, then a decimal or a 0x number with an optional exponent, or inf or
// infinity in any case. NaN in any spelling is not a number here: every reader
// of Redis refuses it.
func scanNumber(b []byte) shape {
	var s shape
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		s.negative = b[0] == '-'
		b = b[1:]
	}
	s.body = b
	switch {
	case EqualFold(b, "inf") || EqualFold(b, "infinity"):
		s.syntax = infinity
	case len(b) > 2 && b[0] == '0' && Lower(b[1]) == 'x':
		s.scanMantissa(b[2:], hexNumber, 'p')
	default:
		s.scanMantissa(b, decimalNumber, 'e')
	}
	return s
}

// scanMantissa reads digits with at most one point, and the exponent behind.
func (s *shape) scanMantissa(b []byte, kind syntax, mark byte) {
	digits, points, i := 0, 0, 0
	for ; i < len(b); i++ {
		if b[i] == '.' && points == 0 {
			points++
			continue
		}
		d := hexDigit(b[i])
		if d < 0 || d >= 10 && kind == decimalNumber {
			break
		}
		digits++
		s.nonzero = s.nonzero || d != 0
	}
	if digits > 0 && s.scanExponent(b[i:], mark) {
		s.syntax = kind
	}
}

// scanExponent reads nothing, or the mark with an optional sign and digits.
func (s *shape) scanExponent(b []byte, mark byte) bool {
	if len(b) == 0 {
		return true
	}
	if Lower(b[0]) != mark {
		return false
	}
	s.exponent = true
	b = b[1:]
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		b = b[1:]
	}
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return len(b) > 0
}

// ParseFloat reads a double as Redis reads scores and increments: all that
// strtod accepts (decimal and hexadecimal, inf, infinity, a plus sign), but no
// space before or behind, no NaN, nothing too large for a double, and nothing
// that is not zero but would become zero.
func ParseFloat(b []byte) (v float64, ok bool) {
	s := scanNumber(b)
	switch s.syntax {
	case notNumber:
		return 0, false
	case infinity:
		if s.negative {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	}
	v, ok = s.value(b)
	return v, ok && !math.IsInf(v, 0) && (v != 0 || !s.nonzero)
}

// value is the nearest double to the number b, which has the shape s; what is too
// large is infinite.
func (s *shape) value(b []byte) (v float64, ok bool) {
	if s.syntax == hexNumber && !s.exponent {
		b = append(append(make([]byte, 0, len(b)+2), b...), "p0"...)
	}
	v, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(b), len(b)), 64)
	return v, err == nil || errors.Is(err, strconv.ErrRange)
}

// ParseLimit reads a limit of a range of scores, which Redis leaves to strtod: a
// zero byte ends the text, space in front is skipped, nothing at all is 0, and
// what is too large for a double is infinite.
func ParseLimit(b []byte) (v float64, ok bool) {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if len(b) == 0 {
		return 0, true
	}
	for len(b) > 0 && IsSpace(b[0]) {
		b = b[1:]
	}
	s := scanNumber(b)
	if s.syntax == decimalNumber || s.syntax == hexNumber {
		return s.value(b)
	}
	return ParseFloat(b)
}
