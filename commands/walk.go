package commands

import (
	"math"

	"dozo/arena"
	"dozo/command"
	"dozo/container/entry"
	"dozo/object"
	"dozo/resp"
	"dozo/text"
)

// walkCommands look for keys that the caller cannot name.
var walkCommands = []command.Spec{
	{
		Name: "KEYS", Handler: keys, Group: command.Generic, Since: "1.0.0", Complexity: "O(N) for N keys of the database",
		Syntax: "pattern",
		Flags:  command.ReadOnly | command.Exclusive, Categories: command.CatDangerous,
		Tips:    []string{"request_policy:all_shards", "nondeterministic_output_order"},
		Summary: "Lists all keys whose names match a pattern.",
	},
	{
		Name: "RANDOMKEY", Handler: randomkey, Group: command.Generic, Since: "1.0.0", Complexity: "O(1)",
		Flags:   command.ReadOnly | command.TouchesArbitraryKeys | command.Roams,
		Tips:    []string{"request_policy:all_shards", "response_policy:special", "nondeterministic_output"},
		Summary: "Names one of the keys, by chance.",
	},
	{
		Name: "SCAN", Handler: scan, Group: command.Generic, Since: "2.8.0", Complexity: "O(1) a call, O(N) for all N keys",
		Syntax:  "cursor [MATCH pattern] [COUNT count] [TYPE type]@6.0.0",
		Flags:   command.ReadOnly | command.TouchesArbitraryKeys | command.Roams,
		Tips:    []string{"nondeterministic_output", "request_policy:special", "response_policy:special"},
		History: []command.Change{{"6.0.0", "The `TYPE` filter."}},
		Summary: "Goes through the keys of the database a few at a time.",
	},
}

// pattern is a glob pattern; a lone star, or none, matches everything.
type pattern struct {
	glob []byte
	any  bool
}

func newPattern(glob []byte) pattern { return pattern{glob, string(glob) == "*"} }

func (p *pattern) matches(key []byte) bool { return p.any || text.Match(p.glob, key, false) }

func keys(c *command.Context) error {
	p := newPattern(c.Args[1])
	mark, n := c.Out.DeferLen(), 0
	c.Each(c.DB, func(e entry.Entry, _ arena.Ref) bool {
		if key := e.Key(); p.matches(key) {
			c.Out.Bulk(key)
			n++
		}
		return true
	})
	c.Out.EndArray(mark, n)
	return nil
}

func randomkey(c *command.Context) error {
	key, ok := c.RandomKey(c.Scratch[:0])
	c.Scratch = key
	if !ok {
		c.Out.Null()
		return nil
	}
	c.Out.Bulk(key)
	return nil
}

// scanOpts are the options of SCAN.
type scanOpts struct {
	match pattern
	count int
	typed bool
	typ   object.Type
	known bool // the type is one that keys can have
	// elements: not keys are scanned, which have types, but elements of one.
	elements bool
}

func (o *scanOpts) parse(words [][]byte) error {
	o.match.any, o.count = true, 10
	for i := 0; i < len(words); i += 2 {
		if i+1 == len(words) {
			return command.ErrSyntax
		}
		value := words[i+1]
		switch w := words[i]; {
		case is(w, "COUNT"):
			n, err := intArg(value)
			switch {
			case err != nil:
				return err
			case n < 1:
				return command.ErrSyntax
			}
			o.count = int(min(n, math.MaxInt32))
		case is(w, "MATCH"):
			o.match = newPattern(value)
		case is(w, "TYPE") && !o.elements:
			o.typed = true
			o.typ, o.known = object.ParseType(string(text.AppendFold(nil, upToZero(value))))
		default:
			return command.ErrSyntax
		}
	}
	return nil
}

// wants tells whether a key passes the filters.
func (o *scanOpts) wants(e entry.Entry) bool {
	if o.typed && !(o.known && object.Type(e.Type()) == o.typ) {
		return false
	}
	return o.match.matches(e.Key())
}

// scan collects the keys of one step in the scratch buffer, since the cursor,
// which is known only afterwards, stands before them in the reply.
func scan(c *command.Context) error {
	cursor, err := cursorArg(c.Args[1])
	if err != nil {
		return err
	}
	var o scanOpts
	if err := o.parse(c.Args[2:]); err != nil {
		return err
	}
	found, n := resp.Writer{Buf: c.Scratch[:0]}, 0
	next := c.Scan(cursor, o.count, func(e entry.Entry) {
		if o.wants(e) {
			found.Bulk(e.Key())
			n++
		}
	})
	c.Out.Array(2)
	c.Out.BulkInt(int64(next))
	c.Out.Array(n)
	c.Out.Raw(found.Buf)
	c.Scratch = found.Buf
	return nil
}

// cursorArg reads a cursor with the tolerance of C's strtoul, which Redis uses:
// nothing is 0, a sign is allowed, and negative numbers wrap around. White space
// in front is refused.
func cursorArg(arg []byte) (uint64, error) {
	number := upToZero(arg)
	if len(number) == 0 {
		return 0, nil
	}
	n, ok := text.ParseUintLoose(number)
	if !ok || text.IsSpace(number[0]) {
		return 0, command.ErrInvalidCursor
	}
	return n, nil
}
