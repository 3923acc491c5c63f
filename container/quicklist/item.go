package quicklist

import (
	"dozo/arena"
	"dozo/container/listpack"
)

// item is what is known of a node without looking at it. Blocks of the index have
// items of the same form, so that one loop serves both; there b is the number of
// elements below.
type item struct {
	a uint64 // address in units of 8 bytes, 40 bits | plain, 1 bit | room, 23 bits
	b uint64 // elements, 32 bits | bytes in use, 32 bits
}

const (
	roomBits  = 23
	roomMask  = 1<<roomBits - 1
	plainBit  = 1 << roomBits
	addrShift = roomBits + 1
	refShift  = 3 // a Ref is a multiple of 8

	oneElement = 1 << 32
	sizeMask   = oneElement - 1

	// The room of a block is what UsableSize says: up to 16 KiB a multiple of 8,
	// beyond it of 4096. One is counted from 0, the other from eighthsMax.
	smallRoomMax = 16 << 10
	eighthsMax   = smallRoomMax / 8
	roomPage     = 4 << 10
)

func (it item) ref() arena.Ref { return arena.Ref(it.a >> addrShift << refShift) }
func (it item) plain() bool    { return it.a&plainBit != 0 }
func (it item) count() int     { return int(it.b >> 32) }
func (it item) size() int      { return int(it.b & sizeMask) }

// room is the size of the node's block.
func (it item) room() int {
	c := int(it.a & roomMask)
	if c <= eighthsMax {
		return c * 8
	}
	return (c - eighthsMax) * roomPage
}

// setBlock says that the node is in another block, of room bytes.
func (it *item) setBlock(r arena.Ref, room int) {
	c := uint64(room / 8)
	if room > smallRoomMax {
		c = uint64(room/roomPage + eighthsMax)
	}
	it.a = uint64(r)>>refShift<<addrShift | it.a&plainBit | c
}

// end is the first or the last node. Its listpack need not begin where its block
// does: what is free in front makes room for PushHead.
type end struct {
	item
	lead uint32
}

func (e *end) none() bool { return e.a == 0 }

// bytes is the node's listpack or plain string, in place. Its capacity is the room
// behind it.
func (l *List) bytes(e end) []byte {
	b := l.heap.Arena().Bytes(e.ref(), e.room())
	return b[e.lead : int(e.lead)+e.size()]
}

func (l *List) alloc(n int) arena.Ref {
	l.root.bytes += uint64(arena.UsableSize(n))
	return l.heap.Alloc(arena.PurposeQuicklist, n)
}

func (l *List) free(r arena.Ref, n int) {
	l.root.bytes -= uint64(arena.UsableSize(n))
	l.heap.Free(arena.PurposeQuicklist, r, n)
}

func (l *List) freeNode(it item) { l.free(it.ref(), it.room()) }

// newNode makes a node for n bytes of count elements, to be filled by the caller.
func (l *List) newNode(n, count int) (e end, b []byte) {
	room := arena.UsableSize(n)
	e.setBlock(l.alloc(room), room)
	e.b = uint64(count)<<32 | uint64(n)
	return e, l.bytes(e)
}

func (l *List) newPlain(s []byte) end {
	e, b := l.newNode(len(s), 1)
	copy(b, s)
	e.a |= plainBit
	return e
}

func (l *List) newPacked(s []byte) end {
	el := listpack.String(s)
	e, b := l.newNode(listpack.EmptySize+el.Size(), 1)
	listpack.Append(listpack.AppendEmpty(b[:0]), &el)
	return e
}

// moved puts the node into a block of room bytes, the listpack lead bytes behind
// its start.
func (l *List) moved(e end, room, lead int) end {
	to := e
	to.setBlock(l.alloc(room), room)
	to.lead = uint32(lead)
	copy(l.bytes(to), l.bytes(e))
	l.freeNode(e.item)
	return to
}

// settled is an end node made ready to be an inner one: without a lead, in a block
// no larger than needed.
func (l *List) settled(e end) end {
	if room := arena.UsableSize(e.size()); room != e.room() {
		return l.moved(e, room, 0)
	}
	if e.lead != 0 {
		b := l.heap.Arena().Bytes(e.ref(), e.room())
		copy(b, b[e.lead:int(e.lead)+e.size()])
		e.lead = 0
	}
	return e
}
