package text

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

func flush(t *testing.T, c *testutil.Peer) {
	t.Helper()
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
}

func reply(t *testing.T, c *testutil.Peer) []byte {
	t.Helper()
	raw, err := c.ReadRaw()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestLongDoubleText(t *testing.T) {
	for s, want := range map[string]string{
		"0": "0", "-0": "0", "1": "1", "10.50": "10.5", "5.0e3": "5000", "0.1": "0.1", "1.23": "1.23", "-1e-30": "0", "3e-17": "0.00000000000000003",
		"1e20": "100000000000000000000", "0x1p-1": "0.5", "0x1.8": "1.5", "9223372036854775807": "9223372036854775807", "inf": "inf", "-inf": "-inf",
		"18446744073709551615": "18446744073709551615", "0.99999999999999999999": "1", "1e-4950": "0", "+5": "5",
		"123456789012345678901234567890": "123456789012345678899921813504",
		"0.000000000000000005":           "0", "0.0000000000000000051": "0.00000000000000001",
	} {
		x, ok := ParseLongDouble([]byte(s))
		if got := string(x.AppendHuman(nil)); !ok || got != want {
			t.Errorf("%s: %s %v, want %s", s, got, ok, want)
		}
	}
	for _, s := range []string{"1e4933", "1e-4970", "1e99999999999999999999", "1e-99999999999999999999", "0x1p20000", "0x1p-20000", strings.Repeat("0", longTextMax)} {
		if x, ok := ParseLongDouble([]byte(s)); ok {
			t.Errorf("%.30s: %+v", s, x)
		}
	}
}

func TestLongDoubleSpecial(t *testing.T) {
	inf, minus, one := LongDoubleFromFloat(math.Inf(1)), LongDoubleFromFloat(math.Inf(-1)), LongDoubleFromInt(1)
	nan := LongDoubleFromFloat(math.NaN())
	for _, c := range []struct {
		x    LongDouble
		want string
	}{
		{inf.Add(one), "inf"}, {one.Add(minus), "-inf"}, {inf.Add(minus), "nan"}, {inf.Add(inf), "inf"}, {nan.Add(one), "nan"},
		{one.Add(LongDoubleFromInt(-1)), "0"}, {LongDoubleFromInt(math.MinInt64), "-9223372036854775808"}, {LongDoubleFromFloat(-0.1), "-0.10000000000000001"},
	} {
		if got := string(c.x.AppendHuman(nil)); got != c.want {
			t.Errorf("%+v prints %s, want %s", c.x, got, c.want)
		}
	}
	if inf.Finite() || nan.Finite() || !one.Finite() {
		t.Error("Finite is wrong")
	}
}

// randomNumber is a decimal text, biased to what makes rounding hard.
func randomNumber(r *rand.Rand) string {
	sign := []string{"", "-", "+"}[r.IntN(3)]
	digits := func(n int) string { return pick(r, "0123456789", n) }
	switch r.IntN(6) {
	case 0:
		return sign + "1" + digits(25)
	case 1:
		return sign + digits(10) + "." + digits(25) + "1"
	case 2:
		return sign + digits(3) + "7e" + strconv.Itoa(r.IntN(80)-40)
	case 3:
		return sign + "0x" + digits(12) + "8." + digits(12) + "p" + strconv.Itoa(r.IntN(80)-60)
	case 4:
		return sign + strconv.Itoa(r.IntN(1000)) + "." + strconv.Itoa(r.IntN(100))
	}
	return sign + "0." + strings.Repeat("0", r.IntN(16)) + "5" + digits(4)
}

// TestLongDoubleTwin compares with arbitrary precision: reading and adding must
// be the correctly rounded result.
func TestLongDoubleTwin(t *testing.T) {
	r := random(t)
	exact := func(s string) *big.Float {
		x, _, err := big.ParseFloat(s, 0, 4000, big.ToNearestEven)
		if err != nil {
			t.Fatal(s, err)
		}
		return x
	}
	value := func(x LongDouble) *big.Float {
		f := new(big.Float).SetPrec(64).SetUint64(x.mant)
		f.SetMantExp(f, int(x.exp))
		if x.negative {
			f.Neg(f)
		}
		return f
	}
	for range 20_000 {
		a, b := randomNumber(r), randomNumber(r)
		if strings.HasPrefix(strings.TrimLeft(a, "+-"), ".") || strings.HasPrefix(strings.TrimLeft(b, "+-"), ".") {
			continue // big refuses nothing here, but keep the texts plain
		}
		x, okX := ParseLongDouble([]byte(a))
		y, okY := ParseLongDouble([]byte(b))
		if !okX || !okY {
			t.Fatalf("%s or %s refused", a, b)
		}
		if want := exact(a).SetPrec(64); value(x).Cmp(want) != 0 {
			t.Fatalf("%s reads as %v, want %v", a, value(x), want)
		}
		sum := new(big.Float).SetPrec(64).SetMode(big.ToNearestEven).Add(value(x), value(y))
		if got := value(x.Add(y)); got.Cmp(sum) != 0 {
			t.Fatalf("%s + %s = %v, want %v", a, b, got, sum)
		}
		if x.exp <= 0 {
			want := strings.TrimSuffix(strings.TrimRight(value(x).Text('f', fractionDigits), "0"), ".")
			if want == "-0" {
				want = "0"
			}
			if got := string(x.AppendHuman(nil)); got != want {
				t.Fatalf("%s prints %s, want %s", a, got, want)
			}
		}
	}
}

// TestIncrByFloatAgainstRedis runs chains of random increments on both sides.
func TestIncrByFloatAgainstRedis(t *testing.T) {
	r, c := random(t), oracle(t)
	var args []string
	for range 10_000 {
		args = append(args, randomNumber(r))
	}
	args = append(args, "1e4932", "1e4932", "-1e4932", "3e-4951", "0x1p-16445", "inf", "1e-5000", "1e5000", "  1", "1e17", "0.1")
	for _, a := range args {
		c.Queue("INCRBYFLOAT", "k", a)
		if a[0] == '+' { // start again from time to time
			c.Queue("SET", "k", a)
		}
	}
	flush(t, c)
	state := LongDouble{}
	for i, a := range args {
		x, ok := ParseLongDouble([]byte(a))
		sum := state.Add(x)
		raw := reply(t, c)
		if ok && sum.Finite() {
			text := sum.AppendHuman(nil)
			if !bytes.Contains(raw, append([]byte("\r\n"), append(text, '\r')...)) {
				t.Fatalf("step %d: INCRBYFLOAT %s gives %s, here %s", i, a, raw, text)
			}
			state, _ = ParseLongDouble(text)
		} else if raw[0] != '-' {
			t.Fatalf("step %d: INCRBYFLOAT %s gives %s, here refused", i, a, raw)
		}
		if a[0] == '+' {
			reply(t, c)
			state, _ = ParseLongDouble([]byte(a))
		}
	}
}

func BenchmarkIncrByFloat(b *testing.B) {
	x, y := []byte("1234.5678"), []byte("0.1")
	var buf [64]byte
	b.ReportAllocs()
	for b.Loop() {
		v, _ := ParseLongDouble(x)
		w, _ := ParseLongDouble(y)
		v.Add(w).AppendHuman(buf[:0])
	}
}
