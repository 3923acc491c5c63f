package cli

import (
	"fmt"
	"strconv"
	"strings"

	"dozo/resp"
	"dozo/text"
)

// argument is one argument of a command's syntax, as COMMAND DOCS describes it,
// together with what the words typed so far have made of it.
//
// Hints show what is still to be typed. To find that out the words are matched
// against the syntax from left to right: an argument takes as many words as fit
// it; neighbouring optional arguments may come in any order; one that may repeat
// takes as many repetitions as there are. Each argument remembers how far it got,
// and the hint is the syntax without what is complete.
//
// LIMITATIONS: matching is greedy and never goes back, so a word that could be
// either an optional argument or the required one behind it counts as the former.
// Types are looked at for numbers only.
type argument struct {
	name          string // what is shown for it
	token         string // the literal word before it; hasToken tells if there is one
	hasToken      bool
	kind          string // integer, double, oneof, block, pure-token ...
	optional      bool
	multiple      bool
	multipleToken bool // the token is repeated with the argument
	subs          []*argument

	matched   int  // words taken, or how often
	tokenSeen bool // the token has been typed
	nameSeen  bool // the value has been typed
	whole     bool // nothing of it is left to type
}

// arguments reads the "arguments" of COMMAND DOCS.
func arguments(list resp.Value) []*argument {
	out := make([]*argument, len(list.Elems))
	for i, v := range list.Elems {
		a := &argument{}
		field := func(name string) (string, bool) { f, ok := v.Lookup(name); return f.Str, ok }
		a.name, _ = field("name")
		if display, ok := field("display_text"); ok {
			a.name = display
		}
		a.token, a.hasToken = field("token")
		a.kind, _ = field("type")
		if flags, ok := v.Lookup("flags"); ok {
			for _, f := range flags.Strings() {
				a.optional = a.optional || f == "optional"
				a.multiple = a.multiple || f == "multiple"
				a.multipleToken = a.multipleToken || f == "multiple_token"
			}
		}
		if subs, ok := v.Lookup("arguments"); ok {
			a.subs = arguments(subs)
		}
		out[i] = a
	}
	return out
}

// hint is what may follow a line; ok is false when no command is recognized. The
// last word counts only when there is a space behind it.
func (h *help) hint(line string) (hint string, ok bool) {
	split, balanced := text.SplitArgs([]byte(line))
	if !balanced {
		return "", false
	}
	words := make([]string, len(split))
	for i, w := range split {
		words[i] = string(w)
	}
	if len(words) > 0 && strings.TrimRight(line, " \t") == line {
		words = words[:len(words)-1]
	}
	e := h.find(words)
	if e == nil {
		return "", false
	}
	return e.hint(words[len(e.words):]), true
}

// hint is the part of the entry's syntax that the words leave to be typed.
func (e *entry) hint(words []string) string {
	forget(e.args)
	if matchAll(words, e.args) != len(words) {
		return ""
	}
	return string(appendList(nil, e.args, " "))
}

// forget clears what matching has found out.
func forget(args []*argument) {
	for _, a := range args {
		a.matched, a.tokenSeen, a.nameSeen, a.whole = 0, false, false, false
		forget(a.subs)
	}
}

// matchAll matches words against arguments in order and returns how many words
// fitted; 0 when a required argument does not fit its word.
func matchAll(words []string, args []*argument) int {
	used := 0
	for i := 0; i < len(args) && used < len(words); {
		if end := i + optionals(args[i:]); end > i {
			used += matchAnyOrder(words[used:], args[i:end])
			i = end
			continue
		}
		n := args[i].match(words[used:])
		if n == 0 {
			return 0
		}
		used += n
		i++
	}
	return used
}

// optionals is the number of optional arguments that args begins with.
func optionals(args []*argument) int {
	n := 0
	for n < len(args) && args[n].optional {
		n++
	}
	return n
}

// matchAnyOrder matches words against optional arguments. When one follows
// another, nothing more can be added to the first.
func matchAnyOrder(words []string, args []*argument) int {
	used := 0
	var before *argument
	for used < len(words) {
		n := 0
		for _, a := range args {
			if a.matched == 0 {
				if n = a.match(words[used:]); n > 0 {
					if before != nil {
						before.whole = true
					}
					before = a
					break
				}
			}
		}
		if n == 0 {
			break
		}
		used += n
	}
	return used
}

// match takes as many words as fit the argument with all its repetitions.
func (a *argument) match(words []string) int {
	used := a.matchOnce(words)
	if !a.multiple {
		return used
	}
	for a.whole && used < len(words) {
		forget([]*argument{a})
		if !a.hasToken || a.multipleToken {
			used += a.matchOnce(words[used:])
			continue
		}
		used += a.matchValue(words[used:])
		a.tokenSeen = a.matched > 0 // it stands only before the first
	}
	a.whole = false // there may always be one more
	return used
}

func (a *argument) matchOnce(words []string) int {
	if !a.hasToken {
		return a.matchValue(words)
	}
	if !strings.EqualFold(a.token, words[0]) {
		return 0
	}
	a.tokenSeen, a.matched = true, 1
	if a.kind == "pure-token" {
		a.whole = true
		return 1
	}
	if len(words) == 1 {
		return 1
	}
	if a.matchValue(words[1:]) == 0 {
		return 0
	}
	return a.matched
}

// matchValue matches what follows the token.
func (a *argument) matchValue(words []string) int {
	switch a.kind {
	case "block":
		a.matched += matchAll(words, a.subs)
		a.whole = true
		for _, sub := range a.subs {
			a.whole = a.whole && sub.whole
		}
	case "oneof":
		for _, sub := range a.subs {
			if sub.match(words) > 0 {
				a.matched += sub.matched
				a.whole = sub.whole
				break
			}
		}
	default:
		if !a.accepts(words[0]) {
			a.matched, a.nameSeen = 0, false
			return 0
		}
		a.matched++
		a.nameSeen, a.whole = true, true
	}
	return a.matched
}

// accepts reports whether a word can be a value of the argument's type: numbers
// must begin like one.
func (a *argument) accepts(word string) bool {
	digits := strings.TrimLeft(strings.TrimLeft(word, " \t"), "+-")
	switch a.kind {
	case "integer", "unix-time":
		return word == "" || digits != "" && digits[0] >= '0' && digits[0] <= '9'
	case "double":
		if word == "" || digits != "" && (digits[0] >= '0' && digits[0] <= '9' || digits[0] == '.') {
			return true
		}
		_, err := strconv.ParseFloat(word, 64)
		return err == nil
	}
	return true
}

// appendList appends the hints of several arguments with a separator between.
func appendList(b []byte, args []*argument, separator string) []byte {
	length := len(b)
	put := func(a *argument, last bool) {
		b = a.appendHint(b)
		if len(b) > length && !last {
			b = append(b, separator...)
			length = len(b)
		}
	}
	for i := 0; i < len(args); i++ {
		end := i + optionals(args[i:])
		if end == i {
			put(args[i], i == len(args)-1)
			continue
		}
		var begun *argument // shown first: it is what the user is typing
		for _, a := range args[i:end] {
			if a.matched != 0 && !a.whole {
				put(a, i == len(args)-1)
				begun = a
			}
		}
		// Once the argument behind them has begun, optional ones are too late.
		for j := i; j < end && (end == len(args) || args[end].matched == 0); j++ {
			if args[j] != begun {
				put(args[j], j == len(args)-1)
			}
		}
		i = end - 1
	}
	return b
}

// appendHint appends what of the argument is still to be typed.
func (a *argument) appendHint(b []byte) []byte {
	if a.whole {
		return b
	}
	if a.optional && a.matched == 0 {
		b = append(b, '[')
	}
	if a.hasToken && !a.tokenSeen {
		b = a.appendToken(b)
	}
	switch {
	case a.kind == "oneof" && a.matched != 0:
		for _, sub := range a.subs {
			if sub.matched != 0 {
				b = sub.appendHint(b)
			}
		}
	case a.kind == "oneof" || a.kind == "block" || !a.nameSeen:
		b = a.appendValue(b)
	}
	if a.multiple {
		b = a.appendRepetition(b)
	}
	if a.optional && a.matched == 0 { // so also behind a repetition, as redis-cli has it
		b = append(b, ']')
	}
	return b
}

func (a *argument) appendToken(b []byte) []byte {
	b = append(b, orQuotes(a.token)...)
	if a.kind != "pure-token" {
		b = append(b, ' ')
	}
	return b
}

func (a *argument) appendValue(b []byte) []byte {
	switch a.kind {
	case "oneof":
		return appendList(b, a.subs, "|")
	case "block":
		return appendList(b, a.subs, " ")
	case "pure-token":
		return b
	}
	return append(b, orQuotes(a.name)...)
}

// appendRepetition appends the "[name ...]" of what may be repeated: always the
// whole of it, however much has been typed.
func (a *argument) appendRepetition(b []byte) []byte {
	forget([]*argument{a})
	if len(b) > 0 {
		b = append(b, ' ')
	}
	b = append(b, '[')
	if a.multipleToken {
		b = a.appendToken(b)
	}
	return append(a.appendValue(b), " ...]"...)
}

// orQuotes shows an empty word as what has to be typed for it.
func orQuotes(s string) string {
	if s == "" {
		return `""`
	}
	return s
}

// testHints prints the hint for an input, or checks a file of inputs with the
// hints expected, two quoted words a line, as Redis' own suite does.
func (s *session) testHints() int {
	h := s.commandHelp()
	if s.hint != nil {
		hint, _ := h.hint(*s.hint)
		fmt.Fprintln(s.out, hint)
		return 0
	}
	b, err := s.env.FS.ReadFile(*s.hintFile)
	if err != nil {
		fmt.Fprintf(s.errout, "Can't open file '%s': %s\n", *s.hintFile, failure(err))
		return 1
	}
	pass, fail := 0, 0
	for _, line := range strings.Split(string(b), "\n") {
		words, ok := text.SplitArgs([]byte(line))
		if strings.HasPrefix(line, "#") || !ok || len(words) < 2 {
			continue
		}
		hint, _ := h.hint(string(words[0]))
		if hint = strings.TrimRight(hint, " "); hint == string(words[1]) {
			pass++
			continue
		}
		fail++
		fmt.Fprintf(s.errout, "Test case '%s' FAILED: expected '%s', got '%s'\n", words[0], words[1], hint)
	}
	verdict := "SUCCESS"
	if fail > 0 {
		verdict = "FAILURE"
	}
	fmt.Fprintf(s.out, "%s: %d/%d passed\n", verdict, pass, pass+fail)
	if fail > 0 {
		return 1
	}
	return 0
}
