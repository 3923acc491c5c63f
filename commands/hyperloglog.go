package commands

import (
	"slices"

	"dozo/command"
	"dozo/container/hll"
	"dozo/object"
)

var errNoKey error = command.ReplyError("ERR The specified key does not exist")

// HyperLogLog is the family of HyperLogLogs, which are strings of a certain
// form.
var HyperLogLog = []command.Spec{
	{
		Name: "PFADD", Handler: pfadd, Group: command.HyperLogLog, Since: "2.8.9", Complexity: "O(1) for each element",
		Syntax:  "key [element [element ...]]",
		Flags:   command.Write | command.DenyOOM | command.Fast,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Insert)},
		Summary: "Adds elements to a HyperLogLog, which it makes if there is none.",
	},
	{
		Name: "PFCOUNT", Handler: pfcount, Group: command.HyperLogLog, Since: "2.8.9", Complexity: "O(1) for one key, O(N) for N keys",
		Syntax:  "key [key ...]",
		Flags:   command.ReadOnly | command.MayReplicate,
		Keys:    []command.KeySpec{command.Span(1, -1, 1, command.RW|command.Access).Note("RW since it may store the count or change the encoding, and tell replicas")},
		Summary: "Estimates how many different elements one HyperLogLog has, or several together.",
	},
	{
		Name: "PFDEBUG", Handler: pfdebug, Group: command.HyperLogLog, Since: "2.8.9", Complexity: "O(N) for N registers",
		Syntax:  "subcommand key",
		Flags:   command.SysCmd | command.Write | command.DenyOOM | command.Admin,
		Keys:    []command.KeySpec{command.At(2, command.RW|command.Access)},
		Summary: "Shows the inside of a HyperLogLog.",
	},
	{
		Name: "PFMERGE", Handler: pfmerge, Group: command.HyperLogLog, Since: "2.8.9", Complexity: "O(N) for N keys",
		Syntax: "destkey [sourcekey [sourcekey ...]]",
		Flags:  command.Write | command.DenyOOM,
		Keys: []command.KeySpec{
			command.At(1, command.RW|command.Access|command.Insert),
			command.Span(2, -1, 1, command.RO|command.Access),
		},
		Summary: "Joins HyperLogLogs into one.",
	},
	{
		Name: "PFSELFTEST", Handler: pfselftest, Group: command.HyperLogLog, Since: "2.8.9", Complexity: "O(1)",
		Flags:   command.SysCmd | command.Admin,
		Summary: "Tests the HyperLogLog code.",
	},
}

// sketch is a HyperLogLog while a command changes it. A dense value is changed
// in place, since it never grows. A sparse one is worked on in the scratch
// buffer, where it can grow, and is then put back.
type sketch struct {
	c     *command.Context
	cell  object.Cell
	bytes []byte
	loose bool // bytes are a copy, to be put back
}

// openSketch checks a value that is about to be changed. The cell is what Edit
// gave.
func openSketch(c *command.Context, cell object.Cell) (s sketch, err error) {
	s = sketch{c: c, cell: cell}
	if s.bytes, err = checked(&cell); err != nil {
		return s, err
	}
	if hll.EncodingOf(s.bytes) == hll.Sparse {
		s.loose = true
		c.Scratch = append(c.Scratch[:0], s.bytes...)
		s.bytes = c.Scratch
	} else {
		s.bytes = s.cell.Grow(0) // which says that they change
	}
	return s, nil
}

// checked is the bytes of a string that must be a HyperLogLog, in place.
func checked(cell *object.Cell) ([]byte, error) {
	if cell.Encoding() == object.EncInt {
		return nil, hll.ErrNotHLL
	}
	b := cell.Bytes(nil)
	return b, hll.Check(b)
}

// newSketch makes a value without elements, whose key comes with put.
func newSketch(c *command.Context) sketch {
	c.Scratch = hll.AppendEmpty(c.Scratch[:0])
	return sketch{c: c, bytes: c.Scratch, loose: true}
}

// put makes the changes the key's value.
func (s *sketch) put(key []byte) {
	if s.loose {
		s.c.Scratch = s.bytes // it may have grown, and is worth keeping
	}
	if !s.cell.Ok() {
		s.cell, _ = s.c.SetZeros(key, len(s.bytes))
		notifyNew(s.c, s.c.DB, key)
	}
	room := s.cell.Resize(len(s.bytes))
	if s.loose {
		copy(room, s.bytes)
	}
}

// editSketch opens the value at a key, or makes one.
func editSketch(c *command.Context, key []byte) (sketch, error) {
	cell, err := c.LookupEdit(key, object.String)
	if err != nil {
		return sketch{}, err
	}
	if !cell.Ok() {
		return newSketch(c), nil
	}
	return openSketch(c, cell)
}

func pfadd(c *command.Context) error {
	key := c.Args[1]
	s, err := editSketch(c, key)
	if err != nil {
		return err
	}
	updates := int64(0)
	if !s.cell.Ok() {
		updates++
	}
	for _, element := range c.Args[2:] {
		var changed bool
		s.bytes, changed, err = hll.Add(s.bytes, element, c.Set.HLLSparseMax)
		if err != nil {
			return err
		}
		if changed {
			updates++
		}
	}
	if updates > 0 {
		hll.Invalidate(s.bytes)
		s.put(key)
		c.Modified(key, command.EventString, "pfadd")
		c.Effects.Dirty += updates - 1
	} else {
		s.cell.Grow(0) // raw from now on, as a genuine server leaves it
	}
	replyFlag(c, updates > 0)
	return nil
}

func pfcount(c *command.Context) error {
	if len(c.Args) > 2 {
		return countUnion(c)
	}
	key := c.Args[1]
	b, err := readSketch(c, key)
	if err != nil {
		return err
	}
	if b == nil {
		c.Out.Int(0)
		return nil
	}
	n, ok := hll.Cached(b)
	if !ok {
		if n, err = hll.Count(b); err != nil {
			return err
		}
	}
	if c.Follows && !c.Timeless { // what is read stays as the primary has it
		c.Out.Int(int64(n))
		return nil
	}
	cell := c.Edit(key)
	room := cell.Grow(0) // raw from now on, whoever made it
	if !ok {
		storeCount(c, key, room, n)
	}
	c.Out.Int(int64(n))
	return nil
}

// countUnion counts what several values have together, and writes nothing.
func countUnion(c *command.Context) error {
	var u hll.Union
	if err := unite(c, &u, c.Args[1:]); err != nil {
		return err
	}
	c.Out.Int(int64(u.Count()))
	return nil
}

// storeCount keeps an estimate in the value that it is of. That changes the
// string, so it is logged like a write.
func storeCount(c *command.Context, key, value []byte, n uint64) {
	hll.SetCached(value, n)
	c.Changed(c.DB, key)
	c.Effects.Dirty++
}

// readSketch is the value at a key, in place; nil if there is none.
func readSketch(c *command.Context, key []byte) ([]byte, error) {
	cell, err := c.Lookup(key, object.String)
	if err != nil || !cell.Ok() {
		return nil, err
	}
	return checked(&cell)
}

// unite merges the values of the keys that exist.
func unite(c *command.Context, u *hll.Union, keys [][]byte) error {
	for _, key := range keys {
		b, err := readSketch(c, key)
		if err != nil {
			return err
		}
		if b == nil {
			continue
		}
		if err := u.Merge(b); err != nil {
			return err
		}
	}
	return nil
}

func pfmerge(c *command.Context) error {
	var u hll.Union
	if err := unite(c, &u, c.Args[1:]); err != nil {
		return err
	}
	key := c.Args[1]
	s, err := editSketch(c, key)
	if err != nil {
		return err
	}
	if s.bytes, err = u.Store(s.bytes, c.Set.HLLSparseMax); err != nil {
		return err
	}
	s.put(key)
	c.Modified(key, command.EventString, "pfadd")
	c.Out.OK()
	return nil
}

func pfselftest(c *command.Context) error {
	if err := hll.SelfTest(c.Rand.Uint64, hll.SelfTestElements, c.Set.HLLSparseMax); err != nil {
		return command.ReplyError("ERR " + err.Error())
	}
	c.Out.OK()
	return nil
}

// pfdebug looks for the key before the name of what to do.
func pfdebug(c *command.Context) error {
	key := c.Args[2]
	cell, err := c.LookupEdit(key, object.String)
	if err != nil {
		return err
	}
	if !cell.Ok() {
		return errNoKey
	}
	s, err := openSketch(c, cell)
	if err != nil {
		return err
	}
	cell.Grow(0) // raw from now on, whatever is asked
	switch what := c.Args[1]; {
	case is(what, "GETREG"):
		return s.replyRegisters(key)
	case is(what, "DECODE"):
		text, err := hll.AppendDecode(nil, s.bytes)
		if err == nil {
			c.Out.Bulk(text)
		}
		return err
	case is(what, "ENCODING"):
		c.Out.SimpleString(hll.EncodingOf(s.bytes).String())
		return nil
	case is(what, "TODENSE"):
		changed, err := s.toDense(key)
		if err == nil {
			replyFlag(c, changed)
		}
		return err
	default:
		return command.ReplyError("ERR Unknown PFDEBUG subcommand '" + string(upToZero(what)) + "'")
	}
}

// toDense makes the value dense; the log hears of it.
func (s *sketch) toDense(key []byte) (changed bool, err error) {
	if s.bytes, changed, err = hll.ToDense(s.bytes); err != nil || !changed {
		return false, err
	}
	s.put(key)
	s.c.Effects.Dirty++
	return true, nil
}

// replyRegisters answers with all registers, and leaves the value dense as Redis
// does.
func (s *sketch) replyRegisters(key []byte) error {
	if _, err := s.toDense(key); err != nil {
		return err
	}
	registers, err := hll.AppendRegisters(slices.Grow([]byte(nil), hll.Registers), s.bytes)
	if err != nil {
		return err
	}
	s.c.Out.Array(len(registers))
	for _, v := range registers {
		s.c.Out.Int(int64(v))
	}
	return nil
}
