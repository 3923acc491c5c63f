package keyspace

import (
	"dozo/arena"
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/env"
	"dozo/internal/invariants"
	"dozo/object"
)

// View is one executor's access to one database at one moment. It is used by
// its executor only; DB, Now and the flags are set before each command.
type View struct {
	ks *Keyspace

	DB  int
	Now int64 // Unix milliseconds
	// NoTouch leaves LRU and LFU bits alone (CLIENT NO-TOUCH).
	NoTouch bool
	// Doing names the command that runs, for reports of broken invariants.
	Doing string

	// Events hears of removals that no command asked for, and of keys changed.
	Events Events
	Stats  Stats
	Rand   env.Rand

	alone bool
	pool  pool // of keys to evict
	// KeepDead has lookups hide dead keys without removing them, for commands that
	// only read at a time when nothing may change. Who writes all the same replaces
	// them.
	KeepDead bool
	// Follows says that somebody else removes keys whose time is over, a primary: to all
	// who read they are hidden, and stay. See follow.go.
	Follows bool
	// Timeless says that the time of no key is over: what a log holds is executed, and
	// the removals of keys are in it.
	Timeless bool
	// expireNext is whose turn it is among the executor's shards.
	expireNext int
	due        dueRecords
	// Of blocking commands: what this step has made of use, and what owners must
	// look at again. args and losers (rivals that there is nothing for) are scratch
	// space.
	ready   []*waitQueue
	recheck []*Wait
	args    []int
	losers  []string
	defrag  defragPass
	shown   object.Cell // to a snapshot

	_ [128]byte // what else lies near belongs to another executor
}

// Events is what the executor wants to know of the keyspace's own doings. Calls
// come with the key's shard held; key is valid only during the call.
type Events interface {
	// Removed: the key went because its time was over or memory was short. It
	// precedes, in the log, the effects of the command that met it.
	Removed(db int, key []byte, why Reason)
	// Serve offers keys to one that waits for them: args are its numbers of them, in
	// its order. False means that there was nothing for it after all. It comes at the
	// end of a step, with the keys held, and those that serving writes to.
	Serve(w *Wait, args []int) bool
	// FieldExpired: a field of a hash is about to go because its time is over.
	FieldExpired(db int, key, field []byte)
	// FieldsExpired: some went, and the key with the last of them if emptied.
	FieldsExpired(db int, key []byte, emptied bool)
}

// Reason is why a key was removed without a command asking for it.
type Reason uint8

// The reasons.
const (
	Expired Reason = iota
	Evicted
	FieldsGone // all fields of a large hash have expired
)

// Stats counts what one executor's views did. Sum them in exclusive mode.
type Stats struct {
	Hits, Misses      int64
	Expired, Evicted  int64
	ExpiredFields     int64
	ExpiredByLookup   int64
	ActiveExpireNanos int64
	LazyFreed         int64 // keys of flushed databases, and large values freed after their keys
	// Blocks that active defragmentation has moved, and such as it has left where
	// they were; keys of which it has moved something, and the others.
	DefragHits, DefragMisses       int64
	DefragKeyHits, DefragKeyMisses int64
}

// Horizon is the moment up to which deadlines are over.
func (v *View) Horizon() int64 {
	if v.Timeless {
		return 0
	}
	return v.Now
}

// NewView makes the view of one executor.
func (ks *Keyspace) NewView(ev Events) *View { return &View{ks: ks, Events: ev, Rand: ks.newRand()} }

// Keyspace is what the view looks at.
func (v *View) Keyspace() *Keyspace { return v.ks }

// locate finds the key's shard and table, and the slot if the key is there,
// dead or alive.
func (v *View) locate(db int, key []byte) (*shard, *database, uint64, hashtable.Slot) {
	hash := v.ks.Hash(key)
	sh := &v.ks.shards[v.ks.shardOf(hash)]
	if invariants.Enabled {
		v.mustHold(sh, key)
	}
	d := sh.dbs[db]
	h := v.ks.within(hash)
	if d == nil {
		return sh, nil, h, hashtable.Slot{}
	}
	return sh, d, h, d.table.Find(h, key)
}

// cell is the value of an entry in its place.
func (v *View) cell(sh *shard, slot hashtable.Slot, e entry.Entry) object.Cell {
	return object.Cell{Heap: sh.heap, Slot: slot, Entry: e, Kit: &v.ks.kit}
}

// lookup finds a living key in any database. A dead one is removed, unless dead
// ones are kept.
func (v *View) lookup(db int, key []byte) (object.Cell, *shard, *database) {
	return v.reach(db, key, v.KeepDead || v.Follows)
}

// lookupEdit is lookup for who is about to change the key: what a primary will remove
// later may go now, as in Redis.
func (v *View) lookupEdit(db int, key []byte) (object.Cell, *shard, *database) {
	return v.reach(db, key, v.KeepDead)
}

// reach is lookup; keep says that what is dead stays.
func (v *View) reach(db int, key []byte, keep bool) (object.Cell, *shard, *database) {
	sh, d, h, slot := v.locate(db, key)
	if !slot.Ok() {
		return object.Cell{}, sh, d
	}
	e := entry.At(v.ks.arena, slot.Ref())
	if dl := e.Deadline(); dl != 0 && dl <= v.Horizon() {
		if !keep {
			v.removeDead(sh, d, db, h, slot, e)
		}
		return object.Cell{}, sh, d
	}
	c := v.cell(sh, slot, e)
	if c.Encoding().Dated() {
		c = v.expireFields(sh, d, db, h, c, keep)
	}
	return c, sh, d
}

// removeDead removes a key whose time is over, when a lookup meets it.
func (v *View) removeDead(sh *shard, d *database, db int, h uint64, slot hashtable.Slot, e entry.Entry) {
	v.Stats.Expired++
	v.Stats.ExpiredByLookup++
	v.removeAs(sh, d, db, h, slot, e, Expired)
}

// removeAs removes a key that no command asked to remove.
func (v *View) removeAs(sh *shard, d *database, db int, h uint64, slot hashtable.Slot, e entry.Entry, why Reason) {
	if len(sh.watched) != 0 {
		if why != Evicted {
			sh.touchExpired(db, e.Key())
		} else {
			sh.touchWatched(db, e.Key())
		}
	}
	if v.Events != nil {
		v.Events.Removed(db, e.Key(), why)
	}
	v.remove(sh, d, db, h, slot, e)
}

// remove unlinks and frees an entry.
func (v *View) remove(sh *shard, d *database, db int, h uint64, slot hashtable.Slot, e entry.Entry) {
	if v.ks.barrier != nil {
		v.edit(sh, db, e.Key(), v.cell(sh, slot, e))
	}
	if len(sh.waiting) != 0 {
		v.noteGone(sh, db, e.Key())
	}
	d.forget(v.timesOf(e))
	ref := slot.Ref()
	d.table.Delete(h, slot)
	v.drop(sh, db, e.Key(), ref)
}

// drop frees an entry that is a key's no more, unless a snapshot still needs it.
func (v *View) drop(sh *shard, db int, key []byte, ref arena.Ref) {
	if b := v.ks.barrier; b != nil && b.Take(v, sh.index, db, key, ref) {
		sh.apart++
		return
	}
	v.ks.bury(sh, object.Free(sh.heap, ref))
}

// Find looks a key up for reading: hits and misses are counted, and the key
// counts as used.
func (v *View) Find(key []byte) object.Cell {
	c, _, _ := v.lookup(v.DB, key)
	if !c.Ok() {
		v.Stats.Misses++
		return c
	}
	v.Stats.Hits++
	if !v.NoTouch {
		v.touch(c.Entry)
	}
	return c
}

// Peek looks a key up without counting it as used, as TTL, TYPE and OBJECT do.
func (v *View) Peek(key []byte) object.Cell {
	c, _, _ := v.lookup(v.DB, key)
	return c
}

// PeekIn is Peek in another database.
func (v *View) PeekIn(db int, key []byte) object.Cell {
	c, _, _ := v.lookup(db, key)
	return c
}

// Touch counts one use of a key that was looked up by Peek: what a command does
// that only asks whether the key it wants to write is there.
func (v *View) Touch(c *object.Cell) {
	if !v.NoTouch {
		v.touch(c.Entry)
	}
}

// Edit looks a key up that is about to be changed in place.
func (v *View) Edit(key []byte) object.Cell {
	c, sh, _ := v.lookupEdit(v.DB, key)
	if c.Ok() {
		if v.ks.barrier != nil {
			v.editIn(sh, v.DB, key, &c)
		}
		if !v.NoTouch {
			v.touch(c.Entry)
		}
	}
	return c
}

// EditAgain finds a key once more that Edit has found, and that other keys were made or
// removed after: the cell of Edit is out of date then. It does not count as another use.
// (Peek would do but for a snapshot, which would not hear of what the cell is changed by.)
func (v *View) EditAgain(key []byte) object.Cell {
	c, sh, _ := v.lookupEdit(v.DB, key)
	if c.Ok() && v.ks.barrier != nil {
		v.editIn(sh, v.DB, key, &c)
	}
	return c
}

// Delete removes a key and tells whether it was there.
func (v *View) Delete(key []byte) bool { return v.DeleteIn(v.DB, key) }

// DeleteIn is Delete in another database.
func (v *View) DeleteIn(db int, key []byte) bool {
	sh, d, h, slot := v.locate(db, key)
	if !slot.Ok() {
		return false
	}
	e := entry.At(v.ks.arena, slot.Ref())
	if dl := e.Deadline(); dl != 0 && dl <= v.Horizon() {
		v.removeDead(sh, d, db, h, slot, e)
		return false
	}
	if v.gone(sh.heap, e) {
		v.expireFields(sh, d, db, h, v.cell(sh, slot, e), v.KeepDead)
		return false
	}
	v.remove(sh, d, db, h, slot, e)
	return true
}

// SetString gives a key a string, whatever it held, and a deadline (0 = none),
// and tells whether the key is new. The value is encoded as SET encodes it
// unless raw, which never makes it an integer.
func (v *View) SetString(key, val []byte, deadline int64, raw bool) (added bool) {
	c, sh, d := v.lookupEdit(v.DB, key)
	at := object.Attrs{Deadline: deadline, Age: v.freshAge()}
	if !c.Ok() {
		v.insert(sh, v.DB, v.ks.tableHash(key), key, newString(sh.heap, key, val, at, raw), deadline)
		return true
	}
	kept := v.ks.barrier != nil && v.edit(sh, v.DB, key, c) != nil
	was := v.timesOf(c.Entry)
	v.vacate(sh, &c, kept)
	at.Age = v.overwrittenAge(c.Entry)
	if raw {
		c.SetRawString(val, at)
	} else {
		c.SetString(val, at)
	}
	if was.next != 0 || deadline != 0 {
		v.redate(d, v.ks.tableHash(key), c.Entry, was)
	}
	return false
}

// SetZeros gives a key a raw string of n zero bytes, whatever it held, without a
// deadline, and returns it to be filled in.
func (v *View) SetZeros(key []byte, n int) (c object.Cell, added bool) {
	c, sh, d := v.lookupEdit(v.DB, key)
	h := v.ks.tableHash(key)
	at := object.Attrs{Age: v.freshAge()}
	if !c.Ok() {
		return v.put(sh, h, key, object.NewZeros(sh.heap, key, n, at)), true
	}
	kept := v.ks.barrier != nil && v.edit(sh, v.DB, key, c) != nil
	was := v.timesOf(c.Entry)
	v.vacate(sh, &c, kept)
	at.Age = v.overwrittenAge(c.Entry)
	c.SetZeros(n, at)
	if was.next != 0 {
		v.redate(d, h, c.Entry, was)
	}
	return c, false
}

// vacate takes out what a key of the view's database holds, to be overwritten. kept: a
// snapshot still needs all of it.
func (v *View) vacate(sh *shard, c *object.Cell, kept bool) {
	if len(sh.waiting) != 0 {
		v.noteGone(sh, v.DB, c.Entry.Key())
	}
	if kept {
		key := c.Entry.Key()
		v.drop(sh, v.DB, key, object.Move(c, sh.heap, key, 0))
		return
	}
	v.ks.bury(sh, c.Empty())
}

func newString(h *arena.Heap, key, val []byte, at object.Attrs, raw bool) arena.Ref {
	if raw {
		return object.NewRawString(h, key, val, at)
	}
	return object.NewString(h, key, val, at)
}

// insert puts a new entry in its table.
func (v *View) insert(sh *shard, db int, h uint64, key []byte, ref arena.Ref, deadline int64) {
	d := v.ks.database(sh, db)
	if (v.KeepDead || v.Follows) && !v.Timeless {
		if old := d.table.Find(h, key); old.Ok() { // it may have been alive at a snapshot's epoch
			v.remove(sh, d, db, h, old, entry.At(v.ks.arena, old.Ref()))
		}
	}
	if v.ks.barrier != nil {
		v.edit(sh, db, key, object.Cell{})
	}
	d.table.Insert(h, ref)
	if len(sh.waiting) != 0 {
		v.noteInsert(sh, db, key)
	}
	if e := entry.At(v.ks.arena, ref); deadline != 0 || object.Encoding(e.Encoding()).Dated() {
		v.redate(d, h, e, times{})
	}
}

// put inserts a new entry without a deadline in the view's database, and finds it
// there.
func (v *View) put(sh *shard, h uint64, key []byte, ref arena.Ref) object.Cell {
	v.insert(sh, v.DB, h, key, ref, 0)
	d := sh.dbs[v.DB]
	return v.cell(sh, d.table.Find(h, key), entry.At(v.ks.arena, ref))
}

// SetDeadline changes when a living key dies (0 = never) and tells whether the
// key was there.
func (v *View) SetDeadline(key []byte, deadline int64) bool {
	c, sh, d := v.lookupEdit(v.DB, key)
	if !c.Ok() {
		return false
	}
	if v.ks.barrier != nil {
		v.edit(sh, v.DB, key, c)
	}
	was := v.timesOf(c.Entry)
	c.SetDeadline(deadline)
	v.redate(d, v.ks.tableHash(key), c.Entry, was)
	return true
}

// Copy puts an independent copy of a value under another key, in place of what
// was there. The deadline goes along; as a new key it counts as used just now.
func (v *View) Copy(c *object.Cell, toDB int, to []byte) {
	deadline := c.Entry.Deadline()
	sh, d, h, slot := v.locate(toDB, to)
	ref := object.Copy(c, sh.heap, to, deadline)
	entry.At(v.ks.arena, ref).SetAge(v.freshAge())
	if slot.Ok() {
		v.remove(sh, d, toDB, h, slot, entry.At(v.ks.arena, slot.Ref()))
	}
	v.insert(sh, toDB, h, to, ref, deadline)
}

// Move takes a living key's value, with its deadline, to another key, not the same,
// in place of what was there, and deletes the old key. Nothing large is copied. As
// a new key it counts as used just now.
func (v *View) Move(from []byte, toDB int, to []byte) {
	toShard, toBase, toHash, old := v.locate(toDB, to)
	if old.Ok() {
		v.remove(toShard, toBase, toDB, toHash, old, entry.At(v.ks.arena, old.Ref()))
	}
	sh, d, h, slot := v.locate(v.DB, from)
	left := slot.Ref()
	c := v.cell(sh, slot, entry.At(v.ks.arena, left))
	if v.ks.barrier != nil {
		v.edit(sh, v.DB, from, c)
	}
	deadline := c.Entry.Deadline()
	d.forget(v.timesOf(c.Entry))
	within := object.PartHoldingGraves(c.Entry)
	ref := object.Move(&c, toShard.heap, to, deadline)
	e := entry.At(v.ks.arena, ref)
	if e.SetAge(v.freshAge()); within != 0 && sh != toShard {
		v.ks.moveGraves(sh, toShard, within, object.PartHoldingGraves(e))
	}
	if len(sh.waiting) != 0 {
		v.noteGone(sh, v.DB, from)
	}
	d.table.Delete(h, slot)
	v.ks.bury(sh, object.Free(sh.heap, left))
	v.insert(toShard, toDB, toHash, to, ref, deadline)
	if v.ks.barrier != nil {
		v.ks.barrier.Moved(sh.index, v.DB, from, toShard.index, toDB, to)
	}
}

// Changed tells watchers that the key was changed by a command.
func (v *View) Changed(db int, key []byte) {
	sh := &v.ks.shards[v.ks.shardOf(v.ks.Hash(key))]
	if len(sh.watched) == 0 {
		return
	}
	// To who saw it dead nothing has changed while it is, nor when a primary removes it.
	switch there, isDead := v.look(sh.dbs[db], string(key)); {
	case !there:
		sh.touchExpired(db, key)
	case isDead:
		sh.touchHidden(db, key)
	default:
		sh.touchWatched(db, key)
	}
}
