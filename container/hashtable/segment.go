package hashtable

import (
	"unsafe"

	"dozo/arena"
)

// place puts w, whose home is given, where it may lie; false means that the
// segment has no room for it. It is count's keeper but not the table's.
func (s segment) place(home uint, w word) bool {
	b := s.bucket(home)
	if b.full() {
		if b = s.nextRoom(home); b == nil {
			return s.stash(home, w)
		}
	}
	b.push(w)
	s.header().meta += metaOne
	return true
}

// nextRoom is the bucket after home with a free slot in it, or nil. When it is
// full one of its own entries is moved on, if the bucket after it has room.
func (s segment) nextRoom(home uint) *bucket {
	next := s.after(home)
	if next == home {
		return nil
	}
	b := s.bucket(next)
	if !b.full() {
		return b
	}
	beyond := s.bucket(s.after(next))
	if beyond.full() {
		return nil
	}
	i := s.findHome(b, next)
	if i < 0 {
		return nil
	}
	beyond.push(b[i])
	b.remove(i)
	return b
}

// findHome is the first slot of b that holds an entry of the given home, or -1.
func (s segment) findHome(b *bucket, home uint) int {
	for i, w := range b {
		if w != 0 && s.homeOf(w) == home {
			return i
		}
	}
	return -1
}

// stash puts w into the stash, unless that is full.
func (s segment) stash(home uint, w word) bool {
	h := s.header()
	n := h.stashed()
	if n >= stashSlots {
		return false
	}
	h.stash[n] = w
	h.meta += metaOne + 1
	h.homes |= 1 << home
	return true
}

// inBuckets tells whether p is a slot of a bucket, and of which.
func (s segment) inBuckets(p *word) (b uint, i int, ok bool) {
	off := uintptr(unsafe.Pointer(p)) - uintptr(s.p)
	if off < lineSize || off >= uintptr(s.lines())*lineSize {
		return 0, 0, false
	}
	return uint(off/lineSize) - 1, int(off / 8 % lineSlots), true
}

// take empties slot i of bucket b, and pulls back what can lie nearer to its
// home now. Every turn of the loop brings one entry home, so it ends; it seldom
// turns twice.
func (t *Table) take(s segment, b uint, i int) {
	s.header().meta -= metaOne
	for {
		k := s.bucket(b)
		if !k.full() {
			k.remove(i)
			return
		}
		if w, ok := t.unstash(s, b); ok {
			k[i] = w
			return
		}
		next := s.after(b)
		j := -1
		if next != b {
			j = s.findHome(s.bucket(next), b)
		}
		if j < 0 {
			t.fill(s, b, i)
			return
		}
		k[i] = s.bucket(next)[j]
		b, i = next, j
	}
}

// fill puts into slot i of bucket b, which has no entry of its own elsewhere,
// one from the stash that belongs to the bucket before; or it closes the gap.
func (t *Table) fill(s segment, b uint, i int) {
	k := s.bucket(b)
	if w, ok := t.unstash(s, s.before(b)); ok {
		k[i] = w
		return
	}
	k.remove(i)
}

// unstash takes an entry of the given home out of the stash or the chain. The
// entry stays in the segment, so the count stays.
func (t *Table) unstash(s segment, home uint) (word, bool) {
	h := s.header()
	if h.homes>>home&1 == 0 {
		return 0, false
	}
	p := t.findStashed(s, home)
	w := *p
	t.dropStashed(s, p)
	h.meta += metaOne
	return w, true
}

// findStashed is the first slot of stash and chain with an entry of the given
// home, or nil.
func (t *Table) findStashed(s segment, home uint) *word {
	h := s.header()
	for i := range h.stash {
		if w := h.stash[i]; w != 0 && s.homeOf(w) == home {
			return &h.stash[i]
		}
	}
	for c := t.chainOf(s); c != nil; c = t.nextLink(c) {
		for i := range c.words[:c.used()] {
			if s.homeOf(c.words[i]) == home {
				return &c.words[i]
			}
		}
	}
	return nil
}

// dropStashed removes the entry in slot p of the stash or the chain.
func (t *Table) dropStashed(s segment, p *word) {
	h := s.header()
	home := s.homeOf(*p)
	if h.chain() != 0 {
		t.chainRemove(s, p)
	} else {
		last := h.stashed() - 1
		*p = h.stash[last]
		h.stash[last] = 0
		h.meta--
		h.meta -= metaOne
	}
	if t.findStashed(s, home) == nil {
		h.homes &^= 1 << home
	}
}

// The chain is the last resort of a segment that may not be split: a list of
// blocks, all full but the first, newest first.

const linkWords = 62

// link is one block of a chain.
type link struct {
	next  arena.Ref
	total uint64 // entries in this block and those behind it
	words [linkWords]word
}

const linkSize = (linkWords + 2) * 8

// used is how many of the words are in use.
func (c *link) used() uint64 { return (c.total-1)%linkWords + 1 }

func (t *Table) link(r arena.Ref) *link {
	if r == 0 {
		return nil
	}
	return (*link)(t.arena.Ptr(r))
}

func (t *Table) chainOf(s segment) *link  { return t.link(s.header().chain()) }
func (t *Table) nextLink(c *link) *link   { return t.link(c.next) }
func (t *Table) chained(s segment) uint64 { return t.chainOf(s).sum() }

// sum is how many entries a chain has; nil is the empty one.
func (c *link) sum() uint64 {
	if c == nil {
		return 0
	}
	return c.total
}

// chainPush puts w into the chain. The stash must be full.
func (t *Table) chainPush(s segment, home uint, w word) {
	h := s.header()
	c := t.chainOf(s)
	if c == nil || c.total%linkWords == 0 {
		r := t.alloc(linkSize)
		n := t.link(r)
		*n = link{next: h.chain(), total: c.sum()}
		h.setChain(r)
		c = n
	}
	c.words[c.total%linkWords] = w
	c.total++
	h.homes |= 1 << home
}

// chainRemove takes the last word of the chain and puts it into slot p, which
// is in the stash or the chain.
func (t *Table) chainRemove(s segment, p *word) {
	h := s.header()
	c := t.chainOf(s)
	last := &c.words[c.used()-1]
	*p = *last
	*last = 0
	c.total--
	if c.total%linkWords == 0 {
		r := h.chain()
		h.setChain(c.next)
		t.free(r, linkSize)
	}
}

// freeChain gives the blocks of the chain back.
func (t *Table) freeChain(s segment) {
	for r := s.header().chain(); r != 0; {
		next := t.link(r).next
		t.free(r, linkSize)
		r = next
	}
}
