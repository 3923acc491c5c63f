package keyspace

// SCAN's cursor is a position in hash space. Everything before it was returned;
// the next call goes on from there. The position is that of the whole
// keyspace: its top bits are the shard, the rest the shard's table's own cursor
// (see package hashtable for the guarantee). It is cut to cursorBits so that
// languages with floating-point numbers hold it exactly.
//
// LIMITATIONS: a shard's table with more than 2^(cursorBits-shardBits) buckets would
// need a finer cursor; at eight keys a bucket that is beyond any memory.

import (
	"math"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/object"
)

const cursorBits = object.CursorBits

// Scan visits living keys from cursor on, until it has emitted at least count
// keys or looked at ten times as many places, and returns the next cursor; 0
// means the end. key and e are valid only during the call of emit, which must
// not call the view.
func (v *View) Scan(cursor uint64, count int, emit func(e entry.Entry)) (next uint64) {
	count = min(max(count, 1), math.MaxInt32)
	bits := v.ks.shardBits
	pos := cursor << (64 - cursorBits)
	budget := 10 * count
	for n := 0; ; {
		i := v.ks.shardOf(pos)
		inner := pos << bits
		v.roam(i, func(sh *shard) {
			d := sh.dbs[v.DB]
			if d == nil {
				inner = 0
				return
			}
			for n < count && budget > 0 {
				budget--
				inner = d.table.Scan(inner, func(ref arena.Ref) {
					if e := entry.At(v.ks.arena, ref); !v.gone(sh.heap, e) {
						n++
						emit(e)
					}
				})
				if inner == 0 {
					return
				}
			}
		})
		if inner != 0 {
			return (uint64(i)<<(64-bits) | inner>>bits) >> (64 - cursorBits)
		}
		if i+1 == len(v.ks.shards) {
			return 0
		}
		pos = uint64(i+1) << (64 - bits)
		if n >= count || budget <= 0 {
			return pos >> (64 - cursorBits)
		}
	}
}

// randomTriesMax bounds the search for a living key by chance.
const randomTriesMax = 100

// RandomKey appends some living key of the database to dst; false when there is
// none. Each is as likely, unless nearly all are dead: then it is the first of
// some place on. Dead keys are left for Expire: nothing is held when the command
// is logged, so their removal could come after what others did to them since.
func (v *View) RandomKey(dst []byte) ([]byte, bool) {
	for range randomTriesMax {
		i := v.randomShard()
		if i < 0 {
			return dst, false
		}
		if key, ok := v.randomIn(i, dst); ok {
			return key, true
		}
	}
	return v.livingKey(dst, v.Rand.Uint64())
}

// randomIn appends some key of shard i to dst, unless the one it draws is dead.
func (v *View) randomIn(i int, dst []byte) (key []byte, ok bool) {
	v.roam(i, func(sh *shard) {
		d := sh.dbs[v.DB]
		if d == nil {
			return
		}
		if ref := d.table.Random(v.Rand.Uint64()); ref != 0 {
			if e := entry.At(v.ks.arena, ref); !v.gone(sh.heap, e) {
				key, ok = append(dst, e.Key()...), true
			}
		}
	})
	return key, ok
}

// livingKey appends the first living key from a place in hash space on, going
// round.
func (v *View) livingKey(dst []byte, from uint64) (key []byte, ok bool) {
	for _, cursor := range [...]uint64{from >> (64 - cursorBits), 0} {
		for again := true; again && !ok; again = cursor != 0 {
			cursor = v.Scan(cursor, 1, func(e entry.Entry) {
				if !ok {
					key, ok = append(dst, e.Key()...), true
				}
			})
		}
	}
	return key, ok
}

// randomShard picks a shard with a chance proportional to its keys in the
// view's database; -1 when there are none.
func (v *View) randomShard() int {
	total := 0
	var lens [ShardsMax]int
	for i := range v.ks.shards {
		v.roam(i, func(sh *shard) {
			if d := sh.dbs[v.DB]; d != nil {
				lens[i] = d.table.Len()
				total += lens[i]
			}
		})
	}
	if total == 0 {
		return -1
	}
	r := int(v.Rand.Uint64() % uint64(total))
	for i, n := range lens {
		if r < n {
			return i
		}
		r -= n
	}
	return -1
}
