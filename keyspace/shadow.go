package keyspace

// A shadow is a second data set beside the one that is served, in the same arena, with
// the same shards and the same hash function: what a primary sends is loaded there, and
// then takes the place of everything at once (Adopt), or goes (DiscardAll), as the shadow
// pages of a database do. Both hand over whole heaps: it takes a step for each shard and
// database, and one for each key that somebody watches or waits for, but none for a key.
//
// What clients hold of the data outlives the change: they name keys, or places in hash
// space, as a cursor of SCAN does, which both data sets have in common. So every key that
// is in both is still met by a SCAN that goes on.
//
// LIMITATIONS: statistics of memory by purpose leave out a shadow, until it is adopted.

import "dozo/internal/invariants"

// NewShadow makes an empty keyspace that this one may adopt. Nobody has it but its maker,
// so it takes no locks: who loads it sees to it that each shard has one goroutine at a
// time. It is of no use once it has been adopted or discarded, and one of the two must
// happen before the keyspace is closed.
func (ks *Keyspace) NewShadow() *Keyspace {
	s := &Keyspace{
		arena: ks.arena, shards: make([]shard, len(ks.shards)), shardBits: ks.shardBits, seed: ks.seed,
		databases: ks.databases, newRand: ks.newRand, solo: true, kit: ks.kit, hasher: ks.hasher,
	}
	s.begin(*ks.Limits())
	return s
}

// Adopt has the content of a shadow take the place of all there is. Exclusive mode only.
// Who watches a key is told as by a flush and by what comes, who waits for one is served
// if it is there now. What there was before is freed later, see graves.go, unless a
// snapshot is being taken of it: then, when that does not need it any more.
func (v *View) Adopt(s *Keyspace) {
	if invariants.Enabled {
		invariants.Check(s.arena == v.ks.arena && s.seed == v.ks.seed && len(s.shards) == len(v.ks.shards) && s.databases == v.ks.databases,
			"a keyspace is adopted that is no shadow of this one")
	}
	kept := v.ks.barrier != nil && v.ks.barrier.TakeAll(s)
	for i := range v.ks.shards {
		sh, with := &v.ks.shards[i], &s.shards[i]
		for k, list := range sh.watched {
			v.replaced(list, k.key, sh.dbs[k.db], with.dbs[k.db])
		}
		v.ks.exchange(sh, with)
		v.noteReplaced(sh)
		if kept && with.apart == 0 { // else much of the heap is the snapshot's already
			s.apart.Add(with.heap.Used())
		}
	}
	if kept {
		v.ks.CountApart(s.apart.Load())
	} else {
		v.DiscardAll(s)
	}
}

// exchange gives a shard the content of a shadow's, and that its own. What lies buried in
// the heap that leaves goes with it.
func (ks *Keyspace) exchange(sh, with *shard) {
	sh.heap, with.heap = with.heap, sh.heap
	sh.dbs, with.dbs = with.dbs, sh.dbs
	sh.apart, with.apart = with.apart, sh.apart
	sh.heap.SetPublishStep(ks.publishStep(ks.limits.Load()))
	if sh.left == nil && with.left == nil {
		return
	}
	left, come := sh.graves(), with.graves()
	ks.buried.Add(int64(come.count() - len(left.values) - len(left.bases)))
	left.values, left.bases, left.heaps = come.values, come.bases, append(left.heaps, come.heaps...)
	if with.left = nil; left.count() == 0 {
		sh.left = nil
	}
}

// DiscardAll frees a shadow in the background, or what a keyspace had before it has adopted
// one. It takes the shards one by one, or none if v runs alone. To discard twice what a
// snapshot had does no harm.
func (v *View) DiscardAll(s *Keyspace) {
	v.ks.CountApart(-s.apart.Swap(0))
	for i := range s.shards {
		v.roam(i, func(sh *shard) { v.discard(sh, &s.shards[i]) })
	}
}

func (v *View) discard(sh, gone *shard) {
	if gone.heap == nil {
		return
	}
	for _, d := range gone.dbs {
		if d != nil {
			v.Stats.LazyFreed += int64(d.table.Len())
		}
	}
	gone.heap.Abandon()
	left := sh.graves()
	left.heaps = append(left.heaps, gone.heap)
	v.ks.buried.Add(1)
	gone.heap, gone.dbs, gone.left = nil, nil, nil
}
