package commands

import (
	"bytes"
	"slices"

	"dozo/command"
	"dozo/container/stream"
	"dozo/object"
)

// Stream is the family of streams.
var Stream = slices.Concat(entryCommands, rangeCommands, readCommands, groupCommands, claimCommands, streamInfoCommands)

var (
	errXaddZero      error = command.ReplyError("ERR The ID specified in XADD must be greater than 0-0")
	errXaddSmall     error = command.ReplyError("ERR The ID specified in XADD is equal or smaller than the target stream top item")
	errXaddLarge     error = command.ReplyError("ERR Elements are too large to be stored")
	errXaddExhausted error = command.ReplyError("ERR The stream has exhausted the last possible ID, unable to add more items")

	errAddedNegative error = command.ReplyError("ERR entries_added must be positive")
	errSetIDDeleted  error = command.ReplyError("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
	errSetIDCurrent  error = command.ReplyError("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
	errSetIDTop      error = command.ReplyError("ERR The ID specified in XSETID is smaller than the target stream top item")
	errAddedLength   error = command.ReplyError("ERR The entries_added specified in XSETID is smaller than the target stream length")
)

// entryCommands add entries to streams and take them away.
var entryCommands = []command.Spec{
	{
		Name: "XADD", Handler: xadd, Group: command.Stream, Since: "5.0.0", Complexity: "O(1), plus O(N) for N entries that are trimmed",
		Syntax: "key [NOMKSTREAM]@6.2.0 trim=[strategy=<MAXLEN | MINID@6.2.0> operator=[equal== | approximately=~] threshold [LIMIT count]@6.2.0] " +
			"id-selector=<auto-id=* | id> data=<field value> [field value ...]",
		Flags: command.Write | command.DenyOOM | command.Fast,
		Keys:  []command.KeySpec{command.At(1, command.RW|command.Update).Note("Update, not insert: it may trim")},
		Tips:  []string{"nondeterministic_output"},
		History: []command.Change{
			{"6.2.0", "The options `NOMKSTREAM`, `MINID` and `LIMIT`."},
			{"7.0.0", "IDs of the form `<ms>-*`."},
		},
		Summary: "Adds an entry to a stream, making it if need be.",
	},
	{
		Name: "XDEL", Handler: xdel, Group: command.Stream, Since: "5.0.0", Complexity: "O(1) an entry, however long the stream is",
		Syntax:  "key id:string [id:string ...]",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Delete)},
		Summary: "Takes entries out of a stream and counts them.",
	},
	{
		Name: "XSETID", Handler: xsetid, Group: command.Stream, Since: "5.0.0", Complexity: "O(1)",
		Syntax: "key last-id entries-added=[ENTRIESADDED entries-added]@7.0.0 max-deleted-id=[MAXDELETEDID max-deleted-id]@7.0.0",
		Flags:  command.Write | command.DenyOOM | command.Fast,
		Keys:   []command.KeySpec{command.At(1, command.RW|command.Update)},
		History: []command.Change{
			{"7.0.0", "The options `ENTRIESADDED` and `MAXDELETEDID`."},
		},
		Summary: "Sets what a stream knows of its past: for the log and for replicas.",
	},
	{
		Name: "XTRIM", Handler: xtrim, Group: command.Stream, Since: "5.0.0", Complexity: "O(N) for N entries that go; whole nodes of them are cheap",
		Syntax:  "key trim=<strategy=<MAXLEN | MINID@6.2.0> operator=[equal== | approximately=~] threshold [LIMIT count]@6.2.0>",
		Flags:   command.Write,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Delete)},
		Tips:    []string{"nondeterministic_output"},
		History: []command.Change{{"6.2.0", "The options `MINID` and `LIMIT`."}},
		Summary: "Takes entries away from the beginning of a stream.",
	},
}

// streamIn is the stream that a cell holds.
func streamIn(cell *object.Cell) stream.Stream { return object.StreamValue{Cell: cell}.Open() }

// editStream looks a stream up to change it.
func editStream(c *command.Context, key []byte) (s stream.Stream, ok bool, err error) {
	cell, err := c.LookupEdit(key, object.Stream)
	if err != nil || !cell.Ok() {
		return s, false, err
	}
	return object.StreamValue{Cell: &cell}.Edit(), true, nil
}

// readStream looks a stream up to read it.
func readStream(c *command.Context, key []byte) (s stream.Stream, ok bool, err error) {
	cell, err := c.Lookup(key, object.Stream)
	if err != nil || !cell.Ok() {
		return s, false, err
	}
	return streamIn(&cell), true, nil
}

// makeStream gives a key that is not there an empty stream.
func makeStream(c *command.Context, key []byte) stream.Stream {
	cell := c.Add(key, c.Place(key).NewStream())
	notifyNew(c, c.DB, key)
	return streamIn(&cell)
}

// xaddOpts are the options of XADD.
type xaddOpts struct {
	trim    trimOpts
	noMake  bool
	at      int  // where the ID stands
	auto    bool // *
	autoSeq bool // ms-*
	id      stream.ID
}

// parse reads what stands before the fields. The ID ends it; without one, at is
// behind the arguments.
func (o *xaddOpts) parse(c *command.Context) (err error) {
	args := c.Args
	for o.at = 2; o.at < len(args); o.at++ {
		arg := args[o.at]
		if string(upToZero(arg)) == "*" {
			o.auto = true
			break
		}
		last, err := o.trim.option(args, o.at)
		switch {
		case err != nil:
			return err
		case last != 0:
			o.at = last
			continue
		case is(arg, "NOMKSTREAM"):
			o.noMake = true
			continue
		}
		if err := o.parseID(upToZero(arg)); err != nil {
			return err
		}
		break
	}
	return o.trim.finish(c)
}

func (o *xaddOpts) parseID(arg []byte) (err error) {
	if ms, ok := bytes.CutSuffix(arg, []byte("-*")); ok && bytes.IndexByte(ms, '-') < 0 {
		arg, o.autoSeq = ms, true
	}
	o.id, err = idArg(arg, 0)
	return err
}

// next is the ID of the new entry; false if that is not above the last one.
func (o *xaddOpts) next(s *stream.Stream, nowMs int64) (stream.ID, bool) {
	switch {
	case o.auto:
		return s.NextID(uint64(nowMs))
	case o.autoSeq:
		return s.NextSeq(o.id.Ms)
	}
	return o.id, s.LastID().Less(o.id)
}

func xadd(c *command.Context) error {
	var o xaddOpts
	if err := o.parse(c); err != nil {
		return err
	}
	words := c.Args[min(o.at+1, len(c.Args)):]
	switch {
	case len(words) < 2 || len(words)%2 != 0:
		return arityError(c)
	case !o.auto && !o.autoSeq && o.id.IsZero():
		return errXaddZero
	}
	s, found, err := editStream(c, c.Args[1])
	switch {
	case err != nil:
		return err
	case !found && o.noMake:
		c.Out.Null()
		return nil
	}
	return o.add(c, &s, found, words)
}

// add is the second half of XADD.
func (o *xaddOpts) add(c *command.Context, s *stream.Stream, found bool, words [][]byte) error {
	key := c.Args[1]
	if !found {
		*s = makeStream(c, key)
	}
	id, err := o.append(c, s, words)
	if err != nil {
		if !found {
			c.Delete(key)
		}
		return err
	}
	c.Modified(key, command.EventStream, "xadd")
	c.Signal(key)
	if o.trim.wanted() && trimStream(c, key, s, o.trim.Trim) > 0 {
		c.Notify(command.EventStream, "xtrim", c.DB, key)
	}
	c.Scratch = id.Append(c.Scratch[:0])
	c.Out.Bulk(c.Scratch)
	o.propagate(c, s)
	return nil
}

// append adds the entry.
func (o *xaddOpts) append(c *command.Context, s *stream.Stream, words [][]byte) (id stream.ID, err error) {
	if s.LastID() == stream.MaxID {
		return id, errXaddExhausted
	}
	id, ok := o.next(s, c.Now)
	if !ok {
		return id, errXaddSmall
	}
	if s.Append(id, c.Set.Limits.Stream, words) != nil {
		return id, errXaddLarge
	}
	return id, nil
}

// propagate logs the call with the ID that was made, which lies in the scratch
// buffer, and with an exact end of trimming.
func (o *xaddOpts) propagate(c *command.Context, s *stream.Stream) {
	switch given := !o.auto && !o.autoSeq; {
	case !c.Effects.Enabled || given && !o.trim.Approx:
	case !o.trim.Approx:
		propagateReplaced(c, replaced{o.at, c.Scratch})
	default:
		n := len(c.Scratch)
		c.Scratch = o.trim.appendEnd(c.Scratch, s)
		id := replaced{o.at, c.Scratch[:n]}
		if given {
			id.word = c.Args[o.at]
		}
		propagateReplaced(c, id, replaced{o.trim.at - 1, wordEquals}, replaced{o.trim.at, c.Scratch[n:]})
	}
}

func xdel(c *command.Context) error {
	key, ids := c.Args[1], c.Args[2:]
	s, ok, err := editStream(c, key)
	switch {
	case err != nil:
		return err
	case !ok:
		c.Out.Int(0)
		return nil
	}
	if err := checkIDs(ids); err != nil {
		return err
	}
	n := int64(0)
	for _, arg := range ids {
		if id, _ := idArg(arg, 0); s.Delete(id) {
			n++
		}
	}
	if n > 0 {
		modifiedBy(c, key, n, command.EventStream, "xdel")
	}
	c.Out.Int(n)
	return nil
}

// trimStream takes entries away from the beginning of a stream and tells how many.
func trimStream(c *command.Context, key []byte, s *stream.Stream, t stream.Trim) int64 {
	n, rest := s.Trim(t)
	if !rest.IsNone() {
		c.Bury(key, object.StreamGrave(rest))
	}
	return n
}

func xtrim(c *command.Context) error {
	var o trimOpts
	if err := o.parse(c); err != nil {
		return err
	}
	key := c.Args[1]
	s, ok, err := editStream(c, key)
	if err != nil {
		return err
	}
	n := int64(0)
	if ok {
		n = trimStream(c, key, &s, o.Trim)
	}
	if n > 0 {
		modifiedBy(c, key, n, command.EventStream, "xtrim")
		if o.Approx && c.Effects.Enabled {
			c.Scratch = o.appendEnd(c.Scratch[:0], &s)
			propagateReplaced(c, replaced{o.at - 1, wordEquals}, replaced{o.at, c.Scratch})
		}
	}
	c.Out.Int(n)
	return nil
}

// xsetidOpts are the options of XSETID; added is -1 if it is not given.
type xsetidOpts struct {
	id, deleted stream.ID
	added       int64
}

func (o *xsetidOpts) parse(args [][]byte) (err error) {
	o.added = -1
	if o.id, err = idArg(args[2], 0); err != nil {
		return err
	}
	for i := 3; i < len(args); i += 2 {
		more := i+1 < len(args)
		switch {
		case more && is(args[i], "ENTRIESADDED"):
			if o.added, err = intArg(args[i+1]); err == nil && o.added < 0 {
				err = errAddedNegative
			}
		case more && is(args[i], "MAXDELETEDID"):
			if o.deleted, err = idArg(args[i+1], 0); err == nil && o.id.Less(o.deleted) {
				err = errSetIDDeleted
			}
		default:
			err = command.ErrSyntax
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// check refuses what contradicts the stream.
func (o *xsetidOpts) check(s *stream.Stream) error {
	st := s.State()
	if o.id.Less(st.MaxDeletedID) {
		return errSetIDCurrent
	}
	last, ok := s.LastEntry()
	switch {
	case !ok:
		return nil
	case o.id.Less(last):
		return errSetIDTop
	case o.added != -1 && uint64(o.added) < st.Length:
		return errAddedLength
	}
	return nil
}

func xsetid(c *command.Context) error {
	var o xsetidOpts
	if err := o.parse(c.Args); err != nil {
		return err
	}
	key := c.Args[1]
	s, ok, err := editStream(c, key)
	switch {
	case err != nil:
		return err
	case !ok:
		return command.ErrNoSuchKey
	}
	if err := o.check(&s); err != nil {
		return err
	}
	s.SetLastID(o.id)
	if o.added != -1 {
		s.SetAdded(uint64(o.added))
	}
	if !o.deleted.IsZero() {
		s.SetMaxDeletedID(o.deleted)
	}
	c.Out.OK()
	touched(c, key, "xsetid")
	return nil
}

// touched counts a change that is none to those who watch the key, as changes of
// groups are not in Redis, and sends a key event.
func touched(c *command.Context, key []byte, event string) {
	c.Effects.Dirty++
	c.Notify(command.EventStream, event, c.DB, key)
}
