package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"dozo/text"
)

// numberForm is how a number is written.
type numberForm uint8

const (
	decimal numberForm = iota
	octal
	memoryForm
	memoryOrPercent // a percentage is stored as its negative
)

// numberKind is a whole number in a range.
type numberKind struct {
	lo, hi int64
	form   numberForm
	// wide: the upper bound is that of an unsigned 64-bit number. A value above
	// the largest int64 is stored as that, with its exact text beside it.
	wide bool
	// hold brings an accepted value into the range that is acted upon.
	hold func(int64) int64
}

func integer(lo, hi int64) kind { return &numberKind{lo: lo, hi: hi} }
func bytesize(lo, hi int64) kind {
	return &numberKind{lo: lo, hi: hi, form: memoryForm}
}
func wideBytesize() kind {
	return &numberKind{hi: math.MaxInt64, form: memoryForm, wide: true}
}

func (k *numberKind) describe() string {
	switch k.form {
	case octal:
		return fmt.Sprintf("octal number from %o to %o", k.lo, k.hi)
	case memoryForm:
		return "memory size (units: k kb m mb g gb)"
	case memoryOrPercent:
		return fmt.Sprintf("memory size, or a percentage up to %d%%", -k.lo)
	}
	switch {
	case k.lo <= math.MinInt32 && k.hi >= math.MaxInt32:
		return "whole number"
	case k.hi >= math.MaxInt32:
		return fmt.Sprintf("whole number, at least %d", k.lo)
	}
	return fmt.Sprintf("whole number from %d to %d", k.lo, k.hi)
}

func (k *numberKind) parse(in input) (value, error) {
	v, err := k.read(in.args[0])
	if err != nil {
		return value{}, err
	}
	if err := k.bounds(v); err != nil {
		return value{}, err
	}
	if k.hold != nil {
		v.num = k.hold(v.num)
	}
	return v, nil
}

func (k *numberKind) read(s string) (value, error) {
	switch k.form {
	case octal:
		n, err := strconv.ParseInt(s, 8, 64)
		if err != nil {
			return value{}, refusal("argument couldn't be parsed as an octal number")
		}
		return value{num: n}, nil
	case memoryForm, memoryOrPercent:
		return k.readMemory(s)
	}
	n, ok := text.ParseInt([]byte(s))
	if !ok {
		return value{}, refusal("argument couldn't be parsed into an integer")
	}
	return value{num: n}, nil
}

func (k *numberKind) readMemory(s string) (value, error) {
	if u, ok := ParseMemory(s); ok {
		return k.fromUint(u), nil
	}
	if k.form == memoryForm {
		return value{}, refusal("argument must be a memory value")
	}
	if digits, found := strings.CutSuffix(s, "%"); found {
		if n, ok := text.ParseInt([]byte(digits)); ok && n >= 0 {
			return value{num: -n}, nil
		}
	}
	return value{}, refusal("argument must be a memory or percent value")
}

// fromUint stores u. Only a wide kind accepts one that does not fit an int64; see
// bounds.
func (k *numberKind) fromUint(u uint64) value {
	if u <= math.MaxInt64 {
		return value{num: int64(u)}
	}
	return value{num: math.MaxInt64, str: strconv.FormatUint(u, 10)}
}

func (k *numberKind) bounds(v value) error {
	n, fits := v.num, v.str == "" || k.wide
	if k.form == memoryOrPercent && n < 0 {
		if n < k.lo {
			return fmt.Errorf("percentage argument must be less or equal to %d", -k.lo)
		}
		return nil
	}
	if fits && n >= k.lo && n <= k.hi {
		return nil
	}
	if k.form == octal {
		return fmt.Errorf("argument must be between %o and %o inclusive", k.lo, k.hi)
	}
	return fmt.Errorf("argument must be between %d and %d inclusive", k.lo, k.hi)
}

func (k *numberKind) text(v value) string {
	switch {
	case v.str != "":
		return v.str
	case k.form == octal:
		return strconv.FormatInt(v.num, 8)
	case k.form == memoryOrPercent && v.num < 0:
		return strconv.FormatInt(-v.num, 10) + "%"
	}
	return strconv.FormatInt(v.num, 10)
}

func (k *numberKind) lines(name string, v, def value) []line {
	s := k.text(v)
	if v.str == "" && v.num >= 0 && (k.form == memoryForm || k.form == memoryOrPercent) {
		s = FormatMemory(v.num)
	}
	return oneLine(name, s, !v.same(def))
}

// ParseMemory reads a memory size as redis.conf writes it: digits and a unit in
// any case, where k, m, g are powers of 1000 and kb, mb, gb powers of 1024. No
// digits at all count as 0, as in Redis. A size beyond 64 bits is refused (Redis
// lets it wrap around, which makes a huge limit a small one).
func ParseMemory(s string) (bytes uint64, ok bool) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	unit, ok := memoryUnit(s[n:])
	if !ok {
		return 0, false
	}
	if n == 0 {
		return 0, true
	}
	u, err := strconv.ParseUint(s[:n], 10, 64)
	if err != nil || u > math.MaxUint64/unit {
		return 0, false
	}
	return u * unit, true
}

func memoryUnit(s string) (factor uint64, ok bool) {
	switch strings.ToLower(s) {
	case "", "b":
		return 1, true
	case "k":
		return 1000, true
	case "kb":
		return 1 << 10, true
	case "m":
		return 1000 * 1000, true
	case "mb":
		return 1 << 20, true
	case "g":
		return 1000 * 1000 * 1000, true
	case "gb":
		return 1 << 30, true
	}
	return 0, false
}

// FormatMemory writes a size with the largest unit that divides it, in the form
// that ParseMemory reads.
func FormatMemory(bytes int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10}} {
		if bytes != 0 && bytes%u.size == 0 {
			return strconv.FormatInt(bytes/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(bytes, 10)
}

// leadingInt reads a number the way C's strtoll does, which is what Redis uses
// inside the directives of several words: blanks and a sign may come first, a
// number too large becomes the largest, and no digits are 0. ok is false when
// anything follows the digits.
func leadingInt(s string) (n int64, ok bool) {
	if s == "" {
		return 0, true
	}
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" {
		return 0, false
	}
	for i := 0; i < len(digits); i++ {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
	}
	n, _ = strconv.ParseInt(s, 10, 64) // out of range gives the nearest, as wanted
	return n, true
}
