package command

import (
	"encoding/binary"

	"dozo/text"
)

// nameMax bounds the names that are looked up; longer ones are unknown.
const nameMax = 32

// nameKey is a name as lookups compare it: its letters without their case in two
// machine words, and its length.
//
// Setting the bit 0x20 everywhere takes the case from letters, but it also makes
// two bytes of some pairs of other bytes. Up to sixteen bytes the key holds the
// whole name, so a name of letters only is equal to another when their keys are:
// of the bytes that become a letter both are that letter. Names with other
// bytes, and longer ones, are compared byte by byte as well (see exact).
type nameKey struct {
	a, b uint64
	n    uint8
}

const foldAll = 0x2020202020202020

// keyOf makes the key of a name of 1 to nameMax bytes. Loads overlap where the
// name is no multiple of them, so that none is done bytewise and none goes past
// the end.
func keyOf(name []byte) nameKey {
	n := len(name)
	k := nameKey{n: uint8(n)}
	switch {
	case n >= 8:
		k.a = binary.LittleEndian.Uint64(name) | foldAll
		k.b = binary.LittleEndian.Uint64(name[n-8:]) | foldAll
	case n >= 4:
		k.a = uint64(binary.LittleEndian.Uint32(name)) | uint64(binary.LittleEndian.Uint32(name[n-4:]))<<32 | foldAll
	case n > 0:
		k.a = uint64(name[0]) | uint64(name[n>>1])<<8 | uint64(name[n-1])<<16 | foldAll
	}
	return k
}

// whole tells whether the key of name says all about it.
func whole(name string) bool {
	for i := range len(name) {
		if c := text.Lower(name[i]); c < 'a' || c > 'z' {
			return false
		}
	}
	return len(name) <= 16
}

// nameIndex finds commands by their names: open addressing in a table that is at
// least three quarters empty, with the multiplier of the hash chosen so that
// nearly every name sits where it is first looked for.
type nameIndex struct {
	slots []*Command // a power of two
	mul   uint64
	shift uint8
}

func (x *nameIndex) home(k nameKey) uint64 { return (k.a ^ k.b*3) * x.mul >> x.shift }

// find returns the command of this name, in any case, or nil.
func (x *nameIndex) find(name []byte) *Command {
	if uint(len(name)-1) >= nameMax { // empty or too long
		return nil
	}
	k := keyOf(name)
	mask := uint64(len(x.slots) - 1)
	for i := x.home(k); ; i++ {
		c := x.slots[i&mask]
		if c == nil || c.key == k && (c.exact || text.EqualFold(c.Name, name)) {
			return c
		}
	}
}

// newNameIndex indexes commands by the names of their rows. Of several hash
// functions it takes the one with the fewest collisions; it is the same each
// time.
func newNameIndex(list []*Command) nameIndex {
	const tries = 64
	bits := uint8(1)
	for 1<<bits < 4*len(list) {
		bits++
	}
	var best nameIndex
	fewest := -1
	mul := uint64(0x9e3779b97f4a7c15)
	for range tries {
		x := nameIndex{slots: make([]*Command, 1<<bits), mul: mul, shift: 64 - bits}
		if n := x.fill(list); fewest < 0 || n < fewest {
			best, fewest = x, n
		}
		mul = mul*0x5851f42d4c957f2d + 0x14057b7ef767814e // stays odd
	}
	return best
}

// fill puts commands in their slots and tells how far from home they are, taken
// together.
func (x *nameIndex) fill(list []*Command) (moved int) {
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
