package wheel

import (
	"unsafe"

	"dozo/arena"
)

// ring is a circular list of chunks, and the number of their records. Records
// are added to the chunk behind the tail, the head; so the others are full, as
// long as nothing was dropped.
type ring struct {
	tail  arena.Ref
	count int
}

const ringsSize = slots * int(unsafe.Sizeof(ring{}))

// ring is that of a slot; the level gets its rings when it has none yet.
func (w *Wheel) ring(l, s int) *ring {
	v := &w.level[l]
	if v.rings == 0 {
		v.rings = w.alloc(ringsSize)
		clear(w.arena.Bytes(v.rings, ringsSize))
	}
	return (*ring)(unsafe.Add(w.arena.Ptr(v.rings), uintptr(s)*unsafe.Sizeof(ring{})))
}

// chunk is the start of a chunk's block; the records follow.
type chunk struct {
	next  arena.Ref
	start int64 // where the slot begins that the records were added to
	count uint16
	level uint8 // of that slot: tells the unit of the deadlines
	size  uint8 // the block has chunkMin << size bytes
	_     uint32
}

const (
	chunkHeader = int(unsafe.Sizeof(chunk{}))
	chunkMin    = 64
	sizeMax     = 4 // 1 KiB
)

func chunkBytes(size uint8) int { return chunkMin << size }

func chunkRecords(size uint8) int { return (chunkBytes(size) - chunkHeader) / 8 }

func (c *chunk) full() bool { return int(c.count) == chunkRecords(c.size) }

func (c *chunk) word(i int) *uint64 {
	return (*uint64)(unsafe.Add(unsafe.Pointer(c), chunkHeader+i*8))
}

// record is the i-th one, read.
func (c *chunk) record(i int) (hash uint64, deadline int64) {
	v := *c.word(i)
	return v &^ restMask, c.start + int64(v&restMask)<<unit(int(c.level))
}

func (w *Wheel) chunk(r arena.Ref) *chunk { return (*chunk)(w.arena.Ptr(r)) }

// head is the first chunk of a ring that has any.
func (w *Wheel) head(g *ring) (arena.Ref, *chunk) {
	r := w.chunk(g.tail).next
	return r, w.chunk(r)
}

// append adds a record to a ring.
func (w *Wheel) append(g *ring, start int64, level int, hash uint64, rest int64) {
	c := w.roomy(g, start, level)
	*c.word(int(c.count)) = hash&^restMask | uint64(rest)
	c.count++
	g.count++
}

// roomy is the head of the ring if it is for that slot and not full, or else a
// new one. Each is twice as large as the one before it, up to a limit.
func (w *Wheel) roomy(g *ring, start int64, level int) *chunk {
	var size uint8
	if g.tail != 0 {
		_, c := w.head(g)
		if c.start == start && int(c.level) == level {
			if !c.full() {
				return c
			}
			size = min(c.size+1, sizeMax)
		}
	}
	r := w.alloc(chunkBytes(size))
	c := w.chunk(r)
	*c = chunk{start: start, level: uint8(level), size: size}
	if g.tail == 0 {
		c.next = r
		g.tail = r
		return c
	}
	t := w.chunk(g.tail)
	c.next = t.next
	t.next = r
	return c
}

// remove takes the head out of a ring and frees it. It must have no records.
func (w *Wheel) remove(g *ring, head arena.Ref) { w.unlink(g, g.tail, head) }

// unlink takes chunk r, which follows prev, out of a ring and frees it.
func (w *Wheel) unlink(g *ring, prev, r arena.Ref) {
	c := w.chunk(r)
	if prev == r {
		g.tail = 0
	} else {
		w.chunk(prev).next = c.next
		if g.tail == r {
			g.tail = prev
		}
	}
	w.free(r, chunkBytes(c.size))
}

// join puts all that is in from behind what is in g, and leaves from empty.
func (w *Wheel) join(g, from *ring) {
	if g.tail != 0 {
		last, first := w.chunk(g.tail), w.chunk(from.tail)
		last.next, first.next = first.next, last.next
	}
	g.tail = from.tail
	g.count += from.count
	*from = ring{}
}

// loosen makes the records of a slot loose.
func (w *Wheel) loosen(l, s int) {
	g := w.ring(l, s)
	v := &w.level[l]
	v.occupied &^= 1 << s
	v.count -= g.count
	w.join(&w.loose, g)
	if w.sweep.level == l && w.sweep.slot == s {
		w.sweep.prev = 0
	}
}

func (w *Wheel) freeRing(g *ring) {
	for g.tail != 0 {
		r, _ := w.head(g)
		w.remove(g, r)
	}
	g.count = 0
}

func (w *Wheel) alloc(n int) arena.Ref {
	w.bytes += int64(arena.UsableSize(n))
	return w.heap.Alloc(arena.PurposeExpiry, n)
}

func (w *Wheel) free(r arena.Ref, n int) {
	w.bytes -= int64(arena.UsableSize(n))
	w.heap.Free(arena.PurposeExpiry, r, n)
}
