package commands

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"dozo/command"
	"dozo/container/listpack"
	"dozo/object"
	"dozo/text"
)

var errSortScore error = command.ReplyError("ERR One or more scores can't be converted into double")

// sortCommands sort. The keys that BY and GET name depend on the data, so calls with
// such patterns run alone.
var sortCommands = []command.Spec{
	{
		Name: "SORT", Handler: sortAny, Group: command.Generic, Since: "1.0.0", Complexity: "O(N+M*log(M)) for N elements, of which M are sorted",
		Syntax:     "key [BY by-pattern=pattern] [LIMIT offset count] [GET get-pattern=pattern [GET get-pattern=pattern ...]] order=[ASC | DESC] sorting=[ALPHA] [STORE destination]",
		Flags:      command.Write | command.DenyOOM,
		Categories: command.CatSet | command.CatSortedSet | command.CatList | command.CatDangerous, NotCategories: command.CatKeyspace,
		Keys: []command.KeySpec{
			command.At(1, command.RO|command.Access),
			command.KeySpec{Flags: command.RO | command.Access, Unknown: true}.Note("The keys that BY and GET name depend on the elements."),
			command.KeySpec{Flags: command.OW | command.Update, Unknown: true}.Note("STORE may stand anywhere among the options."),
		},
		FindKeys: sortKeys, Alone: sortAlone,
		Summary: "Sorts the elements of a list, set or sorted set, and replies or stores them.",
	},
	{
		Name: "SORT_RO", Handler: sortRO, Group: command.Generic, Since: "7.0.0", Complexity: "O(N+M*log(M)) for N elements, of which M are sorted",
		Syntax:     "key [BY by-pattern=pattern] [LIMIT offset count] [GET get-pattern=pattern [GET get-pattern=pattern ...]] order=[ASC | DESC] sorting=[ALPHA]",
		Flags:      command.ReadOnly,
		Categories: command.CatSet | command.CatSortedSet | command.CatList | command.CatDangerous, NotCategories: command.CatKeyspace,
		Keys: []command.KeySpec{
			command.At(1, command.RO|command.Access),
			command.KeySpec{Flags: command.RO | command.Access, Unknown: true}.Note("The keys that BY and GET name depend on the elements."),
		},
		FindKeys: sortROKeys, Alone: sortAlone,
		Summary: "Sorts the elements of a list, set or sorted set, and replies them.",
	},
}

// sortROKeys finds the keys of a call that has no STORE.
func sortROKeys(dst []command.KeyRef, _ [][]byte) ([]command.KeyRef, bool) {
	return append(dst, command.KeyRef{Index: 1, Flags: command.RO | command.Access}), true
}

// sortKeys finds the keys of a call as Redis does. That is not quite as the options
// are read: what follows STORE may be an option here.
func sortKeys(dst []command.KeyRef, args [][]byte) ([]command.KeyRef, bool) {
	dst, _ = sortROKeys(dst, args)
	store := 0
	for i := 2; i < len(args); i++ {
		switch w := args[i]; {
		case is(w, "LIMIT"):
			i += 2
		case is(w, "GET"), is(w, "BY"):
			i++
		case is(w, "STORE") && i+1 < len(args):
			store = i + 1
		}
	}
	if store != 0 {
		dst = append(dst, command.KeyRef{Index: store, Flags: command.OW | command.Update})
	}
	return dst, true
}

// sortAlone tells whether a call touches other keys than sortKeys finds.
func sortAlone(args [][]byte) bool {
	var o sortOpts
	if o.parse(args, false) != nil {
		return false
	}
	if o.store != 0 {
		if refs, _ := sortKeys(nil, args); refs[1].Index != o.store {
			return true
		}
	}
	return o.by != nil || slices.ContainsFunc(o.gets, namesKeys)
}

// namesKeys tells whether a pattern has a place for an element.
func namesKeys(pattern []byte) bool { return bytes.IndexByte(upToZero(pattern), '*') >= 0 }

// sortOpts are the options of SORT.
type sortOpts struct {
	desc, alpha bool
	// still: BY names no keys, so elements stay in the order that they have.
	still         bool
	offset, count int64 // count is -1 for all
	by            []byte
	gets          [][]byte
	store         int // the argument; 0 = none
}

func (o *sortOpts) parse(args [][]byte, readOnly bool) error {
	o.count = -1
	for i := 2; i < len(args); i++ {
		left := len(args) - i - 1
		switch w := args[i]; {
		case is(w, "ASC"):
			o.desc = false
		case is(w, "DESC"):
			o.desc = true
		case is(w, "ALPHA"):
			o.alpha = true
		case is(w, "LIMIT") && left >= 2:
			var err error
			if o.offset, err = intArg(args[i+1]); err != nil {
				return err
			}
			if o.count, err = intArg(args[i+2]); err != nil {
				return err
			}
			i += 2
		case is(w, "STORE") && left >= 1 && !readOnly:
			i++
			o.store = i
		case is(w, "BY") && left >= 1:
			i++
			o.by = args[i]
			o.still = o.still || !namesKeys(o.by)
		case is(w, "GET") && left >= 1:
			i++
			o.gets = append(o.gets, args[i])
		default:
			return command.ErrSyntax
		}
	}
	if o.still {
		o.by = nil
	}
	return nil
}

// window is which of n elements are wanted.
func (o *sortOpts) window(n int) (first, count int) {
	first = int(min(max(o.offset, 0), int64(n)))
	count = n - first
	if o.count >= 0 {
		count = int(min(o.count, int64(count)))
	}
	return first, count
}

// sorted is an element with what it is sorted by.
type sorted struct {
	text []byte
	by   []byte // with ALPHA and BY; nil if there is none
}

// sortRank is an element's place, which is moved in its stead.
type sortRank struct {
	score float64
	at    int // where it was
}

func sortAny(c *command.Context) error { return sortElements(c, false) }
func sortRO(c *command.Context) error  { return sortElements(c, true) }

func sortElements(c *command.Context, readOnly bool) error {
	var o sortOpts
	if err := o.parse(c.Args, readOnly); err != nil {
		return err
	}
	elements, err := o.load(c)
	if err != nil {
		return err
	}
	if !o.still {
		ranks, ok := o.weigh(c, elements)
		if !ok {
			return errSortScore
		}
		elements = o.sort(elements, ranks)
	}
	if o.store != 0 {
		o.keep(c, elements)
		return nil
	}
	c.Out.Array(len(elements) * max(len(o.gets), 1))
	for i := range elements {
		o.each(c, &elements[i], func(v listpack.Value, ok bool) {
			if !ok {
				c.Out.Null()
				return
			}
			replyValue(c, v)
		})
	}
	return nil
}

// load takes the elements out of the value, or those that are wanted if they are not
// to be sorted.
func (o *sortOpts) load(c *command.Context) ([]sorted, error) {
	key := c.Args[1]
	cell := c.Find(key)
	if !cell.Ok() {
		c.Notify(command.EventKeyMiss, "keymiss", c.DB, key)
		return nil, nil
	}
	switch cell.Type() {
	case object.List:
		return o.loadList(object.ListValue{Cell: &cell}), nil
	case object.Set:
		return o.loadSet(object.SetValue{Cell: &cell}), nil
	case object.ZSet:
		if cell.Encoding() == object.EncListpack { // as Redis has it
			cell = c.Edit(key)
			object.ZSetValue{Cell: &cell}.Expect(math.MaxInt, &c.Set.Limits.ZSet)
		}
		return o.loadZSet(object.ZSetValue{Cell: &cell}), nil
	}
	return nil, command.ErrWrongType
}

// newSorted makes an element. The text of a string stays where it is: while SORT runs
// nothing changes that it reads.
func newSorted(v listpack.Value) sorted { return sorted{text: v.Text(nil)} }

func (o *sortOpts) loadList(v object.ListValue) []sorted {
	first, n, from, step := 0, v.Len(), 0, (*object.ListCursor).Next
	if o.still {
		first, n = o.window(n)
		if from = first; o.desc {
			from, step = -1-first, (*object.ListCursor).Prev
		}
	}
	out := make([]sorted, 0, n)
	for p := v.Seek(from); len(out) < n; step(&p) {
		out = append(out, newSorted(p.Value()))
	}
	return out
}

// loadSet leaves the members of a set unsorted only if the order cannot matter to
// anybody: it is not the same everywhere.
func (o *sortOpts) loadSet(s object.SetValue) []sorted {
	if o.still && o.store != 0 {
		o.still, o.alpha = false, true
	}
	out := make([]sorted, 0, s.Len())
	s.Each(func(v listpack.Value) bool {
		out = append(out, newSorted(v))
		return true
	})
	if o.still {
		first, n := o.window(len(out))
		out = out[first : first+n]
	}
	return out
}

func (o *sortOpts) loadZSet(z object.ZSetValue) []sorted {
	first, n, down := 0, z.Len(), false
	if o.still {
		size := n
		if first, n = o.window(size); o.desc {
			first, down = size-1-first, true
		}
	}
	out := make([]sorted, 0, n)
	if n > 0 {
		z.Walk(first, n, down, func(s object.Scored) bool {
			out = append(out, newSorted(s.Member))
			return true
		})
	}
	return out
}

// weigh finds what elements are sorted by, and tells whether all have it that need
// it to be a number.
func (o *sortOpts) weigh(c *command.Context, elements []sorted) (ranks []sortRank, good bool) {
	ranks, good = make([]sortRank, len(elements)), true
	for i := range elements {
		e := &elements[i]
		ranks[i].at = i
		weight := e.text
		if o.by != nil {
			v, ok := sortLookup(c, o.by, e.text)
			if !ok {
				continue
			}
			weight = v.Text(nil)
			if o.alpha { // a later look-up may take other fields out of the same hash
				weight = append([]byte{}, weight...)
			}
		}
		if o.alpha {
			e.by = weight
			continue
		}
		n, ok := sortScore(weight)
		ranks[i].score, good = n, good && ok
	}
	return ranks, good
}

// sortScore reads a number as strtod does: white space in front is no fault, and
// nothing is 0.
func sortScore(s []byte) (float64, bool) {
	if s = upToZero(s); len(s) == 0 {
		return 0, true
	}
	return text.ParseFloat(bytes.TrimLeft(s, " \t\n\v\f\r"))
}

// sort returns those elements that are wanted, in order. Equal ones stay in the order
// that they have, unless Redis sorts no more than a part; see sortPart.
func (o *sortOpts) sort(elements []sorted, ranks []sortRank) []sorted {
	first, n := o.window(len(elements))
	if o.by != nil && n < len(elements) {
		sortPart(ranks, first, first+n-1, func(a, b sortRank) int { return o.compare(elements, a, b) })
	} else {
		slices.SortFunc(ranks, func(a, b sortRank) int {
			return cmp.Or(o.compare(elements, a, b), a.at-b.at)
		})
	}
	wanted := make([]sorted, n)
	for i, r := range ranks[first : first+n] {
		wanted[i] = elements[r.at]
	}
	return wanted
}

// compare orders two elements. Without STORE texts are compared as C compares them,
// up to a zero byte.
func (o *sortOpts) compare(elements []sorted, x, y sortRank) int {
	order := 0
	switch a, b := &elements[x.at], &elements[y.at]; {
	case !o.alpha:
		if order = cmp.Compare(x.score, y.score); order == 0 {
			order = bytes.Compare(a.text, b.text)
		}
	case a.by == nil || b.by == nil:
		order = boolCompare(a.by != nil, b.by != nil)
	case o.store != 0:
		order = bytes.Compare(a.by, b.by)
	default:
		order = bytes.Compare(upToZero(a.by), upToZero(b.by))
	}
	if o.desc {
		return -order
	}
	return order
}

// boolCompare puts false before true.
func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// each calls use with what there is to show of an element: itself, or what each GET
// finds; not ok if that is nothing.
func (o *sortOpts) each(c *command.Context, e *sorted, use func(v listpack.Value, ok bool)) {
	if len(o.gets) == 0 {
		use(listpack.Value{Str: e.text}, true)
		return
	}
	for _, pattern := range o.gets {
		use(sortLookup(c, pattern, e.text))
	}
}

// keep gives the elements to the key of STORE as a list; if there are none the key
// goes.
func (o *sortOpts) keep(c *command.Context, elements []sorted) {
	key := c.Args[o.store]
	n := len(elements) * max(len(o.gets), 1)
	c.Out.Int(int64(n))
	if n == 0 {
		if c.Delete(key) {
			c.Modified(key, command.EventGeneric, "del")
		}
		return
	}
	l := &c.Set.Limits.List
	at := c.Place(key)
	var d object.Draft
	d.Begin(at, at.NewQuicklist(l))
	v := object.ListValue{Cell: &d.Cell}
	var buf digits
	for i := range elements {
		o.each(c, &elements[i], func(x listpack.Value, ok bool) {
			if !ok {
				x.Str = []byte{}
			}
			v.Push(x.Text(buf[:0]), object.Tail, l)
		})
	}
	v.Settle(l)
	if c.Store(key, &d, 0) {
		notifyNew(c, c.DB, key)
	}
	modifiedBy(c, key, int64(n), command.EventList, "sortstore")
}

// sortLookup finds what a pattern of BY or GET means for an element: the string at
// the key that has the element in place of the star, or with -> a field of the hash
// there; # is the element itself.
func sortLookup(c *command.Context, pattern, element []byte) (v listpack.Value, ok bool) {
	p := upToZero(pattern)
	if string(p) == "#" {
		return listpack.Value{Str: element}, true
	}
	star := bytes.IndexByte(p, '*')
	if star < 0 {
		return v, false
	}
	rest, field := pattern[star+1:], []byte(nil)
	if i := bytes.Index(p[star+1:], []byte("->")); i >= 0 && star+1+i+2 < len(p) {
		rest, field = rest[:i], rest[i+2:]
	}
	c.Scratch = append(append(append(c.Scratch[:0], pattern[:star]...), element...), rest...)
	if field != nil {
		cell, err := c.Lookup(c.Scratch, object.Hash)
		if err != nil || !cell.Ok() {
			return v, false
		}
		return fieldOf(c, &cell, field)
	}
	cell, err := c.Lookup(c.Scratch, object.String)
	if err != nil || !cell.Ok() {
		return v, false
	}
	if n, isInt := cell.Int(); isInt {
		return listpack.Value{Int: n}, true
	}
	return listpack.Value{Str: cell.Bytes(nil)}, true
}
