package commands

import (
	"bytes"

	"dozo/command"
)

// placeCommands bring values under other keys or into other databases.
var placeCommands = []command.Spec{
	{
		Name: "COPY", Handler: copyCommand, Group: command.Generic, Since: "6.2.0", Complexity: "O(N) for N elements, O(1) for a string",
		Syntax: "source destination [DB destination-db] [REPLACE]",
		Flags:  command.Write | command.DenyOOM,
		Keys: []command.KeySpec{
			command.At(1, command.RO|command.Access),
			command.At(2, command.OW|command.Update),
		},
		Summary: "Copies a value to another key, perhaps of another database.",
	},
	{
		Name: "MOVE", Handler: move, Group: command.Generic, Since: "1.0.0", Complexity: "O(1)",
		Syntax:  "key db",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Update)},
		Summary: "Moves a key to another database, unless it has one of that name.",
	},
	{
		Name: "RENAME", Handler: rename, Group: command.Generic, Since: "1.0.0", Complexity: "O(1)",
		Syntax: "key newkey",
		Flags:  command.Write,
		Keys: []command.KeySpec{
			command.At(1, command.RW|command.Access|command.Delete),
			command.At(2, command.OW|command.Update),
		},
		Summary: "Gives a key another name, replacing what has it.",
	},
	{
		Name: "RENAMENX", Handler: renamenx, Group: command.Generic, Since: "1.0.0", Complexity: "O(1)",
		Syntax: "key newkey",
		Flags:  command.Write | command.Fast,
		Keys: []command.KeySpec{
			command.At(1, command.RW|command.Access|command.Delete),
			command.At(2, command.OW|command.Insert),
		},
		History: []command.Change{{"3.2.0", "The same name twice is no error any more."}},
		Summary: "Gives a key another name unless that is taken.",
	},
}

func rename(c *command.Context) error {
	moved, err := moveName(c, false)
	if err == nil && moved {
		c.Out.OK()
	}
	return err
}

func renamenx(c *command.Context) error {
	moved, err := moveName(c, true)
	if err == nil {
		replyFlag(c, moved)
	}
	return err
}

// moveName is RENAME, or RENAMENX with unlessTaken. A key renamed to itself
// stays as it is, which RENAME calls success and RENAMENX a name that is taken.
func moveName(c *command.Context, unlessTaken bool) (moved bool, err error) {
	from, to := c.Args[1], c.Args[2]
	if cell := present(c, from); !cell.Ok() {
		return false, command.ErrNoSuchKey
	}
	if bytes.Equal(from, to) {
		return !unlessTaken, nil
	}
	if old := present(c, to); old.Ok() && unlessTaken {
		return false, nil
	}
	relocate(c, from, c.DB, to)
	c.Notify(command.EventGeneric, "rename_from", c.DB, from)
	c.Notify(command.EventGeneric, "rename_to", c.DB, to)
	return true, nil
}

// relocate takes a value to another place, where nothing is that must stay. It
// counts as one change.
func relocate(c *command.Context, from []byte, toDB int, to []byte) {
	c.Move(from, toDB, to)
	c.Effects.Dirty++
	c.Changed(c.DB, from)
	c.Changed(toDB, to)
	notifyNew(c, toDB, to)
}

func move(c *command.Context) error {
	key := c.Args[1]
	db, err := dbArg(c, c.Args[2])
	switch {
	case err != nil:
		return err
	case db == c.DB:
		return command.ErrSameObject
	}
	here, there := present(c, key), c.PeekIn(db, key)
	if !here.Ok() || there.Ok() {
		c.Out.Int(0)
		return nil
	}
	relocate(c, key, db, key)
	c.Notify(command.EventGeneric, "move_from", c.DB, key)
	c.Notify(command.EventGeneric, "move_to", db, key)
	c.Out.Int(1)
	return nil
}

// copyOpts are the options of COPY.
type copyOpts struct {
	db      int
	replace bool
}

func (o *copyOpts) parse(c *command.Context) (err error) {
	o.db = c.DB
	for words := c.Args[3:]; len(words) > 0; words = words[1:] {
		switch {
		case is(words[0], "REPLACE"):
			o.replace = true
		case is(words[0], "DB") && len(words) > 1:
			words = words[1:]
			if o.db, err = dbArg(c, words[0]); err != nil {
				return err
			}
		default:
			return command.ErrSyntax
		}
	}
	return nil
}

func copyCommand(c *command.Context) error {
	var o copyOpts
	if err := o.parse(c); err != nil {
		return err
	}
	from, to := c.Args[1], c.Args[2]
	if o.db == c.DB && bytes.Equal(from, to) {
		return command.ErrSameObject
	}
	cell := peek(c, from)
	if !cell.Ok() {
		c.Out.Int(0)
		return nil
	}
	c.Touch(&cell)
	if old := c.PeekIn(o.db, to); old.Ok() && !o.replace {
		c.Out.Int(0)
		return nil
	}
	c.Copy(&cell, o.db, to)
	notifyNew(c, o.db, to)
	c.ModifiedIn(o.db, to, command.EventGeneric, "copy_to")
	c.Out.Int(1)
	return nil
}
