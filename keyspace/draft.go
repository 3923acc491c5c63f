package keyspace

import (
	"dozo/arena"
	"dozo/object"
)

// Values other than strings are made as drafts, in the heap of the shard of the key
// that they are for, and stored when they are ready. The shard is held from
// beginning to end.

// Place is where a value for the key will be made. The key's shard is held.
func (v *View) Place(key []byte) object.Place {
	sh := &v.ks.shards[v.ks.shardOf(v.ks.Hash(key))]
	return object.Place{Heap: sh.heap, Kit: &v.ks.kit, Key: key, Attrs: object.Attrs{Age: v.freshAge()}}
}

// Add puts a new entry, made for the place of a key that is not there, in the
// database.
func (v *View) Add(key []byte, ref arena.Ref) object.Cell {
	hash := v.ks.Hash(key)
	return v.put(&v.ks.shards[v.ks.shardOf(hash)], v.ks.within(hash), key, ref)
}

// Store gives a draft to the key that it was begun for, in place of what was
// there, with a deadline (0 = none). It tells whether the key is new.
func (v *View) Store(key []byte, d *object.Draft, deadline int64) (added bool) {
	old, sh, base := v.lookupEdit(v.DB, key)
	h := v.ks.tableHash(key)
	if old.Ok() {
		v.remove(sh, base, v.DB, h, old.Slot, old.Entry)
	}
	if deadline != 0 {
		d.SetDeadline(deadline)
	}
	v.insert(sh, v.DB, h, key, d.Slot.Ref(), deadline)
	d.Cell = object.Cell{}
	return !old.Ok()
}

// Discard gives up a draft that was begun for a key.
func (v *View) Discard(key []byte, d *object.Draft) {
	v.ks.bury(&v.ks.shards[v.ks.shardOf(v.ks.Hash(key))], d.Discard())
}
