package commands

import (
	"fmt"

	"dozo/command"
	"dozo/container/stream"
	"dozo/object"
)

var (
	errEntriesRead error = command.ReplyError("ERR value for ENTRIESREAD must be positive or -1")
	errBusyGroup   error = command.ReplyError("BUSYGROUP Consumer Group name already exists")
	errGroupKey    error = command.ReplyError("ERR The XGROUP subcommand requires the key to exist. " +
		"Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.")
)

// groupCommands make groups and consumers, and take them away.
var groupCommands = []command.Spec{
	{
		Name: "XACK", Handler: xack, Group: command.Stream, Since: "5.0.0", Complexity: "O(1) an ID",
		Syntax:  "key group id:string [id:string ...]",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		Summary: "Takes entries off what is pending in a group, and counts them.",
	},
	{
		Name: "XGROUP", Group: command.Stream, Since: "5.0.0",
		Summary: "Commands for groups of consumers.",
		Subs: []command.Spec{
			{
				Name: "CREATE", Handler: xgroupCreate, Group: command.Stream, Since: "5.0.0", Complexity: "O(1)",
				Syntax:  "key group id-selector=<id | new-id=$> [MKSTREAM] [ENTRIESREAD entries-read:integer]",
				Flags:   command.Write | command.DenyOOM,
				Keys:    []command.KeySpec{command.At(2, command.RW|command.Insert)},
				History: []command.Change{{"7.0.0", "The option `ENTRIESREAD`."}},
				Summary: "Makes a group of consumers that has read up to an ID.",
			},
			{
				Name: "CREATECONSUMER", Handler: xgroupCreateConsumer, Group: command.Stream, Since: "6.2.0", Complexity: "O(1)",
				Syntax:  "key group consumer",
				Flags:   command.Write | command.DenyOOM,
				Keys:    []command.KeySpec{command.At(2, command.RW|command.Insert)},
				Summary: "Makes a consumer in a group.",
			},
			{
				Name: "DELCONSUMER", Handler: xgroupDelConsumer, Group: command.Stream, Since: "5.0.0", Complexity: "O(1)",
				Syntax:  "key group consumer",
				Flags:   command.Write,
				Keys:    []command.KeySpec{command.At(2, command.RW|command.Delete)},
				Summary: "Takes a consumer out of a group, with what is pending for it.",
			},
			{
				Name: "DESTROY", Handler: xgroupDestroy, Group: command.Stream, Since: "5.0.0", Complexity: "O(1), plus O(N) in the background for N pending entries",
				Syntax:  "key group",
				Flags:   command.Write,
				Keys:    []command.KeySpec{command.At(2, command.RW|command.Delete)},
				Summary: "Removes a group of consumers.",
			},
			{
				Name: "HELP", Handler: command.Help, Group: command.Stream, Since: "5.0.0", Complexity: "O(1)",
				Flags:   command.Loading | command.Stale,
				Summary: "Lists the subcommands.",
			},
			{
				Name: "SETID", Handler: xgroupSetID, Group: command.Stream, Since: "5.0.0", Complexity: "O(1)",
				Syntax:  "key group id-selector=<id | new-id=$> entriesread=[ENTRIESREAD entries-read:integer]",
				Flags:   command.Write,
				Keys:    []command.KeySpec{command.At(2, command.RW|command.Update)},
				History: []command.Change{{"7.0.0", "The option `ENTRIESREAD`."}},
				Summary: "Says up to which ID a group has read.",
			},
		},
	},
}

func xack(c *command.Context) error {
	_, g, ok, err := findGroup(c, c.Args[1], c.Args[2])
	if err != nil || !ok {
		if err == nil {
			c.Out.Int(0)
		}
		return err
	}
	ids := c.Args[3:]
	if err := checkIDs(ids); err != nil {
		return err
	}
	n := int64(0)
	for _, arg := range ids {
		if id, _ := idArg(arg, 0); g.Ack(id) {
			n++
		}
	}
	c.Effects.Dirty += n
	c.Out.Int(n)
	return nil
}

// groupOpts are the options of XGROUP CREATE and SETID.
type groupOpts struct {
	create, makeStream bool
	entriesRead        int64
}

func (o *groupOpts) parse(c *command.Context) (err error) {
	o.entriesRead = stream.NoEntriesRead
	for i := 5; i < len(c.Args); i++ {
		switch {
		case o.create && is(c.Args[i], "MKSTREAM"):
			o.makeStream = true
		case is(c.Args[i], "ENTRIESREAD") && i+1 < len(c.Args):
			i++
			o.entriesRead, err = intArg(c.Args[i])
			switch {
			case err != nil:
				return err
			case o.entriesRead < 0 && o.entriesRead != stream.NoEntriesRead:
				return errEntriesRead
			}
		default:
			return command.WrongArgs(c)
		}
	}
	return nil
}

// streamOfGroup looks up the stream of a subcommand that needs one.
func streamOfGroup(c *command.Context) (stream.Stream, error) {
	s, ok, err := editStream(c, c.Args[2])
	if err == nil && !ok {
		err = errGroupKey
	}
	return s, err
}

// groupOf looks up the group of a subcommand that needs one.
func groupOf(c *command.Context) (s stream.Stream, g stream.Group, err error) {
	if s, err = streamOfGroup(c); err != nil {
		return s, g, err
	}
	return s, g, groupIn(&s, &g, c.Args[2], c.Args[3])
}

// groupIn finds a group of a stream.
func groupIn(s *stream.Stream, g *stream.Group, key, name []byte) error {
	var ok bool
	if *g, ok = s.Group(name); !ok {
		return command.ReplyError(fmt.Sprintf("NOGROUP No such consumer group '%s' for key name '%s'", upToZero(name), upToZero(key)))
	}
	return nil
}

// xgroupArgsMax is the longest call of XGROUP CREATE.
const xgroupArgsMax = 8

func xgroupCreate(c *command.Context) error {
	o := groupOpts{create: true}
	if err := o.parse(c); err != nil {
		return err
	}
	key := c.Args[2]
	s, ok, err := editStream(c, key)
	switch {
	case err != nil:
		return err
	case !ok && !o.makeStream:
		return errGroupKey
	case len(c.Args) > xgroupArgsMax:
		return command.WrongArgs(c)
	}
	id, err := groupIDArg(c.Args[4], &s, ok, idArg)
	if err != nil {
		return err
	}
	if !ok {
		s = makeStream(c, key)
		c.Changed(c.DB, key)
	}
	if _, created := s.CreateGroup(c.Args[3], id, o.entriesRead); !created {
		return errBusyGroup
	}
	touched(c, key, "xgroup-create")
	c.Out.OK()
	return nil
}

// groupIDArg reads an ID that may be $, the last one of the stream, if there is one.
func groupIDArg(arg []byte, s *stream.Stream, there bool, read func([]byte, uint64) (stream.ID, error)) (id stream.ID, err error) {
	switch {
	case string(upToZero(arg)) != "$":
		return read(arg, 0)
	case there:
		id = s.LastID()
	}
	return id, nil
}

func xgroupSetID(c *command.Context) error {
	var o groupOpts
	if err := o.parse(c); err != nil {
		return err
	}
	s, g, err := groupOf(c)
	switch {
	case err != nil:
		return err
	case len(c.Args) != 5 && len(c.Args) != 7:
		return command.WrongArgs(c)
	}
	id, err := groupIDArg(c.Args[4], &s, true, edgeArg)
	if err != nil {
		return err
	}
	g.SetID(id, o.entriesRead)
	touched(c, c.Args[2], "xgroup-setid")
	c.Out.OK()
	return nil
}

func xgroupCreateConsumer(c *command.Context) error {
	_, g, err := groupOf(c)
	if err != nil {
		return err
	}
	_, created := g.CreateConsumer(c.Args[4], c.Now)
	if created {
		touched(c, c.Args[2], "xgroup-createconsumer")
	}
	replyFlag(c, created)
	return nil
}

func xgroupDelConsumer(c *command.Context) error {
	_, g, err := groupOf(c)
	if err != nil {
		return err
	}
	pending := 0
	if who, ok := g.Consumer(c.Args[4]); ok {
		var rest stream.Stream
		pending, rest = g.DeleteConsumer(who)
		c.Bury(c.Args[2], object.StreamGrave(rest))
		touched(c, c.Args[2], "xgroup-delconsumer")
	}
	c.Out.Int(int64(pending))
	return nil
}

func xgroupDestroy(c *command.Context) error {
	key := c.Args[2]
	cell, err := c.LookupEdit(key, object.Stream)
	switch {
	case err != nil:
		return err
	case !cell.Ok():
		return errGroupKey
	}
	s := streamIn(&cell)
	g, ok := s.Group(c.Args[3])
	if ok {
		c.Bury(key, object.StreamGrave(s.DestroyGroup(g)))
		touched(c, key, "xgroup-destroy")
		c.Signal(key) // those who wait for the group are told that it is gone
	}
	replyFlag(c, ok)
	return nil
}
