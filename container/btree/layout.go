package btree

import (
	"math"
	"unsafe"

	"dozo/arena"
	"dozo/internal/invariants"
)

const (
	leafSize  = 1024
	innerSize = 1024

	headerSize = 8
	scoreSize  = 8
	refSize    = 5 // a Ref divided by 8 fits 40 bits, and so do totals
	refShift   = 3

	leafCap  = (leafSize - headerSize) / (scoreSize + refSize)
	innerCap = (innerSize - headerSize) / (scoreSize + 3*refSize)

	// heightMax: an inner node that is not at an edge has innerCap/3 children or
	// more, so that a tree of this height would not fit the arena's addresses.
	heightMax = 16
)

// kind is what there is to know of all nodes of one sort: how many slots they
// have and where the columns are.
type kind struct {
	size, slots int
	low         int // with fewer slots in use a node looks for one to join
	scant       int // with fewer it takes some of a neighbour's, unless they join
	joint       int // two nodes join when they have no more than this together
	room        int // a neighbour with this much room takes some of a full node's
	columns     []column
}

type column struct{ offset, width int }

const (
	leafRefs    = headerSize + leafCap*scoreSize
	innerRefs   = headerSize + innerCap*scoreSize
	innerNodes  = innerRefs + innerCap*refSize
	innerTotals = innerNodes + innerCap*refSize
)

// kinds are the leaves and the inner nodes. It is never written to.
var kinds = [2]kind{
	makeKind(leafSize, leafCap, column{headerSize, scoreSize}, column{leafRefs, refSize}),
	makeKind(innerSize, innerCap, column{headerSize, scoreSize}, column{innerRefs, refSize},
		column{innerNodes, refSize}, column{innerTotals, refSize}),
}

func makeKind(size, slots int, columns ...column) kind {
	return kind{
		size: size, slots: slots, columns: columns,
		low: slots * 5 / 8, scant: slots / 3, joint: slots * 9 / 10, room: max(2, slots/16),
	}
}

// node is a node at its address: the first two bytes are how many slots are in
// use, the third is its level, which is 0 for a leaf; then the columns.
type node struct{ p unsafe.Pointer }

func (v node) len() int     { return int(*(*uint16)(v.p)) }
func (v node) setLen(n int) { *(*uint16)(v.p) = uint16(n) }
func (v node) level() int   { return int(*(*uint8)(unsafe.Add(v.p, 2))) }
func (v node) isLeaf() bool { return v.level() == 0 }
func (v node) kind() *kind  { return &kinds[min(v.level(), 1)] }

func (v node) init(level int) {
	*(*uint64)(v.p) = 0
	*(*uint8)(unsafe.Add(v.p, 2)) = uint8(level)
}

// word is one of the numbers of 40 bits.
func (v node) word(at int) uint64 {
	p := unsafe.Add(v.p, at)
	return uint64(*(*uint32)(p)) | uint64(*(*uint8)(unsafe.Add(p, 4)))<<32
}

func (v node) setWord(at int, w uint64) {
	p := unsafe.Add(v.p, at)
	*(*uint32)(p) = uint32(w)
	*(*uint8)(unsafe.Add(p, 4)) = uint8(w >> 32)
}

// A score lies in a node as a number of 64 bits that is in the same order. The
// two zeros are neighbours there, and the search takes care of them.
const (
	signBit   = 1 << 63
	plusZero  = signBit
	minusZero = signBit - 1
)

func keyOf(score float64) uint64 {
	b := math.Float64bits(score)
	return b ^ (uint64(int64(b)>>63) | signBit)
}

func scoreOf(key uint64) float64 {
	return math.Float64frombits(key ^ (uint64(int64(^key)>>63) | signBit))
}

// score is that of item i in a leaf, and in an inner node that of the first
// item below child i.
func (v node) score(i int) float64 {
	return scoreOf(*(*uint64)(unsafe.Add(v.p, headerSize+i*scoreSize)))
}

func (v node) setScore(i int, s float64) {
	*(*uint64)(unsafe.Add(v.p, headerSize+i*scoreSize)) = keyOf(s)
}

// refs is where the column of the items' blocks begins.
func (v node) refs() int {
	if v.isLeaf() {
		return leafRefs
	}
	return innerRefs
}

// ref is the block of the item that score is of.
func (v node) ref(i int) arena.Ref { return arena.Ref(v.word(v.refs()+i*refSize)) << refShift }

func (v node) set(i int, score float64, ref arena.Ref) {
	v.setScore(i, score)
	v.setWord(v.refs()+i*refSize, uint64(ref)>>refShift)
}

// child is the block of child i of an inner node.
func (v node) child(i int) arena.Ref { return arena.Ref(v.word(innerNodes+i*refSize)) << refShift }

func (v node) setChild(i int, r arena.Ref) {
	v.setWord(innerNodes+i*refSize, uint64(r)>>refShift)
}

// total is how many items there are below child i.
func (v node) total(i int) int { return int(v.word(innerTotals + i*refSize)) }

func (v node) setTotal(i, n int) { v.setWord(innerTotals+i*refSize, uint64(n)) }

// items is how many items there are in or below the node.
func (v node) items() int {
	n := v.len()
	if v.isLeaf() {
		return n
	}
	sum := 0
	for i := range n {
		sum += v.total(i)
	}
	return sum
}

// move copies n slots from slot j of another node of the same kind, or the same
// node, to slot i.
func (v node) move(i int, from node, j, n int) {
	for _, c := range v.kind().columns {
		to := unsafe.Slice((*byte)(unsafe.Add(v.p, c.offset+i*c.width)), n*c.width)
		copy(to, unsafe.Slice((*byte)(unsafe.Add(from.p, c.offset+j*c.width)), n*c.width))
	}
}

// open makes n slots free at slot i; there must be room.
func (v node) open(i, n int) {
	if invariants.Enabled {
		invariants.Check(i <= v.len() && v.len()+n <= v.kind().slots, "btree: %d slots at %d for a node of %d", n, i, v.len())
	}
	v.move(i+n, v, i, v.len()-i)
	v.setLen(v.len() + n)
}

// cut takes n slots away at slot i.
func (v node) cut(i, n int) {
	if invariants.Enabled {
		invariants.Check(i+n <= v.len(), "btree: %d slots taken at %d from a node of %d", n, i, v.len())
	}
	v.move(i, v, i+n, v.len()-i-n)
	v.setLen(v.len() - n)
}

// pass gives n slots to the neighbour on the right, or with n < 0 takes -n from
// it.
func (v node) pass(right node, n int) {
	switch {
	case n > 0:
		right.open(0, n)
		right.move(0, v, v.len()-n, n)
		v.setLen(v.len() - n)
	case n < 0:
		v.move(v.len(), right, 0, -n)
		v.setLen(v.len() - n)
		right.cut(0, -n)
	}
}
