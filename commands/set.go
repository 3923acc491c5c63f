package commands

import (
	"slices"

	"dozo/command"
	"dozo/container/listpack"
	"dozo/object"
)

// Set is the family of sets.
var Set = slices.Concat(memberCommands, drawCommands, algebraCommands)

// memberCommands add, remove, ask for and list members.
var memberCommands = []command.Spec{
	{
		Name: "SADD", Handler: sadd, Group: command.Set, Since: "1.0.0", Complexity: "O(N) for N members",
		Syntax:  "key member [member ...]",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Insert)},
		History: []command.Change{{"2.4.0", "Takes several members."}},
		Summary: "Adds members to a set, making it if need be.",
	},
	{
		Name: "SREM", Handler: srem, Group: command.Set, Since: "1.0.0", Complexity: "O(N) for N members",
		Syntax:  "key member [member ...]",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Delete)},
		History: []command.Change{{"2.4.0", "Takes several members."}},
		Summary: "Takes members out of a set; the last one takes the key along.",
	},
	{
		Name: "SISMEMBER", Handler: sismember, Group: command.Set, Since: "1.0.0", Complexity: "O(1)",
		Syntax:  "key member",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO)},
		Summary: "Tells whether something is a member of a set.",
	},
	{
		Name: "SMISMEMBER", Handler: smismember, Group: command.Set, Since: "6.2.0", Complexity: "O(N) for N members",
		Syntax:  "key member [member ...]",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Tells of several things whether they are members of a set.",
	},
	{
		Name: "SCARD", Handler: scard, Group: command.Set, Since: "1.0.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO)},
		Summary: "Counts the members of a set.",
	},
	{
		Name: "SMEMBERS", Handler: smembers, Group: command.Set, Since: "1.0.0", Complexity: "O(N) for N members",
		Syntax:  "key",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output_order"},
		Summary: "Lists the members of a set.",
	},
	{
		Name: "SSCAN", Handler: sscan, Group: command.Set, Since: "2.8.0", Complexity: "O(1) a call, O(N) for all N members",
		Syntax:  "key cursor [MATCH pattern] [COUNT count]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output"},
		Summary: "Goes through the members of a set a few at a time.",
	},
	{
		Name: "SMOVE", Handler: smove, Group: command.Set, Since: "1.0.0", Complexity: "O(1)",
		Syntax: "source destination member",
		Flags:  command.Write | command.Fast,
		Keys: []command.KeySpec{
			command.At(1, command.RW|command.Access|command.Delete),
			command.At(2, command.RW|command.Insert),
		},
		Summary: "Moves a member from one set to another.",
	},
}

// replyValue writes a member as it is stored.
func replyValue(c *command.Context, v listpack.Value) {
	if v.Str == nil {
		c.Out.BulkInt(v.Int)
		return
	}
	c.Out.Bulk(v.Str)
}

func sadd(c *command.Context) error {
	key, members := c.Args[1], c.Args[2:]
	cell, err := c.LookupEdit(key, object.Set)
	if err != nil {
		return err
	}
	l := &c.Set.Limits.Set
	if !cell.Ok() {
		cell = c.Add(key, c.Place(key).NewSet(members[0], len(members), l))
		notifyNew(c, c.DB, key)
	} else {
		object.SetValue{Cell: &cell}.Expect(len(members), l)
	}
	added := int64(0)
	for _, m := range members {
		if (object.SetValue{Cell: &cell}).Add(m, l) {
			added++
		}
	}
	if added > 0 {
		modifiedBy(c, key, added, command.EventSet, "sadd")
	}
	c.Out.Int(added)
	return nil
}

// modifiedBy is Modified for a call that counts as n changes.
func modifiedBy(c *command.Context, key []byte, n int64, class command.Event, event string) {
	c.Modified(key, class, event)
	c.Effects.Dirty += n - 1
}

func srem(c *command.Context) error {
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.Set)
	if err != nil {
		return err
	}
	removed, left := int64(0), 1
	if cell.Ok() {
		s := object.SetValue{Cell: &cell}
		for _, m := range c.Args[2:] {
			if s.Remove(m) {
				removed++
				if left = s.Len(); left == 0 {
					break
				}
			}
		}
	}
	if removed > 0 {
		modifiedBy(c, key, removed, command.EventSet, "srem")
	}
	if left == 0 {
		removeEmpty(c, key)
	}
	c.Out.Int(removed)
	return nil
}

// removeEmpty deletes the key of a collection that has lost its last element. That
// it was changed has been told.
func removeEmpty(c *command.Context, key []byte) {
	c.Delete(key)
	c.Notify(command.EventGeneric, "del", c.DB, key)
}

func sismember(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.Set)
	if err != nil {
		return err
	}
	replyFlag(c, cell.Ok() && object.SetValue{Cell: &cell}.Has(c.Args[2]))
	return nil
}

func smismember(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.Set)
	if err != nil {
		return err
	}
	c.Out.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		replyFlag(c, cell.Ok() && object.SetValue{Cell: &cell}.Has(m))
	}
	return nil
}

func scard(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.Set)
	if err != nil {
		return err
	}
	n := 0
	if cell.Ok() {
		n = object.SetValue{Cell: &cell}.Len()
	}
	c.Out.Int(int64(n))
	return nil
}

func smembers(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.Set)
	if err != nil {
		return err
	}
	replyMembers(c, &cell)
	return nil
}

// replyMembers writes all members of a set; a cell that is not Ok has none.
func replyMembers(c *command.Context, cell *object.Cell) {
	if !cell.Ok() {
		c.Out.Set(0)
		return
	}
	s := object.SetValue{Cell: cell}
	c.Out.Set(s.Len())
	s.Each(func(v listpack.Value) bool {
		replyValue(c, v)
		return true
	})
}

func sscan(c *command.Context) error {
	cursor, err := cursorArg(c.Args[2])
	if err != nil {
		return err
	}
	cell, err := c.Lookup(c.Args[1], object.Set)
	if err != nil {
		return err
	}
	return scanElements(c, cell.Ok(), func(o *scanOpts, found *foundElements) uint64 {
		return object.SetValue{Cell: &cell}.Scan(cursor, o.count, func(v listpack.Value) {
			if o.match.any || o.match.matches(v.Text(found.buf[:0])) {
				found.add(v)
			}
		})
	})
}

func smove(c *command.Context) error {
	from, to, m := c.Args[1], c.Args[2], c.Args[3]
	source, err := c.LookupEdit(from, object.Set)
	if err != nil {
		return err
	}
	if !source.Ok() {
		c.Out.Int(0)
		return nil
	}
	target, err := c.LookupEdit(to, object.Set)
	if err != nil {
		return err
	}
	source = c.EditAgain(from) // the target may have been dead, and its removal moves others
	s := object.SetValue{Cell: &source}
	if string(from) == string(to) {
		replyFlag(c, s.Has(m))
		return nil
	}
	if !s.Remove(m) {
		c.Out.Int(0)
		return nil
	}
	c.Modified(from, command.EventSet, "srem")
	if s.Len() == 0 {
		removeEmpty(c, from)
	}
	// The cell of the target may be out of date now.
	if target = c.EditAgain(to); !target.Ok() {
		target = c.Add(to, c.Place(to).NewSet(m, 1, &c.Set.Limits.Set))
		notifyNew(c, c.DB, to)
	}
	if (object.SetValue{Cell: &target}).Add(m, &c.Set.Limits.Set) {
		c.Modified(to, command.EventSet, "sadd")
	}
	c.Out.Int(1)
	return nil
}
