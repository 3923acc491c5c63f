package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestRowsAreSound(t *testing.T) {
	c := New(Options{FS: newMemFS()})
	for _, d := range All() {
		if d.Doc() == "" || !strings.HasSuffix(d.Doc(), ".") {
			t.Errorf("%s: the documentation %q is no sentence", d.Name(), d.Doc())
		}
		if Lookup(strings.Fields(d.Doc())[0]) != nil {
			t.Errorf("%s: in a document its documentation would look like a setting", d.Name())
		}
		if (d.Meaning() == NoMeaning) != (d.Reason() != "") {
			t.Errorf("%s: meaning and reason disagree", d.Name())
		}
		if d.Name() != strings.ToLower(d.Name()) {
			t.Errorf("%s: not in lower case", d.Name())
		}
		if Lookup(strings.ToUpper(d.Name())) != d || d.Alias() != "" && Lookup(d.Alias()) != d {
			t.Errorf("%s: cannot be found", d.Name())
		}
		if d.Default() == "" {
			continue
		}
		v, err := c.parse(c.defaults, d, splitWords(d, d.Default()))
		if err != nil {
			t.Errorf("%s: its default %q is refused: %v", d.Name(), d.Default(), err)
		}
		if got := d.kind.text(v); got != d.Default() {
			t.Errorf("%s: its default %q is shown as %q", d.Name(), d.Default(), got)
		}
	}
	if Lookup("no-such-directive") != nil {
		t.Error("found a directive that there is not")
	}
}

// samples are values that d accepts, each in the form that CONFIG GET shows.
func samples(d *Directive) []string {
	switch k := d.kind.(type) {
	case *boolKind:
		if k.refuse != "" {
			return []string{"no"}
		}
		return []string{"yes", "no"}
	case *choiceKind:
		return choiceSamples(k)
	case *numberKind:
		return numberSamples(k)
	case *stringKind:
		return stringSamples(k)
	case saveKind:
		return []string{"", "900 1", "3600 1 300 100 60 10000"}
	case outputLimitKind:
		return []string{
			"normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
			"normal 1 2 3 slave 4 5 6 pubsub 7168 8 9",
		}
	case oomScoreKind:
		return []string{"0 200 800", "-2000 0 2000"}
	case bindKind:
		return []string{"", "127.0.0.1", "* -::*", "10.0.0.1 -::1 example.org"}
	case replicaOfKind:
		return []string{"10.0.0.1 6379", ""}
	case percentileKind:
		return []string{"", "0 50 99.9 99.9999 100"}
	case eventKind:
		return []string{"", "A", "AKE", "g$lshzxetnKEm", "AnKEm", "xeK"}
	case dirKind:
		return []string{"/data", "/data/more"}
	}
	panic("no samples for " + d.kind.describe())
}

func choiceSamples(k *choiceKind) (words []string) {
	for _, c := range k.choices {
		if c.word != "relative" { // shown as yes
			words = append(words, c.word)
		}
	}
	if k.set {
		words = append(words, "nosave now force", "save force")
	}
	return words
}

func numberSamples(k *numberKind) (texts []string) {
	for _, n := range []int64{k.lo, k.hi, k.lo/2 + k.hi/2, max(k.lo, 1), max(k.lo, 3<<20)} {
		if n <= k.hi && (k.form != memoryOrPercent || n >= k.lo) {
			if k.hold != nil {
				n = k.hold(n)
			}
			texts = append(texts, k.text(value{num: n}))
		}
	}
	if k.wide {
		texts = append(texts, "18446744073709551615", "9223372036854775808")
	}
	return texts
}

func stringSamples(k *stringKind) (texts []string) {
	for _, s := range []string{"", "plain", "two words", `quo"te \ back`, "tab\tnew\nline\x00\xff", "{title}", " ends ", "#hash", "a'b"} {
		if k.check == nil || k.check(s) == nil {
			texts = append(texts, s)
		}
	}
	return texts
}

// assignText sets a directive by way of its text, as CONFIG SET does, but in spite
// of its flags.
func assignText(c *Config, d *Directive, text string) error {
	if d == ReplicaOf && text == "" {
		text = "no one"
	}
	return c.Update(d, text)
}

// TestEveryRowRoundTrips sets each row to each sample, reads it back, rewrites
// the file and loads that.
func TestEveryRowRoundTrips(t *testing.T) {
	for _, d := range All() {
		for _, s := range samples(d) {
			t.Run(fmt.Sprintf("%s=%q", d.Name(), s), func(t *testing.T) { roundTrip(t, d, s) })
		}
	}
}

func roundTrip(t *testing.T, d *Directive, sample string) {
	c, m := withFile(t, "# mine\nport 1234\n")
	if err := assignText(c, d, sample); err != nil {
		t.Fatal(err)
	}
	got := c.Get(d.Name())
	if len(got) != 1 || got[0].Value != sample {
		t.Fatalf("GET after SET of %q: %q", sample, got)
	}
	if err := assignText(c, d, got[0].Value); err != nil || c.String(d) != sample {
		t.Fatalf("SET of what GET showed: %q, %v", c.String(d), err)
	}
	if err := c.Rewrite(); err != nil {
		t.Fatal(err)
	}
	file := m.files["/etc/dozo.conf"]
	again := New(Options{FS: m, WorkDir: "/data"})
	if err := again.Load(Sources{File: "/etc/dozo.conf"}); err != nil {
		t.Fatalf("%v, in\n%s", err, file)
	}
	for _, e := range All() {
		if c.String(e) != again.String(e) {
			t.Errorf("%s was %q and is %q after a restart from\n%s", e.Name(), c.String(e), again.String(e), file)
		}
	}
	if err := again.Rewrite(); err != nil || m.files["/etc/dozo.conf"] != file {
		t.Errorf("a second rewrite changed the file to\n%s (%v)\nfrom\n%s", m.files["/etc/dozo.conf"], err, file)
	}
	if drift, err := c.Drift(); err != nil || len(drift) > 0 {
		t.Errorf("drift after a rewrite: %v, %v", drift, err)
	}
}

func TestEveryModifiableRowIsSetByItsNames(t *testing.T) {
	for _, d := range All() {
		c, _ := withFile(t, "")
		s := samples(d)[0]
		for _, name := range []string{d.Name(), d.Alias()} {
			if name == "" {
				continue
			}
			err := c.Set([]Pair{{strings.ToUpper(name), s}}, Caller{})
			if locked := d.Flags()&(Immutable|Protected) != 0; locked == (err == nil) {
				t.Errorf("SET %s %q: %v", name, s, err)
			}
		}
	}
}

func TestDocumentSaysTheDefaults(t *testing.T) {
	c, m := withFile(t, "")
	doc := c.Document()
	var b strings.Builder
	for line := range strings.SplitSeq(doc, "\n") {
		setting, comment := strings.CutPrefix(line, "# ")
		name, _, _ := strings.Cut(setting, " ")
		if d := Lookup(name); comment && d != nil {
			b.WriteString(setting + "\n")
		}
	}
	for _, d := range All() {
		if shown := strings.Contains(b.String(), d.Name()+" "); shown == d.Has(Hidden) {
			t.Errorf("%s: in the document: %v", d.Name(), shown)
		}
	}
	for _, content := range []string{doc, b.String()} {
		m.files["/etc/all.conf"] = content
		other := New(Options{FS: m, WorkDir: "/data"})
		if err := other.Load(Sources{File: "/etc/all.conf"}); err != nil {
			t.Fatal(err)
		}
		for _, d := range All() {
			if other.String(d) != c.Default(d) {
				t.Errorf("%s: the document makes it %q, the default is %q", d.Name(), other.String(d), c.Default(d))
			}
		}
	}
}

// TestTableOrder: CONFIG GET, appended lines and reports follow the table, so its
// order must be that of the source, section by section.
func TestTableOrder(t *testing.T) {
	var sections []Section
	for i, d := range All() {
		if i == 0 || d.Section() != All()[i-1].Section() {
			sections = append(sections, d.Section())
		}
	}
	if len(sections) != int(numSections) || All()[0] != Bind || All()[1] != BindSourceAddr {
		t.Errorf("the table is not in the order of the source: %v", sections)
	}
}

func TestSectionsHaveRowsAndNames(t *testing.T) {
	for s := range numSections {
		if s.String() == "" || !slices.ContainsFunc(All(), func(d *Directive) bool { return d.Section() == s }) {
			t.Errorf("section %d %q is without rows or name", s, s)
		}
	}
}
