package keyspace

// Lock sets and the exclusive mode.
//
// A command may touch only keys whose shards are held. Which those are follows
// from the key positions in its declaration, before it runs: one shard for one
// key, several for many, the union of the queue for EXEC. Shards are taken in
// ascending order, always, so two executors can never wait for each other in a
// circle. A handler cannot take a shard later: what it may touch is fixed.
//
// Three kinds of command do not fit that rule:
//
//   - Roaming (SCAN, RANDOMKEY): run with nothing held, and call functions
//     of this package that take one shard at a time. What they return was true
//     of each shard at some moment of the call, not of all at one moment.
//   - Exclusive (FLUSHALL, SWAPDB, KEYS): run while no other executor is inside a
//     command. The executors see to that (package server's gate), not the
//     shards' locks, so shards are not locked in this mode; BeginExclusive only
//     tells the invariants build that everything may be touched.
//   - Background work (expiry, eviction) is run by executors between commands
//     and takes one shard at a time like a roaming command.
//
// A roaming command inside EXEC would take shards while some are held, so EXEC
// becomes exclusive when its queue has one, and the functions for roaming know
// from the View not to lock.
//
// With a single executor nobody else is there to be kept out, so nothing is
// locked (Options.Loops = 1); the order of calls is the same, and the invariants
// build checks it the same.
//
// LIMITATIONS: a call whose keys cannot be known beforehand (SORT with BY or GET
// patterns, scripts without declared keys) must run alone, as if exclusive. Shards are
// fixed at start; two hot keys in one shard contend although they are distinct.

import (
	"math/bits"

	"dozo/internal/invariants"
)

// LockSet is a set of shards.
type LockSet struct{ words [ShardsMax / 64]uint64 }

// Add puts the shard of a key's hash in the set.
func (ks *Keyspace) Add(set *LockSet, hash uint64) {
	set.add(ks.shardOf(hash))
}

// Union adds all shards of other.
func (set *LockSet) Union(other *LockSet) {
	for i := range set.words {
		set.words[i] |= other.words[i]
	}
}

// Empty tells whether the set has no shard.
func (set *LockSet) Empty() bool { return *set == LockSet{} }

func (set *LockSet) add(shard int)  { set.words[shard>>6] |= 1 << (shard & 63) }
func (set *LockSet) drop(shard int) { set.words[shard>>6] &^= 1 << (shard & 63) }

// each calls fn for every shard of the set, in ascending order.
func (set *LockSet) each(fn func(shard int)) {
	for w, word := range set.words {
		for ; word != 0; word &= word - 1 {
			fn(w<<6 | bits.TrailingZeros64(word))
		}
	}
}

// Lock takes the shards of the set, in ascending order, for v, and adds to the set
// those that serving waiting clients may need beside them; see wait.go.
func (ks *Keyspace) Lock(v *View, set *LockSet) {
	for {
		ks.lockAll(v, set)
		held := *set
		if !ks.widen(set) {
			return
		}
		ks.Unlock(v, &held)
	}
}

func (ks *Keyspace) lockAll(v *View, set *LockSet) {
	for w, word := range set.words {
		for ; word != 0; word &= word - 1 {
			ks.lockShard(v, w<<6|bits.TrailingZeros64(word))
		}
	}
}

// Unlock gives back what Lock took.
func (ks *Keyspace) Unlock(v *View, set *LockSet) {
	for w, word := range set.words {
		for ; word != 0; word &= word - 1 {
			ks.unlockShard(v, w<<6|bits.TrailingZeros64(word))
		}
	}
}

// LockKey takes the shard of one key and returns its number for UnlockShard:
// the path of most commands.
func (ks *Keyspace) LockKey(v *View, hash uint64) int {
	i := ks.shardOf(hash)
	ks.lockShard(v, i)
	return i
}

// UnlockShard gives back what LockKey took.
func (ks *Keyspace) UnlockShard(v *View, i int) { ks.unlockShard(v, i) }

func (ks *Keyspace) lockShard(v *View, i int) {
	sh := &ks.shards[i]
	if !ks.solo {
		sh.mu.lock()
	}
	if invariants.Enabled {
		sh.holder = v
	}
}

func (ks *Keyspace) unlockShard(_ *View, i int) {
	sh := &ks.shards[i]
	if invariants.Enabled {
		sh.holder = nil
	}
	if !ks.solo {
		sh.mu.unlock()
	}
}

// BeginExclusive says that v runs alone until EndExclusive. The caller has
// stopped all other executors.
func (ks *Keyspace) BeginExclusive(v *View) { v.alone, ks.exclusive = true, v }

// EndExclusive ends what BeginExclusive began, before the others go on.
func (ks *Keyspace) EndExclusive(v *View) { v.alone, ks.exclusive = false, nil }

// roam runs fn with shard i held, unless everything is held already.
func (v *View) roam(i int, fn func(sh *shard)) {
	if v.alone {
		fn(&v.ks.shards[i])
		return
	}
	v.ks.lockShard(v, i)
	defer v.ks.unlockShard(v, i)
	fn(&v.ks.shards[i])
	if len(v.ready) != 0 {
		v.leaveReady()
	}
}

// mustBeInside reports background work that is done while another executor runs
// alone and takes no locks.
func (v *View) mustBeInside(what string) {
	if other := v.ks.exclusive; other != nil && other != v {
		invariants.Failf("%s while another executor runs alone", what)
	}
}

// mustHold reports a touch of a shard that the View does not hold.
func (v *View) mustHold(sh *shard, key []byte) {
	if sh.holder != v && v.ks.exclusive != v {
		invariants.Failf("key %q touched outside the lock set of %s", key, v.Doing)
	}
}
