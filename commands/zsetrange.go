package commands

import (
	"dozo/command"
	"dozo/object"
	"dozo/text"
)

var (
	errRangeFloat  error = command.ReplyError("ERR min or max is not a float")
	errRangeString error = command.ReplyError("ERR min or max not valid string range item")
	errLimitByRank error = command.ReplyError("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
	errScoresByLex error = command.ReplyError("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
)

// zrangeCommands show or store ranges of members.
var zrangeCommands = []command.Spec{
	{
		Name: "ZRANGE", Handler: zrangeCommand, Group: command.SortedSet, Since: "1.2.0", Complexity: "O(log(N)+M) for M of N members",
		Syntax:  "key start:string stop:string sortby=[BYSCORE | BYLEX]@6.2.0 [REV]@6.2.0 [LIMIT offset count]@6.2.0 [WITHSCORES]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		History: []command.Change{{"6.2.0", "The options `REV`, `BYSCORE`, `BYLEX` and `LIMIT`."}},
		Summary: "Lists the members of a range of ranks, of scores, or of members.",
	},
	{
		Name: "ZRANGESTORE", Handler: zrangestore, Group: command.SortedSet, Since: "6.2.0", Complexity: "O(log(N)+M) for M of N members",
		Syntax: "dst src min max sortby=[BYSCORE | BYLEX] [REV] [LIMIT offset count]",
		Flags:  command.Write | command.DenyOOM,
		Keys: []command.KeySpec{
			command.At(1, command.OW|command.Update),
			command.At(2, command.RO|command.Access),
		},
		Summary: "Stores a range of members as a sorted set.",
	},
	{
		Name: "ZREVRANGE", Handler: zrevrange, Group: command.SortedSet, Since: "1.2.0", Complexity: "O(log(N)+M) for M of N members",
		Syntax:     "key start stop [WITHSCORES]",
		Flags:      command.ReadOnly,
		Keys:       []command.KeySpec{command.At(1, command.RO|command.Access)},
		Deprecated: "6.2.0", Replaced: "`ZRANGE` with the `REV` argument",
		Summary: "Lists the members of a range of ranks that count from the highest.",
	},
	{
		Name: "ZRANGEBYSCORE", Handler: zrangebyscore, Group: command.SortedSet, Since: "1.0.5", Complexity: "O(log(N)+M) for M of N members",
		Syntax:     "key min:double max:double [WITHSCORES]@2.0.0 [LIMIT offset count]",
		Flags:      command.ReadOnly,
		Keys:       []command.KeySpec{command.At(1, command.RO|command.Access)},
		History:    []command.Change{{"2.0.0", "The option `WITHSCORES`."}},
		Deprecated: "6.2.0", Replaced: "`ZRANGE` with the `BYSCORE` argument",
		Summary: "Lists the members of a range of scores.",
	},
	{
		Name: "ZREVRANGEBYSCORE", Handler: zrevrangebyscore, Group: command.SortedSet, Since: "2.2.0", Complexity: "O(log(N)+M) for M of N members",
		Syntax:     "key max:double min:double [WITHSCORES] [LIMIT offset count]",
		Flags:      command.ReadOnly,
		Keys:       []command.KeySpec{command.At(1, command.RO|command.Access)},
		History:    []command.Change{{"2.1.6", "`min` and `max` may be left out of the range."}},
		Deprecated: "6.2.0", Replaced: "`ZRANGE` with the `REV` and `BYSCORE` arguments",
		Summary: "Lists the members of a range of scores from the highest down.",
	},
	{
		Name: "ZRANGEBYLEX", Handler: zrangebylex, Group: command.SortedSet, Since: "2.8.9", Complexity: "O(log(N)+M) for M of N members",
		Syntax:     "key min max [LIMIT offset count]",
		Flags:      command.ReadOnly,
		Keys:       []command.KeySpec{command.At(1, command.RO|command.Access)},
		Deprecated: "6.2.0", Replaced: "`ZRANGE` with the `BYLEX` argument",
		Summary: "Lists a range of members of a sorted set whose scores are equal.",
	},
	{
		Name: "ZREVRANGEBYLEX", Handler: zrevrangebylex, Group: command.SortedSet, Since: "2.8.9", Complexity: "O(log(N)+M) for M of N members",
		Syntax:     "key max min [LIMIT offset count]",
		Flags:      command.ReadOnly,
		Keys:       []command.KeySpec{command.At(1, command.RO|command.Access)},
		Deprecated: "6.2.0", Replaced: "`ZRANGE` with the `REV` and `BYLEX` arguments",
		Summary: "Lists a range of members of a sorted set whose scores are equal, backwards.",
	},
}

// rangeKind is what a range is a range of.
type rangeKind uint8

const (
	byRank rangeKind = iota
	byScore
	byLex
)

// zrange is a range of members, as ZRANGE and its like are called with.
type zrange struct {
	by            rangeKind
	down          bool
	scores        bool
	offset, limit int64 // limit < 0: none
	start, stop   int64
	score         object.ScoreRange
	lex           object.LexRange
}

// rangeForm is what of a range the command's name says already.
type rangeForm struct {
	fixed bool // the kind and the direction are those of the name
	store bool
}

// parse reads the limits, and the options behind them.
func (r *zrange) parse(words [][]byte, form rangeForm) error {
	r.limit = -1
	options := words[2:]
	for len(options) > 0 {
		n, err := r.option(options, form)
		if err != nil {
			return err
		}
		options = options[n:]
	}
	switch {
	case r.limit != -1 && r.by == byRank:
		return errLimitByRank
	case r.scores && r.by == byLex:
		return errScoresByLex
	case r.down && r.by != byRank:
		return r.parseLimits(words[1], words[0])
	}
	return r.parseLimits(words[0], words[1])
}

// option reads one option and says how many words it took.
func (r *zrange) option(words [][]byte, form rangeForm) (n int, err error) {
	switch w := words[0]; {
	case is(w, "WITHSCORES") && !form.store:
		r.scores = true
	case is(w, "LIMIT") && len(words) > 2:
		if r.offset, err = intArg(words[1]); err == nil {
			r.limit, err = intArg(words[2])
		}
		return 3, err
	case is(w, "REV") && !form.fixed && !r.down:
		r.down = true
	case is(w, "BYLEX") && !form.fixed && r.by == byRank:
		r.by = byLex
	case is(w, "BYSCORE") && !form.fixed && r.by == byRank:
		r.by = byScore
	default:
		return 0, command.ErrSyntax
	}
	return 1, nil
}

// parseLimits reads the limits of the range.
func (r *zrange) parseLimits(low, high []byte) (err error) {
	switch r.by {
	case byScore:
		return parseScoreRange(low, high, &r.score)
	case byLex:
		return parseLexRange(low, high, &r.lex)
	}
	if r.start, err = intArg(low); err == nil {
		r.stop, err = intArg(high)
	}
	return err
}

func parseScoreRange(low, high []byte, r *object.ScoreRange) error {
	var ok1, ok2 bool
	r.Min, r.MinEx, ok1 = scoreLimit(low)
	r.Max, r.MaxEx, ok2 = scoreLimit(high)
	if !ok1 || !ok2 {
		return errRangeFloat
	}
	return nil
}

// scoreLimit reads a score that a range ends at; a bracket in front leaves it out.
func scoreLimit(arg []byte) (score float64, ex, ok bool) {
	if len(arg) > 0 && arg[0] == '(' {
		arg, ex = arg[1:], true
	}
	score, ok = text.ParseLimit(arg)
	return score, ex, ok
}

func parseLexRange(low, high []byte, r *object.LexRange) error {
	var ok1, ok2 bool
	r.Min, ok1 = lexLimit(low)
	r.Max, ok2 = lexLimit(high)
	if !ok1 || !ok2 {
		return errRangeString
	}
	return nil
}

// lexLimit reads a member that a range ends at, or a sign for the end of all.
func lexLimit(arg []byte) (m object.LexLimit, ok bool) {
	if len(arg) == 0 {
		return m, false
	}
	switch first, rest := arg[0], arg[1:]; first {
	case '-', '+':
		if m.Kind = object.LexFirst; first == '+' {
			m.Kind = object.LexLast
		}
		return m, len(upToZero(rest)) == 0
	case '(':
		return object.LexLimit{Member: rest, Kind: object.LexPast}, true
	case '[':
		return object.LexLimit{Member: rest, Kind: object.LexAt}, true
	}
	return m, false
}

// ranks is the range of ranks that the limits mean, from the first up to but not
// including the second.
func (r *zrange) ranks(z object.ZSetValue) (from, to int) {
	switch r.by {
	case byScore:
		return z.ScoreRanks(&r.score)
	case byLex:
		return z.LexRanks(&r.lex)
	}
	first, n := existingRange(r.start, r.stop, z.Len())
	if r.down {
		first = z.Len() - first - n
	}
	return first, first + n
}

// part is where in the ranks the walk begins, and for how many members.
func (r *zrange) part(z object.ZSetValue) (rank, n int) {
	from, to := r.ranks(z)
	skip := 0
	if r.by != byRank {
		if r.offset < 0 || r.offset >= int64(to-from) {
			return 0, 0
		}
		skip = int(r.offset)
	}
	n = to - from - skip
	if r.by != byRank && r.limit >= 0 {
		n = int(min(int64(n), r.limit))
	}
	if r.down {
		return to - 1 - skip, n
	}
	return from + skip, n
}

func zrangeCommand(c *command.Context) error { return replyZRange(c, zrange{}, rangeForm{}) }

func zrevrange(c *command.Context) error {
	return replyZRange(c, zrange{down: true}, rangeForm{fixed: true})
}

func zrangebyscore(c *command.Context) error {
	return replyZRange(c, zrange{by: byScore}, rangeForm{fixed: true})
}

func zrevrangebyscore(c *command.Context) error {
	return replyZRange(c, zrange{by: byScore, down: true}, rangeForm{fixed: true})
}

func zrangebylex(c *command.Context) error {
	return replyZRange(c, zrange{by: byLex}, rangeForm{fixed: true})
}

func zrevrangebylex(c *command.Context) error {
	return replyZRange(c, zrange{by: byLex, down: true}, rangeForm{fixed: true})
}

// replyZRange is ZRANGE and its like.
func replyZRange(c *command.Context, r zrange, form rangeForm) error {
	if err := r.parse(c.Args[2:], form); err != nil {
		return err
	}
	cell, err := c.Lookup(c.Args[1], object.ZSet)
	if err != nil {
		return err
	}
	if !cell.Ok() {
		c.Out.Array(0)
		return nil
	}
	z := object.ZSetValue{Cell: &cell}
	rank, n := r.part(z)
	drawnHeader(c, n, r.scores)
	z.Walk(rank, n, r.down, func(s object.Scored) bool {
		replyScored(c, &s, r.scores)
		return true
	})
	return nil
}

// replyScored writes a member of a reply that drawnHeader began.
func replyScored(c *command.Context, s *object.Scored, scores bool) {
	if !scores {
		replyValue(c, s.Member)
		return
	}
	if c.Out.Proto >= 3 {
		c.Out.Array(2)
	}
	replyValue(c, s.Member)
	c.Out.Double(s.Score())
}

func zrangestore(c *command.Context) error {
	var r zrange
	if err := r.parse(c.Args[3:], rangeForm{store: true}); err != nil {
		return err
	}
	cell, err := c.Lookup(c.Args[2], object.ZSet)
	if err != nil {
		return err
	}
	rank, n := 0, 0
	if cell.Ok() {
		rank, n = r.part(object.ZSetValue{Cell: &cell})
	}
	var d object.Draft
	at, l := c.Place(c.Args[1]), &c.Set.Limits.ZSet
	d.Begin(at, at.NewZSet(n, 0, l))
	if n > 0 {
		out := object.ZSetValue{Cell: &d.Cell}
		var buf digits
		object.ZSetValue{Cell: &cell}.Walk(rank, n, r.down, func(s object.Scored) bool {
			out.Add(s.Member.Text(buf[:0]), s.Score(), 0, l)
			return true
		})
	}
	storeZSet(c, &d, "zrangestore")
	return nil
}
