package stream

import (
	"bytes"
	"unsafe"

	"dozo/arena"
)

// directory is the groups of a stream, or the consumers of a group: Refs of their
// blocks in the order of the names, which is that in which Redis shows and saves
// them. Adding costs a move of what is behind: 8 bytes a name.
type directory struct {
	refs  arena.Ref
	count uint32
	room  uint32
}

const (
	refSize      = int(unsafe.Sizeof(arena.Ref(0)))
	directoryMin = 2
)

// named is the start of a block with a name, which lies at the block's end.
type named struct {
	fixed  uint32 // where the name begins
	length uint32
}

func (n *named) size() int { return int(n.fixed + n.length) }

func (n *named) name() []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(n), n.fixed)), n.length)
}

func (s *space) named(r arena.Ref) *named { return (*named)(s.arena.Ptr(r)) }

// allocNamed is a new block, zero but for its name.
func (s *space) allocNamed(fixed int, name []byte) arena.Ref {
	r := s.alloc(fixed + len(name))
	clear(s.arena.Bytes(r, fixed))
	n := s.named(r)
	n.fixed, n.length = uint32(fixed), uint32(len(name))
	copy(n.name(), name)
	return r
}

// list is the Refs of d, with what room it has.
func (s *space) list(d *directory) []arena.Ref {
	if d.refs == 0 {
		return nil
	}
	return unsafe.Slice((*arena.Ref)(s.arena.Ptr(d.refs)), d.room)[:d.count]
}

// search is where the name is, or would be.
func (s *space) search(d *directory, name []byte) (i int, found bool) {
	l := s.list(d)
	lo, hi := 0, len(l)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		switch c := bytes.Compare(s.named(l[m]).name(), name); {
		case c == 0:
			return m, true
		case c < 0:
			lo = m + 1
		default:
			hi = m
		}
	}
	return lo, false
}

// enter makes r the i-th one.
func (s *space) enter(d *directory, i int, r arena.Ref) {
	if d.count == d.room {
		s.resizeDirectory(d, max(d.room*2, directoryMin))
	}
	d.count++
	l := s.list(d)
	copy(l[i+1:], l[i:])
	l[i] = r
}

// strike takes the i-th one out.
func (s *space) strike(d *directory, i int) {
	l := s.list(d)
	copy(l[i:], l[i+1:])
	d.count--
	switch {
	case d.count == 0:
		s.free(d.refs, int(d.room)*refSize)
		*d = directory{}
	case d.count <= d.room/4:
		s.resizeDirectory(d, d.room/2)
	}
}

func (s *space) resizeDirectory(d *directory, room uint32) {
	r := s.alloc(int(room) * refSize)
	to := unsafe.Slice((*arena.Ref)(s.arena.Ptr(r)), room)
	copy(to, s.list(d))
	if d.refs != 0 {
		s.free(d.refs, int(d.room)*refSize)
	}
	d.refs, d.room = r, room
}
