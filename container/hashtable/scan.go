package hashtable

import (
	"math/bits"

	"dozo/arena"
)

// Scan calls emit for the entries of one bucket: those whose hash is cursor or
// more. It returns the cursor for the next call, 0 at the end; 0 is also the
// start. The package comment says what a whole pass guarantees. emit must not
// insert or delete.
func (t *Table) Scan(cursor uint64, emit func(arena.Ref)) (next uint64) {
	return t.ScanSlots(cursor, func(s Slot) { emit(s.Ref()) })
}

// ScanSlots is Scan for those who move entries: emit may call SetRef.
func (t *Table) ScanSlots(cursor uint64, emit func(Slot)) (next uint64) {
	s := t.at(cursor)
	if s == 0 {
		return 0
	}
	home := s.home(cursor)
	midway := s.startOf(cursor, home) != cursor
	t.visitHome(t.open(s), home, func(p *word) bool {
		if !midway || t.hashOf(*p) >= cursor {
			emit(Slot{p})
		}
		return true
	})
	return s.startOf(cursor, home+1)
}

// visitHome calls visit for the slot of each entry of the home bucket, wherever
// in the segment it lies, until that returns false, which is returned then.
func (t *Table) visitHome(v segment, home uint, visit func(*word) bool) bool {
	b := v.bucket(home)
	if !v.visitOf(home, b[:], visit) {
		return false
	}
	if !b.full() {
		return true
	}
	if next := v.after(home); next != home && !v.visitOf(home, v.bucket(next)[:], visit) {
		return false
	}
	h := v.header()
	if h.homes>>home&1 == 0 {
		return true
	}
	if !v.visitOf(home, h.stash[:], visit) {
		return false
	}
	for c := t.chainOf(v); c != nil; c = t.nextLink(c) {
		if !v.visitOf(home, c.words[:], visit) {
			return false
		}
	}
	return true
}

// visitOf is visitHome for some words.
func (s seg) visitOf(home uint, words []word, visit func(*word) bool) bool {
	for i, w := range words {
		if w != 0 && s.homeOf(w) == home && !visit(&words[i]) {
			return false
		}
	}
	return true
}

// Probe calls emit for the entries whose hash agrees with hash in the top n
// bits, as long as it returns true. It knows at least 24 bits of each hash, and
// 40 in a table of some million entries: when n is more than it knows it calls
// emit for some that agree in what it knows only, so the caller looks at the
// entry before it believes. emit may insert or delete if it returns false then.
func (t *Table) Probe(hash uint64, n int, emit func(Slot) bool) {
	rest := ^uint64(0) >> n // n = 64: none
	last := hash | rest
	for pos := hash &^ rest; ; {
		s := t.at(pos)
		if s == 0 {
			return
		}
		home := s.home(pos)
		known := min(uint(n), s.base()+tagBits)
		ok := t.visitHome(t.open(s), home, func(p *word) bool {
			return (s.hashOf(pos, *p)^hash)>>(64-known) != 0 || emit(Slot{p})
		})
		pos = s.startOf(pos, home+1)
		if !ok || pos == 0 || pos > last {
			return
		}
	}
}

// hashOf is what the segment that pos lies in knows of the hash of w: the top
// base + 24 bits, followed by zeros.
func (s seg) hashOf(pos uint64, w word) uint64 {
	return s.start(pos) | w&^refMask>>s.base()
}

// randomTries is how often Random looks for an entry in one segment, and for a
// segment that has any.
const randomTries = 64

// Random is one of the entries, chosen by r; 0 when there are none. Over random
// r it is fair as far as the hash spreads the entries evenly over the segments:
// within a segment each is as likely, and the segments differ by a few percent.
func (t *Table) Random(r uint64) arena.Ref {
	if t.root.count == 0 {
		return 0
	}
	for range randomTries {
		r = mix(r)
		if ref := t.randomIn(t.open(t.at(r)), r); ref != 0 {
			return ref
		}
	}
	return t.first(r)
}

// randomIn is an entry of one segment, or 0 when none was found.
func (t *Table) randomIn(v segment, r uint64) arena.Ref {
	if v.header().count() == 0 {
		return 0
	}
	words := v.words()
	n := uint64(len(words)) + t.chained(v)
	for range randomTries {
		r = mix(r)
		i, _ := bits.Mul64(r, n)
		if i >= uint64(len(words)) {
			return refOf(*t.chainWord(v, i-uint64(len(words))))
		}
		if w := words[i]; w != 0 {
			return refOf(w)
		}
	}
	return 0
}

// chainWord is the chain's word i.
func (t *Table) chainWord(v segment, i uint64) *word {
	c := t.chainOf(v)
	for i >= c.used() {
		i -= c.used()
		c = t.nextLink(c)
	}
	return &c.words[i]
}

// first is the first entry from a position on, going round.
func (t *Table) first(pos uint64) (ref arena.Ref) {
	for ref == 0 {
		pos = t.Scan(pos, func(r arena.Ref) { ref = r })
	}
	return ref
}

// mix makes another number of r (the finalizer of splitmix64).
func mix(r uint64) uint64 {
	r += 0x9e3779b97f4a7c15
	r = (r ^ r>>30) * 0xbf58476d1ce4e5b9
	r = (r ^ r>>27) * 0x94d049bb133111eb
	return r ^ r>>31
}

// Each calls visit for every entry, in no order, until it returns false. visit
// must not insert or delete.
func (t *Table) Each(visit func(arena.Ref) bool) {
	t.segments(func(v segment) bool { return t.eachOf(v, visit) })
}

// eachOf is Each for one segment; false when visit has returned that.
func (t *Table) eachOf(v segment, visit func(arena.Ref) bool) bool {
	for _, w := range v.words() {
		if w != 0 && !visit(refOf(w)) {
			return false
		}
	}
	for c := t.chainOf(v); c != nil; c = t.nextLink(c) {
		for _, w := range c.words[:c.used()] {
			if !visit(refOf(w)) {
				return false
			}
		}
	}
	return true
}

// segments calls visit for each segment in the order of the hashes, until it
// returns false. visit may free it.
func (t *Table) segments(visit func(segment) bool) {
	pos := uint64(0)
	for {
		s := t.at(pos)
		if s == 0 || !visit(t.open(s)) {
			return
		}
		if pos = s.startOf(pos, s.buckets()); pos == 0 {
			return
		}
	}
}
