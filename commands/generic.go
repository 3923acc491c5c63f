package commands

import (
	"slices"

	"dozo/command"
)

// Generic is the family of commands for keys of any type.
var Generic = slices.Concat(keyCommands, expireCommands, walkCommands, placeCommands, dumpCommands, objectCommands, sortCommands)

// keyCommands ask for keys and remove them.
var keyCommands = []command.Spec{
	{
		Name: "DEL", Handler: del, Group: command.Generic, Since: "1.0.0", Complexity: "O(N) for N keys, plus their elements",
		Syntax:  "key [key ...]",
		Flags:   command.Write,
		Keys:    []command.KeySpec{command.Span(1, -1, 1, command.RM|command.Delete)},
		Tips:    []string{"request_policy:multi_shard", "response_policy:agg_sum"},
		Summary: "Removes keys.",
	},
	{
		Name: "EXISTS", Handler: exists, Group: command.Generic, Since: "1.0.0", Complexity: "O(N) for N keys",
		Syntax:  "key [key ...]",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.Span(1, -1, 1, command.RO)},
		Tips:    []string{"request_policy:multi_shard", "response_policy:agg_sum"},
		History: []command.Change{{"3.0.3", "Takes several keys."}},
		Summary: "Counts how many of the keys exist; a key named twice counts twice.",
	},
	{
		Name: "TOUCH", Handler: touch, Group: command.Generic, Since: "3.2.1", Complexity: "O(N) for N keys",
		Syntax:  "key [key ...]",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.Span(1, -1, 1, command.RO)},
		Tips:    []string{"request_policy:multi_shard", "response_policy:agg_sum"},
		Summary: "Marks keys as used just now and counts those that exist.",
	},
	{
		Name: "TYPE", Handler: typeCommand, Group: command.Generic, Since: "1.0.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO)},
		Summary: "Names the type of the value of a key.",
	},
	{
		Name: "UNLINK", Handler: unlink, Group: command.Generic, Since: "4.0.0", Complexity: "O(1) a key, plus O(N) in the background",
		Syntax:  "key [key ...]",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.Span(1, -1, 1, command.RM|command.Delete)},
		Tips:    []string{"request_policy:multi_shard", "response_policy:agg_sum"},
		Summary: "Removes keys; the memory of big values is given back later.",
	},
}

func del(c *command.Context) error {
	n := int64(0)
	for _, key := range c.Args[1:] {
		if c.Delete(key) {
			c.Modified(key, command.EventGeneric, "del")
			n++
		}
	}
	c.Out.Int(n)
	return nil
}

func unlink(c *command.Context) error { return del(c) }

func exists(c *command.Context) error {
	n := int64(0)
	for _, key := range c.Args[1:] {
		if cell := peek(c, key); cell.Ok() {
			n++
		}
	}
	c.Out.Int(n)
	return nil
}

// touch counts keys as used even for a client that asked to leave no trace
// (CLIENT NO-TOUCH): it is what the command is for.
func touch(c *command.Context) error {
	n := int64(0)
	c.NoTouch = false
	for _, key := range c.Args[1:] {
		if cell := peek(c, key); cell.Ok() {
			c.Touch(&cell)
			n++
		}
	}
	c.Out.Int(n)
	return nil
}

func typeCommand(c *command.Context) error {
	cell := peek(c, c.Args[1])
	if !cell.Ok() {
		c.Out.SimpleString("none")
		return nil
	}
	c.Out.SimpleString(cell.Type().String())
	return nil
}
