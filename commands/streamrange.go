package commands

import (
	"dozo/command"
	"dozo/container/stream"
)

// rangeCommands read entries between two IDs.
var rangeCommands = []command.Spec{
	{
		Name: "XLEN", Handler: xlen, Group: command.Stream, Since: "5.0.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO)},
		Summary: "Counts the entries of a stream.",
	},
	{
		Name: "XRANGE", Handler: xrange, Group: command.Stream, Since: "5.0.0", Complexity: "O(N) for N entries that are replied",
		Syntax:  "key start:string end:string [COUNT count]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		History: []command.Change{{"6.2.0", "Intervals that do not include their ends."}},
		Summary: "Replies the entries between two IDs.",
	},
	{
		Name: "XREVRANGE", Handler: xrevrange, Group: command.Stream, Since: "5.0.0", Complexity: "O(N) for N entries that are replied",
		Syntax:  "key end:string start:string [COUNT count]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		History: []command.Change{{"6.2.0", "Intervals that do not include their ends."}},
		Summary: "Replies the entries between two IDs, the last one first.",
	},
}

func xlen(c *command.Context) error {
	s, ok, err := readStream(c, c.Args[1])
	if err != nil {
		return err
	}
	n := uint64(0)
	if ok {
		n = s.Len()
	}
	c.Out.Int(int64(n))
	return nil
}

func xrange(c *command.Context) error { return replyInterval(c, c.Args[2], c.Args[3], false) }

func xrevrange(c *command.Context) error { return replyInterval(c, c.Args[3], c.Args[2], true) }

// replyInterval is XRANGE and XREVRANGE.
func replyInterval(c *command.Context, start, end []byte, reverse bool) error {
	from, err := startArg(start)
	if err != nil {
		return err
	}
	to, err := endArg(end)
	if err != nil {
		return err
	}
	count := int64(-1)
	for words := c.Args[4:]; len(words) > 0; words = words[2:] {
		if len(words) < 2 || !is(words[0], "COUNT") {
			return command.ErrSyntax
		}
		if count, err = countArg(words[1]); err != nil {
			return err
		}
	}
	s, ok, err := readStream(c, c.Args[1])
	switch {
	case err != nil:
		return err
	case !ok:
		c.Out.Array(0)
	case count == 0:
		c.Out.NullArray()
	default:
		it := s.Range(from, to, reverse)
		replyEntries(c, &it, it.Next(), count)
	}
	return nil
}

// countArg reads a number of entries; none is wanted if it is below zero.
func countArg(arg []byte) (int64, error) {
	n, err := intArg(arg)
	return max(n, 0), err
}

// replyEntries writes an array of entries, from the one on that the iterator is at,
// if there is one. There will be count of them at the most; -1 = all.
func replyEntries(c *command.Context, it *stream.Iterator, ok bool, count int64) {
	mark, n := c.Out.DeferLen(), int64(0)
	for ; ok; ok = n != count && it.Next() {
		replyEntry(c, it)
		n++
	}
	c.Out.EndArray(mark, int(n))
}

// replyEntry writes the ID, the fields and the values of an entry.
func replyEntry(c *command.Context, it *stream.Iterator) {
	c.Out.Array(2)
	replyID(c, it.ID)
	c.Out.Array(2 * it.Fields)
	for it.Fields > 0 {
		field, value := it.Field()
		replyValue(c, field)
		replyValue(c, value)
	}
}

// replyEntryAt writes one entry, and tells whether it is there.
func replyEntryAt(c *command.Context, s *stream.Stream, id stream.ID) bool {
	it := s.Range(id, id, false)
	ok := it.Next()
	if ok {
		replyEntry(c, &it)
	}
	return ok
}
