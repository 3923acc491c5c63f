package commands

import (
	"math"

	"dozo/command"
	"dozo/object"
)

const lfuNote = " Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."

var (
	errLFUPolicy   error = command.ReplyError("ERR An LFU maxmemory policy is selected, idle time not tracked." + lfuNote)
	errNoLFUPolicy error = command.ReplyError("ERR An LFU maxmemory policy is not selected, access frequency not tracked." + lfuNote)
)

// sharedIntegers is how many integers, from 0 on, Redis keeps one copy of.
const sharedIntegers = 10000

// objectCommands look into how a value is kept.
var objectCommands = []command.Spec{
	{
		Name: "OBJECT", Group: command.Generic, Since: "2.2.3",
		Summary: "Commands that look into how a value is kept.",
		Subs: []command.Spec{
			{
				Name: "ENCODING", Handler: objectEncoding, Group: command.Generic, Since: "2.2.3", Complexity: "O(1)",
				Syntax:  "key",
				Flags:   command.ReadOnly,
				Keys:    []command.KeySpec{command.At(2, command.RO)},
				Tips:    []string{"nondeterministic_output"},
				Summary: "Names the representation of a value.",
			},
			{
				Name: "FREQ", Handler: objectFreq, Group: command.Generic, Since: "4.0.0", Complexity: "O(1)",
				Syntax:  "key",
				Flags:   command.ReadOnly,
				Keys:    []command.KeySpec{command.At(2, command.RO)},
				Tips:    []string{"nondeterministic_output"},
				Summary: "Tells the LFU counter of a key: the logarithm of how often it is used.",
			},
			{
				Name: "HELP", Handler: command.Help, Group: command.Generic, Since: "6.2.0", Complexity: "O(1)",
				Flags:   command.Loading | command.Stale,
				Summary: "Lists the subcommands.",
			},
			{
				Name: "IDLETIME", Handler: objectIdletime, Group: command.Generic, Since: "2.2.3", Complexity: "O(1)",
				Syntax:  "key",
				Flags:   command.ReadOnly,
				Keys:    []command.KeySpec{command.At(2, command.RO)},
				Tips:    []string{"nondeterministic_output"},
				Summary: "Tells for how many seconds a key has not been used.",
			},
			{
				Name: "REFCOUNT", Handler: objectRefcount, Group: command.Generic, Since: "2.2.3", Complexity: "O(1)",
				Syntax:  "key",
				Flags:   command.ReadOnly,
				Keys:    []command.KeySpec{command.At(2, command.RO)},
				Tips:    []string{"nondeterministic_output"},
				Summary: "Tells how often a value is referred to.",
			},
		},
	},
}

// inspect looks a key up without a trace: it does not count as used, and nobody
// is told if it is missing. Then the reply is written.
func inspect(c *command.Context) object.Cell {
	cell := c.Peek(c.Args[2])
	if !cell.Ok() {
		c.Stats.Misses++
		c.Out.Null()
		return cell
	}
	c.Stats.Hits++
	return cell
}

func objectEncoding(c *command.Context) error {
	if cell := inspect(c); cell.Ok() {
		c.Out.BulkString(cell.Encoding().String())
	}
	return nil
}

func objectFreq(c *command.Context) error {
	cell := inspect(c)
	switch {
	case !cell.Ok():
	case !c.Set.LFUPolicy:
		return errNoLFUPolicy
	default:
		c.Out.Int(int64(c.Frequency(cell.Entry)))
	}
	return nil
}

func objectIdletime(c *command.Context) error {
	cell := inspect(c)
	switch {
	case !cell.Ok():
	case c.Set.LFUPolicy:
		return errLFUPolicy
	default:
		c.Out.Int(int64(c.IdleSeconds(cell.Entry)))
	}
	return nil
}

// objectRefcount answers as Redis would: small integers are shared there, unless
// each value must carry an age of its own for the eviction policy. (A number that
// COPY made is not shared there; that much history is not kept here.)
func objectRefcount(c *command.Context) error {
	cell := inspect(c)
	if !cell.Ok() {
		return nil
	}
	n, isInt := cell.Int()
	if c.Set.SharedIntegers && isInt && n >= 0 && n < sharedIntegers {
		c.Out.Int(math.MaxInt32)
		return nil
	}
	c.Out.Int(1)
	return nil
}
