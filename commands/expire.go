package commands

import (
	"math"

	"dozo/command"
	"dozo/text"
)

var (
	errExpireNX   error = command.ReplyError("ERR NX and XX, GT or LT options at the same time are not compatible")
	errExpireGTLT error = command.ReplyError("ERR GT and LT options at the same time are not compatible")
)

// expireCommands set and ask when keys die.
var expireCommands = []command.Spec{
	{
		Name: "EXPIRE", Handler: expire, Group: command.Generic, Since: "1.0.0", Complexity: "O(1)",
		Syntax:  "key seconds condition=[NX | XX | GT | LT]@7.0.0",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		History: []command.Change{{"7.0.0", "The conditions `NX`, `XX`, `GT` and `LT`."}},
		Summary: "Lets a key expire after some seconds.",
	},
	{
		Name: "EXPIREAT", Handler: expireat, Group: command.Generic, Since: "1.2.0", Complexity: "O(1)",
		Syntax:  "key unix-time-seconds condition=[NX | XX | GT | LT]@7.0.0",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		History: []command.Change{{"7.0.0", "The conditions `NX`, `XX`, `GT` and `LT`."}},
		Summary: "Lets a key expire at a time given in seconds since the epoch.",
	},
	{
		Name: "EXPIRETIME", Handler: expiretime, Group: command.Generic, Since: "7.0.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Tells when a key expires, in seconds since the epoch.",
	},
	{
		Name: "PERSIST", Handler: persist, Group: command.Generic, Since: "2.2.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		Summary: "Keeps a key from expiring.",
	},
	{
		Name: "PEXPIRE", Handler: pexpire, Group: command.Generic, Since: "2.6.0", Complexity: "O(1)",
		Syntax:  "key milliseconds condition=[NX | XX | GT | LT]@7.0.0",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		History: []command.Change{{"7.0.0", "The conditions `NX`, `XX`, `GT` and `LT`."}},
		Summary: "Lets a key expire after some milliseconds.",
	},
	{
		Name: "PEXPIREAT", Handler: pexpireat, Group: command.Generic, Since: "2.6.0", Complexity: "O(1)",
		Syntax:  "key unix-time-milliseconds condition=[NX | XX | GT | LT]@7.0.0",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		History: []command.Change{{"7.0.0", "The conditions `NX`, `XX`, `GT` and `LT`."}},
		Summary: "Lets a key expire at a time given in milliseconds since the epoch.",
	},
	{
		Name: "PEXPIRETIME", Handler: pexpiretime, Group: command.Generic, Since: "7.0.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Tells when a key expires, in milliseconds since the epoch.",
	},
	{
		Name: "PTTL", Handler: pttl, Group: command.Generic, Since: "2.6.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output"},
		History: []command.Change{{"2.8.0", "Replies -2 for a key that does not exist."}},
		Summary: "Tells how many milliseconds a key has left.",
	},
	{
		Name: "TTL", Handler: ttl, Group: command.Generic, Since: "1.0.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output"},
		History: []command.Change{{"2.8.0", "Replies -2 for a key that does not exist."}},
		Summary: "Tells how many seconds a key has left.",
	},
}

// conditions are the options of the EXPIRE family.
type conditions uint8

const (
	onlyNX conditions = 1 << iota // if the key has no deadline
	onlyXX                        // if it has one
	onlyGT                        // if the new one is later
	onlyLT                        // if the new one is earlier
)

func (o *conditions) parse(words [][]byte) error {
	for _, w := range words {
		switch {
		case is(w, "NX"):
			*o |= onlyNX
		case is(w, "XX"):
			*o |= onlyXX
		case is(w, "GT"):
			*o |= onlyGT
		case is(w, "LT"):
			*o |= onlyLT
		default:
			return command.ReplyError("ERR Unsupported option " + string(upToZero(w)))
		}
	}
	switch {
	case *o&onlyNX != 0 && *o&(onlyXX|onlyGT|onlyLT) != 0:
		return errExpireNX
	case *o&onlyGT != 0 && *o&onlyLT != 0:
		return errExpireGTLT
	}
	return nil
}

// hold tells whether a deadline may replace old (0 = none, which counts as
// later than any).
func (o conditions) hold(old, when int64) bool {
	switch {
	case o&onlyNX != 0 && old != 0,
		o&onlyXX != 0 && old == 0,
		o&onlyGT != 0 && (old == 0 || when <= old),
		o&onlyLT != 0 && old != 0 && when >= old:
		return false
	}
	return true
}

func expire(c *command.Context) error { return expireFrom(c, c.Now, 1000) }

func expireat(c *command.Context) error { return expireFrom(c, 0, 1000) }

func pexpire(c *command.Context) error { return expireFrom(c, c.Now, 1) }

func pexpireat(c *command.Context) error { return expireFrom(c, 0, 1) }

// expireFrom is the EXPIRE family: the argument counts units of so many
// milliseconds from base.
func expireFrom(c *command.Context, base, unit int64) error {
	var only conditions
	if err := only.parse(c.Args[3:]); err != nil {
		return err
	}
	when, err := intArg(c.Args[2])
	if err != nil {
		return err
	}
	if when > math.MaxInt64/unit || when < math.MinInt64/unit || when*unit > math.MaxInt64-base {
		return expireTimeError(c)
	}
	when = when*unit + base
	key := c.Args[1]
	cell := present(c, key)
	if !cell.Ok() || !only.hold(cell.Entry.Deadline(), when) {
		c.Out.Int(0)
		return nil
	}
	expireKey(c, key, when, c.Args[3:])
	c.Out.Int(1)
	return nil
}

// expireKey gives a key that is there a deadline. If that has passed already the
// key goes at once. The log gets the absolute time with the options of the call,
// or the removal.
func expireKey(c *command.Context, key []byte, when int64, options [][]byte) {
	if when <= c.Horizon() {
		verb := wordDel
		if c.Set.LazyExpire {
			verb = wordUnlink
		}
		c.Delete(key)
		c.Modified(key, command.EventGeneric, "del")
		c.Propagate(verb, key)
		return
	}
	c.SetDeadline(key, when)
	c.Modified(key, command.EventGeneric, "expire")
	c.Scratch = text.AppendInt(c.Scratch[:0], when)
	var space [6][]byte
	c.Propagate(append(append(space[:0], wordPExpireAt, key, c.Scratch), options...)...)
}

func persist(c *command.Context) error {
	key := c.Args[1]
	cell := present(c, key)
	had := cell.Ok() && cell.Entry.HasDeadline()
	if had {
		c.SetDeadline(key, 0)
		c.Modified(key, command.EventGeneric, "persist")
	}
	replyFlag(c, had)
	return nil
}

func ttl(c *command.Context) error { return replyDeadline(c, c.Now, 1000) }

func pttl(c *command.Context) error { return replyDeadline(c, c.Now, 1) }

func expiretime(c *command.Context) error { return replyDeadline(c, 0, 1000) }

func pexpiretime(c *command.Context) error { return replyDeadline(c, 0, 1) }

// replyDeadline answers when a key dies, in units of so many milliseconds from
// base, rounded; -1 = never, -2 = there is no such key.
func replyDeadline(c *command.Context, base, unit int64) error {
	cell := peek(c, c.Args[1])
	switch {
	case !cell.Ok():
		c.Out.Int(-2)
	case !cell.Entry.HasDeadline():
		c.Out.Int(-1)
	default:
		left := max(cell.Entry.Deadline()-base, 0)
		c.Out.Int(left/unit + (left%unit+unit/2)/unit)
	}
	return nil
}
