package keyspace

import (
	"dozo/container/entry"
	"dozo/object"
)

// Keys that come from a file come by the million, from several threads at once, each
// with shards of its own, and nobody watches or waits for them.

// ShardOf is the shard of keys with the hash.
func (ks *Keyspace) ShardOf(hash uint64) int { return ks.shardOf(hash) }

// Place is where the value of a key of the shard will be made, to die at the deadline,
// 0 = never.
func (h Held) Place(key []byte, deadline int64) object.Place {
	at := object.Attrs{Deadline: deadline, Age: h.v.freshAge()}
	return object.Place{Heap: h.sh.heap, Kit: &h.v.ks.kit, Key: key, Attrs: at}
}

// Warm asks for the memory that Load of a key with the hash will need first. To be
// called a few keys before it.
func (h Held) Warm(db int, hash uint64) {
	if d := h.sh.dbs[db]; d != nil {
		d.table.PrefetchBucket(h.v.ks.within(hash))
	}
}

// SetUse carries over how a key was used when it was saved, as far as the eviction
// policy in force can tell: for how many seconds it was not, and how often it was; -1
// if that is not known.
func (h Held) SetUse(e entry.Entry, idle int64, freq int) {
	switch lfu := h.v.ks.limits.Load().Policy.lfu(); {
	case lfu && freq >= 0:
		h.v.SetFrequency(e, uint8(freq))
	case !lfu && idle >= 0:
		h.v.SetIdle(e, idle)
	}
}

// Load gives a draft that was made for the Place of a key, with the hash, to the key.
// It tells whether the key is new; one that is there stays as it is, and the draft too,
// unless it is to be replaced.
func (h Held) Load(db int, hash uint64, key []byte, d *object.Draft, replace bool) (added bool) {
	v, base, in := h.v, h.v.ks.database(h.sh, db), h.v.ks.within(hash)
	old := base.table.Find(in, key)
	if added = !old.Ok(); !added {
		if !replace {
			return false
		}
		v.remove(h.sh, base, db, in, old, entry.At(v.ks.arena, old.Ref()))
	}
	e := d.Entry
	base.table.Insert(in, d.Slot.Ref())
	d.Cell = object.Cell{}
	if e.HasDeadline() || object.Encoding(e.Encoding()).Dated() {
		v.redate(base, in, e, times{})
	}
	return added
}

// Discard gives up a draft that was made for a key of the shard.
func (h Held) Discard(d *object.Draft) { h.v.ks.bury(h.sh, d.Discard()) }
