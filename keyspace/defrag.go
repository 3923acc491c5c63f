package keyspace

// Active defragmentation. Each executor goes through its own shards, a step at a
// time between commands, as it does for expiry: a step holds one shard for some 20 us.
// In a shard it first has the heap choose the slabs that are to be emptied
// (arena.Heap.MarkSparse), and if there are any it walks through the databases and
// moves every block that lies in one of them: wheels, tables, keys, values. A large
// value has a part of the heap to itself: that is treated alike when the walk comes to
// it, and passed over if little of it is wasted.
//
// The walk through a table is that of SCAN: its place is a point in hash space, which
// nothing that happens between two steps can make wrong. What a step does not finish,
// a value with many elements, is noted by the hash of its key and gone on with, some
// elements a step, before the walk goes on. If the key is gone by then, or another one
// has come in its place, nothing happens that would do harm.
//
// Whoever refers to an entry does so by its key, or by its hash: those who watch it, the
// wheel's records, candidates for eviction. So only the table's slot has to be told,
// and for values what lies inside them (package object). A snapshot's barrier is not
// told: nothing changes.
//
// LIMITATIONS: what is left of deleted values (graves.go) stays where it is until it is
// freed, and so do blocks beyond 16 KiB, which share their memory with nobody.

import (
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/internal/invariants"
	"dozo/object"
)

const (
	// defragShare is how many blocks are looked at with a shard held.
	defragShare = 64
	// defragRecords is how many records of a wheel: they lie together.
	defragRecords = 2048
)

// defragPass is how far an executor's pass through its shards has come.
type defragPass struct {
	shard  int  // of the executor's own
	marked bool // the shard's slabs are chosen
	db     int
	tables bool   // the wheel of the database is done
	seen   int    // records of it
	cursor uint64 // in the table
	large  []largeValue
	slots  []hashtable.Slot // room for one step
	found  int              // slabs that were to be emptied
}

// largeValue is a value of which elements are left for the next steps.
type largeValue struct {
	db   int
	hash uint64 // of its key, in the shard's tables
	mark object.DefragMark
}

// BeginDefrag makes the next Defrag the first of a new pass.
func (v *View) BeginDefrag() { v.defrag.enter(0, 0) }

// enter makes a shard the next.
func (p *defragPass) enter(shard, found int) {
	*p = defragPass{shard: shard, found: found, large: p.large[:0], slots: p.slots[:0]}
}

// Defrag is one step of a pass through the shards of one executor (every step-th from
// first); it looks at no more than fields elements of a value. It tells whether there
// is more to do, and how many slabs the pass has found so far that can be emptied. No
// shard is held by the caller.
func (v *View) Defrag(first, step, fields int) (more bool, found int) {
	if invariants.Enabled {
		v.mustBeInside("defragmentation")
	}
	p := &v.defrag
	i := first + p.shard*step
	if i >= len(v.ks.shards) {
		return false, p.found
	}
	v.roam(i, func(sh *shard) { more = v.defragShard(sh, min(defragShare, fields)) })
	if !more {
		p.enter(p.shard+1, p.found)
	}
	return first+p.shard*step < len(v.ks.shards), p.found
}

// defragShard is one step in a shard; false when there are no more.
func (v *View) defragShard(sh *shard, n int) (more bool) {
	p := &v.defrag
	if !p.marked {
		marked, rest := sh.heap.MarkSparse()
		p.found += marked
		p.marked = !rest
		return rest || sh.heap.HasSparse() || sh.heap.HasParts()
	}
	if len(p.large) > 0 {
		v.defragLarge(sh, n)
		return true
	}
	for p.db < len(sh.dbs) {
		if d := sh.dbs[p.db]; d != nil && v.defragDatabase(sh, d, n) {
			return true
		}
		p.db, p.tables, p.seen, p.cursor = p.db+1, false, 0, 0
	}
	return len(p.large) > 0
}

// defragDatabase is one step in a shard's part of a database; false when it was the
// last.
func (v *View) defragDatabase(sh *shard, d *database, n int) (more bool) {
	p := &v.defrag
	if p.tables {
		v.defragKeys(sh, d, n)
		return p.cursor != 0
	}
	p.tables = true
	if d.hasWheel {
		seen, moved := d.wheel.MoveSparse(defragRecords)
		v.Stats.DefragHits += int64(moved)
		p.seen += seen
		p.tables = seen == 0 || p.seen >= d.wheel.Len()
	}
	return true
}

// defragKeys looks at some keys from the cursor on.
func (v *View) defragKeys(sh *shard, d *database, n int) {
	p := &v.defrag
	slots, next, moved, left := d.table.Gather(p.cursor, p.slots[:0], n/2)
	p.slots, p.cursor = slots, next
	m := object.Moves{Hits: int64(moved), Misses: int64(left)}
	for _, s := range slots {
		before := m.Hits
		c := v.cell(sh, s, entry.At(v.ks.arena, s.Ref()))
		c.Defrag(&m)
		big := largeValue{db: p.db}
		looked, done := c.DefragElements(&big.mark, n, &m)
		if n -= looked; !done {
			big.hash = v.ks.tableHash(c.Entry.Key())
			p.large = append(p.large, big)
		}
		v.countDefrag(m.Hits > before)
	}
	p.found += int(m.Found)
	v.Stats.DefragHits += m.Hits
	v.Stats.DefragMisses += m.Misses
}

// countDefrag counts a key of which blocks have moved, or not.
func (v *View) countDefrag(moved bool) {
	if moved {
		v.Stats.DefragKeyHits++
	} else {
		v.Stats.DefragKeyMisses++
	}
}

// defragLarge looks at some more elements of a large value.
func (v *View) defragLarge(sh *shard, n int) {
	p := &v.defrag
	last := len(p.large) - 1
	big := &p.large[last]
	done := true
	var m object.Moves
	if s := v.byHash(sh, big.db, big.hash); s.Ok() {
		c := v.cell(sh, s, entry.At(v.ks.arena, s.Ref()))
		_, done = c.DefragElements(&big.mark, n, &m)
	}
	if done {
		p.large = p.large[:last]
	}
	p.found += int(m.Found)
	v.Stats.DefragHits += m.Hits
	v.Stats.DefragMisses += m.Misses
}

// byHash is the slot of the key with a hash, if there is one.
func (v *View) byHash(sh *shard, db int, h uint64) (at hashtable.Slot) {
	d := sh.dbs[db]
	if d == nil {
		return at
	}
	d.table.Probe(h, 64, func(s hashtable.Slot) bool {
		if v.ks.tableHash(entry.At(v.ks.arena, s.Ref()).Key()) == h {
			at = s
		}
		return !at.Ok()
	})
	return at
}

// Fragmentation is what the shards of one executor (every step-th from first) have in
// use, and what is wasted around that in bytes. No shard is held by the caller.
func (v *View) Fragmentation(first, step int) (used, wasted int64) {
	for i := first; i < len(v.ks.shards); i += step {
		v.roam(i, func(sh *shard) {
			used += sh.heap.Used()
			wasted += sh.heap.Waste()
		})
	}
	return used, wasted
}

// Untouched is what all shards hold but have never handed out. Exclusive mode only.
func (ks *Keyspace) Untouched() (n int64) {
	for i := range ks.shards {
		n += ks.shards[i].heap.Untouched()
	}
	return n
}
