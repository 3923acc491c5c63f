package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"dozo/text"
)

// The overlay file holds what CONFIG SET has changed, with config-set-persist,
// where the configuration file cannot take it: it is read-only, it was put there
// by a deployment (a symbolic link, a file of a mounted ConfigMap), or the command
// line says something else, which would win. It lies in `dir`, as the file and the
// command line have that, where the server may write anyway.
//
// It is read last, over the file and over the command line: what a client was told
// is kept is in force after a restart. But then somebody edits the file, or the
// start script, and would wonder why it has no effect, which is how settings drift
// apart unseen. So each line says over what value it was written, and holds only as
// long as that is what lies below it. Whoever changed it last wins: an edit sets
// the line aside, with a warning, until the next CONFIG SET of that directive; and
// a line set aside is deleted when the file is written next.
//
// The first line says to what configuration file the overlay belongs; a server
// with another one, or none, in the same folder does not start. A file that was
// edited by hand into nonsense stops the start as well, naming the line.
//
// LIMITATIONS: an overlay is looked for if there is a configuration file, or if
// config-set-persist is on the command line. An edit that is taken back before any
// restart was never seen, and the line holds again.

// overlayName is the file's name within dir.
const overlayName = "dozo-overlay.conf"

const overlayHead = `# Written by CONFIG SET, since config-set-persist is on and the configuration file
# could not take the change. A line here is in force over the configuration file and
# the command line as long as those say what they said when it was written.
# CONFIG REWRITE moves the lines to the configuration file; to drop them, delete this
# file and restart.
`

// The comments of an overlay that have a meaning.
const (
	overlayOwner = "#for "
	overlayBase  = "#over "
)

// overlay is what an overlay file says.
type overlay struct {
	name  string        // "" where none is looked for
	owner string        // the configuration file that it belongs to
	lines []overlayLine // those in force
	aside []string      // about those that are not
}

// overlayLine is one value, and what it was before.
type overlayLine struct {
	d     *Directive
	value string // as CONFIG GET shows it
	base  string // what was below; of a secret only a trace
	from  string // where that came from
	set   string // when the value was set, and by whom
	line  int
}

// traceOf is what an overlay keeps of a value that it lies over.
func traceOf(d *Directive, v *Values) string {
	s := v.String(d)
	if d.Has(Sensitive) && s != "" {
		return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s)))
	}
	return s
}

// readOverlay puts the lines of the overlay that hold over what was read.
func (l *loader) readOverlay(s Sources) *Error {
	if s.NoOverlay || s.File == "" && !l.values.Bool(ConfigSetPersist) {
		return nil
	}
	l.overlay = overlay{name: l.overlayName(), owner: s.File}
	content, err := l.c.options.FS.ReadFile(l.overlay.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return l.fault(&Error{Source: l.overlay.name, Reason: systemError(err).Error(), opened: true})
	}
	lines, wrong := parseOverlay(l.overlay.name, l.overlay.owner, string(content))
	if wrong != nil {
		return l.fault(wrong)
	}
	below := l.values
	l.values = below.clone()
	for _, o := range lines {
		if err := l.overlayLine(o, below); err != nil {
			return l.fault(err)
		}
	}
	return nil
}

// overlayName is where the overlay is looked for.
func (r *reading) overlayName() string { return filepath.Join(r.values.String(Dir), overlayName) }

// overlayLine applies one line, or sets it aside.
func (l *loader) overlayLine(o overlayLine, below *Values) *Error {
	if traceOf(o.d, below) != o.base {
		l.overlay.aside = append(l.overlay.aside, fmt.Sprintf("%s, line %d, is not in force: %s was changed below it, at %s, since CONFIG SET. "+
			"Use CONFIG SET again if that is not what you want.", l.overlay.name, o.line, o.d.name, l.origins[o.d.index]))
		return nil
	}
	v, err := l.c.parse(l.values, o.d, splitWords(o.d, o.value))
	if err != nil {
		return &Error{Source: l.overlay.name, Line: o.line, Text: o.d.name, Reason: err.Error()}
	}
	l.values.all[o.d.index], l.origins[o.d.index] = v, Origin{l.overlay.name, o.line}
	l.overlay.lines = append(l.overlay.lines, o)
	return nil
}

// parseOverlay reads an overlay file. Anything but what String writes is an error.
func parseOverlay(name, owner, content string) (lines []overlayLine, wrong *Error) {
	var below []string // the words of the last #over
	owned := false
	for i, s := range strings.Split(content, "\n") {
		s = strings.TrimRight(s, "\r")
		fl := FileLine{Source: name, Line: i + 1, Text: s}
		switch {
		case strings.HasPrefix(s, overlayOwner):
			if words, ok := splitLine(s[len(overlayOwner):]); !ok || len(words) != 1 || words[0] != owner {
				return nil, fl.Wrong(fmt.Sprintf("this overlay belongs to a server with another configuration file than '%s': "+
					"delete it, or correct this line if it is the same server", owner))
			}
			owned = true
		case strings.HasPrefix(s, overlayBase):
			below, _ = splitLine(s[len(overlayBase):])
		case s == "" || s[0] == '#':
		default:
			o, why := parseOverlayLine(s, below)
			if why != "" || !owned {
				return nil, fl.Wrong(orElse(why, "the line '"+overlayOwner+"...' is missing: this file is for the server to write, not for editing"))
			}
			o.line, below = i+1, nil
			lines = append(lines, o)
		}
	}
	return lines, nil
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

func parseOverlayLine(s string, below []string) (o overlayLine, why string) {
	words, ok := splitLine(s)
	if !ok || len(words) != 2 {
		return o, "a directive and its value in quotes are expected"
	}
	d := Lookup(words[0])
	switch {
	case d == nil:
		return o, "there is no such directive"
	case d.Has(Immutable):
		return o, "CONFIG SET cannot have written this: it belongs in the configuration file"
	case len(below) != 4 || Lookup(below[0]) != d:
		return o, "the line '" + overlayBase + "...' before it is missing: this file is for the server to write, not for editing"
	}
	return overlayLine{d: d, value: words[1], base: below[1], from: below[2], set: below[3]}, ""
}

// String is the file.
func (o overlay) String() string {
	var b strings.Builder
	b.WriteString(overlayHead + overlayOwner + text.Quote(o.owner) + "\n")
	for _, l := range o.lines {
		fmt.Fprintf(&b, "%s%s %s %s %s\n", overlayBase, l.d.name, text.Quote(l.base), text.Quote(l.from), text.Quote(l.set))
		fmt.Fprintf(&b, "%s %s\n", l.d.name, text.Quote(l.value))
	}
	return b.String()
}

// with is the overlay with the value of d over what below has.
func (o overlay) with(d *Directive, v *Values, below *reading, set string) overlay {
	o = o.without(d)
	if v.all[d.index].same(below.values.all[d.index]) {
		return o
	}
	o.lines = append(o.lines, overlayLine{
		d: d, value: v.String(d), base: traceOf(d, below.values), from: below.origins[d.index].String(), set: set,
	})
	return o
}

func (o overlay) without(d *Directive) overlay {
	var kept []overlayLine
	for _, l := range o.lines {
		if l.d != d {
			kept = append(kept, l)
		}
	}
	o.lines = kept
	return o
}

func (o overlay) has(d *Directive) bool { return len(o.without(d).lines) < len(o.lines) }

// writeOverlay makes the file say what o says; one that says nothing goes.
func (c *Config) writeOverlay(o overlay) error {
	if len(o.lines) > 0 {
		return c.replaceFile(o.name, o.String(), newOverlayMode)
	}
	if err := c.options.FS.Remove(o.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return c.options.FS.SyncDir(filepath.Dir(o.name))
}

// utc is a time since the Unix epoch for people.
func utc(at time.Duration) string {
	return time.Unix(0, int64(at)).UTC().Format(time.RFC3339)
}

// describe names the caller for people.
func (w Caller) describe() string {
	if w.Addr == "" {
		return "the server itself"
	}
	s := "client " + w.Addr
	if w.Name != "" {
		s += " (" + w.Name + ")"
	}
	return s + " as user " + w.User
}
