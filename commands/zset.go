package commands

import (
	"slices"

	"dozo/command"
	"dozo/object"
	"dozo/text"
)

// ZSet is the family of sorted sets.
var ZSet = slices.Concat(zsetWriteCommands, zsetReadCommands, zrangeCommands, zsetAlgebraCommands, zpopCommands)

var (
	errXXAndNX   error = command.ReplyError("ERR XX and NX options at the same time are not compatible")
	errGTLTNX    error = command.ReplyError("ERR GT, LT, and/or NX options at the same time are not compatible")
	errIncrPairs error = command.ReplyError("ERR INCR option supports a single increment-element pair")
	errScoreNaN  error = command.ReplyError("ERR resulting score is not a number (NaN)")
)

// zsetWriteCommands change members.
var zsetWriteCommands = []command.Spec{
	{
		Name: "ZADD", Handler: zadd, Group: command.SortedSet, Since: "1.2.0", Complexity: "O(log(N)) a member for N members",
		Syntax: "key condition=[NX | XX]@3.0.2 comparison=[GT | LT]@6.2.0 [change=CH]@3.0.2 [increment=INCR]@3.0.2 data=<score member> [score member ...]",
		Flags:  command.Write | command.DenyOOM | command.Fast,
		Keys:   []command.KeySpec{command.At(1, command.RW|command.Update)},
		History: []command.Change{
			{"2.4.0", "Takes several members."},
			{"3.0.2", "The options `XX`, `NX`, `CH` and `INCR`."},
			{"6.2.0", "The options `GT` and `LT`."},
		},
		Summary: "Gives members of a sorted set their scores, making it if need be.",
	},
	{
		Name: "ZINCRBY", Handler: zincrby, Group: command.SortedSet, Since: "1.2.0", Complexity: "O(log(N)) for N members",
		Syntax:  "key increment member",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Update)},
		Summary: "Adds to the score of a member; a missing one counts as 0.",
	},
	{
		Name: "ZREM", Handler: zrem, Group: command.SortedSet, Since: "1.2.0", Complexity: "O(M*log(N)) for M of N members",
		Syntax:  "key member [member ...]",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Delete)},
		History: []command.Change{{"2.4.0", "Takes several members."}},
		Summary: "Takes members out of a sorted set; the last one takes the key along.",
	},
	{
		Name: "ZREMRANGEBYRANK", Handler: zremrangebyrank, Group: command.SortedSet, Since: "2.0.0", Complexity: "O(log(N)+M) for M of N members",
		Syntax:  "key start stop",
		Flags:   command.Write,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Delete)},
		Summary: "Takes the members of a range of ranks out of a sorted set.",
	},
	{
		Name: "ZREMRANGEBYSCORE", Handler: zremrangebyscore, Group: command.SortedSet, Since: "1.2.0", Complexity: "O(log(N)+M) for M of N members",
		Syntax:  "key min:double max:double",
		Flags:   command.Write,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Delete)},
		Summary: "Takes the members of a range of scores out of a sorted set.",
	},
	{
		Name: "ZREMRANGEBYLEX", Handler: zremrangebylex, Group: command.SortedSet, Since: "2.8.9", Complexity: "O(log(N)+M) for M of N members",
		Syntax:  "key min max",
		Flags:   command.Write,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Delete)},
		Summary: "Takes a range of members out of a sorted set whose scores are equal.",
	},
}

func zadd(c *command.Context) error { return addScores(c, 0) }

func zincrby(c *command.Context) error { return addScores(c, object.ZAddIncr) }

// zaddOpts are the options of ZADD, and where its scores and members begin.
type zaddOpts struct {
	flags  object.ZAddFlags
	change bool
	pairs  [][]byte
	// triples: a score is of two words, as GEOADD's positions are.
	triples bool
}

// member is the i-th member.
func (o *zaddOpts) member(i int) []byte {
	if o.triples {
		return o.pairs[3*i+2]
	}
	return o.pairs[2*i+1]
}

func (o *zaddOpts) parse(words [][]byte) error {
	o.pairs = o.options(words)
	return o.check()
}

// options reads the options and returns what follows them.
func (o *zaddOpts) options(words [][]byte) [][]byte {
	for len(words) > 0 && o.option(words[0]) {
		words = words[1:]
	}
	return words
}

// option reads an option, if the word is one. GEOADD has not all of them.
func (o *zaddOpts) option(w []byte) bool {
	switch {
	case is(w, "NX"):
		o.flags |= object.ZAddNX
	case is(w, "XX"):
		o.flags |= object.ZAddXX
	case is(w, "CH"):
		o.change = true
	case o.triples:
		return false
	case is(w, "GT"):
		o.flags |= object.ZAddGT
	case is(w, "LT"):
		o.flags |= object.ZAddLT
	case is(w, "INCR"):
		o.flags |= object.ZAddIncr
	default:
		return false
	}
	return true
}

func (o *zaddOpts) has(f object.ZAddFlags) bool { return o.flags&f == f }

// check refuses what does not go together.
func (o *zaddOpts) check() error {
	switch {
	case len(o.pairs) == 0 || len(o.pairs)%2 != 0:
		return command.ErrSyntax
	case o.has(object.ZAddNX | object.ZAddXX):
		return errXXAndNX
	case o.has(object.ZAddGT | object.ZAddNX), o.has(object.ZAddLT | object.ZAddNX), o.has(object.ZAddGT | object.ZAddLT):
		return errGTLTNX
	case o.has(object.ZAddIncr) && len(o.pairs) > 2:
		return errIncrPairs
	}
	return nil
}

// scores reads the scores, all of them before anything is changed.
func (o *zaddOpts) scores(out []float64) ([]float64, error) {
	for i := 0; i < len(o.pairs); i += 2 {
		score, ok := text.ParseFloat(o.pairs[i])
		if !ok {
			return nil, command.ErrNotFloat
		}
		out = append(out, score)
	}
	return out, nil
}

// addScores is ZADD and ZINCRBY.
func addScores(c *command.Context, flags object.ZAddFlags) error {
	o := zaddOpts{flags: flags}
	if err := o.parse(c.Args[2:]); err != nil {
		return err
	}
	var room [16]float64
	scores, err := o.scores(room[:0])
	if err != nil {
		return err
	}
	return o.apply(c, scores)
}

// apply gives the members their scores and replies.
func (o *zaddOpts) apply(c *command.Context, scores []float64) error {
	key, l := c.Args[1], &c.Set.Limits.ZSet
	cell, err := c.LookupEdit(key, object.ZSet)
	switch {
	case err != nil:
		return err
	case cell.Ok():
		object.ZSetValue{Cell: &cell}.Expect(len(scores), l)
	case o.has(object.ZAddXX):
		o.reply(c, 0, 0, 0, false)
		return nil
	default:
		cell = c.Add(key, c.Place(key).NewZSet(len(scores), len(o.member(0)), l))
		notifyNew(c, c.DB, key)
	}
	return o.addAll(c, object.ZSetValue{Cell: &cell}, scores)
}

// addAll adds the members and replies.
func (o *zaddOpts) addAll(c *command.Context, z object.ZSetValue, scores []float64) error {
	added, updated, score, done := int64(0), int64(0), 0.0, object.ZAddNothing
	for i := range scores {
		score, done = z.Add(o.member(i), scores[i], o.flags, &c.Set.Limits.ZSet)
		switch done {
		case object.ZAddAdded:
			added++
		case object.ZAddUpdated:
			updated++
		case object.ZAddNaN: // only INCR can bring it, which has one member
			return errScoreNaN
		}
	}
	if added+updated > 0 {
		event := "zadd"
		if o.has(object.ZAddIncr) {
			event = "zincr"
		}
		modifiedBy(c, c.Args[1], added+updated, command.EventZSet, event)
	}
	o.reply(c, added, updated, score, done != object.ZAddNothing)
	return nil
}

// reply answers a call that did what is given; INCR has a score if it did anything.
func (o *zaddOpts) reply(c *command.Context, added, updated int64, score float64, did bool) {
	switch {
	case !o.has(object.ZAddIncr) && o.change:
		c.Out.Int(added + updated)
	case !o.has(object.ZAddIncr):
		c.Out.Int(added)
	case did:
		c.Out.Double(score)
	default:
		c.Out.Null()
	}
}

func zrem(c *command.Context) error {
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.ZSet)
	if err != nil {
		return err
	}
	removed, left := int64(0), 1
	if cell.Ok() {
		z := object.ZSetValue{Cell: &cell}
		for _, m := range c.Args[2:] {
			if z.Remove(m) {
				removed++
				if left = z.Len(); left == 0 {
					break
				}
			}
		}
	}
	if removed > 0 {
		modifiedBy(c, key, removed, command.EventZSet, "zrem")
	}
	if left == 0 {
		removeEmpty(c, key)
	}
	c.Out.Int(removed)
	return nil
}

func zremrangebyrank(c *command.Context) error { return removeRange(c, byRank, "zremrangebyrank") }

func zremrangebyscore(c *command.Context) error { return removeRange(c, byScore, "zremrangebyscore") }

func zremrangebylex(c *command.Context) error { return removeRange(c, byLex, "zremrangebylex") }

// removeRange takes a range of members out.
func removeRange(c *command.Context, by rangeKind, event string) error {
	r := zrange{by: by}
	if err := r.parseLimits(c.Args[2], c.Args[3]); err != nil {
		return err
	}
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.ZSet)
	if err != nil {
		return err
	}
	from, to := 0, 0
	if cell.Ok() {
		from, to = r.ranks(object.ZSetValue{Cell: &cell})
	}
	if from < to {
		modifiedBy(c, key, int64(to-from), command.EventZSet, event)
		dropRanks(c, object.ZSetValue{Cell: &cell}, key, from, to)
	}
	c.Out.Int(int64(max(0, to-from)))
	return nil
}

// dropRanks takes a range of ranks out, and the key with the last member. If it is all
// of them they are left to be freed in steps.
func dropRanks(c *command.Context, z object.ZSetValue, key []byte, from, to int) {
	if from == 0 && to == z.Len() {
		removeEmpty(c, key)
		return
	}
	z.DeleteRange(from, to, nil)
}
