package config

import (
	"strings"

	"dozo/text"
)

// Get is CONFIG GET: the directives that the names or glob patterns select, each
// once, in the order of the table within each pattern. A plain name comes back as
// it was asked for, in its upper or lower case; one that is an alias comes back
// as the alias. Patterns do not select hidden directives.
func (c *Config) Get(patterns ...string) []Pair {
	v := c.running.Load()
	var out []Pair
	seen := make(map[string]bool)
	add := func(d *Directive, name string) {
		if key := strings.ToLower(name); !seen[key] {
			seen[key] = true
			out = append(out, Pair{name, v.String(d)})
		}
	}
	for _, p := range patterns {
		if strings.ContainsAny(p, "[*?") {
			eachMatch(p, add)
		} else if d := Lookup(p); d != nil {
			add(d, p)
		}
	}
	return out
}

func eachMatch(pattern string, add func(d *Directive, name string)) {
	p := []byte(pattern)
	for _, d := range directives.rows {
		if d.Has(Hidden) {
			continue
		}
		for _, name := range [...]string{d.name, d.alias} {
			if name != "" && text.Match(p, []byte(name), true) {
				add(d, name)
			}
		}
	}
}

// DebugInfo are the directives that matter for a crash report, as file lines.
func (c *Config) DebugInfo() string {
	v := c.running.Load()
	var b strings.Builder
	for _, d := range directives.rows {
		if !d.Has(Debug) {
			continue
		}
		for _, l := range d.kind.lines(d.name, v.all[d.index], c.defaults.all[d.index]) {
			b.WriteString(l.text + "\n")
		}
	}
	return b.String()
}
