package stream

import (
	"unsafe"

	"dozo/arena"
)

// NoEntriesRead is the number of entries that a group has read when it is not known.
const NoEntriesRead = -1

// groupBlock is a consumer group; its name follows.
type groupBlock struct {
	named
	last      ID
	read      int64
	pending   indexRoot // of all consumers: the Refs of pendingBlocks
	consumers directory
	used      int64 // bytes of the group with all that is in it
}

// consumerBlock is a consumer; its name follows. It never moves, since the entries
// that are pending for it know it by its Ref.
type consumerBlock struct {
	named
	seen    int64
	active  int64
	pending indexRoot
}

const (
	groupFixed    = int(unsafe.Sizeof(groupBlock{}))
	consumerFixed = int(unsafe.Sizeof(consumerBlock{}))
)

// NoActivity is the active time of a consumer that was never given an entry.
const NoActivity = -1

// Group is a consumer group. It is good until the group is destroyed.
type Group struct {
	space
	p *groupBlock
	r arena.Ref
}

// Consumer is one of a group's. It is good until the consumer is deleted.
type Consumer struct {
	space
	p *consumerBlock
	r arena.Ref
}

func (s *Stream) group(r arena.Ref) Group {
	p := (*groupBlock)(s.arena.Ptr(r))
	return Group{space{s.heap, s.arena, &p.used}, p, r}
}

func (g *Group) consumer(r arena.Ref) Consumer {
	return Consumer{g.space, (*consumerBlock)(g.arena.Ptr(r)), r}
}

// Groups is the number of groups.
func (s *Stream) Groups() int { return int(s.h.groups.count) }

// GroupAt is the i-th group in the order of the names.
func (s *Stream) GroupAt(i int) Group { return s.group(s.list(&s.h.groups)[i]) }

// Group finds a group.
func (s *Stream) Group(name []byte) (Group, bool) {
	i, ok := s.search(&s.h.groups, name)
	if !ok {
		return Group{}, false
	}
	return s.GroupAt(i), true
}

// CreateGroup makes a group that has read up to last; false if there is one of this
// name, which is what it returns then.
func (s *Stream) CreateGroup(name []byte, last ID, entriesRead int64) (Group, bool) {
	i, found := s.search(&s.h.groups, name)
	if found {
		return s.GroupAt(i), false
	}
	r := s.allocNamed(groupFixed, name)
	n := int64(arena.UsableSize(groupFixed + len(name)))
	s.h.used -= n // the group counts itself
	s.enter(&s.h.groups, i, r)
	g := s.group(r)
	g.p.used, g.p.last, g.p.read = n, last, entriesRead
	return g, true
}

// Name is the group's name, in place.
func (g *Group) Name() []byte { return g.p.name() }

// LastID is the last ID that was delivered.
func (g *Group) LastID() ID { return g.p.last }

// EntriesRead is how many entries the group has read, NoEntriesRead if that is not
// known.
func (g *Group) EntriesRead() int64 { return g.p.read }

// SetID is XGROUP SETID.
func (g *Group) SetID(last ID, entriesRead int64) { g.p.last, g.p.read = last, entriesRead }

// SetLastID is XCLAIM's LASTID, if it is later than what is known.
func (g *Group) SetLastID(last ID) bool {
	if !g.p.last.Less(last) {
		return false
	}
	g.p.last = last
	return true
}

// Consumers is the number of consumers.
func (g *Group) Consumers() int { return int(g.p.consumers.count) }

// ConsumerAt is the i-th consumer in the order of the names.
func (g *Group) ConsumerAt(i int) Consumer { return g.consumer(g.list(&g.p.consumers)[i]) }

// Consumer finds a consumer.
func (g *Group) Consumer(name []byte) (Consumer, bool) {
	i, ok := g.search(&g.p.consumers, name)
	if !ok {
		return Consumer{}, false
	}
	return g.ConsumerAt(i), true
}

// CreateConsumer makes a consumer that is seen now and was never active; false if
// there is one of this name, which is what it returns then, unchanged.
func (g *Group) CreateConsumer(name []byte, nowMs int64) (Consumer, bool) {
	i, found := g.search(&g.p.consumers, name)
	if found {
		return g.ConsumerAt(i), false
	}
	r := g.allocNamed(consumerFixed, name)
	g.enter(&g.p.consumers, i, r)
	c := g.consumer(r)
	c.p.seen, c.p.active = nowMs, NoActivity
	return c, true
}

// DeleteConsumer takes a consumer away with all that is pending for it, and tells how
// many entries that was. It costs some searches for each entry of the consumer, or for
// each of the others if they have less: then there is a rest.
func (g *Group) DeleteConsumer(c Consumer) (n int, rest Stream) {
	n = c.Pending()
	i, _ := g.search(&g.p.consumers, c.Name())
	if n > restMin && n > g.Pending()-n {
		return n, g.takeConsumer(i, c)
	}
	x := g.index()
	own := c.index()
	for own.dropLeaf(func(v *pair) {
		x.remove(v.key)
		g.freePending(arena.Ref(v.value))
	}) > 0 {
	}
	g.strike(&g.p.consumers, i)
	g.free(c.r, c.p.size())
	return n, rest
}

// Name is the consumer's name, in place.
func (c *Consumer) Name() []byte { return c.p.name() }

// SeenMs is when the consumer last tried something.
func (c *Consumer) SeenMs() int64 { return c.p.seen }

// SetSeenMs changes it.
func (c *Consumer) SetSeenMs(ms int64) { c.p.seen = ms }

// ActiveMs is when the consumer last was given something, NoActivity if never.
func (c *Consumer) ActiveMs() int64 { return c.p.active }

// SetActiveMs changes it.
func (c *Consumer) SetActiveMs(ms int64) { c.p.active = ms }

// Is tells whether both are the same consumer.
func (c *Consumer) Is(other Consumer) bool { return c.r == other.r }

// rangeHasTombstones tells whether an entry from start on was deleted by Delete.
func (s *Stream) rangeHasTombstones(start ID) bool {
	st := &s.h.state
	if st.Length == 0 || st.MaxDeletedID.IsZero() || st.MaxDeletedID.Less(st.First) {
		return false
	}
	return !st.MaxDeletedID.Less(start)
}

// EntriesReadAt is how many entries were ever added up to id, NoEntriesRead where
// that is not to be known: between the first and the last entry, after the last, or
// where entries were deleted.
func (s *Stream) EntriesReadAt(id ID) int64 {
	st := &s.h.state
	switch {
	case st.Added == 0:
		return 0
	case id == st.Last, st.Length == 0 && id.Less(st.Last):
		return int64(st.Added)
	case st.Last.Less(id):
		return NoEntriesRead
	case !st.MaxDeletedID.IsZero() && !st.MaxDeletedID.Less(st.First):
		return NoEntriesRead
	case id.Less(st.First):
		return int64(st.Added - st.Length)
	case id == st.First:
		return int64(st.Added - st.Length + 1)
	}
	return NoEntriesRead
}

// Lag is how many entries the group has not read yet; false if it is not known.
func (s *Stream) Lag(g *Group) (int64, bool) {
	added := int64(s.h.state.Added)
	if added == 0 {
		return 0, true
	}
	read := g.p.read
	if read == NoEntriesRead || s.rangeHasTombstones(g.p.last) {
		read = s.EntriesReadAt(g.p.last)
	}
	return added - read, read != NoEntriesRead
}

// Advance notes that the group was given the entry id, if it is later than all that
// it was given.
func (s *Stream) Advance(g *Group, id ID) bool {
	if !g.p.last.Less(id) {
		return false
	}
	if g.p.read != NoEntriesRead && !s.rangeHasTombstones(id) {
		g.p.read++
	} else if s.h.state.Added != 0 {
		g.p.read = s.EntriesReadAt(id)
	}
	g.p.last = id
	return true
}
