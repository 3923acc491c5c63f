package stream

import (
	"math/bits"
	"unsafe"

	"dozo/arena"
	"dozo/container/listpack"
	"dozo/text"
)

const purpose = arena.PurposeStream

// space is where the blocks of a stream, or of one of its groups, come from, and
// who counts them.
type space struct {
	heap  *arena.Heap
	arena *arena.Arena
	used  *int64
}

func (s *space) alloc(n int) arena.Ref {
	*s.used += int64(arena.UsableSize(n))
	return s.heap.Alloc(purpose, n)
}

func (s *space) free(r arena.Ref, n int) {
	*s.used -= int64(arena.UsableSize(n))
	s.heap.Free(purpose, r, n)
}

// move puts the n bytes at r elsewhere.
func (s *space) move(r arena.Ref, n int) arena.Ref {
	to := s.heap.Alloc(purpose, n)
	copy(s.arena.Bytes(to, n), s.arena.Bytes(r, n))
	s.heap.Free(purpose, r, n)
	return to
}

// Flags of an entry.
const (
	flagDeleted    = 1
	flagSameFields = 2
)

const (
	// elementMax is by how much an element may be longer than its string: the head
	// of a long one and the size behind it.
	elementMax = 10
	// fixedElements are those of an entry besides fields and values, those of the
	// master entry, and count and size of the listpack, all rounded up.
	fixedElements = 12

	// smallNode is up to where the arena's size classes are the steps of growth.
	smallNode = 16 << 10
	// growthBits: beyond it, eight steps to a doubling.
	growthBits = 4
)

// nodeBlock is the size of the block of a node of n bytes. It is known from n, so
// that nobody has to write it down, and grows by an eighth, so that adding to a node
// copies each byte a bounded number of times.
func nodeBlock(n int) int {
	if n <= smallNode {
		return arena.UsableSize(n)
	}
	step := 1 << (bits.Len(uint(n-1)) - growthBits)
	return (n + step - 1) &^ (step - 1)
}

// node is the listpack at r, with its block for capacity.
func (s *space) node(r arena.Ref) []byte {
	p := s.arena.Ptr(r)
	n := listpack.TotalSize(unsafe.Slice((*byte)(p), listpack.EmptySize))
	return unsafe.Slice((*byte)(p), nodeBlock(n))[:n]
}

func (s *space) freeNode(r arena.Ref) { s.free(r, nodeBlock(len(s.node(r)))) }

// writer changes a node. Its index pair is told of the block in the end. (The space
// is a copy: a pointer to it would have the compiler take Streams from Go's heap.)
type writer struct {
	space
	at *pair
	r  arena.Ref
	b  []byte
}

func (s *space) edit(at *pair) writer {
	r := arena.Ref(at.value)
	return writer{*s, at, r, s.node(r)}
}

// newNode is a writer of a new empty listpack in a block for n bytes.
func (s *space) newNode(at *pair, n int) writer {
	n = nodeBlock(n)
	r := s.alloc(n)
	return writer{*s, at, r, listpack.AppendEmpty(s.arena.Bytes(r, n)[:0])}
}

// done makes the block the size that follows from the node's.
func (w *writer) done() {
	if n := nodeBlock(len(w.b)); n != cap(w.b) {
		w.resize(n)
	}
	w.at.value = uint64(w.r)
}

func (w *writer) resize(n int) {
	old := cap(w.b)
	*w.used += int64(arena.UsableSize(n) - arena.UsableSize(old))
	w.r = w.heap.Realloc(purpose, w.r, old, n)
	w.b = w.arena.Bytes(w.r, n)[:len(w.b)]
}

func (w *writer) room(n int) {
	if len(w.b)+n > cap(w.b) {
		w.resize(nodeBlock(len(w.b) + n))
	}
}

func (w *writer) add(e *listpack.Element) {
	w.room(e.Size())
	w.b = listpack.Append(w.b, e)
}

// addInts adds three integers, at once if they are small.
func (w *writer) addInts(v0, v1, v2 int64) {
	if uint64(v0|v1|v2) <= listpack.SmallMax {
		w.room(3 * 2)
		w.b = listpack.AppendSmall(w.b, byte(v0), byte(v1), byte(v2))
		return
	}
	w.addInt(v0)
	w.addInt(v1)
	w.addInt(v2)
}

func (w *writer) addInt(v int64) {
	if uint64(v) <= listpack.SmallMax {
		w.room(2)
		w.b = listpack.AppendSmall(w.b, byte(v))
		return
	}
	e := listpack.Int(v)
	w.add(&e)
}

func (w *writer) addString(v []byte) {
	e := listpack.String(v)
	w.add(&e)
}

// setInt replaces the integer at p. Small ones, which most are, take one byte.
func (w *writer) setInt(p int, v int64) {
	if v >= 0 && v <= listpack.SmallMax && w.b[p] <= listpack.SmallMax {
		w.b[p] = byte(v)
		return
	}
	e := listpack.Int(v)
	w.room(e.Size())
	w.b = listpack.Replace(w.b, p, &e)
}

// count changes the numbers of live and of deleted entries in the master entry.
func (w *writer) count(live, deleted int64) {
	p := listpack.First(w.b)
	w.setInt(p, live)
	w.setInt(listpack.Next(w.b, p), deleted)
}

// asInt is an element that is a number. Foreign bytes may have it as a string.
func asInt(v listpack.Value) (n int64, ok bool) {
	if v.IsInt() {
		return v.Int, true
	}
	return text.ParseInt(v.Str)
}

// endMark is what stands behind the last element.
const endMark = 0xff

// readInt reads the number at p and finds the next element, of which there must be
// one. Small numbers, which nearly all are, take a byte and one for their size.
func readInt(b []byte, p int) (v int64, next int) {
	if c := b[p]; c <= listpack.SmallMax {
		return int64(c), p + 2
	}
	return readWide(b, p)
}

func readWide(b []byte, p int) (v int64, next int) {
	e, next := listpack.Read(b, p)
	v, _ = asInt(e)
	return v, next
}

// skip is the element n elements behind p; 0 behind the last.
func skip(b []byte, p int, n int64) int {
	for ; n > 0; n-- {
		p = listpack.Next(b, p)
	}
	return p
}

// behind is the entry behind the one of which n elements and the closing number are
// left at p; 0 if it is the last.
func behind(b []byte, p int, n int64) int {
	p = skip(b, p, n)
	if b[p] > listpack.SmallMax {
		return listpack.Next(b, p)
	}
	if p += 2; b[p] != endMark {
		return p
	}
	return 0
}

// back is the element n elements before p. The byte before an element is the size
// of the one in front of it, unless that is long.
func back(b []byte, p int, n int64) int {
	for ; n > 0; n-- {
		if c := int(b[p-1]); c <= listpack.SmallMax {
			p -= c + 1
		} else {
			p = listpack.Prev(b, p)
		}
	}
	return p
}

// master is what the first entry of a node says.
type master struct {
	live, deleted int64
	fields        int64
	names         int // where the first field name is, or with no fields what is behind
}

func readMaster(b []byte) (m master) {
	p := listpack.First(b)
	m.live, p = readInt(b, p)
	m.deleted, p = readInt(b, p)
	m.fields, m.names = readInt(b, p)
	return m
}

// first is the first entry of the node: it comes behind the names and a zero.
func (m *master) first(b []byte) int { return behind(b, m.names, m.fields) }

// record is an entry of a node, read up to its fields.
type record struct {
	flags  int64
	id     ID
	fields int64 // pairs of field and value
	flagAt int
	data   int // the first field, or the first value if the fields are the master's
}

func (e *record) deleted() bool { return e.flags&flagDeleted != 0 }

func (e *record) same() bool { return e.flags&flagSameFields != 0 }

// elements is how many there are from data on, without the number of elements that
// closes the record.
func (e *record) elements() int64 {
	if e.same() {
		return e.fields
	}
	return e.fields * 2
}

// readRecord reads the entry at p of a node.
func readRecord(b []byte, p int, id ID, m *master) (e record) {
	var ms, seq int64
	e.flagAt = p
	e.flags, p = readInt(b, p)
	ms, p = readInt(b, p)
	seq, p = readInt(b, p)
	e.id = id.plus(ms, seq)
	e.fields = m.fields
	if !e.same() {
		e.fields, p = readInt(b, p)
	}
	e.data = p
	return e
}

// lastInNode is the ID of the last entry, deleted or not.
func lastInNode(b []byte, id ID, m *master) ID {
	p := lastRecord(b, listpack.Last(b))
	if p == 0 {
		return ID{}
	}
	e := readRecord(b, p, id, m)
	return e.id
}

// lastRecord is where the entry begins whose closing number is at p; 0 if p is the
// zero of the master entry.
func lastRecord(b []byte, p int) int {
	n := int64(b[p])
	if n > listpack.SmallMax {
		n, _ = readWide(b, p)
	}
	if n == 0 {
		return 0
	}
	return back(b, p, n)
}

// seek is the first entry of the node that is not before start; 0 if there is none.
func (m *master) seek(b []byte, id, start ID) int {
	for p := m.first(b); p != 0; {
		flags, q := readInt(b, p)
		ms, q := readInt(b, q)
		seq, q := readInt(b, q)
		if !id.plus(ms, seq).Less(start) {
			return p
		}
		n := m.fields
		if flags&flagSameFields == 0 {
			n, q = readInt(b, q)
			n *= 2
		}
		p = behind(b, q, n)
	}
	return 0
}
