package keyspace

import (
	"sync/atomic"

	"dozo/arena"
	"dozo/container/entry"
)

// Watch is what one client watches with WATCH. It belongs to the client's
// executor; only Dirty is touched by others.
type Watch struct {
	// Dirty is set when a watched key was changed by anyone.
	Dirty atomic.Bool
	keys  []watched
}

// watchKey names a key in the map of its shard.
type watchKey struct {
	db  int
	key string
}

// watcher is one client in a shard's list of a key's watchers.
type watcher struct {
	*Watch
	expired bool // the key was dead when the client began to watch it
}

// watched is a key that a client watches. Expired tells that the key was
// already dead when it was watched: its removal is then no change.
type watched struct {
	watchKey
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
	k := watched{watchKey: watchKey{v.DB, string(key)}}
	if slot.Ok() {
		k.expired = dead(entry.At(v.ks.arena, slot.Ref()), v.Now)
	}
	w.keys = append(w.keys, k)
	if sh.watched == nil {
		sh.watched = make(map[watchKey][]watcher)
	}
	sh.watched[k.watchKey] = append(sh.watched[k.watchKey], watcher{w, k.expired})
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

// Broken tells whether a watched key was changed or has died since. The shards
// of AddWatched are held.
func (v *View) Broken(w *Watch) bool {
	if w.Dirty.Load() {
		return true
	}
	for _, k := range w.keys {
		if k.expired {
			continue
		}
		_, _, _, slot := v.locate(k.db, []byte(k.key))
		if slot.Ok() && dead(entry.At(v.ks.arena, slot.Ref()), v.Now) {
			return true
		}
	}
	return false
}

// Unwatch forgets all keys of w. It takes the shards one by one, or none if v
// runs alone; no shard of w's may be held otherwise.
func (v *View) Unwatch(w *Watch) {
	for _, k := range w.keys {
		i := v.ks.shardOf(v.ks.Hash([]byte(k.key)))
		v.roam(i, func(sh *shard) { sh.unwatch(k.watchKey, w) })
	}
	w.forget()
}

// UnwatchHeld is Unwatch for EXEC, which holds the shards already.
func (v *View) UnwatchHeld(w *Watch) {
	for _, k := range w.keys {
		v.ks.shards[v.ks.shardOf(v.ks.Hash([]byte(k.key)))].unwatch(k.watchKey, w)
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

// touchFlushed marks everyone who watches a key of a database that is about to
// be emptied, or swapped with other, if the key is there or will be.
func (v *View) touchFlushed(sh *shard, db int, other int) {
	for k, list := range sh.watched {
		if k.db != db {
			continue
		}
		before := v.alive(sh, db, k.key)
		after := other >= 0 && v.alive(sh, other, k.key)
		if before || after {
			for _, w := range list {
				w.Dirty.Store(true)
			}
		}
	}
}

func (v *View) alive(sh *shard, db int, key string) bool {
	d := sh.dbs[db]
	if d == nil {
		return false
	}
	slot := d.table.Find(v.ks.tableHash([]byte(key)), []byte(key))
	return slot.Ok() && !dead(entry.At(v.ks.arena, slot.Ref()), v.Now)
}

// Flush empties a database, or all with db < 0, and returns how many keys it
// had. Exclusive mode only. Emptying all takes a step for each slab of memory
// rather than each key.
func (v *View) Flush(db int) int {
	n := 0
	for i := range v.ks.databases {
		if db < 0 || i == db {
			if v.ks.barrier != nil {
				v.ks.barrier.BeforeFlush(i)
			}
			n += v.Len(i)
		}
	}
	for s := range v.ks.shards {
		sh := &v.ks.shards[s]
		for i := range v.ks.databases {
			if db < 0 || i == db {
				v.touchFlushed(sh, i, -1)
			}
		}
		if db < 0 {
			v.ks.dropAll(sh)
		} else {
			sh.drop(db)
		}
	}
	return n
}

// Swap exchanges two databases. Exclusive mode only.
func (v *View) Swap(a, b int) {
	if a == b {
		return
	}
	for s := range v.ks.shards {
		sh := &v.ks.shards[s]
		v.touchFlushed(sh, a, b)
		v.touchFlushed(sh, b, a)
		sh.dbs[a], sh.dbs[b] = sh.dbs[b], sh.dbs[a]
	}
}

// Len is the number of keys in a database, dead ones that were not met yet
// included. It goes from shard to shard as Scan does.
func (v *View) Len(db int) int {
	n := 0
	for s := range v.ks.shards {
		v.roam(s, func(sh *shard) {
			if d := sh.dbs[db]; d != nil {
				n += d.table.Len()
			}
		})
	}
	return n
}

// Each calls fn with every living key of a database until it returns false.
// Exclusive mode only.
func (v *View) Each(db int, fn func(e entry.Entry, ref arena.Ref) bool) {
	for s := range v.ks.shards {
		d := v.ks.shards[s].dbs[db]
		if d == nil {
			continue
		}
		on := true
		d.table.Each(func(ref arena.Ref) bool {
			if e := entry.At(v.ks.arena, ref); !dead(e, v.Now) {
				on = fn(e, ref)
			}
			return on
		})
		if !on {
			return
		}
	}
}
