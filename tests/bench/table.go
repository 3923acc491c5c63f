package main

import (
	"slices"
	"strings"
)

// median of a list, 0 of none.
func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	s := slices.Clone(list)
	slices.Sort(s)
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// paired are the same figure of both servers, one of each a round.
type paired [candidates][]float64

func (p *paired) add(c candidate, v float64) { p[c] = append(p[c], v) }

func (p *paired) of(c candidate) float64 { return median(p[c]) }

// best is the smallest: where each round has all that the server does in it, and
// some have what the machine did besides.
func (p *paired) best(c candidate) float64 {
	if len(p[c]) == 0 {
		return 0
	}
	return slices.Min(p[c])
}

// ratio is the median of Dozo's figure over Redis' in the same round.
func (p *paired) ratio() float64 {
	var r []float64
	for i := range min(len(p[redis]), len(p[dozo])) {
		if p[redis][i] > 0 {
			r = append(r, p[dozo][i]/p[redis][i])
		}
	}
	return median(r)
}

// table prints the head of a Markdown table; the first column is text, the
// others are numbers.
func (b *bench) table(columns ...string) {
	b.print("\n| %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat("---:|", len(columns)-1))
}

// target is a number that the design asks for.
type target struct {
	name   string
	got    float64
	limit  float64
	atMost bool // else at least
}

func (b *bench) target(name string, got, limit float64, atMost bool) {
	b.targets = append(b.targets, target{name, got, limit, atMost})
}

func (t target) reached() bool {
	if t.atMost {
		return t.got <= t.limit
	}
	return t.got >= t.limit
}

// verdicts closes the report with what was asked for.
func (b *bench) verdicts() {
	b.print("\n## Asked for and reached\n")
	b.table("figure", "to reach", "measured", "reached")
	for _, t := range b.targets {
		sign, word := ">=", "yes"
		if t.atMost {
			sign = "<="
		}
		if !t.reached() {
			word = "**no**"
		}
		b.print("| %s | %s %g | %.3g | %s |\n", t.name, sign, t.limit, t.got, word)
	}
}
