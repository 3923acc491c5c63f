package keyspace

import (
	"sync/atomic"

	"dozo/container/entry"
	"dozo/object"
)

// Watch is what one client watches with WATCH. It belongs to the client's
// executor; only Dirty is touched by others.
type Watch struct {
	// Dirty is set when a watched key was changed by anyone.
	Dirty atomic.Bool
	keys  []watchKey
}

// watchKey names a key in the map of its shard.
type watchKey struct {
	db  int
	key string
}

// watcher is one client in a shard's list of a key's watchers. Expired tells that
// the key was dead when the client began to watch it: its removal is then no
// change.
type watcher struct {
	*Watch
	expired bool
}

// Watch adds a key of the view's database to w. The key's shard is held.
func (v *View) Watch(w *Watch, key []byte) {
	sh, _, _, slot := v.locate(v.DB, key)
	for _, k := range w.keys {
		if k.db == v.DB && k.key == string(key) {
			return
		}
	}
	k := watchKey{v.DB, string(key)}
	expired := slot.Ok() && v.gone(sh.heap, entry.At(v.ks.arena, slot.Ref()))
	w.keys = append(w.keys, k)
	if sh.watched == nil {
		sh.watched = make(map[watchKey][]watcher)
	}
	sh.watched[k] = append(sh.watched[k], watcher{w, expired})
}

func dead(e entry.Entry, now int64) bool {
	dl := e.Deadline()
	return dl != 0 && dl <= now
}

// Watching tells whether w watches anything.
func (w *Watch) Watching() bool { return len(w.keys) != 0 }

// Count is the number of watched keys.
func (w *Watch) Count() int { return len(w.keys) }

// AddWatched adds the shards of all keys of w to a lock set.
func (ks *Keyspace) AddWatched(set *LockSet, w *Watch) {
	for _, k := range w.keys {
		ks.Add(set, ks.Hash([]byte(k.key)))
	}
}

// Broken tells whether a watched key was changed or has died since, or some of its
// fields have. The shards
// of AddWatched are held.
func (v *View) Broken(w *Watch) bool {
	if w.Dirty.Load() {
		return true
	}
	for _, k := range w.keys {
		sh, _, _, slot := v.locate(k.db, []byte(k.key))
		if slot.Ok() && v.partlyDead(entry.At(v.ks.arena, slot.Ref())) && !sh.sawExpired(k, w) {
			return true
		}
	}
	return false
}

// sawExpired tells whether the key was dead when w began to watch it.
func (sh *shard) sawExpired(k watchKey, w *Watch) bool {
	for _, other := range sh.watched[k] {
		if other.Watch == w {
			return other.expired
		}
	}
	return false
}

// Unwatch forgets all keys of w. It takes the shards one by one, or none if v
// runs alone; no shard of w's may be held otherwise.
func (v *View) Unwatch(w *Watch) {
	for _, k := range w.keys {
		i := v.ks.shardOf(v.ks.Hash([]byte(k.key)))
		v.roam(i, func(sh *shard) { sh.unwatch(k, w) })
	}
	w.forget()
}

// UnwatchHeld is Unwatch for EXEC, which holds the shards already.
func (v *View) UnwatchHeld(w *Watch) {
	for _, k := range w.keys {
		v.ks.shards[v.ks.shardOf(v.ks.Hash([]byte(k.key)))].unwatch(k, w)
	}
	w.forget()
}

func (w *Watch) forget() {
	w.keys = w.keys[:0]
	w.Dirty.Store(false)
}

func (sh *shard) unwatch(k watchKey, w *Watch) {
	list := sh.watched[k]
	for i, other := range list {
		if other.Watch == w {
			list[i] = list[len(list)-1]
			list[len(list)-1] = watcher{}
			list = list[:len(list)-1]
			break
		}
	}
	if len(list) == 0 {
		delete(sh.watched, k)
		return
	}
	sh.watched[k] = list
}

// touchWatched marks everyone who watches a key that was changed.
func (sh *shard) touchWatched(db int, key []byte) {
	for _, w := range sh.watched[watchKey{db, string(key)}] {
		w.Dirty.Store(true)
	}
}

// touchExpired marks everyone who saw a key alive that is now removed because
// its time was over. For those who saw it dead nothing has changed; from now
// on it is a missing key to them like any other.
func (sh *shard) touchExpired(db int, key []byte) {
	list := sh.watched[watchKey{db, string(key)}]
	for i := range list {
		if list[i].expired {
			list[i].expired = false
			continue
		}
		list[i].Dirty.Store(true)
	}
}

// touchHidden marks everyone who saw a key alive that is dead, and was changed.
func (sh *shard) touchHidden(db int, key []byte) {
	for _, w := range sh.watched[watchKey{db, string(key)}] {
		if !w.expired {
			w.Dirty.Store(true)
		}
	}
}

// touchReplaced marks those who watch keys of a database whose content goes, and
// another comes in its place (nil = nothing does).
func (v *View) touchReplaced(sh *shard, db int, by *database) {
	for k, list := range sh.watched {
		if k.db == db {
			v.replaced(list, k.key, sh.dbs[db], by)
		}
	}
}

// replaced marks those who watch a key that has been in one database and will be in
// another, or not. A key that is dead in the new content is as good as missing, unless
// the client saw it alive.
func (v *View) replaced(list []watcher, key string, in, by *database) {
	was, _ := v.look(in, key)
	is, isDead := v.look(by, key)
	if !was && !is {
		return
	}
	for i := range list {
		w := &list[i]
		if (w.expired || !was) && (!is || isDead) {
			w.expired = is
		} else {
			w.Dirty.Store(true)
		}
	}
}

// look tells whether a key is in a database's table, and whether it is dead.
func (v *View) look(d *database, key string) (there, isDead bool) {
	if d == nil {
		return false, false
	}
	slot := d.table.Find(v.ks.tableHash([]byte(key)), []byte(key))
	if !slot.Ok() {
		return false, false
	}
	// Also while a primary's FLUSHALL or SWAPDB is obeyed, which is timeless: watchers
	// are clients, to whom time goes by.
	c := object.Cell{Heap: d.heap, Entry: entry.At(v.ks.arena, slot.Ref())}
	if v.goneAt(d.heap, c.Entry, v.Now) {
		return true, true
	}
	// A hash that HDEL has just emptied is about to go.
	return true, c.Type() == object.Hash && object.HashValue{Cell: &c}.Size() == 0
}
