// Package text holds the text forms that a Redis user sees: how numbers are read
// and printed, how a glob pattern matches, how an inline command is split into
// arguments and how a byte string is quoted, and the common subsequence of LCS.
//
// Everything here is a pure function of its arguments, over plain bytes. What
// makes the package necessary is that the forms are those of a C program: strict
// integers, strtod's floats, 80-bit long doubles printed with %.17Lf, a shortest
// double that is Grisu's and not Ryu's. Clients, files and digests see the
// difference of one digit, so "nearly the same" is a bug.
//
// Units: lengths are bytes. Errors: a reader returns ok=false and never panics;
// the caller owns the words of the reply. Functions called Append... add to dst
// and allocate only when dst is full.
//
// Invariants: ParseInt(AppendInt(v)) is v and any other spelling of v is
// refused; ParseFloat(AppendDouble(v)) is v for every v but NaN.
package text
