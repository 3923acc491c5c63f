package keyspace

// Exact expiry. Redis samples keys with a deadline and may leave up to a quarter
// of the dead ones in memory; here each shard has a timing wheel, so a dead key is
// found when its time comes, at a cost that does not depend on the others.
//
// A wheel's record is a hint: the top 36 bits of the key's hash, four bits of
// stamp, and the deadline it was made for. When it comes due, the table is probed
// for entries whose hash begins with those bits: those whose time is over are
// removed, those with the record's stamp and a later deadline (EXPIRE was
// repeated) are put on the wheel again for that one. An entry that was deleted is
// just not found. So no command ever has to unlink a record, and records need
// not be told when an entry moves. Package wheel says what the stamp is for.
//
// Records of keys that were deleted, or got an earlier deadline, stay until they
// are due or Compact drops them. It is called when there are more than twice as
// many records as keys with a deadline: by the rounds of expiry, and by whoever
// adds records beyond that, for somewhat more than it has added. So the bound
// holds at any rate of writing.
//
// LIMITATIONS: a key is removed up to one tick of the executors (100 ms at hz 10,
// less under load) after its deadline; lookups hide it from the very millisecond.
// One stale record in sixteen passes for a good one until its key gets another
// stamp.

import (
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/container/wheel"
)

const (
	// recordBits is how much of a hash a wheel's record keeps; the stamp follows.
	recordBits = 40 - stampBits
	stampBits  = 4
	stampShift = 64 - 40
	stampMask  = 1<<stampBits - 1
	// staleSlack is how many stale records a wheel may have in any case.
	staleSlack = 1024
	// compactPerAdd is how many records are looked at for one that was added
	// beyond the bound, compactBatch how many at once.
	compactPerAdd = 4
	compactBatch  = 128
	// duePerLock bounds how long a shard is held for expiry: some 50 us.
	duePerLock = 64
)

// Expire removes keys whose time is over from the shards of one executor
// (every step-th from first), handling at most max records, and tells whether
// there may be more. The shards take turns, so that none has to wait for the
// others, and commands of other executors get in between. No shard is held by the
// caller.
func (v *View) Expire(first, step, max int) (more bool) {
	own := (len(v.ks.shards) - first + step - 1) / step
	for idle := 0; idle < own; v.expireNext++ {
		if max <= 0 {
			return true
		}
		n, rest := v.expireShard(first+v.expireNext%own*step, min(max, duePerLock))
		max -= n
		idle++
		if rest {
			idle = 0
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

// dueRecords are records whose time has come, taken off the wheel together so that
// what they stand for can be warmed together.
type dueRecords struct {
	list [duePerLock]struct {
		hash40   uint64
		deadline int64
	}
	n int
}

// expireDatabase handles at most budget records of a shard's database, no more
// than duePerLock, due ones and such as the wheel hands down or Compact looks at.
func (v *View) expireDatabase(sh *shard, db int, d *database, budget int) (done int, more bool) {
	due := &v.due
	done, more = d.wheel.Advance(v.Now, budget, func(hash40 uint64, deadline int64) {
		r := &due.list[due.n]
		r.hash40, r.deadline = hash40, deadline
		due.n++
		d.table.PrefetchBucket(hash40)
	})
	for i := range due.n {
		d.table.PrefetchEntry(due.list[i].hash40)
	}
	for i := range due.n {
		v.recordDue(sh, db, d, due.list[i].hash40, due.list[i].deadline)
	}
	due.n = 0
	if rest := min(budget-done, compactBatch); rest > 0 && d.tooManyRecords() {
		v.compact(d, rest)
		done += rest
	}
	return done, more
}

// recordDue acts on one record whose time has come: it removes the keys it may
// stand for whose time is over, and makes new records for those that it is the
// record of but that die later.
func (v *View) recordDue(sh *shard, db int, d *database, hash40 uint64, deadline int64) {
	for {
		var gone hashtable.Slot
		d.table.Probe(hash40, recordBits, func(s hashtable.Slot) bool {
			e := entry.At(v.ks.arena, s.Ref())
			switch dl := e.Deadline(); {
			case dl == 0:
			case dl <= v.Now:
				gone = s
			case v.isRecordOf(e, hash40, deadline):
				d.addRecord(v.ks.tableHash(e.Key()), e)
			}
			return !gone.Ok()
		})
		if !gone.Ok() {
			return
		}
		v.Stats.Expired++
		e := entry.At(v.ks.arena, gone.Ref())
		v.removeAs(sh, d, db, v.ks.tableHash(e.Key()), gone, e, Expired)
	}
}

// isRecordOf tells whether an entry relies on a record. The table may have
// probed with fewer bits than the record has, so the hash is compared too.
func (v *View) isRecordOf(e entry.Entry, hash40 uint64, deadline int64) bool {
	if dl := e.Deadline(); dl == 0 || dl < deadline || uint64(e.Stamp()) != hash40>>stampShift&stampMask {
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

// redate keeps wheel and count in step with an entry whose deadline was old (0 =
// none), with the given stamp, and is now what e says. A later deadline needs no
// record of its own: the earlier one comes due, finds the key alive with its
// stamp, and is made anew.
func (v *View) redate(d *database, h uint64, e entry.Entry, old int64, stamp uint8) {
	deadline := e.Deadline()
	switch {
	case deadline == 0:
		if old != 0 {
			d.volatile--
		}
		return
	case old == 0:
		d.volatile++
	case deadline >= old:
		e.SetStamp(stamp)
		return
	}
	if !d.hasWheel {
		d.wheel, d.hasWheel = wheel.New(d.heap, v.Now), true
	}
	d.addRecord(h, e)
	if d.tooManyRecords() {
		if d.compactDue += compactPerAdd; d.compactDue >= compactBatch {
			v.compact(d, d.compactDue)
			d.compactDue = 0
		}
	}
}

// addRecord makes the record that an entry with the given hash relies on.
func (d *database) addRecord(h uint64, e entry.Entry) {
	d.stamp++
	e.SetStamp(d.stamp)
	d.wheel.Add(h&^(stampMask<<stampShift)|uint64(d.stamp&stampMask)<<stampShift, e.Deadline())
}

// tooManyRecords tells that there must be many stale ones among them.
func (d *database) tooManyRecords() bool { return d.wheel.Len() > 2*d.volatile+staleSlack }

// compact looks at some records and drops the stale ones.
func (v *View) compact(d *database, records int) {
	d.wheel.Compact(records, func(hash40 uint64, deadline int64) bool {
		return v.recordLives(d, hash40, deadline)
	})
}
