package keyspace

// What a snapshot stands on: it is told of each change before it happens, and walks
// through the shards one at a time.

import (
	"dozo/arena"
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/object"
)

// Barrier is told of each change before it happens, so that a snapshot can keep
// the pre-image. It may be told of one key any number of times.
type Barrier interface {
	// BeforeChange precedes a change of one key, with the shard held. hash is the key's
	// within the shard (see Held.Scan); old is not Ok when the key is not there. What it
	// returns, if anything, is the Kit to change the value with: its Keeper hears of each
	// element.
	BeforeChange(v *View, shard, db int, hash uint64, key []byte, old *object.Cell) *object.Kit
	// Take offers what was a key's entry and is to be freed. Who takes it gives it back by
	// Held.Release.
	Take(v *View, shard, db int, key []byte, ref arena.Ref) bool
	// Moved follows a value, all of which lies under another key now. Both are held.
	Moved(shard, db int, key []byte, toShard, toDB int, to []byte)
	// TakeBase offers a shard's part of a database that is flushed, with all executors
	// stopped. Who takes it gives it back by Held.ReleaseBase.
	TakeBase(shard, db int, b *Base) bool
	// TakeAll offers all that there is, with all executors stopped: another keyspace's
	// content comes in its place (View.Adopt), and from now on nothing is told of changes.
	// Who takes it finds it in old, by View.HoldFormer, and gives it back by View.DiscardAll.
	// Who does not has nothing left that was taken.
	TakeAll(old *Keyspace) bool
	// BeforeSwap precedes the exchange of two databases, with all executors
	// stopped: what was told of one before is the other's from now on.
	BeforeSwap(a, b int)
}

// SetBarrier puts the snapshot's hook in place, or removes it with nil. Only in
// exclusive mode.
func (ks *Keyspace) SetBarrier(b Barrier) { ks.barrier = b }

// edit tells the snapshot's barrier that an entry is about to change. It is given a
// copy of the cell, in the view, so that those of ordinary commands stay off Go's heap.
func (v *View) edit(sh *shard, db int, key []byte, c object.Cell) *object.Kit {
	v.shown = c
	return v.ks.barrier.BeforeChange(v, sh.index, db, v.ks.tableHash(key), key, &v.shown)
}

// editIn is edit for a cell that is to be changed inside.
func (v *View) editIn(sh *shard, db int, key []byte, c *object.Cell) {
	if kit := v.edit(sh, db, key, *c); kit != nil {
		c.Kit = kit
	}
}

// Held is a shard that is held.
type Held struct {
	v      *View
	sh     *shard
	former bool // it is one of a keyspace that goes as a whole
}

// Hold runs fn with shard i held, as roaming commands do.
func (v *View) Hold(i int, fn func(Held)) {
	v.roam(i, func(sh *shard) { fn(Held{v: v, sh: sh}) })
}

// HoldFormer is Hold for what was in shard i before another keyspace's content took its
// place (Barrier.TakeAll). What is released there is freed with the rest.
func (v *View) HoldFormer(old *Keyspace, i int, fn func(Held)) {
	v.roam(i, func(*shard) { fn(Held{v, &old.shards[i], true}) })
}

// Find is the value of a key, dead or alive, not Ok if it is not there.
func (h Held) Find(db int, key []byte) (c object.Cell) {
	d := h.sh.dbs[db]
	if d == nil {
		return c
	}
	s := d.table.Find(h.v.ks.tableHash(key), key)
	if !s.Ok() {
		return c
	}
	return h.v.cell(h.sh, s, entry.At(h.v.ks.arena, s.Ref()))
}

// Taken is the value of an entry that was taken (Barrier.Take). word is where the cell's
// slot is.
func (h Held) Taken(ref arena.Ref, word *uint64) object.Cell {
	return h.v.cell(h.sh, hashtable.Apart(word, ref), entry.At(h.v.ks.arena, ref))
}

// TakenUsage is what an entry that was taken weighs, or about that. Its shard is held.
func (v *View) TakenUsage(shard int, ref arena.Ref) int64 {
	const samples = 16
	var word uint64
	c := v.cell(&v.ks.shards[shard], hashtable.Apart(&word, ref), entry.At(v.ks.arena, ref))
	return int64(c.MemoryUsage(samples))
}

// CountApart has so many bytes of the arena count no more against maxmemory, or again if
// negative: what only a snapshot needs comes back with its end, and not by eviction, which
// would take key after key for nothing.
func (ks *Keyspace) CountApart(bytes int64) { ks.apart.Add(bytes) }

// Release frees an entry that was taken, now or in the background.
func (h Held) Release(ref arena.Ref) {
	if h.sh.apart--; h.former {
		return
	}
	h.v.ks.bury(h.sh, object.Free(h.sh.heap, ref))
}

// Base is a shard's part of a database that was flushed. Nothing of it changes any more.
type Base struct {
	d      *database
	weight int64 // about what it takes, bytes
}

// Len is the number of its keys.
func (b *Base) Len() int { return b.d.table.Len() }

// FindIn is the entry of a key in a flushed base, which must have it.
func (ks *Keyspace) FindIn(b *Base, key []byte) arena.Ref {
	return b.d.table.Find(ks.tableHash(key), key).Ref()
}

// offerBases lets a snapshot take what is flushed in a shard.
func (v *View) offerBases(sh *shard, db int) {
	used, keys := int64(0), int64(0)
	if sh.apart == 0 { // else much of the heap is the snapshot's already
		used = sh.heap.Used()
	}
	for _, d := range sh.dbs {
		if d != nil {
			keys += int64(d.table.Len())
		}
	}
	for i, d := range sh.dbs {
		if d == nil || d.table.Len() == 0 || db >= 0 && i != db {
			continue
		}
		b := &Base{d, int64(float64(used) * float64(d.table.Len()) / float64(keys))}
		if v.ks.barrier.TakeBase(sh.index, i, b) {
			v.ks.CountApart(b.weight)
			sh.apart++
			sh.dbs[i] = nil
		}
	}
}

// ReleaseBase has a base that was taken freed in the background.
func (h Held) ReleaseBase(b *Base) {
	h.sh.apart--
	if h.v.ks.CountApart(-b.weight); !h.former {
		h.v.ks.buryDatabase(h.sh, b.d)
	}
}

// Len is the number of keys in the shard's part of a database.
func (h Held) Len(db int) int {
	if d := h.sh.dbs[db]; d != nil {
		return d.table.Len()
	}
	return 0
}

// Dated is how many of them are hashes with fields that have one.
func (h Held) Dated(db int) int {
	if d := h.sh.dbs[db]; d != nil {
		return d.dated
	}
	return 0
}

// Volatile is how many of them have a deadline.
func (h Held) Volatile(db int) int {
	if d := h.sh.dbs[db]; d != nil {
		return d.volatile
	}
	return 0
}

// Scan visits the keys of one bucket of a database, those whose hash is cursor or
// more, dead ones too, and returns where the next begins; 0 is the end. It goes in the
// order of the hashes: a key with a hash below what was returned has been visited, or
// was not there yet when it was its turn.
func (h Held) Scan(db int, cursor uint64, visit func(hash uint64, c *object.Cell)) (next uint64) {
	if d := h.sh.dbs[db]; d != nil {
		return h.scan(d, cursor, visit)
	}
	return 0
}

// ScanBase is Scan for a base that was taken.
func (h Held) ScanBase(b *Base, cursor uint64, visit func(hash uint64, c *object.Cell)) (next uint64) {
	return h.scan(b.d, cursor, visit)
}

func (h Held) scan(d *database, cursor uint64, visit func(hash uint64, c *object.Cell)) (next uint64) {
	v := h.v
	slots := v.defrag.slots[:0]
	next = d.table.ScanSlots(cursor, func(s hashtable.Slot) {
		v.ks.arena.PrefetchBlock(s.Ref())
		slots = append(slots, s)
	})
	v.defrag.slots = slots
	for _, s := range slots {
		v.shown = v.cell(h.sh, s, entry.At(v.ks.arena, s.Ref()))
		visit(v.ks.tableHash(v.shown.Entry.Key()), &v.shown)
	}
	return next
}

// Names is a set of names, of keys of one shard or of elements, outside Go's heap. The zero value is
// empty.
type Names struct {
	ks    *Keyspace
	heap  *arena.Heap
	table hashtable.Table
}

// Has tells whether a name is in the set.
func (n *Names) Has(hash uint64, key []byte) bool {
	return n.heap != nil && n.table.Find(hash, key).Ok()
}

// Kit is what values need, with a keeper.
func (ks *Keyspace) Kit(k object.Keeper) object.Kit {
	kit := ks.kit
	kit.Keeper = k
	return kit
}

// NameHash is the hash of a name for Names.
func (ks *Keyspace) NameHash(name []byte) uint64 { return ks.tableHash(name) }

// AddName puts a name in a set that does not have it.
func (ks *Keyspace) AddName(n *Names, hash uint64, key []byte) {
	if n.heap == nil {
		n.ks, n.heap = ks, ks.arena.NewHeap()
		n.table = hashtable.New(n.heap, ks.tableHash)
	}
	before, shape := n.heap.Used(), entry.Shape{}
	ref := n.heap.Alloc(arena.PurposeSnapshot, entry.SizeFor(len(key), shape))
	entry.Init(ks.arena, ref, key, shape)
	n.table.Insert(hash, ref)
	ks.CountApart(n.heap.Used() - before)
}

// Free empties the set.
func (n *Names) Free() {
	if n.heap != nil {
		n.ks.CountApart(-n.heap.Used())
		n.heap.Close()
		*n = Names{}
	}
}

// Aging is what an RDB file says of how a key was used: how many seconds it was idle
// under an LRU policy, its counter under an LFU policy; -1 = nothing.
func (v *View) Aging(e entry.Entry) (idle int64, freq int) {
	switch p := v.ks.limits.Load().Policy; {
	case p.lfu():
		return -1, int(v.Frequency(e))
	case p == AllKeysLRU || p == VolatileLRU:
		return int64(v.IdleSeconds(e)), -1
	}
	return -1, -1
}
