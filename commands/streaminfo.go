package commands

import (
	"dozo/command"
	"dozo/container/stream"
)

// fullDefault is how many entries XINFO STREAM FULL shows of each list.
const fullDefault = 10

// streamInfoCommands look into streams.
var streamInfoCommands = []command.Spec{
	{
		Name: "XINFO", Group: command.Stream, Since: "5.0.0",
		Summary: "Commands that look into streams.",
		Subs: []command.Spec{
			{
				Name: "CONSUMERS", Handler: xinfoConsumers, Group: command.Stream, Since: "5.0.0", Complexity: "O(N) for N consumers",
				Syntax:  "key group",
				Flags:   command.ReadOnly,
				Keys:    []command.KeySpec{command.At(2, command.RO|command.Access)},
				Tips:    []string{"nondeterministic_output"},
				History: []command.Change{{"7.2.0", "The field `inactive`."}},
				Summary: "Shows the consumers of a group.",
			},
			{
				Name: "GROUPS", Handler: xinfoGroups, Group: command.Stream, Since: "5.0.0", Complexity: "O(N) for N groups",
				Syntax:  "key",
				Flags:   command.ReadOnly,
				Keys:    []command.KeySpec{command.At(2, command.RO|command.Access)},
				History: []command.Change{{"7.0.0", "The fields `entries-read` and `lag`."}},
				Summary: "Shows the groups of a stream.",
			},
			{
				Name: "HELP", Handler: command.Help, Group: command.Stream, Since: "5.0.0", Complexity: "O(1)",
				Flags:   command.Loading | command.Stale,
				Summary: "Lists the subcommands.",
			},
			{
				Name: "STREAM", Handler: xinfoStream, Group: command.Stream, Since: "5.0.0", Complexity: "O(1); with FULL, O(N) for what is shown",
				Syntax: "key full-block=[full=FULL [COUNT count]]",
				Flags:  command.ReadOnly,
				Keys:   []command.KeySpec{command.At(2, command.RO|command.Access)},
				History: []command.Change{
					{"6.0.0", "The option `FULL`."},
					{"7.0.0", "The fields `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag`."},
					{"7.2.0", "The field `active-time`; `seen-time` is when a consumer last tried."},
				},
				Summary: "Shows a stream, or all of its groups and consumers as well.",
			},
		},
	},
}

// shownStream looks up the stream of XINFO.
func shownStream(c *command.Context) (stream.Stream, error) {
	s, ok, err := readStream(c, c.Args[2])
	if err == nil && !ok {
		err = command.ErrNoSuchKey
	}
	return s, err
}

// fields writes the parts of XINFO's maps.
type fields struct{ *command.Context }

func (f fields) int(name string, n int64) {
	f.Out.BulkString(name)
	f.Out.Int(n)
}

func (f fields) id(name string, id stream.ID) {
	f.Out.BulkString(name)
	replyID(f.Context, id)
}

func (f fields) bulk(name string, b []byte) {
	f.Out.BulkString(name)
	f.Out.Bulk(b)
}

// known is a number that may not be known.
func (f fields) known(name string, n int64, ok bool) {
	f.Out.BulkString(name)
	if !ok {
		f.Out.Null()
		return
	}
	f.Out.Int(n)
}

// progress is how far a group has come.
func (f fields) progress(s *stream.Stream, g *stream.Group) {
	f.id("last-delivered-id", g.LastID())
	f.known("entries-read", g.EntriesRead(), g.EntriesRead() != stream.NoEntriesRead)
	lag, ok := s.Lag(g)
	f.known("lag", lag, ok)
}

func xinfoConsumers(c *command.Context) error {
	s, err := shownStream(c)
	if err != nil {
		return err
	}
	var g stream.Group
	if err := groupIn(&s, &g, c.Args[2], c.Args[3]); err != nil {
		return err
	}
	f := fields{c}
	c.Out.Array(g.Consumers())
	for i := range g.Consumers() {
		who := g.ConsumerAt(i)
		inactive := who.ActiveMs()
		if inactive != stream.NoActivity {
			inactive = c.Now - inactive
		}
		c.Out.Map(4)
		f.bulk("name", who.Name())
		f.int("pending", int64(who.Pending()))
		f.int("idle", max(c.Now-who.SeenMs(), 0))
		f.int("inactive", inactive)
	}
	return nil
}

func xinfoGroups(c *command.Context) error {
	s, err := shownStream(c)
	if err != nil {
		return err
	}
	f := fields{c}
	c.Out.Array(s.Groups())
	for i := range s.Groups() {
		g := s.GroupAt(i)
		c.Out.Map(6)
		f.bulk("name", g.Name())
		f.int("consumers", int64(g.Consumers()))
		f.int("pending", int64(g.Pending()))
		f.progress(&s, &g)
	}
	return nil
}

// infoOpts are the options of XINFO STREAM.
type infoOpts struct {
	full  bool
	count int64 // -1 = all
}

func (o *infoOpts) parse(c *command.Context) (err error) {
	words := c.Args[3:]
	if o.full, o.count = len(words) > 0, fullDefault; !o.full {
		return nil
	}
	if len(words) != 1 && len(words) != 3 || !is(words[0], "FULL") || len(words) == 3 && !is(words[1], "COUNT") {
		return command.WrongArgs(c)
	}
	if len(words) == 3 {
		o.count, err = intArg(words[2])
		switch {
		case o.count < 0:
			o.count = fullDefault
		case o.count == 0:
			o.count = -1
		}
	}
	return err
}

func xinfoStream(c *command.Context) error {
	s, err := shownStream(c)
	if err != nil {
		return err
	}
	var o infoOpts
	if err := o.parse(c); err != nil {
		return err
	}
	if o.full {
		c.Out.Map(9)
	} else {
		c.Out.Map(10)
	}
	f, st := fields{c}, s.State()
	f.int("length", int64(st.Length))
	f.int("radix-tree-keys", int64(s.Nodes()))
	f.int("radix-tree-nodes", int64(s.RadixNodes()))
	f.id("last-generated-id", st.Last)
	f.id("max-deleted-entry-id", st.MaxDeletedID)
	f.int("entries-added", int64(st.Added))
	f.id("recorded-first-entry-id", st.First)
	if o.full {
		o.replyFull(c, &s)
		return nil
	}
	f.int("groups", int64(s.Groups()))
	for i, name := range []string{"first-entry", "last-entry"} {
		c.Out.BulkString(name)
		it := s.Range(stream.ID{}, stream.MaxID, i == 1)
		if it.Next() {
			replyEntry(c, &it)
		} else {
			c.Out.Null()
		}
	}
	return nil
}

// replyFull writes what FULL shows more.
func (o *infoOpts) replyFull(c *command.Context, s *stream.Stream) {
	c.Out.BulkString("entries")
	it := s.Range(stream.ID{}, stream.MaxID, false)
	replyEntries(c, &it, it.Next(), o.count)
	c.Out.BulkString("groups")
	c.Out.Array(s.Groups())
	f := fields{c}
	for i := range s.Groups() {
		g := s.GroupAt(i)
		c.Out.Map(7)
		f.bulk("name", g.Name())
		f.progress(s, &g)
		f.int("pel-count", int64(g.Pending()))
		c.Out.BulkString("pending")
		o.replyPending(c, g.PendingFrom(stream.ID{}), true)
		c.Out.BulkString("consumers")
		c.Out.Array(g.Consumers())
		for i := range g.Consumers() {
			who := g.ConsumerAt(i)
			c.Out.Map(5)
			f.bulk("name", who.Name())
			f.int("seen-time", who.SeenMs())
			f.int("active-time", who.ActiveMs())
			f.int("pel-count", int64(who.Pending()))
			c.Out.BulkString("pending")
			o.replyPending(c, g.PendingOf(&who, stream.ID{}), false)
		}
	}
}

// replyPending writes what is pending, for a whole group with the consumers.
func (o *infoOpts) replyPending(c *command.Context, it stream.PendingIterator, named bool) {
	mark, n := c.Out.DeferLen(), int64(0)
	for ; n != o.count && it.Next(); n++ {
		p := &it.Pending
		if named {
			who := p.Consumer()
			c.Out.Array(4)
			replyID(c, p.ID)
			c.Out.Bulk(who.Name())
		} else {
			c.Out.Array(3)
			replyID(c, p.ID)
		}
		c.Out.Int(p.DeliveredMs())
		c.Out.Int(int64(p.Deliveries()))
	}
	c.Out.EndArray(mark, int(n))
}
