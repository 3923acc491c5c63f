package commands

import (
	"dozo/command"
	"dozo/object"
	"dozo/text"
)

// zpopCommands take members from an end of a sorted set. That end is the Head for
// the lowest scores, and the Tail for the highest.
var zpopCommands = []command.Spec{
	{
		Name: "ZPOPMIN", Handler: zpopmin, Group: command.SortedSet, Since: "5.0.0", Complexity: "O(log(N)*M) for M of N members",
		Syntax:  "key [count]",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Delete)},
		Summary: "Takes the members with the lowest scores out of a sorted set.",
	},
	{
		Name: "ZPOPMAX", Handler: zpopmax, Group: command.SortedSet, Since: "5.0.0", Complexity: "O(log(N)*M) for M of N members",
		Syntax:  "key [count]",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Delete)},
		Summary: "Takes the members with the highest scores out of a sorted set.",
	},
	{
		Name: "ZMPOP", Handler: zmpop, Group: command.SortedSet, Since: "7.0.0", Complexity: "O(K)+O(M*log(N)) for K keys and M of N members",
		Syntax:  "numkeys key [key ...] where=<MIN | MAX> [COUNT count]",
		Flags:   command.Write,
		Keys:    []command.KeySpec{command.CountedAt(1, command.RW|command.Access|command.Delete)},
		Summary: "Takes members out of the first of several sorted sets that is there.",
	},
	{
		Name: "BZPOPMIN", Handler: bzpopmin, Group: command.SortedSet, Since: "5.0.0", Complexity: "O(log(N)) for N members",
		Syntax:  "key [key ...] timeout:double",
		Flags:   command.Write | command.Fast | command.Blocking,
		Keys:    []command.KeySpec{command.Span(1, -2, 1, command.RW|command.Access|command.Delete)},
		History: []command.Change{{"6.0.0", "`timeout` may have a fraction."}},
		Summary: "Takes the member with the lowest score out of the first sorted set that is there, or waits for one.",
	},
	{
		Name: "BZPOPMAX", Handler: bzpopmax, Group: command.SortedSet, Since: "5.0.0", Complexity: "O(log(N)) for N members",
		Syntax:  "key [key ...] timeout:double",
		Flags:   command.Write | command.Fast | command.Blocking,
		Keys:    []command.KeySpec{command.Span(1, -2, 1, command.RW|command.Access|command.Delete)},
		History: []command.Change{{"6.0.0", "`timeout` may have a fraction."}},
		Summary: "Takes the member with the highest score out of the first sorted set that is there, or waits for one.",
	},
	{
		Name: "BZMPOP", Handler: bzmpop, Group: command.SortedSet, Since: "7.0.0", Complexity: "O(K)+O(M*log(N)) for K keys and M of N members",
		Syntax:  "timeout:double numkeys key [key ...] where=<MIN | MAX> [COUNT count]",
		Flags:   command.Write | command.Blocking,
		Keys:    []command.KeySpec{command.CountedAt(2, command.RW|command.Access|command.Delete)},
		Summary: "Takes members out of the first of several sorted sets that is there, or waits for one.",
	},
}

var (
	wordZpopmin = []byte("ZPOPMIN")
	wordZpopmax = []byte("ZPOPMAX")
)

// minMaxArg reads MIN or MAX.
func minMaxArg(arg []byte) (object.Side, error) {
	switch {
	case is(arg, "MIN"):
		return object.Head, nil
	case is(arg, "MAX"):
		return object.Tail, nil
	}
	return object.Head, command.ErrSyntax
}

func zpopmin(c *command.Context) error { return zpop(c, object.Head) }

func zpopmax(c *command.Context) error { return zpop(c, object.Tail) }

func zpop(c *command.Context, from object.Side) error {
	n, counted := int64(1), len(c.Args) == 3
	if len(c.Args) > 3 {
		return command.ErrSyntax
	}
	if counted {
		var err error
		if n, err = naturalArg(c.Args[2], command.ErrMustBePositive); err != nil {
			return err
		}
	}
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.ZSet)
	if err != nil {
		return err
	}
	if !cell.Ok() || n == 0 {
		c.Out.Array(0)
		return nil
	}
	z := object.ZSetValue{Cell: &cell}
	n = min(n, int64(z.Len()))
	nested := counted && c.Out.Proto >= 3
	if nested {
		c.Out.Array(int(n))
	} else {
		c.Out.Array(2 * int(n))
	}
	popScored(c, z, key, int(n), from, nested)
	return nil
}

// popScored takes n members from an end, replies each, and tells of it.
func popScored(c *command.Context, z object.ZSetValue, key []byte, n int, from object.Side, nested bool) {
	modifiedBy(c, key, int64(n), command.EventZSet, atSide(from, "zpopmin", "zpopmax"))
	first, start, down := 0, 0, from == object.Tail
	if down {
		first, start = z.Len()-n, z.Len()-1
	}
	z.Walk(start, n, down, func(s object.Scored) bool {
		if nested {
			c.Out.Array(2)
		}
		replyValue(c, s.Member)
		c.Out.Double(s.Score())
		return true
	})
	dropRanks(c, z, key, first, first+n)
}

// zsetPop is a call of ZMPOP, BZPOPMIN and their like.
type zsetPop struct{ mpopOpts }

func (o zsetPop) popFrom(c *command.Context, i int) (done bool, err error) {
	key := c.Args[i]
	cell, err := c.LookupEdit(key, object.ZSet)
	if err != nil || !cell.Ok() {
		return false, err
	}
	z := object.ZSetValue{Cell: &cell}
	if o.count == 0 {
		c.Out.Array(3)
		c.Out.Bulk(key)
		popScored(c, z, key, 1, o.from, false)
		c.Propagate(atSide(o.from, wordZpopmin, wordZpopmax), key)
		return true, nil
	}
	n := int(min(o.count, int64(z.Len())))
	c.Out.Array(2)
	c.Out.Bulk(key)
	c.Out.Array(n)
	popScored(c, z, key, n, o.from, true)
	var d digits
	c.Propagate(atSide(o.from, wordZpopmin, wordZpopmax), key, text.AppendInt(d[:0], int64(n)))
	return true, nil
}

func zmpop(c *command.Context) error {
	var o zsetPop
	if err := o.parse(c.Args, 1, minMaxArg); err != nil {
		return err
	}
	return popNow(c, o)
}

func bzpopmin(c *command.Context) error { return popMemberOrWait(c, object.Head) }

func bzpopmax(c *command.Context) error { return popMemberOrWait(c, object.Tail) }

// popMemberOrWait is BZPOPMIN and BZPOPMAX.
func popMemberOrWait(c *command.Context, from object.Side) error {
	o := zsetPop{mpopOpts{from: from}}
	timeout, err := o.parseKeys(c.Args)
	if err != nil {
		return err
	}
	return popOrWait(c, o, object.ZSet, timeout)
}

func bzmpop(c *command.Context) error {
	var o zsetPop
	timeout, err := o.parseWaiting(c.Args, minMaxArg)
	if err != nil {
		return err
	}
	return popOrWait(c, o, object.ZSet, timeout)
}
