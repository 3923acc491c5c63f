package command

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"dozo/internal/testutil"
	"dozo/text"
)

// The file testdata/introspection.txt holds blocks of
//
//	run [proto=3] [ours]   commands for the table of demo_test.go, one a line
//
// answered by their replies. Those of blocks without ours are compared with a
// genuine redis-server's, but for the notes, if there is one; a line that begins
// with ! is left out.
func TestIntrospection(t *testing.T) {
	table := demoTable(t)
	var oracle *testutil.Server
	if _, err := testutil.Oracle(); err == nil {
		oracle = testutil.StartRedis(t)
	}
	datadriven.RunTest(t, "testdata/introspection.txt", func(t *testing.T, d *datadriven.TestData) string {
		proto := 2
		d.MaybeScanArgs(t, "proto", &proto)
		var real *testutil.Peer
		if oracle != nil && !d.HasArg("ours") {
			real = oracle.Conn(t, proto)
		}
		var b strings.Builder
		for line := range strings.Lines(d.Input) {
			line, ours := strings.CutPrefix(strings.TrimSpace(line), "!")
			words := splitLine(t, line)
			reply := parse(t, call(table, proto, words...))
			b.WriteString(render(reply))
			if real == nil || ours {
				continue
			}
			if got, want := render(withoutNotes(reply)), render(withoutNotes(real.Do(words...))); got != want {
				t.Errorf("%s: %q replies\n%sa genuine server\n%s", d.Pos, line, got, want)
			}
		}
		return b.String()
	})
}

func splitLine(t *testing.T, line string) (out []string) {
	words, ok := text.SplitArgs([]byte(line))
	if !ok {
		t.Fatalf("cannot split %q", line)
	}
	for _, w := range words {
		out = append(out, string(w))
	}
	return out
}

func parse(t *testing.T, raw []byte) testutil.Value {
	t.Helper()
	v, err := testutil.Parse(raw)
	if err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	return v
}

// withoutNotes drops the remarks of key specs, which are everybody's own.
func withoutNotes(v testutil.Value) testutil.Value {
	var elems []testutil.Value
	for i := 0; i < len(v.Elems); i++ {
		if v.Elems[i].Kind == '$' && v.Elems[i].Str == "notes" {
			i++
			continue
		}
		elems = append(elems, withoutNotes(v.Elems[i]))
	}
	v.Elems = elems
	return v
}

// render shows a reply with all its types. Aggregates of plain values stand on
// one line.
func render(v testutil.Value) string {
	var b strings.Builder
	show(&b, v, "")
	return b.String()
}

func show(b *strings.Builder, v testutil.Value, indent string) {
	if line, ok := showLine(v); ok {
		b.WriteString(indent + line + "\n")
		return
	}
	fmt.Fprintf(b, "%s%c\n", indent, v.Kind)
	for i := 0; i < len(v.Elems); i++ {
		line, ok := showLine(v.Elems[i])
		if v.Kind != '%' || i+1 == len(v.Elems) || !ok {
			show(b, v.Elems[i], indent+"  ")
			continue
		}
		i++
		if value, ok := showLine(v.Elems[i]); ok {
			b.WriteString(indent + "  " + line + " = " + value + "\n")
			continue
		}
		b.WriteString(indent + "  " + line + " =\n")
		show(b, v.Elems[i], indent+"    ")
	}
}

// showLine shows values that fit on one line.
func showLine(v testutil.Value) (string, bool) {
	switch {
	case v.Null:
		return string(v.Kind) + "-1", true
	case v.Kind == '$':
		return text.Quote(v.Str), true
	case strings.IndexByte("*%~>", v.Kind) < 0:
		return string(v.Kind) + v.Str, true
	}
	var parts []string
	for _, e := range v.Elems {
		if strings.IndexByte("*%~>", e.Kind) >= 0 && len(e.Elems) != 0 {
			return "", false
		}
		part, _ := showLine(e)
		parts = append(parts, part)
	}
	line := string(v.Kind) + "[" + strings.Join(parts, " ") + "]"
	return line, len(line) <= 100
}

func TestCommandDescribesAll(t *testing.T) {
	table := demoTable(t)
	all := parse(t, call(table, 3, "COMMAND"))
	if len(all.Elems) != len(table.Commands()) {
		t.Errorf("COMMAND describes %d commands", len(all.Elems))
	}
	for i, c := range table.Commands() {
		if one := parse(t, call(table, 3, "COMMAND", "INFO", c.Name)); render(one.Elems[0]) != render(all.Elems[i]) {
			t.Errorf("COMMAND describes %s otherwise than COMMAND INFO", c.Name)
		}
	}
	if info := parse(t, call(table, 3, "COMMAND", "INFO")); render(info) != render(all) {
		t.Error("COMMAND INFO without names is not COMMAND")
	}
	docs := parse(t, call(table, 3, "COMMAND", "DOCS"))
	if len(docs.Elems) != 2*len(table.Commands()) {
		t.Errorf("COMMAND DOCS describes %d commands", len(docs.Elems)/2)
	}
}

// TestTokensOfDocs: COMMAND DOCS shows tokens in capitals, as 7.2 does, also where people
// write them small.
func TestTokensOfDocs(t *testing.T) {
	table, err := NewTable(Introspection, []Spec{{Name: "FAR", Since: "1.0.0", Complexity: "O(1)", Summary: "Tells.", Syntax: "word:string unit=<'m' | 'km'>", Handler: demo[0].Handler, Group: Generic}})
	if err != nil {
		t.Fatal(err)
	}
	docs := string(call(table, 3, "COMMAND", "DOCS", "FAR"))
	if !strings.Contains(docs, "$2\r\nKM\r\n") {
		t.Errorf("COMMAND DOCS: %q", docs)
	}
}
