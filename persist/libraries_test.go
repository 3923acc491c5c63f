package persist

import (
	"fmt"
	"strings"
	"testing"

	"dozo/rdb"
)

// TestLibraries: what FUNCTION commands of a log leave is what a genuine server has, each
// library once.
func TestLibraries(t *testing.T) {
	code := func(name, body string) string { return fmt.Sprintf("#!lua  name=%s\n%s", name, body) }
	e := rdb.NewEncoder(0, true)
	payload := e.AppendString([]byte{245}, []byte(code("b", "restored")))
	payload = e.AppendFooter(e.AppendString(append(payload, 245), []byte(code("c", strings.Repeat("-", 100)))), 0)
	var l libraries
	for _, step := range []struct {
		want string
		args []string
	}{
		{"a=1", []string{"LOAD", code("a", "1")}},
		{"a=1 b=1", []string{"load", code("b", "1")}},
		{"b=1 a=2", []string{"LOAD", "REPLACE", code("a", "2")}},
		{"b=1 a=2", []string{"DELETE", "none"}},
		{"a=2", []string{"DELETE", "b"}},
		{"a=2 b=restored c=" + strings.Repeat("-", 100), []string{"RESTORE", string(payload)}},
		{"b=restored c=" + strings.Repeat("-", 100), []string{"RESTORE", string(payload), "FLUSH"}},
		{"", []string{"FLUSH", "ASYNC"}},
	} {
		var words [][]byte
		for _, a := range step.args {
			words = append(words, []byte(a))
		}
		before := describe(l)
		next, ok := l.after(words)
		if got := describe(next); got != step.want || !ok || describe(l) != before {
			t.Errorf("%.40q: %q, and before %q; want %q", step.args, got, before, step.want)
		}
		l = next
	}
	for _, args := range [][][]byte{{[]byte("STATS")}, {}, {[]byte("RESTORE"), []byte("damaged")}} {
		if _, ok := l.after(args); ok {
			t.Errorf("%q was taken", args)
		}
	}
}

// describe names the libraries and what is in them.
func describe(l libraries) string {
	var words []string
	for _, code := range l {
		_, body, _ := strings.Cut(string(code), "\n")
		words = append(words, libraryName(code)+"="+body)
	}
	return strings.Join(words, " ")
}
