package commands

import (
	"dozo/command"
	"dozo/container/stream"
	"dozo/text"
)

var (
	errTrimTwice  error = command.ReplyError("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
	errTrimNone   error = command.ReplyError("ERR syntax error, XTRIM must be called with a trimming strategy")
	errTrimMaxLen error = command.ReplyError("ERR The MAXLEN argument must be >= 0.")
	errLimit      error = command.ReplyError("ERR The LIMIT argument must be >= 0.")
	errLimitAlone error = command.ReplyError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
	errLimitExact error = command.ReplyError("ERR syntax error, LIMIT cannot be used without the special ~ option")

	wordEquals = []byte("=")
)

// Without LIMIT, approximate trimming takes away no more entries at once than some
// nodes have, lest it take long.
const (
	trimNodes      = 100
	trimDefault    = 10000 // where nodes have no limit
	trimEntriesMax = 1000000
)

// trimOpts say what XADD and XTRIM take away.
type trimOpts struct {
	stream.Trim
	at      int // where MAXLEN's or MINID's value stands; 0 = there is none
	limited bool
}

// wanted tells whether anything is to be taken away.
func (o *trimOpts) wanted() bool { return o.at != 0 }

// parse reads the options of XTRIM.
func (o *trimOpts) parse(c *command.Context) error {
	for i := 2; i < len(c.Args); i++ {
		last, err := o.option(c.Args, i)
		switch {
		case err != nil:
			return err
		case last == 0:
			return command.ErrSyntax
		}
		i = last
	}
	if !o.wanted() && o.Limit == 0 {
		return errTrimNone
	}
	return o.finish(c)
}

// option reads the option at argument i, and tells where its last word stands: 0 if
// it is none.
func (o *trimOpts) option(args [][]byte, i int) (last int, err error) {
	if i+1 == len(args) {
		return 0, nil
	}
	switch arg := args[i]; {
	case is(arg, "MAXLEN"):
		return o.threshold(args, i+1, false)
	case is(arg, "MINID"):
		return o.threshold(args, i+1, true)
	case is(arg, "LIMIT"):
		o.limited = true
		if o.Limit, err = intArg(args[i+1]); err == nil && o.Limit < 0 {
			err = errLimit
		}
		return i + 1, err
	}
	return 0, nil
}

// threshold reads what follows MAXLEN or MINID.
func (o *trimOpts) threshold(args [][]byte, i int, byID bool) (last int, err error) {
	if o.wanted() {
		return 0, errTrimTwice
	}
	o.ByID = byID
	if i+1 < len(args) {
		switch string(upToZero(args[i])) {
		case "~":
			o.Approx = true
			i++
		case "=":
			i++
		}
	}
	o.at = i
	if byID {
		o.MinID, err = idArg(args[i], 0)
		return i, err
	}
	n, err := intArg(args[i])
	if err == nil && n < 0 {
		err = errTrimMaxLen
	}
	o.MaxLen = uint64(n)
	return i, err
}

// finish looks at the options together.
func (o *trimOpts) finish(c *command.Context) error {
	switch {
	case o.Limit != 0 && !o.wanted():
		return errLimitAlone
	case c.Timeless:
		// The log of a genuine server has the end of an approximate trim as an exact
		// one, and the LIMIT that there was beside it.
		o.Limit = 0
	case o.limited && !o.Approx:
		return errLimitExact
	case o.Approx && !o.limited:
		o.Limit = trimDefault
		if n := c.Set.Limits.Stream.NodeEntries; n > 0 {
			o.Limit = trimNodes * min(n, trimEntriesMax/trimNodes)
		}
	}
	return nil
}

// appendEnd appends where trimming has ended, in the terms of the option, for the
// log: a replica must come to the same end.
func (o *trimOpts) appendEnd(dst []byte, s *stream.Stream) []byte {
	if !o.ByID {
		return text.AppendUint(dst, s.Len())
	}
	first, _, ok := s.NodeFrom(stream.ID{})
	if !ok {
		first = stream.MaxID
	}
	return first.Append(dst)
}
