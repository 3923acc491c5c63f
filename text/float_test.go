package text

import (
	"bufio"
	"bytes"
	"math"
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestParseFloat(t *testing.T) {
	inf := math.Inf(1)
	for s, want := range map[string]float64{
		"0": 0, "1": 1, "+1": 1, "-1.5": -1.5, ".5": .5, "5.": 5, "1e3": 1000, "1E+3": 1000, "1e-2": .01,
		"inf": inf, "-INF": -inf, "+Infinity": inf, "0x10": 16, "0X1.8p1": 3, "0x.8": .5, "0x1P-1": .5,
		"4.9e-324": 5e-324, "1.7976931348623157e308": math.MaxFloat64, "0e99999": 0, "00012": 12,
	} {
		if got, ok := ParseFloat([]byte(s)); !ok || got != want {
			t.Errorf("ParseFloat(%q) = %v, %v; want %v", s, got, ok, want)
		}
	}
	for _, s := range badFloats {
		if got, ok := ParseFloat([]byte(s)); ok {
			t.Errorf("ParseFloat(%q) = %v", s, got)
		}
		if _, ok := ParseLongDouble([]byte(s)); ok && s != "1e400" && s != "1e-400" {
			t.Errorf("ParseLongDouble(%q) accepts", s)
		}
	}
}

var badFloats = []string{"", " 1", "1 ", "\t1", "nan", "-nan", "nan(1)", ".", "+", "-", "+-1", "e5", ".e1", "1e", "1e+", "1_0",
	"0x", "0x.", "0xp1", "0x1p", "1p3", "inf1", "infin", "infinityx", "1e400", "1e-400", "1x", "1.2.3", "1\x00", "0x1_0p0", "\u0661"}

func TestAppendDouble(t *testing.T) {
	for _, c := range []struct {
		v          float64
		want, form string // 7.2's form, and %.17g
	}{
		{0, "0", "0"}, {math.Copysign(0, -1), "-0", "-0"}, {1, "1", "1"}, {-17, "-17", "-17"},
		{1e15, "1000000000000000", "1000000000000000"}, {1e17, "100000000000000000", "1e+17"},
		{1 << 62, "4611686018427387904", "4.6116860184273879e+18"}, {1e19, "1e+19", "1e+19"},
		{1e30, "1e+30", "1e+30"}, {0.1, "0.1", "0.10000000000000001"}, {3.14, "3.14", "3.1400000000000001"},
		{-24.5, "-24.5", "-24.5"}, {1.5e-9, "1.5e-9", "1.5e-09"}, {5e-324, "5e-324", "4.9406564584124654e-324"},
		{25024283.260910034, "2.5024283260910034e+7", "25024283.260910034"}, {math.MaxFloat64, "1.7976931348623157e+308", "1.7976931348623157e+308"},
		{math.Inf(1), "inf", "inf"}, {math.Inf(-1), "-inf", "-inf"}, {math.NaN(), "nan", "nan"},
	} {
		if got := string(AppendDouble(nil, c.v)); got != c.want {
			t.Errorf("AppendDouble(%g) = %s, want %s", c.v, got, c.want)
		}
		if got := string(AppendDouble17(nil, c.v)); got != c.form {
			t.Errorf("AppendDouble17(%g) = %s, want %s", c.v, got, c.form)
		}
	}
}

func TestAppendShort(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "-0"}, {-17, "-17"}, {1e6, "1000000"}, {1e17, "1e+17"}, {0.1, "0.1"}, {math.Inf(-1), "-inf"},
	} {
		if got := string(AppendShort(nil, c.v)); got != c.want {
			t.Errorf("AppendShort(%g) = %s, want %s", c.v, got, c.want)
		}
	}
}

func TestParseLimit(t *testing.T) {
	for _, c := range []struct {
		s    string
		want float64
		ok   bool
	}{
		{"", 0, true}, {"1.5", 1.5, true}, {" \t7", 7, true}, {"7 ", 0, false}, {" ", 0, false}, {"1e999", math.Inf(1), true}, {"-1e999", math.Inf(-1), true},
		{"1e-999", 0, true}, {"+inf", math.Inf(1), true}, {"nan", 0, false}, {"0x10", 16, true}, {"3\x00x", 3, true}, {"\x00", 0, true}, {"x", 0, false},
	} {
		if got, ok := ParseLimit([]byte(c.s)); got != c.want || ok != c.ok {
			t.Errorf("ParseLimit(%q) = %v %t, want %v %t", c.s, got, ok, c.want, c.ok)
		}
	}
}

// TestGrisuGolden compares with output of the printer that Redis 7.2 has; the
// file was made from random bits, and from the cases in which Grisu2 is not the
// shortest form.
func TestGrisuGolden(t *testing.T) {
	f, err := os.Open("testdata/grisu.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	n := 0
	for ; lines.Scan(); n++ {
		bits, want, _ := strings.Cut(lines.Text(), " ")
		b, err := strconv.ParseUint(bits, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(appendGrisu(nil, math.Float64frombits(b))); got != want {
			t.Errorf("%s: %s, want %s", bits, got, want)
		}
	}
	if n < 1000 {
		t.Errorf("only %d lines", n)
	}
}

func TestGrisuPowers(t *testing.T) {
	for i, p := range grisuPowers {
		exact := new(big.Float).SetPrec(2000).SetInt64(1)
		ten := new(big.Float).SetPrec(2000).SetInt64(10)
		k := grisuFirst + i*grisuStep
		for range max(k, -k) {
			exact.Mul(exact, ten)
		}
		if k < 0 {
			exact.Quo(big.NewFloat(1).SetPrec(2000), exact)
		}
		exact.SetMode(big.ToNearestEven).SetPrec(64)
		exact.SetMantExp(exact, -int(p.exp))
		if m, _ := exact.Uint64(); m != p.mant {
			t.Errorf("10^%d: %d, table has %d", k, m, p.mant)
		}
	}
}

// TestDoubleRoundTrip: what is printed reads back as the same double.
func TestDoubleRoundTrip(t *testing.T) {
	r := random(t)
	for range 200_000 {
		v := math.Float64frombits(r.Uint64())
		if v != v {
			continue
		}
		for _, b := range [][]byte{AppendDouble(nil, v), AppendDouble17(nil, v)} {
			if got, ok := ParseFloat(b); !ok || got != v {
				t.Fatalf("%x prints %s, reads back %v %v", math.Float64bits(v), b, got, ok)
			}
		}
	}
}

func TestAppendFixed(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{
		{0, 4, "0.0000"}, {0.775, 4, "0.7750"}, {0.00001, 4, "0.0000"}, {-0.00001, 4, "0.0000"}, {12345.6789, 4, "12345.6789"}, {-1.5, 1, "-1.5"},
		{0.25, 1, "0.2"}, {0.05, 1, "0.0"}, {166274.15156960033, 4, "166274.1516"}, {0.01, 17, "0.01000000000000000"}, {-0.5, 4, "-0.5000"},
	} {
		if got := string(AppendFixed(nil, c.v, c.digits)); got != c.want {
			t.Errorf("AppendFixed(%v, %d) = %s, want %s", c.v, c.digits, got, c.want)
		}
	}
}

// TestScoresAgainstRedis reads and prints scores on both sides. Zero is left out,
// since a small sorted set stores -0 as the integer 0. A 7.2 server prints the
// shorter form.
func TestScoresAgainstRedis(t *testing.T) {
	r, c := random(t), oracle(t)
	print := AppendDouble17
	if v := c.Info("server", "redis_version"); v >= "7.2" {
		print = AppendDouble
	}
	texts := append([]string{"0x10", "0X1.8p1", "1e308", "-inf", "+Infinity", "5.", ".5", "4.9e-324", "2e-324"}, badFloats...)
	for range 3000 {
		texts = append(texts, pick(r, "0123456789.e-+", 9), pick(r, "0x1.fp-+", 9), pick(r, "infaty1", 8),
			strconv.FormatFloat(math.Float64frombits(r.Uint64()), 'g', r.IntN(20)+1, 64),
			strconv.FormatFloat(float64(r.IntN(1e9))/1000, 'f', -1, 64))
	}
	for _, s := range texts {
		c.Queue("ZADD", "z", s, "m")
		c.Queue("ZSCORE", "z", "m")
	}
	flush(t, c)
	for _, s := range texts {
		added, score := reply(t, c), reply(t, c)
		v, ok := ParseFloat([]byte(s))
		if ok != (added[0] == ':') {
			t.Errorf("ZADD %q: %s, ParseFloat %v %v", s, added, v, ok)
		} else if want := print(nil, v); ok && v != 0 && !bytes.Contains(score, append([]byte("\r\n"), append(want, '\r')...)) {
			t.Errorf("ZSCORE of %q: %q, want %s", s, score, want)
		}
	}
}

func FuzzParseFloat(f *testing.F) {
	for _, s := range append([]string{"1.5", "0x1p3", "inf", "-1e308"}, badFloats...) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, ok := ParseFloat(b)
		if ok && v != v {
			t.Errorf("%q reads as NaN", b)
		}
		if x, okLong := ParseLongDouble(b); ok && v != 0 && len(b) < longTextMax && !okLong {
			t.Errorf("%q is a double but no long double (%v)", b, x)
		}
	})
}

func BenchmarkAppendDouble(b *testing.B) {
	var buf [32]byte
	b.ReportAllocs()
	for b.Loop() {
		AppendDouble(buf[:0], 3.1415926)
	}
}

func BenchmarkParseFloat(b *testing.B) {
	text := []byte("1234.5678")
	b.ReportAllocs()
	for b.Loop() {
		ParseFloat(text)
	}
}
