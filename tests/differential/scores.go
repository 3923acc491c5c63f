package differential

import (
	"math/rand/v2"
	"strconv"
)

// Arguments of the commands of sorted sets.

// lexKeys hold sorted sets whose scores are all 0, for ranges by member: of any other
// what such a range is depends on chance, at the oracle. No command that could bring
// other scores is sent to them.
var lexKeys = []string{"lex0", "lex1"}

// score makes a score that 7.0, which prints seventeen digits, and 7.2 print alike:
// in binary it has few digits. Zero is never negative, which 7.0 stores otherwise.
func score(r *rand.Rand) string {
	switch r.IntN(20) {
	case 0:
		return pick(r, []string{"inf", "-inf", "+inf", "Infinity"})
	case 1:
		return pick(r, []string{"", "nan", "abc", " 1", "1x", "1e999", "0x10", "1e3", ".5", "+3", "5."})
	case 2, 3, 4, 5:
		return strconv.FormatFloat(float64(1+r.IntN(80))/8, 'g', -1, 64)
	}
	return strconv.Itoa(r.IntN(25) - 12)
}

// zaddArguments are options, and pairs of scores and members.
func (w *writer) zaddArguments() {
	r, lex := w.r, chance(w.r, 0.3)
	if lex {
		w.fixed(pick(r, lexKeys))
	} else {
		w.keyOnly()
	}
	for _, option := range []string{"nx", "xx", "ch"} {
		w.perhaps(0.15, option)
	}
	for _, option := range []string{"gt", "lt", "incr"} {
		if !lex && chance(r, 0.12) {
			w.add(w.spell(option))
		}
	}
	pairs := 1
	for pairs < 10 && chance(r, 0.6) {
		pairs++
	}
	for range pairs {
		if lex {
			w.fixed("0")
		} else {
			w.fixed(score(r))
		}
		w.fixed(member(r))
	}
}

func (w *writer) zincrbyArguments() {
	w.keyOnly()
	w.fixed(score(w.r))
	w.add(member(w.r))
}

// lexLimit is an end of a range by member.
func lexLimit(r *rand.Rand) string {
	if chance(r, 0.3) {
		return pick(r, []string{"-", "+", "-", "+", "x", "", "-x"})
	}
	return pick(r, []string{"[", "("}) + member(r)
}

func (w *writer) lexArguments() {
	w.fixed(pick(w.r, lexKeys))
	w.fixed(lexLimit(w.r))
	w.fixed(lexLimit(w.r))
	if w.spec.words[0] == "zrangebylex" || w.spec.words[0] == "zrevrangebylex" {
		w.limits()
	}
}

// limits is the option LIMIT, or nothing.
func (w *writer) limits() {
	if chance(w.r, 0.3) {
		w.add(w.spell("limit"))
		w.add(pick(w.r, []string{"0", "1", "2", "10", "-1"}))
		w.add(pick(w.r, []string{"0", "1", "3", "100", "-1"}))
	}
}

// zrangeArguments are the three forms of ZRANGE and ZRANGESTORE.
func (w *writer) zrangeArguments() {
	if w.spec.words[0] == "zrangestore" {
		w.keyOnly()
	}
	r := w.r
	switch r.IntN(3) {
	case 0:
		w.keyOnly()
		w.add(strconv.Itoa(r.IntN(30) - 15))
		w.add(strconv.Itoa(r.IntN(30) - 15))
	case 1:
		w.keyOnly()
		w.double(&argument{name: "min"})
		w.double(&argument{name: "max"})
		w.fixed(w.spell("byscore"))
		w.limits()
	default:
		w.fixed(pick(r, lexKeys))
		w.fixed(lexLimit(r))
		w.fixed(lexLimit(r))
		w.fixed(w.spell("bylex"))
		w.limits()
	}
	w.perhaps(0.4, "rev")
	if w.spec.words[0] == "zrange" {
		w.perhaps(0.5, "withscores")
	}
}
