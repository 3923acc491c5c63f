package importer

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Summary is what was done.
type Summary struct {
	Types     map[string]int64 `json:"types"` // keys that were written, by type
	Keys      int64            `json:"keys"`
	Bytes     int64            `json:"bytes"` // of the source
	Commands  int64            `json:"commands"`
	Expired   int64            `json:"expired"`  // left out since their time was over
	Same      int64            `json:"same"`     // there before with the same value
	Existing  int64            `json:"existing"` // there before, and left as they were
	Unwanted  int64            `json:"unwanted"` // by --match, --type, --db
	Taken     int64            `json:"taken"`    // apart, into commands
	Errors    int64            `json:"errors"`
	ErrorList []string         `json:"error_list"` // the first errorsMax of them
	Notes     []string         `json:"notes"`
}

// errorsMax is how many errors are listed one by one.
const errorsMax = 100

// wrote counts a key.
func (s *Summary) wrote(typeName string) {
	if s.Types == nil {
		s.Types = map[string]int64{}
	}
	s.Types[typeName]++
	s.Keys++
}

// failed counts an error and lists it, if there are not too many.
func (s *Summary) failed(format string, args ...any) {
	if s.Errors++; s.Errors <= errorsMax {
		s.ErrorList = append(s.ErrorList, fmt.Sprintf(format, args...))
	}
}

// Print tells it to people.
func (s *Summary) Print(w io.Writer) {
	types := slices.Sorted(maps.Keys(s.Types))
	for i, name := range types {
		types[i] = fmt.Sprintf("%s %d", name, s.Types[name])
	}
	by := ""
	if len(types) > 0 {
		by = " (" + strings.Join(types, ", ") + ")"
	}
	fmt.Fprintf(w, "%d keys written%s, %d commands run, %s read\n", s.Keys, by, s.Commands, bytesText(s.Bytes))
	for _, line := range []struct {
		n    int64
		what string
	}{
		{s.Taken, "values were sent as commands, which the target could not restore as they were"},
		{s.Same, "keys were there with the same value"},
		{s.Existing, "keys were there and were left as they were"},
		{s.Expired, "keys were left out: their time is over"},
		{s.Unwanted, "keys were left out: not asked for"},
	} {
		if line.n > 0 {
			fmt.Fprintf(w, "%d %s\n", line.n, line.what)
		}
	}
	for _, n := range s.Notes {
		fmt.Fprintln(w, n)
	}
	if s.Errors > 0 {
		fmt.Fprintf(w, "%d errors:\n  %s\n", s.Errors, strings.Join(s.ErrorList, "\n  "))
		if more := s.Errors - int64(len(s.ErrorList)); more > 0 {
			fmt.Fprintf(w, "  and %d more\n", more)
		}
	}
}

// bytesText is a size for people to read.
func bytesText(n int64) string {
	f, unit := float64(n), 0
	for f >= 1024 && unit < 4 {
		f /= 1024
		unit++
	}
	if unit == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGT"[unit-1])
}
