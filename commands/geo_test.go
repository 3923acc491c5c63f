package commands

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"dozo/internal/testutil"
	"dozo/object"
)

// geoWriter makes random calls of the geo commands, near edges of all sorts.
type geoWriter struct {
	*rand.Rand
	out []string
}

func (w *geoWriter) add(words ...string) { w.out = append(w.out, words...) }

func (w *geoWriter) one(words ...string) string { return words[w.IntN(len(words))] }

func (w *geoWriter) chance(p float64) bool { return w.Float64() < p }

// coordinate is a number of degrees up to some limit.
func (w *geoWriter) coordinate(limit, near float64, edges ...string) string {
	v := (2*w.Float64() - 1) * limit
	switch w.IntN(10) {
	case 0:
		return w.one(edges...)
	case 1, 2:
		return strconv.FormatFloat(v, 'f', w.IntN(2), 64)
	case 3:
		v = math.Copysign(limit-math.Pow(10, -9*w.Float64()), v)
	case 4, 5, 6:
		v = near + w.NormFloat64()
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func (w *geoWriter) place() {
	w.add(w.coordinate(180, 13, "180", "-180", "0", "90", "-45", "180.1", "x"),
		w.coordinate(85.05112878, 38, "85.05112878", "-85.05112878", "0", "66", "-80", "85.1", "inf"))
}

func (w *geoWriter) member() string { return fmt.Sprint("m", w.IntN(200)) }
func (w *geoWriter) source() string { return w.one("few", "many", "many", "none", "text") }

func (w *geoWriter) size() string {
	if w.chance(0.08) {
		return w.one("0", "1e300", "inf", "1e-300", "-1", "x", "20037726")
	}
	return strconv.FormatFloat(math.Pow(10, -3+11*w.Float64()), 'g', -1, 64)
}

func (w *geoWriter) unit() string { return w.one("m", "km", "km", "KM", "ft", "Mi", "parsec") }

// options are those of a search.
func (w *geoWriter) options(with bool) {
	for _, word := range []string{"WITHCOORD", "WITHDIST", "withhash"} {
		if with && w.chance(0.4) {
			w.add(word)
		}
	}
	if w.chance(0.4) {
		w.add("COUNT", w.one("1", "2", "5", "10", "100", "0", "x"))
	}
	for _, word := range []string{"ANY", "ASC", "DESC"} {
		if w.chance(0.2) {
			w.add(word)
		}
	}
}

// area is the centre and the shape of a search, or one of them.
func (w *geoWriter) area() {
	if w.chance(0.97) {
		if w.chance(0.5) {
			w.add("FROMMEMBER", w.member())
		} else {
			w.add("FROMLONLAT")
			w.place()
		}
	}
	switch {
	case w.chance(0.5):
		w.add("BYRADIUS", w.size(), w.unit())
	case w.chance(0.97):
		w.add("BYBOX", w.size(), w.size(), w.unit())
	}
}

// call is one call. Only STOREDIST stores what is not the same bit for bit; it has a
// key of its own.
func (w *geoWriter) call() []string {
	w.out = nil
	switch w.IntN(12) {
	case 0, 1, 2:
		w.add("GEOADD", w.one("few", "many", "many"))
		for _, word := range []string{"NX", "XX", "CH"} {
			if w.chance(0.1) {
				w.add(word)
			}
		}
		for range 1 + w.IntN(6) {
			w.place()
			w.add(w.member())
		}
	case 3:
		w.add("GEODIST", w.source(), w.member(), w.member(), w.unit())
	case 4:
		w.add(w.one("GEOPOS", "GEOHASH"), w.source(), w.member(), w.member())
	case 5:
		w.add(w.one("GEORADIUS", "GEORADIUS_RO"), w.source())
		w.place()
		w.add(w.size(), w.unit())
		w.options(true)
	case 6:
		w.add(w.one("GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO"), w.source(), w.member(), w.size(), w.unit())
		w.options(true)
	case 7, 8, 9:
		w.add("GEOSEARCH", w.source())
		w.area()
		w.options(true)
	case 10:
		w.add("GEOSEARCHSTORE", w.one("stored", "few", "distances"), w.source())
		w.area()
		w.options(w.chance(0.05))
		if w.out[1] == "distances" {
			w.add("STOREDIST")
		}
	default:
		w.add("GEORADIUS", w.source())
		w.place()
		w.add(w.size(), w.unit())
		w.options(false)
		if w.chance(0.5) {
			w.add("STORE", w.one("stored", "few"))
		} else {
			w.add("STOREDIST", "distances")
		}
	}
	return w.out
}

var geoCallsFlag = flag.Int("geocalls", 4000, "how many random calls TestGeoAgainstRedis makes")

// TestGeoAgainstRedis sends the same calls to the handlers and to a genuine server.
func TestGeoAgainstRedis(t *testing.T) {
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	calls := *geoCallsFlag
	if testing.Short() || raceEnabled {
		calls = min(calls, 1000)
	}
	r, real, h := newRand(t), startOracle(t), newHarness(t)
	real.reset(t)
	w := &geoWriter{Rand: r}
	for i := range calls {
		words := w.call()
		if i == 0 {
			words = []string{"SET", "text", "x"}
		}
		args := make([][]byte, len(words))
		for i, word := range words {
			args[i] = []byte(word)
		}
		proto := 2 + r.IntN(2)
		h.out.Proto = proto
		real.compare(t, h, proto, args, render(parsed(t, h.do(args))))
		sameDistances(t, real, h)
		if t.Failed() {
			t.Fatalf("after %q", words)
		}
	}
}

// sameDistances compares the scores that STOREDIST stored: all but the last bits.
func sameDistances(t *testing.T, real *oracle, h *harness) {
	t.Helper()
	const close = 1e-12 // close to the antipodes a last bit grows to more
	want := real.conn[2].MustOK("ZRANGE", "distances", "0", "-1", "WITHSCORES").Strings()
	real.events(t) // perhaps it missed the key
	var got []string
	key := []byte("distances")
	h.held(h.table.Lookup([]byte("GEOPOS")), [][]byte{nil, key}, func() {
		if cell := h.ctx.Peek(key); cell.Ok() {
			object.ZSetValue{Cell: &cell}.Each(func(s object.Scored) bool {
				got = append(got, string(s.Member.Text(nil)), fmt.Sprintf("%.17g", s.Score()))
				return true
			})
		}
	})
	if len(got) != len(want) {
		t.Fatalf("%d members, not %d", len(got)/2, len(want)/2)
	}
	for i := 0; i < len(got); i += 2 {
		a, _ := strconv.ParseFloat(got[i+1], 64)
		b, _ := strconv.ParseFloat(want[i+1], 64)
		if got[i] != want[i] || math.Abs(a-b) > close*b {
			t.Errorf("%s, not %s", strings.Join(got[i:i+2], " "), strings.Join(want[i:i+2], " "))
		}
	}
}

// TestSortPart: the places that are asked for have what belongs there, and nothing
// gets lost.
func TestSortPart(t *testing.T) {
	r := newRand(t)
	order := func(a, b [2]int) int { return a[0] - b[0] }
	for range 2000 {
		n := 1 + r.IntN(300)
		s, count := make([][2]int, n), make([]int, 1000)
		kinds := 1 + r.IntN(n*2)
		for i := range s {
			s[i] = [2]int{r.IntN(kinds), i}
			count[s[i][0]]++
		}
		first := r.IntN(n)
		last := first + r.IntN(n-first)
		sortPart(s, first, last, order)
		place, seen := 0, make([]bool, n)
		for kind, n := range count {
			for range n {
				if place >= first && place <= last && s[place][0] != kind {
					t.Fatalf("place %d of %d to %d has %d, not %d", place, first, last, s[place][0], kind)
				}
				place++
			}
		}
		for _, e := range s {
			if seen[e[1]] {
				t.Fatalf("element %d is there twice", e[1])
			}
			seen[e[1]] = true
		}
	}
}
