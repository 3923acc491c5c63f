package differential

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"dozo/internal/testutil"
)

// Value is a parsed reply.
type Value = testutil.Value

// Rule says when two replies are the same.
type Rule struct {
	Name string
	Args []string
	same func(oracle, dozo Value, args []string) bool
	// arity is the number of Args.
	arity int
}

// String is the rule as it is written after ";;".
func (r *Rule) String() string { return strings.Join(append([]string{r.Name}, r.Args...), " ") }

// Compare returns "" when the replies agree, else the rule that they break.
func (r *Rule) Compare(oracle, dozo Value) string {
	if r.same(oracle, dozo, r.Args) {
		return ""
	}
	return r.String()
}

// ruleTable has every rule. Each looser rule is still strict about errors: an
// error and a non-error never agree, but for "any".
var ruleTable = map[string]Rule{
	// exact: the same bytes.
	"exact": {same: func(o, d Value, _ []string) bool { return reflect.DeepEqual(o, d) }},
	// sorted: the same elements in any order.
	"sorted": {same: sameSorted},
	// pairs: a map, flat in RESP2, with its pairs in any order.
	"pairs": {same: samePairs},
	// kind: the same RESP type, null or not; for what is random by nature.
	"kind": {same: func(o, d Value, _ []string) bool { return sameKind(o, d) }},
	// within N: integers that differ by at most N; the clocks of two servers.
	"within": {same: sameWithin, arity: 1},
	// shape: the same type, as many elements, and their types.
	"shape": {same: sameShape},
	// code: errors with the same first word; other replies exactly.
	"code": {same: sameCode},
	// fields: "name:value" or "name=value" lists; Dozo has every name of the oracle.
	"fields": {same: sameFields},
	// superset: a flat list or map; Dozo has every element of the oracle.
	"superset": {same: sameSuperset},
	// names: a map; Dozo has every name of the oracle, with any value.
	"names": {same: func(o, d Value, _ []string) bool { return sameKind(o, d) && containsAll(evens(d), evens(o)) }},
	// refcount: both shared by everybody, or both by few: a command that waits in
	// a transaction is one more holder for Redis.
	"refcount": {same: sameRefcount},
	// streaminfo and pending: what XINFO and XPENDING say, but for times.
	"streaminfo": {same: sameStreamInfo}, "pending": {same: samePending},
	// any: anything but a broken connection.
	"any": {same: func(o, d Value, _ []string) bool { return !broken(o) && !broken(d) }},
	// dump: handled by the runner, which asks the oracle whether two payloads
	// hold the same value; here only equal ones agree.
	"dump": {same: func(o, d Value, _ []string) bool { return reflect.DeepEqual(o, d) }},
}

// NewRule makes a rule from its words.
func NewRule(words []string) (*Rule, error) {
	if len(words) == 0 {
		return nil, fmt.Errorf("no rule after ;; (there are: %v)", slices.Sorted(maps.Keys(ruleTable)))
	}
	r, ok := ruleTable[words[0]]
	if !ok || len(words)-1 != r.arity {
		return nil, fmt.Errorf("no rule %q (there are: %v)", words, slices.Sorted(maps.Keys(ruleTable)))
	}
	r.Name, r.Args = words[0], words[1:]
	return &r, nil
}

// mustRule is NewRule for the tables of this package.
func mustRule(text string) *Rule {
	r, err := NewRule(strings.Fields(text))
	if err != nil {
		panic(err)
	}
	return r
}

var exact = mustRule("exact")

// commandRules are the rules of commands whose replies depend on more than the
// data: time, chance, the server's identity, or the order inside a hash table.
var commandRules = map[string]*Rule{
	"ttl": mustRule("within 2"), "pttl": mustRule("within 2000"),
	"expiretime": mustRule("within 2"), "pexpiretime": mustRule("within 2000"),
	"keys": mustRule("sorted"), "scan": mustRule("shape"), "randomkey": mustRule("kind"),
	"dump":     mustRule("dump"),
	"smembers": mustRule("sorted"), "sinter": mustRule("sorted"), "sunion": mustRule("sorted"), "sdiff": mustRule("sorted"),
	"hkeys": mustRule("sorted"), "hvals": mustRule("sorted"), "hgetall": mustRule("pairs"), "hrandfield": mustRule("shape"), "hscan": mustRule("shape"),
	"spop": mustRule("sorted"), "srandmember": mustRule("shape"), "sscan": mustRule("shape"),
	"zrandmember": mustRule("shape"), "zscan": mustRule("shape"),
	"object|idletime": mustRule("kind"), // small integers are one shared object to Redis, with one idle time
	"object|freq":     mustRule("kind"),
	"object|refcount": mustRule("refcount"),
	"time":            mustRule("shape"), "lastsave": mustRule("kind"), "lolwut": mustRule("any"),
	"hello": mustRule("kind"), "info": mustRule("kind"),
	"client|id": mustRule("kind"), "client|info": mustRule("kind"), "client|list": mustRule("kind"),
	"memory|usage": mustRule("kind"), "memory|stats": mustRule("any"), "memory|doctor": mustRule("any"),
	"memory|malloc-stats": mustRule("any"), "debug|object": mustRule("kind"), "debug|sleep": mustRule("kind"),
	"slowlog|get": mustRule("kind"), "slowlog|len": mustRule("kind"), "latency|latest": mustRule("any"),
	"latency|doctor": mustRule("any"), "latency|histogram": mustRule("any"), "latency|reset": mustRule("kind"),
	"command|count": mustRule("kind"), "command|list": mustRule("kind"), "command|docs": mustRule("kind"),
	"pubsub|channels": mustRule("sorted"), "pubsub|shardchannels": mustRule("sorted"),
	"config|get":   mustRule("sorted"),
	"xinfo|stream": mustRule("streaminfo"), "xinfo|groups": mustRule("streaminfo"), "xinfo|consumers": mustRule("streaminfo"),
	"xpending": mustRule("pending"),
}

// ruleFor is the rule of a step.
func ruleFor(s *Step) *Rule {
	if s.Rule != nil {
		return s.Rule
	}
	if s.Kind == Restore {
		return commandRules["dump"]
	}
	if r := commandRules[s.command()]; r != nil {
		return r
	}
	return exact
}

// broken recognises the frames that the runner makes up for connections that
// closed or stayed silent.
func broken(v Value) bool { return v.Kind == '-' && strings.HasPrefix(v.Str, brokenMark) }

func isNull(v Value) bool { return v.Null || v.Kind == '_' }

func sameKind(o, d Value) bool {
	return o.Kind == d.Kind && isNull(o) == isNull(d) && (!o.IsError() || o.Str == d.Str)
}

// sameShape demands as many elements at the top; inner arrays may have any length
// (SCAN's list of keys: its cursor splits elsewhere).
func sameShape(o, d Value, _ []string) bool {
	if !sameKind(o, d) || len(o.Elems) != len(d.Elems) {
		return false
	}
	for i := range o.Elems {
		if !sameKind(o.Elems[i], d.Elems[i]) {
			return false
		}
	}
	return true
}

func sameSorted(o, d Value, _ []string) bool {
	return sameKind(o, d) && len(o.Elems) == len(d.Elems) &&
		slices.Equal(sortedElems(o), sortedElems(d)) && o.Str == d.Str
}

// sortedElems shows each element, or each pair of a map, as a string.
func sortedElems(v Value) []string {
	var out []string
	step := 1
	if v.Kind == '%' {
		step = 2
	}
	for i := 0; i+step <= len(v.Elems); i += step {
		text := v.Elems[i].String()
		if step == 2 {
			text += " -> " + v.Elems[i+1].String()
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

func samePairs(o, d Value, _ []string) bool {
	asMap := func(v Value) Value {
		if v.Kind == '*' {
			v.Kind = '%'
		}
		return v
	}
	return sameKind(o, d) && len(o.Elems) == len(d.Elems) && o.Str == d.Str &&
		slices.Equal(sortedElems(asMap(o)), sortedElems(asMap(d)))
}

func sameWithin(o, d Value, args []string) bool {
	margin, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil || o.Kind != ':' || d.Kind != ':' {
		return reflect.DeepEqual(o, d)
	}
	// The negative replies (-1, -2) are answers, not times.
	a, b := o.Int(), d.Int()
	return a == b || a >= 0 && b >= 0 && a-b <= margin && b-a <= margin
}

func sameRefcount(o, d Value, _ []string) bool {
	const few = 10
	return reflect.DeepEqual(o, d) || o.Kind == ':' && d.Kind == ':' && o.Int() < few && d.Int() < few
}

func sameCode(o, d Value, _ []string) bool {
	if o.IsError() && d.IsError() {
		a, _, _ := strings.Cut(o.Str, " ")
		b, _, _ := strings.Cut(d.Str, " ")
		return a == b
	}
	return reflect.DeepEqual(o, d)
}

func sameFields(o, d Value, _ []string) bool {
	if !sameKind(o, d) {
		return false
	}
	return containsAll(fieldNames(d.Str), fieldNames(o.Str))
}

// fieldNames are the names in the text of INFO (a line each) or of CLIENT LIST.
func fieldNames(text string) []string {
	var names []string
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' || r == ' ' }) {
		if name, _, ok := strings.Cut(line, ":"); ok && !strings.Contains(name, "=") {
			names = append(names, name)
		} else if name, _, ok := strings.Cut(line, "="); ok {
			names = append(names, name)
		}
	}
	return names
}

func sameSuperset(o, d Value, _ []string) bool {
	return sameKind(o, d) && containsAll(d.Strings(), o.Strings())
}

// evens are the names of a map, in RESP2 or RESP3.
func evens(v Value) (names []string) {
	for i := 0; i < len(v.Elems); i += 2 {
		names = append(names, v.Elems[i].Str)
	}
	return names
}

func containsAll(have, want []string) bool {
	set := map[string]bool{}
	for _, name := range have {
		set[name] = true
	}
	for _, name := range want {
		if !set[name] {
			return false
		}
	}
	return true
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// sameStreamInfo compares what XINFO says. Times are those of the servers' clocks.
// Consumers without anything pending are left out, and not counted: 7.0 makes a
// consumer when it is given something, 7.2 when it asks.
func sameStreamInfo(o, d Value, _ []string) bool {
	return reflect.DeepEqual(timeless(o), timeless(d))
}

// moment is the least number that can only be a time.
const moment = 1_000_000_000_000

// timeless is a reply of XINFO without the fields that sameStreamInfo leaves out,
// and with all times the same.
func timeless(v Value) Value {
	if v.Kind == ':' && v.Int() >= moment {
		v.Str = strconv.Itoa(moment)
	}
	var elems []Value
	for i := 0; i < len(v.Elems); i++ {
		e := v.Elems[i]
		switch {
		case isIdle(e):
			continue
		case i+1 < len(v.Elems) && slices.Contains([]string{"idle", "inactive", "seen-time", "active-time"}, e.Str),
			i+1 < len(v.Elems) && e.Str == "consumers" && v.Elems[i+1].Kind == ':':
			i++
			continue
		}
		elems = append(elems, timeless(e))
	}
	v.Elems = elems
	return v
}

// isIdle recognises the fields of a consumer for whom nothing is pending.
func isIdle(v Value) bool {
	fields := map[string]Value{}
	for i := 0; i+1 < len(v.Elems); i += 2 {
		fields[v.Elems[i].Str] = v.Elems[i+1]
	}
	n, ok := fields["pel-count"]
	if _, consumer := fields["seen-time"]; consumer && ok {
		return n.Int() == 0
	}
	n, ok = fields["pending"]
	_, consumer := fields["idle"]
	return consumer && ok && n.Int() == 0
}

// samePending compares what XPENDING says: in each entry the third element is for
// how long it has been pending.
func samePending(o, d Value, _ []string) bool {
	const idle = 2
	if !sameKind(o, d) || len(o.Elems) != len(d.Elems) {
		return false
	}
	for i, e := range o.Elems {
		f := d.Elems[i]
		if len(e.Elems) == 4 && len(f.Elems) == 4 {
			if !sameWithin(e.Elems[idle], f.Elems[idle], []string{"60000"}) {
				return false
			}
			e.Elems[idle], f.Elems[idle] = Value{}, Value{}
		}
		if !reflect.DeepEqual(e, f) {
			return false
		}
	}
	return true
}
