package text

import (
	"math"
	"strconv"
	"testing"
)

func TestParseInt(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 9, 10, -10, 99, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1, 1e18} {
		b := AppendInt(nil, v)
		if got, ok := ParseInt(b); !ok || got != v {
			t.Errorf("ParseInt(%s) = %d, %v", b, got, ok)
		}
		if IntLen(v) != len(b) {
			t.Errorf("IntLen(%d) = %d", v, IntLen(v))
		}
	}
	for _, s := range []string{"", "-", "+1", " 1", "1 ", "01", "-0", "-01", "00", "1.0", "1e3", "0x1", "a", "1a", "1\x00",
		"9223372036854775808", "-9223372036854775809", "18446744073709551616", "99999999999999999999", "100000000000000000000"} {
		if v, ok := ParseInt([]byte(s)); ok {
			t.Errorf("ParseInt(%q) = %d", s, v)
		}
	}
}

func TestParseUint(t *testing.T) {
	for s, want := range map[string]uint64{"0": 0, "7": 7, "18446744073709551615": math.MaxUint64, "9223372036854775808": 1 << 63} {
		if v, ok := ParseUint([]byte(s)); !ok || v != want {
			t.Errorf("ParseUint(%s) = %d, %v", s, v, ok)
		}
	}
	for _, s := range []string{"", "-1", "00", "18446744073709551616", "28446744073709551615", "1844674407370955161x"} {
		if v, ok := ParseUint([]byte(s)); ok {
			t.Errorf("ParseUint(%q) = %d", s, v)
		}
	}
}

func TestParseUintLoose(t *testing.T) {
	for s, want := range map[string]uint64{
		"0": 0, "+7": 7, " 7": 7, "\t\r007": 7, "-0": 0, "-1": math.MaxUint64, "000": 0, "18446744073709551615": math.MaxUint64,
	} {
		if v, ok := ParseUintLoose([]byte(s)); !ok || v != want {
			t.Errorf("ParseUintLoose(%q) = %d, %v", s, v, ok)
		}
	}
	for _, s := range []string{"", "+", "-", "+-1", "7 ", "1x", " ", "018446744073709551616", "0x1"} {
		if v, ok := ParseUintLoose([]byte(s)); ok {
			t.Errorf("ParseUintLoose(%q) = %d", s, v)
		}
	}
}

// FuzzParseInt: what is accepted is exactly what strconv accepts and prints the
// same way.
func FuzzParseInt(f *testing.F) {
	f.Add([]byte("123"))
	f.Add([]byte("-9223372036854775808"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := ParseInt(b)
		want, err := strconv.ParseInt(string(b), 10, 64)
		if wantOk := err == nil && strconv.FormatInt(want, 10) == string(b); ok != wantOk || ok && got != want {
			t.Errorf("ParseInt(%q) = %d, %v; strconv: %d, %v", b, got, ok, want, err)
		}
	})
}

func BenchmarkParseInt(b *testing.B) {
	text := []byte("1234567890")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := ParseInt(text); !ok {
			b.Fatal("refused")
		}
	}
}
