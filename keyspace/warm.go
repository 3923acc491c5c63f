package keyspace

import "dozo/arena"

// Warming: several keys are looked up at once, so that the waits for memory
// overlap. Between one key and the next Redis, too, waits for memory most of its
// time when the data is larger than the caches.
//
// It takes a bit longer than it saves when everything is in the caches anyway, so
// callers ask Large first.

// warmMax is how many keys are warmed in one go: about as many loads as a
// processor core keeps under way.
const warmMax = 16

// largeBytes is where the data no longer fits in a core's own caches.
const largeBytes = 8 << 20

// Large tells whether warming pays.
func (ks *Keyspace) Large() bool { return ks.arena.Used() > largeBytes }

// MayWarm tells whether keys may be warmed whose shards are not held: tables are
// peeked at then (see arena.Peekable), which the race detector would report.
func (ks *Keyspace) MayWarm() bool { return ks.solo || !arena.Watched }

// Warm is a set of keys to be warmed together.
type Warm struct {
	hashes [warmMax]uint64
	n      int
}

// Full tells whether the set can take no more keys.
func (w *Warm) Full() bool { return w.n == warmMax }

// AddWarm puts a key of the view's database in the set, and asks for its bucket.
func (v *View) AddWarm(w *Warm, key []byte) {
	if w.n == warmMax {
		return
	}
	h := v.ks.Hash(key)
	w.hashes[w.n] = h
	w.n++
	if d := v.ks.shards[v.ks.shardOf(h)].dbs[v.DB]; d != nil {
		d.table.PrefetchBucket(v.ks.within(h))
	}
}

// Warm asks for what look-ups of the keys will need next, and empties the set.
func (v *View) Warm(w *Warm) {
	for _, h := range w.hashes[:w.n] {
		if d := v.ks.shards[v.ks.shardOf(h)].dbs[v.DB]; d != nil {
			d.table.PrefetchEntry(v.ks.within(h))
		}
	}
	w.n = 0
}
