// Package wheel says which keys are due: a hierarchical timing wheel of
// deadlines in milliseconds, in memory that the garbage collector does not see.
//
// There is one for each database of each shard that has keys with a deadline;
// it is not safe for concurrent use. Deadlines and clocks are milliseconds
// since the epoch; a deadline may be any int64. There are no errors.
//
// # Layout
//
// A wheel has eleven levels of 64 slots. A slot of level L is 64^L milliseconds
// wide: 1 ms, 64 ms, 4 s, 4.4 minutes, 4.7 hours, 12 days, 2 years, ... A
// deadline belongs to the level of the highest digit, to the base of 64, in
// which it differs from the wheel's time, and there to the slot of that digit:
// the level is found with one XOR and one count of leading zeros. So all that
// is on level L is due before all that is on level L+1, and within a level the
// lowest occupied slot is due first: one word of bits a level finds the next
// slot. When the time reaches a slot of level 0, what is in it is due. When it
// reaches one of a higher level, its records are handed down to where they
// belong now. A record is handed down at most ten times, four times in a day.
//
// A slot is a ring of chunks of 64 to 1024 bytes. A chunk knows where its slot
// begins, and a record is eight bytes:
//
//	bits 24-63  the top 40 bits of the key's hash
//	bits  0-23  the deadline, counted from the start of the chunk's slot
//
// in milliseconds on the levels 0 to 4, and from level 5 on in the 2^24th part
// of a slot: 64 ms there, 4 s on the next.
//
// Invariants, which Check recounts:
//
//   - A record on level L, slot s has a deadline in that slot's range of the
//     present turn, and s is above the wheel's own digit (on level 0, or equal).
//   - What is due at the wheel's time or earlier is on level 0 or in `loose`.
//   - A chunk in a ring has records.
//
// # Records are hints
//
// The deadline of a key is in its entry; a record says where to look, and when.
// So whoever deletes a key, moves its entry, or changes its deadline need not
// find the record: a look-up and a second cache miss saved for each, and sixteen
// bytes of links for each key. The price is that a record may be stale, which
// is found out when it comes due: no such key, or another deadline.
//
// A user should make sure of two things. The first is that every key with a
// deadline has a record that is due no later than the key, since it is found by
// nothing else. The second is that stale records can be told from that one, or
// they pile up: records of a key that is deleted and made anew with the same
// deadline look alike. Both follow from a small number, the stamp, which the
// user keeps in the entry and in the last bits of what it gives Add for a hash;
// each Add takes the next one:
//
//	new deadline               Add it with a fresh stamp
//	a later deadline           nothing (a refresh costs nothing here)
//	an earlier deadline        Add it with a fresh stamp
//	due, another stamp         the record is stale: nothing
//	due, the entry's stamp     the key dies, or, if its time is not come (it was
//	                           put off, or the record is rounded down), Add its
//	                           deadline with a fresh stamp
//
// and Compact's live is: the stamps agree, and the record's deadline is not
// beyond the entry's. A stamp of n bits is wrong in one of 2^n cases, so one of
// 2^n stale records is taken for the entry's: it costs its eight bytes for a
// while. It does no harm when it comes due, and cannot multiply.
//
// Compact bounds what is left: it walks through the slots, some chunks a call,
// asks which records are alive, and drops the others. Called whenever there are
// more than twice as many records as keys with a deadline, it keeps the memory
// below some 17 bytes for each such key, if it looks at some more records than
// are added meanwhile.
//
// # When the clock jumps
//
// Forwards, all slots in between are due, earliest first, and a record whose
// deadline is over is due at once without being handed down level by level.
// The work is still bounded by the caller's budget.
//
// Backwards, let M be the highest digit in which the old and the new time
// differ. Records of level M and above differ from the new time in the same
// digit as from the old one: they stay. All records of the levels below M share
// digit M with the old time, so all of them belong to one slot: M, that digit.
// Their rings are joined to its ring, which is possible because a chunk carries
// its own start. No record is touched, whatever their number.
//
// LIMITATIONS. A record is due early by up to the unit of its level when it was
// added, so by up to 64 ms when wheel time and deadline differ in digit 5 (from
// some days on, 12 days at the most), by 4 s in digit 6 (2 years), and so on: the
// user must look at the entry's deadline, and Add again. Nothing is due late.
// Keys with equal top 40 bits of the hash share their records' fate: they are
// looked at in vain. Deadlines in one millisecond come in no order.
package wheel

import (
	"math/bits"

	"dozo/arena"
)

const (
	digitBits = 6
	slots     = 1 << digitBits
	levels    = 11 // 11 digits of 6 bits hold 63

	restBits = 24 // of a record, for the deadline
	restMask = 1<<restBits - 1

	// exactLevel is the highest one with records exact to the millisecond.
	exactLevel = restBits / digitBits
)

// Wheel is made by New. It must not be copied once it has records.
type Wheel struct {
	heap  *arena.Heap
	arena *arena.Arena
	now   int64 // the wheel's time, not negative
	count int
	bytes int64
	loose ring // records to look at before anything else
	sweep sweep
	level [levels]level
}

// level is 64 slots; their rings are off-heap, and only where there was ever
// one.
type level struct {
	rings    arena.Ref
	occupied uint64
	count    int
}

// New makes an empty wheel, which takes no memory until the first Add.
func New(h *arena.Heap, nowMs int64) Wheel {
	return Wheel{heap: h, arena: h.Arena(), now: max(nowMs, 0)}
}

// Len is the number of records.
func (w *Wheel) Len() int { return w.count }

// Bytes is the memory that the wheel takes.
func (w *Wheel) Bytes() int64 { return w.bytes }

// Add makes a record of the top 40 bits of the hash and the deadline.
func (w *Wheel) Add(hash uint64, deadlineMs int64) {
	w.count++
	w.put(hash, deadlineMs)
}

// put is Add for a record that is counted already.
func (w *Wheel) put(hash uint64, deadline int64) {
	if deadline < w.now {
		// Due, unless the clock was set back and Advance does not know yet.
		start := deadline &^ restMask
		w.append(&w.loose, start, exactLevel, hash, deadline-start)
		return
	}
	l := levelOf(deadline, w.now)
	s := slotOf(deadline, l)
	start := deadline &^ (width(l) - 1)
	w.append(w.ring(l, s), start, l, hash, (deadline-start)>>unit(l))
	w.level[l].occupied |= 1 << s
	w.level[l].count++
}

// levelOf is where a deadline belongs at a time, both not negative.
func levelOf(deadline, now int64) int {
	return (bits.Len64(uint64(deadline^now)|1) - 1) / digitBits
}

func slotOf(deadline int64, level int) int {
	return int(deadline>>(level*digitBits)) & (slots - 1)
}

// width is how many milliseconds a slot has.
func width(level int) int64 { return 1 << (level * digitBits) }

// unit is by how many bits a record's deadline is shifted.
func unit(level int) int { return max(0, level*digitBits-restBits) }

// Next is when Advance has something to do next: at the deadline of the
// earliest record or, while that lies in a wide slot, at the start of that.
func (w *Wheel) Next() (ms int64, ok bool) {
	if w.loose.count > 0 {
		return w.now, true
	}
	l, s, ok := w.earliest()
	if !ok {
		return 0, false
	}
	return w.startOf(l, s), true
}

// earliest is the first occupied slot.
func (w *Wheel) earliest() (l, s int, ok bool) {
	for l := range w.level {
		if o := w.level[l].occupied; o != 0 {
			return l, bits.TrailingZeros64(o), true
		}
	}
	return 0, 0, false
}

// startOf is when slot s of level l begins in the present turn.
func (w *Wheel) startOf(l, s int) int64 {
	return w.now&^(width(l)<<digitBits-1) | int64(s)<<(l*digitBits)
}

// Advance calls due for the records whose deadline is nowMs or earlier. It
// handles at most budget records, due ones and such as must be handed down, and
// says how many it were; more tells that some are left, so that Advance should be
// called again soon. due gets the hash with the lower 24 bits zero, and the
// deadline as far as the record has it: never later than the one that was added.
// It may call Add.
func (w *Wheel) Advance(nowMs int64, budget int, due func(hash40 uint64, deadlineMs int64)) (handled int, more bool) {
	nowMs = max(nowMs, 0)
	if nowMs < w.now {
		w.rewind(nowMs)
	}
	for w.loose.count > 0 || w.turn(nowMs) {
		if handled >= budget {
			return handled, true
		}
		handled += w.work(nowMs, budget-handled, due)
	}
	w.now = nowMs
	return handled, false
}

// turn moves the time on to the earliest slot, if that begins by now, and makes
// its records loose.
func (w *Wheel) turn(now int64) bool {
	l, s, ok := w.earliest()
	if !ok {
		return false
	}
	start := w.startOf(l, s)
	if start > now {
		return false
	}
	w.now = start
	w.loosen(l, s)
	return true
}

// work handles loose records, at most budget: those that are due go to due, the
// others where they belong now. due may add loose records, so nothing is known
// of the ring after it.
func (w *Wheel) work(now int64, budget int, due func(uint64, int64)) (done int) {
	for ; done < budget && w.loose.count > 0; done++ {
		r, c := w.head(&w.loose)
		c.count--
		w.loose.count--
		hash, deadline := c.record(int(c.count))
		if c.count == 0 {
			w.remove(&w.loose, r)
		}
		if deadline <= now {
			w.count--
			due(hash, deadline)
		} else {
			w.put(hash, deadline)
		}
	}
	return done
}

// rewind sets the time back. The package comment says why all records of the
// lower levels belong to one slot then.
func (w *Wheel) rewind(now int64) {
	m := levelOf(w.now, now)
	s := slotOf(w.now, m)
	w.now = now
	for l := range m {
		for o := w.level[l].occupied; o != 0; o &= o - 1 {
			from := w.ring(l, bits.TrailingZeros64(o))
			w.level[m].occupied |= 1 << s
			w.level[m].count += from.count
			w.join(w.ring(m, s), from)
		}
		w.level[l].occupied, w.level[l].count = 0, 0
	}
	if w.sweep.level < m {
		w.sweep.prev = 0
	}
}

// Free gives all memory back and leaves an empty wheel.
func (w *Wheel) Free() {
	w.freeRing(&w.loose)
	for l := range w.level {
		v := &w.level[l]
		for o := v.occupied; o != 0; o &= o - 1 {
			w.freeRing(w.ring(l, bits.TrailingZeros64(o)))
		}
		if v.rings != 0 {
			w.free(v.rings, ringsSize)
		}
		*v = level{}
	}
	w.count, w.sweep = 0, sweep{}
}
