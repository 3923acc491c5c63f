package differential

import (
	"fmt"
	"regexp"
	"strings"
)

// Acceptance is a difference between Dozo and the oracle that is meant. The
// expressions match the whole reply as Value.String shows it.
type Acceptance struct {
	Name    string
	Command string // as Step.command gives it; "" is every command
	Oracle  string
	Dozo    string
	Reason  string
}

// since72 is the reason of most entries: Dozo answers as Redis 7.2 does, and the
// oracle is 7.0.
const since72 = "Redis 7.2 changed it; Dozo follows 7.2"

// acceptances is the written list. It holds only what was met in a run and is
// right in Dozo; anything else is a bug there.
var acceptances = []Acceptance{
	{
		Name: "HELLO before AUTH names its argument", Command: "hello", Reason: since72,
		Oracle: `\(error\) NOAUTH HELLO must be called .* HELLO AUTH <user> <pass> option .*`,
		Dozo:   `\(error\) NOAUTH HELLO must be called .* HELLO <proto> AUTH <user> <pass> option .*`,
	},
	{
		Name: "COMMAND GETKEYS of a command alone", Command: "command", Reason: since72 + ": one argument is enough",
		Oracle: `\(error\) ERR wrong number of arguments for 'command\|getkeys(andflags)?' command`,
		Dozo:   `\(error\) ERR (The command has no key arguments|Invalid number of arguments specified for command|Invalid command specified)`,
	},
	{
		Name: "PUBLISH to oneself in RESP3: the reply first", Command: "publish", Reason: since72 + ": pushes wait for the reply",
		Oracle: `>\["message" .*\]`, Dozo: `:\d+`,
	},
	{
		Name: "PUBLISH to oneself in RESP3: then the message", Command: "publish", Reason: since72 + ": pushes wait for the reply",
		Oracle: `:\d+`, Dozo: `>\["message" .*\]`,
	},
	{
		Name: "CLIENT SETINFO", Command: "client|setinfo", Reason: "new in Redis 7.2",
		Oracle: `\(error\) ERR unknown subcommand 'SETINFO'.*`,
		Dozo:   `\+OK|\(error\) ERR lib-name cannot contain spaces, newlines or special characters.|\(error\) ERR Unrecognized option 'NOSUCH'`,
	},
	{
		Name: "WAITAOF", Command: "waitaof", Reason: "new in Redis 7.2",
		Oracle: `\(error\) ERR unknown command 'WAITAOF'.*`,
		Dozo:   `\*\[:[01] :0\]|\(error\) ERR (WAITAOF cannot be used when numlocal is set but appendonly is disabled.|value is out of range.*|value is not an integer.*|timeout is .*|wrong number .*)`,
	},
	{
		Name: "CLIENT NO-TOUCH", Command: "client|no-touch", Reason: "new in Redis 7.2",
		Oracle: `\(error\) ERR unknown subcommand 'NO-TOUCH'.*`, Dozo: `\+OK|\(error\) ERR syntax error`,
	},
	{
		Name: "CLUSTER MYSHARDID", Command: "cluster|myshardid", Reason: "new in Redis 7.2",
		Oracle: `\(error\) ERR unknown subcommand 'MYSHARDID'.*`, Dozo: `\(error\) ERR This instance has cluster support disabled`,
	},
	{
		Name: "CONFIG DRIFT", Command: "config|drift", Reason: "Dozo's own: what differs from the configuration file",
		Oracle: `\(error\) ERR unknown subcommand 'DRIFT'.*`, Dozo: `[*%]\[.*\]`,
	},
	{
		Name: "small sets of strings are listpacks", Command: "(state)", Reason: since72,
		Oracle: `"hashtable"`, Dozo: `"listpack"`,
	},
	{
		Name: "OBJECT ENCODING of small sets of strings", Command: "object", Reason: since72,
		Oracle: `"hashtable"`, Dozo: `"listpack"`,
	},
	{
		Name: "small lists are listpacks", Command: "(state)", Reason: since72,
		Oracle: `"quicklist"`, Dozo: `"listpack"`,
	},
	{
		Name: "OBJECT ENCODING of small lists", Command: "object", Reason: since72,
		Oracle: `"quicklist"`, Dozo: `"listpack"`,
	},
	{
		Name: "LPOS with the least rank", Command: "lpos", Reason: since72 + ": it has no positive counterpart",
		Oracle: `:\d+|\*\[.*\]|\(nil\)|\(error\) .*`, Dozo: `\(error\) ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807`,
	},
	{
		Name: "consumers that exist since they asked", Command: "xgroup|createconsumer",
		Reason: since72 + ": XREADGROUP and XCLAIM make a consumer even if there is nothing for it",
		Oracle: `:1`, Dozo: `:0`,
	},
	{
		Name: "XREAD's list that is not balanced", Command: "xread", Reason: since72 + ": the command's own name",
		Oracle: `\(error\) ERR Unbalanced XREAD list of streams.*`, Dozo: `\(error\) ERR Unbalanced 'xread' list of streams.*`,
	},
	{
		Name: "XREADGROUP's list that is not balanced", Command: "xreadgroup", Reason: since72 + ": the command's own name and ID",
		Oracle: `\(error\) ERR Unbalanced XREAD list of streams.*`, Dozo: `\(error\) ERR Unbalanced 'xreadgroup' list of streams.*`,
	},
	{
		Name: "XSETID below the greatest deleted ID", Command: "xsetid", Reason: since72,
		Oracle: `\+OK|\(error\) ERR The ID specified in XSETID is smaller than the target stream top item`,
		Dozo:   `\(error\) ERR The ID specified in XSETID is smaller than current max_deleted_entry_id`,
	},
	{
		Name: "XREAD's timeout that overflows", Command: "xread", Reason: since72,
		Oracle: `[*%]\[.*\]`, Dozo: `\(error\) ERR timeout is out of range`,
	},
	{
		Name: "PFDEBUG DECODE of a last opcode that is cut off", Command: "pfdebug|decode",
		Reason: "the oracle reads a byte behind the end of the value, and shows it; Dozo says that the value is damaged",
		Oracle: `".*Z:\d+"`, Dozo: `\(error\) INVALIDOBJ Corrupted HLL object detected`,
	},
	{
		Name: "small integers that COPY made", Command: "object|refcount",
		Reason: "Dozo shares nothing and says of every small integer what Redis says of those it shares; a copy is not shared there",
		Oracle: `:1`, Dozo: `:2147483647`,
	},
}

type acceptance struct {
	Acceptance
	oracle, dozo *regexp.Regexp
}

func compileAcceptances(list []Acceptance) ([]acceptance, error) {
	var out []acceptance
	for _, a := range list {
		if a.Name == "" || a.Reason == "" {
			return nil, fmt.Errorf("the accepted difference %+v needs a name and a reason", a)
		}
		o, err1 := regexp.Compile(`(?s)^(?:` + a.Oracle + `)$`)
		d, err2 := regexp.Compile(`(?s)^(?:` + a.Dozo + `)$`)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("accepted difference %q: %v %v", a.Name, err1, err2)
		}
		out = append(out, acceptance{a, o, d})
	}
	return out, nil
}

// accept says whether the difference is in the list, and counts it.
func (p *Pair) accept(command string, o, d Value) bool {
	for i := range p.list {
		a := &p.list[i]
		if a.Command != "" && a.Command != command && !strings.HasPrefix(command, a.Command+"|") {
			continue
		}
		if a.oracle.MatchString(o.String()) && a.dozo.MatchString(d.String()) {
			p.accepted[a.Name]++
			return true
		}
	}
	return false
}
