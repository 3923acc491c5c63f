package hashtable

import (
	"math/bits"

	"dozo/arena"
)

// A look-up in a large table waits twice for memory: for the bucket's line and
// for the entry's. Who is about to look up several keys can have the waits
// overlap: first PrefetchBucket for all keys, then PrefetchEntry for all, then the
// look-ups.
//
// Both may be called by who does not hold the table: they peek (see
// arena.Peekable). A directory or a segment that is replaced meanwhile leads
// somewhere else in the arena, or out of it, and then the wrong lines are asked
// for, or none.

// PrefetchBucket asks for the line of the hash's home bucket.
func (t *Table) PrefetchBucket(hash uint64) {
	if s := t.peek(hash); s != 0 {
		t.arena.Prefetch(s.homeRef(hash))
	}
}

// PrefetchEntry asks for the entry that Find would look at first.
func (t *Table) PrefetchEntry(hash uint64) {
	s := t.peek(hash)
	home := s.homeRef(hash)
	if s == 0 || !t.arena.Peekable(home) {
		return
	}
	b := (*bucket)(t.arena.Ptr(home))
	if m := b.match(wordOf(hash, s.base(), 0)); m != 0 {
		t.arena.PrefetchBlock(refOf(b[bits.TrailingZeros(m)&(lineSlots-1)]))
	}
}

// peek is at for who does not hold the table.
func (t *Table) peek(hash uint64) seg {
	depth, top := t.root.depth, t.root.top
	if depth == 0 {
		return seg(top)
	}
	r := arena.Ref(top + uint64(directorySize) + hash>>(-depth&63)*8)
	if t.arena == nil || !t.arena.Peekable(r) {
		return 0
	}
	return *(*seg)(t.arena.Ptr(r))
}

// homeRef is where the home bucket of a hash lies, in segment s.
func (s seg) homeRef(hash uint64) arena.Ref {
	return s.ref() + arena.Ref((s.home(hash)+1)*lineSize)
}
