package keyspace

// A large value has an element for each member, field or node, and freeing
// millions of them takes longer than any client should have to wait. So a key that
// goes, in whatever way, leaves the elements of a large value in its shard's
// graves, and the executors free a few of them between commands.
//
// Whether DEL or UNLINK was called makes no difference to that: nobody can tell,
// but for the memory, which comes back a little later. LIMITATIONS: FLUSHDB of one
// database among several frees all elements at once.

import "dozo/object"

// graveShare is how many elements are freed with one shard held: some 20 us.
const graveShare = 64

// bury keeps what is left of a value, if there is anything.
func (ks *Keyspace) bury(sh *shard, g object.Grave) {
	if g.Len() > 0 {
		sh.graves = append(sh.graves, g)
		ks.graves.Add(1)
	}
}

// Graves is how many deleted values are still to be freed.
func (ks *Keyspace) Graves() int64 { return ks.graves.Load() }

// FreeGraves frees about n elements of deleted values in the shards of one executor
// (every step-th from first), and tells whether there are more. No shard is held by
// the caller.
func (v *View) FreeGraves(first, step, n int) (more bool) {
	if v.ks.Graves() == 0 {
		return false
	}
	for i := first; i < len(v.ks.shards); i += step {
		left := true
		for left && n > 0 {
			v.roam(i, func(sh *shard) {
				n -= v.freeGrave(sh, min(n, graveShare))
				left = len(sh.graves) > 0
			})
		}
		if n <= 0 {
			return true // there may be some
		}
	}
	return false
}

// freeGrave frees about n elements of one value.
func (v *View) freeGrave(sh *shard, n int) (done int) {
	last := len(sh.graves) - 1
	if last < 0 {
		return 0
	}
	g := &sh.graves[last]
	if done = g.FreeSome(sh.heap, n); g.Len() == 0 {
		sh.graves[last] = object.Grave{}
		sh.graves = sh.graves[:last]
		v.ks.graves.Add(-1)
		v.Stats.LazyFreed++
	}
	return done
}
