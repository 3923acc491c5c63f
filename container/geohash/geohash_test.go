package geohash

import (
	"flag"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 = one of the clock")

// newRand prints its seed, so that what it found can be found again.
func newRand(t testing.TB) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// randomPoint is anywhere, near some place, at an edge of the map or close to one.
func randomPoint(r *rand.Rand) Point {
	p := Point{LonMin + r.Float64()*(LonMax-LonMin), LatMin + r.Float64()*(LatMax-LatMin)}
	switch r.IntN(6) {
	case 0:
		p = Point{13.36 + r.NormFloat64()/100, 38.11 + r.NormFloat64()/100}
	case 1:
		p.Lon = []float64{LonMin, LonMax, 0, 90, -45, 1e-300}[r.IntN(6)]
	case 2:
		p.Lat = []float64{LatMin, LatMax, 0, 66, -80, 1e-300}[r.IntN(6)]
	case 3:
		p.Lon = math.Copysign(180-math.Pow(10, -9*r.Float64()), p.Lon)
	}
	return p
}

func TestGolden(t *testing.T) {
	palermo := Point{13.361389, 38.115556}
	score := Score(palermo)
	if score != 3479099956230698 {
		t.Errorf("score %.0f", score)
	}
	at := Decode(score)
	if at != (Point{13.361389338970184, 38.1155563954963}) {
		t.Errorf("decoded %v", at)
	}
	if text := string(AppendText(nil, at)); text != "sqc8b49rny0" {
		t.Errorf("text %s", text)
	}
	catania := Decode(Score(Point{15.087269, 37.502669}))
	if d := Distance(at, catania); math.Abs(d-166274.1516) > 1e-4 {
		t.Errorf("distance %f", d)
	}
}

// TestHalving compares scores with those of a twin that halves the map step by step.
func TestHalving(t *testing.T) {
	r := newRand(t)
	for range 20_000 {
		want := float64(r.Uint64N(1 << (2 * StepsMax)))
		p := Decode(want)
		if got := Score(p); got != want {
			t.Fatalf("%v: %.0f, not %.0f", p, got, want)
		}
		lon, lat, bits := mapGrid.lon, mapGrid.lat, uint64(0)
		for range StepsMax {
			bits = bits<<1 | lon.halve(p.Lon)
			bits = bits<<1 | lat.halve(p.Lat)
		}
		if float64(bits) != want {
			t.Fatalf("%v: %.0f by halving, not %.0f", p, float64(bits), want)
		}
	}
}

// halve keeps the half that v is in and tells which it is.
func (s *span) halve(v float64) uint64 {
	middle := (s.min + s.max) / 2
	if v < middle {
		s.max = middle
		return 0
	}
	s.min = middle
	return 1
}

func TestMoved(t *testing.T) {
	r := newRand(t)
	for range 20_000 {
		steps := uint8(1 + r.IntN(StepsMax))
		size := uint32(1) << steps
		lat, lon := r.Uint32N(size), r.Uint32N(size)
		c := cell{interleave(lat, lon), steps}
		for _, to := range compass {
			got := c.moved(to.east, to.north)
			want := interleave((lat+uint32(to.north))%size, (lon+uint32(to.east))%size)
			if got != (cell{want, steps}) {
				t.Fatalf("%d steps, row %d, column %d, moved by %v: %x, not %x", steps, lat, lon, to, got.bits, want)
			}
		}
	}
}

func TestStrangeScores(t *testing.T) {
	for score, want := range map[float64]uint64{
		0: 0, -1: math.MaxUint64, -1.9: math.MaxUint64, 1.9: 1, 1 << 63: 1 << 63, 1.5 * (1 << 63): 3 << 62,
		1 << 64: 0, 1e300: 0, -1e300: 1 << 63, -1 << 63: 1 << 63,
	} {
		if got := scoreBits(score); got != want {
			t.Errorf("%g: %x, not %x", score, got, want)
		}
		if p := Decode(score); !p.Valid() {
			t.Errorf("%g is at %v", score, p)
		}
	}
	for _, score := range []float64{math.Inf(1), math.Inf(-1)} {
		if p := Decode(score); !p.Valid() || Hash(score) != math.MinInt64 {
			t.Errorf("%g is at %v, and %d", score, p, Hash(score))
		}
	}
}

// randomShape is a circle or a box, of any size up to that of the earth and beyond.
func randomShape(r *rand.Rand) Shape {
	size := func() float64 { return math.Pow(10, -3+11*r.Float64()) }
	return Shape{
		Center: randomPoint(r), Box: r.IntN(2) == 0, Unit: []float64{1, 1000, 0.3048}[r.IntN(3)],
		Radius: size(), Width: size(), Height: size(),
	}
}

// TestRanges: no score is in two ranges, and the centre is in the first.
func TestRanges(t *testing.T) {
	r := newRand(t)
	for range 50_000 {
		s := randomShape(r)
		ranges := s.Ranges(nil)
		if len(ranges) == 0 || len(ranges) > RangesMax {
			t.Fatalf("%+v: %d ranges", s, len(ranges))
		}
		if at := Score(s.Center); at < ranges[0].Min || at >= ranges[0].Max {
			t.Fatalf("%+v: the centre is not in %v", s, ranges[0])
		}
		for i, a := range ranges {
			for _, b := range ranges[:i] {
				if a.Min >= a.Max || a.Min < b.Max && b.Min < a.Max {
					t.Fatalf("%+v: %v and %v", s, a, b)
				}
			}
		}
	}
}

// TestNothingIsMissed: what a shape contains is in its ranges, where the map is not
// torn (as it is at the date line) or much too wide (as it is at the poles).
func TestNothingIsMissed(t *testing.T) {
	r := newRand(t)
	contained := 0
	for range 100_000 {
		s := randomShape(r)
		s.Center = Point{300 * (r.Float64() - 0.5), 120 * (r.Float64() - 0.5)}
		size := math.Pow(10, 6*r.Float64())
		s.Unit, s.Radius, s.Width, s.Height = 1, size, size, size*r.Float64()
		p := Point{s.Center.Lon + r.NormFloat64()*size/2e5, s.Center.Lat + r.NormFloat64()*size/2e5}
		f := s.Filter()
		if _, ok := f.Contains(p); !ok || !p.Valid() {
			continue
		}
		contained++
		score, found := Score(p), false
		for _, in := range s.Ranges(nil) {
			found = found || score >= in.Min && score < in.Max
		}
		if !found {
			t.Fatalf("%+v: %v is not in the ranges", s, p)
		}
	}
	t.Logf("%d positions were in their shapes", contained)
}

// TestContains compares with distances alone: shortcuts must not change the answer.
func TestContains(t *testing.T) {
	r := newRand(t)
	for range 50_000 {
		s := randomShape(r)
		p := randomPoint(r)
		if !p.Valid() {
			continue
		}
		want := Distance(s.Center, p)
		in := want <= s.Radius*s.Unit
		if s.Box {
			in = Distance(s.Center, Point{s.Center.Lon, p.Lat}) <= s.Height*s.Unit/2 &&
				Distance(Point{s.Center.Lon, p.Lat}, p) <= s.Width*s.Unit/2
		}
		f := s.Filter()
		if got, ok := f.Contains(p); ok != in || ok && got != want {
			t.Fatalf("%+v: %v at %g: %g, %v", s, p, want, got, ok)
		}
	}
}

func BenchmarkDistance(b *testing.B) {
	from, sum := Point{13.36, 38.11}, 0.0
	for i := range b.N {
		sum += Distance(from, Point{13 + float64(i&1023)/1000, 38 + float64(i&511)/1000})
	}
	_ = sum
}

func BenchmarkDecode(b *testing.B) {
	sum := 0.0
	for i := range b.N {
		sum += Decode(3479099956230698 + float64(i)).Lon
	}
	_ = sum
}

func BenchmarkContains(b *testing.B) {
	s := Shape{Center: Point{13.36, 38.11}, Radius: 10, Unit: 1000}
	f := s.Filter()
	b.ReportAllocs()
	for i := range b.N {
		f.Contains(Point{13 + float64(i&1023)/1000, 38 + float64(i&511)/1000})
	}
}
