// Package object is the values: what a key can hold, in which encodings, and
// the operations on them. It knows blocks and bytes, not databases, clients or
// time; commands, the RDB codec and replication all work through it.
//
// A value lives in its key's entry when it is small, and in a block of its own
// when it is not. An operation that makes a value outgrow its block moves it and
// tells the table through the Cell, so callers hold a Cell and never a Ref.
//
// Invariants: a Cell is valid while the shard of its key is held and until the
// key is deleted or another key of the same database is inserted or deleted.
package object

import (
	"math"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/container/hashtable"
)

// Type is what a key holds. The numbers are stored in entries.
type Type uint8

// The types, with Redis' numbers.
const (
	String Type = 0
	List   Type = 1
	Set    Type = 2
	ZSet   Type = 3
	Hash   Type = 4
	Stream Type = 6
)

var typeNames = [...]string{"string", "list", "set", "zset", "hash", "module", "stream"}

// String is the answer of TYPE.
func (t Type) String() string { return typeNames[t] }

// ParseType finds a type by its name, in any case.
func ParseType(name string) (Type, bool) {
	for i, n := range typeNames {
		if n == name {
			return Type(i), true
		}
	}
	return 0, false
}

// Encoding is how a value is stored, in the terms that OBJECT ENCODING reports.
type Encoding uint8

// The encodings. The numbers are stored in entries.
const (
	EncRaw Encoding = iota
	EncInt
	EncEmbstr
	EncListpack
	EncQuicklist
	EncIntset
	EncHashtable
	EncSkiplist
	EncStream
	// EncListpackEx and EncHashtableEx are hashes with fields that have deadlines.
	EncListpackEx
	EncHashtableEx
)

var encodingNames = [...]string{
	"raw", "int", "embstr", "listpack", "quicklist", "intset", "hashtable", "skiplist", "stream",
	"listpackex", "hashtable",
}

// isLarge tells encodings whose elements have blocks of their own.
func (e Encoding) isLarge() bool {
	return e == EncQuicklist || e == EncHashtable || e == EncSkiplist || e == EncStream || e == EncHashtableEx
}

// String is the answer of OBJECT ENCODING.
func (e Encoding) String() string { return encodingNames[e] }

// Kit is what values need of the store that they are in.
type Kit struct {
	// Hash is the hash of members and fields in the tables of large values. It must
	// be keyed with a secret.
	Hash hashtable.Hash
	// Keeper hears of changes inside a value that a snapshot is writing down; nil: none
	// is.
	Keeper Keeper
	// PartDivisor, if not 0, divides the bounds from which on values have parts of the
	// heap (see own.go), so that tests meet many of them.
	PartDivisor int
}

// Limits are where values of each type change their encodings.
type Limits struct {
	Set    SetLimits
	Hash   HashLimits
	ZSet   ZSetLimits
	List   ListLimits
	Stream StreamLimits
}

// Place is where a new value is to be: the heap of its key's shard, and what goes
// in the key's entry.
type Place struct {
	Heap *arena.Heap
	Kit  *Kit
	Key  []byte
	Attrs
}

// Cell is a value in its place: the entry that holds it, the table's slot that
// points at the entry, and the heap that both came from.
type Cell struct {
	Heap  *arena.Heap
	Slot  hashtable.Slot
	Entry entry.Entry
	Kit   *Kit
}

// purposeOf is what the block of a value outside its entry is for.
func purposeOf(e entry.Entry) arena.Purpose {
	switch Encoding(e.Encoding()) {
	case EncListpack, EncListpackEx:
		return arena.PurposeListpack
	case EncIntset:
		return arena.PurposeIntset
	}
	return arena.PurposeValue
}

func (c *Cell) purpose() arena.Purpose { return purposeOf(c.Entry) }

// Ok tells whether the cell holds anything.
func (c *Cell) Ok() bool { return c.Entry.Valid() }

// Type is the type of the value.
func (c *Cell) Type() Type { return Type(c.Entry.Type()) }

// Encoding is the encoding of the value.
func (c *Cell) Encoding() Encoding { return Encoding(c.Entry.Encoding()) }

// Reshape gives the entry a new shape. Its key stays, and so do the first bytes
// of its payload, as many as both shapes have. The block moves when its size
// class changes, and then the table's slot follows.
func (c *Cell) Reshape(s entry.Shape) {
	alike := c.Entry.HasDeadline() == (s.Deadline != 0)
	if alike && c.Entry.PayloadLen() == s.Payload {
		c.Entry.Restate(s) // of the very same size
		return
	}
	a := c.Heap.Arena()
	key := c.Entry.Key()
	old := c.Entry.Size()
	size := entry.SizeFor(len(key), s)
	if alike && arena.UsableSize(size) == arena.UsableSize(old) {
		c.Entry.Restate(s)
		return
	}
	ref := c.Heap.Alloc(arena.PurposeEntry, size)
	moved := entry.Init(a, ref, key, s)
	copy(moved.Payload(), c.Entry.Payload())
	c.Heap.Free(arena.PurposeEntry, c.Slot.Ref(), old)
	c.Slot.SetRef(ref)
	c.Entry = moved
}

// SetDeadline changes when the key dies: milliseconds since the epoch, 0 =
// never.
func (c *Cell) SetDeadline(ms int64) {
	if ms != 0 && c.Entry.HasDeadline() {
		c.Entry.SetDeadline(ms)
		return
	}
	if ms == 0 && !c.Entry.HasDeadline() {
		return
	}
	s := c.Entry.Shape()
	s.Deadline = ms
	c.Reshape(s)
}

// Free gives back the entry at ref with everything that its value owns, but for
// what is left in the grave of a large one.
func Free(h *arena.Heap, ref arena.Ref) Grave {
	e := entry.At(h.Arena(), ref)
	g := freeValue(h, e)
	h.Free(arena.PurposeEntry, ref, e.Size())
	return g
}

// freeValue gives back what the value owns outside its entry.
func freeValue(h *arena.Heap, e entry.Entry) (g Grave) {
	switch {
	case e.IsOutside():
		o := e.Outside()
		h.Free(purposeOf(e), o.Ref, o.Cap)
	case Encoding(e.Encoding()).isLarge():
		if g = graveOf(h, e); g.atOnce() {
			g.FreeSome(h, math.MaxInt)
		}
	}
	return g
}

// MemoryUsage is the number of bytes that the arena spends on the entry and its
// value, size classes included; the table's slot comes on top. Of a large
// collection as many elements are measured as samples says, and the others taken to
// be like them; 0 = all. One that has a part of the heap takes what that takes.
func (c *Cell) MemoryUsage(samples int) int {
	n := arena.UsableSize(c.Entry.Size())
	switch {
	case c.Entry.IsOutside():
		n += arena.UsableSize(c.Entry.Outside().Cap)
	case c.Encoding().isLarge() && partOf(c.Entry) != 0:
		n += partUsage(c.Heap, partOf(c.Entry))
	case c.Encoding() == EncHashtable:
		n += c.tableUsage(samples)
	case c.Encoding() == EncSkiplist:
		n += ZSetValue{c}.usage(samples)
	case c.Encoding() == EncQuicklist:
		n += int(listRoot(c.Entry).Bytes())
	case c.Encoding() == EncHashtableEx:
		d := datesOf(c.Entry)
		n += c.tableUsage(samples) + int(d.tree.Bytes())
	case c.Encoding() == EncStream:
		s := StreamValue{c}.Open()
		n += int(s.Bytes())
	}
	return n
}

// Copy makes an independent entry under another key, with the given deadline,
// in another heap or the same one. The caller inserts it in a table.
func Copy(from *Cell, to *arena.Heap, key []byte, deadline int64) arena.Ref {
	s := from.Entry.Shape()
	s.Deadline = deadline
	ref := to.Alloc(arena.PurposeEntry, entry.SizeFor(len(key), s))
	e := entry.Init(to.Arena(), ref, key, s)
	switch {
	case from.Entry.IsOutside():
		o := from.Entry.Outside()
		b := to.Alloc(purposeOf(e), o.Cap)
		copy(to.Arena().Bytes(b, o.Len), from.Heap.Arena().Bytes(o.Ref, o.Len))
		o.Ref = b
		e.SetOutside(o)
	case from.Encoding().isLarge():
		clear(e.Payload())
		if partOf(from.Entry) != 0 {
			putPart(e, to.NewPart())
		}
		copyInside(from, &Cell{Heap: to, Entry: e, Kit: from.Kit}, false)
	default:
		copy(e.Payload(), from.Entry.Payload())
	}
	return ref
}

// Move is Copy for a value that is about to be deleted under its old key: a large
// one changes hands instead of being copied. What is left of the old entry is
// good for nothing but Free.
func Move(from *Cell, to *arena.Heap, key []byte, deadline int64) arena.Ref {
	large := from.Encoding().isLarge()
	if !large && !from.Entry.IsOutside() {
		return Copy(from, to, key, deadline)
	}
	if o := from.Entry.Outside; !large && !to.Adopt(from.Heap, from.purpose(), o().Ref, o().Cap) {
		return Copy(from, to, key, deadline)
	}
	s := from.Entry.Shape()
	s.Deadline = deadline
	ref := to.Alloc(arena.PurposeEntry, entry.SizeFor(len(key), s))
	e := entry.Init(to.Arena(), ref, key, s)
	copy(e.Payload(), from.Entry.Payload())
	switch {
	case !large:
		from.Entry.DropOutside()
		return ref
	case to == from.Heap:
	case partOf(e) != 0:
		takePart(e, to, from.Heap)
	default: // small enough to be copied
		clear(e.Payload())
		copyInside(from, &Cell{Heap: to, Entry: e, Kit: from.Kit}, true)
		return ref
	}
	clear(from.Entry.Payload()) // the root of an empty value
	return ref
}
