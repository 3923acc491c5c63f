package commands

import (
	"math"

	"dozo/command"
	"dozo/object"
	"dozo/text"
)

var (
	errSetExFields    error = command.ReplyError("ERR invalid number of fields")
	errSetExCondition error = command.ReplyError("ERR Only one of FXX or FNX arguments can be specified")
	errSetExTime      error = command.ReplyError("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified")
	errSetExNoTime    error = command.ReplyError("ERR missing expire time")
)

// fieldOnceCommands do in one step what takes two commands else. They are those of
// Redis 8.0.
var fieldOnceCommands = []command.Spec{
	{
		Name: "HGETDEL", Handler: hgetdel, Group: command.Hash, Since: "8.0.0", Complexity: "O(N) for N fields",
		Syntax:  "key fields=<FIELDS <numfields:integer field [field ...]>>",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Delete)},
		Summary: "Replies the values of fields of a hash and takes the fields out.",
	},
	{
		Name: "HGETEX", Handler: hgetex, Group: command.Hash, Since: "8.0.0", Complexity: "O(N) for N fields",
		Syntax: "key expiration=[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]" +
			" fields=<FIELDS <numfields:integer field [field ...]>>",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Update)},
		Summary: "Replies the values of fields of a hash, and may change when the fields expire.",
	},
	{
		Name: "HSETEX", Handler: hsetex, Group: command.Hash, Since: "8.0.0", Complexity: "O(N) for N fields",
		Syntax: "key condition=[FNX | FXX]" +
			" expiration=[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]" +
			" fields=<FIELDS <numfields:integer data=<field value> [field value ...]>>",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		Summary: "Gives fields of a hash values, and may change when the fields expire.",
	},
}

func hgetdel(c *command.Context) error {
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.Hash)
	if err != nil {
		return err
	}
	h, fields, err := editFields(c, &cell, c.Args[2:], errFieldsNumber, replyNull)
	if err != nil {
		return err
	}
	removed := int64(0)
	for _, f := range fields {
		replyField(c, &cell, f)
		if h.Delete(f) {
			removed++
		}
	}
	h.deleted(c, key, removed)
	if removed > 0 && c.Effects.Enabled {
		var room [2 + fieldsRoom][]byte
		c.Propagate(append(append(room[:0], wordHdel, key), fields...)...)
	}
	return nil
}

// replyNull is the answer with the value of a field that is not there.
func replyNull(c *command.Context) { c.Out.Null() }

// fieldExpiry is the options of HGETEX and HSETEX that say when fields expire.
type fieldExpiry struct {
	given    bool // one of them is there
	when     int64
	persist  bool
	keep     bool
	absolute bool // PXAT: the log can have it as it came
}

// parse reads one option at the head of words and returns what follows it. It
// changes nothing if that is another word.
func (o *fieldExpiry) parse(c *command.Context, words [][]byte, other string) (rest [][]byte, err error) {
	base, unit := int64(0), int64(1)
	switch w := words[0]; {
	case is(w, "EX"):
		base, unit = c.Now, 1000
	case is(w, "PX"):
		base = c.Now
	case is(w, "EXAT"):
		unit = 1000
	case is(w, "PXAT"):
	case is(w, other):
		if o.given {
			return nil, errSetExTime
		}
		o.given, o.persist, o.keep = true, other == "PERSIST", other == "KEEPTTL"
		return words[1:], nil
	default:
		return words, nil
	}
	switch {
	case o.given:
		return nil, errSetExTime
	case len(words) == 1:
		return nil, errSetExNoTime
	}
	o.given, o.absolute = true, is(words[0], "PXAT")
	o.when, err = fieldTimeArg(c, words[1], base, unit)
	return words[2:], err
}

// dates tells whether fields get a deadline.
func (o *fieldExpiry) dates() bool { return o.given && !o.persist && !o.keep }

func hgetex(c *command.Context) error {
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.Hash)
	if err != nil {
		return err
	}
	var o fieldExpiry
	rest, err := o.parse(c, c.Args[2:], "PERSIST")
	if err != nil {
		return err
	}
	h, fields, err := editFields(c, &cell, rest, errFieldsNumber, replyNull)
	if err != nil {
		return err
	}
	d := dating{editedHash: h, when: o.when}
	var room [fieldsRoom][]byte
	dated := room[:0]
	for _, f := range fields {
		replyField(c, &cell, f)
		switch {
		case o.dates():
			if d.field(c, f, 0) == fieldDone {
				dated = append(dated, f)
			}
		case o.persist:
			d.persist(f)
		}
	}
	switch {
	case o.persist && d.updated > 0:
		d.done(c, key)
		modifiedBy(c, key, int64(d.updated), command.EventHash, "hpersist")
		var words [4 + fieldsRoom][]byte
		c.Propagate(append(append(words[:0], wordHPersist, key), rest...)...)
	case o.dates():
		d.finish(c, key)
		d.log(c, nil, dated)
	}
	return nil
}

// numFieldsMax is the largest number of fields that HSETEX reads.
const numFieldsMax = math.MaxInt32

// hsetexOpts are the arguments of HSETEX.
type hsetexOpts struct {
	fieldExpiry
	fnx, fxx bool
	pairs    [][]byte // fields, each followed by its value
}

func (o *hsetexOpts) parse(c *command.Context) (err error) {
	for words := c.Args[2:]; len(words) > 0; {
		switch w := words[0]; {
		case is(w, "FIELDS"):
			return o.parsePairs(c, words)
		case is(w, "FNX"), is(w, "FXX"):
			if o.fnx || o.fxx {
				return errSetExCondition
			}
			o.fnx = is(w, "FNX")
			o.fxx = !o.fnx
			words = words[1:]
		default:
			before := len(words)
			if words, err = o.fieldExpiry.parse(c, words, "KEEPTTL"); err != nil {
				return err
			}
			if len(words) == before {
				return command.ReplyError("ERR unknown argument: " + string(upToZero(w)))
			}
		}
	}
	return errFieldsWord
}

// parsePairs reads what follows FIELDS.
func (o *hsetexOpts) parsePairs(c *command.Context, words [][]byte) error {
	if len(words) < 4 {
		return arityError(c)
	}
	n, ok := text.ParseInt(words[1])
	if !ok || n < 1 || n > numFieldsMax {
		return errSetExFields
	}
	if o.pairs = words[2:]; len(o.pairs)%2 != 0 || n != int64(len(o.pairs)/2) {
		return arityError(c)
	}
	return nil
}

// holds tells whether the condition is met by the fields that there are.
func (o *hsetexOpts) holds(c *command.Context, cell *object.Cell) bool {
	for i := 0; (o.fnx || o.fxx) && i < len(o.pairs); i += 2 {
		if _, ok := fieldOf(c, cell, o.pairs[i]); ok == o.fnx {
			return false
		}
	}
	return true
}

func hsetex(c *command.Context) error {
	var o hsetexOpts
	if err := o.parse(c); err != nil {
		return err
	}
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.Hash)
	if err != nil {
		return err
	}
	if !o.holds(c, &cell) {
		c.Out.Int(0)
		return nil
	}
	h, err := editHash(c, &cell, key, o.pairs, 2)
	if err != nil {
		return err
	}
	d := dating{editedHash: h, when: o.when}
	o.put(c, &d)
	emptied := d.done(c, key)
	modifiedBy(c, key, int64(len(o.pairs)/2), command.EventHash, "hset")
	switch {
	case d.deleted > 0:
		c.Notify(command.EventHash, "hdel", c.DB, key)
	case o.dates():
		c.Notify(command.EventHash, "hexpire", c.DB, key)
		if !o.absolute {
			o.propagate(c)
		}
	}
	if emptied {
		removeEmpty(c, key)
	}
	c.Out.Int(1)
	return nil
}

// put gives the fields their values and deadlines.
func (o *hsetexOpts) put(c *command.Context, d *dating) {
	l := &c.Set.Limits.Hash
	d.Expect(o.pairs, l)
	for i := 0; i < len(o.pairs); i += 2 {
		f, v := o.pairs[i], o.pairs[i+1]
		if o.given {
			d.Revalue(f, v, l)
		} else {
			d.Set(f, v, l)
		}
		if o.dates() {
			d.field(c, f, 0)
		}
	}
}

// propagate logs the call with the deadline in place of the time to live.
func (o *hsetexOpts) propagate(c *command.Context) {
	at := 2
	for w := c.Args[at]; !is(w, "EX") && !is(w, "PX") && !is(w, "EXAT"); w = c.Args[at] {
		at++
	}
	c.Scratch = text.AppendInt(c.Scratch[:0], o.when)
	propagateReplaced(c, replaced{at, wordPXAT}, replaced{at + 1, c.Scratch})
}
