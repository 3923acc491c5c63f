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
// A hash whose fields have deadlines has a record too: for what is due first, the
// key itself or the earliest of the fields, so that one stamp serves both. When it
// comes due some fields are removed, and while more are due the hash gets a record that is due at
// once, so that a hash with a million of them costs no more at a time than a
// million keys. See fields.go.
//
// LIMITATIONS: a key is removed up to one tick of the executors (100 ms at hz 10,
// less under load) after its deadline; lookups hide it from the very millisecond.
// One stale record in sixteen passes for a good one until its key gets another
// stamp.

import (
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/container/wheel"
	"dozo/internal/invariants"
	"dozo/object"
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
	if invariants.Enabled {
		v.mustBeInside("expiry")
	}
	if v.Follows {
		return false // the wheels wait for the day on which this node leads
	}
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
	fields := duePerLock
	for i := range due.n {
		fields = v.recordDue(sh, db, d, due.list[i].hash40, due.list[i].deadline, fields)
	}
	due.n = 0
	if done += duePerLock - fields; fields == 0 {
		more = true
	}
	if rest := min(budget-done, compactBatch); rest > 0 && d.tooManyRecords() {
		v.compact(d, rest)
		done += rest
	}
	return done, more
}

// recordDue acts on one record whose time has come: it removes the keys it may
// stand for whose time is over, and at most so many fields of theirs as left says, and
// makes new records for those that it is the record of but that die later. It
// returns how many fields may still go.
func (v *View) recordDue(sh *shard, db int, d *database, hash40 uint64, deadline int64, left int) int {
	for {
		var gone hashtable.Slot
		d.table.Probe(hash40, recordBits, func(s hashtable.Slot) bool {
			e := entry.At(v.ks.arena, s.Ref())
			switch next := v.timesOf(e).next; {
			case next == 0:
			case next <= v.Now && (left > 0 || dead(e, v.Now)):
				gone = s
			case next <= v.Now || v.isRecordOf(e, hash40, deadline):
				d.addRecord(v.ks.tableHash(e.Key()), e, next)
			}
			return !gone.Ok()
		})
		if !gone.Ok() {
			return left
		}
		e := entry.At(v.ks.arena, gone.Ref())
		h := v.ks.tableHash(e.Key())
		if !dead(e, v.Now) {
			c := v.cell(sh, gone, e)
			left -= v.dropFields(sh, d, db, h, &c, left)
			continue
		}
		v.Stats.Expired++
		v.removeAs(sh, d, db, h, gone, e, Expired)
	}
}

// isRecordOf tells whether an entry relies on a record. The table may have
// probed with fewer bits than the record has, so the hash is compared too.
func (v *View) isRecordOf(e entry.Entry, hash40 uint64, deadline int64) bool {
	if next := v.timesOf(e).next; next == 0 || next < deadline || uint64(e.Stamp()) != hash40>>stampShift&stampMask {
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

// times are what counts and records depend on.
type times struct {
	key   int64 // the deadline of the key
	next  int64 // what is due first, the key or one of its fields; 0 = nothing
	dated bool  // some field has a deadline
	stamp uint8
}

// timesOf reads the times of an entry.
func (v *View) timesOf(e entry.Entry) times {
	t := times{key: e.Deadline(), stamp: e.Stamp()}
	t.next = t.key
	if object.Encoding(e.Encoding()).Dated() {
		t.withFields(object.FieldsDue(v.ks.arena, e))
	}
	return t
}

// withFields adds the earliest deadline of a field, 0 = none.
func (t *times) withFields(first int64) {
	if t.dated = first != 0; t.dated && (t.next == 0 || first < t.next) {
		t.next = first
	}
}

// forget takes an entry that goes out of the counts.
func (d *database) forget(t times) {
	if t.key != 0 {
		d.volatile--
	}
	if t.dated {
		d.dated--
	}
}

// redate keeps wheel and counts in step with an entry whose times were old, all of
// them 0 if it is new, and are now what e says. Something that is due later needs no
// record of its own: the earlier one comes due, finds the key alive with its
// stamp, and is made anew.
func (v *View) redate(d *database, h uint64, e entry.Entry, old times) {
	t := v.timesOf(e)
	d.forget(old)
	if t.key != 0 {
		d.volatile++
	}
	if t.dated {
		d.dated++
	}
	switch {
	case t.next == 0:
		return
	}
	if v.Follows && !v.Timeless {
		d.noteOwn(e.Key(), t.next)
	}
	switch {
	case old.next != 0 && t.next >= old.next:
		e.SetStamp(old.stamp)
		return
	}
	if !d.hasWheel {
		d.wheel, d.hasWheel = wheel.New(d.heap, v.Now), true
	}
	d.addRecord(h, e, t.next)
	if d.tooManyRecords() {
		if d.compactDue += compactPerAdd; d.compactDue >= compactBatch {
			v.compact(d, d.compactDue)
			d.compactDue = 0
		}
	}
}

// addRecord makes the record that an entry with the given hash relies on, for what
// is due next.
func (d *database) addRecord(h uint64, e entry.Entry, next int64) {
	d.stamp++
	e.SetStamp(d.stamp)
	d.wheel.Add(h&^(stampMask<<stampShift)|uint64(d.stamp&stampMask)<<stampShift, next)
}

// tooManyRecords tells that there must be many stale ones among them.
func (d *database) tooManyRecords() bool { return d.wheel.Len() > 2*(d.volatile+d.dated)+staleSlack }

// compact looks at some records and drops the stale ones.
func (v *View) compact(d *database, records int) {
	d.wheel.Compact(records, func(hash40 uint64, deadline int64) bool {
		return v.recordLives(d, hash40, deadline)
	})
}
