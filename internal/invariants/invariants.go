// Package invariants holds the checks that are too dear for production.
//
// Code asks `if invariants.Enabled { ... }`; Enabled is a constant, so that the
// compiler drops the check from ordinary builds. A broken invariant is never an
// error to handle: it is a bug, and Failf stops the process with what is known.
package invariants

import "fmt"

// Broken is the value that Failf panics with, so that a crash report can tell a
// broken invariant from any other panic.
type Broken struct{ Message string }

func (b Broken) Error() string { return "broken invariant: " + b.Message }

// Failf reports a broken invariant. It does not return.
func Failf(format string, args ...any) {
	panic(Broken{Message: fmt.Sprintf(format, args...)})
}

// Check fails with the message unless ok holds. Callers on a hot path guard it
// with Enabled, since the arguments are evaluated either way.
func Check(ok bool, format string, args ...any) {
	if !ok {
		Failf(format, args...)
	}
}
