package snapshot

import (
	"fmt"
	"sync"
	"sync/atomic"

	"dozo/arena"
	"dozo/container/stream"
	"dozo/internal/invariants"
	"dozo/keyspace"
	"dozo/object"
	"dozo/rdb"
)

// Giants: values too large to be written down in one go.
//
// They are put aside when the walk comes to them, or when they are about to change, and
// written when all other keys have been, one at a time, in pieces: so their pieces lie
// together, as a file must have them, and nothing has to wait for them. Until its turn is
// over a giant goes on changing. What it had at the epoch is kept as for keys: before an
// element changes that has not been written, it is written to the side, and its name
// noted, so that it is passed over (elements.go); of lists and streams nodes are kept
// (list.go, stream.go), of strings chunks (string.go).
//
// The value may get another name, in another shard, or none: what is deleted or
// overwritten is taken from the keyspace as it is, and freed when it has been written.
//
// Which one is written is decided under the mutex of giants; the giant itself belongs to
// whoever holds its shard.

// giantFrom is how many elements a giant has at least. Fewer are written in one go. The
// invariants build meets more of them.
func giantFrom() int {
	if invariants.Enabled {
		return 32
	}
	return 512
}

// nodesShare is for lists and streams, whose nodes have a hundred elements.
const nodesShare = 32

// bytesShare is for strings, which are copied fast.
const bytesShare = 128

// isGiant tells whether a value is one. Only records have pieces.
func (p *part) isGiant(c *object.Cell) bool {
	from := p.s.opts.GiantFrom
	switch _, records := p.enc.(*rdb.Encoder); {
	case !records:
		return false
	case c.Type() == object.String:
		return c.Entry.IsOutside() && c.Len() >= from*bytesShare
	case !c.Large():
		return false
	}
	switch c.Type() {
	case object.List:
		return object.ListValue{Cell: c}.Nodes() >= from/nodesShare
	case object.Stream:
		s := object.StreamValue{Cell: c}.Open()
		return s.Nodes() >= from/nodesShare
	case object.ZSet:
		return object.ZSetValue{Cell: c}.Len() >= from
	case object.Set:
		return object.SetValue{Cell: c}.Len() >= from
	}
	return object.HashValue{Cell: c}.Size() >= from
}

// spotOf names a value where it is now: the database by its number at the epoch.
type spotOf struct {
	db  int
	key string
}

// giant is one of them.
type giant struct {
	s      *Snapshot
	db     int // at the epoch
	kit    object.Kit
	shard  atomic.Int32
	at     spotOf    // where it is, if it was not taken
	taken  arena.Ref // the entry, if it was
	word   uint64
	weight int64    // of what was taken, bytes
	from   *flushed // what it was taken with; nil: alone
	begun  bool
	over   bool
	pieces
}

// pieces is how the values of a type are written in pieces, and told of changes.
type pieces interface {
	object.Keeper
	// begin appends the beginning of the record.
	begin(dst []byte) []byte
	// next appends some more of the value, and tells whether that was all.
	next(dst []byte, c *object.Cell) (_ []byte, done bool)
	// counts are how many elements, nodes or bytes the beginning has announced, and how many
	// have been written.
	counts() (told, wrote int)
	// free gives back what was kept.
	free()
}

// giants is the list of them.
type giants struct {
	mu   sync.Mutex
	list []*giant
	turn int
}

// head is the one whose turn it is; nil: none is left.
func (gs *giants) head() *giant {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if gs.turn == len(gs.list) {
		return nil
	}
	return gs.list[gs.turn]
}

func (gs *giants) add(g *giant) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	gs.list = append(gs.list, g)
}

// putAside makes a giant of a value as it is now. The part's shard is held.
func (p *part) putAside(v *keyspace.View, b *base, key []byte, c *object.Cell) *giant {
	g := &giant{s: p.s, db: b.db, at: spotOf{b.db, string(key)}}
	g.shard.Store(int32(p.shard))
	head := &rdb.RecordHead{Key: []byte(g.at.key), Deadline: c.Entry.Deadline()}
	head.Idle, head.Freq = v.Aging(c.Entry)
	enc := p.enc.(*rdb.Encoder)
	switch c.Type() {
	case object.String:
		g.pieces = newStringPieces(enc, head, c.Len(), p.s.opts.GiantFrom*bytesShare)
	case object.List:
		g.pieces = newListPieces(enc, head, object.ListValue{Cell: c})
	case object.Stream:
		g.pieces = newStreamPieces(enc, head, object.StreamValue{Cell: c})
	case object.ZSet:
		g.pieces = newZSetPieces(p.s, enc, head, object.ZSetValue{Cell: c})
	case object.Set:
		g.pieces = newSetPieces(p.s, enc, head, object.SetValue{Cell: c})
	default:
		g.pieces = newHashPieces(p.s, enc, head, object.HashValue{Cell: c, Now: p.s.epoch})
	}
	g.kit = p.s.ks.Kit(g.pieces)
	if b.flushed != nil {
		g.taken, g.from = c.Slot.Ref(), b.flushed
		g.from.users++
	} else {
		p.own(g)
	}
	p.s.giants.add(g)
	return g
}

// own notes a giant that lies in the part's shard.
func (p *part) own(g *giant) {
	if p.giants == nil {
		p.giants = make(map[spotOf]*giant)
	}
	p.giants[g.at] = g
}

// giantAt is the giant that a key holds now, if it is one that is not written yet.
func (p *part) giantAt(db int, key []byte) *giant {
	if len(p.giants) == 0 {
		return nil
	}
	return p.giants[spotOf{db, string(key)}]
}

// Take takes a giant that is to be freed. (keyspace.Barrier)
func (s *Snapshot) Take(v *keyspace.View, shard, db int, key []byte, ref arena.Ref) bool {
	if s.former != nil {
		return false
	}
	p := &s.parts[shard]
	g := p.giantAt(s.was[db], key)
	if g == nil {
		return false
	}
	delete(p.giants, g.at)
	g.taken, g.weight = ref, v.TakenUsage(shard, ref)
	s.ks.CountApart(g.weight)
	return true
}

// Moved follows a giant to another name. (keyspace.Barrier)
func (s *Snapshot) Moved(shard, db int, key []byte, toShard, toDB int, to []byte) {
	if s.former != nil {
		return
	}
	p := &s.parts[shard]
	g := p.giantAt(s.was[db], key)
	if g == nil {
		return
	}
	delete(p.giants, g.at)
	g.at = spotOf{s.was[toDB], string(to)}
	g.shard.Store(int32(toShard))
	s.parts[toShard].own(g)
}

// walkGiants writes on at the giants that lie in the shards of one executor, about n
// bytes, and tells whether there is more to do at once.
func (s *Snapshot) walkGiants(v *keyspace.View, first, step, n int) (more bool) {
	for n > 0 {
		if s.over.Load() || s.queue.full() {
			return false
		}
		g := s.giants.head()
		if g == nil {
			s.finish(v)
			return false
		}
		i := int(g.shard.Load())
		if i%step != first {
			return false
		}
		s.hold(v, i, func(h keyspace.Held) {
			if int(g.shard.Load()) == i { // else it has just moved
				n -= g.write(h)
			}
		})
	}
	return true
}

// write writes on at a giant whose shard is held, and says how much it was.
func (g *giant) write(h keyspace.Held) int {
	if g.over {
		return 0
	}
	out := g.s.queue.buffer()
	if !g.begun {
		out, g.begun = g.begin(out), true
	}
	c := g.cell(h)
	if !c.Ok() {
		g.s.Cancel(fmt.Errorf("the value of %q went without a word", g.at.key))
		return bucketCost
	}
	for len(out) < walkShare && !g.over {
		out, g.over = g.next(out, &c)
	}
	n, keys := len(out), 0
	if g.over {
		keys = 1
		g.check(&c)
	}
	g.s.queue.add(&Chunk{DB: g.db, Keys: keys, Records: out})
	if g.over { // not before: the next one's beginning must lie behind it
		g.leave(h)
	}
	return n + bucketCost
}

// check ends a snapshot that would have a value of which something is missing, or there
// twice: that is a fault of ours, and a file that nobody can load helps no one.
func (g *giant) check(c *object.Cell) {
	if told, wrote := g.counts(); told != wrote {
		if invariants.Enabled {
			invariants.Failf("snapshot: %v %q had %d elements, %d are written", c.Type(), g.at.key, told, wrote)
		}
		g.s.Cancel(fmt.Errorf("broken invariant: the value of %q (%v) had %d elements, nodes or bytes, and %d would be written. Please report this", g.at.key, c.Type(), told, wrote))
	}
}

// cell is the value where it is.
func (g *giant) cell(h keyspace.Held) object.Cell {
	if g.taken != 0 {
		return h.Taken(g.taken, &g.word)
	}
	return h.Find(g.s.now[g.at.db], []byte(g.at.key))
}

// leave ends a giant's turn. Its shard is held.
func (g *giant) leave(h keyspace.Held) {
	g.drop(h)
	g.s.keys.Add(1)
	gs := &g.s.giants
	gs.mu.Lock()
	defer gs.mu.Unlock()
	gs.list[gs.turn] = nil
	gs.turn++
}

// drop gives back what a giant has. Its shard is held.
func (g *giant) drop(h keyspace.Held) {
	g.free()
	switch {
	case g.from != nil:
		g.from.release(h)
		return
	case g.taken != 0:
		h.Release(g.taken)
		g.s.ks.CountApart(-g.weight)
		g.taken = 0
		return
	}
	delete(g.s.parts[g.shard.Load()].giants, g.at)
}

// dropGiants gives back what giants have that were not written. No other executor runs.
func (s *Snapshot) dropGiants(v *keyspace.View) {
	for _, g := range s.giants.list[s.giants.turn:] {
		s.hold(v, int(g.shard.Load()), g.drop)
	}
	s.giants.turn = len(s.giants.list)
}

// noKeeper is for pieces that are not told of what other types have.
type noKeeper struct{}

// Element, Splice and Node implement object.Keeper.
func (noKeeper) Element(object.Cell, []byte) {}

// Splice does nothing.
func (noKeeper) Splice(object.Cell, int, int, int) {}

// Node does nothing.
func (noKeeper) Node(object.Cell, stream.ID) {}

// Bytes does nothing.
func (noKeeper) Bytes(object.Cell, int, int) {}
