package command

import (
	"slices"
	"strings"
)

// Arg is one argument of a command, or a group of them, as COMMAND DOCS
// describes it. It is parsed from the Syntax of a Spec, see ParseSyntax.
type Arg struct {
	Name string
	// Shown stands for the value in usage lines; it is Name unless the syntax
	// gives the argument another name.
	Shown    string
	Type     ArgType
	Token    string // the literal word, or the word that announces the value
	Optional bool
	Multiple bool
	// MultipleToken: the token is repeated with each value.
	MultipleToken bool
	// Since is the version that brought the argument, Until the one that
	// deprecated it; both are empty when the argument is as old as its command.
	Since, Until string
	// KeySpec counts from 1 which of the command's key specs finds this key; 0 =
	// none.
	KeySpec int
	Args    []Arg // of a OneOf or a Block
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

// namedTypes are the types of values that go by these names, unless the syntax
// says otherwise; all other names are strings.
var namedTypes = map[string]ArgType{
	"key": ArgKey, "newkey": ArgKey, "source": ArgKey, "destination": ArgKey, "destkey": ArgKey, "sourcekey": ArgKey,
	"key1": ArgKey, "key2": ArgKey, "src": ArgKey, "dst": ArgKey,

	"pattern": ArgPattern, "unix-time-seconds": ArgUnixTime, "unix-time-milliseconds": ArgUnixTime,

	"bit": ArgInteger, "bits": ArgInteger, "client-id": ArgInteger, "cluster-bus-port": ArgInteger,
	"config-epoch": ArgInteger, "count": ArgInteger, "current-epoch": ArgInteger, "cursor": ArgInteger,
	"db": ArgInteger, "decrement": ArgInteger, "destination-db": ArgInteger, "end": ArgInteger,
	"end-slot": ArgInteger, "entries-added": ArgInteger, "entries-read": ArgInteger, "frequency": ArgInteger,
	"increment": ArgInteger, "index": ArgInteger, "index1": ArgInteger, "index2": ArgInteger, "len": ArgInteger,
	"limit": ArgInteger, "milliseconds": ArgInteger, "min-match-len": ArgInteger, "ms": ArgInteger,
	"num-matches": ArgInteger, "numkeys": ArgInteger, "numlocal": ArgInteger, "numreplicas": ArgInteger,
	"offset": ArgInteger, "port": ArgInteger, "protover": ArgInteger, "quorum": ArgInteger, "rank": ArgInteger,
	"seconds": ArgInteger, "slot": ArgInteger, "start": ArgInteger, "start-slot": ArgInteger, "stop": ArgInteger,
	"timeout": ArgInteger, "ttl": ArgInteger, "version": ArgInteger, "weight": ArgInteger,

	"height": ArgDouble, "latitude": ArgDouble, "longitude": ArgDouble, "radius": ArgDouble, "score": ArgDouble,
	"width": ArgDouble,
}

// value makes an argument that is a plain value.
func value(name string) Arg { return Arg{Name: name, Shown: name, Type: namedTypes[name]} }

// asOne makes a single argument of what stands in a group. A word that begins
// the group and is followed by nothing but values announces all of them: LIMIT
// offset count.
func asOne(args []Arg) Arg {
	if len(args) == 1 {
		return args[0]
	}
	one := Arg{Name: groupName(args), Type: ArgBlock, Args: args}
	if announcesAll(args) {
		one.Token, one.Name = args[0].Token, strings.ToLower(args[0].Token)
		one.Args = slices.Clone(args)
		one.Args[0].Token = ""
	}
	return one
}

func announcesAll(args []Arg) bool {
	for i := range args {
		a := &args[i]
		if a.nested() || a.Type == ArgToken || a.Optional || a.Multiple || (a.Token != "") != (i == 0) {
			return false
		}
	}
	return len(args) > 1
}

// groupName names a group after its first members, as short as it stays clear.
func groupName(args []Arg) string {
	var names []string
	for i := range args[:min(len(args), 2)] {
		names = append(names, args[i].Name)
	}
	return strings.Join(names, "-")
}

// nested tells whether the argument is a group.
func (a *Arg) nested() bool { return a.Type == ArgOneOf || a.Type == ArgBlock }

// Usage renders arguments in the notation of the Redis documentation, without
// the marks that only COMMAND DOCS needs.
func Usage(args []Arg) string {
	var b strings.Builder
	writeUsage(&b, args)
	return b.String()
}

func writeUsage(b *strings.Builder, args []Arg) {
	for i := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		args[i].writeUsage(b)
	}
}

func (a *Arg) writeUsage(b *strings.Builder) {
	if !a.Optional {
		a.writeGiven(b, false)
		return
	}
	b.WriteByte('[')
	a.writeGiven(b, a.Type == ArgOneOf && a.Token == "" && !a.Multiple)
	b.WriteByte(']')
}

// writeGiven renders the argument as if it were not optional. Bare leaves out
// the <> around alternatives.
func (a *Arg) writeGiven(b *strings.Builder, bare bool) {
	if a.Token != "" {
		b.WriteString(a.Token)
		if a.Type != ArgToken {
			b.WriteByte(' ')
		}
	}
	a.writeBody(b, bare)
	if !a.Multiple {
		return
	}
	b.WriteString(" [")
	switch {
	case a.Type == ArgToken:
		b.WriteString(a.Token)
	case a.MultipleToken:
		b.WriteString(a.Token + " ")
	}
	a.writeBody(b, bare)
	b.WriteString(" ...]")
}

// writeBody renders what comes after the token.
func (a *Arg) writeBody(b *strings.Builder, bare bool) {
	switch {
	case a.Type == ArgBlock:
		writeUsage(b, a.Args)
	case a.Type == ArgOneOf:
		if !bare {
			b.WriteByte('<')
		}
		for i := range a.Args {
			if i > 0 {
				b.WriteString(" | ")
			}
			a.Args[i].writeUsage(b)
		}
		if !bare {
			b.WriteByte('>')
		}
	case a.Type == ArgToken && a.Token != "":
	default:
		b.WriteString(a.Shown)
	}
}

// least is the smallest number of words that args take.
func least(args []Arg) int {
	n := 0
	for i := range args {
		if !args[i].Optional {
			n += args[i].words()
		}
	}
	return n
}

// words is the smallest number of words of the argument when it is given.
func (a *Arg) words() int {
	n := 1
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
		switch {
		case a.Optional || a.Multiple || a.Type == ArgBlock && !fixed(a.Args):
			return false
		case a.Type != ArgOneOf:
			continue
		}
		for j := range a.Args {
			if a.Args[j].words() != a.Args[0].words() || !fixed(a.Args[j:j+1]) {
				return false
			}
		}
	}
	return true
}

// bindKeys tells each key argument which key spec finds it: key arguments take
// the specs in order, all that are left over the last one; patterns take the
// spec of keys that are read but cannot be found by position (SORT's BY and GET).
func bindKeys(args []Arg, keys []KeySpec) {
	var inOrder []int
	byPattern := 0
	for i := range keys {
		if keys[i].Unknown && keys[i].Flags&RO != 0 {
			byPattern = i + 1
		} else {
			inOrder = append(inOrder, i+1)
		}
	}
	bindArgs(args, &inOrder, byPattern)
}

func bindArgs(args []Arg, inOrder *[]int, byPattern int) {
	for i := range args {
		a := &args[i]
		switch rest := *inOrder; {
		case a.Type == ArgPattern:
			a.KeySpec = byPattern
		case a.Type == ArgKey && len(rest) != 0:
			a.KeySpec = rest[0]
			*inOrder = rest[min(1, len(rest)-1):]
		}
		bindArgs(a.Args, inOrder, byPattern)
	}
}
