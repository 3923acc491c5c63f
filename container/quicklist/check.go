package quicklist

import (
	"fmt"

	"dozo/arena"
	"dozo/container/listpack"
)

// Check recounts everything that the package comment promises and returns what does
// not hold. It reads every node: it is for tests.
func (l *List) Check() error {
	c := census{l: l}
	c.ends()
	if h := l.root.top.height(); h > 0 {
		c.block(l.root.top.ref(), h-1, true)
	} else if c.l.root.top.ref() != 0 {
		c.fail("an index without levels has a block")
	}
	r := l.root
	if c.count != r.count || c.nodes != r.nodes || c.bytes != r.bytes {
		c.fail("%d elements in %d nodes and %d bytes, the Root says %d, %d and %d", c.count, c.nodes, c.bytes, r.count, r.nodes, r.bytes)
	}
	return c.err
}

// census is what Check counts.
type census struct {
	l                   *List
	err                 error
	count, nodes, bytes uint64
}

func (c *census) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("quicklist: "+format, args...)
	}
}

func (c *census) ends() {
	r := c.l.root
	if r.head.none() && !r.tail.none() || r.tail.none() && r.top.height() > 0 {
		c.fail("nodes behind an end that there is not")
	}
	for _, e := range [2]end{r.head, r.tail} {
		if !e.none() {
			c.node(e)
		}
	}
}

func (c *census) node(e end) {
	if int(e.lead)+e.size() > e.room() || e.count() == 0 {
		c.fail("a node of %d elements has %d bytes from %d on in %d", e.count(), e.size(), e.lead, e.room())
		return
	}
	b := c.l.bytes(e)
	if e.plain() && e.count() != 1 {
		c.fail("a plain node of %d elements", e.count())
	}
	if !e.plain() && (!listpack.Validate(b) || listpack.Len(b) != e.count()) {
		c.fail("a node of %d elements is no listpack of them: %.80x", e.count(), b)
	}
	c.count += uint64(e.count())
	c.nodes++
	c.bytes += uint64(arena.UsableSize(e.room()))
}

// block counts a block of the index, and returns how many elements are below it.
func (c *census) block(r arena.Ref, level int, top bool) (below uint64) {
	b := c.l.block(r)
	if b.n == 0 || b.n > b.room || b.room != blockMax && !top || top && level > 0 && b.n < 2 {
		c.fail("a block of level %d with %d items in %d, top %v", level, b.n, b.room, top)
		return 0
	}
	c.bytes += uint64(arena.UsableSize(blockSize(int(b.room))))
	for i, it := range b.items() {
		n := it.below(level)
		if level > 0 && i > 0 && c.l.block(it.ref()).n <= mergeBelow && c.l.block(b.items()[i-1].ref()).n <= mergeBelow {
			c.fail("two neighbours of level %d have few items, but were not merged", level-1)
		}
		switch {
		case level == 0:
			if it.room() != arena.UsableSize(it.size()) {
				c.fail("an inner node of %d bytes has a block of %d", it.size(), it.room())
			}
			c.node(end{item: it})
		case c.block(it.ref(), level-1, false) != n:
			c.fail("an item of level %d does not say how many elements are below it", level)
		}
		below += n
	}
	return below
}
