package differential

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Kind says what a Step does.
type Kind uint8

// The kinds of steps. All but Command are written with a leading "!" (or, for
// Read, as an empty line of a connection) in a transcript.
const (
	Command Kind = iota // send Args, read the replies
	Read                // read one more frame, such as a pushed message
	Drain               // read all that is pushed, up to a PING of our own
	Sleep               // wait for Args[0]
	Raw                 // send Args[0] as it is, read the replies
	Close               // close the connection from the client's side
	Scan                // SCAN until the cursor is 0, compare the sets of keys
	Restore             // DUMP Args[0] at the oracle, RESTORE at both as Args[1:]
)

var kindNames = map[Kind]string{
	Drain: "!drain", Sleep: "!sleep", Raw: "!raw", Close: "!close", Scan: "!scan", Restore: "!restore",
}

// auto as a number of replies means: as many as the command gives.
const auto = -1

// Step is one line of a history.
type Step struct {
	Conn    int // 0 is "a", 1 is "b", ...
	Kind    Kind
	Args    []string
	Replies int   // frames to read, or auto
	Rule    *Rule // nil is the command's own rule
}

// History is a list of steps to run against two flushed servers.
type History struct {
	Name   string
	Proto  int               // 2 or 3: what the connections speak at the start
	Config map[string]string // CONFIG SET before, put back after
	Own    map[string]string // the same for Dozo only: directives that the oracle does not know
	Steps  []Step
	Batch  int // most commands sent before replies are read; 0 is 1
}

// String is the history in the form that Parse reads.
func (h *History) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "=== %s\n--- resp%d\n", h.Name, h.Proto)
	for _, name := range sortedKeys(h.Config) {
		fmt.Fprintf(&b, "--- config %s %s\n", name, quoteWord(h.Config[name]))
	}
	for i := range h.Steps {
		b.WriteString(h.Steps[i].String())
		b.WriteByte('\n')
	}
	return b.String()
}

// String is the step as a line of a transcript.
func (s *Step) String() string {
	var words []string
	if s.Conn != 0 || s.Kind == Read {
		words = append(words, string(rune('a'+s.Conn))+">")
	}
	if name := kindNames[s.Kind]; name != "" {
		words = append(words, name)
	}
	for _, a := range s.Args {
		words = append(words, quoteWord(a))
	}
	if s.Rule != nil {
		words = append(words, ";;", s.Rule.String())
	}
	if s.Replies != auto && s.Kind != Read {
		words = append(words, ";;", "replies", strconv.Itoa(s.Replies))
	}
	return strings.Join(words, " ")
}

// Command is the lower-case name of the step's command, with its subcommand
// after a bar when rules tell those apart.
func (s *Step) command() string {
	if s.Kind != Command || len(s.Args) == 0 {
		return ""
	}
	name := strings.ToLower(s.Args[0])
	if containers[name] && len(s.Args) > 1 {
		name += "|" + strings.ToLower(s.Args[1])
	}
	return name
}

// containers are the commands whose first argument is a subcommand.
var containers = map[string]bool{
	"client": true, "config": true, "command": true, "object": true, "memory": true, "debug": true,
	"pubsub": true, "slowlog": true, "latency": true, "pfdebug": true, "acl": true, "module": true,
	"cluster": true, "xgroup": true, "xinfo": true, "function": true, "script": true,
}

// frames is how many frames answer the step when nothing else is said. Every
// SUBSCRIBE confirms each channel by itself.
func (s *Step) frames() int {
	if s.Replies != auto {
		return s.Replies
	}
	switch s.command() {
	case "subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe":
		return max(1, len(s.Args)-1)
	}
	return 1
}

// Parse reads a transcript. Lines are:
//
//	# comment
//	=== name                 a case of its own, on flushed servers
//	--- resp2 | resp3        the protocol; without it the case runs in both
//	--- config NAME VALUE    CONFIG SET on both servers for this case
//	WORD "word\x00" "ab"*9   a command on connection a
//	b> WORD                  a command on connection b, which is opened when first named
//	b>                       reads one more frame on b
//	!sleep 20ms
//	!raw "bytes"             bytes as they are
//	!close                   closes the client's end
//	!scan MATCH k*           a whole iteration of SCAN with these options
//	!restore SRC DST TTL     RESTORE DST TTL payload-of-SRC (both from the oracle's DUMP)
//	!drain                   reads what was pushed until now
//
// and a command may end in ";; RULE ARGS" (see rules.go) or ";; replies N".
func Parse(text string) ([]*History, error) {
	var p transcript
	for i, line := range strings.Split(text, "\n") {
		if err := p.line(strings.TrimSpace(line)); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return p.done(), nil
}

type transcript struct {
	all    []*History
	protos []int
	now    *History
}

// done ends the current case, once for each protocol it is for.
func (p *transcript) done() []*History {
	if p.now != nil {
		for _, proto := range p.protos {
			h := *p.now
			h.Proto = proto
			p.all = append(p.all, &h)
		}
	}
	p.now = nil
	return p.all
}

func (p *transcript) line(line string) error {
	switch {
	case line == "" || line[0] == '#':
		return nil
	case strings.HasPrefix(line, "==="):
		p.done()
		p.protos = []int{2, 3}
		p.now = &History{Name: strings.TrimSpace(line[3:]), Config: map[string]string{}}
		return nil
	case p.now == nil:
		return fmt.Errorf("%q stands before the first === case", line)
	case strings.HasPrefix(line, "---"):
		return p.directive(line[3:])
	}
	step, err := parseStep(line)
	if err == nil {
		p.now.Steps = append(p.now.Steps, step)
	}
	return err
}

func (p *transcript) directive(text string) error {
	words, err := splitWords(text)
	switch {
	case err != nil:
		return err
	case len(words) == 1 && words[0] == "resp2":
		p.protos = []int{2}
	case len(words) == 1 && words[0] == "resp3":
		p.protos = []int{3}
	case len(words) == 3 && words[0] == "config":
		p.now.Config[words[1]] = words[2]
	default:
		return fmt.Errorf("unknown directive --- %s", text)
	}
	return nil
}

func parseStep(line string) (Step, error) {
	s := Step{Replies: auto}
	words, err := splitWords(line)
	if err != nil {
		return s, err
	}
	if w := words[0]; len(w) == 2 && w[1] == '>' && w[0] >= 'a' && w[0] <= 'z' {
		s.Conn, words = int(w[0]-'a'), words[1:]
	}
	if words, err = s.suffixes(words); err != nil {
		return s, err
	}
	if len(words) == 0 {
		s.Kind = Read
		return s, nil
	}
	for kind, name := range kindNames {
		if words[0] == name {
			s.Kind, words = kind, words[1:]
			break
		}
	}
	s.Args = words
	return s, s.check()
}

// suffixes cuts ";; rule" parts off the end of the words.
func (s *Step) suffixes(words []string) ([]string, error) {
	for i := len(words) - 1; i >= 0; i-- {
		if words[i] != ";;" {
			continue
		}
		rule := words[i+1:]
		words = words[:i]
		if len(rule) == 2 && rule[0] == "replies" {
			n, err := strconv.Atoi(rule[1])
			if err != nil || n < 0 {
				return nil, fmt.Errorf("%q is no number of replies", rule[1])
			}
			s.Replies = n
			continue
		}
		r, err := NewRule(rule)
		if err != nil {
			return nil, err
		}
		s.Rule = r
	}
	return words, nil
}

func (s *Step) check() error {
	least := map[Kind]int{Sleep: 1, Raw: 1, Restore: 3}[s.Kind]
	if len(s.Args) < least {
		return fmt.Errorf("%s needs %d words", kindNames[s.Kind], least)
	}
	if s.Kind == Sleep {
		_, err := time.ParseDuration(s.Args[0])
		return err
	}
	return nil
}

// splitWords splits a line at spaces. A word is bare, or a Go string literal,
// which "*N" right after it repeats N times.
func splitWords(line string) ([]string, error) {
	var words []string
	for {
		line = strings.TrimLeft(line, " \t")
		if line == "" {
			return words, nil
		}
		if line[0] != '"' {
			end := strings.IndexAny(line, " \t")
			if end < 0 {
				end = len(line)
			}
			words, line = append(words, line[:end]), line[end:]
			continue
		}
		literal, err := strconv.QuotedPrefix(line)
		if err != nil {
			return nil, fmt.Errorf("bad string in %q", line)
		}
		line = line[len(literal):]
		word, _ := strconv.Unquote(literal) // QuotedPrefix has checked it
		if rest, ok := strings.CutPrefix(line, "*"); ok {
			count, after, _ := strings.Cut(rest, " ")
			n, err := strconv.Atoi(count)
			if err != nil || n < 0 || n*len(word) > 1<<28 {
				return nil, fmt.Errorf("bad repetition in %q", line)
			}
			word, line = strings.Repeat(word, n), after
		}
		words = append(words, word)
	}
}

// quoteWord is the inverse of splitWords for one word.
func quoteWord(w string) string {
	if unit, n := repetition(w); n > 4 {
		return strconv.QuoteToASCII(unit) + "*" + strconv.Itoa(n)
	}
	if isBare(w) {
		return w
	}
	return strconv.QuoteToASCII(w)
}

func isBare(w string) bool {
	if w == "" || w == ";;" || strings.ContainsAny(w[:1], `#!"=-`) || strings.HasSuffix(w, ">") {
		// A number may begin with a minus, unless it could be taken for a directive.
		_, err := strconv.ParseInt(w, 10, 64)
		return err == nil && w[0] == '-'
	}
	for i := range len(w) {
		if w[i] <= ' ' || w[i] > '~' {
			return false
		}
	}
	return true
}

// unitMax is the longest unit that repetition looks for.
const unitMax = 16

// repetition finds a short unit that w repeats, n times, if w is long.
func repetition(w string) (unit string, n int) {
	for size := 1; size <= unitMax && len(w) >= 32; size++ {
		if len(w)%size == 0 && w == strings.Repeat(w[:size], len(w)/size) {
			return w[:size], len(w) / size
		}
	}
	return w, 1
}
