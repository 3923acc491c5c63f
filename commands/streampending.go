package commands

import (
	"dozo/command"
	"dozo/container/stream"
)

// pendingOpts are the arguments of XPENDING.
type pendingOpts struct {
	summary    bool
	minIdleMs  int64
	start, end stream.ID
	count      int64
	consumer   []byte // nil: those of all
}

func (o *pendingOpts) parse(args [][]byte) (err error) {
	if o.summary = len(args) == 3; o.summary {
		return nil
	}
	if len(args) < 6 || len(args) > 9 {
		return command.ErrSyntax
	}
	words := args[3:]
	if is(words[0], "IDLE") {
		if o.minIdleMs, err = intArg(words[1]); err != nil {
			return err
		}
		if words = words[2:]; len(words) < 3 {
			return command.ErrSyntax
		}
	}
	if o.count, err = countArg(words[2]); err != nil {
		return err
	}
	if o.start, err = startArg(words[0]); err != nil {
		return err
	}
	if o.end, err = endArg(words[1]); err != nil {
		return err
	}
	if len(words) > 3 {
		o.consumer = words[3]
	}
	return nil
}

func xpending(c *command.Context) error {
	var o pendingOpts
	if err := o.parse(c.Args); err != nil {
		return err
	}
	key, group := c.Args[1], c.Args[2]
	s, ok, err := readStream(c, key)
	if err != nil {
		return err
	}
	var g stream.Group
	if ok {
		g, ok = s.Group(group)
	}
	switch {
	case !ok:
		return noGroup(key, group, "")
	case o.summary:
		replyPendingSummary(c, &g)
	default:
		o.reply(c, &g)
	}
	return nil
}

// replyPendingSummary tells how much is pending, and how it is shared.
func replyPendingSummary(c *command.Context, g *stream.Group) {
	c.Out.Array(4)
	c.Out.Int(int64(g.Pending()))
	if g.Pending() == 0 {
		c.Out.Null()
		c.Out.Null()
		c.Out.NullArray()
		return
	}
	first, last := g.PendingRange()
	replyID(c, first)
	replyID(c, last)
	mark, n := c.Out.DeferLen(), 0
	for i := range g.Consumers() {
		who := g.ConsumerAt(i)
		if who.Pending() == 0 {
			continue
		}
		c.Out.Array(2)
		c.Out.Bulk(who.Name())
		c.Out.BulkInt(int64(who.Pending()))
		n++
	}
	c.Out.EndArray(mark, n)
}

// reply tells of each entry who has it, since when, and how often it was delivered.
func (o *pendingOpts) reply(c *command.Context, g *stream.Group) {
	it := g.PendingFrom(o.start)
	if o.consumer != nil {
		who, ok := g.Consumer(o.consumer)
		if !ok {
			c.Out.Array(0)
			return
		}
		it = g.PendingOf(&who, o.start)
	}
	mark, n := c.Out.DeferLen(), int64(0)
	for n < o.count && it.Next() {
		p := &it.Pending
		if o.end.Less(p.ID) {
			break
		}
		idle := c.Now - p.DeliveredMs()
		if o.minIdleMs != 0 && idle < o.minIdleMs {
			continue
		}
		who := p.Consumer()
		c.Out.Array(4)
		replyID(c, p.ID)
		c.Out.Bulk(who.Name())
		c.Out.Int(max(idle, 0))
		c.Out.Int(int64(p.Deliveries()))
		n++
	}
	c.Out.EndArray(mark, int(n))
}
