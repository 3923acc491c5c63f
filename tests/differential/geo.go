package differential

import (
	"math"
	"math/rand/v2"
	"strconv"
)

// Arguments of the commands of positions.

// geoKeys hold positions, and no command that could bring other scores is sent to
// them: 7.0 prints large scores otherwise than 7.2.
var geoKeys = []string{"geo0", "geo1", "geo2", "geo3"}

// geoSource is a key to look for positions in. Now and then it is one of those that
// the other families share.
func (w *writer) geoSource() {
	if chance(w.r, 0.1) {
		w.fixed(w.key())
		return
	}
	w.fixed(pick(w.r, geoKeys))
}

func geoMember(r *rand.Rand) string {
	if chance(r, 0.1) {
		return member(r)
	}
	return "p" + strconv.Itoa(r.IntN(20))
}

// degrees are about some place, or anywhere, or at the edges.
func degrees(r *rand.Rand, limit, place float64, edges ...string) string {
	v := (2*r.Float64() - 1) * limit
	switch r.IntN(40) {
	case 0:
		return pick(r, []string{"x", "", "nan", "inf", "1000", "180.000001"})
	case 1, 2, 3:
		return pick(r, edges)
	case 4, 5, 6, 7:
		v = math.Round(v)
	case 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24:
		v = place + r.NormFloat64()/10
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func (w *writer) point() {
	w.fixed(degrees(w.r, 180, 13.4, "180", "-180", "179.999999", "-90", "0"))
	w.fixed(degrees(w.r, 85, 38.1, "85.05112878", "-85.05112878", "85", "-66.1", "0"))
}

// length is a distance, without its unit.
func (w *writer) length() {
	switch w.r.IntN(25) {
	case 0:
		w.fixed(pick(w.r, []string{"0", "-1", "x", "inf", "1e300", "1e-300", "nan", ""}))
	default:
		w.fixed(strconv.FormatFloat(math.Pow(10, 7*w.r.Float64()), 'f', w.r.IntN(5), 64))
	}
}

func (w *writer) unit() {
	if chance(w.r, 0.02) {
		w.add("parsec")
		return
	}
	w.add(pick(w.r, []string{"m", "m", "m", "km", "ft", "mi", "M", "Km"}))
}

func (w *writer) geoaddArguments() {
	w.fixed(pick(w.r, geoKeys))
	for _, option := range []string{"nx", "xx", "ch"} {
		w.perhaps(0.12, option)
	}
	for n := 1 + w.r.IntN(5); n > 0; n-- {
		w.point()
		w.fixed(geoMember(w.r))
	}
}

// geoReadArguments are members; of GEODIST two, and a unit.
func (w *writer) geoReadArguments() {
	w.geoSource()
	for n := 2 + w.r.IntN(2); n > 0; n-- {
		w.add(geoMember(w.r))
	}
	if w.spec.words[0] == "geodist" {
		w.out = w.out[:len(w.spec.words)+3]
		if chance(w.r, 0.6) {
			w.unit()
		}
	}
}

// georadiusArguments are those of GEORADIUS and its like. What STOREDIST stores is
// all zeros, by a radius of 0: other distances may differ in their last digit, and
// 7.0 prints them otherwise.
func (w *writer) georadiusArguments() {
	w.geoSource()
	name := w.spec.words[0]
	byMember := name == "georadiusbymember" || name == "georadiusbymember_ro"
	if byMember {
		w.fixed(geoMember(w.r))
	} else {
		w.point()
	}
	switch {
	case chance(w.r, 0.3):
		w.length()
		w.unit()
		w.fixed(w.spell("store"))
		w.fixed(pick(w.r, geoKeys))
		w.geoOptions(chance(w.r, 0.1))
	case byMember && chance(w.r, 0.2):
		w.fixed("0")
		w.unit()
		w.fixed(w.spell("storedist"))
		w.fixed(pick(w.r, geoKeys))
		w.geoOptions(false)
	default:
		w.length()
		w.unit()
		w.geoOptions(true)
	}
}

// geoOptions are those that all searches have.
func (w *writer) geoOptions(with bool) {
	for _, option := range []string{"withcoord", "withdist", "withhash", "asc", "desc"} {
		if (with || option[0] != 'w') && chance(w.r, 0.3) {
			w.add(w.spell(option))
		}
	}
	if chance(w.r, 0.4) {
		w.add(w.spell("count"))
		w.add(pick(w.r, []string{"1", "2", "3", "5", "10", "100", "1", "2", "3", "5", "10", "0", "-1", "x"}))
		w.perhaps(0.5, "any")
	} else {
		w.perhaps(0.03, "any")
	}
}

func (w *writer) geosearchArguments() {
	store := w.spec.words[0] == "geosearchstore"
	if store {
		w.fixed(pick(w.r, geoKeys))
	}
	w.geoSource()
	if store && chance(w.r, 0.2) {
		w.fixed("FROMMEMBER")
		w.fixed(geoMember(w.r))
		w.fixed("BYRADIUS")
		w.fixed("0")
		w.unit()
		w.fixed(w.spell("storedist"))
		return
	}
	w.geoArea()
	w.geoOptions(!store || chance(w.r, 0.05))
}

// geoArea is the centre and the shape of a search.
func (w *writer) geoArea() {
	if chance(w.r, 0.5) {
		w.add(w.spell("frommember"))
		w.fixed(geoMember(w.r))
	} else {
		w.add(w.spell("fromlonlat"))
		w.point()
	}
	if chance(w.r, 0.5) {
		w.add(w.spell("byradius"))
	} else {
		w.add(w.spell("bybox"))
		w.length()
	}
	w.length()
	w.unit()
}
