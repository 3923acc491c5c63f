package hashtable

import (
	"unsafe"

	"dozo/arena"
)

const (
	lineSize   = 64
	lineSlots  = 8 // words in a line, so slots in a bucket
	stashSlots = 6

	tagBits  = 24
	refShift = 3 // a Ref is a multiple of 8
	refBits  = 64 - tagBits
	refMask  = 1<<refBits - 1

	homeBits = 16 // bits of the hash that choose the bucket
	lagMax   = tagBits - homeBits
	depthMax = 32

	maxLines   = 64
	maxBuckets = maxLines - 1
)

// word is a slot: the tag above, the Ref divided by 8 below. 0 is an empty one.
type word = uint64

func wordOf(hash uint64, base uint, ref arena.Ref) word {
	return hash<<(base&63)&^refMask | uint64(ref)>>refShift
}

func refOf(w word) arena.Ref { return arena.Ref(w&refMask) << refShift }

// seg is a directory word: where a segment is and all that a look-up must know
// of it. 0 is no segment.
//
//	bits 24-63 Ref / 8   bits 16-23 buckets   bits 8-15 depth   bits 0-7 base
type seg uint64

func segOf(ref arena.Ref, buckets, depth, base uint) seg {
	return seg(uint64(ref)>>refShift<<tagBits | uint64(buckets)<<16 | uint64(depth)<<8 | uint64(base))
}

func (s seg) ref() arena.Ref { return arena.Ref(s>>tagBits) << refShift }
func (s seg) buckets() uint  { return uint(s>>16) & 0xff }
func (s seg) lines() uint    { return s.buckets() + 1 }
func (s seg) depth() uint    { return uint(s>>8) & 63 }
func (s seg) base() uint     { return uint(s) & 63 }

// lag is how many bits of the tags belong to the prefix.
func (s seg) lag() uint { return (s.depth() - s.base()) & 63 }

// slots is how many entries the segment has room for, its chain apart.
func (s seg) slots() uint { return s.lines()*lineSlots - (lineSlots - stashSlots) }

// home is the bucket where an entry with this hash belongs.
func (s seg) home(hash uint64) uint {
	return uint(hash<<s.depth()>>(64-homeBits)) * s.buckets() >> homeBits
}

// homeOf is home of an entry in this segment, told from its tag.
func (s seg) homeOf(w word) uint {
	return uint(w<<s.lag()>>(64-homeBits)) * s.buckets() >> homeBits
}

// after is the bucket that takes what bucket b has no room for.
func (s seg) after(b uint) uint {
	if b++; b < s.buckets() {
		return b
	}
	return 0
}

// before is the bucket that after leads to b from.
func (s seg) before(b uint) uint {
	if b == 0 {
		return s.buckets() - 1
	}
	return b - 1
}

// start is the first hash of the segment that pos lies in.
func (s seg) start(pos uint64) uint64 { return pos &^ (^uint64(0) >> s.depth()) }

// startOf is the first hash whose home is bucket b, in the segment that pos
// lies in. For b = buckets() it is the first beyond the segment, which is 0 for
// the last one.
func (s seg) startOf(pos uint64, b uint) uint64 {
	n := uint64(s.buckets())
	at := (uint64(b)<<homeBits + n - 1) / n // 2^homeBits at the most
	return s.start(pos) + at<<(64-homeBits-s.depth())
}

// bucket is one line of slots, filled from the front.
type bucket [lineSlots]word

func (b *bucket) full() bool { return b[lineSlots-1] != 0 }

// push puts w behind the others; there must be room.
func (b *bucket) push(w word) {
	i := 0
	if b[3] != 0 {
		i = 4
	}
	if b[i+1] != 0 {
		i += 2
	}
	if b[i&7] != 0 {
		i++
	}
	b[i&7] = w
}

// remove closes the gap at slot i with the last entry.
func (b *bucket) remove(i int) {
	last := lineSlots - 1
	for b[last] == 0 {
		last--
	}
	b[i] = b[last]
	b[last] = 0
}

// match has bit i set where slot i has the tag of w. There is no branch in it
// to be foretold wrongly, and it is unrolled by hand.
func (b *bucket) match(w word) uint {
	return same(b[0], w) | same(b[1], w)<<1 | same(b[2], w)<<2 | same(b[3], w)<<3 |
		same(b[4], w)<<4 | same(b[5], w)<<5 | same(b[6], w)<<6 | same(b[7], w)<<7
}

// same is 1 when two words have one tag, else 0.
func same(v, w word) uint { return uint(((v^w)>>refBits - 1) >> 63) }

// header is the first line of a segment.
type header struct {
	homes uint64 // bit b: an entry of home b is in the stash or the chain
	meta  uint64 // bits 24-63 chain, Ref / 8; bits 8-23 entries but those in the chain; bits 0-7 those in the stash
	stash [stashSlots]word
}

const metaOne = 1 << 8 // one entry

func (h *header) chain() arena.Ref     { return arena.Ref(h.meta>>tagBits) << refShift }
func (h *header) setChain(r arena.Ref) { h.meta = h.meta&(1<<tagBits-1) | uint64(r)>>refShift<<tagBits }
func (h *header) count() uint          { return uint(h.meta>>8) & 0xffff }
func (h *header) stashed() uint        { return uint(h.meta) & 0xff }

// segment is a segment at its address.
type segment struct {
	seg
	p unsafe.Pointer
}

func (s segment) header() *header { return (*header)(s.p) }

func (s segment) bucket(b uint) *bucket {
	return (*bucket)(unsafe.Add(s.p, (b+1)*lineSize))
}

// words is every slot there is but those of the chain: stash, then buckets.
func (s segment) words() []word {
	return unsafe.Slice((*word)(unsafe.Add(s.p, lineSize-stashSlots*8)), s.slots())
}
