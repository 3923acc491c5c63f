package commands

import (
	"dozo/command"
	"dozo/container/listpack"
	"dozo/object"
	"dozo/text"
)

// popCommands take elements away from the ends of lists.
var popCommands = []command.Spec{
	{
		Name: "LPOP", Handler: lpop, Group: command.List, Since: "1.0.0", Complexity: "O(N) for N elements",
		Syntax:  "key [count]@6.2.0",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Delete)},
		History: []command.Change{{"6.2.0", "The `count` argument."}},
		Summary: "Takes the first elements out of a list; the last one takes the key along.",
	},
	{
		Name: "RPOP", Handler: rpop, Group: command.List, Since: "1.0.0", Complexity: "O(N) for N elements",
		Syntax:  "key [count]@6.2.0",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Delete)},
		History: []command.Change{{"6.2.0", "The `count` argument."}},
		Summary: "Takes the last elements out of a list; the last one takes the key along.",
	},
	{
		Name: "LMPOP", Handler: lmpop, Group: command.List, Since: "7.0.0", Complexity: "O(N+M) for N keys and M elements",
		Syntax:  "numkeys key [key ...] where=<LEFT | RIGHT> [COUNT count]",
		Flags:   command.Write,
		Keys:    []command.KeySpec{command.CountedAt(1, command.RW|command.Access|command.Delete)},
		Summary: "Takes elements out of the first of several lists that is there.",
	},
	{
		Name: "LMOVE", Handler: lmove, Group: command.List, Since: "6.2.0", Complexity: "O(1)",
		Syntax: "source destination wherefrom=<LEFT | RIGHT> whereto=<LEFT | RIGHT>",
		Flags:  command.Write | command.DenyOOM,
		Keys: []command.KeySpec{
			command.At(1, command.RW|command.Access|command.Delete),
			command.At(2, command.RW|command.Insert),
		},
		Summary: "Takes an element from an end of a list and adds it at an end of another.",
	},
	{
		Name: "RPOPLPUSH", Handler: rpoplpush, Group: command.List, Since: "1.2.0", Complexity: "O(1)",
		Syntax: "source destination",
		Flags:  command.Write | command.DenyOOM,
		Keys: []command.KeySpec{
			command.At(1, command.RW|command.Access|command.Delete),
			command.At(2, command.RW|command.Insert),
		},
		Deprecated: "6.2.0", Replaced: "`LMOVE` with the `RIGHT` and `LEFT` arguments",
		Summary: "Takes the last element of a list and puts it before all of another.",
	},
}

var (
	errCountZero error = command.ReplyError("ERR count should be greater than 0")

	wordLpop = []byte("LPOP")
	wordRpop = []byte("RPOP")
)

// sideArg reads LEFT or RIGHT.
func sideArg(arg []byte) (object.Side, error) {
	switch {
	case is(arg, "LEFT"):
		return object.Head, nil
	case is(arg, "RIGHT"):
		return object.Tail, nil
	}
	return object.Head, command.ErrSyntax
}

func lpop(c *command.Context) error { return pop(c, object.Head) }
func rpop(c *command.Context) error { return pop(c, object.Tail) }

func pop(c *command.Context, from object.Side) error {
	key := c.Args[1]
	if len(c.Args) > 2 {
		return popCount(c, from)
	}
	cell, err := c.LookupEdit(key, object.List)
	if err != nil {
		return err
	}
	if !cell.Ok() {
		c.Out.Null()
		return nil
	}
	v := object.ListValue{Cell: &cell}
	replyValue(c, v.End(from))
	drop(c, v, key, 1, from)
	return nil
}

// popCount is LPOP and RPOP with a count.
func popCount(c *command.Context, from object.Side) error {
	if len(c.Args) > 3 {
		return arityError(c)
	}
	n, err := naturalArg(c.Args[2], command.ErrMustBePositive)
	if err != nil {
		return err
	}
	cell, err := c.LookupEdit(c.Args[1], object.List)
	switch {
	case err != nil:
		return err
	case !cell.Ok():
		c.Out.NullArray()
	case n == 0:
		c.Out.Array(0)
	default:
		replyAndDrop(c, object.ListValue{Cell: &cell}, c.Args[1], n, from)
	}
	return nil
}

// replyAndDrop takes n elements away, or as many as there are, replies them, and
// says how many they were.
func replyAndDrop(c *command.Context, v object.ListValue, key []byte, n int64, from object.Side) int {
	k := int(min(n, int64(v.Len())))
	if from == object.Head {
		replyElements(c, v, 0, k)
	} else {
		replyBackwards(c, v, k)
	}
	drop(c, v, key, k, from)
	return k
}

// replyBackwards writes the last n elements, the last of them first.
func replyBackwards(c *command.Context, v object.ListValue, n int) {
	c.Out.Array(n)
	for i := v.Len() - 1; n > 0; {
		r := v.Run(i)
		k := min(n, i-r.First+1)
		if r.Plain {
			c.Out.Bulk(r.Bytes)
		} else {
			p := listpack.Seek(r.Bytes, i-r.First)
			for range k {
				replyValue(c, listpack.Get(r.Bytes, p))
				p = listpack.Prev(r.Bytes, p)
			}
		}
		i -= k
		n -= k
	}
}

// drop takes n elements away from a side, and the key with the last, and tells of it.
func drop(c *command.Context, v object.ListValue, key []byte, n int, from object.Side) {
	modifiedBy(c, key, int64(n), command.EventList, atSide(from, "lpop", "rpop"))
	if n == v.Len() {
		removeEmpty(c, key)
		return
	}
	v.Drop(n, from)
	v.Shrunk(&c.Set.Limits.List)
}

// listPop is a call of LMPOP, BLPOP and their like.
type listPop struct{ mpopOpts }

func (o listPop) popFrom(c *command.Context, i int) (done bool, err error) {
	key := c.Args[i]
	cell, err := c.LookupEdit(key, object.List)
	if err != nil || !cell.Ok() {
		return false, err
	}
	v := object.ListValue{Cell: &cell}
	c.Out.Array(2)
	c.Out.Bulk(key)
	if o.count == 0 {
		replyValue(c, v.End(o.from))
		drop(c, v, key, 1, o.from)
		c.Propagate(atSide(o.from, wordLpop, wordRpop), key)
		return true, nil
	}
	n := replyAndDrop(c, v, key, o.count, o.from)
	var d digits
	c.Propagate(atSide(o.from, wordLpop, wordRpop), key, text.AppendInt(d[:0], int64(n)))
	return true, nil
}

func lmpop(c *command.Context) error {
	var o listPop
	if err := o.parse(c.Args, 1, sideArg); err != nil {
		return err
	}
	return popNow(c, o)
}

// sideArgs reads the two sides of LMOVE and BLMOVE.
func sideArgs(c *command.Context) (from, to object.Side, err error) {
	if from, err = sideArg(c.Args[3]); err == nil {
		to, err = sideArg(c.Args[4])
	}
	return from, to, err
}

func lmove(c *command.Context) error {
	from, to, err := sideArgs(c)
	if err != nil {
		return err
	}
	return replyMoved(c, from, to)
}

func rpoplpush(c *command.Context) error { return replyMoved(c, object.Tail, object.Head) }

// replyMoved is LMOVE with the sides known.
func replyMoved(c *command.Context, from, to object.Side) error {
	moved, err := moveElement(c, from, to)
	if err == nil && !moved {
		c.Out.Null()
	}
	return err
}

// moveElement takes an element from the list at argument 1 to that at argument 2, and
// replies it. It returns false if there is none, and nothing is replied.
func moveElement(c *command.Context, from, to object.Side) (moved bool, err error) {
	src, dst := c.Args[1], c.Args[2]
	source, err := c.LookupEdit(src, object.List)
	if err != nil || !source.Ok() {
		return false, err
	}
	if string(src) == string(dst) {
		rotate(c, object.ListValue{Cell: &source}, src, from, to)
		return true, nil
	}
	target, err := c.LookupEdit(dst, object.List)
	if err != nil {
		return false, err
	}
	if !target.Ok() {
		target = c.Add(dst, c.Place(dst).NewList())
		notifyNew(c, c.DB, dst)
	}
	source = c.EditAgain(src) // the first cell may be out of date now
	v := object.ListValue{Cell: &source}
	x := v.End(from)
	replyValue(c, x)
	var d digits
	pushMoved(c, object.ListValue{Cell: &target}, dst, x.Text(d[:0]), to, x.IsInt() && source.Encoding() == object.EncQuicklist)
	drop(c, v, src, 1, from)
	return true, nil
}

// rotate is moveElement within one list.
func rotate(c *command.Context, v object.ListValue, key []byte, from, to object.Side) {
	x := v.End(from)
	replyValue(c, x)
	free := x.IsInt() && v.Encoding() == object.EncQuicklist
	c.Scratch = x.Append(c.Scratch[:0])
	v.Drop(1, from)
	pushMoved(c, v, key, c.Scratch, to, free)
	modifiedBy(c, key, 1, command.EventList, atSide(from, "lpop", "rpop"))
	v.Shrunk(&c.Set.Limits.List)
}

// pushMoved adds an element that came from another list. free has its length not
// count towards the limit of a small list: so Redis has it for integers out of large
// ones, and conversions show in DUMP.
func pushMoved(c *command.Context, v object.ListValue, key, s []byte, at object.Side, free bool) {
	size := len(s)
	if free {
		size = 0
	}
	l := &c.Set.Limits.List
	v.Expect(1, size, l)
	v.Push(s, at, l)
	c.Changed(c.DB, key)
	c.Notify(command.EventList, atSide(at, "lpush", "rpush"), c.DB, key)
}
