package config

import (
	"strings"
	"testing"

	"dozo/env"
)

// fresh is a Config on the real file system, in a folder of the test's own.
func fresh(t testing.TB) *Config {
	t.Helper()
	return New(Options{FS: env.Real().FS, WorkDir: t.TempDir(), Cores: 1,
		Warn: func(m string) { t.Log("warning:", m) }})
}

func TestRowsAreSound(t *testing.T) {
	c := fresh(t)
	for _, d := range All() {
		if d.Doc() == "" || !strings.HasSuffix(d.Doc(), ".") {
			t.Errorf("%s: the documentation %q is no sentence", d.Name(), d.Doc())
		}
		if strings.HasPrefix(d.Doc(), d.Name()+" ") {
			t.Errorf("%s: in a document its documentation would look like a setting", d.Name())
		}
		if d.Name() != strings.ToLower(d.Name()) {
			t.Errorf("%s: not in lower case", d.Name())
		}
		if Lookup(strings.ToUpper(d.Name())) != d || d.Alias() != "" && Lookup(d.Alias()) != d {
			t.Errorf("%s: cannot be found", d.Name())
		}
		if d.def == "" || d == IOThreads {
			continue
		}
		if _, err := c.parse(c.defaults, d, splitWords(d, d.def)); err != nil {
			t.Errorf("%s: its default %q is refused: %v", d.Name(), d.def, err)
		}
	}
}
