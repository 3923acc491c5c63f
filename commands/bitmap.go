package commands

import (
	"slices"

	"dozo/command"
	"dozo/object"
)

var (
	errBit       error = command.ReplyError("ERR bit is not an integer or out of range")
	errBitOffset error = command.ReplyError("ERR bit offset is not an integer or out of range")
	errBitArg    error = command.ReplyError("ERR The bit argument must be 1 or 0.")
	errBitOpNot  error = command.ReplyError("ERR BITOP NOT must be called with a single source key.")
)

// Bitmap is the family of bitmaps.
var Bitmap = slices.Concat(bitCommands, fieldCommands)

// bitCommands work on single bits and on whole strings of them.
var bitCommands = []command.Spec{
	{
		Name: "BITCOUNT", Handler: bitcount, Group: command.Bitmap, Since: "2.6.0", Complexity: "O(N) for N bytes",
		Syntax:  "key range=[start end unit=[BYTE | BIT]@7.0.0]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		History: []command.Change{{"7.0.0", "The units `BYTE` and `BIT`."}},
		Summary: "Counts the bits that are set in a string or a part of it.",
	},
	{
		Name: "BITOP", Handler: bitop, Group: command.Bitmap, Since: "2.6.0", Complexity: "O(N) for N bytes",
		Syntax: "operation=<AND | OR | XOR | NOT> destkey key [key ...]",
		Flags:  command.Write | command.DenyOOM,
		Keys: []command.KeySpec{
			command.At(2, command.OW|command.Update),
			command.Span(3, -1, 1, command.RO|command.Access),
		},
		Summary: "Combines strings bit by bit and stores the result.",
	},
	{
		Name: "BITPOS", Handler: bitpos, Group: command.Bitmap, Since: "2.8.7", Complexity: "O(N) for N bytes",
		Syntax:  "key bit range=[start end-unit-block=[end unit=[BYTE | BIT]@7.0.0]]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		History: []command.Change{{"7.0.0", "The units `BYTE` and `BIT`."}},
		Summary: "Finds the first bit that is set, or clear.",
	},
	{
		Name: "GETBIT", Handler: getbit, Group: command.Bitmap, Since: "2.2.0", Complexity: "O(1)",
		Syntax:  "key offset",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Replies one bit of a string.",
	},
	{
		Name: "SETBIT", Handler: setbit, Group: command.Bitmap, Since: "2.2.0", Complexity: "O(1)",
		Syntax:  "key offset value:integer",
		Flags:   command.Write | command.DenyOOM,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Update)},
		Summary: "Sets or clears one bit of a string, which grows as needed.",
	},
}

// bitOffset reads a position in bits. Its byte must be within
// proto-max-bulk-len.
func bitOffset(c *command.Context, arg []byte) (int64, error) {
	n, err := intArg(arg)
	if err != nil || n < 0 || n>>3 >= maxBulk(c) {
		return 0, errBitOffset
	}
	return n, nil
}

// bitString looks a string up for reading; ok is false if it is missing.
func bitString(c *command.Context, d *digits) (s []byte, ok bool, err error) {
	cell, err := c.Lookup(c.Args[1], object.String)
	if err != nil || !cell.Ok() {
		return nil, false, err
	}
	return cell.Bytes(d[:]), true, nil
}

func setbit(c *command.Context) error {
	offset, err := bitOffset(c, c.Args[2])
	if err != nil {
		return err
	}
	on, err := intArg(c.Args[3])
	if err != nil || on&^1 != 0 {
		return errBit
	}
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.String)
	if err != nil {
		return err
	}
	at, shift := int(offset>>3), 7-offset&7
	room, grown := editRoom(c, &cell, key, at, at+1)
	old := int64(room[at]) >> shift & 1
	if grown || old != on {
		room[at] = room[at]&^(1<<shift) | byte(on<<shift)
		c.Modified(key, command.EventString, "setbit")
	}
	c.Out.Int(old)
	return nil
}

func getbit(c *command.Context) error {
	offset, err := bitOffset(c, c.Args[2])
	if err != nil {
		return err
	}
	var d digits
	s, _, err := bitString(c, &d)
	if err != nil {
		return err
	}
	bit := int64(0)
	if at := offset >> 3; at < int64(len(s)) {
		bit = int64(s[at]) >> (7 - offset&7) & 1
	}
	c.Out.Int(bit)
	return nil
}

// inBits reads the unit of a range: BIT or BYTE.
func inBits(arg []byte) (bool, error) {
	switch {
	case is(arg, "BIT"):
		return true, nil
	case is(arg, "BYTE"):
		return false, nil
	}
	return false, command.ErrSyntax
}

// bitcount looks the key up before it reads its other arguments: for a missing
// key they may be anything.
func bitcount(c *command.Context) error {
	var d digits
	s, ok, err := bitString(c, &d)
	if err != nil {
		return err
	}
	n := int64(0)
	if ok {
		if n, err = countIn(s, c.Args[2:]); err != nil {
			return err
		}
	}
	c.Out.Int(n)
	return nil
}

// countIn is BITCOUNT with the words that follow the key.
func countIn(s []byte, words [][]byte) (int64, error) {
	if len(words) == 0 {
		return countBits(s), nil
	}
	if len(words) != 2 && len(words) != 3 {
		return 0, command.ErrSyntax
	}
	start, err := intArg(words[0])
	if err != nil {
		return 0, err
	}
	end, err := intArg(words[1])
	switch {
	case err != nil:
		return 0, err
	case start < 0 && end < 0 && start > end: // before the unit is looked at
		return 0, nil
	}
	isBit, length := false, int64(len(s))
	if len(words) == 3 {
		if isBit, err = inBits(words[2]); err != nil {
			return 0, err
		}
	}
	if isBit {
		length *= 8
	}
	first, last, ok := clampRange(start, end, length)
	switch {
	case !ok:
		return 0, nil
	case isBit:
		return countBitRange(s, first, last), nil
	}
	return countBits(s[first : last+1]), nil
}

// bitposOpts is the range of BITPOS.
type bitposOpts struct {
	start, end int64
	hasEnd     bool
	isBit      bool
}

func (o *bitposOpts) parse(words [][]byte) (err error) {
	if len(words) > 3 {
		return command.ErrSyntax
	}
	if len(words) > 0 {
		if o.start, err = intArg(words[0]); err != nil {
			return err
		}
	}
	if len(words) > 2 {
		if o.isBit, err = inBits(words[2]); err != nil {
			return err
		}
	}
	o.end = -1
	if o.hasEnd = len(words) > 1; o.hasEnd {
		o.end, err = intArg(words[1])
	}
	return err
}

func bitpos(c *command.Context) error {
	bit, err := intArg(c.Args[2])
	switch {
	case err != nil:
		return err
	case bit&^1 != 0:
		return errBitArg
	}
	var d digits
	s, ok, err := bitString(c, &d)
	if err != nil {
		return err
	}
	if !ok {
		c.Out.Int(-bit)
		return nil
	}
	var o bitposOpts
	if err := o.parse(c.Args[3:]); err != nil {
		return err
	}
	c.Out.Int(o.find(s, bit == 1))
	return nil
}

// find is the first bit in the range. A string goes on with zeros beyond its
// end, so a clear bit is found right behind it, unless the caller said where to
// stop.
func (o *bitposOpts) find(s []byte, set bool) int64 {
	length, unit := int64(len(s)), int64(8)
	if o.isBit {
		length, unit = length*8, 1
	}
	start, end := o.start, o.end
	if start < 0 {
		start = max(start+length, 0)
	}
	if end < 0 {
		end = max(end+length, 0)
	}
	if end = min(end, length-1); start > end {
		return -1
	}
	i := findBit(s, start*unit, (end+1)*unit-1, set)
	if i < 0 && !set && !o.hasEnd {
		return int64(len(s)) * 8
	}
	return i
}

// bitOp is an operation of BITOP.
type bitOp uint8

const (
	opAnd bitOp = iota
	opOr
	opXor
	opNot
)

func parseBitOp(word []byte) (bitOp, error) {
	switch {
	case is(word, "AND"):
		return opAnd, nil
	case is(word, "OR"):
		return opOr, nil
	case is(word, "XOR"):
		return opXor, nil
	case is(word, "NOT"):
		return opNot, nil
	}
	return 0, command.ErrSyntax
}

// bitop works in a buffer of its own, since the destination may be one of the
// sources.
func bitop(c *command.Context) error {
	op, err := parseBitOp(c.Args[1])
	switch {
	case err != nil:
		return err
	case op == opNot && len(c.Args) != 4:
		return errBitOpNot
	}
	sources, longest, err := bitSources(c, c.Args[3:])
	if err != nil {
		return err
	}
	key := c.Args[2]
	if longest > 0 {
		c.Scratch = slices.Grow(c.Scratch[:0], longest)[:longest]
		combine(c.Scratch, op, sources)
		cell, added := c.SetZeros(key, longest)
		copy(cell.Grow(0), c.Scratch)
		if added {
			notifyNew(c, c.DB, key)
		}
		c.Modified(key, command.EventString, "set")
	} else if c.Delete(key) {
		c.Modified(key, command.EventGeneric, "del")
	}
	c.Out.Int(int64(longest))
	return nil
}

// bitSources looks the sources of BITOP up; missing ones are empty.
func bitSources(c *command.Context, keys [][]byte) (sources [][]byte, longest int, err error) {
	sources = make([][]byte, len(keys))
	for i, key := range keys {
		cell, err := c.Lookup(key, object.String)
		if err != nil {
			return nil, 0, err
		}
		if cell.Ok() {
			sources[i] = cell.Bytes(nil)
			longest = max(longest, len(sources[i]))
		}
	}
	return sources, longest, nil
}
