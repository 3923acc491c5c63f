package keyspace

// A large value has an element for each member, field or node, a database has keys,
// and freeing millions of them takes longer than any client should have to wait. So
// what goes, in whatever way, is left in its shard's graveyard, from where the
// executors free a little of it between commands:
//
//   - the inside of a large value whose key goes. One with many elements, or long ones,
//     has a part of the heap to itself (object/own.go), which needs a step for each of
//     its slabs and counts as free at once;
//   - the keys of a database that is flushed while others in the shard have keys;
//   - the heap of a shard that is left without keys by a flush: it needs no step for
//     each block, only for each slab, and its bytes count as free at once. (Not while
//     something in it is a snapshot's: then its databases go as above.)
//
// Whether DEL or UNLINK was called, or ASYNC given, makes no difference to that:
// nobody can tell, but for the memory, which comes back a little later.

import (
	"math"
	"slices"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/container/wheel"
	"dozo/internal/invariants"
	"dozo/object"
)

// graveShare is how many elements are freed with one shard held: some 20 us.
const graveShare = 64

const (
	// slabsAtOnce is how much of a heap is given back by the flush itself: more than
	// a shard with few keys has.
	slabsAtOnce = 16
	// flushesKept is how many flushes may wait to be freed in a shard. Who flushes
	// faster than that frees some at once, so that memory does not grow without bound.
	flushesKept = 4
)

// graveyard is what a shard still has to free.
type graveyard struct {
	values []object.Grave
	bases  []flushedBase
	heaps  []*arena.Heap
}

// flushedBase is what is left of a shard's part of a database.
type flushedBase struct {
	keys  hashtable.Remains
	wheel wheel.Wheel
}

// graves is the shard's graveyard.
func (sh *shard) graves() *graveyard {
	if sh.left == nil {
		sh.left = new(graveyard)
	}
	return sh.left
}

// count is how many things there are in a graveyard.
func (g *graveyard) count() int {
	if g == nil {
		return 0
	}
	return len(g.values) + len(g.bases) + len(g.heaps)
}

// bury keeps what is left of a value, if there is anything.
func (ks *Keyspace) bury(sh *shard, g object.Grave) {
	if part := g.Part(); part != 0 && sh.left != nil {
		ks.dropGraves(sh, part)
	}
	if g.Len() > 0 {
		left := sh.graves()
		left.values = append(left.values, g)
		ks.buried.Add(1)
	}
}

// dropGraves forgets what is buried within a part of the heap that goes as a whole.
func (ks *Keyspace) dropGraves(sh *shard, part arena.Ref) {
	before := len(sh.left.values)
	sh.left.values = slices.DeleteFunc(sh.left.values, func(g object.Grave) bool { return g.Within() == part })
	ks.buried.Add(int64(len(sh.left.values) - before))
}

// moveGraves takes what is buried within a part of a shard's heap to another shard,
// which the part has moved to.
func (ks *Keyspace) moveGraves(from, to *shard, old, part arena.Ref) {
	if from.left == nil {
		return
	}
	for _, g := range from.left.values {
		if g.Within() == old {
			g.SetWithin(part)
			ks.bury(to, g)
		}
	}
	ks.dropGraves(from, old)
}

// Bury keeps what a command has taken out of the value of a key, which is still there,
// to be freed later.
func (v *View) Bury(key []byte, g object.Grave) {
	sh, _, _, slot := v.locate(v.DB, key)
	if slot.Ok() {
		g.Settle(entry.At(v.ks.arena, slot.Ref()))
	}
	v.ks.bury(sh, g)
}

// buryBase keeps a shard's part of a database, whose place is free then.
func (ks *Keyspace) buryBase(sh *shard, db int) {
	d := sh.dbs[db]
	if sh.dbs[db] = nil; d != nil {
		ks.buryDatabase(sh, d)
	}
}

func (ks *Keyspace) buryDatabase(sh *shard, d *database) {
	left := sh.graves()
	left.bases = append(left.bases, flushedBase{d.table.Remains(), d.wheel})
	ks.buried.Add(1)
	if len(left.bases) > flushesKept {
		(&View{ks: ks}).freeBase(sh, math.MaxInt)
	}
}

// buryHeap keeps the shard's heap with all that is in it, also what was buried, and
// gives the shard a new one. It says how many keys went.
func (ks *Keyspace) buryHeap(sh *shard) (keys int) {
	for db, d := range sh.dbs {
		if d != nil {
			keys += d.table.Len()
			sh.dbs[db] = nil
		}
	}
	left := sh.graves()
	ks.buried.Add(-int64(left.count()))
	left.values, left.bases = nil, nil
	if sh.heap.Abandon(); sh.heap.CloseSome(slabsAtOnce) {
		left.heaps = append(left.heaps, sh.heap)
	}
	for len(left.heaps) > flushesKept {
		left.freeHeap(math.MaxInt)
	}
	if ks.buried.Add(int64(left.count())); left.count() == 0 {
		sh.left = nil
	}
	sh.heap = ks.arena.NewHeap()
	sh.heap.SetPublishStep(ks.publishStep(ks.limits.Load()))
	return keys
}

// Graves is how many values, databases and heaps are still to be freed.
func (ks *Keyspace) Graves() int64 { return ks.buried.Load() }

// FreeGraves frees about n elements of what is buried in the shards of one executor
// (every step-th from first), and tells whether there are more. No shard is held by
// the caller.
func (v *View) FreeGraves(first, step, n int) (more bool) {
	if invariants.Enabled {
		v.mustBeInside("graves are freed")
	}
	if v.ks.Graves() == 0 {
		return false
	}
	for i := first; i < len(v.ks.shards); i += step {
		left := true
		for left && n > 0 {
			v.roam(i, func(sh *shard) {
				n -= v.freeGrave(sh, min(n, graveShare))
				left = sh.left != nil
			})
		}
		if n <= 0 {
			return true // there may be some
		}
	}
	return false
}

// freeGrave frees about n elements of the shard, and says how many it were.
func (v *View) freeGrave(sh *shard, n int) (done int) {
	left := sh.left
	if left == nil {
		return 0
	}
	switch {
	case len(left.values) > 0:
		done = v.freeValue(sh, n)
	case len(left.bases) > 0:
		done = v.freeBase(sh, n)
	case len(left.heaps) > 0:
		before := len(left.heaps)
		done = left.freeHeap(n)
		v.ks.buried.Add(int64(len(left.heaps) - before))
	}
	if left.count() == 0 {
		sh.left = nil
	}
	return done
}

// freeValue frees about n elements of the last value.
func (v *View) freeValue(sh *shard, n int) (done int) {
	left := sh.left
	last := len(left.values) - 1
	g := &left.values[last]
	if done = g.FreeSome(sh.heap, n); g.Len() == 0 {
		*g = object.Grave{}
		left.values = left.values[:last]
		v.ks.buried.Add(-1)
		v.Stats.LazyFreed++
	}
	return done
}

// freeBase frees about n keys of the last database; what is large of their values is
// buried in turn.
func (v *View) freeBase(sh *shard, n int) (done int) {
	left := sh.left
	b := left.bases[len(left.bases)-1]
	left.bases = left.bases[:len(left.bases)-1]
	done, more := b.keys.FreeSome(sh.heap, n, func(ref arena.Ref) { v.ks.bury(sh, object.Free(sh.heap, ref)) })
	v.Stats.LazyFreed += int64(done)
	if more {
		left.bases = append(left.bases, b)
	} else {
		b.wheel.Free()
		v.ks.buried.Add(-1)
	}
	return done
}

// freeHeap gives back about n slabs of the last heap.
func (left *graveyard) freeHeap(n int) int {
	last := len(left.heaps) - 1
	if !left.heaps[last].CloseSome(n) {
		left.heaps[last] = nil
		left.heaps = left.heaps[:last]
	}
	return n
}

// freeAll frees everything that a shard has, for the end of the keyspace.
func (ks *Keyspace) freeAll(sh *shard) {
	for db := range sh.dbs {
		ks.buryBase(sh, db)
	}
	for v := (&View{ks: ks}); sh.left != nil; {
		v.freeGrave(sh, math.MaxInt)
	}
}
