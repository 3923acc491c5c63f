package hashtable

import (
	"math/bits"
	"unsafe"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/internal/invariants"
)

// Hash is the function that the caller hashes keys with. It must give for a
// key what was given to Insert, as long as the key is in the table.
type Hash func(key []byte) uint64

// Root is a table at rest: plain words, without Go pointers, so that the owner
// of a big hash or set can keep it inside an entry. The zero Root is an empty
// table.
type Root struct {
	top      uint64 // the directory's Ref, or with depth 0 the only segment's word
	count    uint64
	bytes    uint64
	segments uint32
	depth    uint32
}

// Len is the number of entries.
func (r *Root) Len() int { return int(r.count) }

// Table is a Root with what is needed to work on it. Two Tables must not be
// used on copies of one Root, unless nothing is changed.
type Table struct {
	root  Root
	arena *arena.Arena
	heap  *arena.Heap
	hash  Hash
}

// New makes an empty table, which takes no memory until the first Insert.
func New(h *arena.Heap, hash Hash) Table { return Attach(h, hash, Root{}) }

// Attach makes a table of a Root that a table with the same heap and hash gave.
func Attach(h *arena.Heap, hash Hash, r Root) Table {
	return Table{root: r, arena: h.Arena(), heap: h, hash: hash}
}

// Root is the table at rest. It is outdated by the next Insert or Delete.
func (t *Table) Root() Root { return t.root }

// Heap is where the table lies, and its entries too.
func (t *Table) Heap() *arena.Heap { return t.heap }

// Len is the number of entries.
func (t *Table) Len() int { return int(t.root.count) }

// Bytes is the memory that the table takes, the entries apart.
func (t *Table) Bytes() int64 { return int64(t.root.bytes) }

// Slot is where an entry lies: valid until the next Insert or Delete on its
// table. The zero Slot is none.
type Slot struct{ p *word }

// Ok tells whether there is an entry.
func (s Slot) Ok() bool { return s.p != nil }

// Ref is the entry's block. It is 0 for the zero Slot.
func (s Slot) Ref() arena.Ref {
	if s.p == nil {
		return 0
	}
	return refOf(*s.p)
}

// Apart is a Slot of no table, for an entry that is still to be put in one: the
// word keeps where it is.
func Apart(word *uint64, ref arena.Ref) Slot {
	*word = uint64(ref) >> refShift
	return Slot{word}
}

// SetRef says that the entry is another block now, with the same key.
func (s Slot) SetRef(r arena.Ref) { *s.p = *s.p&^refMask | uint64(r)>>refShift }

// at is the directory word for a hash.
func (t *Table) at(hash uint64) seg {
	if t.root.depth == 0 {
		return seg(t.root.top)
	}
	return *t.dirWord(hash >> (-t.root.depth & 63))
}

func (t *Table) open(s seg) segment { return segment{s, t.arena.Ptr(s.ref())} }

// Find is the entry with the key; hash is the key's.
func (t *Table) Find(hash uint64, key []byte) Slot {
	s := t.at(hash)
	if s == 0 {
		return Slot{}
	}
	home, w := s.home(hash), wordOf(hash, s.base(), 0)
	b := (*bucket)(unsafe.Add(t.arena.Ptr(s.ref()), (home+1)*lineSize))
	for m := b.match(w); m != 0; m &= m - 1 { // a tag of 0 matches empty slots, too
		p := &b[bits.TrailingZeros(m)&(lineSlots-1)]
		if *p != 0 && entry.At(t.arena, refOf(*p)).KeyIs(key) {
			return Slot{p}
		}
	}
	if !b.full() {
		return Slot{}
	}
	return t.findAway(t.open(s), home, w, key)
}

// findAway is Find for an entry that is not in its home bucket.
func (t *Table) findAway(s segment, home uint, w word, key []byte) Slot {
	b := s.bucket(s.after(home))
	for m := b.match(w); m != 0; m &= m - 1 {
		p := &b[bits.TrailingZeros(m)&(lineSlots-1)]
		if *p != 0 && entry.At(t.arena, refOf(*p)).KeyIs(key) {
			return Slot{p}
		}
	}
	h := s.header()
	if h.homes>>home&1 == 0 {
		return Slot{}
	}
	if p := t.findIn(h.stash[:h.stashed()], w, key); p != nil {
		return Slot{p}
	}
	for c := t.chainOf(s); c != nil; c = t.nextLink(c) {
		if p := t.findIn(c.words[:c.used()], w, key); p != nil {
			return Slot{p}
		}
	}
	return Slot{}
}

// findIn is the slot among words that has the tag of w and the key, or nil.
func (t *Table) findIn(words []word, w word, key []byte) *word {
	for i, v := range words {
		if (v^w)>>refBits == 0 && entry.At(t.arena, refOf(v)).KeyIs(key) {
			return &words[i]
		}
	}
	return nil
}

// FindRef is the entry at ref, whose key has the given hash. It is for those
// who have a Ref from Random or Scan and want to delete or move the entry, and
// it does not read the entry.
func (t *Table) FindRef(hash uint64, ref arena.Ref) Slot {
	s := t.at(hash)
	if s == 0 {
		return Slot{}
	}
	v, home, w := t.open(s), s.home(hash), wordOf(hash, s.base(), ref)
	for _, b := range [2]*bucket{v.bucket(home), v.bucket(s.after(home))} {
		for i := range b {
			if b[i] == w {
				return Slot{&b[i]}
			}
		}
	}
	h := v.header()
	for i := range h.stash {
		if h.stash[i] == w {
			return Slot{&h.stash[i]}
		}
	}
	for c := t.chainOf(v); c != nil; c = t.nextLink(c) {
		for i := range c.words[:c.used()] {
			if c.words[i] == w {
				return Slot{&c.words[i]}
			}
		}
	}
	return Slot{}
}

// Insert adds the entry at ref, whose key has the given hash and must not be in
// the table.
func (t *Table) Insert(hash uint64, ref arena.Ref) {
	s := t.at(hash)
	if s == 0 {
		s = t.firstSegment()
	}
	t.root.count++
	home, w := s.home(hash), wordOf(hash, s.base(), ref)
	v := t.open(s)
	if b := v.bucket(home); !b.full() {
		b.push(w)
		v.header().meta += metaOne
		return
	}
	t.insertAway(v, hash, ref)
}

// insertAway is Insert for an entry whose home bucket is full. The segment is
// made larger until it has room; when it must not grow there is the chain.
func (t *Table) insertAway(v segment, hash uint64, ref arena.Ref) {
	for {
		home, w := v.home(hash), wordOf(hash, v.base(), ref)
		if v.place(home, w) {
			return
		}
		if !t.grow(v, hash) {
			t.chainPush(v, home, w)
			return
		}
		v = t.open(t.at(hash))
	}
}

// Delete takes the entry in slot p, whose key has the given hash, out of the
// table. The 40 top bits of the hash are enough. The entry's block is the
// caller's.
func (t *Table) Delete(hash uint64, p Slot) {
	v := t.open(t.at(hash))
	t.root.count--
	if b, i, ok := v.inBuckets(p.p); ok {
		t.take(v, b, i)
	} else {
		t.dropStashed(v, p.p)
	}
	h := v.header()
	if invariants.Enabled {
		invariants.Check(h.count() <= v.slots(), "hashtable: deleted more than there was, or with another key's hash")
	}
	if h.count()*10 < v.slots()*sparseTenths && h.chain() == 0 {
		t.shrink(v, hash)
	}
}

// Free gives the table's memory back, but not the entries', and leaves an empty
// table.
func (t *Table) Free() {
	t.segments(func(s segment) bool {
		t.freeSegment(s)
		return true
	})
	if t.root.depth > 0 {
		t.freeDirectory()
	}
	t.root = Root{}
}

func (t *Table) alloc(n int) arena.Ref {
	t.root.bytes += uint64(arena.UsableSize(n))
	return t.heap.Alloc(arena.PurposeTable, n)
}

func (t *Table) free(r arena.Ref, n int) {
	t.root.bytes -= uint64(arena.UsableSize(n))
	t.heap.Free(arena.PurposeTable, r, n)
}
