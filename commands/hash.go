package commands

import (
	"slices"

	"dozo/command"
	"dozo/container/listpack"
	"dozo/object"
	"dozo/text"
)

// Hash is the family of hashes.
var Hash = slices.Concat(fieldWriteCommands, fieldReadCommands, fieldExpireCommands, fieldOnceCommands)

var (
	errHashInteger  error = command.ReplyError("ERR hash value is not an integer")
	errHashFloat    error = command.ReplyError("ERR hash value is not a float")
	errIncrementNaN error = command.ReplyError("ERR value is NaN or Infinity")
	errCountRange   error = command.ReplyError("ERR value is out of range")

	wordHset   = []byte("HSET")
	wordHsetEx = []byte("HSETEX")
	wordHdel   = []byte("HDEL")
	wordFields = []byte("FIELDS")
	wordOne    = []byte("1")
)

// fieldWriteCommands change fields.
var fieldWriteCommands = []command.Spec{
	{
		Name: "HSET", Handler: hset, Group: command.Hash, Since: "2.0.0", Complexity: "O(N) for N fields",
		Syntax:  "key data=<field value> [field value ...]",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		History: []command.Change{{"4.0.0", "Takes several fields."}},
		Summary: "Gives fields of a hash values, making it if need be.",
	},
	{
		Name: "HSETNX", Handler: hsetnx, Group: command.Hash, Since: "2.0.0", Complexity: "O(1)",
		Syntax:  "key field value",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Insert)},
		Summary: "Gives a field of a hash a value unless it has one.",
	},
	{
		Name: "HMSET", Handler: hmset, Group: command.Hash, Since: "2.0.0", Complexity: "O(N) for N fields",
		Syntax:     "key data=<field value> [field value ...]",
		Flags:      command.Write | command.DenyOOM | command.Fast,
		Keys:       []command.KeySpec{command.At(1, command.RW|command.Update)},
		Deprecated: "4.0.0", Replaced: "`HSET` with several fields",
		Summary: "Gives fields of a hash values.",
	},
	{
		Name: "HDEL", Handler: hdel, Group: command.Hash, Since: "2.0.0", Complexity: "O(N) for N fields",
		Syntax:  "key field [field ...]",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Delete)},
		History: []command.Change{{"2.4.0", "Takes several fields."}},
		Summary: "Takes fields out of a hash; the last one takes the key along.",
	},
	{
		Name: "HINCRBY", Handler: hincrby, Group: command.Hash, Since: "2.0.0", Complexity: "O(1)",
		Syntax:  "key field increment",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Update)},
		Summary: "Adds an integer to a field of a hash.",
	},
	{
		Name: "HINCRBYFLOAT", Handler: hincrbyfloat, Group: command.Hash, Since: "2.6.0", Complexity: "O(1)",
		Syntax:  "key field increment:double",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Update)},
		Summary: "Adds a number to a field of a hash.",
	},
}

// fieldReadCommands ask for fields and values.
var fieldReadCommands = []command.Spec{
	{
		Name: "HGET", Handler: hget, Group: command.Hash, Since: "2.0.0", Complexity: "O(1)",
		Syntax:  "key field",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Replies the value of a field of a hash.",
	},
	{
		Name: "HMGET", Handler: hmget, Group: command.Hash, Since: "2.0.0", Complexity: "O(N) for N fields",
		Syntax:  "key field [field ...]",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Replies the values of several fields of a hash.",
	},
	{
		Name: "HEXISTS", Handler: hexists, Group: command.Hash, Since: "2.0.0", Complexity: "O(1)",
		Syntax:  "key field",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO)},
		Summary: "Tells whether a hash has a field.",
	},
	{
		Name: "HLEN", Handler: hlen, Group: command.Hash, Since: "2.0.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO)},
		Summary: "Counts the fields of a hash.",
	},
	{
		Name: "HSTRLEN", Handler: hstrlen, Group: command.Hash, Since: "3.2.0", Complexity: "O(1)",
		Syntax:  "key field",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO)},
		Summary: "Tells how long the value of a field is.",
	},
	{
		Name: "HGETALL", Handler: hgetall, Group: command.Hash, Since: "2.0.0", Complexity: "O(N) for N fields",
		Syntax:  "key",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output_order"},
		Summary: "Lists the fields of a hash and their values.",
	},
	{
		Name: "HKEYS", Handler: hkeys, Group: command.Hash, Since: "2.0.0", Complexity: "O(N) for N fields",
		Syntax:  "key",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output_order"},
		Summary: "Lists the fields of a hash.",
	},
	{
		Name: "HVALS", Handler: hvals, Group: command.Hash, Since: "2.0.0", Complexity: "O(N) for N fields",
		Syntax:  "key",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output_order"},
		Summary: "Lists the values of a hash.",
	},
	{
		Name: "HRANDFIELD", Handler: hrandfield, Group: command.Hash, Since: "6.2.0", Complexity: "O(N) for N fields that are replied",
		Syntax:  "key options=[count [WITHVALUES]]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output"},
		Summary: "Shows fields of a hash, chosen by chance.",
	},
	{
		Name: "HSCAN", Handler: hscan, Group: command.Hash, Since: "2.8.0", Complexity: "O(1) a call, O(N) for all N fields",
		Syntax:  "key cursor [MATCH pattern] [COUNT count]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output"},
		Summary: "Goes through the fields of a hash a few at a time.",
	},
}

// hashOf is the hash in a cell as it is now.
func hashOf(c *command.Context, cell *object.Cell) object.HashValue {
	return object.HashValue{Cell: cell, Now: c.Horizon()}
}

// editedHash is a hash that is about to be changed. done must follow.
type editedHash struct {
	object.HashValue
	was int64 // when the first of its fields was due
}

// beginEdit is the hash in a cell that LookupEdit gave. words are the fields that the
// command names, every step-th.
func beginEdit(c *command.Context, cell *object.Cell, key []byte, words [][]byte, step int) editedHash {
	h := editedHash{HashValue: hashOf(c, cell)}
	if cell.Encoding().Dated() {
		c.ExpireNamed(key, cell, words, step)
		h.was = h.Earliest()
	}
	return h
}

// editHash is the hash at a key, made if it is not there.
func editHash(c *command.Context, cell *object.Cell, key []byte, words [][]byte, step int) (editedHash, error) {
	var err error
	if *cell, err = c.LookupEdit(key, object.Hash); err != nil {
		return editedHash{}, err
	}
	if !cell.Ok() {
		*cell = c.Add(key, c.Place(key).NewHash())
		notifyNew(c, c.DB, key)
	}
	return beginEdit(c, cell, key, words, step), nil
}

// done sees to it that fields expire which have got deadlines. emptied tells that
// none is left: the key must go.
func (h *editedHash) done(c *command.Context, key []byte) (emptied bool) {
	if h.Encoding().Dated() {
		c.FieldsDated(key, h.Cell, h.was)
	}
	return h.Size() == 0
}

// setFields is HSET and HMSET, and says how many fields are new.
func setFields(c *command.Context) (added int64, err error) {
	if len(c.Args)%2 != 0 {
		return 0, arityError(c)
	}
	key, words := c.Args[1], c.Args[2:]
	var cell object.Cell
	h, err := editHash(c, &cell, key, words, 2)
	if err != nil {
		return 0, err
	}
	l := &c.Set.Limits.Hash
	h.Expect(words, l)
	for i := 0; i < len(words); i += 2 {
		if h.Set(words[i], words[i+1], l) {
			added++
		}
	}
	h.done(c, key)
	modifiedBy(c, key, int64(len(words)/2), command.EventHash, "hset")
	return added, nil
}

func hset(c *command.Context) error {
	added, err := setFields(c)
	if err == nil {
		c.Out.Int(added)
	}
	return err
}

func hmset(c *command.Context) error {
	_, err := setFields(c)
	if err == nil {
		c.Out.OK()
	}
	return err
}

func hsetnx(c *command.Context) error {
	key, field := c.Args[1], c.Args[2]
	cell, err := c.LookupEdit(key, object.Hash)
	if err != nil {
		return err
	}
	if cell.Ok() {
		if _, ok := hashOf(c, &cell).Get(field); ok {
			c.Out.Int(0)
			return nil
		}
	}
	h, err := editHash(c, &cell, key, c.Args[2:3], 1)
	if err != nil {
		return err
	}
	h.Expect(c.Args[2:], &c.Set.Limits.Hash)
	h.Set(field, c.Args[3], &c.Set.Limits.Hash)
	h.done(c, key)
	c.Modified(key, command.EventHash, "hset")
	c.Out.Int(1)
	return nil
}

func hdel(c *command.Context) error {
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.Hash)
	if err != nil {
		return err
	}
	var h editedHash
	removed := int64(0)
	if cell.Ok() {
		h = beginEdit(c, &cell, key, c.Args[2:], 1)
		for _, f := range c.Args[2:] {
			if h.Delete(f) {
				removed++
				if h.Size() == 0 {
					break
				}
			}
		}
	}
	h.deleted(c, key, removed)
	c.Out.Int(removed)
	return nil
}

// deleted ends a change that has deleted n fields; the key goes with the last.
func (h *editedHash) deleted(c *command.Context, key []byte, n int64) {
	if n == 0 {
		return
	}
	emptied := h.done(c, key)
	modifiedBy(c, key, n, command.EventHash, "hdel")
	if emptied {
		removeEmpty(c, key)
	}
}

func hincrby(c *command.Context) error {
	n, err := intArg(c.Args[3])
	if err != nil {
		return err
	}
	key, field := c.Args[1], c.Args[2]
	var cell object.Cell
	h, err := editHash(c, &cell, key, c.Args[2:3], 1)
	if err != nil {
		return err
	}
	old := int64(0)
	if v, ok := h.Get(field); ok {
		if old = v.Int; v.Str != nil {
			if old, ok = text.ParseInt(v.Str); !ok {
				return errHashInteger
			}
		}
	}
	if sum := old + n; (sum > old) != (n > 0) && n != 0 {
		return command.ErrOverflow
	}
	var d digits
	h.Revalue(field, text.AppendInt(d[:0], old+n), &c.Set.Limits.Hash)
	h.done(c, key)
	c.Modified(key, command.EventHash, "hincrby")
	c.Out.Int(old + n)
	return nil
}

// hincrbyfloat computes in long doubles. The log gets the result, since a
// genuine server on another machine might round differently.
func hincrbyfloat(c *command.Context) error {
	increment, ok := text.ParseLongDouble(c.Args[3])
	switch {
	case !ok:
		return command.ErrNotFloat
	case !increment.Finite():
		return errIncrementNaN
	}
	key, field := c.Args[1], c.Args[2]
	var cell object.Cell
	h, err := editHash(c, &cell, key, c.Args[2:3], 1)
	if err != nil {
		return err
	}
	sum := text.LongDoubleFromInt(0)
	if v, found := h.Get(field); found {
		var d digits
		if sum, ok = text.ParseLongDouble(v.Text(d[:0])); !ok {
			return errHashFloat
		}
	}
	if sum = sum.Add(increment); !sum.Finite() {
		return command.ErrNaNOrInfinity
	}
	c.Scratch = sum.AppendHuman(c.Scratch[:0])
	h.Revalue(field, c.Scratch, &c.Set.Limits.Hash)
	h.done(c, key)
	c.Modified(key, command.EventHash, "hincrbyfloat")
	if deadline, _ := h.FieldDeadline(field); deadline != 0 {
		c.Propagate(wordHsetEx, key, wordKeepTTL, wordFields, wordOne, field, c.Scratch)
	} else {
		c.Propagate(wordHset, key, field, c.Scratch)
	}
	c.Out.Bulk(c.Scratch)
	return nil
}

// fieldOf is the value of a field; false when there is no such key or field.
func fieldOf(c *command.Context, cell *object.Cell, field []byte) (v listpack.Value, ok bool) {
	if !cell.Ok() {
		return v, false
	}
	return hashOf(c, cell).Get(field)
}

func replyField(c *command.Context, cell *object.Cell, field []byte) {
	v, ok := fieldOf(c, cell, field)
	if !ok {
		c.Out.Null()
		return
	}
	replyValue(c, v)
}

func hget(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.Hash)
	if err != nil {
		return err
	}
	replyField(c, &cell, c.Args[2])
	return nil
}

func hmget(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.Hash)
	if err != nil {
		return err
	}
	c.Out.Array(len(c.Args) - 2)
	for _, f := range c.Args[2:] {
		replyField(c, &cell, f)
	}
	return nil
}

func hexists(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.Hash)
	if err != nil {
		return err
	}
	_, ok := fieldOf(c, &cell, c.Args[2])
	replyFlag(c, ok)
	return nil
}

func hlen(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.Hash)
	if err != nil {
		return err
	}
	n := 0
	if cell.Ok() {
		n = hashOf(c, &cell).Len()
	}
	c.Out.Int(int64(n))
	return nil
}

func hstrlen(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.Hash)
	if err != nil {
		return err
	}
	n := 0
	if v, ok := fieldOf(c, &cell, c.Args[2]); ok {
		n = v.Len()
	}
	c.Out.Int(int64(n))
	return nil
}

func hgetall(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.Hash)
	if err != nil {
		return err
	}
	if !cell.Ok() {
		c.Out.Map(0)
		return nil
	}
	h := hashOf(c, &cell)
	c.Out.Map(h.Len())
	h.Each(func(f, v listpack.Value) bool {
		replyValue(c, f)
		replyValue(c, v)
		return true
	})
	return nil
}

func hkeys(c *command.Context) error {
	return listHash(c, func(f, _ listpack.Value) listpack.Value { return f })
}

func hvals(c *command.Context) error {
	return listHash(c, func(_, v listpack.Value) listpack.Value { return v })
}

// listHash replies one part of every field.
func listHash(c *command.Context, part func(f, v listpack.Value) listpack.Value) error {
	cell, err := c.Lookup(c.Args[1], object.Hash)
	if err != nil {
		return err
	}
	if !cell.Ok() {
		c.Out.Array(0)
		return nil
	}
	h := hashOf(c, &cell)
	c.Out.Array(h.Len())
	h.Each(func(f, v listpack.Value) bool {
		replyValue(c, part(f, v))
		return true
	})
	return nil
}

func hscan(c *command.Context) error {
	cursor, err := cursorArg(c.Args[2])
	if err != nil {
		return err
	}
	cell, err := c.Lookup(c.Args[1], object.Hash)
	if err != nil {
		return err
	}
	return scanElements(c, cell.Ok(), func(o *scanOpts, found *foundElements) uint64 {
		return hashOf(c, &cell).Scan(cursor, o.count, func(f, v listpack.Value) {
			if o.match.any || o.match.matches(f.Text(found.buf[:0])) {
				found.add(f)
				found.add(v)
			}
		})
	})
}
