package command

import (
	"encoding/binary"
	"slices"

	"dozo/text"
)

// nameMax bounds the names of commands, lookupMax those that are looked up: longer
// ones are unknown. The difference is for commands that were given another name.
const (
	nameMax   = 32
	lookupMax = inexact - 1
)

// nameKey is a name as lookups compare it: its letters without their case in two
// machine words, and its length.
//
// Setting the bit 0x20 everywhere takes the case from letters, but it also makes
// one byte of some pairs of other bytes. Up to sixteen bytes the words hold the
// whole name, so a name of letters only is equal to another when their keys are:
// both bytes that become a letter are that letter. Names with other bytes in
// them and longer ones (EVAL_RO, GEORADIUSBYMEMBER) are inexact: their commands
// keep a length that no name has, and are compared byte by byte.
type nameKey struct{ a, b, n uint64 }

const (
	foldAll = 0x2020202020202020
	inexact = 1 << 8
)

// keyOf makes the key of a name of 1 to lookupMax bytes. The loads overlap where the
// name is no multiple of them, so that few suffice and none goes past the end.
func keyOf(name []byte) nameKey {
	switch n := len(name); {
	case n >= 8:
		return longKey(name)
	case n >= 4:
		return middleKey(name)
	}
	return shortKey(name)
}

func longKey(name []byte) nameKey {
	n := len(name)
	return nameKey{binary.LittleEndian.Uint64(name) | foldAll, binary.LittleEndian.Uint64(name[n-8:]) | foldAll, uint64(n)}
}

func middleKey(name []byte) nameKey {
	n := len(name)
	low, high := binary.LittleEndian.Uint32(name), binary.LittleEndian.Uint32(name[n-4:])
	return nameKey{uint64(low) | uint64(high)<<32 | foldAll, foldAll, uint64(n)}
}

func shortKey(name []byte) nameKey {
	n := len(name)
	return nameKey{uint64(name[0]) | uint64(name[n>>1])<<8 | uint64(name[n-1])<<16 | foldAll, foldAll, uint64(n)}
}

// commandKey is the key of a command's own name, which is upper case.
func commandKey(name string) nameKey {
	if name == "" {
		return nameKey{}
	}
	k := keyOf([]byte(name))
	for i := range len(name) {
		if name[i] < 'A' || name[i] > 'Z' || len(name) > 16 {
			k.n = inexact
		}
	}
	return k
}

// nameIndex finds commands by their names: open addressing in a table that is at
// least seven eighths empty, with the multiplier of the hash chosen so that
// nearly every name sits where it is first looked for.
type nameIndex struct {
	slots []*Command // a power of two
	mul   uint64
}

// home is where a name is first looked for, to be taken modulo the slots.
func (x *nameIndex) home(k nameKey) uint64 { return (k.a ^ k.b<<1) * x.mul >> 40 }

// find returns the command of this name, in any case, or nil. It runs once a
// command: three or four loads of the name, one of the slot, and the compare.
func (x *nameIndex) find(name []byte) *Command {
	if uint(len(name)-1) >= lookupMax { // empty or too long
		return nil
	}
	var k nameKey
	switch n := len(name); { // keyOf, in line
	case n >= 8:
		k = longKey(name)
	case n >= 4:
		k = middleKey(name)
	default:
		k = shortKey(name)
	}
	i := x.home(k)
	if c := x.slots[i&uint64(len(x.slots)-1)]; c == nil || c.key == k {
		return c
	}
	return x.probe(k, i, name)
}

// probe is find from slot i on, for all names.
func (x *nameIndex) probe(k nameKey, i uint64, name []byte) *Command {
	mask := uint64(len(x.slots) - 1)
	for ; ; i++ {
		c := x.slots[i&mask]
		if c == nil || c.key == k || c.key.n == inexact && text.EqualFold(c.called, name) {
			return c
		}
	}
}

// newNameIndex indexes commands by the names of their rows. Of several hash
// functions it takes the one with the fewest collisions; it is the same each
// time. What collides nevertheless is the longer name, which is the rarer command.
func newNameIndex(list []*Command) nameIndex {
	const tries = 64
	n := 2
	for n < 8*len(list) {
		n *= 2
	}
	list = slices.SortedStableFunc(slices.Values(list), func(a, b *Command) int { return len(a.called) - len(b.called) })
	best, fewest := uint64(0), len(list)*n
	x := nameIndex{slots: make([]*Command, n), mul: 0x9e3779b97f4a7c15}
	for range tries {
		if moved := x.fill(list); moved < fewest {
			best, fewest = x.mul, moved
		}
		x.mul = x.mul*0x5851f42d4c957f2d + 0x14057b7ef767814e // stays odd
	}
	x.mul = best
	x.fill(list)
	return x
}

// fill puts commands in their slots and tells how far from home they are, taken
// together.
func (x *nameIndex) fill(list []*Command) (moved int) {
	clear(x.slots)
	mask := uint64(len(x.slots) - 1)
	for _, c := range list {
		i := x.home(c.key)
		for ; x.slots[i&mask] != nil; i++ {
			moved++
		}
		x.slots[i&mask] = c
	}
	return moved
}
