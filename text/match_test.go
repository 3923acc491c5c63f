package text

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		nocase     bool
		want       bool
	}{
		{"*", "abc", false, true}, {"*", "", false, false}, {"", "", false, true}, {"", "a", false, false}, {"a", "", false, false},
		{"h?llo", "hello", false, true}, {"h?llo", "hllo", false, false}, {"h*llo", "heeeello", false, true}, {"h*llo*", "hllo", false, true},
		{"h[ae]llo", "hallo", false, true}, {"h[ae]llo", "hillo", false, false}, {"h[^e]llo", "hello", false, false}, {"h[^e]llo", "hbllo", false, true},
		{"h[a-b]llo", "hbllo", false, true}, {"h[b-a]llo", "hallo", false, true}, {"h[a-b]llo", "hcllo", false, false},
		{`\*`, "*", false, true}, {`\*`, "a", false, false}, {`a\`, `a\`, false, true}, {`[\]]`, "]", false, true}, {`[\-a]`, "-", false, true},
		{"[a", "a", false, true}, {"[", "a", false, false}, {"[^", "a", false, true}, {"[]", "a", false, false}, {"[a-]", "b", false, false},
		{"ABC", "abc", true, true}, {"ABC", "abc", false, false}, {"[A-C]", "b", true, true}, {"a**b", "ab", false, true}, {"a*", "a", false, true},
		{"a*?", "a", false, false}, {"[a-z^]", "^", false, true}, {"[\x80-\xff]", "\x90", false, true}, {"[a-\xff]", "\xff", false, true},
	} {
		if got := Match([]byte(c.pattern), []byte(c.s), c.nocase); got != c.want {
			t.Errorf("Match(%q, %q, %v) = %v", c.pattern, c.s, c.nocase, got)
		}
	}
}

// TestMatchIsNotExponential: without the protection this takes centuries.
func TestMatchIsNotExponential(t *testing.T) {
	start := time.Now()
	pattern := []byte(strings.Repeat("a*", 400) + "b")
	if Match(pattern, []byte(strings.Repeat("a", 5000)), false) {
		t.Error("matched")
	}
	Match([]byte(strings.Repeat("*?", 5000)), []byte(strings.Repeat("a", 5000)), false)
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestMatchAgainstRedis(t *testing.T) {
	r, c := random(t), oracle(t)
	const alphabet = "abcAB*?[]^-\\\xe9\xff\x00"
	keys := map[string]bool{}
	for range 400 {
		if k := pick(r, alphabet, 6); k != "" {
			keys[k] = true
			c.MustOK("SET", k, "")
		}
	}
	for range 1500 {
		pattern := pick(r, alphabet+"**??[[]]", 9)
		var want []string
		for k := range keys {
			if pattern == "*" || Match([]byte(pattern), []byte(k), false) {
				want = append(want, k)
			}
		}
		got := c.MustOK("KEYS", pattern).Strings()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("KEYS %q: %q, here %q", pattern, got, want)
		}
	}
	names := c.MustOK("COMMAND", "LIST").Strings()
	for range 500 {
		pattern := pick(r, "GETseatZ*?[]^-", 7)
		var want []string
		for _, name := range names {
			if Match([]byte(pattern), []byte(name), true) {
				want = append(want, name)
			}
		}
		got := c.MustOK("COMMAND", "LIST", "FILTERBY", "PATTERN", pattern).Strings()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("COMMAND LIST %q: %q, here %q", pattern, got, want)
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add([]byte("a*[b-c]\\?"), []byte("abc?"))
	f.Fuzz(func(t *testing.T, pattern, s []byte) {
		Match(pattern, s, false)
		Match(pattern, s, true)
	})
}

func BenchmarkMatch(b *testing.B) {
	pattern, s := []byte("user:*:name"), []byte("user:1000:name")
	b.ReportAllocs()
	for b.Loop() {
		Match(pattern, s, false)
	}
}
