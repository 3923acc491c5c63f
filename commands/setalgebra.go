package commands

import (
	"slices"

	"dozo/command"
	"dozo/container/listpack"
	"dozo/object"
	"dozo/text"
)

// algebraCommands make sets of several sets.
var algebraCommands = []command.Spec{
	{
		Name: "SINTER", Handler: sinter, Group: command.Set, Since: "1.0.0", Complexity: "O(N*M) for N members of the smallest of M sets",
		Syntax:  "key [key ...]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.Span(1, -1, 1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output_order"},
		Summary: "Lists the members that all sets have.",
	},
	{
		Name: "SINTERCARD", Handler: sintercard, Group: command.Set, Since: "7.0.0", Complexity: "O(N*M) for N members of the smallest of M sets",
		Syntax:  "numkeys key [key ...] [LIMIT limit]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.CountedAt(1, command.RO|command.Access)},
		Summary: "Counts the members that all sets have.",
	},
	{
		Name: "SINTERSTORE", Handler: sinterstore, Group: command.Set, Since: "1.0.0", Complexity: "O(N*M) for N members of the smallest of M sets",
		Syntax: "destination key [key ...]",
		Flags:  command.Write | command.DenyOOM,
		Keys: []command.KeySpec{
			command.At(1, command.RW|command.Update),
			command.Span(2, -1, 1, command.RO|command.Access),
		},
		Summary: "Stores the members that all sets have as a set.",
	},
	{
		Name: "SUNION", Handler: sunion, Group: command.Set, Since: "1.0.0", Complexity: "O(N) for N members of all sets",
		Syntax:  "key [key ...]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.Span(1, -1, 1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output_order"},
		Summary: "Lists the members that any of the sets has.",
	},
	{
		Name: "SUNIONSTORE", Handler: sunionstore, Group: command.Set, Since: "1.0.0", Complexity: "O(N) for N members of all sets",
		Syntax: "destination key [key ...]",
		Flags:  command.Write | command.DenyOOM,
		Keys: []command.KeySpec{
			command.At(1, command.OW|command.Update),
			command.Span(2, -1, 1, command.RO|command.Access),
		},
		Summary: "Stores the members that any of the sets has as a set.",
	},
	{
		Name: "SDIFF", Handler: sdiff, Group: command.Set, Since: "1.0.0", Complexity: "O(N) for N members of all sets",
		Syntax:  "key [key ...]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.Span(1, -1, 1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output_order"},
		Summary: "Lists the members of the first set that no other has.",
	},
	{
		Name: "SDIFFSTORE", Handler: sdiffstore, Group: command.Set, Since: "1.0.0", Complexity: "O(N) for N members of all sets",
		Syntax: "destination key [key ...]",
		Flags:  command.Write | command.DenyOOM,
		Keys: []command.KeySpec{
			command.At(1, command.OW|command.Update),
			command.Span(2, -1, 1, command.RO|command.Access),
		},
		Summary: "Stores the members of the first set that no other has as a set.",
	},
}

var (
	errNumKeys     error = command.ReplyError("ERR numkeys should be greater than 0")
	errManyKeys    error = command.ReplyError("ERR Number of keys can't be greater than number of args")
	errLimitBelow0 error = command.ReplyError("ERR LIMIT can't be negative")
)

// operand is one of the sets that an operation works on; not Ok = empty.
type operand struct {
	key  []byte
	cell object.Cell
}

func (o *operand) set() object.SetValue { return object.SetValue{Cell: &o.cell} }

func (o *operand) len() int {
	if !o.cell.Ok() {
		return 0
	}
	return o.set().Len()
}

// operands looks the keys up, all of them before any work is done.
func operands(c *command.Context, keys [][]byte) ([]operand, error) {
	list := make([]operand, len(keys))
	for i, key := range keys {
		cell, err := c.Lookup(key, object.Set)
		if err != nil {
			return nil, err
		}
		list[i] = operand{key, cell}
	}
	return list, nil
}

// intersect visits the members that all sets have until visit returns false. It
// sorts the sets by size.
func intersect(sets []operand, visit func(listpack.Value) bool) {
	slices.SortStableFunc(sets, func(a, b operand) int { return a.len() - b.len() })
	if sets[0].len() == 0 {
		return
	}
	others := sets[1:]
	sets[0].set().Each(func(v listpack.Value) bool {
		for i := range others {
			if !others[i].set().HasValue(v) {
				return true
			}
		}
		return visit(v)
	})
}

func sinter(c *command.Context) error {
	sets, err := operands(c, c.Args[1:])
	if err != nil {
		return err
	}
	mark, n := c.Out.DeferLen(), 0
	intersect(sets, func(v listpack.Value) bool {
		replyValue(c, v)
		n++
		return true
	})
	c.Out.EndSet(mark, n)
	return nil
}

func sintercard(c *command.Context) error {
	n, err := intArg(c.Args[1])
	switch {
	case err != nil || n < 1:
		return errNumKeys
	case n > int64(len(c.Args)-2):
		return errManyKeys
	}
	limit := int64(0)
	for rest := c.Args[2+n:]; len(rest) > 0; rest = rest[2:] {
		if !is(rest[0], "LIMIT") || len(rest) == 1 {
			return command.ErrSyntax
		}
		if limit, err = intArg(rest[1]); err != nil || limit < 0 {
			return errLimitBelow0
		}
	}
	sets, err := operands(c, c.Args[2:2+n])
	if err != nil {
		return err
	}
	found := int64(0)
	intersect(sets, func(listpack.Value) bool {
		found++
		return found != limit
	})
	c.Out.Int(found)
	return nil
}

func sinterstore(c *command.Context) error {
	sets, err := operands(c, c.Args[2:])
	if err != nil {
		return err
	}
	l := &c.Set.Limits.Set
	smallest := slices.MinFunc(sets, func(a, b operand) int { return a.len() - b.len() })
	first, integers := []byte("0"), true
	if smallest.cell.Ok() && smallest.cell.Encoding() != object.EncIntset {
		first = nil
	}
	var d object.Draft
	at := c.Place(c.Args[1])
	d.Begin(at, at.NewSet(first, 0, l))
	s := object.SetValue{Cell: &d.Cell}
	intersect(sets, func(v listpack.Value) bool {
		integers = integers && isInteger(v)
		s.AddValue(v, l)
		return true
	})
	if integers && s.Len() > 0 {
		s.Integers(l)
	}
	storeSet(c, &d, "sinterstore")
	return nil
}

// storeSet gives a set that was made to the destination, and answers its size.
func storeSet(c *command.Context, d *object.Draft, event string) {
	storeDraft(c, c.Args[1], d, object.SetValue{Cell: &d.Cell}.Len(), command.EventSet, event)
}

// storeDraft gives a collection of n elements to the destination and answers its
// size; an empty one deletes what was there.
func storeDraft(c *command.Context, key []byte, d *object.Draft, n int, class command.Event, event string) {
	if n == 0 {
		c.Discard(key, d)
		if c.Delete(key) {
			c.Modified(key, command.EventGeneric, "del")
		}
	} else {
		if c.Store(key, d, 0) {
			notifyNew(c, c.DB, key)
		}
		c.Modified(key, class, event)
	}
	c.Out.Int(int64(n))
}

func sunion(c *command.Context) error { return replyMade(c, uniteSets) }

func sunionstore(c *command.Context) error { return storeMade(c, uniteSets, "sunionstore") }

func sdiff(c *command.Context) error { return replyMade(c, subtractSets) }

func sdiffstore(c *command.Context) error { return storeMade(c, subtractSets, "sdiffstore") }

// maker fills a set with what an operation makes of others.
type maker func(out object.SetValue, sets []operand, l *object.SetLimits)

// replyMade answers what an operation makes of the sets. The result is made in the
// shard of the first, since what one set has and another has, too, must not be
// answered twice.
func replyMade(c *command.Context, work maker) error {
	sets, err := operands(c, c.Args[1:])
	if err != nil {
		return err
	}
	d := madeSet(c, c.Args[1], sets, work)
	replyMembers(c, &d.Cell)
	c.Discard(c.Args[1], d)
	return nil
}

func storeMade(c *command.Context, work maker, event string) error {
	sets, err := operands(c, c.Args[2:])
	if err != nil {
		return err
	}
	storeSet(c, madeSet(c, c.Args[1], sets, work), event)
	return nil
}

// madeSet makes a set in the shard of a key.
func madeSet(c *command.Context, key []byte, sets []operand, work maker) *object.Draft {
	d := &object.Draft{}
	at := c.Place(key)
	d.Begin(at, at.NewSet([]byte("0"), 0, &c.Set.Limits.Set))
	work(object.SetValue{Cell: &d.Cell}, sets, &c.Set.Limits.Set)
	return d
}

func uniteSets(out object.SetValue, sets []operand, l *object.SetLimits) {
	for i := range sets {
		if sets[i].cell.Ok() {
			sets[i].set().Each(func(v listpack.Value) bool {
				out.AddValue(v, l)
				return true
			})
		}
	}
}

// subtractSets looks each member of the first set up in all others, or takes the members
// of the others out of a copy of the first, whichever is less work.
func subtractSets(out object.SetValue, sets []operand, l *object.SetLimits) {
	first, others := &sets[0], sets[1:]
	lookups, removals := first.len(), first.len()
	for i := range others {
		if string(others[i].key) == string(first.key) {
			return
		}
		if others[i].cell.Ok() { // which way is taken shows in the encoding
			lookups += first.len()
			removals += others[i].len()
		}
	}
	if !first.cell.Ok() {
		return
	}
	if lookups/2 > removals {
		uniteSets(out, sets[:1], l)
		removeMembers(out, others)
		return
	}
	slices.SortStableFunc(others, func(a, b operand) int { return b.len() - a.len() })
	first.set().Each(func(v listpack.Value) bool {
		for i := range others {
			if others[i].cell.Ok() && others[i].set().HasValue(v) {
				return true
			}
		}
		out.AddValue(v, l)
		return true
	})
}

// removeMembers takes all members of the sets out of another.
func removeMembers(out object.SetValue, sets []operand) {
	for i := range sets {
		if sets[i].cell.Ok() && out.Len() > 0 {
			sets[i].set().Each(func(v listpack.Value) bool {
				out.RemoveValue(v)
				return true
			})
		}
	}
}

// isInteger tells whether a member could be in an intset.
func isInteger(v listpack.Value) bool {
	if v.Str == nil {
		return true
	}
	_, ok := text.ParseInt(v.Str)
	return ok
}
