package commands

import (
	"fmt"
	"math"

	"dozo/command"
	"dozo/container/stream"
	"dozo/resp"
	"dozo/text"
)

var (
	errClaimIdle     error = command.ReplyError("ERR Invalid min-idle-time argument for XCLAIM")
	errClaimIdleOpt  error = command.ReplyError("ERR Invalid IDLE option argument for XCLAIM")
	errClaimTime     error = command.ReplyError("ERR Invalid TIME option argument for XCLAIM")
	errClaimRetry    error = command.ReplyError("ERR Invalid RETRYCOUNT option argument for XCLAIM")
	errAutoClaimIdle error = command.ReplyError("ERR Invalid min-idle-time argument for XAUTOCLAIM")
	errClaimCount    error = command.ReplyError("ERR COUNT must be > 0")

	wordXClaim     = []byte("XCLAIM")
	wordZero       = []byte("0")
	wordTime       = []byte("TIME")
	wordRetryCount = []byte("RETRYCOUNT")
	wordForce      = []byte("FORCE")
	wordJustID     = []byte("JUSTID")
	wordLastID     = []byte("LASTID")
)

const (
	autoClaimDefault = 100
	// autoClaimMax is the largest COUNT of XAUTOCLAIM, which Redis takes memory for.
	autoClaimMax = math.MaxInt64 / 16
)

// claimCommands are about what is pending: who has it, and since when.
var claimCommands = []command.Spec{
	{
		Name: "XAUTOCLAIM", Handler: xautoclaim, Group: command.Stream, Since: "6.2.0", Complexity: "O(1) if COUNT is small",
		Syntax:  "key group consumer min-idle-time:string start:string [COUNT count] justid=[JUSTID]",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Delete)},
		Tips:    []string{"nondeterministic_output"},
		History: []command.Change{{"7.0.0", "Replies which entries were pending but are no longer in the stream."}},
		Summary: "Gives entries that have been pending for long to another consumer.",
	},
	{
		Name: "XCLAIM", Handler: xclaim, Group: command.Stream, Since: "5.0.0", Complexity: "O(log N) for N pending entries of the group",
		Syntax:  "key group consumer min-idle-time:string id:string [id:string ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] force=[FORCE] justid=[JUSTID] lastid=[LASTID lastid]",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		Tips:    []string{"nondeterministic_output"},
		Summary: "Gives pending entries to another consumer.",
	},
	{
		Name: "XPENDING", Handler: xpending, Group: command.Stream, Since: "5.0.0", Complexity: "O(N) for N entries that are looked at; O(C) for C consumers",
		Syntax:  "key group filters=[[IDLE min-idle-time:integer]@6.2.0 start:string end:string count [consumer]]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output"},
		History: []command.Change{{"6.2.0", "The option `IDLE`, and intervals that do not include their ends."}},
		Summary: "Tells what is pending in a group, and for whom.",
	},
}

// propagateClaim logs that an entry is pending as it is, in a way that may be done
// twice.
func propagateClaim(c *command.Context, key []byte, g *stream.Group, p *stream.Pending) {
	if !c.Effects.Enabled {
		return
	}
	var id, last idText
	var at, count digits
	who := p.Consumer()
	c.Propagate(wordXClaim, key, g.Name(), who.Name(), wordZero, p.ID.Append(id[:0]),
		wordTime, text.AppendInt(at[:0], p.DeliveredMs()),
		wordRetryCount, text.AppendInt(count[:0], int64(p.Deliveries())),
		wordForce, wordJustID, wordLastID, g.LastID().Append(last[:0]))
}

// claimOpts are the arguments of XCLAIM.
type claimOpts struct {
	minIdleMs     int64
	ids           [][]byte
	atMs          int64 // when the entries were delivered; -1 = now
	retry         int64 // deliveries; -1 = one more
	force, justID bool
	last          stream.ID
}

func (o *claimOpts) parse(c *command.Context) error {
	idle, ok := text.ParseInt(c.Args[4])
	if !ok {
		return errClaimIdle
	}
	o.minIdleMs, o.atMs, o.retry = max(idle, 0), -1, -1
	o.ids = c.Args[5:]
	for i, arg := range o.ids {
		if _, err := idArg(arg, 0); err != nil {
			o.ids = o.ids[:i] // options begin here
			break
		}
	}
	words := c.Args[5+len(o.ids):]
	for len(words) > 0 {
		n, err := o.option(c, words)
		if err != nil {
			return err
		}
		words = words[n:]
	}
	if o.atMs < 0 || o.atMs > c.Now { // somebody else's clock
		o.atMs = c.Now
	}
	return nil
}

// option reads an option and tells how many words it has.
func (o *claimOpts) option(c *command.Context, words [][]byte) (n int, err error) {
	switch w, more := words[0], len(words) > 1; {
	case is(w, "FORCE"):
		o.force = true
		return 1, nil
	case is(w, "JUSTID"):
		o.justID = true
		return 1, nil
	case more && is(w, "IDLE"):
		o.atMs, err = claimNumber(words[1], errClaimIdleOpt)
		o.atMs = c.Now - o.atMs
	case more && is(w, "TIME"):
		o.atMs, err = claimNumber(words[1], errClaimTime)
	case more && is(w, "RETRYCOUNT"):
		o.retry, err = claimNumber(words[1], errClaimRetry)
	case more && is(w, "LASTID"):
		o.last, err = idArg(words[1], 0)
	default:
		err = command.ReplyError(fmt.Sprintf("ERR Unrecognized XCLAIM option '%s'", upToZero(w)))
	}
	return 2, err
}

func claimNumber(arg []byte, fault error) (int64, error) {
	n, ok := text.ParseInt(arg)
	if !ok {
		return 0, fault
	}
	return n, nil
}

func xclaim(c *command.Context) error {
	key, group := c.Args[1], c.Args[2]
	s, g, ok, err := findGroup(c, key, group)
	switch {
	case err != nil:
		return err
	case !ok:
		return noGroup(key, group, "")
	}
	var o claimOpts
	if err := o.parse(c); err != nil {
		return err
	}
	c.PropagateNothing() // but for what follows
	advanced := g.SetLastID(o.last)
	who, _ := seenConsumer(c, &g, c.Args[3], key)
	mark, n := c.Out.DeferLen(), 0
	for _, arg := range o.ids {
		id, _ := idArg(arg, 0)
		claimed, logged := o.claim(c, &s, &g, &who, id)
		if claimed {
			n++
		}
		advanced = advanced && !logged // the claim says it, too
	}
	if advanced {
		propagateGroupID(c, key, &g)
		c.Effects.Dirty++
	}
	c.Out.EndArray(mark, n)
	return nil
}

// claim gives one entry to the consumer. It tells whether it did, and whether it
// has logged anything.
func (o *claimOpts) claim(c *command.Context, s *stream.Stream, g *stream.Group, who *stream.Consumer, id stream.ID) (claimed, logged bool) {
	p, pending := g.Lookup(id)
	switch {
	case !s.Exists(id):
		if pending {
			propagateClaim(c, c.Args[1], g, &p)
			c.Effects.Dirty++
			g.Ack(id)
		}
		return false, pending
	case !pending && !o.force,
		pending && o.minIdleMs > 0 && c.Now-p.DeliveredMs() < o.minIdleMs:
		return false, false
	}
	p, _ = g.Claim(who, id)
	p.SetDeliveredMs(o.atMs)
	if o.retry >= 0 {
		p.SetDeliveries(uint64(o.retry))
	} else if !o.justID {
		p.SetDeliveries(p.Deliveries() + 1)
	}
	who.SetActiveMs(c.Now)
	replyClaimed(c, s, id, o.justID)
	propagateClaim(c, c.Args[1], g, &p)
	c.Effects.Dirty++
	return true, true
}

// replyClaimed writes an entry, or its ID.
func replyClaimed(c *command.Context, s *stream.Stream, id stream.ID, justID bool) {
	if justID {
		replyID(c, id)
		return
	}
	replyEntryAt(c, s, id)
}

// parseAutoClaim reads the arguments of XAUTOCLAIM.
func parseAutoClaim(args [][]byte) (o stream.AutoClaim, err error) {
	idle, ok := text.ParseInt(args[4])
	if !ok {
		return o, errAutoClaimIdle
	}
	o.MinIdleMs, o.Count = max(idle, 0), autoClaimDefault
	if o.From, err = startArg(args[5]); err != nil {
		return o, err
	}
	for i := 6; i < len(args); i++ {
		switch {
		case is(args[i], "COUNT") && i+1 < len(args):
			i++
			n, ok := text.ParseInt(args[i])
			if !ok || n < 1 || n > autoClaimMax {
				return o, errClaimCount
			}
			o.Count = int(n)
		case is(args[i], "JUSTID"):
			o.JustID = true
		default:
			return o, command.ErrSyntax
		}
	}
	return o, nil
}

// xautoclaim collects the entries in the scratch buffer, since the ID to go on from,
// which is known only afterwards, stands before them in the reply.
func xautoclaim(c *command.Context) error {
	key, group := c.Args[1], c.Args[2]
	s, g, ok, err := findGroup(c, key, group) // a missing key is told before a fault
	o, fault := parseAutoClaim(c.Args)
	switch {
	case fault != nil:
		return fault
	case err != nil:
		return err
	case !ok:
		return noGroup(key, group, "")
	}
	c.PropagateNothing() // but for what follows
	who, _ := seenConsumer(c, &g, c.Args[3], key)
	out := c.Out
	claimed := resp.Writer{Buf: c.Scratch[:0], Proto: out.Proto}
	n, gone := 0, []stream.ID(nil)
	c.Out = &claimed
	next := s.AutoClaim(&g, &who, o, c.Now, func(p *stream.Pending, deleted bool) {
		c.Effects.Dirty++
		propagateClaim(c, key, &g, p)
		if deleted {
			gone = append(gone, p.ID)
			return
		}
		replyClaimed(c, &s, p.ID, o.JustID)
		n++
	})
	c.Out, c.Scratch = out, claimed.Buf
	c.Out.Array(3)
	replyID(c, next)
	c.Out.Array(n)
	c.Out.Raw(claimed.Buf)
	c.Out.Array(len(gone))
	for _, id := range gone {
		replyID(c, id)
	}
	return nil
}
