package command

import (
	"fmt"
	"strings"
)

// Arg is one argument of a command as COMMAND DOCS describes it, parsed from
// the Syntax of its Spec.
//
// The notation, which is that of the Redis documentation:
//
//	name            a value; its type follows from its name, see argType
//	TOKEN           a literal word
//	TOKEN name      a value announced by a word
//	[x]             x may be left out
//	<x | y>, x | y  one of them
//	x [x ...]       x, once or more; also for several words: k v [k v ...]
//	[x [x ...]]     x, any number of times
type Arg struct {
	Name     string
	Type     ArgType
	Token    string
	Optional bool
	Multiple bool
	// MultipleToken: the token is repeated with each value.
	MultipleToken bool
	Args          []Arg // of a OneOf or a Block
}

// ArgType is the type of an argument, in the words of COMMAND DOCS.
type ArgType uint8

// The types.
const (
	ArgString ArgType = iota
	ArgInteger
	ArgDouble
	ArgKey
	ArgPattern
	ArgUnixTime
	ArgToken
	ArgOneOf
	ArgBlock
)

var argTypeNames = [...]string{
	"string", "integer", "double", "key", "pattern", "unix-time", "pure-token", "oneof", "block",
}

func (t ArgType) String() string { return argTypeNames[t] }

// argTypes are the names whose values are not plain strings.
var argTypes = map[string]ArgType{
	"key": ArgKey, "newkey": ArgKey, "source": ArgKey, "destination": ArgKey, "destkey": ArgKey, "sourcekey": ArgKey,
	"key1": ArgKey, "key2": ArgKey, "sourcekey1": ArgKey,
	"pattern": ArgPattern, "seconds": ArgInteger, "milliseconds": ArgInteger, "count": ArgInteger,
	"offset": ArgInteger, "cursor": ArgInteger, "numkeys": ArgInteger, "index": ArgInteger, "start": ArgInteger,
	"end": ArgInteger, "stop": ArgInteger, "db": ArgInteger, "increment": ArgInteger, "decrement": ArgInteger,
	"destination-db": ArgInteger, "index1": ArgInteger, "index2": ArgInteger, "ttl": ArgInteger,
	"unix-time-seconds": ArgUnixTime, "unix-time-milliseconds": ArgUnixTime, "bit": ArgInteger, "value-int": ArgInteger,
	"numreplicas": ArgInteger, "timeout": ArgInteger, "numlocal": ArgInteger, "client-id": ArgInteger,
	"protover": ArgInteger, "timestamp": ArgUnixTime, "increment-float": ArgDouble, "min-match-len": ArgInteger,
	"port": ArgInteger, "bits": ArgInteger, "len": ArgInteger, "frequency": ArgInteger, "version": ArgInteger, "maxkeys": ArgInteger, "maxage": ArgInteger,
}

// ParseSyntax parses the notation above.
func ParseSyntax(text string) ([]Arg, error) {
	p := &syntaxParser{words: splitSyntax(text)}
	args, err := p.sequence("")
	if err != nil {
		return nil, fmt.Errorf("syntax %q: %w", text, err)
	}
	return args, nil
}

// splitSyntax splits into words and the signs [ ] < > |.
func splitSyntax(text string) []string {
	for _, sign := range []string{"[", "]", "<", ">", "|"} {
		text = strings.ReplaceAll(text, sign, " "+sign+" ")
	}
	return strings.Fields(text)
}

type syntaxParser struct {
	words []string
	pos   int
}

func (p *syntaxParser) peek() string {
	if p.pos == len(p.words) {
		return ""
	}
	return p.words[p.pos]
}

// sequence parses up to the closing sign (or the end) and joins alternatives.
func (p *syntaxParser) sequence(closing string) ([]Arg, error) {
	var alternatives [][]Arg
	var current []Arg
	for {
		switch w := p.peek(); w {
		case closing:
			p.pos++
			return joinAlternatives(append(alternatives, current)), nil
		case "", "]", ">":
			return nil, fmt.Errorf("expected %q at word %d", closing, p.pos)
		case "|":
			p.pos++
			alternatives, current = append(alternatives, current), nil
		case "[":
			p.pos++
			var err error
			if current, err = p.optional(current); err != nil {
				return nil, err
			}
		case "<":
			p.pos++
			inner, err := p.sequence(">")
			if err != nil {
				return nil, err
			}
			current = append(current, asOne(inner))
		default:
			p.pos++
			arg, err := p.announced(w)
			if err != nil {
				return nil, err
			}
			current = append(current, arg)
		}
	}
}

// announced is a word, or a token with the group that follows it.
func (p *syntaxParser) announced(w string) (Arg, error) {
	if !isToken(w) || p.peek() != "<" {
		return p.word(w), nil
	}
	p.pos++
	inner, err := p.sequence(">")
	one := asOne(inner)
	one.Token = w
	return one, err
}

// word is a single word: a token, a token with its value, or a value.
func (p *syntaxParser) word(w string) Arg {
	if !isToken(w) {
		return Arg{Name: w, Type: argTypes[w]}
	}
	if next := p.peek(); next != "" && !strings.Contains("[]<>|", next) && !isToken(next) && next != "..." {
		p.pos++
		return Arg{Name: next, Type: argTypes[next], Token: w}
	}
	return Arg{Name: strings.ToLower(w), Type: ArgToken, Token: w}
}

func isToken(w string) bool { return w == strings.ToUpper(w) && w != "..." }

// optional parses what follows "[": either something that may be left out, or
// the repetition of what stands before it.
func (p *syntaxParser) optional(before []Arg) ([]Arg, error) {
	if n, withToken, ok := p.repetition(); ok {
		return repeatLast(before, n, withToken)
	}
	inner, err := p.sequence("]")
	if err != nil {
		return nil, err
	}
	one := asOne(inner)
	one.Optional = true
	return append(before, one), nil
}

// repetition recognises `x y ...]` and tells how many arguments are repeated, and
// whether their first word is a token.
func (p *syntaxParser) repetition() (args int, withToken, ok bool) {
	end := p.pos
	for end < len(p.words) && !strings.Contains("[]<>|", p.words[end]) {
		end++
	}
	if end == p.pos || end == len(p.words) || p.words[end] != "]" || p.words[end-1] != "..." {
		return 0, false, false
	}
	stop := end - 1
	withToken = isToken(p.words[p.pos])
	for p.pos < stop {
		p.word(p.words[p.advance()])
		args++
	}
	p.pos = end + 1
	return args, withToken, true
}

func (p *syntaxParser) advance() int { p.pos++; return p.pos - 1 }

// repeatLast makes the last n arguments repeatable, their token too if it is
// written again in the repetition.
func repeatLast(before []Arg, n int, withToken bool) ([]Arg, error) {
	if n > len(before) {
		return nil, fmt.Errorf("repetition of %d arguments after only %d", n, len(before))
	}
	tail := before[len(before)-n:]
	one := asOne(append([]Arg(nil), tail...))
	one.Multiple = true
	one.MultipleToken = withToken && one.Token != "" && one.Type != ArgToken
	return append(before[:len(before)-n:len(before)-n], one), nil
}

// asOne makes a single argument of a sequence.
func asOne(args []Arg) Arg {
	if len(args) == 1 {
		return args[0]
	}
	return Arg{Name: blockName(args), Type: ArgBlock, Args: args}
}

func joinAlternatives(alternatives [][]Arg) []Arg {
	if len(alternatives) == 1 {
		return alternatives[0]
	}
	one := Arg{Type: ArgOneOf}
	for _, a := range alternatives {
		one.Args = append(one.Args, asOne(a))
	}
	one.Name = blockName(one.Args)
	return []Arg{one}
}

// blockName names a group after its first members, as short as it stays clear.
func blockName(args []Arg) string {
	var names []string
	for _, a := range args[:min(len(args), 2)] {
		names = append(names, a.Name)
	}
	return strings.Join(names, "-")
}

// least is the smallest number of words that args take.
func least(args []Arg) int {
	n := 0
	for _, a := range args {
		if !a.Optional {
			n += a.words()
		}
	}
	return n
}

// words is the smallest number of words of the argument when it is given.
func (a *Arg) words() int {
	n := 0
	switch a.Type {
	case ArgToken:
		return 1
	case ArgBlock:
		n = least(a.Args)
	case ArgOneOf:
		n = a.Args[0].words()
		for i := range a.Args {
			n = min(n, a.Args[i].words())
		}
	default:
		n = 1
	}
	if a.Token != "" {
		n++
	}
	return n
}

// arityOf is Redis' arity: the number of words with the command's own name (and
// its container's), negative when more may follow.
func arityOf(names int, args []Arg) int {
	n := names + least(args)
	if !fixed(args) {
		return -n
	}
	return n
}

// fixed tells whether args always take the same number of words.
func fixed(args []Arg) bool {
	for i := range args {
		a := &args[i]
		if a.Optional || a.Multiple || a.Type == ArgBlock && !fixed(a.Args) {
			return false
		}
		if a.Type == ArgOneOf {
			for j := range a.Args {
				if a.Args[j].words() != a.Args[0].words() || !fixed(a.Args[j:j+1]) {
					return false
				}
			}
		}
	}
	return true
}
