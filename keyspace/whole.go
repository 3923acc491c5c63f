package keyspace

// What is done to databases as wholes.

import (
	"dozo/arena"
	"dozo/container/entry"
)

// Flush empties a database, or all with db < 0, and returns how many keys it
// had. Exclusive mode only. What they took is freed later; see graves.go.
func (v *View) Flush(db int) int {
	n := 0
	for i := range v.ks.databases {
		if db < 0 || i == db {
			n += v.Len(i)
		}
	}
	for s := range v.ks.shards {
		sh := &v.ks.shards[s]
		for i := range v.ks.databases {
			if db < 0 || i == db {
				v.touchReplaced(sh, i, nil)
				v.noteFlushed(sh, i)
			}
		}
		v.empty(sh, db)
	}
	return n
}

// empty takes out what a shard has of a database, or of all with db < 0.
func (v *View) empty(sh *shard, db int) {
	if v.ks.barrier != nil {
		v.offerBases(sh, db)
	}
	if sh.apart == 0 && sh.onlyHas(db) {
		v.Stats.LazyFreed += int64(v.ks.buryHeap(sh))
		return
	}
	for i := range sh.dbs {
		if db < 0 || i == db {
			v.ks.buryBase(sh, i)
		}
	}
}

// onlyHas tells whether no database but this one has keys in the shard; always if
// db < 0.
func (sh *shard) onlyHas(db int) bool {
	for i, d := range sh.dbs {
		if db >= 0 && i != db && d != nil && d.table.Len() > 0 {
			return false
		}
	}
	return true
}

// Swap exchanges two databases. Exclusive mode only.
func (v *View) Swap(a, b int) {
	if a == b {
		return
	}
	if v.ks.barrier != nil {
		v.ks.barrier.BeforeSwap(a, b)
	}
	for s := range v.ks.shards {
		sh := &v.ks.shards[s]
		v.touchReplaced(sh, a, sh.dbs[b])
		v.touchReplaced(sh, b, sh.dbs[a])
		sh.dbs[a], sh.dbs[b] = sh.dbs[b], sh.dbs[a]
		v.noteSwapped(sh, a, b)
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
		sh := &v.ks.shards[s]
		d := sh.dbs[db]
		if d == nil {
			continue
		}
		on := true
		d.table.Each(func(ref arena.Ref) bool {
			if e := entry.At(v.ks.arena, ref); !v.gone(sh.heap, e) {
				on = fn(e, ref)
			}
			return on
		})
		if !on {
			return
		}
	}
}
