package commands

import (
	"dozo/command"
	"dozo/object"
	"dozo/text"
)

var (
	errFieldsWord   error = command.ReplyError("ERR Mandatory argument FIELDS is missing or not at the right position")
	errFieldsAbove0 error = command.ReplyError("ERR Parameter `numFields` should be greater than 0")
	errFieldsNumber error = command.ReplyError("ERR Number of fields must be a positive integer")
	errFieldsCount  error = command.ReplyError("ERR The `numfields` parameter must match the number of arguments")
	errFieldTime    error = command.ReplyError("ERR invalid expire time, must be >= 0")

	wordHPersist   = []byte("HPERSIST")
	wordHPExpireAt = []byte("HPEXPIREAT")
)

// fieldsRoom is how many fields have room on the stack.
const fieldsRoom = 8

// fieldTimeMax is the latest deadline, in milliseconds, that a field can be given.
const fieldTimeMax = 1<<46 - 1

// fieldExpireCommands set and ask when fields of hashes expire. They are those of
// Redis 7.4.
var fieldExpireCommands = []command.Spec{
	{
		Name: "HEXPIRE", Handler: hexpire, Group: command.Hash, Since: "7.4.0", Complexity: "O(N) for N fields",
		Syntax:  "key seconds condition=[NX | XX | GT | LT] fields=<FIELDS <numfields:integer field [field ...]>>",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		Summary: "Lets fields of a hash expire after some seconds.",
	},
	{
		Name: "HEXPIREAT", Handler: hexpireat, Group: command.Hash, Since: "7.4.0", Complexity: "O(N) for N fields",
		Syntax:  "key unix-time-seconds condition=[NX | XX | GT | LT] fields=<FIELDS <numfields:integer field [field ...]>>",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		Summary: "Lets fields of a hash expire at a time given in seconds since the epoch.",
	},
	{
		Name: "HEXPIRETIME", Handler: hexpiretime, Group: command.Hash, Since: "7.4.0", Complexity: "O(N) for N fields",
		Syntax:  "key fields=<FIELDS <numfields:integer field [field ...]>>",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Tells when fields of a hash expire, in seconds since the epoch.",
	},
	{
		Name: "HPERSIST", Handler: hpersist, Group: command.Hash, Since: "7.4.0", Complexity: "O(N) for N fields",
		Syntax:  "key fields=<FIELDS <numfields:integer field [field ...]>>",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		Summary: "Keeps fields of a hash from expiring.",
	},
	{
		Name: "HPEXPIRE", Handler: hpexpire, Group: command.Hash, Since: "7.4.0", Complexity: "O(N) for N fields",
		Syntax:  "key milliseconds condition=[NX | XX | GT | LT] fields=<FIELDS <numfields:integer field [field ...]>>",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		Summary: "Lets fields of a hash expire after some milliseconds.",
	},
	{
		Name: "HPEXPIREAT", Handler: hpexpireat, Group: command.Hash, Since: "7.4.0", Complexity: "O(N) for N fields",
		Syntax:  "key unix-time-milliseconds condition=[NX | XX | GT | LT] fields=<FIELDS <numfields:integer field [field ...]>>",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		Summary: "Lets fields of a hash expire at a time given in milliseconds since the epoch.",
	},
	{
		Name: "HPEXPIRETIME", Handler: hpexpiretime, Group: command.Hash, Since: "7.4.0", Complexity: "O(N) for N fields",
		Syntax:  "key fields=<FIELDS <numfields:integer field [field ...]>>",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Tells when fields of a hash expire, in milliseconds since the epoch.",
	},
	{
		Name: "HPTTL", Handler: hpttl, Group: command.Hash, Since: "7.4.0", Complexity: "O(N) for N fields",
		Syntax:  "key fields=<FIELDS <numfields:integer field [field ...]>>",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Tells how many milliseconds fields of a hash have left.",
	},
	{
		Name: "HTTL", Handler: httl, Group: command.Hash, Since: "7.4.0", Complexity: "O(N) for N fields",
		Syntax:  "key fields=<FIELDS <numfields:integer field [field ...]>>",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Tells how many seconds fields of a hash have left.",
	},
}

// Answers for a field.
const (
	fieldMissing = -2
	fieldNoTime  = -1
	fieldRefused = 0 // the condition does not hold
	fieldDone    = 1
	fieldDeleted = 2 // the time is over already
)

// fieldsArg reads FIELDS, the number of fields, and the fields, which are all that
// there is left.
func fieldsArg(words [][]byte, number error) ([][]byte, error) {
	if len(words) == 0 || !is(words[0], "FIELDS") {
		return nil, errFieldsWord
	}
	if len(words) == 1 {
		return nil, errFieldsCount
	}
	n, ok := text.ParseInt(words[1])
	switch {
	case !ok || n < 1:
		return nil, number
	case n != int64(len(words)-2):
		return nil, errFieldsCount
	}
	return words[2:], nil
}

// fieldTimeArg reads a time that counts units of so many milliseconds from base.
func fieldTimeArg(c *command.Context, arg []byte, base, unit int64) (int64, error) {
	n, err := intArg(arg)
	switch {
	case err != nil:
		return 0, err
	case n < 0:
		return 0, errFieldTime
	case n > fieldTimeMax/unit || n*unit > fieldTimeMax-base:
		return 0, expireTimeError(c)
	}
	return n*unit + base, nil
}

func hexpire(c *command.Context) error { return hexpireFrom(c, c.Now, 1000) }

func hexpireat(c *command.Context) error { return hexpireFrom(c, 0, 1000) }

func hpexpire(c *command.Context) error { return hexpireFrom(c, c.Now, 1) }

func hpexpireat(c *command.Context) error { return hexpireFrom(c, 0, 1) }

// fieldCondition reads one of NX, XX, GT and LT, if words begin with it.
func fieldCondition(words [][]byte) (only conditions, rest [][]byte) {
	if is(words[0], "FIELDS") || only.parse(words[:1]) != nil {
		return 0, words
	}
	return only, words[1:]
}

// hexpireFrom is the HEXPIRE family: the argument counts units of so many
// milliseconds from base.
func hexpireFrom(c *command.Context, base, unit int64) error {
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.Hash)
	if err != nil {
		return err
	}
	when, err := fieldTimeArg(c, c.Args[2], base, unit)
	if err != nil {
		return err
	}
	only, rest := fieldCondition(c.Args[3:])
	h, fields, err := editFields(c, &cell, rest, errFieldsAbove0, replyMissing)
	if err != nil {
		return err
	}
	d := dating{editedHash: h, when: when}
	var room [fieldsRoom][]byte
	dated := room[:0]
	for _, f := range fields {
		answer := d.field(c, f, only)
		c.Out.Int(answer)
		if answer == fieldDone {
			dated = append(dated, f)
		}
	}
	d.finish(c, key)
	d.log(c, c.Args[3:len(c.Args)-len(rest)], dated)
	return nil
}

// editFields begins a call that changes the fields it names in the hash of a cell that
// LookupEdit gave: it reads FIELDS and what follows, and begins the reply, which has an
// element for each. If there is no hash, missing writes them, and no fields are returned.
func editFields(c *command.Context, cell *object.Cell, words [][]byte, number error, missing func(*command.Context)) (h editedHash, fields [][]byte, err error) {
	if fields, err = fieldsArg(words, number); err != nil {
		return h, nil, err
	}
	c.Out.Array(len(fields))
	if !cell.Ok() {
		for range fields {
			missing(c)
		}
		return h, nil, nil
	}
	return beginEdit(c, cell, c.Args[1], fields, 1), fields, nil
}

// replyMissing is the answer for a field that is not there.
func replyMissing(c *command.Context) { c.Out.Int(fieldMissing) }

// dating gives fields of a hash a deadline, or takes it from them. (It does not keep the
// fields: a slice in it would have the compiler put every cell on the Go heap.)
type dating struct {
	editedHash
	when    int64
	updated int // fields that have got it, or lost theirs
	deleted int // those that are gone because it is over
}

// field gives one field the deadline, and returns the answer for it. If the time is
// over already the field goes at once, and the log gets that.
func (d *dating) field(c *command.Context, f []byte, only conditions) int64 {
	old, ok := d.FieldDeadline(f)
	switch {
	case !ok:
		return fieldMissing
	case !only.hold(old, d.when):
		return fieldRefused
	case d.when <= c.Horizon():
		d.Delete(f)
		d.deleted++
		c.Stats.ExpiredFields++
		c.Propagate(wordHdel, c.Args[1], f)
		return fieldDeleted
	}
	d.SetFieldDeadline(f, d.when)
	d.updated++
	return fieldDone
}

// finish says what has become of the hash.
func (d *dating) finish(c *command.Context, key []byte) {
	n := int64(d.deleted + d.updated)
	if n == 0 {
		return
	}
	event := "hexpire"
	if d.deleted > 0 {
		event = "hdel"
	}
	emptied := d.done(c, key)
	modifiedBy(c, key, n, command.EventHash, event)
	if emptied {
		removeEmpty(c, key)
	}
}

// log logs HPEXPIREAT for the fields that have got the deadline, with the condition, if
// the call had one.
func (d *dating) log(c *command.Context, condition, dated [][]byte) {
	if len(dated) == 0 || !c.Effects.Enabled {
		return
	}
	var room [6 + fieldsRoom][]byte
	c.Scratch = text.AppendInt(c.Scratch[:0], d.when)
	end := len(c.Scratch)
	c.Scratch = text.AppendInt(c.Scratch, int64(len(dated)))
	words := append(room[:0], wordHPExpireAt, c.Args[1], c.Scratch[:end])
	words = append(append(words, condition...), wordFields, c.Scratch[end:])
	c.Propagate(append(words, dated...)...)
}

func httl(c *command.Context) error { return replyFieldTimes(c, c.Now, 1000) }

func hpttl(c *command.Context) error { return replyFieldTimes(c, c.Now, 1) }

func hexpiretime(c *command.Context) error { return replyFieldTimes(c, 0, 1000) }

func hpexpiretime(c *command.Context) error { return replyFieldTimes(c, 0, 1) }

// replyFieldTimes answers when fields expire, in units of so many milliseconds from
// base, rounded up.
func replyFieldTimes(c *command.Context, base, unit int64) error {
	cell, err := c.Lookup(c.Args[1], object.Hash)
	if err != nil {
		return err
	}
	fields, err := fieldsArg(c.Args[2:], errFieldsNumber)
	if err != nil {
		return err
	}
	c.Out.Array(len(fields))
	for _, f := range fields {
		deadline, ok := int64(0), false
		if cell.Ok() {
			deadline, ok = hashOf(c, &cell).FieldDeadline(f)
		}
		switch {
		case !ok:
			c.Out.Int(fieldMissing)
		case deadline == 0:
			c.Out.Int(fieldNoTime)
		default:
			c.Out.Int((deadline - base + unit - 1) / unit)
		}
	}
	return nil
}

func hpersist(c *command.Context) error {
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.Hash)
	if err != nil {
		return err
	}
	h, fields, err := editFields(c, &cell, c.Args[2:], errFieldsNumber, replyMissing)
	if err != nil {
		return err
	}
	d := dating{editedHash: h}
	for _, f := range fields {
		c.Out.Int(d.persist(f))
	}
	if d.updated > 0 {
		d.done(c, key)
		c.Modified(key, command.EventHash, "hpersist")
	}
	return nil
}

// persist keeps one field from expiring, and returns the answer for it.
func (d *dating) persist(f []byte) int64 {
	switch deadline, ok := d.FieldDeadline(f); {
	case !ok:
		return fieldMissing
	case deadline == 0:
		return fieldNoTime
	}
	d.SetFieldDeadline(f, 0)
	d.updated++
	return fieldDone
}
