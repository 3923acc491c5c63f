package config

import (
	"fmt"
	"strings"

	"dozo/env"
)

// refusal is why something is refused, in the words that Redis has for it.
type refusal string

func (r refusal) Error() string { return string(r) }

const errNotDirectory = refusal("Not a directory")

// Error is a mistake in a file, on standard input or on the command line.
type Error struct {
	Source string // the file's name, "standard input" or "command line"
	Line   int    // from 1; 0 when the mistake is not in a line
	Text   string // the line without surrounding blanks
	Reason string
	opened bool   // the file could not be opened
	by     Origin // ... and is included here, if that is a line
}

// Error is the mistake in one line.
func (e *Error) Error() string {
	switch {
	case e.opened:
		return fmt.Sprintf("can't open config file '%s': %s", e.Source, e.Reason)
	case e.Line == 0:
		return e.Reason
	}
	return fmt.Sprintf("%s, line %d: '%s': %s", e.Source, e.Line, e.Text, e.Reason)
}

// Locate is the mistake as compilers print theirs: file:line: reason.
func (e *Error) Locate() string {
	switch {
	case e.by.Line > 0:
		return fmt.Sprintf("%s: can't open included file '%s': %s", e.by, e.Source, e.Reason)
	case e.Line == 0:
		return fmt.Sprintf("%s: %s", e.Source, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %s: '%s'", e.Source, e.Line, e.Reason, e.Text)
}

// Report is what Redis prints on standard error before it gives up, and the name
// of the file.
func (e *Error) Report(version string) string {
	if e.opened {
		return fmt.Sprintf("Fatal error, can't open config file '%s': %s\n", e.Source, e.Reason)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n*** FATAL CONFIG FILE ERROR (Redis %s) ***\n", version)
	if e.Line > 0 {
		fmt.Fprintf(&b, "Reading the configuration file, at line %d\n>>> '%s'\n", e.Line, e.Text)
	}
	fmt.Fprintf(&b, "%s\n", e.Reason)
	if e.Line > 0 {
		fmt.Fprintf(&b, "(in %s)\n", e.Source)
	}
	return b.String()
}

// systemError is a file error in the words that Redis' users know from
// strerror: the bare cause, with a capital.
func systemError(err error) error { return refusal(env.Reason(err)) }
