package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// syntaxDepthMax bounds how deep groups nest; a usage line doubles with each
// repetition inside a repetition.
const syntaxDepthMax = 8

// ParseSyntax parses how a command is called. The notation is that of the Redis
// documentation:
//
//	name            a value
//	TOKEN           a literal word: no lower-case letters ($ * "" too)
//	TOKEN name      a value announced by a word
//	<x | y>         one of them; the outermost alternatives need no <>
//	<x y>           both, as one argument
//	TOKEN <x y>     the same announced by a word; where nothing else stands in the
//	                group, the inner <> may be left out: [LIMIT offset count]
//	[x]             x may be left out
//	x [x ...]       x, once or more; x may be several words: k v [k v ...]
//	TOKEN x [x ...] the word once, x once or more
//	TOKEN x [TOKEN x ...]  both, once or more
//	x [...]         short for x [x ...] where x is long
//	[x [x ...]]     x, any number of times
//
// That is enough to call a command. COMMAND DOCS tells a little more, which the
// notation of the documentation has no signs for; these have no influence on
// Usage:
//
//	name:type       a value whose type its name does not tell: increment:double
//	                (see namedTypes; the words are those of ArgType)
//	'word'          a literal word with lower-case letters: 'km'
//	name=x          a name for x, which is a value, a literal word or a group in
//	                brackets: condition=[NX | XX], by-pattern=pattern, change=CH.
//	                Unnamed groups are called after their first members or their
//	                token, unnamed words after themselves.
//	x@6.2.0         x came with that version
//	x@-2.8.12       x is deprecated since that version
//
// A repetition must repeat what stands before it: what it repeats is found by
// comparing the text.
//
// LIMITATIONS. Alternatives inside a repetition need their <>, as everywhere
// inside a sequence. A literal word takes the value that follows it as announced
// by it; give the word a name to keep them apart (increment=INCR score). What
// depends on other arguments (as many weights as keys) cannot be said.
func ParseSyntax(text string) ([]Arg, error) {
	p := &syntaxParser{words: splitSyntax(text)}
	args, more, err := p.sequence("")
	if err == nil && more {
		err = errors.New("a repetition outside of brackets")
	}
	if err != nil {
		return nil, fmt.Errorf("syntax %q: %w", text, err)
	}
	return args, nil
}

// splitSyntax splits into words, the signs [ ] < > | and versions with their @.
func splitSyntax(text string) []string {
	return strings.Fields(syntaxSpacer.Replace(text))
}

var syntaxSpacer = strings.NewReplacer("[", " [ ", "]", " ] ", "<", " < ", ">", " > ", "|", " | ", "@", " @")

// syntaxParser is a recursive descent over the words. The end of the text reads
// as the empty word.
type syntaxParser struct {
	words []string
	pos   int
	depth int
}

func (p *syntaxParser) peek() string {
	if p.pos == len(p.words) {
		return ""
	}
	return p.words[p.pos]
}

// fault says what is wrong before the next word.
func (p *syntaxParser) fault(what string) error {
	if p.pos == len(p.words) {
		return fmt.Errorf("%s before the end", what)
	}
	return fmt.Errorf("%s before word %d, %q", what, p.pos+1, p.peek())
}

// sequence parses up to the closing sign, which it takes, and joins
// alternatives. More tells that "..." stood before the closing sign.
func (p *syntaxParser) sequence(closing string) (args []Arg, more bool, err error) {
	if p.depth++; p.depth > syntaxDepthMax {
		return nil, false, p.fault("groups nested too deep")
	}
	defer func() { p.depth-- }()
	var alternatives [][]Arg
	for err == nil {
		w := p.peek()
		if w == "..." && !more && len(alternatives) == 0 {
			p.pos++
			more = true
			continue
		}
		switch {
		case w == closing:
			p.pos = min(p.pos+1, len(p.words))
			args, err = p.join(alternatives, args, more || closing == "")
			return args, more, err
		case w == "" || w == "]" || w == ">" || more || w == "...":
			return nil, false, p.unclosed(closing)
		case w == "|":
			p.pos++
			alternatives, args = append(alternatives, args), nil
		case w[0] == '@':
			p.pos++
			err = p.version(args, w[1:])
		default:
			args, err = p.element(args)
		}
	}
	return nil, false, err
}

// join makes one argument of alternatives; a lone sequence stays as it is, and
// may be empty if blank.
func (p *syntaxParser) join(alternatives [][]Arg, last []Arg, blank bool) ([]Arg, error) {
	if len(alternatives) == 0 && (len(last) != 0 || blank) {
		return last, nil
	}
	one := Arg{Type: ArgOneOf}
	for _, a := range append(alternatives, last) {
		if len(a) == 0 {
			return nil, p.fault("an empty group")
		}
		one.Args = append(one.Args, asOne(a))
	}
	one.Name = groupName(one.Args)
	return []Arg{one}, nil
}

// version notes since when, or until when, the last argument is there.
func (p *syntaxParser) version(args []Arg, v string) error {
	until, isUntil := strings.CutPrefix(v, "-")
	switch {
	case len(args) == 0 || until == "":
		return p.fault("a version without an argument")
	case isUntil:
		args[len(args)-1].Until = until
	default:
		args[len(args)-1].Since = v
	}
	return nil
}

// element parses one element and appends it, or applies it to what stands
// before it if it is a repetition.
func (p *syntaxParser) element(before []Arg) ([]Arg, error) {
	w := p.peek()
	p.pos++
	name, hasName := groupLabel(w)
	if hasName {
		if w = p.peek(); !isGroup(w) {
			return nil, p.fault("a name without a group")
		}
		p.pos++
	}
	var one Arg
	switch {
	case w == "<":
		inner, more, err := p.sequence(">")
		if err != nil || more {
			return nil, errors.Join(err, p.repeatFault(more))
		}
		one = asOne(inner)
	case w == "[":
		inner, more, err := p.sequence("]")
		if err != nil {
			return nil, err
		}
		if more && !hasName {
			return repeatLast(before, inner)
		}
		if more {
			return nil, p.fault("a repetition with a name")
		}
		one = asOne(inner)
		one.Optional = true
	default:
		var err error
		if one, err = p.word(w); err != nil {
			return nil, err
		}
	}
	if hasName {
		one.Name = name
	}
	return append(before, one), nil
}

func (p *syntaxParser) repeatFault(more bool) error {
	if !more {
		return nil
	}
	return p.fault("a repetition in <> instead of []")
}

func (p *syntaxParser) unclosed(closing string) error {
	if closing == "" {
		return p.fault("a sign that closes nothing")
	}
	return p.fault(closing + " is missing")
}

func isGroup(w string) bool { return w == "<" || w == "[" }

// groupLabel recognises `name=`, the name of the group that follows.
func groupLabel(w string) (name string, ok bool) {
	at := strings.IndexByte(w, '=')
	if at <= 0 || at != len(w)-1 {
		return "", false
	}
	return w[:at], true
}

// word is a single word: a literal word, one with what it announces, or a value.
func (p *syntaxParser) word(w string) (Arg, error) {
	one, named := parseWord(w)
	if one.Type != ArgToken || named || one.Token == "" {
		return one, nil
	}
	next := p.peek()
	_, isLabel := groupLabel(next)
	isLabel = isLabel && p.pos+1 < len(p.words) && p.words[p.pos+1] == "<"
	switch {
	case next == "<" || isLabel:
		return p.announcedGroup(one)
	case next == "" || next == "..." || strings.Contains("[]<>|@", next[:1]):
		return one, nil
	}
	announced, _ := parseWord(next)
	if announced.Type == ArgToken {
		return one, nil
	}
	p.pos++
	announced.Token = one.Token
	return announced, nil
}

// announcedGroup is the group after a token.
func (p *syntaxParser) announcedGroup(token Arg) (Arg, error) {
	args, err := p.element(nil)
	if err != nil {
		return Arg{}, err
	}
	one := args[0]
	if one.Token != "" || one.Optional || one.Multiple { // what is said of it is not said of the token
		one = Arg{Name: groupName(args), Type: ArgBlock, Args: args}
	}
	if one.Name == groupName(one.Args) {
		one.Name = token.Name
	}
	one.Token = token.Token
	return one, nil
}

// parseWord parses a word by itself; named tells that it has a name of its own.
func parseWord(w string) (one Arg, named bool) {
	name, shown, named := strings.Cut(w, "=")
	if !named || name == "" || shown == "" {
		name, shown, named = "", w, false
	}
	quoted := len(shown) > 2 && shown[0] == '\'' && shown[len(shown)-1] == '\''
	switch at := strings.LastIndexByte(shown, ':'); {
	case quoted:
		one.Token, one.Type = shown[1:len(shown)-1], ArgToken
		one.Name = strings.ToLower(one.Token)
	case at > 0 && typeOf(shown[at+1:]) >= 0:
		one = value(shown[:at])
		one.Type = ArgType(typeOf(shown[at+1:]))
	case shown == strings.ToUpper(shown):
		one = Arg{Name: strings.ToLower(shown), Token: shown, Type: ArgToken}
	default:
		one = value(shown)
	}
	if named {
		one.Name = name
	}
	if one.Token != "" {
		one.Shown = one.Name
	}
	return one, named
}

// typeOf finds the type of values that has this name, -1 if there is none.
func typeOf(name string) int {
	return slices.Index(argTypeNames[:ArgOneOf], name)
}

// repeatLast makes the arguments at the end that read like repeated repeatable,
// or the last one if repeated is empty. The word that announces them may be left
// out of what is repeated.
func repeatLast(before, repeated []Arg) ([]Arg, error) {
	want := Usage(repeated)
	for n := 1; n <= len(before); n++ {
		at := len(before) - n
		one := asOne(slices.Clone(before[at:]))
		announced := one.Token != "" && one.Type != ArgToken && !one.Optional
		whole := len(repeated) == 0 || Usage([]Arg{one}) == want
		if !whole && (!announced || Usage([]Arg{one.unannounced()}) != want) {
			continue
		}
		if one.Multiple {
			return nil, fmt.Errorf("%q is repeated twice", Usage([]Arg{one}))
		}
		one.Multiple, one.MultipleToken = true, whole && announced
		return append(before[:at:at], one), nil
	}
	return nil, fmt.Errorf("%q does not repeat what stands before it, %q", want, Usage(before))
}

// unannounced is the argument without the word that announces it.
func (a Arg) unannounced() Arg {
	a.Token = ""
	return a
}
