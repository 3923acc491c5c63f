package commands

import (
	"math"
	"slices"

	"dozo/command"
	"dozo/container/listpack"
	"dozo/object"
)

// drawCommands take or show members by chance.
var drawCommands = []command.Spec{
	{
		Name: "SPOP", Handler: spop, Group: command.Set, Since: "1.0.0", Complexity: "O(1), with a count O(N) for N members",
		Syntax:  "key [count]@3.2.0",
		Flags:   command.Write | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Access|command.Delete)},
		Tips:    []string{"nondeterministic_output"},
		History: []command.Change{{"3.2.0", "The argument `count`."}},
		Summary: "Takes members out of a set by chance.",
	},
	{
		Name: "SRANDMEMBER", Handler: srandmember, Group: command.Set, Since: "1.0.0", Complexity: "O(1), with a count O(N) for N members",
		Syntax:  "key [count]@2.6.0",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output"},
		History: []command.Change{{"2.6.0", "The argument `count`."}},
		Summary: "Shows members of a set, chosen by chance.",
	},
}

var (
	errNotPositive error = command.ReplyError("ERR value is out of range, must be positive")
	errLongRange   error = command.ReplyError("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")

	wordSrem = []byte("SREM")
)

const (
	// sremBatch is how many members one SREM of the log has at most.
	sremBatch = 1024
	// drawShare: when more than one in so many members is wanted, all are gone
	// through once; else single ones are drawn until there are enough.
	drawShare = 3
	// keptShare: SPOP that leaves less than one in so many members makes what it
	// leaves anew, so that it may become small in its encoding, too.
	keptShare = 5
	// againMax and againShare bound how many elements are passed over since they were
	// drawn already: so many, and so many for each that is wanted.
	againMax, againShare = 1000, 10
)

// choice goes through size members and picks n of them; any n are as likely.
type choice struct{ size, n int }

func (ch *choice) take(r uint64) bool {
	yes := r%uint64(ch.size) < uint64(ch.n)
	ch.size--
	if yes {
		ch.n--
	}
	return yes
}

// elements is a collection to draw from, each element with its value.
type elements interface {
	Len() int
	Each(visit func(name, value listpack.Value) bool)
	Random(r uint64) (name, value listpack.Value)
}

// members are the elements of a set, which have no values.
type members struct{ object.SetValue }

func (m members) Each(visit func(name, value listpack.Value) bool) {
	m.SetValue.Each(func(v listpack.Value) bool { return visit(v, listpack.Value{}) })
}

func (m members) Random(r uint64) (name, value listpack.Value) {
	return m.SetValue.Random(r), listpack.Value{}
}

// draw visits n different elements, any of them as likely. visit must not change the
// collection. (One that was loaded from a damaged file may have an element several
// times; then some are visited again when there are no others.)
func draw(c *command.Context, from elements, n int, visit func(name, value listpack.Value)) {
	size := from.Len()
	if n*drawShare > size {
		ch := choice{size, n}
		from.Each(func(name, value listpack.Value) bool {
			if ch.take(c.Rand.Uint64()) {
				visit(name, value)
			}
			return ch.n > 0
		})
		return
	}
	var buf digits
	seen := make(map[string]struct{}, n)
	for left := againMax + againShare*n; n > 0; {
		name, value := from.Random(c.Rand.Uint64())
		text := name.Text(buf[:0])
		if _, again := seen[string(text)]; again && left > 0 {
			left--
			continue
		}
		seen[string(text)] = struct{}{}
		visit(name, value)
		n--
	}
}

// drawAgain calls one n times, which replies an element by chance; the reply began at
// mark. Any number may be asked for, so a reply that grows longer than a string may be
// is taken back. One that is longer than the client may be sent ends where it is: the
// client is closed for it.
func drawAgain(c *command.Context, mark int, n int64, one func()) error {
	for ; n > 0; n-- {
		one()
		switch size := len(c.Out.Buf); {
		case c.OutMax > 0 && size > c.OutMax:
			c.Cut = true
			return nil
		case int64(size-mark) > c.Set.MaxBulk:
			c.Out.Buf = slices.Clone(c.Out.Buf[:mark])
			return errCountRange
		}
	}
	return nil
}

func srandmember(c *command.Context) error {
	switch {
	case len(c.Args) > 3:
		return command.ErrSyntax
	case len(c.Args) == 3:
		return srandmembers(c)
	}
	cell, err := c.Lookup(c.Args[1], object.Set)
	if err != nil {
		return err
	}
	if !cell.Ok() {
		c.Out.Null()
		return nil
	}
	replyValue(c, object.SetValue{Cell: &cell}.Random(c.Rand.Uint64()))
	return nil
}

// srandmembers is SRANDMEMBER with a count; a negative one allows the same member
// several times.
func srandmembers(c *command.Context) error {
	n, err := intArg(c.Args[2])
	switch {
	case err != nil:
		return err
	case n == math.MinInt64:
		return errLongRange
	}
	cell, err := c.Lookup(c.Args[1], object.Set)
	if err != nil {
		return err
	}
	if !cell.Ok() || n == 0 {
		c.Out.Array(0)
		return nil
	}
	s := object.SetValue{Cell: &cell}
	if n < 0 {
		mark := len(c.Out.Buf)
		c.Out.Array(int(-n))
		return drawAgain(c, mark, -n, func() { replyValue(c, s.Random(c.Rand.Uint64())) })
	}
	some := int(min(n, int64(s.Len())))
	c.Out.Array(some)
	draw(c, members{s}, some, func(v, _ listpack.Value) { replyValue(c, v) })
	return nil
}

func spop(c *command.Context) error {
	switch {
	case len(c.Args) > 3:
		return command.ErrSyntax
	case len(c.Args) == 3:
		return spopMany(c)
	}
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.Set)
	if err != nil {
		return err
	}
	if !cell.Ok() {
		c.Out.Null()
		return nil
	}
	s := object.SetValue{Cell: &cell}
	m := s.Random(c.Rand.Uint64()).Append(c.Scratch[:0])
	c.Scratch = m
	s.Remove(m)
	c.Modified(key, command.EventSet, "spop")
	c.Propagate(wordSrem, key, m)
	c.Out.Bulk(m)
	if s.Len() == 0 {
		removeEmpty(c, key)
	}
	return nil
}

// spopMany is SPOP with a count.
func spopMany(c *command.Context) error {
	n, err := intArg(c.Args[2])
	if err != nil || n < 0 {
		return errNotPositive
	}
	key := c.Args[1]
	cell, err := c.LookupEdit(key, object.Set)
	if err != nil {
		return err
	}
	if !cell.Ok() || n == 0 {
		c.Out.Set(0)
		return nil
	}
	s := object.SetValue{Cell: &cell}
	if size := s.Len(); n >= int64(size) {
		modifiedBy(c, key, int64(size), command.EventSet, "spop")
		replyMembers(c, &cell)
		removeEmpty(c, key)
		c.Propagate(delWord(c), key)
		return nil
	}
	modifiedBy(c, key, n, command.EventSet, "spop")
	popMembers(c, s, int(n))
	return nil
}

// delWord is the command by which a removal on the server's behalf is logged.
func delWord(c *command.Context) []byte {
	if c.Set.LazyServerDel {
		return wordUnlink
	}
	return wordDel
}

// popMembers takes n members out of a set that has more, and replies and logs them.
func popMembers(c *command.Context, s object.SetValue, n int) {
	key := c.Args[1]
	words := append(make([][]byte, 0, n+2), wordSrem, key)
	text := c.Scratch[:0]
	draw(c, members{s}, n, func(v, _ listpack.Value) {
		from := len(text)
		text = v.Append(text)
		words = append(words, text[from:len(text):len(text)])
	})
	c.Scratch = text
	left := s.Len() - n
	c.Out.Set(n)
	for _, m := range words[2:] {
		c.Out.Bulk(m)
		s.Remove(m)
	}
	for rest := words; len(rest) > 2; {
		end := min(len(rest), sremBatch+2)
		c.Propagate(rest[:end]...)
		rest = rest[end-2:] // the room of two words that are logged already
		rest[0], rest[1] = wordSrem, key
	}
	if left*keptShare <= n {
		s.Compact(&c.Set.Limits.Set)
	}
}
