package cli

import (
	"fmt"
	"sort"
	"strings"

	"dozo/resp"
)

// help is what the server told about its commands, by COMMAND DOCS.
type help struct {
	entries []entry // sorted by name
	groups  []string
}

// entry is one command or subcommand.
type entry struct {
	words                 []string // CONFIG GET
	name                  string   // the words with spaces between
	summary, since, group string
	args                  []*argument
}

// commandHelp asks the server, once. Without an answer there is no help.
func (s *session) commandHelp() *help {
	if s.help != nil {
		return s.help
	}
	h := &help{}
	if s.connect(true) != nil || s.conn == nil {
		return h // perhaps next time
	}
	s.help = h
	v, err := s.conn.Do("COMMAND", "DOCS")
	if err != nil {
		return h
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(v.Elems); i += 2 {
		h.add([]string{strings.ToUpper(v.Elems[i].Str)}, v.Elems[i+1], seen)
	}
	for g := range seen {
		h.groups = append(h.groups, "@"+g)
	}
	sort.Strings(h.groups)
	sort.Slice(h.entries, func(i, j int) bool { return h.entries[i].name < h.entries[j].name })
	return h
}

// add adds a command and its subcommands.
func (h *help) add(words []string, docs resp.Value, groups map[string]bool) {
	e := entry{words: words, name: strings.Join(words, " ")}
	if v, ok := docs.Lookup("summary"); ok {
		e.summary = v.Str
	}
	if v, ok := docs.Lookup("since"); ok {
		e.since = v.Str
	}
	if v, ok := docs.Lookup("group"); ok {
		e.group = v.Str
		groups[v.Str] = true
	}
	if v, ok := docs.Lookup("arguments"); ok {
		e.args = arguments(v)
	}
	h.entries = append(h.entries, e)
	subs, _ := docs.Lookup("subcommands")
	for i := 0; i+1 < len(subs.Elems); i += 2 {
		name := subs.Elems[i].Str
		if _, sub, ok := strings.Cut(name, "|"); ok {
			name = sub
		}
		h.add([]string{words[0], strings.ToUpper(name)}, subs.Elems[i+1], groups)
	}
}

// find gives the entry with the most words that the input begins with.
func (h *help) find(words []string) *entry {
	var best *entry
	for i := range h.entries {
		e := &h.entries[i]
		if len(e.words) <= len(words) && e.matches(words[:len(e.words)]) && (best == nil || len(e.words) > len(best.words)) {
			best = e
		}
	}
	return best
}

// matches reports that the entry's name begins with the words.
func (e *entry) matches(words []string) bool {
	if len(words) > len(e.words) {
		return false
	}
	for i, w := range words {
		if !strings.EqualFold(w, e.words[i]) {
			return false
		}
	}
	return true
}

// complete gives the lines that a line may grow to: names of commands and, behind
// "help", of groups.
func (h *help) complete(line string) []string {
	start := 0
	var out []string
	if len(line) >= 5 && strings.EqualFold(line[:5], "help ") {
		start = len(line) - len(strings.TrimLeft(line[5:], " "))
		for _, g := range h.groups {
			out = appendIfPrefix(out, line, start, g)
		}
	}
	for _, e := range h.entries {
		out = appendIfPrefix(out, line, start, e.name)
	}
	return out
}

// appendIfPrefix adds the line with what stands behind start completed to name.
func appendIfPrefix(out []string, line string, start int, name string) []string {
	typed := line[start:]
	if len(typed) < len(name) && strings.EqualFold(typed, name[:len(typed)]) {
		return append(out, line[:start]+name)
	}
	return out
}

// showHelp is the prompt's HELP.
func (s *session) showHelp(args []string) {
	defer s.flush()
	if len(args) == 0 {
		fmt.Fprintf(s.out, `%s
How to get help:
      "help @<group>" lists the commands of a group, such as @string or @server
      "help <command>" explains a command
      Tab completes the name of a command; behind it, Tab shows its arguments
      "quit" leaves

How to set preferences, here or in ~/.redisclirc:
      ":set hints" and ":set nohints": whether Tab shows arguments
`, versionLine)
		return
	}
	for _, e := range s.commandHelp().entries {
		group := strings.HasPrefix(args[0], "@")
		if group && strings.EqualFold(args[0][1:], e.group) || !group && e.matches(args) {
			s.showEntry(e, !group)
		}
	}
	fmt.Fprint(s.out, "\r\n")
}

func (s *session) showEntry(e entry, group bool) {
	const bold, grey, yellow, plain = "\x1b[1m", "\x1b[90m", "\x1b[33m", "\x1b[0m"
	fmt.Fprintf(s.out, "\r\n  %s%s%s %s%s%s\r\n", bold, e.name, plain, grey, e.hint(nil), plain)
	fmt.Fprintf(s.out, "  %ssummary:%s %s\r\n", yellow, plain, e.summary)
	if e.since != "" {
		fmt.Fprintf(s.out, "  %ssince:%s %s\r\n", yellow, plain, e.since)
	}
	if group {
		fmt.Fprintf(s.out, "  %sgroup:%s %s\r\n", yellow, plain, e.group)
	}
}
