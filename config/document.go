package config

import (
	"fmt"
	"slices"
	"strings"
)

// Document is a configuration file with every directive that is not hidden: what
// it is for, what it accepts, and a line that sets its default. Those lines are
// comments, so that the file as it is changes nothing.
func (c *Config) Document() string {
	var b strings.Builder
	b.WriteString(documentHead)
	for s := range numSections {
		fmt.Fprintf(&b, "\n# === %s ===\n", s)
		for _, d := range directives.rows {
			if d.section == s && !d.Has(Hidden) {
				c.documentRow(&b, d)
			}
		}
	}
	b.WriteString("\n# === only in files ===\n")
	for _, name := range fileOnlyNames() {
		fmt.Fprintf(&b, "\n# %s: %s\n", name, fileOnlyDirectives[name].doc)
	}
	return b.String()
}

const documentHead = `# Configuration of a Dozo server. The directives and their syntax are those of
# Redis 7.2. Each is shown with its default, as a comment.
#
# Memory sizes take units in any case: 1k is 1000 bytes, 1kb is 1024, and so on
# with m, mb, g and gb. A value with blanks is written in double quotes.
`

func fileOnlyNames() []string {
	var names []string
	for name := range fileOnlyDirectives {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (c *Config) documentRow(b *strings.Builder, d *Directive) {
	fmt.Fprintf(b, "\n# %s\n# Accepts: %s.\n", d.doc, d.kind.describe())
	if d.alias != "" {
		fmt.Fprintf(b, "# Also known as %s.\n", d.alias)
	}
	if d.unused != "" {
		fmt.Fprintf(b, "# Without effect in Dozo: %s\n", d.unused)
	}
	def := c.defaults.all[d.index]
	lines := d.kind.lines(d.name, def, def)
	if len(lines) == 0 {
		lines = oneLine(d.name, c.documentDefault(d), false)
	}
	for _, l := range lines {
		fmt.Fprintf(b, "# %s\n", l.text)
	}
}

// documentDefault is for what a rewritten file has no line for: not set, or the
// default addresses.
func (c *Config) documentDefault(d *Directive) string {
	switch {
	case d == ReplicaOf:
		return "no one"
	case d.def == "":
		return `""`
	}
	return d.def
}
