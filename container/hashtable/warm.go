package hashtable

import (
	"math/bits"
	"unsafe"

	"dozo/container/entry"
)

// A look-up in a large table waits twice for memory: for the bucket's line and
// for the entry's. Who is about to look up several keys can have the waits
// overlap, since the processor goes on with later loads that do not depend on
// earlier ones: first TouchBucket for all keys, then TouchEntry for all, then
// the look-ups. The results are of no use but to keep the loads from being left
// out as useless.

// TouchBucket loads the line of the hash's home bucket.
func (t *Table) TouchBucket(hash uint64) uint64 {
	s := t.at(hash)
	if s == 0 {
		return 0
	}
	return uint64(t.home(s, hash)[0])
}

// TouchEntry loads the entry that Find would look at first: its beginning and its
// end.
func (t *Table) TouchEntry(hash uint64) uint64 {
	s := t.at(hash)
	if s == 0 {
		return 0
	}
	b := t.home(s, hash)
	m := b.match(wordOf(hash, s.base(), 0))
	if m == 0 {
		return 0
	}
	e := entry.At(t.arena, refOf(b[bits.TrailingZeros(m)&(lineSlots-1)]))
	if p := e.Payload(); len(p) != 0 {
		return uint64(p[len(p)-1])
	}
	return 0
}

// home is the home bucket of a hash in the segment s.
func (t *Table) home(s seg, hash uint64) *bucket {
	return (*bucket)(unsafe.Add(t.arena.Ptr(s.ref()), (s.home(hash)+1)*lineSize))
}
