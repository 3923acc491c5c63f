package commands

import (
	"math"
	"slices"

	"dozo/command"
	"dozo/container/listpack"
	"dozo/object"
)

// List is the family of lists.
var List = slices.Concat(pushCommands, elementCommands, popCommands, waitCommands)

// pushCommands add elements at the ends.
var pushCommands = []command.Spec{
	{
		Name: "LPUSH", Handler: lpush, Group: command.List, Since: "1.0.0", Complexity: "O(N) for N elements",
		Syntax:  "key element [element ...]",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Insert)},
		History: []command.Change{{"2.4.0", "Takes several elements."}},
		Summary: "Puts elements before all others of a list, making it if need be.",
	},
	{
		Name: "RPUSH", Handler: rpush, Group: command.List, Since: "1.0.0", Complexity: "O(N) for N elements",
		Syntax:  "key element [element ...]",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Insert)},
		History: []command.Change{{"2.4.0", "Takes several elements."}},
		Summary: "Puts elements behind all others of a list, making it if need be.",
	},
	{
		Name: "LPUSHX", Handler: lpushx, Group: command.List, Since: "2.2.0", Complexity: "O(N) for N elements",
		Syntax:  "key element [element ...]",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Insert)},
		History: []command.Change{{"4.0.0", "Takes several elements."}},
		Summary: "Puts elements before all others of a list, if there is one.",
	},
	{
		Name: "RPUSHX", Handler: rpushx, Group: command.List, Since: "2.2.0", Complexity: "O(N) for N elements",
		Syntax:  "key element [element ...]",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Insert)},
		History: []command.Change{{"4.0.0", "Takes several elements."}},
		Summary: "Puts elements behind all others of a list, if there is one.",
	},
}

// elementCommands look at elements, and change those between the ends.
var elementCommands = []command.Spec{
	{
		Name: "LLEN", Handler: llen, Group: command.List, Since: "1.0.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO)},
		Summary: "Counts the elements of a list.",
	},
	{
		Name: "LINDEX", Handler: lindex, Group: command.List, Since: "1.0.0", Complexity: "O(log(N)) in a list of N nodes, plus a walk in one of them",
		Syntax:  "key index",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Replies an element of a list by its index.",
	},
	{
		Name: "LRANGE", Handler: lrange, Group: command.List, Since: "1.0.0", Complexity: "O(log(N)+M) for M elements of a list of N nodes",
		Syntax:  "key start stop",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Replies a part of a list.",
	},
	{
		Name: "LPOS", Handler: lpos, Group: command.List, Since: "6.0.6", Complexity: "O(N) for the N elements that are looked at",
		Syntax:  "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Finds the indexes of an element in a list.",
	},
	{
		Name: "LSET", Handler: lset, Group: command.List, Since: "1.0.0", Complexity: "O(log(N)) in a list of N nodes, plus a walk in one of them",
		Syntax:  "key index element",
		Flags:   command.Write | command.DenyOOM,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		Summary: "Puts an element in the place of another.",
	},
	{
		Name: "LINSERT", Handler: linsert, Group: command.List, Since: "2.2.0", Complexity: "O(N) for the N elements up to the pivot",
		Syntax:  "key where=<BEFORE | AFTER> pivot element",
		Flags:   command.Write | command.DenyOOM,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Insert)},
		Summary: "Puts an element before or behind another.",
	},
	{
		Name: "LREM", Handler: lrem, Group: command.List, Since: "1.0.0", Complexity: "O(N+M) for N elements, of which M go",
		Syntax:  "key count element",
		Flags:   command.Write,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Delete)},
		Summary: "Takes elements of a value out of a list; the last one takes the key along.",
	},
	{
		Name: "LTRIM", Handler: ltrim, Group: command.List, Since: "1.0.0", Complexity: "O(N) for N elements that go",
		Syntax:  "key start stop",
		Flags:   command.Write,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Delete)},
		Summary: "Keeps a part of a list; if that is nothing the key goes.",
	},
}

var (
	errRankZero error = command.ReplyError("ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list")
	errCount    error = command.ReplyError("ERR COUNT can't be negative")
	errMaxLen   error = command.ReplyError("ERR MAXLEN can't be negative")
)

func lpush(c *command.Context) error  { return push(c, object.Head, true) }
func rpush(c *command.Context) error  { return push(c, object.Tail, true) }
func lpushx(c *command.Context) error { return push(c, object.Head, false) }
func rpushx(c *command.Context) error { return push(c, object.Tail, false) }

// push adds the arguments at a side of the list at a key, which is made if create.
func push(c *command.Context, at object.Side, create bool) error {
	key, words := c.Args[1], c.Args[2:]
	cell, err := c.LookupEdit(key, object.List)
	switch {
	case err != nil:
		return err
	case !cell.Ok() && !create:
		c.Out.Int(0)
		return nil
	case !cell.Ok():
		cell = c.Add(key, c.Place(key).NewList())
		notifyNew(c, c.DB, key)
	}
	l := &c.Set.Limits.List
	v := object.ListValue{Cell: &cell}
	size := 0
	for _, w := range words {
		size += len(w)
	}
	v.Expect(len(words), size, l)
	for _, w := range words {
		v.Push(w, at, l)
	}
	c.Out.Int(int64(v.Len()))
	modifiedBy(c, key, int64(len(words)), command.EventList, atSide(at, "lpush", "rpush"))
	return nil
}

// atSide is the first of two for the head of a list, and the second for its tail.
func atSide[T any](at object.Side, head, tail T) T {
	if at == object.Head {
		return head
	}
	return tail
}

func llen(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.List)
	if err != nil {
		return err
	}
	n := 0
	if cell.Ok() {
		n = object.ListValue{Cell: &cell}.Len()
	}
	c.Out.Int(int64(n))
	return nil
}

func lindex(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.List)
	if err != nil {
		return err
	}
	if !cell.Ok() {
		c.Out.Null()
		return nil
	}
	i, err := intArg(c.Args[2])
	if err != nil {
		return err
	}
	x, ok := object.ListValue{Cell: &cell}.At(int(i))
	if !ok {
		c.Out.Null()
		return nil
	}
	replyValue(c, x)
	return nil
}

// rangeArgs reads the two indexes of a range.
func rangeArgs(c *command.Context) (start, stop int64, err error) {
	if start, err = intArg(c.Args[2]); err == nil {
		stop, err = intArg(c.Args[3])
	}
	return start, stop, err
}

// existingRange makes the range start..stop, where negative numbers count from the end,
// one of existing elements 0..n-1; count is 0 when it is empty.
func existingRange(start, stop int64, n int) (first, count int) {
	if start < 0 {
		start = max(start+int64(n), 0)
	}
	if stop < 0 {
		stop += int64(n)
	}
	stop = min(stop, int64(n)-1)
	if start > stop {
		return 0, 0
	}
	return int(start), int(stop - start + 1)
}

func lrange(c *command.Context) error {
	start, stop, err := rangeArgs(c)
	if err != nil {
		return err
	}
	cell, err := c.Lookup(c.Args[1], object.List)
	if err != nil {
		return err
	}
	if !cell.Ok() {
		c.Out.Array(0)
		return nil
	}
	v := object.ListValue{Cell: &cell}
	first, n := existingRange(start, stop, v.Len())
	replyElements(c, v, first, n)
	return nil
}

// replyElements writes n elements from one on.
func replyElements(c *command.Context, v object.ListValue, first, n int) {
	c.Out.Array(n)
	for n > 0 {
		r := v.Run(first)
		k := min(n, r.First+r.Count-first)
		if r.Plain {
			c.Out.Bulk(r.Bytes)
		} else {
			replyListpack(c, r.Bytes, listpack.Seek(r.Bytes, first-r.First), k)
		}
		first += k
		n -= k
	}
}

// replyListpack writes n elements of a listpack from the one at p on.
func replyListpack(c *command.Context, b []byte, p, n int) {
	for ; n > 0; n-- {
		var x listpack.Value
		x, p = listpack.Read(b, p)
		replyValue(c, x)
	}
}

// lposOpts are the options of LPOS; count is -1 if it is not given.
type lposOpts struct {
	rank, count, maxLen int64
}

func (o *lposOpts) parse(words [][]byte) error {
	o.rank, o.count = 1, -1
	for ; len(words) > 0; words = words[2:] {
		var err error
		switch w := words[0]; {
		case len(words) == 1:
			err = command.ErrSyntax
		case is(w, "RANK"):
			o.rank, err = intArg(words[1])
			switch {
			case err != nil:
			case o.rank == math.MinInt64:
				err = errLongRange
			case o.rank == 0:
				err = errRankZero
			}
		case is(w, "COUNT"):
			o.count, err = naturalArg(words[1], errCount)
		case is(w, "MAXLEN"):
			o.maxLen, err = naturalArg(words[1], errMaxLen)
		default:
			err = command.ErrSyntax
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// naturalArg reads a number that is not negative; anything else is the fault.
func naturalArg(arg []byte, fault error) (int64, error) {
	n, err := intArg(arg)
	if err != nil || n < 0 {
		return 0, fault
	}
	return n, nil
}

func lpos(c *command.Context) error {
	var o lposOpts
	if err := o.parse(c.Args[3:]); err != nil {
		return err
	}
	cell, err := c.Lookup(c.Args[1], object.List)
	switch {
	case err != nil:
		return err
	case o.count < 0:
		index := -1
		if cell.Ok() {
			o.search(object.ListValue{Cell: &cell}, c.Args[2], func(i int) bool { index = i; return false })
		}
		if index < 0 {
			c.Out.Null()
			return nil
		}
		c.Out.Int(int64(index))
		return nil
	}
	mark, n := c.Out.DeferLen(), int64(0)
	if cell.Ok() {
		o.search(object.ListValue{Cell: &cell}, c.Args[2], func(i int) bool {
			c.Out.Int(int64(i))
			n++
			return n != o.count
		})
	}
	c.Out.EndArray(mark, int(n))
	return nil
}

// search calls found with the index of each element that is s, from that of the rank
// on, until it returns false.
func (o *lposOpts) search(v object.ListValue, s []byte, found func(index int) bool) {
	n := v.Len()
	i, step, skip := 0, 1, o.rank-1
	if o.rank < 0 {
		i, step, skip = n-1, -1, -o.rank-1
	}
	if o.maxLen > 0 {
		n = int(min(o.maxLen, int64(n)))
	}
	for p := v.Seek(i); n > 0; n-- {
		switch {
		case !p.Value().Equal(s):
		case skip > 0:
			skip--
		case !found(i):
			return
		}
		if i += step; step > 0 {
			p.Next()
		} else {
			p.Prev()
		}
	}
}

func lset(c *command.Context) error {
	key, s := c.Args[1], c.Args[3]
	cell, err := c.LookupEdit(key, object.List)
	switch {
	case err != nil:
		return err
	case !cell.Ok():
		return command.ErrNoSuchKey
	}
	i, err := intArg(c.Args[2])
	if err != nil {
		return err
	}
	l := &c.Set.Limits.List
	v := object.ListValue{Cell: &cell}
	v.Expect(1, len(s), l)
	if !v.Set(int(i), s, l) {
		return command.ErrIndexRange
	}
	c.Out.OK()
	c.Modified(key, command.EventList, "lset")
	v.Shrunk(l)
	return nil
}

func linsert(c *command.Context) error {
	behind := is(c.Args[2], "AFTER")
	if !behind && !is(c.Args[2], "BEFORE") {
		return command.ErrSyntax
	}
	key, pivot, s := c.Args[1], c.Args[3], c.Args[4]
	cell, err := c.LookupEdit(key, object.List)
	if err != nil {
		return err
	}
	if !cell.Ok() {
		c.Out.Int(0)
		return nil
	}
	l := &c.Set.Limits.List
	v := object.ListValue{Cell: &cell}
	v.Expect(1, len(s), l)
	if !v.Insert(pivot, s, behind, l) {
		c.Out.Int(-1)
		return nil
	}
	c.Modified(key, command.EventList, "linsert")
	c.Out.Int(int64(v.Len()))
	return nil
}

func lrem(c *command.Context) error {
	n, err := intArg(c.Args[2])
	if err != nil {
		return err
	}
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.List)
	if err != nil {
		return err
	}
	removed := 0
	if cell.Ok() {
		v := object.ListValue{Cell: &cell}
		from := object.Side(n < 0)
		if n < 0 {
			n = -n
		}
		if n <= 0 { // all; the least of all numbers has no positive one
			n = math.MaxInt64
		}
		removed = v.Remove(c.Args[3], int(n), from)
		if removed > 0 {
			modifiedBy(c, key, int64(removed), command.EventList, "lrem")
			if v.Len() == 0 {
				removeEmpty(c, key)
			} else {
				v.Shrunk(&c.Set.Limits.List)
			}
		}
	}
	c.Out.Int(int64(removed))
	return nil
}

func ltrim(c *command.Context) error {
	start, stop, err := rangeArgs(c)
	if err != nil {
		return err
	}
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.List)
	if err != nil {
		return err
	}
	if cell.Ok() {
		v := object.ListValue{Cell: &cell}
		have := v.Len()
		first, n := existingRange(start, stop, have)
		modifiedBy(c, key, int64(have-n), command.EventList, "ltrim")
		if n == 0 {
			removeEmpty(c, key)
		} else {
			v.Drop(first, object.Head)
			v.Drop(have-first-n, object.Tail)
			v.Shrunk(&c.Set.Limits.List)
		}
	}
	c.Out.OK()
	return nil
}
