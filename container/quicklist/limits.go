package quicklist

import (
	"math"

	"dozo/container/listpack"
)

const (
	// FillDefault is the default of list-max-listpack-size: 8 KiB.
	FillDefault = -2
	// FillMin and FillMax bound the fill of a list; beyond them the nearest counts.
	FillMin = -5
	// FillMax is the most elements that may be asked for.
	FillMax = 1<<15 - 1
	// PlainFromDefault is the size from which on an element has a plain node.
	PlainFromDefault = 1 << 30
	// PlainFromMax is the highest that Redis accepts in its place.
	PlainFromMax = 1<<32 - 1<<20

	// countedSizeMax is the most bytes in a node whose elements are counted.
	countedSizeMax = 8 << 10
	// elementOverhead is what an element is taken to need beside its text.
	elementOverhead = 8
	// packedMax is the longest element for which a listpack has room.
	packedMax = listpack.SizeMax - 32
)

// clampFill brings a fill into the range that there is.
func clampFill(fill int) int { return min(max(fill, FillMin), FillMax) }

// NodeLimit says how large a node may be by list-max-listpack-size: so many bytes if
// fill is negative, else so many elements. What has no limit is math.MaxInt.
func NodeLimit(fill int) (size, count int) {
	if fill = clampFill(fill); fill >= 0 {
		return math.MaxInt, max(fill, 1)
	}
	return 2 << 10 << uint(-fill), math.MaxInt
}

// Exceeds reports that a node of this size and count would be too large. It is also
// what decides that a list which is one listpack becomes a quicklist; size is then
// that of the listpack and of what will be added, as text.
func Exceeds(fill, size, count int) bool { return limitsOf(fill).exceeded(size, count) }

// limits are those of NodeLimit, or where elements are counted also one on bytes.
type limits struct{ size, count int }

func (l *List) limits() limits { return limitsOf(l.root.top.fill()) }

func limitsOf(fill int) limits {
	size, count := NodeLimit(fill)
	if size == math.MaxInt {
		size = countedSizeMax
	}
	return limits{size, count}
}

func (m limits) exceeded(size, count int) bool { return size > m.size || count > m.count }

// large reports that an element of n bytes has a plain node.
func (l *List) large(n int) bool { return n >= l.plainFrom || n > packedMax }

// accepts reports that an element of n bytes may be added to the node.
func (l *List) accepts(it item, n int) bool {
	return !it.plain() && !l.large(n) && !l.limits().exceeded(it.size()+n+elementOverhead, it.count()+1)
}

// mayMerge reports that two nodes may become one.
func (l *List) mayMerge(a, b item) bool {
	return !a.plain() && !b.plain() && !l.limits().exceeded(a.size()+b.size()-l.mergeSaves, a.count()+b.count())
}
