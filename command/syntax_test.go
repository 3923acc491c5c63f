package command

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// The files testdata/syntax*.txt hold blocks of `parse` with a syntax, answered
// by its usage, its arity and its tree, or by the fault.
func TestSyntax(t *testing.T) {
	for _, file := range []string{"testdata/syntax.txt", "testdata/syntax_faults.txt"} {
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			args, err := ParseSyntax(d.Input)
			if err != nil {
				return err.Error() + "\n"
			}
			usage := Usage(args)
			checkUsage(t, usage, args)
			var b strings.Builder
			fmt.Fprintf(&b, "usage %s\narity %d\n", usage, arityOf(1, args))
			writeTree(&b, args, "  ")
			return b.String()
		})
	}
}

// checkUsage parses a usage line again: it is a syntax like any other.
func checkUsage(t *testing.T, usage string, args []Arg) {
	again, err := ParseSyntax(usage)
	switch {
	case err != nil:
		t.Errorf("usage: %v", err)
	case Usage(again) != usage:
		t.Errorf("usage %q becomes %q", usage, Usage(again))
	case arityOf(1, again) != arityOf(1, args):
		t.Errorf("usage %q has arity %d instead of %d", usage, arityOf(1, again), arityOf(1, args))
	}
}

func writeTree(b *strings.Builder, args []Arg, indent string) {
	for i := range args {
		a := &args[i]
		fmt.Fprintf(b, "%s%s %s", indent, a.Name, a.Type)
		if !a.nested() && a.Shown != a.Name {
			fmt.Fprintf(b, " shown=%s", a.Shown)
		}
		for _, field := range [][2]string{{"token", a.Token}, {"since", a.Since}, {"until", a.Until}} {
			if field[1] != "" {
				fmt.Fprintf(b, " %s=%s", field[0], field[1])
			}
		}
		for _, f := range a.flags() {
			b.WriteString(" " + f)
		}
		b.WriteByte('\n')
		writeTree(b, a.Args, indent+"  ")
	}
}

func TestBindKeys(t *testing.T) {
	for _, c := range []struct {
		syntax string
		keys   []KeySpec
		want   string
	}{
		{"key value", []KeySpec{At(1, RO)}, "1 0"},
		{"key1 key2 [LEN]", []KeySpec{Span(1, 1, 1, RO)}, "1 1 0"},
		{"destkey key [key ...]", []KeySpec{At(1, OW), Span(2, -1, 1, RO)}, "1 2"},
		{"key [STORE destination]", []KeySpec{At(1, RO)}, "1 1"},
		{"pattern", nil, "0"},
		{"key", nil, "0"},
		{"key [BY pattern] [GET pattern [GET pattern ...]] [STORE destination]",
			[]KeySpec{At(1, RO), {Flags: RO, Unknown: true}, {Flags: OW, Unknown: true}}, "1 2 2 3"},
		{"key [STORE storekey=key | STOREDIST storedistkey=key]",
			[]KeySpec{At(1, RO), After("STORE", 6, 0, 1, 0, OW), After("STOREDIST", 6, 0, 1, 0, OW)}, "1 0(2 3)"},
		{"STREAMS <key [key ...] id [id ...]>", []KeySpec{After("STREAMS", 1, -1, 1, 2, RO)}, "0(1 0)"},
	} {
		args, err := ParseSyntax(c.syntax)
		if err != nil {
			t.Fatal(err)
		}
		bindKeys(args, c.keys)
		if got := boundKeys(args); got != c.want {
			t.Errorf("%s: %s, want %s", c.syntax, got, c.want)
		}
	}
}

func boundKeys(args []Arg) string {
	var parts []string
	for i := range args {
		part := fmt.Sprint(args[i].KeySpec)
		if args[i].nested() {
			part += "(" + boundKeys(args[i].Args) + ")"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " ")
}

// FuzzParseSyntax looks for texts that break the parser, or whose usage it does
// not understand.
func FuzzParseSyntax(f *testing.F) {
	for i := range demo {
		f.Add(demo[i].Syntax)
	}
	f.Add("[<GET <a b> | [OVERFLOW <WRAP | SAT>] <SET <a b c:integer>>> [...]] x='y'@1-@-2")
	f.Fuzz(func(t *testing.T, syntax string) {
		if len(syntax) > 1<<12 {
			return
		}
		args, err := ParseSyntax(syntax)
		if err != nil {
			return
		}
		if n := arityOf(1, args); n == 0 {
			t.Errorf("%q has arity 0", syntax)
		}
		usage := Usage(args)
		if len(args) != 0 && usage == "" {
			t.Errorf("%q has no usage", syntax)
		}
		bindKeys(args, []KeySpec{At(1, RO), {Flags: RO, Unknown: true}})
	})
}
