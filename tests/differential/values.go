package differential

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// weirdNumbers are sent where a number is expected. None is a small positive
// integer that would make sense as a time to live: a key that expires while the
// history runs would be a race.
var weirdNumbers = []string{
	"-1", "0", "-0", "+5", "01", " 1", "1 ", "", "abc", "1.5", "1e3", "0x10", "nan", "inf", "-inf",
	"9223372036854775807", "-9223372036854775808", "9223372036854775808", "-9223372036854775809",
	"18446744073709551615", "4294967295", "4294967296", "2147483647", "2147483648", "-2147483649",
	"99999999999999999999999999", "\x00", "1\x00",
}

// weirdTimes are sent as times to live: past, overflowing or no numbers at all.
var weirdTimes = []string{
	"0", "-1", "-5000", "abc", "", "1.5", "9223372036854775807", "-9223372036854775808",
	"9223372036854775808", "9223372036854775", "99999999999", "4294967296000", "+10000000", " 10000000",
}

// increments are numbers that make sums overflow, cancel and round.
var increments = []string{
	"1", "2", "-1", "10", "100", "-100", "12345678901", "9223372036854775807", "-9223372036854775808",
	"9223372036854775806", "-9223372036854775807", "4611686018427387904", "-4611686018427387905",
}

// floats are for INCRBYFLOAT, which computes in long double and prints 17 digits.
var floats = []string{
	"0.1", "0.2", "-0.3", "1.5", "3.0e3", "1e-5", "-1e-17", "1e17", "123456789.123456789", "0.000000001",
	"1e300", "1e308", "-1e308", "1e400", "1e4000", "1e5000", "5e-324", "nan", "inf", "-inf", "Infinity",
	"0x1p4", "0x1.8p1", ".5", "5.", ".", "e5", "1e", "+1", "-.5e-1", "3.14159265358979323846264338327950288",
	"0.1000000000000000055511151231257827", "99999999999999999.9", "1 ", " 1", "1\x00",
}

var strings0 = []string{
	"", "a", "foo", "bar", "hello world", "FooBar", "\x00", "\x00\x01\x02\xff", "\xff\xfe\xfd", "\r\n", "a\r\nb\n",
	"+OK", "-ERR no", "$-1", "*0", "caf\xc3\xa9", "%s%n%d", "*", "k?", "0", "1", "-1", "10", "12345", "2147483648",
	"9223372036854775807", "-9223372036854775808", "9223372036854775808", "007", " 7", "7 ", "-0", "1.5", "-2.25e3",
	"1e2", "nan", "inf", "HYLL", "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff",
	"HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80",
}

// member is an element of a collection: of few different ones, so that they meet
// again, integers for a good part.
func member(r *rand.Rand) string {
	switch r.IntN(12) {
	case 0:
		return pick(r, strings0)
	case 1:
		return strconv.FormatInt(r.Int64()>>r.IntN(64), 10)
	case 2:
		return strings.Repeat("m", r.IntN(100))
	case 3, 4, 5:
		return "m" + strconv.Itoa(r.IntN(15))
	}
	return strconv.Itoa(r.IntN(15))
}

var patterns = []string{
	"*", "k*", "?0", "k?", "[k]?", "k[0-3]", "k[^1]", "[^k]*", "\\k*", "k[", "k[a", "", "**", "*k*0*", "k\\", "K*",
	"[k-a]0", "\x00*", "*\xff", "big*", "{k}*",
}

var bitTypes = []string{"u8", "i8", "u1", "i1", "u2", "i5", "u16", "i16", "i32", "u32", "u63", "i64", "i63", "u7"}

var badBitTypes = []string{"u64", "i65", "u0", "i0", "x8", "u", "8", "", "i-1", "u08", "U8", "i064"}

// keyNames is the small key space of a history: n ordinary names and some odd ones.
func keyNames(n int) []string {
	keys := []string{"", "\x00\x01\xff", "{k}1", strings.Repeat("long", 40), "k 1"}
	for i := range n {
		keys = append(keys, "k"+strconv.Itoa(i))
	}
	return keys
}

// bigKeys hold the huge values; no command mixes them with other keys, so that
// they stay few and LCS never meets them.
var bigKeys = []string{"big0", "big1", "big2"}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// chance is true p times of 1.
func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

// randomBytes is a string of n bytes that do not compress.
func randomBytes(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// repeated is a string of a short unit, so that transcripts stay readable.
func repeated(r *rand.Rand, most int) string {
	unit := pick(r, []string{"x", "ab", "0", "\x00", "\xff", "abc123", "\x00\x01\x80"})
	return strings.Repeat(unit, 1+r.IntN(max(1, most/len(unit))))
}

// value makes a value for the small keys.
func value(r *rand.Rand) string {
	switch n := r.IntN(100); {
	case n < 45:
		return pick(r, strings0)
	case n < 60:
		return strconv.FormatInt(r.Int64N(2000)-1000, 10)
	case n < 65:
		return strconv.FormatInt(int64(r.Uint64()), 10)
	case n < 70:
		return strconv.FormatFloat(r.NormFloat64()*1000, 'g', 1+r.IntN(17), 64)
	case n < 80: // around the limit of embstr
		return strings.Repeat("e", 42+r.IntN(5))
	case n < 92:
		return randomBytes(r, r.IntN(64))
	}
	return repeated(r, 1500)
}

// bigValueMax is below the proto-max-bulk-len of the histories.
const bigValueMax = 200_000

// bigValue makes a value for the big keys.
func bigValue(r *rand.Rand) string {
	if chance(r, 0.2) {
		return value(r)
	}
	return repeated(r, bigValueMax)
}
