package commands

import (
	"math"

	"dozo/command"
	"dozo/object"
	"dozo/text"
)

var errDecrementOverflow error = command.ReplyError("ERR decrement would overflow")

// numberCommands count in strings.
var numberCommands = []command.Spec{
	{
		Name: "DECR", Handler: decr, Group: command.String, Since: "1.0.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Update)},
		Summary: "Subtracts one from a number; a missing key counts as 0.",
	},
	{
		Name: "DECRBY", Handler: decrby, Group: command.String, Since: "1.0.0", Complexity: "O(1)",
		Syntax:  "key decrement",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Update)},
		Summary: "Subtracts from a number; a missing key counts as 0.",
	},
	{
		Name: "INCR", Handler: incr, Group: command.String, Since: "1.0.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Update)},
		Summary: "Adds one to a number; a missing key counts as 0.",
	},
	{
		Name: "INCRBY", Handler: incrby, Group: command.String, Since: "1.0.0", Complexity: "O(1)",
		Syntax:  "key increment",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Update)},
		Summary: "Adds to a number; a missing key counts as 0.",
	},
	{
		Name: "INCRBYFLOAT", Handler: incrbyfloat, Group: command.String, Since: "2.6.0", Complexity: "O(1)",
		Syntax:  "key increment:double",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Update)},
		Summary: "Adds to a number that may have a fraction; a missing key counts as 0.",
	},
}

func incr(c *command.Context) error { return addInt(c, 1) }

func decr(c *command.Context) error { return addInt(c, -1) }

func incrby(c *command.Context) error {
	n, err := intArg(c.Args[2])
	if err != nil {
		return err
	}
	return addInt(c, n)
}

func decrby(c *command.Context) error {
	n, err := intArg(c.Args[2])
	switch {
	case err != nil:
		return err
	case n == math.MinInt64:
		return errDecrementOverflow
	}
	return addInt(c, -n)
}

// addInt adds to the integer at a key.
func addInt(c *command.Context, n int64) error {
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.String)
	if err != nil {
		return err
	}
	if cell.Ok() {
		old, err := intValue(&cell)
		switch {
		case err != nil:
			return err
		case n < 0 && old < math.MinInt64-n || n > 0 && old > math.MaxInt64-n:
			return command.ErrOverflow
		}
		n += old
		cell.SetInt(n)
	} else {
		var d digits
		c.SetString(key, text.AppendInt(d[:0], n), 0, false)
		notifyNew(c, c.DB, key)
	}
	c.Modified(key, command.EventString, "incrby")
	c.Out.Int(n)
	return nil
}

// intValue is the integer that a string spells.
func intValue(cell *object.Cell) (int64, error) {
	if n, ok := cell.Int(); ok {
		return n, nil
	}
	return intArg(cell.Bytes(nil))
}

// incrbyfloat computes in long doubles. The log gets the result, since a
// genuine server on another machine might round differently.
func incrbyfloat(c *command.Context) error {
	key := c.Args[1]
	cell := present(c, key)
	if cell.Ok() && cell.Type() != object.String {
		return command.ErrWrongType
	}
	sum := text.LongDoubleFromInt(0)
	deadline := int64(0)
	if cell.Ok() {
		var d digits
		old, ok := text.ParseLongDouble(cell.Bytes(d[:]))
		if !ok {
			return command.ErrNotFloat
		}
		sum, deadline = old, cell.Entry.Deadline()
	}
	increment, ok := text.ParseLongDouble(c.Args[2])
	if !ok {
		return command.ErrNotFloat
	}
	if sum = sum.Add(increment); !sum.Finite() {
		return command.ErrNaNOrInfinity
	}
	c.Scratch = sum.AppendHuman(c.Scratch[:0])
	if c.SetString(key, c.Scratch, deadline, true) {
		notifyNew(c, c.DB, key)
	}
	c.Modified(key, command.EventString, "incrbyfloat")
	c.Propagate(wordSet, key, c.Scratch, wordKeepTTL)
	c.Out.Bulk(c.Scratch)
	return nil
}
