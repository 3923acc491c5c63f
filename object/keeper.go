package object

import "dozo/container/stream"

// Keeper is told what of a large value is about to change, before it does, so that a
// snapshot that has not come to it can keep it as it is (package snapshot). The Kit of
// the value's Cell has it then; else it has none.
type Keeper interface {
	// Element: an element of a hash, a set or a sorted set is about to come, to change or
	// to go.
	Element(c Cell, name []byte)
	// Splice: of a list, del elements from an index on are about to go, or to change if ins
	// is the same, and ins to come in their place.
	Splice(c Cell, index, del, ins int)
	// Node: the node of a stream that begins with an entry's ID is about to come, to change
	// or to go.
	Node(c Cell, id stream.ID)
	// Bytes: of a string, those from one index up to another are about to change or to go.
	Bytes(c Cell, from, to int)
}

// element tells the keeper, if there is one.
func (c *Cell) element(name []byte) {
	if k := c.Kit.Keeper; k != nil {
		k.Element(*c, name)
	}
}

// bytes tells of a string's bytes. Strings may do without a Kit.
func (c *Cell) bytes(from, to int) {
	if c.Kit != nil && c.Kit.Keeper != nil {
		c.Kit.Keeper.Bytes(*c, from, to)
	}
}

func (c *Cell) splice(index, del, ins int) {
	if k := c.Kit.Keeper; k != nil {
		k.Splice(*c, index, del, ins)
	}
}
