package keyspace

import (
	"dozo/internal/invariants"
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
func (p Policy) random() bool   { return p == AllKeysRandom || p == VolatileRandom }

// Limits are the settings about memory. They are replaced as a whole.
type Limits struct {
	MaxMemory    int64 // bytes; 0 = no limit
	Policy       Policy
	Samples      int // keys looked at for one eviction
	LFULogFactor int
	LFUDecayMins int
	// CountedBeside is how many bytes outside the arena count, less those within it
	// that do not; or nil.
	CountedBeside func() int64
}

// Shards add what they take and give to the arena's count of used bytes in
// steps, since all of them write to that one word: publishLazily bytes when no
// limit depends on the count, and such that all together are wrong by no more
// than the publishShare-th part of the limit when one does.
const (
	publishLazily = 64 << 10
	publishShare  = 4096
)

func (ks *Keyspace) publishStep(l *Limits) int64 {
	if l.MaxMemory > 0 {
		return min(l.MaxMemory/publishShare/int64(len(ks.shards)), publishLazily)
	}
	return publishLazily
}

// SetLimits replaces the limits.
func (ks *Keyspace) SetLimits(l Limits) {
	ks.limits.Store(&l)
	step := ks.publishStep(&l)
	for i := range ks.shards {
		sh := &ks.shards[i]
		sh.mu.lock()
		sh.heap.SetPublishStep(step)
		sh.mu.unlock()
	}
}

// Limits are the limits in force.
func (ks *Keyspace) Limits() *Limits { return ks.limits.Load() }

// Apart is how many bytes in use do not count against maxmemory.
func (ks *Keyspace) Apart() int64 { return ks.apart.Load() }

// Over is how many bytes more are in use than maxmemory allows; 0 or less:
// none.
func (ks *Keyspace) Over() int64 {
	l := ks.limits.Load()
	if l.MaxMemory == 0 {
		return 0
	}
	used := ks.arena.Used() - ks.apart.Load()
	if l.CountedBeside != nil {
		used += l.CountedBeside()
	}
	return used - l.MaxMemory
}

// evictFailuresMax is how many draws in a row without a victim make the draw a
// walk.
const evictFailuresMax = 16

// Evict removes keys by the policy until memory is within maxmemory or max
// keys have gone. False means that memory is still short and nothing can go.
// No shard is held by the caller.
func (v *View) Evict(max int) bool {
	if invariants.Enabled {
		v.mustBeInside("eviction")
	}
	l := v.ks.limits.Load()
	failures := 0
	for v.ks.Over() > 0 {
		if max > 0 && v.ks.Graves() > 0 { // room that costs nobody a key
			v.FreeGraves(0, 1, graveShare)
			max--
			continue
		}
		if l.Policy == NoEviction || failures > evictFailuresMax+len(v.ks.shards) {
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

// evictOne draws a shard, looks at some of its keys and removes the best of
// those and the ones it still knows. After failures the draw becomes a walk, so
// that one key that can go among many empty shards is found for certain.
func (v *View) evictOne(l *Limits, failures int) bool {
	i, walk := int(v.Rand.Uint64()>>33)%len(v.ks.shards), failures > evictFailuresMax
	if walk {
		i = (failures - evictFailuresMax - 1) % len(v.ks.shards)
	}
	v.pool.keepFor(l)
	v.roam(i, func(sh *shard) { v.sampleShard(l, sh, walk) })
	for v.pool.n > 0 {
		if v.evict(l, v.pool.best()) {
			return true
		}
	}
	return false
}

// evict removes a candidate, if it is still there and deserves it as much as
// when it was met.
func (v *View) evict(l *Limits, c candidate) (gone bool) {
	db, h := int(c.db), v.ks.within(c.hash)
	v.roam(v.ks.shardOf(c.hash), func(sh *shard) {
		d := sh.dbs[db]
		if d == nil {
			return
		}
		var at hashtable.Slot
		d.table.Probe(h, 64, func(s hashtable.Slot) bool {
			e := entry.At(v.ks.arena, s.Ref())
			if v.ks.Hash(e.Key()) == c.hash && v.mayGo(l, e) && v.score(l, e) >= c.score {
				at = s
			}
			return !at.Ok()
		})
		if !at.Ok() {
			return
		}
		gone = true
		if e := entry.At(v.ks.arena, at.Ref()); dead(e, v.Now) && !v.Follows {
			v.Stats.Expired++
			v.removeAs(sh, d, db, h, at, e, Expired)
		} else {
			v.Stats.Evicted++
			v.removeAs(sh, d, db, h, at, e, Evicted)
		}
	})
	return gone
}

// mayGo tells whether the policy lets a key be evicted.
func (v *View) mayGo(l *Limits, e entry.Entry) bool { return !l.Policy.volatile() || e.HasDeadline() }

// candidate is a key that may be evicted, without its name: whoever has its hash
// has it, and one taken for it does not live long.
type candidate struct {
	hash  uint64
	score uint64
	db    int32
}

// pool is the best candidates that an executor has met, in ascending order. It
// makes a few samples do the work of many: what was good but not the best is
// there for the next eviction. (Redis has one, of the same size.)
type pool struct {
	of   *Limits // scores of other limits mean other things
	n    int
	list [poolSize]candidate
}

const poolSize = 16

func (p *pool) keepFor(l *Limits) {
	if p.of != l {
		p.of, p.n = l, 0
	}
}

// add puts a candidate in, unless it is there or all others are better.
func (p *pool) add(c candidate) {
	at := p.n
	for i := range p.n {
		if p.list[i].hash == c.hash && p.list[i].db == c.db {
			return
		}
		if at == p.n && p.list[i].score > c.score {
			at = i
		}
	}
	if p.n < poolSize {
		copy(p.list[at+1:p.n+1], p.list[at:p.n])
		p.n++
	} else if at--; at < 0 {
		return
	} else {
		copy(p.list[:at], p.list[1:at+1])
	}
	p.list[at] = c
}

// best takes the best candidate out.
func (p *pool) best() candidate {
	p.n--
	return p.list[p.n]
}

// sampleShard puts some keys of a shard into the pool: of each database, or of
// one by chance with the policies that do not compare. all says that one key has
// to be found if there is any.
func (v *View) sampleShard(l *Limits, sh *shard, all bool) {
	first := int(v.Rand.Uint64()>>33) % len(sh.dbs)
	for k := range sh.dbs {
		db := (first + k) % len(sh.dbs)
		d := sh.dbs[db]
		if d == nil || d.table.Len() == 0 || l.Policy.volatile() && d.volatile == 0 {
			continue
		}
		v.sample(l, d, db)
		if v.pool.n == 0 && all {
			v.anyKey(l, d, db)
		}
		if l.Policy.random() && v.pool.n > 0 {
			return
		}
	}
}

// sample puts some keys of a database into the pool.
func (v *View) sample(l *Limits, d *database, db int) {
	n := min(max(l.Samples, 1), d.table.Len())
	switch {
	case l.Policy.volatile():
		for range n {
			v.sampleVolatile(l, d, db)
		}
	case l.Policy.random():
		v.consider(l, db, d.table.Random(v.Rand.Uint64()))
	default:
		pos := v.Rand.Uint64()
		for tries := 10 * n; n > 0 && tries > 0; tries-- {
			pos = d.table.Scan(pos, func(ref arena.Ref) {
				n--
				v.consider(l, db, ref)
			})
		}
	}
}

// consider puts one key into the pool if it is good enough.
func (v *View) consider(l *Limits, db int, ref arena.Ref) {
	if e := entry.At(v.ks.arena, ref); v.mayGo(l, e) {
		score := v.score(l, e)
		if v.pool.n < poolSize || score > v.pool.list[0].score {
			v.pool.add(candidate{v.ks.Hash(e.Key()), score, int32(db)})
		}
	}
}

// anyKey looks at all keys of a database until one can go.
func (v *View) anyKey(l *Limits, d *database, db int) {
	d.table.Each(func(ref arena.Ref) bool {
		v.consider(l, db, ref)
		return v.pool.n == 0
	})
}

// sampleVolatile draws a key with a deadline by way of the timing wheel: the
// table may have few of them among very many.
func (v *View) sampleVolatile(l *Limits, d *database, db int) {
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
		if entry.At(v.ks.arena, s.Ref()).HasDeadline() {
			met = true
			v.consider(l, db, s.Ref())
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
	case dead(e, v.Now):
		return math.MaxUint64
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

// clockBack is how many seconds the clock may be set back (12 days) without keys
// looking idle that are not.
const clockBack = 1 << 20

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

// IdleSeconds is OBJECT IDLETIME's answer. A use that lies a little in the
// future, since the clock was set back, is none that lies almost 194 days back.
func (v *View) IdleSeconds(e entry.Entry) uint32 {
	idle := (v.lruClock() - e.Age()) & ageMask
	if idle > ageMask-clockBack {
		return 0
	}
	return idle
}

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
