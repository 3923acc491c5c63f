package keyspace

import (
	"math"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/container/hashtable"
)

// Policy is a maxmemory-policy.
type Policy uint8

// The policies.
const (
	NoEviction Policy = iota
	AllKeysLRU
	AllKeysLFU
	AllKeysRandom
	VolatileLRU
	VolatileLFU
	VolatileRandom
	VolatileTTL
)

func (p Policy) lfu() bool      { return p == AllKeysLFU || p == VolatileLFU }
func (p Policy) volatile() bool { return p >= VolatileLRU }

// Limits are the settings about memory. They are replaced as a whole.
type Limits struct {
	MaxMemory     int64 // bytes; 0 = no limit
	Policy        Policy
	Samples       int // keys looked at for one eviction
	LFULogFactor  int
	LFUDecayMins  int
	CountedBeside func() int64 // bytes outside the arena that count, or nil
}

// publishLazily is how far the arena's count of used bytes may be behind in a
// shard when no limit depends on it.
const publishLazily = 64 << 10

func (l *Limits) publishStep() int64 {
	if l.MaxMemory > 0 {
		return 0
	}
	return publishLazily
}

// SetLimits replaces the limits.
func (ks *Keyspace) SetLimits(l Limits) {
	ks.limits.Store(&l)
	step := l.publishStep()
	for i := range ks.shards {
		sh := &ks.shards[i]
		sh.mu.Lock()
		sh.heap.SetPublishStep(step)
		sh.mu.Unlock()
	}
}

// Limits are the limits in force.
func (ks *Keyspace) Limits() *Limits { return ks.limits.Load() }

// Over is how many bytes more are in use than maxmemory allows; 0 or less:
// none.
func (ks *Keyspace) Over() int64 {
	l := ks.limits.Load()
	if l.MaxMemory == 0 {
		return 0
	}
	used := ks.arena.Used()
	if l.CountedBeside != nil {
		used += l.CountedBeside()
	}
	return used - l.MaxMemory
}

// evictFailuresMax is how many empty draws in a row mean that nothing can go.
const evictFailuresMax = 16

// Evict removes keys by the policy until memory is within maxmemory or max
// keys have gone. False means that memory is still short and nothing can go.
// No shard is held by the caller.
func (v *View) Evict(max int) bool {
	l := v.ks.limits.Load()
	failures := 0
	for v.ks.Over() > 0 {
		if l.Policy == NoEviction || failures > evictFailuresMax+len(v.ks.shards)*v.ks.databases {
			return false
		}
		if max == 0 {
			return true
		}
		if v.evictOne(l, failures) {
			failures = 0
			max--
		} else {
			failures++
		}
	}
	return true
}

// victim is the best key to evict found so far.
type victim struct {
	slot  hashtable.Slot
	e     entry.Entry
	score uint64
}

// evictOne draws a shard and a database, samples keys there and removes the
// best one. After failures the draw becomes a walk, so that one key that can go
// among many empty shards is found for certain.
func (v *View) evictOne(l *Limits, failures int) (gone bool) {
	shards := len(v.ks.shards)
	r := int(v.Rand.Uint64() >> 33)
	i, dbFirst := r%shards, r/shards
	if failures > evictFailuresMax {
		walk := failures - evictFailuresMax - 1
		i, dbFirst = walk%shards, walk/shards
	}
	v.roam(i, func(sh *shard) {
		for k := range sh.dbs {
			db := (dbFirst + k) % len(sh.dbs)
			d := sh.dbs[db]
			if d == nil || d.table.Len() == 0 || l.Policy.volatile() && d.volatile == 0 {
				continue
			}
			best := v.sample(l, d)
			if !best.slot.Ok() && failures > evictFailuresMax {
				best = v.anyVictim(l, d)
			}
			if !best.slot.Ok() {
				continue
			}
			v.Stats.Evicted++
			v.removeAs(sh, d, db, v.ks.tableHash(best.e.Key()), best.slot, best.e, Evicted)
			gone = true
			return
		}
	})
	return gone
}

// sample looks at some keys and returns the one that should go first. Twice
// maxmemory-samples are looked at, which makes up for the pool of candidates
// that Redis keeps from one eviction to the next.
func (v *View) sample(l *Limits, d *database) (best victim) {
	n := 2 * max(l.Samples, 1)
	if l.Policy == AllKeysRandom || l.Policy == VolatileRandom {
		n = 1
	}
	for range n {
		if l.Policy.volatile() {
			v.sampleVolatile(l, d, &best)
			continue
		}
		if ref := d.table.Random(v.Rand.Uint64()); ref != 0 {
			e := entry.At(v.ks.arena, ref)
			if s := v.score(l, e); !best.e.Valid() || s > best.score {
				best = victim{e: e, score: s}
			}
		}
	}
	if best.e.Valid() && !best.slot.Ok() {
		best.slot = d.table.Find(v.ks.tableHash(best.e.Key()), best.e.Key())
	}
	return best
}

// anyVictim looks at all keys until one can go.
func (v *View) anyVictim(l *Limits, d *database) (found victim) {
	d.table.Each(func(ref arena.Ref) bool {
		e := entry.At(v.ks.arena, ref)
		if l.Policy.volatile() && !e.HasDeadline() {
			return true
		}
		found = victim{slot: d.table.Find(v.ks.tableHash(e.Key()), e.Key()), e: e}
		return false
	})
	return found
}

// sampleVolatile draws a key with a deadline by way of the timing wheel: the
// table may have few of them among very many.
func (v *View) sampleVolatile(l *Limits, d *database, best *victim) {
	draw := d.wheel.Sample
	if l.Policy == VolatileTTL {
		draw = d.wheel.SampleEarliest
	}
	hash40, _, ok := draw(v.Rand.Uint64())
	if !ok {
		return
	}
	met := false
	d.table.Probe(hash40, recordBits, func(s hashtable.Slot) bool {
		e := entry.At(v.ks.arena, s.Ref())
		if !e.HasDeadline() {
			return true
		}
		met = true
		if score := v.score(l, e); !best.slot.Ok() || score > best.score {
			*best = victim{slot: s, e: e, score: score}
		}
		return true
	})
	if !met {
		v.compact(d, compactBatch)
	}
}

// score tells how much a key deserves to go; more is sooner.
func (v *View) score(l *Limits, e entry.Entry) uint64 {
	switch {
	case l.Policy == VolatileTTL:
		return math.MaxUint64 - uint64(e.Deadline())
	case l.Policy.lfu():
		return 255 - uint64(v.frequency(l, e))
	case l.Policy == AllKeysLRU || l.Policy == VolatileLRU:
		return uint64(v.IdleSeconds(e))
	}
	return 0
}

// ageMask is the range of an entry's LRU clock: seconds, wrapping after 194
// days as Redis' does.
const ageMask = 1<<24 - 1

// lfuInit is the counter of a new key, so that it is not the next to go.
const lfuInit = 5

func (v *View) lruClock() uint32 { return uint32(v.Now/1000) & ageMask }

// lfuMinutes is the clock that the LFU counter decays by: 16 bits.
func (v *View) lfuMinutes() uint32 { return uint32(v.Now/60000) & 0xffff }

// freshAge is the age of a key that was just made.
func (v *View) freshAge() uint32 {
	if v.ks.limits.Load().Policy.lfu() {
		return v.lfuMinutes()<<8 | lfuInit
	}
	return v.lruClock()
}

// overwrittenAge is the age of a key whose value was just replaced: its
// frequency stays, its idle time ends.
func (v *View) overwrittenAge(e entry.Entry) uint32 {
	if v.ks.limits.Load().Policy.lfu() {
		return e.Age()
	}
	return v.lruClock()
}

// touch counts one use of a key.
func (v *View) touch(e entry.Entry) {
	l := v.ks.limits.Load()
	if l.Policy.lfu() {
		v.touchLFU(l, e)
		return
	}
	if now := v.lruClock(); e.Age() != now {
		e.SetAge(now)
	}
}

// touchLFU raises the logarithmic counter with a chance that falls with its
// height, as Redis does.
func (v *View) touchLFU(l *Limits, e entry.Entry) {
	n := v.frequency(l, e)
	if n < 255 {
		over := 0.0
		if n > lfuInit {
			over = float64(n - lfuInit)
		}
		if float64(v.Rand.Uint64()>>11)/(1<<53) < 1/(over*float64(l.LFULogFactor)+1) {
			n++
		}
	}
	e.SetAge(v.lfuMinutes()<<8 | uint32(n))
}

// frequency is the LFU counter after its decay up to now.
func (v *View) frequency(l *Limits, e entry.Entry) uint8 {
	age := e.Age()
	n := age & 0xff
	if l.LFUDecayMins > 0 {
		passed := (v.lfuMinutes() - age>>8) & 0xffff
		n -= min(n, passed/uint32(l.LFUDecayMins))
	}
	return uint8(n)
}

// Frequency is OBJECT FREQ's answer.
func (v *View) Frequency(e entry.Entry) uint8 { return v.frequency(v.ks.limits.Load(), e) }

// IdleSeconds is OBJECT IDLETIME's answer.
func (v *View) IdleSeconds(e entry.Entry) uint32 { return (v.lruClock() - e.Age()) & ageMask }

// SetIdle makes a key look unused for some seconds (RESTORE IDLETIME).
func (v *View) SetIdle(e entry.Entry, seconds int64) {
	e.SetAge(uint32(int64(v.lruClock())-seconds) & ageMask)
}

// SetFrequency sets the LFU counter (RESTORE FREQ).
func (v *View) SetFrequency(e entry.Entry, n uint8) { e.SetAge(v.lfuMinutes()<<8 | uint32(n)) }

// UsedBy is the number of bytes in use for a purpose, exactly. Exclusive mode
// only.
func (ks *Keyspace) UsedBy(p arena.Purpose) int64 {
	var n int64
	for i := range ks.shards {
		n += ks.shards[i].heap.UsedBy(p)
	}
	return n
}
