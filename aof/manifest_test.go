package aof

import (
	"errors"
	"strings"
	"testing"
)

func TestParseManifest(t *testing.T) {
	long := "file " + strings.Repeat("x", manifestLineMax) + " seq 1 type i\n"
	for _, c := range []struct{ text, want, line string }{
		{"", errManifestEmpty, ""},
		{"file a seq 1 type b\nfile b seq 1 type i\n", "", ""},
		{"# a comment\nfile a seq 1 type b\n", "", ""},
		{"# a comment without an end", "", ""},
		{"#" + strings.Repeat("c", manifestLineMax-2) + "\nfile a seq 1 type b\n", "", ""},
		{"FILE a SEQ 1 Type b\n", "", ""},
		{"  file a\tseq 1 type b  \r\n", "", ""},
		{"type base seq 7 file a\n", "", ""},
		{"file a seq 1 type b later field\n", "", ""},
		{`file "a b\x41" seq 1 type b` + "\n", "", ""},
		{"file a seq 12abc type b\n", "", ""},
		{"file a seq 1 type b", errManifestLongLine, ""},
		{long, errManifestLongLine, ""},
		{"\n", errManifestFormat, ""},
		{"file a seq 1 type b\n \nfile b seq 1 type i\n", errManifestFormat, ""},
		{"file a seq 1\n", errManifestFormat, "file a seq 1"},
		{"file a seq 1 type b more\n", errManifestFormat, "file a seq 1 type b more"},
		{`file "a seq 1 type b` + "\n", errManifestFormat, `file "a seq 1 type b`},
		{"file a seq 0 type b\n", errManifestFormat, "file a seq 0 type b"},
		{"file a seq x type b\n", errManifestFormat, "file a seq x type b"},
		{"file a seq 1 type \"\"\n", errManifestFormat, `file a seq 1 type ""`},
		{"name a seq 1 type b\n", errManifestFormat, "name a seq 1 type b"},
		{"file a/b seq 1 type b\n", errManifestPath, "file a/b seq 1 type b"},
		{`file "a\\b" seq 1 type b` + "\n", errManifestPath, `file "a\\b" seq 1 type b`},
		{"file a seq 1 type b\nfile b seq 2 type b\n", errManifestTwoBases, "file b seq 2 type b"},
		{"file a seq 2 type i\nfile b seq 2 type i\n", errManifestSequence, "file b seq 2 type i"},
		{"file a seq -1 type i\n", errManifestSequence, "file a seq -1 type i"},
		{"file a seq 1 type x\n", errManifestType, "file a seq 1 type x"},
	} {
		_, err := ParseManifest([]byte(c.text))
		var m *ManifestError
		if c.want == "" && err == nil {
			continue
		}
		if !errors.As(err, &m) || m.What != c.want || c.line != "" && m.Text != c.line {
			t.Errorf("%q: %v, want %q of line %q", c.text, err, c.want, c.line)
		}
	}
}

func TestManifestRoundTrip(t *testing.T) {
	const given = "file a.2.base.rdb seq 2 type b\n" +
		"file a.1.incr.aof seq 1 type h\n" +
		"file \"with space\\x01\\\"\" seq 4 type i\nfile a.5.incr.aof seq 5 type i\n"
	m, err := ParseManifest([]byte(given))
	must(t, err)
	if got := string(m.AppendText(nil)); got != given {
		t.Errorf("written as\n%swant\n%s", got, given)
	}
	if m.Incr[0].Name != "with space\x01\"" {
		t.Errorf("the quoted name is %q", m.Incr[0].Name)
	}
}

// TestManifestSteps walks through the life of a set, in Redis' order of lines.
func TestManifestSteps(t *testing.T) {
	taken := map[string]bool{"a.3.incr.aof": true}
	is := func(name string) bool { return taken[name] }
	m := &Manifest{}
	m.addBase("a", true, is)
	m.addIncr("a", is)
	m.addIncr("a", is)
	third := m.addIncr("a", is)
	if third.Name != "a.4.incr.aof" || third.Seq != 4 {
		t.Errorf("a name that is taken was not passed over: %+v", third)
	}
	c := m.clone()
	c.addBase("a", false, is)
	c.retireIncr(4)
	const want = "file a.2.base.aof seq 2 type b\n" +
		"file a.1.incr.aof seq 1 type h\nfile a.2.incr.aof seq 2 type h\nfile a.1.base.rdb seq 1 type h\n" +
		"file a.4.incr.aof seq 4 type i\n"
	if got := string(c.AppendText(nil)); got != want {
		t.Errorf("after a rewrite\n%swant\n%s", got, want)
	}
	const before = "file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\nfile a.2.incr.aof seq 2 type i\nfile a.4.incr.aof seq 4 type i\n"
	if got := string(m.AppendText(nil)); got != before {
		t.Errorf("the copy's changes are in the original:\n%s", got)
	}
}

func FuzzManifest(f *testing.F) {
	f.Add("file a seq 1 type b\nfile \"b c\" seq 1 type i\n#x\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseManifest([]byte(text))
		if err != nil || len(m.live())+len(m.History) == 0 {
			return
		}
		again, err := ParseManifest(m.AppendText(nil))
		if err != nil && !strings.Contains(err.Error(), errManifestLongLine) {
			t.Fatalf("%q was written as %q, which is refused: %v", text, m.AppendText(nil), err)
		}
		if err == nil && string(again.AppendText(nil)) != string(m.AppendText(nil)) {
			t.Fatalf("%q changes on the way", text)
		}
	})
}
