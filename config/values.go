package config

import (
	"path/filepath"

	"dozo/internal/invariants"
)

// value is what one directive is set to. Which fields count depends on the kind:
// numbers, switches and choices use num; everything else str (its text, so that
// equal values have equal strings) and, when it has parts, list.
type value struct {
	num  int64
	str  string
	list any
}

func (v value) same(w value) bool { return v.num == w.num && v.str == w.str }

// Values are the values of all directives at one moment. They never change, so
// a caller that reads several takes them from one Values to have them agree.
type Values struct{ all []value }

func (v *Values) clone() *Values { return &Values{all: append([]value(nil), v.all...)} }

// Int is a number, a memory size, the number of a choice (see the constants
// beside the row) or a set of flags.
func (v *Values) Int(d *Directive) int64 {
	if invariants.Enabled {
		mustBe(d, isNumeric(d.kind), "a number")
	}
	return v.all[d.index].num
}

// Bool is a yes/no directive.
func (v *Values) Bool(d *Directive) bool {
	if invariants.Enabled {
		_, ok := d.kind.(*boolKind)
		mustBe(d, ok, "a switch")
	}
	return v.all[d.index].num != 0
}

// String is the value as CONFIG GET shows it; for a directive that is a string
// it is the string.
func (v *Values) String(d *Directive) string { return d.kind.text(v.all[d.index]) }

// Path is a file name relative to `dir`, made absolute; "" when not set.
func (v *Values) Path(d *Directive) string {
	name := v.String(d)
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(v.String(Dir), name)
}

// Save are the points at which a snapshot is due.
func (v *Values) Save() []SavePoint { return list[[]SavePoint](v, Save) }

// Bind are the addresses to listen on.
func (v *Values) Bind() []string { return list[[]string](v, Bind) }

// Percentiles are those that the latency statistics show, from 0 to 100.
func (v *Values) Percentiles() []float64 { return list[[]float64](v, LatencyTrackingInfoPercentiles) }

// OutputLimits are the output buffer limits by ClientClass.
func (v *Values) OutputLimits() OutputLimits { return list[OutputLimits](v, ClientOutputBufferLimit) }

// OOMScores are the scores of a primary, a replica and a background child.
func (v *Values) OOMScores() [3]int { return list[[3]int](v, OOMScoreAdjValues) }

// Primary is the host and port that `replicaof` names; ok is false on a primary.
func (v *Values) Primary() (p Primary, ok bool) {
	p, ok = v.all[ReplicaOf.index].list.(Primary)
	return p, ok
}

// list is the structured value of a directive with parts; nil parts are the zero T.
func list[T any](v *Values, d *Directive) T {
	t, _ := v.all[d.index].list.(T)
	return t
}

func mustBe(d *Directive, ok bool, what string) {
	invariants.Check(ok, "directive %s is read as %s but is %s", d.name, what, d.kind.describe())
}
