package differential

import (
	"math/rand/v2"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

// The tests of the harness itself run the oracle beside a second genuine server
// that lies in one known way.

func liar(t *testing.T, config ...string) *Pair {
	t.Helper()
	o, err := testutil.RedisOptions()
	if err != nil {
		t.Fatal(err)
	}
	d := o
	d.Config = config
	p, err := NewPair(o, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestFindsAndCutsDown(t *testing.T) {
	p := liar(t, "--rename-command", "SETRANGE", "")
	grammar, err := readGrammar(p.oracle.admin)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for name := range grammar {
		all[name] = true
	}
	h := NewGenerator(1, grammar, all).History(0, 1000)
	diff, err := p.Run(h)
	if diff == nil || err != nil {
		t.Fatalf("the missing command was not noticed: %v", err)
	}
	short, diff, err := p.Minimise(h, diff)
	if err != nil || short == nil || len(short.Steps) > 2 {
		t.Fatalf("not cut down: %v %v", err, short)
	}
	if !strings.Contains(strings.ToLower(diff.What), "setrange") {
		t.Errorf("another difference than the one made: %v", diff)
	}
}

func TestFindsStateDifferences(t *testing.T) {
	p := liar(t, "--hash-max-listpack-entries", "1")
	h := &History{Name: "encodings", Proto: 2, Steps: []Step{{Args: []string{"HSET", "h", "a", "b", "c", "d"}, Replies: auto}}}
	diff, err := p.Run(h)
	if err != nil || diff == nil || diff.Step != -1 {
		t.Errorf("a different encoding was not noticed: %v, %v", diff, err)
	}
}

func TestTranscriptRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	h := &History{Name: "words", Proto: 3, Config: map[string]string{"maxmemory": "1 mb"}}
	for range 300 {
		s := Step{Conn: r.IntN(3), Replies: auto, Args: []string{"SET", value(r), bigValue(r), pick(r, weirdNumbers)}}
		if r.IntN(4) == 0 {
			s.Rule = mustRule("within 5")
			s.Replies = r.IntN(3)
		}
		h.Steps = append(h.Steps, s)
	}
	h.Steps = append(h.Steps, Step{Conn: 1, Kind: Read, Replies: auto}, Step{Kind: Sleep, Args: []string{"5ms"}, Replies: auto})
	back, err := Parse(h.String())
	if err != nil || len(back) != 1 {
		t.Fatalf("Parse: %v", err)
	}
	if got, want := back[0].String(), h.String(); got != want {
		t.Errorf("a transcript changed on its way through Parse")
	}
	for i := range h.Steps {
		if a, b := h.Steps[i].Args, back[0].Steps[i].Args; strings.Join(a, "\n") != strings.Join(b, "\n") {
			t.Fatalf("step %d: %q became %q", i, a, b)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"SET k v", "=== x\n--- nonsense", "=== x\nSET \"k", "=== x\nGET k ;; nosuch", "=== x\nTTL k ;; within", "=== x\n!sleep soon",
	} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestRules(t *testing.T) {
	str := func(s string) Value { return Value{Kind: '$', Str: s} }
	num := func(s string) Value { return Value{Kind: ':', Str: s} }
	fault := Value{Kind: '-', Str: "ERR a b"}
	list := func(e ...Value) Value { return Value{Kind: '*', Elems: e} }
	for _, c := range []struct {
		rule string
		o, d Value
		same bool
	}{
		{"exact", str("a"), str("a"), true},
		{"exact", str("a"), str("b"), false},
		{"exact", Value{Kind: '$', Null: true}, Value{Kind: '*', Null: true}, false},
		{"sorted", list(str("a"), str("b")), list(str("b"), str("a")), true},
		{"sorted", list(str("a"), str("a")), list(str("a"), str("b")), false},
		{"kind", str("a"), str("b"), true},
		{"kind", str("a"), num("1"), false},
		{"kind", fault, Value{Kind: '-', Str: "ERR other"}, false},
		{"within 2", num("100"), num("98"), true},
		{"within 2", num("100"), num("97"), false},
		{"within 2", num("-1"), num("0"), false},
		{"within 2", fault, fault, true},
		{"shape", list(str("0"), list()), list(str("7"), list(str("k"))), true},
		{"shape", list(str("0")), list(str("0"), str("1")), false},
		{"code", fault, Value{Kind: '-', Str: "ERR c"}, true},
		{"code", fault, Value{Kind: '-', Str: "WRONGTYPE c"}, false},
		{"fields", str("# S\r\na:1\r\nb:2\r\n"), str("b:3\r\nc:1\r\na:x\r\n"), true},
		{"fields", str("a:1\r\nb:2\r\n"), str("a:3\r\n"), false},
		{"fields", str("id=1 addr=127.0.0.1:5"), str("id=1 addr=::1 x=y"), true},
		{"superset", list(str("a")), list(str("b"), str("a")), true},
		{"any", str("a"), fault, true},
		{"any", str("a"), Value{Kind: '-', Str: brokenMark + "closed"}, false},
	} {
		if got := mustRule(c.rule).Compare(c.o, c.d) == ""; got != c.same {
			t.Errorf("%s: %v and %v: same=%v, want %v", c.rule, c.o, c.d, got, c.same)
		}
	}
}
