package keyspace

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

// Solo tells whether there is one executor only. Then nothing is ever locked.
func (ks *Keyspace) Solo() bool { return ks.solo }

// Warm is a set of keys to be warmed together.
type Warm struct {
	hashes [warmMax]uint64
	n      int
	// seen depends on all loads, so that none of them is left out.
	seen uint64
}

// Full tells whether the set can take no more keys.
func (w *Warm) Full() bool { return w.n == warmMax }

// AddWarm puts a key in the set.
func (ks *Keyspace) AddWarm(w *Warm, key []byte) {
	if w.n < warmMax {
		w.hashes[w.n] = ks.Hash(key)
		w.n++
	}
}

// Warm loads what look-ups of the keys in the view's database will need, and
// empties the set. The keys' shards are held, or the view is solo.
func (v *View) Warm(w *Warm) {
	ks, seen := v.ks, w.seen
	for _, h := range w.hashes[:w.n] {
		if d := ks.shards[ks.shardOf(h)].dbs[v.DB]; d != nil {
			seen += d.table.TouchBucket(ks.within(h))
		}
	}
	for _, h := range w.hashes[:w.n] {
		if d := ks.shards[ks.shardOf(h)].dbs[v.DB]; d != nil {
			seen += d.table.TouchEntry(ks.within(h))
		}
	}
	w.seen, w.n = seen, 0
}
