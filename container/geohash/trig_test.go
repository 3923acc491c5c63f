package geohash

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// twinBits is the precision of the twin.
const twinBits = 300

func exactly(v float64) *big.Float { return new(big.Float).SetPrec(twinBits).SetFloat64(v) }

// twinSine is the sine of x by its series, n = 1, or the cosine, n = 0.
func twinSine(x *big.Float, n int64) *big.Float {
	square := new(big.Float).Mul(x, x)
	term := exactly(1)
	if n == 1 {
		term.Set(x)
	}
	sum := new(big.Float).Copy(term)
	for term.Sign() != 0 && term.MantExp(nil) > -twinBits {
		term.Mul(term, square)
		term.Quo(term, exactly(float64((n+1)*(n+2))))
		term.Neg(term)
		sum.Add(sum, term)
		n += 2
	}
	return sum
}

// unitsOff is how many units of the last place a result is from the truth.
func unitsOff(got float64, want *big.Float) float64 {
	last := math.Nextafter(math.Abs(got), math.Inf(1)) - math.Abs(got)
	d := new(big.Float).Sub(exactly(got), want)
	off, _ := d.Quo(d, exactly(last)).Float64()
	return math.Abs(off)
}

// nearly is how far rounding may be from the nearest.
const nearly = 0.5005

func angles(r *rand.Rand) float64 {
	switch r.IntN(5) {
	case 0:
		return math.Pow(10, -9*r.Float64())
	case 1:
		return float64(r.IntN(9)-4)*math.Pi/4 + (r.Float64()-0.5)*math.Pow(10, -15*r.Float64())
	case 2:
		return 20 * r.NormFloat64()
	}
	return (2*r.Float64() - 1) * math.Pi
}

func TestSine(t *testing.T) {
	r := newRand(t)
	for range 3000 {
		x := angles(r)
		if off := unitsOff(sine(x), twinSine(exactly(x), 1)); off > nearly {
			t.Fatalf("sine(%.17g) = %.17g is off by %f", x, sine(x), off)
		}
		if off := unitsOff(cosine(x), twinSine(exactly(x), 0)); off > nearly {
			t.Fatalf("cosine(%.17g) = %.17g is off by %f", x, cosine(x), off)
		}
	}
}

func TestArcsine(t *testing.T) {
	r := newRand(t)
	for range 3000 {
		y := r.Float64()
		switch r.IntN(3) {
		case 0:
			y = math.Pow(10, -9*y)
		case 1:
			y = 1 - math.Pow(10, -16*y)
		}
		x := arcsine(y)
		last := math.Nextafter(x, 2) - x
		for _, side := range []float64{-1, 1} {
			limit := new(big.Float).Add(exactly(x), new(big.Float).Mul(exactly(last), exactly(side*nearly)))
			if limit.Cmp(exactly(math.Pi/2)) > 0 {
				continue // the sine falls again
			}
			if d := twinSine(limit, 1).Cmp(exactly(y)); d != 0 && d != int(side) {
				t.Fatalf("arcsine(%.17g) = %.17g is too far off", y, x)
			}
		}
	}
	for y, want := range map[float64]float64{0: 0, 1: math.Pi / 2, math.Nextafter(1, 2): math.Pi / 2, 5e-324: 5e-324} {
		if got := arcsine(y); got != want {
			t.Errorf("arcsine(%g) = %g", y, got)
		}
	}
}

// TestLarge: angles beyond all that are in use still have sines.
func TestLarge(t *testing.T) {
	for _, x := range []float64{angleMax, 1e9, 1e300} {
		if sine(x) != math.Sin(x) || cosine(x) != math.Cos(x) {
			t.Errorf("%g: %g, %g", x, sine(x), cosine(x))
		}
	}
	for _, x := range []float64{math.Inf(1), math.NaN()} {
		if !math.IsNaN(sine(x)) || !math.IsNaN(cosine(x)) {
			t.Errorf("%g: %g, %g", x, sine(x), cosine(x))
		}
	}
}

func BenchmarkTrig(b *testing.B) {
	for name, f := range map[string]func(float64) float64{"sine": sine, "cosine": cosine, "arcsine": arcsine} {
		b.Run(name, func(b *testing.B) {
			sum := 0.0
			for i := range b.N {
				sum += f(float64(i&4095) / 4096)
			}
			_ = sum
		})
	}
}
