package stream

import (
	"dozo/arena"
	"dozo/container/listpack"
)

// tailTries is how many entries are looked at from the end of the last node
// before the search for a start goes through it from its beginning: readers who
// follow a stream ask for what came last.
const tailTries = 8

// Iterator goes through entries in order, and reads them where they are:
//
//	for it := s.Range(start, end, false); it.Next(); {
//		for it.Fields > 0 {
//			field, value := it.Field()
//
// What Field gives is good until the stream changes, and so is the iterator; to go
// on after a change, make one that starts at the ID.Next of the last entry.
type Iterator struct {
	// ID and Fields are the present entry's: Fields is how many pairs Field has
	// yet to give.
	ID     ID
	Fields int

	x          index
	start, end ID
	reverse    bool
	begun      bool

	node   spot // the present node
	b      []byte
	master master
	e      record
	name   int // the next field name
	p      int // the next element of the entry
	left   int64
}

// Range is an iterator over the entries from start to end, both included; with
// reverse it begins at end.
func (s *Stream) Range(start, end ID, reverse bool) Iterator {
	return Iterator{x: s.index(), start: start, end: end, reverse: reverse}
}

// Next goes to the next entry; false if there is none.
func (it *Iterator) Next() bool {
	for it.step() {
		switch id := it.e.id; {
		case it.e.deleted():
		case id.Less(it.start):
			if it.reverse {
				return false
			}
		case it.end.Less(id):
			if !it.reverse {
				return false
			}
		default:
			it.ID, it.Fields = id, int(it.e.fields)
			it.name = it.master.names
			return true
		}
	}
	return false
}

// Field is the next pair of the present entry; Fields must be above zero.
func (it *Iterator) Field() (field, value listpack.Value) {
	if it.e.same() {
		field, it.name = listpack.Read(it.b, it.name)
	} else {
		field, it.p = listpack.Read(it.b, it.p)
		it.left--
	}
	value, it.p = listpack.Read(it.b, it.p)
	it.left--
	it.Fields--
	return field, value
}

// step goes to the next entry, deleted or not, of this or the next node.
func (it *Iterator) step() bool {
	p := 0
	if it.begun {
		if p = it.onward(); p != 0 {
			it.read(p)
			return true
		}
	}
	for it.enter() {
		if it.reverse {
			p = lastRecord(it.b, listpack.Last(it.b))
		} else {
			p = it.seek()
		}
		if p != 0 {
			it.read(p)
			return true
		}
	}
	return false
}

// onward is the next entry of the present node; 0 if there is none.
func (it *Iterator) onward() int {
	if it.reverse {
		return lastRecord(it.b, listpack.Prev(it.b, it.e.flagAt))
	}
	return behind(it.b, it.p, it.left)
}

func (it *Iterator) read(p int) {
	it.e = readRecord(it.b, p, it.node.pair().key, &it.master)
	it.p, it.left = it.e.data, it.e.elements()
}

// enter goes to the next node, which to begin with is the one that has the start.
func (it *Iterator) enter() bool {
	switch {
	case !it.begun && it.reverse:
		it.node = it.x.floor(it.end)
	case !it.begun:
		if it.node = it.x.floor(it.start); !it.node.ok() {
			it.node = it.x.ceil(it.start)
		}
	case it.reverse:
		it.node = it.x.before(it.node)
	default:
		it.node = it.x.after(it.node)
	}
	it.begun = true
	if !it.node.ok() {
		return false
	}
	it.b = it.x.node(arena.Ref(it.node.pair().value))
	it.master = readMaster(it.b)
	return true
}

// seek is the first entry of the node to look at.
func (it *Iterator) seek() int {
	id := it.node.pair().key
	if !id.Less(it.start) {
		return it.master.first(it.b)
	}
	if p := it.nearEnd(id); p >= 0 {
		return p
	}
	return it.master.seek(it.b, id, it.start)
}

// nearEnd is the first entry of the node that is not before the start, if it is
// among the last ones; 0 if there is none, -1 if it is not known. (Deleted entries
// may be out of order, see XSETID, but all in front of an entry that was before
// the start were before it too, or are deleted.)
func (it *Iterator) nearEnd(id ID) int {
	found, p := 0, listpack.Last(it.b)
	for range tailTries {
		if p = lastRecord(it.b, p); p == 0 {
			return -1
		}
		if e := readRecord(it.b, p, id, &it.master); e.id.Less(it.start) {
			return found
		}
		found, p = p, listpack.Prev(it.b, p)
	}
	return -1
}

// Exists tells whether there is an entry with the ID.
func (s *Stream) Exists(id ID) bool {
	it := s.Range(id, id, false)
	return it.Next()
}

// FirstEntry is the ID of the first entry that is there; false if the stream is
// empty.
func (s *Stream) FirstEntry() (ID, bool) {
	it := s.Range(ID{}, MaxID, false)
	ok := it.Next()
	return it.ID, ok
}

// LastEntry is the ID of the last entry that is there.
func (s *Stream) LastEntry() (ID, bool) {
	it := s.Range(ID{}, MaxID, true)
	ok := it.Next()
	return it.ID, ok
}
