package stream

import (
	"unsafe"

	"dozo/arena"
)

// pendingBlock is an entry that was delivered and not acknowledged. It is the value
// both in the group's index and in the consumer's.
type pendingBlock struct {
	delivered int64
	count     uint64
	consumer  arena.Ref
}

const pendingBytes = int(unsafe.Sizeof(pendingBlock{}))

// Pending is a pending entry of a group. It is good until it is acknowledged.
type Pending struct {
	ID ID
	p  *pendingBlock
	r  arena.Ref
	g  Group
}

// DeliveredMs is when the entry was last delivered.
func (n *Pending) DeliveredMs() int64 { return n.p.delivered }

// SetDeliveredMs changes it.
func (n *Pending) SetDeliveredMs(ms int64) { n.p.delivered = ms }

// Deliveries is how many times the entry was delivered.
func (n *Pending) Deliveries() uint64 { return n.p.count }

// SetDeliveries changes it.
func (n *Pending) SetDeliveries(count uint64) { n.p.count = count }

// Owned tells whether there is a Consumer: only while a group is being loaded there
// may be none.
func (n *Pending) Owned() bool { return n.p.consumer != 0 }

// Consumer is who has the entry.
func (n *Pending) Consumer() Consumer { return n.g.consumer(n.p.consumer) }

func (g *Group) index() index { return index{g.space, &g.p.pending} }

func (c *Consumer) index() index { return index{c.space, &c.p.pending} }

func (g *Group) pending(v *pair) Pending {
	r := arena.Ref(v.value)
	return Pending{v.key, (*pendingBlock)(g.arena.Ptr(r)), r, *g}
}

func (g *Group) freePending(r arena.Ref) { g.free(r, pendingBytes) }

// Pending is the number of pending entries of the group.
func (g *Group) Pending() int { return int(g.p.pending.count) }

// Pending is the number of pending entries of the consumer.
func (c *Consumer) Pending() int { return int(c.p.pending.count) }

// Lookup finds a pending entry.
func (g *Group) Lookup(id ID) (Pending, bool) {
	x := g.index()
	s := x.find(id)
	if !s.ok() {
		return Pending{}, false
	}
	return g.pending(s.pair()), true
}

// Deliver notes that the entry was given to a consumer who has not had it: it is
// pending for it, delivered once, and for nobody else.
func (g *Group) Deliver(c *Consumer, id ID, nowMs int64) Pending {
	n, _ := g.Claim(c, id)
	n.p.delivered, n.p.count = nowMs, 1
	c.p.active = nowMs
	return n
}

// Claim makes an entry pending for the consumer, whoever had it. When nobody had,
// created is true, and the entry has been delivered once, at time 0. Time and count
// are the caller's to change.
func (g *Group) Claim(c *Consumer, id ID) (n Pending, created bool) {
	n, found := g.Lookup(id)
	if !found {
		n = g.addPending(id)
	}
	if n.p.consumer == c.r {
		return n, false
	}
	own := c.index()
	if n.p.consumer != 0 {
		was := g.consumer(n.p.consumer)
		old := was.index()
		old.remove(id)
	}
	n.p.consumer = c.r
	own.insert(id, uint64(n.r))
	return n, !found
}

// addPending makes an entry pending for nobody.
func (g *Group) addPending(id ID) Pending {
	r := g.alloc(pendingBytes)
	p := (*pendingBlock)(g.arena.Ptr(r))
	*p = pendingBlock{count: 1}
	x := g.index()
	x.insert(id, uint64(r))
	return Pending{id, p, r, *g}
}

// Ack takes an entry off; false if it was not pending.
func (g *Group) Ack(id ID) bool {
	x := g.index()
	r, ok := x.remove(id)
	if !ok {
		return false
	}
	if n := (*pendingBlock)(g.arena.Ptr(arena.Ref(r))); n.consumer != 0 {
		c := g.consumer(n.consumer)
		own := c.index()
		own.remove(id)
	}
	g.freePending(arena.Ref(r))
	return true
}

// PendingIterator goes through pending entries in the order of their IDs:
//
//	for it := g.PendingFrom(start); it.Next(); {
//		n := &it.Pending
//
// Entries must not be acknowledged or claimed meanwhile; to go on after that, make
// one that starts at the ID.Next of the last entry.
type PendingIterator struct {
	Pending Pending
	g       Group
	x       index
	at      spot
	from    ID
	begun   bool
}

// PendingFrom is an iterator over the group's entries from an ID on.
func (g *Group) PendingFrom(id ID) PendingIterator {
	return PendingIterator{g: *g, x: g.index(), from: id}
}

// PendingOf is an iterator over those of one consumer.
func (g *Group) PendingOf(c *Consumer, id ID) PendingIterator {
	return PendingIterator{g: *g, x: c.index(), from: id}
}

// Next goes to the next entry; false if there is none.
func (it *PendingIterator) Next() bool {
	if !it.begun {
		it.begun = true
		it.at = it.x.ceil(it.from)
	} else if it.at.ok() {
		it.at = it.x.after(it.at)
	}
	if !it.at.ok() {
		return false
	}
	it.Pending = it.g.pending(it.at.pair())
	return true
}

// PendingRange is the first and the last pending ID of the group, which must have
// pending entries.
func (g *Group) PendingRange() (first, last ID) {
	x := g.index()
	return x.ceil(ID{}).pair().key, x.last().pair().key
}

// AutoClaim are the arguments of XAUTOCLAIM.
type AutoClaim struct {
	From      ID
	MinIdleMs int64
	Count     int // entries claimed and deleted, at the most
	JustID    bool
}

// attemptsFactor is how many entries are looked at for each that may be claimed.
const attemptsFactor = 10

// AutoClaim gives entries that have been idle to a consumer, and takes off those
// whose entry is no longer in the stream; visit is told of either, after the one and
// before the other. It must not change the stream. next is where to go on, 0-0 at
// the end.
func (s *Stream) AutoClaim(g *Group, c *Consumer, o AutoClaim, nowMs int64, visit func(n *Pending, deleted bool)) (next ID) {
	x := g.index()
	at := x.ceil(o.From)
	left := o.Count
	for attempts := o.Count * attemptsFactor; attempts > 0 && left > 0 && at.ok(); attempts-- {
		n := g.pending(at.pair())
		if !s.Exists(n.ID) {
			visit(&n, true)
			g.Ack(n.ID)
			at = x.ceil(n.ID)
			left--
			continue
		}
		if o.MinIdleMs == 0 || nowMs-n.p.delivered >= o.MinIdleMs {
			g.take(c, &n, o.JustID, nowMs)
			visit(&n, false)
			left--
		}
		at = x.after(at)
	}
	if !at.ok() {
		return ID{}
	}
	return at.pair().key
}

// take is Claim for an entry that is pending, as XAUTOCLAIM does it.
func (g *Group) take(c *Consumer, n *Pending, justID bool, nowMs int64) {
	*n, _ = g.Claim(c, n.ID)
	n.p.delivered = nowMs
	if !justID {
		n.p.count++
	}
	c.p.active = nowMs
}
