package keyspace

import (
	"dozo/arena"
	"dozo/container/entry"
	"dozo/object"
)

// Fields of hashes expire as keys do: exactly. What is due is hidden by every
// reader from the millisecond on, since values are read with the time at hand, and is
// removed soon: by the rounds of expiry, and by each lookup that comes before.
// Neither removes more than some fields at a time, so a hash with a million fields
// that are due delays nobody; until the last of them is gone, they are hidden and not
// counted. A hash whose fields are all due is a dead key: no lookup finds it.
//
// The log gets an HDEL for each field, before the effects of the command that met it;
// a large hash that is dead goes in one piece, and as one DEL.

// fieldsPerLookup is how many fields a lookup removes: some 30 us.
const fieldsPerLookup = 64

// expireFields removes fields of a hash that are due, when a lookup meets it, and
// returns where the hash is then: nowhere if none is left. keep says that they stay.
func (v *View) expireFields(sh *shard, d *database, db int, h uint64, c object.Cell, keep bool) object.Cell {
	if first := object.FieldsDue(v.ks.arena, c.Entry); first == 0 || first > v.Horizon() {
		return c
	}
	switch {
	case !keep:
		v.dropFields(sh, d, db, h, &c, fieldsPerLookup)
	case object.AllDue(&c, v.Horizon()):
		c = object.Cell{}
	}
	return c
}

// dropFields removes at most max fields of a hash that are due, and the key if none
// is left: the cell is empty then. It says how many they were, a large hash that is
// dead counting as one.
func (v *View) dropFields(sh *shard, d *database, db int, h uint64, c *object.Cell, max int) (n int) {
	hash := object.HashValue{Cell: c, Now: v.Horizon()}
	size, key := hash.Size(), c.Entry.Key()
	if size > fieldsPerLookup && object.AllDue(c, v.Horizon()) {
		v.Stats.ExpiredFields += int64(size)
		v.removeAs(sh, d, db, h, c.Slot, c.Entry, FieldsGone)
		*c = object.Cell{}
		return 1
	}
	if v.ks.barrier != nil {
		v.editIn(sh, db, key, c)
	}
	if len(sh.watched) != 0 {
		if object.AllDue(c, v.Horizon()) {
			sh.touchExpired(db, key)
		} else {
			sh.touchWatched(db, key)
		}
	}
	was := v.timesOf(c.Entry)
	n = hash.DropDue(max, func(field []byte) {
		if v.Events != nil {
			v.Events.FieldExpired(db, key, field)
		}
	})
	v.Stats.ExpiredFields += int64(n)
	v.redate(d, h, c.Entry, was)
	v.afterFields(sh, d, db, h, c)
	return n
}

// afterFields says that fields of a hash have expired, and removes it if it has none
// any more.
func (v *View) afterFields(sh *shard, d *database, db int, h uint64, c *object.Cell) {
	hash := object.HashValue{Cell: c}
	emptied := hash.Size() == 0
	if v.Events != nil {
		v.Events.FieldsExpired(db, c.Entry.Key(), emptied)
	}
	if emptied {
		v.remove(sh, d, db, h, c.Slot, c.Entry)
		*c = object.Cell{}
	}
}

// ExpireNamed removes those of some fields, every step-th word, that are due, from a
// hash that was looked up to be changed: lookups leave some when there are many. A
// command that leaves its call to the log must not meet them, or who replays the
// log would find them alive.
func (v *View) ExpireNamed(key []byte, c *object.Cell, words [][]byte, step int) {
	hash := object.HashValue{Cell: c, Now: v.Horizon()}
	if v.KeepDead || hash.Due() == 0 {
		return
	}
	was, n := hash.Earliest(), 0
	for i := 0; i < len(words); i += step {
		if hash.DropField(words[i]) {
			n++
			if v.Events != nil {
				v.Events.FieldExpired(v.DB, key, words[i])
			}
		}
	}
	if n > 0 {
		v.Stats.ExpiredFields += int64(n)
		v.FieldsDated(key, c, was)
		if v.Events != nil {
			v.Events.FieldsExpired(v.DB, key, false)
		}
	}
}

// FieldsDated says that a hash was changed whose earliest deadline of a field was the
// given one, 0 = none.
func (v *View) FieldsDated(key []byte, c *object.Cell, was int64) {
	if was == 0 && !c.Encoding().Dated() {
		return
	}
	old := times{key: c.Entry.Deadline(), stamp: c.Entry.Stamp()}
	old.next = old.key
	old.withFields(was)
	hash := v.ks.Hash(key)
	v.redate(v.ks.shards[v.ks.shardOf(hash)].dbs[v.DB], v.ks.within(hash), c.Entry, old)
}

// partlyDead tells whether a key's time is over, or that of some of its fields.
func (v *View) partlyDead(e entry.Entry) bool {
	next := v.timesOf(e).next
	return next != 0 && next <= v.Horizon()
}

// gone tells whether the time of a key of the heap is over, or that of all its fields.
func (v *View) gone(h *arena.Heap, e entry.Entry) bool { return v.goneAt(h, e, v.Horizon()) }

func (v *View) goneAt(h *arena.Heap, e entry.Entry, now int64) bool {
	if dead(e, now) {
		return true
	}
	if !object.Encoding(e.Encoding()).Dated() {
		return false
	}
	c := object.Cell{Heap: h, Entry: e}
	return object.AllDue(&c, now)
}
