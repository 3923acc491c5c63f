package commands

import (
	"slices"

	"dozo/command"
	"dozo/container/listpack"
	"dozo/object"
	"dozo/text"
)

// zsetAlgebraCommands make sorted sets of several sorted sets, and of sets, whose
// members count as having the score 1.
var zsetAlgebraCommands = []command.Spec{
	{
		Name: "ZUNION", Handler: zunion, Group: command.SortedSet, Since: "6.2.0", Complexity: "O(N)+O(M*log(M)) for N members in all, of which M are different",
		Syntax:  "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.CountedAt(1, command.RO|command.Access)},
		Summary: "Lists the members that any of the sorted sets has.",
	},
	{
		Name: "ZINTER", Handler: zinter, Group: command.SortedSet, Since: "6.2.0", Complexity: "O(N*K)+O(M*log(M)) for N members of the smallest of K sorted sets, and M of the result",
		Syntax:  "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.CountedAt(1, command.RO|command.Access)},
		Summary: "Lists the members that all sorted sets have.",
	},
	{
		Name: "ZDIFF", Handler: zdiff, Group: command.SortedSet, Since: "6.2.0", Complexity: "O(N*K)+O(M*log(M)) for N members of the first of K sorted sets, and M of the result",
		Syntax:  "numkeys key [key ...] [WITHSCORES]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.CountedAt(1, command.RO|command.Access)},
		Summary: "Lists the members of the first sorted set that no other has.",
	},
	{
		Name: "ZINTERCARD", Handler: zintercard, Group: command.SortedSet, Since: "7.0.0", Complexity: "O(N*K) for N members of the smallest of K sorted sets",
		Syntax:  "numkeys key [key ...] [LIMIT limit]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.CountedAt(1, command.RO|command.Access)},
		Summary: "Counts the members that all sorted sets have.",
	},
	{
		Name: "ZUNIONSTORE", Handler: zunionstore, Group: command.SortedSet, Since: "2.0.0", Complexity: "O(N)+O(M*log(M)) for N members in all, of which M are different",
		Syntax:  "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
		Flags:   command.Write | command.DenyOOM,
		Keys:    storeKeys,
		Summary: "Stores the members that any of the sorted sets has.",
	},
	{
		Name: "ZINTERSTORE", Handler: zinterstore, Group: command.SortedSet, Since: "2.0.0", Complexity: "O(N*K)+O(M*log(M)) for N members of the smallest of K sorted sets, and M of the result",
		Syntax:  "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
		Flags:   command.Write | command.DenyOOM,
		Keys:    storeKeys,
		Summary: "Stores the members that all sorted sets have.",
	},
	{
		Name: "ZDIFFSTORE", Handler: zdiffstore, Group: command.SortedSet, Since: "6.2.0", Complexity: "O(N*K)+O(M*log(M)) for N members of the first of K sorted sets, and M of the result",
		Syntax:  "destination numkeys key [key ...]",
		Flags:   command.Write | command.DenyOOM,
		Keys:    storeKeys,
		Summary: "Stores the members of the first sorted set that no other has.",
	},
}

// storeKeys are the keys of ZUNIONSTORE and its like.
var storeKeys = []command.KeySpec{
	command.At(1, command.OW|command.Update),
	command.CountedAt(2, command.RO|command.Access),
}

var errWeight error = command.ReplyError("ERR weight value is not a float")

// weighed is one of the sets and sorted sets that an operation works on; not Ok =
// empty.
type weighed struct {
	cell   object.Cell
	weight float64
}

func (s *weighed) zset() object.ZSetValue { return object.ZSetValue{Cell: &s.cell} }

func (s *weighed) set() object.SetValue { return object.SetValue{Cell: &s.cell} }

func (s *weighed) len() int {
	switch {
	case !s.cell.Ok():
		return 0
	case s.cell.Type() == object.Set:
		return s.set().Len()
	}
	return s.zset().Len()
}

// each visits the members and their scores, before they are weighted.
func (s *weighed) each(visit func(m listpack.Value, score float64) bool) {
	switch {
	case !s.cell.Ok():
	case s.cell.Type() == object.Set:
		s.set().Each(func(m listpack.Value) bool { return visit(m, 1) })
	default:
		s.zset().Each(func(m object.Scored) bool { return visit(m.Member, m.Score()) })
	}
}

// score is that of a member, before it is weighted.
func (s *weighed) score(member []byte) (float64, bool) {
	switch {
	case !s.cell.Ok():
		return 0, false
	case s.cell.Type() == object.Set:
		return 1, s.set().Has(member)
	}
	return s.zset().Score(member)
}

// weighted is a score times the weight; 0 if that is no number.
func (s *weighed) weighted(score float64) float64 {
	if score *= s.weight; score == score {
		return score
	}
	return 0
}

// aggregate joins the scores of one member.
type aggregate func(old, score float64) float64

func sumScores(old, score float64) float64 {
	if old += score; old == old {
		return old
	}
	return 0 // of the infinities of both signs
}

func minScore(old, score float64) float64 {
	if score < old {
		return score
	}
	return old
}

func maxScore(old, score float64) float64 {
	if score > old {
		return score
	}
	return old
}

// algebraForm is which options an operation has.
type algebraForm struct {
	weights bool // WEIGHTS and AGGREGATE
	scores  bool // WITHSCORES
	limit   bool // LIMIT
}

// algebra is a call of one of the operations.
type algebra struct {
	sources []weighed
	join    aggregate
	scores  bool
	limit   int64 // 0 = none
}

// parse looks the keys up, whose number stands at argument i, and reads the options.
// (As in Redis, a key of another type comes before a fault in the options.)
func (a *algebra) parse(c *command.Context, i int, form algebraForm) error {
	n, err := intArg(c.Args[i])
	switch {
	case err != nil:
		return err
	case n < 1:
		return command.ReplyError("ERR at least 1 input key is needed for '" + c.Cmd.FullName + "' command")
	case n > int64(len(c.Args)-i-1):
		return command.ErrSyntax
	}
	keys, words := c.Args[i+1:i+1+int(n)], c.Args[i+1+int(n):]
	a.sources, a.join = make([]weighed, n), sumScores
	for j, key := range keys {
		cell := c.Find(key)
		if cell.Ok() && cell.Type() != object.ZSet && cell.Type() != object.Set {
			return command.ErrWrongType
		}
		if !cell.Ok() {
			c.Notify(command.EventKeyMiss, "keymiss", c.DB, key)
		}
		a.sources[j] = weighed{cell, 1}
	}
	for len(words) > 0 {
		took, err := a.option(words, form)
		if err != nil {
			return err
		}
		words = words[took:]
	}
	return nil
}

// option reads one option and says how many words it took.
func (a *algebra) option(words [][]byte, form algebraForm) (n int, err error) {
	switch w := words[0]; {
	case form.weights && len(words) > len(a.sources) && is(w, "WEIGHTS"):
		for i := range a.sources {
			var ok bool
			if a.sources[i].weight, ok = text.ParseFloat(words[1+i]); !ok {
				return 0, errWeight
			}
		}
		return 1 + len(a.sources), nil
	case form.weights && len(words) > 1 && is(w, "AGGREGATE"):
		a.join, err = aggregateArg(words[1])
		return 2, err
	case form.scores && is(w, "WITHSCORES"):
		a.scores = true
		return 1, nil
	case form.limit && len(words) > 1 && is(w, "LIMIT"):
		a.limit, err = naturalArg(words[1], errLimitBelow0)
		return 2, err
	}
	return 0, command.ErrSyntax
}

func aggregateArg(arg []byte) (aggregate, error) {
	switch {
	case is(arg, "SUM"):
		return sumScores, nil
	case is(arg, "MIN"):
		return minScore, nil
	case is(arg, "MAX"):
		return maxScore, nil
	}
	return nil, command.ErrSyntax
}

// sort puts the smallest first.
func (a *algebra) sort() {
	slices.SortStableFunc(a.sources, func(x, y weighed) int { return x.len() - y.len() })
}

// intersect visits what all sources have, with the joined scores.
func (a *algebra) intersect(visit func(member []byte, score float64) bool) {
	a.sort()
	first, others := &a.sources[0], a.sources[1:]
	var buf digits
	first.each(func(m listpack.Value, score float64) bool {
		member := m.Text(buf[:0])
		joined := first.weighted(score)
		for i := range others {
			other, ok := others[i].score(member)
			if !ok {
				return true
			}
			joined = a.join(joined, other*others[i].weight)
		}
		return visit(member, joined)
	})
}

// operation fills a sorted set with what it makes of the sources.
type operation func(a *algebra, out object.ZSetValue)

func intersectScores(a *algebra, out object.ZSetValue) {
	a.intersect(func(member []byte, score float64) bool {
		out.Gather(member, score, a.join)
		return true
	})
}

func uniteScores(a *algebra, out object.ZSetValue) {
	a.sort()
	var buf digits
	for i := range a.sources {
		s := &a.sources[i]
		s.each(func(m listpack.Value, score float64) bool {
			out.Gather(m.Text(buf[:0]), s.weighted(score), a.join)
			return true
		})
	}
}

// subtractScores looks the members of the first source up in the others, the largest
// of them first.
func subtractScores(a *algebra, out object.ZSetValue) {
	first, others := &a.sources[0], a.sources[1:]
	slices.SortStableFunc(others, func(x, y weighed) int { return y.len() - x.len() })
	var buf digits
	first.each(func(m listpack.Value, score float64) bool {
		member := m.Text(buf[:0])
		for i := range others {
			if _, ok := others[i].score(member); ok {
				return true
			}
		}
		out.Gather(member, score, a.join)
		return true
	})
}

// make makes the result in the shard of a key. It is large until it is stored, since
// a small one has no negative zeros.
func (a *algebra) make(c *command.Context, key []byte, work operation) *object.Draft {
	d := &object.Draft{}
	at := c.Place(key)
	d.Begin(at, at.NewLargeZSet())
	z := object.ZSetValue{Cell: &d.Cell}
	work(a, z)
	z.Arrange()
	return d
}

func zunion(c *command.Context) error {
	return replyAlgebra(c, uniteScores, algebraForm{weights: true, scores: true})
}

func zinter(c *command.Context) error {
	return replyAlgebra(c, intersectScores, algebraForm{weights: true, scores: true})
}

func zdiff(c *command.Context) error {
	return replyAlgebra(c, subtractScores, algebraForm{scores: true})
}

func replyAlgebra(c *command.Context, work operation, form algebraForm) error {
	var a algebra
	if err := a.parse(c, 1, form); err != nil {
		return err
	}
	key := c.Args[2]
	d := a.make(c, key, work)
	z := object.ZSetValue{Cell: &d.Cell}
	drawnHeader(c, z.Len(), a.scores)
	z.Each(func(s object.Scored) bool {
		replyScored(c, &s, a.scores)
		return true
	})
	c.Discard(key, d)
	return nil
}

func zintercard(c *command.Context) error {
	var a algebra
	if err := a.parse(c, 1, algebraForm{limit: true}); err != nil {
		return err
	}
	n := int64(0)
	a.intersect(func([]byte, float64) bool {
		n++
		return n != a.limit
	})
	c.Out.Int(n)
	return nil
}

func zunionstore(c *command.Context) error {
	return storeAlgebra(c, uniteScores, algebraForm{weights: true}, "zunionstore")
}

func zinterstore(c *command.Context) error {
	return storeAlgebra(c, intersectScores, algebraForm{weights: true}, "zinterstore")
}

func zdiffstore(c *command.Context) error {
	return storeAlgebra(c, subtractScores, algebraForm{}, "zdiffstore")
}

func storeAlgebra(c *command.Context, work operation, form algebraForm, event string) error {
	var a algebra
	if err := a.parse(c, 2, form); err != nil {
		return err
	}
	d := a.make(c, c.Args[1], work)
	object.ZSetValue{Cell: &d.Cell}.Compact(&c.Set.Limits.ZSet)
	storeZSet(c, d, event)
	return nil
}

// storeZSet gives a sorted set that was made to the destination, and answers its
// size.
func storeZSet(c *command.Context, d *object.Draft, event string) {
	storeDraft(c, c.Args[1], d, object.ZSetValue{Cell: &d.Cell}.Len(), command.EventZSet, event)
}
