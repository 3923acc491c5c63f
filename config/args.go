package config

import (
	"strings"

	"dozo/text"
)

// Action is what a command line asks for instead of a server.
type Action uint8

// The actions. All but Serve must be the first argument.
const (
	Serve       Action = iota
	ShowVersion        // -v, --version
	ShowHelp           // -h, --help
	TestMemory         // --test-memory MEGABYTES
	CheckSystem        // --check-system
	CheckConfig        // --check-config FILE ...
)

// Args is a server's command line.
type Args struct {
	Action   Action
	Operands []string // what follows the word of an Action other than Serve
	File     string   // the configuration file, "" for none
	Stdin    bool     // read configuration from standard input
	Options  string   // the other arguments as configuration lines
	Sentinel bool     // --sentinel is among them
}

// ParseArgs reads a command line without the program's name, as Redis 7 does: a
// first argument without a dash is the file, a lone dash in the first or last
// place asks for standard input, and every other word is glued to lines for the
// parser of files, so that
//
//	--port 6380 --save 900 1 300 10 --save ""
//
// becomes three lines. A directive takes all words up to the next that starts
// with two dashes; but the word right after it is its value whatever it looks
// like, unless the directive is save or sentinel, which older start scripts give
// without one.
func ParseArgs(args []string) Args {
	a := Args{}
	if len(args) == 0 {
		return a
	}
	if a.Action = action(args[0]); a.Action != Serve {
		a.Operands = args[1:]
		return a
	}
	rest := args
	if !strings.HasPrefix(args[0], "-") {
		a.File, rest = args[0], args[1:]
	}
	var b optionBuilder
	for i, arg := range rest {
		first, last := i == 0 && a.File == "", i == len(rest)-1
		switch {
		case arg == "-" && (first || last):
			a.Stdin = true
		case b.complete() && strings.HasPrefix(arg, "--"):
			b.directive(arg, rest[i+1:])
		default:
			b.value(arg)
		}
		a.Sentinel = a.Sentinel || arg == "--sentinel"
	}
	a.Options = b.text.String()
	return a
}

func action(first string) Action {
	switch first {
	case "-v", "--version":
		return ShowVersion
	case "-h", "--help":
		return ShowHelp
	case "--test-memory":
		return TestMemory
	case "--check-system":
		return CheckSystem
	case "--check-config":
		return CheckConfig
	}
	return Serve
}

// optionBuilder glues arguments to lines.
type optionBuilder struct {
	text  strings.Builder
	needs bool // the last directive has no value yet
}

// complete tells whether a word with two dashes begins a new directive.
func (b *optionBuilder) complete() bool { return !b.needs }

func (b *optionBuilder) directive(arg string, after []string) {
	if b.text.Len() > 0 {
		b.text.WriteByte('\n')
	}
	b.text.WriteString(arg[2:])
	b.text.WriteByte(' ')
	words, _ := text.SplitArgs([]byte(arg))
	if len(words) != 1 {
		b.needs = false // "--port 6380" in one argument
		return
	}
	bare := len(after) == 0 || strings.HasPrefix(after[0], "--")
	b.needs = true
	switch {
	case !bare:
	case strings.EqualFold(arg, "--save"):
		b.text.WriteString(`""`)
		b.needs = false
	case strings.EqualFold(arg, "--sentinel"):
		b.needs = false
	}
}

func (b *optionBuilder) value(arg string) {
	b.text.WriteString(text.Quote(arg))
	b.text.WriteByte(' ')
	b.needs = false
}
