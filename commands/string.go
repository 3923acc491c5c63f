package commands

import (
	"math"
	"slices"

	"dozo/command"
	"dozo/object"
	"dozo/text"
)

// String is the family of strings.
var String = slices.Concat(valueCommands, numberCommands, partCommands)

// valueCommands set and get whole strings.
var valueCommands = []command.Spec{
	{
		Name: "GET", Handler: get, Group: command.String, Since: "1.0.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Replies the string at a key.",
	},
	{
		Name: "GETDEL", Handler: getdel, Group: command.String, Since: "6.2.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Delete)},
		Summary: "Replies the string at a key and removes the key.",
	},
	{
		Name: "GETEX", Handler: getex, Group: command.String, Since: "6.2.0", Complexity: "O(1)",
		Syntax:  "key expiration=[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Update).Note("RW since it changes when the key expires")},
		Summary: "Replies the string at a key and changes when it expires.",
	},
	{
		Name: "GETSET", Handler: getset, Group: command.String, Since: "1.0.0", Complexity: "O(1)",
		Syntax:     "key value",
		Flags:      command.Write | command.DenyOOM | command.Fast,
		Keys:       []command.KeySpec{command.At(1, command.RW|command.Access|command.Update)},
		Deprecated: "6.2.0", Replaced: "`SET` with the option `GET`",
		Summary: "Sets a string and replies the one that it replaces.",
	},
	{
		Name: "MGET", Handler: mget, Group: command.String, Since: "1.0.0", Complexity: "O(N) for N keys",
		Syntax:  "key [key ...]",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.Span(1, -1, 1, command.RO|command.Access)},
		Tips:    []string{"request_policy:multi_shard"},
		Summary: "Replies the strings at several keys.",
	},
	{
		Name: "MSET", Handler: mset, Group: command.String, Since: "1.0.1", Complexity: "O(N) for N keys",
		Syntax:  "data=<key value> [key value ...]",
		Flags:   command.Write | command.DenyOOM,
		Keys:    []command.KeySpec{command.Span(1, -1, 2, command.OW|command.Update)},
		Tips:    []string{"request_policy:multi_shard", "response_policy:all_succeeded"},
		Summary: "Sets several strings at once.",
	},
	{
		Name: "MSETNX", Handler: msetnx, Group: command.String, Since: "1.0.1", Complexity: "O(N) for N keys",
		Syntax:  "data=<key value> [key value ...]",
		Flags:   command.Write | command.DenyOOM,
		Keys:    []command.KeySpec{command.Span(1, -1, 2, command.OW|command.Insert)},
		Summary: "Sets several strings at once, if none of the keys exists.",
	},
	{
		Name: "PSETEX", Handler: psetex, Group: command.String, Since: "2.6.0", Complexity: "O(1)",
		Syntax:     "key milliseconds value",
		Flags:      command.Write | command.DenyOOM,
		Keys:       []command.KeySpec{command.At(1, command.OW|command.Update)},
		Deprecated: "2.6.12", Replaced: "`SET` with the option `PX`",
		Summary: "Sets a string that expires after some milliseconds.",
	},
	{
		Name: "SET", Handler: set, Group: command.String, Since: "1.0.0", Complexity: "O(1)",
		Syntax:   "key value condition=[NX | XX]@2.6.12 [GET]@6.2.0 expiration=[EX seconds@2.6.12 | PX milliseconds@2.6.12 | EXAT unix-time-seconds@6.2.0 | PXAT unix-time-milliseconds@6.2.0 | KEEPTTL@6.0.0]",
		Flags:    command.Write | command.DenyOOM,
		Keys:     []command.KeySpec{command.At(1, command.RW|command.Access|command.Update|command.VariableFlags).Note("reads the key only with GET")},
		VaryKeys: setKeys,
		History: []command.Change{
			{"2.6.12", "The options `EX`, `PX`, `NX` and `XX`."},
			{"6.0.0", "The option `KEEPTTL`."},
			{"6.2.0", "The options `GET`, `EXAT` and `PXAT`."},
			{"7.0.0", "`NX` goes together with `GET`."},
		},
		Summary: "Sets the string at a key, whatever was there.",
	},
	{
		Name: "SETEX", Handler: setex, Group: command.String, Since: "2.0.0", Complexity: "O(1)",
		Syntax:     "key seconds value",
		Flags:      command.Write | command.DenyOOM,
		Keys:       []command.KeySpec{command.At(1, command.OW|command.Update)},
		Deprecated: "2.6.12", Replaced: "`SET` with the option `EX`",
		Summary: "Sets a string that expires after some seconds.",
	},
	{
		Name: "SETNX", Handler: setnx, Group: command.String, Since: "1.0.0", Complexity: "O(1)",
		Syntax:     "key value",
		Flags:      command.Write | command.DenyOOM | command.Fast,
		Keys:       []command.KeySpec{command.At(1, command.OW|command.Insert)},
		Deprecated: "2.6.12", Replaced: "`SET` with the option `NX`",
		Summary: "Sets a string if the key does not exist.",
	},
}

// setOpts are the options of SET and GETEX.
type setOpts struct {
	flags  setFlags
	expire []byte // the argument of the option that tells when, if there is one
}

type setFlags uint16

const (
	setNX setFlags = 1 << iota
	setXX
	setGet
	setKeepTTL
	setPersist
	setEX
	setPX
	setEXAT
	setPXAT

	setTimes    = setEX | setPX | setEXAT | setPXAT
	setSeconds  = setEX | setEXAT
	setRelative = setEX | setPX
	setAnyTTL   = setTimes | setKeepTTL | setPersist

	ofSet   = setNX | setXX | setGet | setKeepTTL | setTimes
	ofGetEx = setPersist | setTimes
)

// setOption recognises an option and tells with which others it does not go.
// To repeat an option is allowed.
func setOption(word []byte) (f, conflicts setFlags) {
	switch {
	case is(word, "NX"):
		return setNX, setXX
	case is(word, "XX"):
		return setXX, setNX
	case is(word, "GET"):
		return setGet, 0
	case is(word, "EX"):
		f = setEX
	case is(word, "PX"):
		f = setPX
	case is(word, "EXAT"):
		f = setEXAT
	case is(word, "PXAT"):
		f = setPXAT
	case is(word, "KEEPTTL"):
		f = setKeepTTL
	case is(word, "PERSIST"):
		f = setPersist
	}
	return f, setAnyTTL &^ f
}

// parse reads the options, of which only those allowed are known.
func (o *setOpts) parse(words [][]byte, allowed setFlags) error {
	for i := 0; i < len(words); i++ {
		f, conflicts := setOption(words[i])
		if f&allowed == 0 || o.flags&conflicts != 0 {
			return command.ErrSyntax
		}
		o.flags |= f
		if f&setTimes != 0 {
			if i++; i == len(words) {
				return command.ErrSyntax
			}
			o.expire = words[i]
		}
	}
	return nil
}

func (o *setOpts) has(f setFlags) bool { return o.flags&f != 0 }

// deadline is the time that the options name; 0 if they name none.
func (o *setOpts) deadline(c *command.Context) (int64, error) {
	if o.expire == nil {
		return 0, nil
	}
	n, err := intArg(o.expire)
	if err != nil {
		return 0, err
	}
	if n <= 0 || o.has(setSeconds) && n > math.MaxInt64/1000 {
		return 0, expireTimeError(c)
	}
	if o.has(setSeconds) {
		n *= 1000
	}
	if o.has(setRelative) {
		if n > math.MaxInt64-c.Now {
			return 0, expireTimeError(c)
		}
		n += c.Now
	}
	return n, nil
}

// setKeys are the key flags of a call of SET: with GET it reads the key.
func setKeys(args [][]byte) command.KeyFlags {
	for _, a := range args[3:] {
		if is(a, "GET") {
			return command.RW | command.Access | command.Update
		}
	}
	return command.OW | command.Update
}

func set(c *command.Context) error {
	if len(c.Args) == 3 {
		store(c, c.Args[1], c.Args[2], 0)
		c.Out.OK()
		return nil
	}
	var o setOpts
	if err := o.parse(c.Args[3:], ofSet); err != nil {
		return err
	}
	return o.set(c, c.Args[1], c.Args[2])
}

// store is what every command of the family does to set a key.
func store(c *command.Context, key, val []byte, deadline int64) {
	if c.SetString(key, val, deadline, false) {
		notifyNew(c, c.DB, key)
	}
	c.Modified(key, command.EventString, "set")
}

// set is SET with options.
func (o *setOpts) set(c *command.Context, key, val []byte) error {
	deadline, err := o.deadline(c)
	if err != nil {
		return err
	}
	if o.has(setGet) {
		if err := replyOld(c, key); err != nil {
			return err
		}
	}
	if o.has(setNX | setXX | setKeepTTL) {
		old := present(c, key)
		if o.has(setNX) && old.Ok() || o.has(setXX) && !old.Ok() {
			if !o.has(setGet) {
				c.Out.Null()
			}
			return nil
		}
		if o.has(setKeepTTL) && old.Ok() {
			deadline = old.Entry.Deadline()
		}
	}
	store(c, key, val, deadline)
	if o.expire != nil {
		c.Notify(command.EventGeneric, "expire", c.DB, key)
	}
	o.propagate(c, key, val, deadline)
	if !o.has(setGet) {
		c.Out.OK()
	}
	return nil
}

// replyOld answers with the string that a command is about to replace.
func replyOld(c *command.Context, key []byte) error {
	old, err := c.Lookup(key, object.String)
	if err != nil {
		return err
	}
	if !old.Ok() {
		c.Out.Null()
		return nil
	}
	replyString(c, &old)
	return nil
}

// propagate logs a call with options: times become absolute, and GET, which
// would only read, is left out.
func (o *setOpts) propagate(c *command.Context, key, val []byte, deadline int64) {
	switch {
	case o.has(setTimes &^ setPXAT):
		propagateSet(c, key, val, deadline)
	case o.has(setGet) && !o.has(setPXAT):
		words := make([][]byte, 0, len(c.Args))
		for i, a := range c.Args {
			if i < 3 || !is(a, "GET") {
				words = append(words, a)
			}
		}
		c.Propagate(words...)
	}
}

// propagateSet logs that a key got a value with a deadline.
func propagateSet(c *command.Context, key, val []byte, deadline int64) {
	var d digits
	c.Propagate(wordSet, key, val, wordPXAT, text.AppendInt(d[:0], deadline))
}

func setnx(c *command.Context) error {
	key := c.Args[1]
	old := present(c, key)
	if !old.Ok() {
		store(c, key, c.Args[2], 0)
	}
	replyFlag(c, !old.Ok())
	return nil
}

func setex(c *command.Context) error { return setExpiring(c, setEX) }

func psetex(c *command.Context) error { return setExpiring(c, setPX) }

func setExpiring(c *command.Context, unit setFlags) error {
	o := setOpts{flags: unit, expire: c.Args[2]}
	return o.set(c, c.Args[1], c.Args[3])
}

func get(c *command.Context) error { return replyOld(c, c.Args[1]) }

func getset(c *command.Context) error {
	key := c.Args[1]
	if err := replyOld(c, key); err != nil {
		return err
	}
	store(c, key, c.Args[2], 0)
	c.Propagate(wordSet, key, c.Args[2])
	return nil
}

func getdel(c *command.Context) error {
	key := c.Args[1]
	if err := replyOld(c, key); err != nil {
		return err
	}
	if c.Delete(key) {
		c.Modified(key, command.EventGeneric, "del")
		c.Propagate(wordDel, key)
	}
	return nil
}

func getex(c *command.Context) error {
	var o setOpts
	if err := o.parse(c.Args[2:], ofGetEx); err != nil {
		return err
	}
	key := c.Args[1]
	cell, err := c.Lookup(key, object.String)
	if err != nil {
		return err
	}
	if !cell.Ok() {
		c.Out.Null()
		return nil
	}
	deadline, err := o.deadline(c)
	if err != nil {
		return err
	}
	replyString(c, &cell)
	switch {
	case o.has(setPersist):
		if cell.Entry.HasDeadline() {
			c.SetDeadline(key, 0)
			c.Modified(key, command.EventGeneric, "persist")
			c.Propagate(wordPersist, key)
		}
	case o.has(setTimes):
		expireKey(c, key, deadline, nil)
	}
	return nil
}

func mget(c *command.Context) error {
	c.Out.Array(len(c.Args) - 1)
	for _, key := range c.Args[1:] {
		cell, err := c.Lookup(key, object.String)
		if err != nil || !cell.Ok() {
			c.Out.Null()
			continue
		}
		replyString(c, &cell)
	}
	return nil
}

func mset(c *command.Context) error {
	if len(c.Args)%2 == 0 {
		return arityError(c)
	}
	storePairs(c)
	c.Out.OK()
	return nil
}

func storePairs(c *command.Context) {
	for i := 1; i < len(c.Args); i += 2 {
		store(c, c.Args[i], c.Args[i+1], 0)
	}
}

func msetnx(c *command.Context) error {
	if len(c.Args)%2 == 0 {
		return arityError(c)
	}
	for i := 1; i < len(c.Args); i += 2 {
		if old := present(c, c.Args[i]); old.Ok() {
			c.Out.Int(0)
			return nil
		}
	}
	storePairs(c)
	c.Out.Int(1)
	return nil
}
