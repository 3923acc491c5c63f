package keyspace

// Exact expiry. Redis samples keys with a deadline and may leave up to a quarter
// of the dead ones in memory; here each shard has a timing wheel, so a dead key is
// found when its time comes, at a cost that does not depend on the others.
//
// A wheel's record is a hint: the top 40 bits of the key's hash and the
// deadline it was made for. When it comes due, the table is probed for entries
// whose hash begins with those bits: those whose time is over are removed, those
// with a later deadline (EXPIRE was repeated) are put on the wheel again for
// that one. An entry that was deleted is just not found. So no command ever
// has to unlink a record, and records need not be told when an entry moves.
//
// LIMITATIONS: records of deleted keys stay until they are due. Compact works
// them off when there are more than twice as many records as living keys with a
// deadline, a bounded amount each round. A key is removed up to one tick of
// the executors (100 ms at hz 10, less under load) after its deadline; lookups
// hide it from the very millisecond.

import (
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/container/wheel"
)

const (
	// recordBits is how much of a hash a wheel's record keeps.
	recordBits = 40
	// staleSlack is how many stale records a wheel may have in any case.
	staleSlack = 1024
	// duePerLock bounds how long a shard is held for expiry.
	duePerLock = 256
)

// Expire removes keys whose time is over from the shards of one executor
// (every step-th from first), at most max of them, and tells whether there are
// more. No shard is held by the caller.
func (v *View) Expire(first, step, max int) (more bool) {
	for i := first; i < len(v.ks.shards); i += step {
		for {
			n, rest := v.expireShard(i, min(max, duePerLock))
			max -= n
			if max <= 0 {
				return true
			}
			if !rest {
				break
			}
		}
	}
	return false
}

// expireShard works on one shard for at most budget records.
func (v *View) expireShard(i, budget int) (done int, more bool) {
	v.roam(i, func(sh *shard) {
		for db, d := range sh.dbs {
			if d == nil || !d.hasWheel {
				continue
			}
			if done >= budget {
				more = true
				return
			}
			n, rest := v.expireDatabase(sh, db, d, budget-done)
			done += n
			more = more || rest
		}
	})
	return done, more
}

func (v *View) expireDatabase(sh *shard, db int, d *database, budget int) (done int, more bool) {
	more = d.wheel.Advance(v.Now, budget, func(hash40 uint64, deadline int64) {
		done++
		v.recordDue(sh, db, d, hash40, deadline)
	})
	if d.wheel.Len() > 2*d.volatile+staleSlack {
		d.wheel.Compact(budget, func(hash40 uint64, deadline int64) bool {
			return v.recordLives(d, hash40, deadline)
		})
	}
	return done, more
}

// recordDue acts on one record whose time has come: it removes the keys it may
// stand for whose time is over, and makes a new record for one that it is the
// record of but that dies later.
func (v *View) recordDue(sh *shard, db int, d *database, hash40 uint64, deadline int64) {
	for {
		var gone hashtable.Slot
		var later entry.Entry
		d.table.Probe(hash40, recordBits, func(s hashtable.Slot) bool {
			e := entry.At(v.ks.arena, s.Ref())
			switch dl := e.Deadline(); {
			case dl == 0:
			case dl <= v.Now:
				gone = s
			case v.isRecordOf(e, hash40, deadline):
				later = e
			}
			return !gone.Ok()
		})
		if !gone.Ok() {
			if later.Valid() {
				later.SetLate(false)
				d.wheel.Add(v.ks.tableHash(later.Key()), later.Deadline())
			}
			return
		}
		v.Stats.Expired++
		e := entry.At(v.ks.arena, gone.Ref())
		v.removeAs(sh, d, db, v.ks.tableHash(e.Key()), gone, e, Expired)
	}
}

// isRecordOf tells whether an entry relies on a record: one made for its
// deadline, or an earlier one if the entry is late. The table may have probed
// with fewer bits than the record has, so the hash is compared too.
func (v *View) isRecordOf(e entry.Entry, hash40 uint64, deadline int64) bool {
	dl := e.Deadline()
	if dl == 0 || !wheel.Covers(deadline, dl) && !(e.Late() && deadline < dl) {
		return false
	}
	return (v.ks.tableHash(e.Key())^hash40)>>(64-recordBits) == 0
}

// recordLives tells whether some entry relies on a record.
func (v *View) recordLives(d *database, hash40 uint64, deadline int64) bool {
	lives := false
	d.table.Probe(hash40, recordBits, func(s hashtable.Slot) bool {
		lives = v.isRecordOf(entry.At(v.ks.arena, s.Ref()), hash40, deadline)
		return !lives
	})
	return lives
}
