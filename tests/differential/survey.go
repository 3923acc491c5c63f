package differential

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// survey collects differences of replies by kind instead of stopping at the first,
// for a server that still has many: the counts say what to mend first. What a
// difference does to later replies counts as well, so only the first example of a
// kind is worth reading.
type survey map[string]*finding

type finding struct {
	count int
	first Difference
	where string
	short *History // cut down, nil before
}

// variable is what two differences of one kind may have different.
var variable = regexp.MustCompile(`'[^']*'|"[^"]*"|-?\d+`)

// kind sums up a difference: the command, and both replies without their values.
func (d *Difference) kind(command string) string {
	return command + ": " + outline(d.Oracle) + " / " + outline(d.Dozo)
}

func outline(reply string) string {
	text := variable.ReplaceAllString(reply, "_")
	if !strings.HasPrefix(text, "(error)") && len(text) > 20 {
		text = text[:20]
	}
	return text
}

func (s survey) add(command, where string, d *Difference) {
	kind := d.kind(command)
	if s[kind] == nil {
		s[kind] = &finding{first: *d, where: where}
	}
	s[kind].count++
}

// String lists the kinds, the most frequent first.
func (s survey) String() string {
	kinds := sortedKeys(s)
	slices.SortStableFunc(kinds, func(a, b string) int { return cmp.Compare(s[b].count, s[a].count) })
	var b strings.Builder
	for _, kind := range kinds {
		f := s[kind]
		fmt.Fprintf(&b, "%d times %s\n  first in %s, %v\n", f.count, kind, f.where, &f.first)
		if f.short != nil {
			fmt.Fprintf(&b, "%v\n", f.short)
		}
	}
	return b.String()
}

// cutDown shortens the history of each kind that it is the first for.
func (p *Pair) cutDown(h *History) error {
	for _, kind := range sortedKeys(p.survey) {
		f := p.survey[kind]
		if f.short != nil || f.where != h.Name {
			continue
		}
		short, err := p.MinimiseKind(h, kind, f.first.Step)
		if err != nil {
			return err
		}
		f.short = short
	}
	return nil
}
