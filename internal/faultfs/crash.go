package faultfs

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
)

// CrashClone is a disk that holds what a power loss at this moment leaves; what
// is not certain is drawn from the seed. The disk itself goes on.
func (m *Mem) CrashClone(seed uint64) *Mem {
	return m.clone(rand.New(rand.NewPCG(seed, 0xc4a54)))
}

// KeepAll is a disk with everything on it, as after a process that ended while
// the machine went on: all that was written is there, synced or not.
func (m *Mem) KeepAll() *Mem { return m.clone(nil) }

func (m *Mem) clone(rnd *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &crash{rnd: rnd, nodes: map[*node]*node{}}
	after := New()
	after.capacity, after.now = m.capacity, m.now
	after.root = c.copy(m.root)
	for _, op := range m.names {
		if rnd != nil && rnd.IntN(2) == 0 {
			continue
		}
		op.from.dir, op.to.dir, op.node = c.known(op.from.dir), c.known(op.to.dir), c.copy(op.node)
		op.apply(func(d *node) map[string]*node { return d.kept })
	}
	for _, n := range c.order {
		n.settle(after)
	}
	return after
}

// crash copies nodes; rnd is nil if nothing is lost.
type crash struct {
	rnd   *rand.Rand
	nodes map[*node]*node
	order []*node
}

// copy is the node as the crash leaves it; each is copied once.
func (c *crash) copy(n *node) *node {
	if done := c.nodes[n]; done != nil {
		return done
	}
	clone := &node{dir: n.dir, mode: n.mode, at: n.at}
	c.nodes[n] = clone
	c.order = append(c.order, clone)
	if !n.dir {
		clone.durable = c.content(n)
		return clone
	}
	clone.kept = map[string]*node{}
	for _, name := range slices.SortedFunc(maps.Keys(n.kept), cmp.Compare[string]) {
		clone.kept[name] = c.copy(n.kept[name])
	}
	return clone
}

// known is the copy of a folder that a name belongs to.
func (c *crash) known(dir *node) *node {
	if dir == nil {
		return nil
	}
	return c.copy(dir)
}

// content is what is left of a file.
func (c *crash) content(n *node) []byte {
	if c.rnd == nil {
		return slices.Clone(n.data)
	}
	left := slices.Clone(n.durable)
	if len(n.pending) == 0 {
		return left
	}
	happened := c.rnd.IntN(len(n.pending) + 1)
	for _, op := range n.pending[:happened] {
		left = op.apply(left)
	}
	if happened < len(n.pending) {
		if torn := n.pending[happened]; len(torn.data) > 0 {
			torn.data = torn.data[:c.rnd.IntN(len(torn.data))]
			left = torn.apply(left)
		}
	}
	if len(left) < len(n.data) && c.rnd.IntN(4) == 0 {
		left = append(left, make([]byte, len(n.data)-len(left))...)
	}
	return left
}

// settle makes what the crash left the state of a disk that starts anew.
func (n *node) settle(m *Mem) {
	if n.dir {
		n.entries = maps.Clone(n.kept)
		for _, e := range n.entries {
			if e.links++; e.links == 1 {
				m.used += int64(len(e.durable))
			}
		}
		return
	}
	n.data = slices.Clone(n.durable)
}
