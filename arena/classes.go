package arena

import "math/bits"

const (
	// smallMax is the largest block that comes from a slab.
	smallMax = 16 << 10

	// steppedMax is where the 8-byte steps end and eight classes a doubling begin.
	steppedMax     = 256
	steppedClasses = steppedMax / 8

	numClasses = steppedClasses + 6*8
	// classSlots is numClasses rounded up to a power of two, against bounds checks.
	classSlots = 128

	// pageSize is what sizes beyond smallMax are rounded up to. It is a unit of
	// account: the system's own page may be larger.
	pageSize = 4 << 10
)

// class is what must be known about a size class.
type class struct {
	size     uint32 // bytes of a block
	offMask  uint32 // slab size - 1
	granMask uint32 // granules in a slab - 1
	capacity uint16 // blocks in a slab
	end      uint16 // where carving stops, in units of 8 bytes
}

// classes is the table of size classes: first with the slabs of heaps, then with those
// of their parts (see Heap.class). It is never written to.
var classes = makeClasses()

// classOf is the class that serves n bytes, 1 <= n <= smallMax.
func classOf(n int) int {
	if n <= steppedMax {
		return (n+7)>>3 - 1
	}
	k := bits.Len(uint(n - 1)) // 9 for 257..512
	return (k-9)*8 + steppedClasses + (n-1)>>((k-4)&63)&7
}

// sizeOfClass is the inverse of classOf: the largest size that class c serves.
func sizeOfClass(c int) int {
	if c < steppedClasses {
		return (c + 1) * 8
	}
	c -= steppedClasses
	return (8 + c&7 + 1) << (c>>3 + 5)
}

// slabGranules is how large the slabs for a block size are. The small ones have
// the smallest slab, because each of some hundred heaps may hold a slab of each
// class; the large ones have room for eight blocks at the least.
func slabGranules(size int) int {
	switch {
	case size <= 1<<10:
		return 1
	case size <= 4<<10:
		return 4
	}
	return 8
}

// The lender classes are those of 64, 256 and 1024 bytes.
const (
	lenderTiny  = 7
	lenderSmall = 31
	lenderLarge = 47
)

// lender is the class that serves the first blocks of class c, or c. It has
// slabs of the same size as c, so that Free finds the descriptor all the same.
func lender(c int) int {
	switch {
	case c <= lenderTiny:
		return lenderTiny
	case c <= lenderSmall:
		return lenderSmall
	case c <= lenderLarge:
		return lenderLarge
	}
	return c
}

// partShare is how many times smaller the slabs of parts are, where they can be.
const partShare = 4

func makeClasses() (t [2 * classSlots]class) {
	for c := range numClasses {
		size, granules := sizeOfClass(c), slabGranules(sizeOfClass(c))
		t[c] = makeClass(size, granules)
		t[classSlots+c] = makeClass(size, max(granules/partShare, 1))
	}
	return t
}

func makeClass(size, granules int) class {
	capacity := granules * granuleSize / size
	return class{
		size:     uint32(size),
		offMask:  uint32(granules*granuleSize - 1),
		granMask: uint32(granules - 1),
		capacity: uint16(capacity),
		end:      uint16(capacity * size / 8),
	}
}

// class is what the heap must know of class c.
func (h *Heap) class(c int) *class { return &classes[(c|int(h.layout))&(2*classSlots-1)] }

// UsableSize is the number of bytes that a request for n bytes really gets, and
// the number that the counters count for it. UsableSize(UsableSize(n)) is
// UsableSize(n).
func UsableSize(n int) int {
	if n > smallMax {
		return (n + pageSize - 1) &^ (pageSize - 1)
	}
	return int(classes[classOf(max(n, 1))&(classSlots-1)].size)
}
