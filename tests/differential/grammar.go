package differential

import (
	"fmt"
	"slices"
	"strings"

	"dozo/internal/testutil"
)

// argument is a node of the argument tree of COMMAND DOCS.
type argument struct {
	name, kind, token string
	optional          bool
	multiple          bool
	multipleToken     bool
	args              []argument
}

// spec is a command as COMMAND DOCS describes it.
type spec struct {
	words []string // the name, and the subcommand's if it is one
	group string
	args  []argument
}

// key is the name that the tables of this package use: "client|getname".
func (s *spec) key() string { return strings.Join(s.words, "|") }

// readGrammar asks a server for its command table.
func readGrammar(c *testutil.Conn) (map[string]*spec, error) {
	v, err := c.DoErr("COMMAND", "DOCS")
	if err != nil || v.IsError() {
		return nil, fmt.Errorf("COMMAND DOCS: %v %v", v, err)
	}
	out := map[string]*spec{}
	for _, p := range pairs(v) {
		addSpec(out, "", []string{p.key}, p.value)
	}
	if len(out) < 100 {
		return nil, fmt.Errorf("COMMAND DOCS described only %d commands", len(out))
	}
	return out, nil
}

type pair struct {
	key   string
	value Value
}

// pairs reads a map in its RESP2 or RESP3 form.
func pairs(v Value) []pair {
	var out []pair
	for i := 0; i+1 < len(v.Elems); i += 2 {
		out = append(out, pair{v.Elems[i].Str, v.Elems[i+1]})
	}
	return out
}

func addSpec(out map[string]*spec, group string, words []string, doc Value) {
	s := &spec{words: words, group: group}
	var subcommands Value
	for _, p := range pairs(doc) {
		switch p.key {
		case "group":
			s.group = p.value.Str
		case "arguments":
			s.args = readArguments(p.value)
		case "subcommands":
			subcommands = p.value
		}
	}
	if len(subcommands.Elems) == 0 {
		out[s.key()] = s
	}
	for _, p := range pairs(subcommands) {
		_, sub, _ := strings.Cut(p.key, "|")
		addSpec(out, s.group, append(slices.Clone(words), sub), p.value)
	}
}

func readArguments(v Value) []argument {
	var out []argument
	for _, e := range v.Elems {
		var a argument
		for _, p := range pairs(e) {
			switch p.key {
			case "name":
				a.name = p.value.Str
			case "type":
				a.kind = p.value.Str
			case "token":
				a.token = p.value.Str
			case "arguments":
				a.args = readArguments(p.value)
			case "flags":
				flags := p.value.Strings()
				a.optional = slices.Contains(flags, "optional")
				a.multiple = slices.Contains(flags, "multiple")
				a.multipleToken = slices.Contains(flags, "multiple_token")
			}
		}
		out = append(out, a)
	}
	return out
}

// serverCommands are the names in a server's COMMAND LIST, in lower case.
func serverCommands(c *testutil.Conn) (map[string]bool, error) {
	v, err := c.DoErr("COMMAND", "LIST")
	if err != nil || v.IsError() {
		return nil, fmt.Errorf("COMMAND LIST: %v %v", v, err)
	}
	out := map[string]bool{}
	for _, name := range v.Strings() {
		out[strings.ToLower(name)] = true
	}
	return out, nil
}
