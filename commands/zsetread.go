package commands

import (
	"math"

	"dozo/command"
	"dozo/container/listpack"
	"dozo/object"
)

// zsetReadCommands ask for members, scores and ranks.
var zsetReadCommands = []command.Spec{
	{
		Name: "ZCARD", Handler: zcard, Group: command.SortedSet, Since: "1.2.0", Complexity: "O(1)",
		Syntax:  "key",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO)},
		Summary: "Counts the members of a sorted set.",
	},
	{
		Name: "ZSCORE", Handler: zscore, Group: command.SortedSet, Since: "1.2.0", Complexity: "O(1)",
		Syntax:  "key member",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Tells the score of a member.",
	},
	{
		Name: "ZMSCORE", Handler: zmscore, Group: command.SortedSet, Since: "6.2.0", Complexity: "O(N) for N members",
		Syntax:  "key member [member ...]",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Tells the scores of several members.",
	},
	{
		Name: "ZRANK", Handler: zrank, Group: command.SortedSet, Since: "2.0.0", Complexity: "O(log(N)) for N members",
		Syntax:  "key member [WITHSCORE]",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		History: []command.Change{{"7.2.0", "The option `WITHSCORE`."}},
		Summary: "Tells how many members have lower scores than a member.",
	},
	{
		Name: "ZREVRANK", Handler: zrevrank, Group: command.SortedSet, Since: "2.0.0", Complexity: "O(log(N)) for N members",
		Syntax:  "key member [WITHSCORE]",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		History: []command.Change{{"7.2.0", "The option `WITHSCORE`."}},
		Summary: "Tells how many members have higher scores than a member.",
	},
	{
		Name: "ZCOUNT", Handler: zcount, Group: command.SortedSet, Since: "2.0.0", Complexity: "O(log(N)) for N members",
		Syntax:  "key min:double max:double",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Counts the members of a range of scores.",
	},
	{
		Name: "ZLEXCOUNT", Handler: zlexcount, Group: command.SortedSet, Since: "2.8.9", Complexity: "O(log(N)) for N members",
		Syntax:  "key min max",
		Flags:   command.ReadOnly | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Counts a range of members of a sorted set whose scores are equal.",
	},
	{
		Name: "ZRANDMEMBER", Handler: zrandmember, Group: command.SortedSet, Since: "6.2.0", Complexity: "O(N) for N members that are replied",
		Syntax:  "key options=[count [WITHSCORES]]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output"},
		Summary: "Shows members of a sorted set, chosen by chance.",
	},
	{
		Name: "ZSCAN", Handler: zscan, Group: command.SortedSet, Since: "2.8.0", Complexity: "O(1) a call, O(N) for all N members",
		Syntax:  "key cursor [MATCH pattern] [COUNT count]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output"},
		Summary: "Goes through the members of a sorted set a few at a time.",
	},
}

func zcard(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.ZSet)
	if err != nil {
		return err
	}
	n := 0
	if cell.Ok() {
		n = object.ZSetValue{Cell: &cell}.Len()
	}
	c.Out.Int(int64(n))
	return nil
}

func zscore(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.ZSet)
	if err != nil {
		return err
	}
	replyScore(c, &cell, c.Args[2])
	return nil
}

// replyScore writes the score of a member; a cell that is not Ok has none.
func replyScore(c *command.Context, cell *object.Cell, member []byte) {
	if cell.Ok() {
		if score, ok := (object.ZSetValue{Cell: cell}).Score(member); ok {
			c.Out.Double(score)
			return
		}
	}
	c.Out.Null()
}

func zmscore(c *command.Context) error {
	cell, err := c.Lookup(c.Args[1], object.ZSet)
	if err != nil {
		return err
	}
	c.Out.Array(len(c.Args) - 2)
	for _, m := range c.Args[2:] {
		replyScore(c, &cell, m)
	}
	return nil
}

func zrank(c *command.Context) error { return replyRank(c, false) }

func zrevrank(c *command.Context) error { return replyRank(c, true) }

func replyRank(c *command.Context, down bool) error {
	withScore := len(c.Args) > 3
	switch {
	case len(c.Args) > 4:
		return arityError(c)
	case withScore && !is(c.Args[3], "WITHSCORE"):
		return command.ErrSyntax
	}
	cell, err := c.Lookup(c.Args[1], object.ZSet)
	if err != nil {
		return err
	}
	rank, score, ok := 0, 0.0, false
	if cell.Ok() {
		z := object.ZSetValue{Cell: &cell}
		if rank, score, ok = z.Rank(c.Args[2]); down {
			rank = z.Len() - 1 - rank
		}
	}
	switch {
	case !ok && withScore:
		c.Out.NullArray()
	case !ok:
		c.Out.Null()
	case withScore:
		c.Out.Array(2)
		c.Out.Int(int64(rank))
		c.Out.Double(score)
	default:
		c.Out.Int(int64(rank))
	}
	return nil
}

func zcount(c *command.Context) error { return countRange(c, byScore) }

func zlexcount(c *command.Context) error { return countRange(c, byLex) }

func countRange(c *command.Context, by rangeKind) error {
	r := zrange{by: by}
	if err := r.parseLimits(c.Args[2], c.Args[3]); err != nil {
		return err
	}
	cell, err := c.Lookup(c.Args[1], object.ZSet)
	if err != nil {
		return err
	}
	from, to := 0, 0
	if cell.Ok() {
		from, to = r.ranks(object.ZSetValue{Cell: &cell})
	}
	c.Out.Int(int64(to - from))
	return nil
}

// drawnMembers are the members of a sorted set to draw from. As their values they
// have the bits of their scores.
type drawnMembers struct{ object.ZSetValue }

func (m drawnMembers) Each(visit func(name, value listpack.Value) bool) {
	m.ZSetValue.Each(func(s object.Scored) bool { return visit(s.Member, scoreBits(&s)) })
}

func (m drawnMembers) Random(r uint64) (name, value listpack.Value) {
	s := m.ZSetValue.Random(r)
	return s.Member, scoreBits(&s)
}

func scoreBits(s *object.Scored) listpack.Value {
	return listpack.Value{Int: int64(math.Float64bits(s.Score()))}
}

// zrandmember is ZRANDMEMBER in its three forms; see hrandfield.
func zrandmember(c *command.Context) error {
	n, scores := int64(1), false
	if len(c.Args) > 2 {
		var err error
		if n, scores, err = drawOpts(c.Args[2:], "WITHSCORES"); err != nil {
			return err
		}
	}
	cell, err := c.Lookup(c.Args[1], object.ZSet)
	if err != nil {
		return err
	}
	z := object.ZSetValue{Cell: &cell}
	switch {
	case len(c.Args) == 2 && !cell.Ok():
		c.Out.Null()
	case len(c.Args) == 2:
		replyValue(c, z.Random(c.Rand.Uint64()).Member)
	case !cell.Ok() || n == 0:
		c.Out.Array(0)
	case n < 0:
		mark := len(c.Out.Buf)
		drawnHeader(c, int(-n), scores)
		return drawAgain(c, mark, -n, func() {
			s := z.Random(c.Rand.Uint64())
			replyScored(c, &s, scores)
		})
	default:
		drawScored(c, z, int(min(n, int64(z.Len()))), scores)
	}
	return nil
}

// drawScored replies n different members.
func drawScored(c *command.Context, z object.ZSetValue, n int, scores bool) {
	drawnHeader(c, n, scores)
	draw(c, drawnMembers{z}, n, func(m, bits listpack.Value) {
		s := object.NewScored(m, math.Float64frombits(uint64(bits.Int)))
		replyScored(c, &s, scores)
	})
}

func zscan(c *command.Context) error {
	cursor, err := cursorArg(c.Args[2])
	if err != nil {
		return err
	}
	cell, err := c.Lookup(c.Args[1], object.ZSet)
	if err != nil {
		return err
	}
	return scanElements(c, cell.Ok(), func(o *scanOpts, found *foundElements) uint64 {
		return object.ZSetValue{Cell: &cell}.Scan(cursor, o.count, func(s object.Scored) {
			if o.match.any || o.match.matches(s.Member.Text(found.buf[:0])) {
				var buf [object.ScoreTextMax]byte
				found.add(s.Member)
				found.add(listpack.Value{Str: s.AppendScanned(buf[:0])})
			}
		})
	})
}
