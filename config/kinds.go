package config

import (
	"strings"

	"dozo/text"
)

// kind is what the directives of one shape have in common: how a value is
// parsed, shown and written to a file. A kind has no state.
type kind interface {
	// parse makes a value of the words given. The error's text is what Redis says
	// about such a mistake.
	parse(in input) (value, error)
	// text is the value as CONFIG GET shows it.
	text(v value) string
	// lines are what CONFIG REWRITE keeps of the value.
	lines(name string, v, def value) []line
	// describe says in words what is accepted.
	describe() string
}

// input is what a value is parsed from.
type input struct {
	args []string
	old  value
	// grow: a file's second and later line of a directive that adds up (save).
	grow bool
	// place resolves and checks a folder; only `dir` asks.
	place func(from, to string) (string, error)
}

// line is one line of a file as CONFIG REWRITE would have it. Force is set when
// it must be there even if the file had no such line before.
type line struct {
	text  string
	force bool
}

func oneLine(name, text string, force bool) []line {
	return []line{{text: name + " " + text, force: force}}
}

func isNumeric(k kind) bool {
	switch k.(type) {
	case *boolKind, *choiceKind, *numberKind, eventKind:
		return true
	}
	return false
}

// The common kinds are functions and not variables, so that no row depends on a
// variable: Go then initialises the rows, and declares them, in the order in
// which they are written.

// yesNo is the kind of most switches.
func yesNo() kind { return &boolKind{} }

// boolKind is a switch. Refuse, if set, is why it cannot be on.
type boolKind struct{ refuse string }

func (*boolKind) describe() string { return "yes or no" }

func (k *boolKind) parse(in input) (value, error) {
	switch {
	case text.EqualFold(in.args[0], "yes"):
		if k.refuse != "" {
			return value{}, refusal(k.refuse)
		}
		return value{num: 1}, nil
	case text.EqualFold(in.args[0], "no"):
		return value{}, nil
	}
	return value{}, refusal("argument must be 'yes' or 'no'")
}

func (*boolKind) text(v value) string {
	if v.num != 0 {
		return "yes"
	}
	return "no"
}

func (k *boolKind) lines(name string, v, def value) []line {
	return oneLine(name, k.text(v), !v.same(def))
}

// choice is one word of a choiceKind and the number it stands for.
type choice struct {
	word string
	num  int64
}

// choiceKind is one word of several, or (set) any number of them, whose numbers
// are then bits.
type choiceKind struct {
	choices []choice
	set     bool
	check   func(num int64) error
}

// oneOf makes a kind of words numbered from 0.
func oneOf(words ...string) kind {
	k := &choiceKind{}
	for i, w := range words {
		k.choices = append(k.choices, choice{w, int64(i)})
	}
	return k
}

func (k *choiceKind) describe() string {
	if k.set {
		return "one or more of: " + k.words()
	}
	return "one of: " + k.words()
}

func (k *choiceKind) words() string {
	var b strings.Builder
	for i, c := range k.choices {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.word)
	}
	return b.String()
}

func (k *choiceKind) parse(in input) (value, error) {
	num, ok := k.number(in.args)
	if !ok {
		return value{}, refusal("argument(s) must be one of the following: " + k.words())
	}
	if k.check != nil {
		if err := k.check(num); err != nil {
			return value{}, err
		}
	}
	return value{num: num}, nil
}

func (k *choiceKind) number(args []string) (num int64, ok bool) {
	if len(args) == 0 || !k.set && len(args) != 1 {
		return 0, false
	}
	for _, arg := range args {
		n, ok := k.find(arg)
		if !ok {
			return 0, false
		}
		num |= n
	}
	return num, true
}

func (k *choiceKind) find(word string) (int64, bool) {
	for _, c := range k.choices {
		if text.EqualFold(c.word, word) {
			return c.num, true
		}
	}
	return 0, false
}

// text is the first word with just this number, else the words of its bits.
func (k *choiceKind) text(v value) string {
	var words []string
	for _, c := range k.choices {
		if c.num == v.num {
			return c.word
		}
		if c.num != 0 && c.num&v.num == c.num {
			words = append(words, c.word)
		}
	}
	return strings.Join(words, " ")
}

func (k *choiceKind) lines(name string, v, def value) []line {
	return oneLine(name, k.text(v), !v.same(def))
}

// stringKind is any text. Where unset is true the empty text means "not set",
// and a file then has no line for it.
type stringKind struct {
	unset bool
	check func(s string) error
}

// anyString is a text that may be empty.
func anyString() kind { return &stringKind{} }

// optional is a text that need not be there.
func optional() kind { return &stringKind{unset: true} }

func (k *stringKind) describe() string {
	if k.unset {
		return "text; empty means not set"
	}
	return "text"
}

func (k *stringKind) parse(in input) (value, error) {
	s := in.args[0]
	if k.check != nil {
		if err := k.check(s); err != nil {
			return value{}, err
		}
	}
	return value{str: s}, nil
}

func (k *stringKind) text(v value) string { return v.str }

func (k *stringKind) lines(name string, v, def value) []line {
	if k.unset && v.str == "" {
		return nil
	}
	return oneLine(name, text.Quote(v.str), !v.same(def))
}
