package commands

import (
	"math"

	"dozo/command"
	"dozo/object"
	"dozo/text"
)

var (
	errFieldType     error = command.ReplyError("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
	errFieldOverflow error = command.ReplyError("ERR Invalid OVERFLOW type specified")
	errFieldRO       error = command.ReplyError("ERR BITFIELD_RO only supports the GET subcommand")
)

// fieldCommands work on integers of any width within strings.
var fieldCommands = []command.Spec{
	{
		Name: "BITFIELD", Handler: bitfield, Group: command.Bitmap, Since: "3.2.0", Complexity: "O(1) for each operation",
		Syntax:   "key [operation=<GET get-block=<encoding offset> | write=<[OVERFLOW overflow-block=<WRAP | SAT | FAIL>] write-operation=<SET set-block=<encoding offset value:integer> | INCRBY incrby-block=<encoding offset increment>>>> [...]]",
		Flags:    command.Write | command.DenyOOM,
		Keys:     []command.KeySpec{command.At(1, command.RW|command.Update|command.Access|command.VariableFlags).Note("reads and writes, as its operations ask")},
		VaryKeys: bitfieldKeys,
		Summary:  "Reads, sets and increments integers of any width within a string.",
	},
	{
		Name: "BITFIELD_RO", Handler: bitfieldRO, Group: command.Bitmap, Since: "6.0.0", Complexity: "O(1) for each operation",
		Syntax:  "key [GET get-block=<encoding offset> [...]]",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Reads integers of any width within a string.",
	},
}

// fieldOp is one operation of a BITFIELD.
type fieldOp struct {
	kind     fieldKind
	overflow overflow
	signed   bool
	width    uint // bits
	offset   uint64
	value    int64 // to set, or the increment
}

type fieldKind uint8

const (
	fieldGet fieldKind = iota
	fieldSet
	fieldIncr
)

// overflow is what happens to a number that does not fit its field.
type overflow uint8

const (
	wrap overflow = iota
	saturate
	fail
)

// fieldParser reads the operations one after another.
type fieldParser struct {
	c        *command.Context
	words    [][]byte
	overflow overflow
}

// next reads an operation; ok is false at the end.
func (p *fieldParser) next() (op fieldOp, ok bool, err error) {
	for len(p.words) > 0 {
		w := p.words
		switch {
		case is(w[0], "GET") && len(w) > 2:
			op.kind = fieldGet
		case is(w[0], "SET") && len(w) > 3:
			op.kind = fieldSet
		case is(w[0], "INCRBY") && len(w) > 3:
			op.kind = fieldIncr
		case is(w[0], "OVERFLOW") && len(w) > 1:
			if p.overflow, err = parseOverflow(w[1]); err != nil {
				return op, false, err
			}
			p.words = w[2:]
			continue
		default:
			return op, false, command.ErrSyntax
		}
		return op, true, p.operands(&op)
	}
	return op, false, nil
}

// operands reads what all operations have: type, offset, and a number to write.
func (p *fieldParser) operands(op *fieldOp) (err error) {
	w := p.words
	op.overflow = p.overflow
	if op.signed, op.width, err = fieldType(w[1]); err != nil {
		return err
	}
	if op.offset, err = fieldOffset(p.c, w[2], op.width); err != nil {
		return err
	}
	if op.kind == fieldGet {
		p.words = w[3:]
		return nil
	}
	op.value, err = intArg(w[3])
	p.words = w[4:]
	return err
}

func parseOverflow(word []byte) (overflow, error) {
	switch {
	case is(word, "WRAP"):
		return wrap, nil
	case is(word, "SAT"):
		return saturate, nil
	case is(word, "FAIL"):
		return fail, nil
	}
	return 0, errFieldOverflow
}

// fieldType reads a type such as i16 or u8.
func fieldType(arg []byte) (isSigned bool, width uint, err error) {
	arg = upToZero(arg)
	if len(arg) == 0 || arg[0] != 'i' && arg[0] != 'u' {
		return false, 0, errFieldType
	}
	isSigned = arg[0] == 'i'
	n, ok := text.ParseInt(arg[1:])
	if !ok || n < 1 || n > wordBits || n == wordBits && !isSigned {
		return false, 0, errFieldType
	}
	return isSigned, uint(n), nil
}

// fieldOffset reads an offset: in bits, or in fields with a # in front.
func fieldOffset(c *command.Context, arg []byte, width uint) (uint64, error) {
	unit := int64(1)
	if len(arg) > 0 && arg[0] == '#' {
		arg, unit = arg[1:], int64(width)
	}
	n, ok := text.ParseInt(arg)
	if !ok || n < 0 || n > math.MaxInt64/unit || n*unit>>3 >= maxBulk(c) {
		return 0, errBitOffset
	}
	return uint64(n * unit), nil
}

// bitfieldKeys are the key flags of a call of BITFIELD: one that only has GETs
// reads.
func bitfieldKeys(args [][]byte) command.KeyFlags {
	for i := 2; i < len(args); {
		switch {
		case is(args[i], "GET") && i+2 < len(args):
			i += 3
		case is(args[i], "OVERFLOW") && i+1 < len(args):
			i += 2
		default:
			return command.RW | command.Access | command.Update
		}
	}
	return command.RO | command.Access
}

func bitfield(c *command.Context) error { return runFields(c, false) }

func bitfieldRO(c *command.Context) error { return runFields(c, true) }

func runFields(c *command.Context, readOnly bool) error {
	var space [8]fieldOp // enough for most calls, without an allocation
	ops, end := space[:0], uint64(0)
	for p := (fieldParser{c: c, words: c.Args[2:]}); ; {
		op, ok, err := p.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if op.kind != fieldGet {
			end = max(end, op.offset+uint64(op.width))
		}
		ops = append(ops, op)
	}
	switch {
	case end == 0:
		return readFields(c, ops)
	case readOnly:
		return errFieldRO
	}
	return writeFields(c, ops, int((end+7)>>3))
}

// readFields is a BITFIELD that only reads.
func readFields(c *command.Context, ops []fieldOp) error {
	var d digits
	s, _, err := bitString(c, &d)
	if err != nil {
		return err
	}
	c.Out.Array(len(ops))
	for i := range ops {
		c.Out.Int(ops[i].get(s))
	}
	return nil
}

// writeFields runs operations on a string that is made at least size bytes long
// first. It stays so if no operation succeeds; then it has changed without an
// event.
func writeFields(c *command.Context, ops []fieldOp, size int) error {
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.String)
	if err != nil {
		return err
	}
	room, grown := editRoom(c, &cell, key, 0, size)
	changes := int64(0)
	c.Out.Array(len(ops))
	for i := range ops {
		op := &ops[i]
		if op.kind == fieldGet {
			c.Out.Int(op.get(room))
			continue
		}
		reply, changed, ok := op.write(room)
		if !ok {
			c.Out.Null()
			continue
		}
		c.Out.Int(reply)
		if changed || grown {
			changes++
		}
	}
	if changes > 0 {
		c.Modified(key, command.EventString, "setbit")
		c.Effects.Dirty += changes - 1
	} else if grown {
		c.Changed(c.DB, key)
		c.Effects.Dirty++
	}
	return nil
}

// get reads the field.
func (op *fieldOp) get(b []byte) int64 {
	v := getField(b, op.offset, op.width)
	if op.signed {
		return signed(v, op.width)
	}
	return int64(v)
}

// write sets the field or adds to it. The reply is the old value when it is set,
// the new one when it is added to; ok is false if it overflows and must not.
func (op *fieldOp) write(b []byte) (reply int64, changed, ok bool) {
	old := op.get(b)
	base, increment := old, op.value
	if op.kind == fieldSet {
		base, increment = op.value, 0
	}
	next, over := op.sum(base, increment)
	if over && op.overflow == fail {
		return 0, false, false
	}
	putField(b, op.offset, op.width, uint64(next))
	if op.kind == fieldSet {
		return old, old != next, true
	}
	return next, old != next, true
}

// sum adds within the range of the field. The result that is given for an
// overflow follows from the mode; with fail it means nothing.
func (op *fieldOp) sum(base, increment int64) (result int64, over bool) {
	least, most := int64(0), int64(1)<<op.width-1
	high, low := false, false
	if op.signed {
		most = int64(^uint64(0) >> (wordBits - op.width + 1))
		least = -most - 1
		high, low = op.signedFaults(base, increment, least, most)
	} else {
		// The operand of a SET is taken as unsigned, so nothing is too small.
		high = base < 0 || base > most || increment > 0 && increment > most-base
		low = !high && increment < 0 && increment < -base
	}
	switch {
	case !high && !low:
		return base + increment, false
	case op.overflow == wrap && op.signed:
		return signed(uint64(base)+uint64(increment), op.width), true
	case op.overflow == wrap:
		return int64(uint64(base+increment) & uint64(most)), true
	case high:
		return most, true
	}
	return least, true
}

// signedFaults tells whether a sum is too large or too small. The differences
// wrap around, on purpose: the operand of a SET that is so far below a narrow
// field that they do counts as too large, as it does in Redis.
func (op *fieldOp) signedFaults(base, increment, least, most int64) (high, low bool) {
	narrow := op.width < wordBits
	above, below := most-base, least-base
	high = base > most || (narrow || base >= 0 && increment > 0) && increment > above
	low = base < least || (narrow || base < 0 && increment < 0) && increment < below
	return high, low && !high
}
