package hashtable

import (
	"fmt"

	"dozo/arena"
	"dozo/internal/invariants"
)

// Check recounts everything that the package comment promises and returns what
// does not hold. It reads every entry: it is for tests.
func (t *Table) Check() error {
	var c census
	t.segments(func(v segment) bool {
		c.add(t, v)
		return c.err == nil
	})
	if c.err == nil {
		c.err = t.checkRoot(&c)
	}
	return c.err
}

// census is what Check counts.
type census struct {
	err      error
	pos      uint64 // start of the segment to come
	count    uint64
	bytes    uint64
	segments uint32
	depths   [depthMax + 1]uint32
}

func (c *census) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("hashtable: "+format, args...)
	}
}

func (t *Table) checkRoot(c *census) error {
	r := &t.root
	if r.depth > 0 {
		c.bytes += uint64(arena.UsableSize(directoryBytes(r.depth)))
		if d := t.directory().segments; d != c.depths {
			c.fail("segments by depth are %v, the directory says %v", c.depths, d)
		}
	}
	if c.count != r.count || c.bytes != r.bytes || c.segments != r.segments {
		c.fail("%d entries, %d bytes and %d segments, the root says %d, %d and %d",
			c.count, c.bytes, c.segments, r.count, r.bytes, r.segments)
	}
	return c.err
}

// add checks one segment and its words of the directory.
func (c *census) add(t *Table, v segment) {
	c.segments++
	c.depths[v.depth()]++
	c.bytes += uint64(arena.UsableSize(int(v.lines()) * lineSize))
	c.count += uint64(v.header().count()) + t.chained(v)
	for l := t.chainOf(v); l != nil; l = t.nextLink(l) {
		c.bytes += uint64(arena.UsableSize(linkSize))
	}
	if v.depth() > uint(t.root.depth) || v.base() > v.depth() || v.lag() > lagMax || v.start(c.pos) != c.pos {
		c.fail("segment of depth %d and base %d at %#x, the directory has depth %d", v.depth(), v.base(), c.pos, t.root.depth)
		return
	}
	c.err = t.verify(v)
	c.checkRange(t, v)
	c.checkHashes(t, v)
	c.pos = v.startOf(c.pos, v.buckets())
}

// checkRange demands that all words of the directory for the segment are alike.
func (c *census) checkRange(t *Table, v segment) {
	if t.root.depth == 0 {
		return
	}
	first := c.pos >> (64 - t.root.depth)
	for i := range uint64(1) << (uint(t.root.depth) - v.depth()) {
		if s := *t.dirWord(first + i); s != v.seg {
			c.fail("directory word %d is %#x, that of its segment %#x", first+i, s, v.seg)
		}
	}
}

// checkHashes demands that each entry's tag is that of its key.
func (c *census) checkHashes(t *Table, v segment) {
	check := func(words []word) {
		for _, w := range words {
			if w == 0 {
				continue
			}
			hash := t.hashOf(w)
			if v.start(hash) != c.pos || wordOf(hash, v.base(), refOf(w)) != w || v.home(hash) != v.homeOf(w) {
				c.fail("entry %#x of hash %#x lies in the segment at %#x with the tag %#x", refOf(w), hash, c.pos, w>>refBits)
			}
		}
	}
	check(v.words())
	for l := t.chainOf(v); l != nil; l = t.nextLink(l) {
		check(l.words[:l.used()])
	}
}

// checkSegment is verify in the build with invariants.
func (t *Table) checkSegment(v segment) {
	if invariants.Enabled {
		if err := t.verify(v); err != nil {
			invariants.Failf("%v", err)
		}
	}
}

// verify checks I1 to I5 in one segment, without a look at the entries.
func (t *Table) verify(v segment) error {
	h := v.header()
	var homes uint64 // of stash and chain
	for _, w := range h.stash[:h.stashed()] {
		homes |= 1 << v.homeOf(w)
	}
	for l := t.chainOf(v); l != nil; l = t.nextLink(l) {
		for _, w := range l.words[:l.used()] {
			homes |= 1 << v.homeOf(w)
		}
	}
	if homes != h.homes {
		return fmt.Errorf("hashtable: homes in the stash are %#x, the header says %#x", homes, h.homes)
	}
	if h.chain() != 0 && h.stashed() < stashSlots {
		return fmt.Errorf("hashtable: a chain, but only %d entries in the stash", h.stashed())
	}
	n := h.stashed()
	for b := range v.buckets() {
		used, err := v.verifyBucket(b)
		if err != nil {
			return err
		}
		n += used
	}
	if n != h.count() {
		return fmt.Errorf("hashtable: segment of %d buckets has %d entries, the header says %d", v.buckets(), n, h.count())
	}
	return nil
}

func (s segment) verifyBucket(b uint) (used uint, err error) {
	k := s.bucket(b)
	home, next := k.full(), s.bucket(s.after(b)).full()
	if s.header().homes>>b&1 != 0 && !(home && next) {
		return 0, fmt.Errorf("hashtable: bucket %d or the next has room, but there are entries of it in the stash", b)
	}
	for i, w := range k {
		if w == 0 {
			continue
		}
		used++
		if i > 0 && k[i-1] == 0 {
			return 0, fmt.Errorf("hashtable: bucket %d has a gap before slot %d", b, i)
		}
		at := s.homeOf(w)
		if at != b && (s.after(at) != b || !s.bucket(at).full()) {
			return 0, fmt.Errorf("hashtable: entry of bucket %d found in bucket %d", at, b)
		}
	}
	return used, nil
}
