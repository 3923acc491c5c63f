package commands

import (
	"fmt"
	"slices"
	"time"

	"dozo/command"
	"dozo/container/stream"
	"dozo/object"
	"dozo/text"
)

var (
	errReadGroup     error = command.ReplyError("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
	errReadNoAck     error = command.ReplyError("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
	errReadNoGroup   error = command.ReplyError("ERR Missing GROUP option for XREADGROUP")
	errReadNew       error = command.ReplyError("ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.")
	errReadGroupLast error = command.ReplyError("ERR The $ ID is meaningless in the context of XREADGROUP: " +
		"you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. " +
		"The $ ID would just return an empty result set.")

	wordXGroup         = []byte("XGROUP")
	wordSetID          = []byte("SETID")
	wordEntriesRead    = []byte("ENTRIESREAD")
	wordCreateConsumer = []byte("CREATECONSUMER")
)

// readCommands read several streams, and wait for what is to come.
var readCommands = []command.Spec{
	{
		Name: "XREAD", Handler: xread, Group: command.Stream, Since: "5.0.0", Complexity: "O(M) a stream for M entries that are replied",
		Syntax:   "[COUNT count] [BLOCK milliseconds] STREAMS <key [key ...] id:string [id:string ...]>",
		Flags:    command.Blocking | command.ReadOnly,
		Keys:     []command.KeySpec{command.After("STREAMS", 1, -1, 1, 2, command.RO|command.Access)},
		FindKeys: streamsOf,
		Summary:  "Replies what streams have behind IDs, and waits if that is nothing.",
	},
	{
		Name: "XREADGROUP", Handler: xreadgroup, Group: command.Stream, Since: "5.0.0", Complexity: "O(M) a stream for M entries that are replied",
		Syntax:   "group-block=<GROUP <group consumer>> [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS <key [key ...] id:string [id:string ...]>",
		Flags:    command.Blocking | command.Write,
		Keys:     []command.KeySpec{command.After("STREAMS", 4, -1, 1, 2, command.RO|command.Access)},
		FindKeys: streamsOf,
		Summary:  "Gives entries to a consumer of a group: new ones, or those that are pending for it.",
	},
}

// streamsOf finds the keys of XREAD and XREADGROUP. A group, or a key, may be
// called STREAMS as well.
func streamsOf(dst []command.KeyRef, args [][]byte) (refs []command.KeyRef, ok bool) {
	for i := 1; i < len(args); i++ {
		switch {
		case is(args[i], "BLOCK"), is(args[i], "COUNT"):
			i++
		case is(args[i], "GROUP"):
			i += 2
		case is(args[i], "NOACK"):
		case is(args[i], "STREAMS"):
			n := len(args) - i - 1
			for k := range n / 2 {
				dst = append(dst, command.KeyRef{Index: i + 1 + k, Flags: command.RO | command.Access})
			}
			return dst, n > 1
		default:
			return dst, false
		}
	}
	return dst, false
}

// readOpts are the arguments of XREAD and XREADGROUP.
type readOpts struct {
	grouped         bool // XREADGROUP
	group, consumer []byte
	count           int64 // entries of a stream; -1 = all
	block           bool
	timeout         time.Duration
	noAck           bool
	first, n        int // where the keys stand, and how many there are
}

func (o *readOpts) parse(c *command.Context) (err error) {
	o.count = -1
	args := c.Args
	for i := 1; i < len(args) && o.first == 0; i++ {
		more := len(args) - i - 1
		switch arg := args[i]; {
		case is(arg, "BLOCK") && more > 0:
			i++
			o.block = true
			o.timeout, err = command.MillisTimeout(args[i])
		case is(arg, "COUNT") && more > 0:
			i++
			if o.count, err = intArg(args[i]); o.count <= 0 {
				o.count = -1
			}
		case is(arg, "STREAMS") && more > 0:
			o.first, o.n = i+1, more/2
			if more%2 != 0 {
				err = o.unbalanced(c)
			}
		case is(arg, "GROUP") && more > 1:
			if err = errReadGroup; o.grouped {
				o.group, o.consumer, err = args[i+1], args[i+2], nil
			}
			i += 2
		case is(arg, "NOACK"):
			if err = errReadNoAck; o.grouped {
				o.noAck, err = true, nil
			}
		default:
			err = command.ErrSyntax
		}
		if err != nil {
			return err
		}
	}
	return o.check()
}

// check looks for what must be there.
func (o *readOpts) check() error {
	switch {
	case o.first == 0:
		return command.ErrSyntax
	case o.grouped && o.group == nil:
		return errReadNoGroup
	}
	return nil
}

func (o *readOpts) unbalanced(c *command.Context) error {
	mark := '$'
	if o.grouped {
		mark = '>'
	}
	return command.ReplyError(fmt.Sprintf("ERR Unbalanced '%s' list of streams: for each stream key an ID or '%c' must be specified.",
		c.Cmd.FullName, mark))
}

// source is one of the streams that are read.
type source struct {
	stream stream.Stream
	group  stream.Group
	id     stream.ID // what is behind it is wanted; MaxID: what the group was not given
	key    int       // the argument
	ok     bool      // there is a stream
}

// sourcesMax is how many sources have room on the stack.
const sourcesMax = 4

func xread(c *command.Context) error { return readStreams(c, &readOpts{}) }

func xreadgroup(c *command.Context) error { return readStreams(c, &readOpts{grouped: true}) }

func readStreams(c *command.Context, o *readOpts) error {
	if err := o.parse(c); err != nil {
		return err
	}
	var room [sourcesMax]source
	list := room[:0]
	for i := range o.n {
		src, err := o.find(c, o.first+i)
		if err != nil {
			return err
		}
		list = append(list, src)
	}
	switch {
	case o.serve(c, list):
	case o.block && c.CanBlock():
		o.wait(c, list)
	default:
		c.Out.NullArray()
	}
	return nil
}

// wait has the caller wait for what is to come from now on: $ becomes the ID that it
// stands for now. A group, or its stream, may go meanwhile, which is an error then.
func (o *readOpts) wait(c *command.Context, list []source) {
	args := c.Args
	c.Args = slices.Clone(args)
	keys := make([]int, len(list))
	for i := range list {
		src := &list[i]
		if keys[i] = src.key; !o.grouped {
			c.Args[src.key+o.n] = src.id.Append(nil)
		}
	}
	c.Block(command.Wait{Keys: keys, Type: object.Stream, Gone: o.grouped, Rivals: o.group, Timeout: o.timeout, Serve: o.handler()})
	c.Args = args
}

// handler is what serves a call that has waited.
func (o *readOpts) handler() func(c *command.Context, ready []int) (bool, error) {
	if o.grouped {
		return serveReadGroup
	}
	return serveRead
}

func serveRead(c *command.Context, ready []int) (bool, error) {
	return serveWaiting(c, &readOpts{}, ready)
}

func serveReadGroup(c *command.Context, ready []int) (bool, error) {
	return serveWaiting(c, &readOpts{grouped: true}, ready)
}

// serveWaiting replies what there is in the streams that are ready.
func serveWaiting(c *command.Context, o *readOpts, ready []int) (bool, error) {
	if err := o.parse(c); err != nil {
		return false, err
	}
	list := make([]source, 0, len(ready))
	for _, key := range ready {
		src, err := o.find(c, key)
		if err != nil {
			return false, err
		}
		list = append(list, src)
	}
	return o.serve(c, list), nil
}

// find looks one of the streams up, and reads what is wanted of it.
func (o *readOpts) find(c *command.Context, key int) (src source, err error) {
	src.key = key
	if !o.grouped {
		src.stream, src.ok, err = readStream(c, c.Args[key])
	} else {
		src.stream, src.group, src.ok, err = findGroup(c, c.Args[key], o.group)
		if err == nil && !src.ok {
			err = noGroup(c.Args[key], o.group, " in XREADGROUP with GROUP option")
		}
	}
	if err == nil {
		src.id, err = o.readID(c.Args[key+o.n], &src)
	}
	return src, err
}

func (o *readOpts) readID(arg []byte, src *source) (id stream.ID, err error) {
	switch string(upToZero(arg)) {
	case "$":
		if o.grouped {
			return id, errReadGroupLast
		}
		if src.ok {
			id = src.stream.LastID()
		}
		return id, nil
	case ">":
		if !o.grouped {
			return id, errReadNew
		}
		return stream.MaxID, nil
	}
	return idArg(arg, 0)
}

// serve replies what there is in the streams. If there is nothing, nothing is
// written.
func (o *readOpts) serve(c *command.Context, list []source) bool {
	if o.grouped {
		c.PropagateNothing() // but for what is done to the groups
	}
	mark, served := c.Out.DeferLen(), 0
	for i := range list {
		src := &list[i]
		lookedUpAgain(c, src)
		switch {
		case !src.ok:
			continue
		case o.grouped:
			if !o.serveGroup(c, src) {
				continue
			}
			c.Effects.Dirty++
		default:
			it, ok := entriesBehind(&src.stream, src.id)
			if !ok {
				continue
			}
			o.replyKey(c, src)
			replyEntries(c, &it, true, o.count)
		}
		served++
	}
	switch {
	case served == 0:
		return false
	case c.Out.Proto == 3:
		c.Out.EndMap(mark, served)
	default:
		c.Out.EndArray(mark, served)
	}
	return true
}

// lookedUpAgain counts that Redis looks the keys of these commands up a second
// time.
func lookedUpAgain(c *command.Context, src *source) {
	if src.ok {
		c.Stats.Hits++
		return
	}
	c.Stats.Misses++
	c.Notify(command.EventKeyMiss, "keymiss", c.DB, c.Args[src.key])
}

// entriesBehind is an iterator at the first entry behind an ID; false if there is
// none.
func entriesBehind(s *stream.Stream, id stream.ID) (it stream.Iterator, ok bool) {
	if !id.Less(s.LastID()) {
		return it, false
	}
	id, _ = id.Next()
	it = s.Range(id, stream.MaxID, false)
	return it, it.Next()
}

// replyKey begins the part of the reply that belongs to a stream.
func (o *readOpts) replyKey(c *command.Context, src *source) {
	if c.Out.Proto == 2 {
		c.Out.Array(2)
	}
	c.Out.Bulk(c.Args[src.key])
}

// serveGroup gives a consumer what it wants of a stream. It is made if it is not
// there, and counts as seen, even if there is nothing.
func (o *readOpts) serveGroup(c *command.Context, src *source) bool {
	key := c.Args[src.key]
	who, created := seenConsumer(c, &src.group, o.consumer, key)
	if created && o.noAck {
		c.Propagate(wordXGroup, wordCreateConsumer, key, o.group, o.consumer)
	}
	if src.id != stream.MaxID {
		o.replyKey(c, src)
		o.replyPending(c, src, &who)
		return true
	}
	it, ok := entriesBehind(&src.stream, src.group.LastID())
	if ok {
		o.replyKey(c, src)
		o.deliver(c, src, &who, &it)
	}
	return ok
}

// seenConsumer finds the consumer of a group, or makes it.
func seenConsumer(c *command.Context, g *stream.Group, name, key []byte) (who stream.Consumer, created bool) {
	if who, created = g.CreateConsumer(name, c.Now); created {
		touched(c, key, "xgroup-createconsumer")
	}
	who.SetSeenMs(c.Now)
	return who, created
}

// deliver replies new entries, from the one on that it is at, and notes for whom
// they are pending.
func (o *readOpts) deliver(c *command.Context, src *source, who *stream.Consumer, it *stream.Iterator) {
	key, g := c.Args[src.key], &src.group
	mark, n, advanced := c.Out.DeferLen(), int64(0), false
	for ok := true; ok; ok = n != o.count && it.Next() {
		advanced = src.stream.Advance(g, it.ID) || advanced
		replyEntry(c, it)
		if !o.noAck {
			p := g.Deliver(who, it.ID, c.Now)
			propagateClaim(c, key, g, &p)
		}
		n++
	}
	c.Out.EndArray(mark, int(n))
	if o.noAck && advanced {
		propagateGroupID(c, key, g)
	}
}

// replyPending replies what is pending for a consumer. It counts as delivered once
// more; what is not in the stream any more has no fields.
func (o *readOpts) replyPending(c *command.Context, src *source, who *stream.Consumer) {
	mark, n := c.Out.DeferLen(), int64(0)
	from, _ := src.id.Next()
	for it := src.group.PendingOf(who, from); n != o.count && it.Next(); n++ {
		p := &it.Pending
		if !replyEntryAt(c, &src.stream, p.ID) {
			c.Out.Array(2)
			replyID(c, p.ID)
			c.Out.NullArray()
			continue
		}
		p.SetDeliveredMs(c.Now)
		p.SetDeliveries(p.Deliveries() + 1)
	}
	c.Out.EndArray(mark, int(n))
}

// findGroup looks up a group of a stream that is about to change. Groups are no
// part of what watchers and LRU bits see as the value: the key counts as read.
func findGroup(c *command.Context, key, name []byte) (s stream.Stream, g stream.Group, ok bool, err error) {
	cell := c.Edit(key)
	if !cell.Ok() {
		c.Stats.Misses++
		c.Notify(command.EventKeyMiss, "keymiss", c.DB, key)
		return s, g, false, nil
	}
	c.Stats.Hits++
	if cell.Type() != object.Stream {
		return s, g, false, command.ErrWrongType
	}
	s = streamIn(&cell)
	g, ok = s.Group(name)
	return s, g, ok, nil
}

// noGroup is the answer to a key or a group that is not there.
func noGroup(key, group []byte, where string) error {
	return command.ReplyError(fmt.Sprintf("NOGROUP No such key '%s' or consumer group '%s'%s", upToZero(key), upToZero(group), where))
}

// propagateGroupID logs what a group has read, where no claim does.
func propagateGroupID(c *command.Context, key []byte, g *stream.Group) {
	if !c.Effects.Enabled {
		return
	}
	var id idText
	var read digits
	c.Propagate(wordXGroup, wordSetID, key, g.Name(), g.LastID().Append(id[:0]),
		wordEntriesRead, text.AppendInt(read[:0], g.EntriesRead()))
}
