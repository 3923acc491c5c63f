package commands

import (
	"math"

	"dozo/command"
	"dozo/object"
	"dozo/text"
)

var (
	errLCSTypes  error = command.ReplyError("ERR The specified keys must contain string values")
	errLCSBoth   error = command.ReplyError("ERR If you want both the length and indexes, please just use IDX.")
	errLCSLong   error = command.ReplyError("ERR String too long for LCS")
	errLCSMemory error = command.ReplyError("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
)

// partCommands look at, and change, parts of strings.
var partCommands = []command.Spec{
	{
		Name: "APPEND", Handler: appendCommand, Group: command.String, Since: "2.0.0", Complexity: "O(1), amortized",
		Syntax:  "key value",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Insert)},
		Summary: "Adds bytes at the end of a string, which it makes if there is none.",
	},
	{
		Name: "GETRANGE", Handler: getrange, Group: command.String, Since: "2.4.0", Complexity: "O(N) for N bytes replied",
		Syntax:  "key start end",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Replies a part of a string.",
	},
	{
		Name: "LCS", Handler: lcs, Group: command.String, Since: "7.0.0", Complexity: "O(N*M) for strings of N and M bytes",
		Syntax:  "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.Span(1, 1, 1, command.RO|command.Access)},
		Summary: "Finds the longest common subsequence of two strings.",
	},
	{
		Name: "SETRANGE", Handler: setrange, Group: command.String, Since: "2.2.0", Complexity: "O(N) for N bytes written, plus the zeros before them",
		Syntax:  "key offset value",
		Flags:   command.Write | command.DenyOOM,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		Summary: "Overwrites a part of a string, which grows as needed.",
	},
	{
		Name: "STRLEN", Handler: strlen, Group: command.String, Since: "2.2.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO)},
		Summary: "Tells the length of a string.",
	},
	{
		Name: "SUBSTR", Handler: substr, Group: command.String, Since: "1.0.0", Complexity: "O(N) for N bytes replied",
		Syntax:     "key start end",
		Flags:      command.ReadOnly,
		Keys:       []command.KeySpec{command.At(1, command.RO|command.Access)},
		Deprecated: "2.0.0", Replaced: "`GETRANGE`",
		Summary: "Replies a part of a string: the former name of GETRANGE.",
	},
}

func appendCommand(c *command.Context) error {
	key, val := c.Args[1], c.Args[2]
	cell, err := c.LookupEdit(key, object.String)
	if err != nil {
		return err
	}
	n := len(val)
	if cell.Ok() {
		have := cell.Len()
		if err := checkLength(c, int64(have), int64(n)); err != nil {
			return err
		}
		n += have
		copy(cell.GrowFor(n, have, n)[have:], val)
	} else {
		c.SetString(key, val, 0, false)
		notifyNew(c, c.DB, key)
	}
	c.Modified(key, command.EventString, "append")
	c.Out.Int(int64(n))
	return nil
}

func setrange(c *command.Context) error {
	offset, err := intArg(c.Args[2])
	if err != nil {
		return err
	}
	if offset < 0 {
		return command.ErrOffsetRange
	}
	key, val := c.Args[1], c.Args[3]
	cell, err := c.LookupEdit(key, object.String)
	if err != nil {
		return err
	}
	if len(val) == 0 {
		n := 0
		if cell.Ok() {
			n = cell.Len()
		}
		c.Out.Int(int64(n))
		return nil
	}
	if err := checkLength(c, offset, int64(len(val))); err != nil {
		return err
	}
	room, _ := editRoom(c, &cell, key, int(offset), int(offset)+len(val))
	copy(room[offset:], val)
	c.Modified(key, command.EventString, "setrange")
	c.Out.Int(int64(len(room)))
	return nil
}

func strlen(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.String)
	if err != nil {
		return err
	}
	n := 0
	if cell.Ok() {
		n = cell.Len()
	}
	c.Out.Int(int64(n))
	return nil
}

func substr(c *command.Context) error { return getrange(c) }

func getrange(c *command.Context) error {
	start, err := intArg(c.Args[2])
	if err != nil {
		return err
	}
	end, err := intArg(c.Args[3])
	if err != nil {
		return err
	}
	cell, err := c.Lookup(c.Args[1], object.String)
	if err != nil {
		return err
	}
	if !cell.Ok() {
		c.Out.Bulk(nil)
		return nil
	}
	var d digits
	s := cell.Bytes(d[:])
	first, last, ok := clampRange(start, end, int64(len(s)))
	if !ok {
		c.Out.Bulk(nil)
		return nil
	}
	c.Out.Bulk(s[first : last+1])
	return nil
}

// clampRange makes the range start..end, where negative numbers count from the
// end, one of existing positions 0..n-1; ok is false when it is empty.
func clampRange(start, end, n int64) (first, last int64, ok bool) {
	if start < 0 && end < 0 && start > end {
		return 0, 0, false
	}
	if start < 0 {
		start = max(start+n, 0)
	}
	if end < 0 {
		end = max(end+n, 0)
	}
	end = min(end, n-1)
	return start, end, start <= end
}

// lcsOpts are the options of LCS.
type lcsOpts struct {
	length, ranges, withLen bool
	minLen                  int64
}

func (o *lcsOpts) parse(words [][]byte) error {
	for i := 0; i < len(words); i++ {
		switch w := words[i]; {
		case is(w, "IDX"):
			o.ranges = true
		case is(w, "LEN"):
			o.length = true
		case is(w, "WITHMATCHLEN"):
			o.withLen = true
		case is(w, "MINMATCHLEN") && i+1 < len(words):
			i++
			n, err := intArg(words[i])
			if err != nil {
				return err
			}
			o.minLen = max(n, 0)
		default:
			return command.ErrSyntax
		}
	}
	if o.length && o.ranges {
		return errLCSBoth
	}
	return nil
}

func lcs(c *command.Context) error {
	var da, db digits
	a, errA := lcsString(c, c.Args[1], da[:])
	b, errB := lcsString(c, c.Args[2], db[:])
	if errA != nil || errB != nil {
		return errLCSTypes
	}
	var o lcsOpts
	if err := o.parse(c.Args[3:]); err != nil {
		return err
	}
	switch {
	case len(a) >= math.MaxUint32-1 || len(b) >= math.MaxUint32-1:
		return errLCSLong
	case text.LCSCost(len(a), len(b)) > uint64(c.Set.MaxBulk):
		return errLCSMemory
	case o.length:
		c.Out.Int(int64(text.LCSLen(a, b)))
		return nil
	}
	common, runs := text.LCS(a, b)
	if !o.ranges {
		c.Out.Bulk(common)
		return nil
	}
	o.replyRanges(c, len(common), runs)
	return nil
}

// lcsString is the string at a key; a missing one is empty.
func lcsString(c *command.Context, key, scratch []byte) ([]byte, error) {
	cell, err := c.Lookup(key, object.String)
	if err != nil || !cell.Ok() {
		return nil, err
	}
	return cell.Bytes(scratch), nil
}

// replyRanges answers LCS with IDX: the runs that both strings have.
func (o *lcsOpts) replyRanges(c *command.Context, length int, runs []text.LCSRange) {
	out := c.Out
	out.Map(2)
	out.BulkString("matches")
	mark, n := out.DeferLen(), 0
	for _, r := range runs {
		if int64(r.Len()) < o.minLen {
			continue
		}
		n++
		parts := 2
		if o.withLen {
			parts = 3
		}
		out.Array(parts)
		replyRange(c, r.AFirst, r.ALast)
		replyRange(c, r.BFirst, r.BLast)
		if o.withLen {
			out.Int(int64(r.Len()))
		}
	}
	out.EndArray(mark, n)
	out.BulkString("len")
	out.Int(int64(length))
}

func replyRange(c *command.Context, first, last int) {
	c.Out.Array(2)
	c.Out.Int(int64(first))
	c.Out.Int(int64(last))
}
