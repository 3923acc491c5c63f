package commands

import (
	"time"

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

func zpopEvent(from object.Side) string {
	if from == object.Head {
		return "zpopmin"
	}
	return "zpopmax"
}

func zpopWord(from object.Side) []byte {
	if from == object.Head {
		return wordZpopmin
	}
	return wordZpopmax
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
	modifiedBy(c, key, int64(n), command.EventZSet, zpopEvent(from))
	first, to, down := 0, n, from == object.Tail
	if down {
		first, to = z.Len()-n, z.Len()
	}
	reply := func(s object.Scored) bool {
		if nested {
			c.Out.Array(2)
		}
		replyValue(c, s.Member)
		c.Out.Double(s.Score())
		return true
	}
	if down {
		z.Walk(to-1, n, true, reply)
	} else {
		z.Walk(0, n, false, reply)
	}
	dropRanks(c, z, key, first, to)
}

// firstZSet finds the first of n keys, from argument i on, that is there; cell is
// not Ok if none is.
func firstZSet(c *command.Context, i, n int) (cell object.Cell, key []byte, err error) {
	for _, key = range c.Args[i : i+n] {
		if cell, err = c.LookupEdit(key, object.ZSet); err != nil || cell.Ok() {
			break
		}
	}
	return cell, key, err
}

// zmpopOpts are mpopOpts for sorted sets.
type zmpopOpts struct{ mpopOpts }

// pop serves the call from one of its sorted sets, and logs it as ZPOPMIN or
// ZPOPMAX.
func (o *zmpopOpts) pop(c *command.Context, z object.ZSetValue, key []byte) {
	n := int(min(o.count, int64(z.Len())))
	c.Out.Array(2)
	c.Out.Bulk(key)
	c.Out.Array(n)
	popScored(c, z, key, n, o.from, true)
	var d digits
	c.Propagate(zpopWord(o.from), key, text.AppendInt(d[:0], int64(n)))
}

func zmpop(c *command.Context) error {
	var o zmpopOpts
	if err := o.parse(c.Args, 1, minMaxArg); err != nil {
		return err
	}
	cell, key, err := firstZSet(c, o.first, o.keys)
	if err != nil {
		return err
	}
	if !cell.Ok() {
		c.Out.NullArray()
		return nil
	}
	o.pop(c, object.ZSetValue{Cell: &cell}, key)
	return nil
}

func bzpopmin(c *command.Context) error { return bzpop(c, object.Head) }

func bzpopmax(c *command.Context) error { return bzpop(c, object.Tail) }

func bzpop(c *command.Context, from object.Side) error {
	last := len(c.Args) - 1
	timeout, err := command.SecondsTimeout(c.Args[last])
	if err != nil {
		return err
	}
	return popOrWait(c, 1, last-1, timeout, func(c *command.Context, z object.ZSetValue, key []byte) {
		c.Out.Array(3)
		c.Out.Bulk(key)
		popScored(c, z, key, 1, from, false)
		c.Propagate(zpopWord(from), key)
	})
}

func bzmpop(c *command.Context) error {
	var o zmpopOpts
	if err := o.parse(c.Args, 2, minMaxArg); err != nil {
		return err
	}
	timeout, err := command.SecondsTimeout(c.Args[1])
	if err != nil {
		return err
	}
	return popOrWait(c, o.first, o.keys, timeout, o.pop)
}

// popOrWait pops from the first of n sorted sets, from argument i on, that is there,
// or waits for one.
func popOrWait(c *command.Context, i, n int, timeout time.Duration, pop func(*command.Context, object.ZSetValue, []byte)) error {
	cell, key, err := firstZSet(c, i, n)
	switch {
	case err != nil:
		return err
	case cell.Ok():
		pop(c, object.ZSetValue{Cell: &cell}, key)
		return nil
	case !c.CanBlock():
		c.Out.NullArray()
		return nil
	}
	keys := make([]int, n)
	for j := range keys {
		keys[j] = i + j
	}
	c.Block(command.Wait{Keys: keys, Type: object.ZSet, Timeout: timeout, Serve: func(c *command.Context, ready []int) (bool, error) {
		for _, at := range ready {
			if cell, err := c.LookupEdit(c.Args[at], object.ZSet); err == nil && cell.Ok() {
				pop(c, object.ZSetValue{Cell: &cell}, c.Args[at])
				return true, nil
			}
		}
		return false, nil
	}})
	return nil
}
