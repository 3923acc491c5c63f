// Package keyspace is the data set: numbered databases of keys, split by key
// hash into shards, each with its lock, its heap, its tables and its timing
// wheels.
//
// Callers reach keys through a View, which stands for one executor (an event
// loop) looking at one database at one moment. What a View may touch is decided
// before: by Lock with the set of shards of a command's keys, or by the
// exclusive mode, in which no other executor runs. See locks.go for the rules.
//
// Time is Unix milliseconds, given by the caller (View.Now); the package reads
// no clock. A key whose deadline is at or before Now does not exist for any
// lookup; it is removed when it is met, or by Expire within its next rounds.
//
// Invariants:
//   - a key is in the shard that its hash names, in at most one place;
//   - an entry with a deadline has a record in the wheel of its shard and
//     database, with its stamp, that comes due no later than the deadline;
//   - volatile counts just the entries with a deadline;
//   - every change of an entry passes View.edit first, so that a snapshot's
//     barrier sees it before it happens; LRU and LFU bits are not told of.
package keyspace

import (
	"math/bits"
	"sync/atomic"

	"github.com/zeebo/xxh3"

	"dozo/arena"
	"dozo/container/hashtable"
	"dozo/container/wheel"
	"dozo/env"
	"dozo/internal/invariants"
	"dozo/object"
)

const (
	// ShardsMax bounds the number of shards, and so the size of a LockSet.
	ShardsMax = 256
	// shardsPerLoop makes it unlikely that two loops meet in one shard.
	shardsPerLoop = 16
)

// Options are what a keyspace is made from.
type Options struct {
	Arena     *arena.Arena
	Loops     int // executors that will run at once; decides the number of shards
	Databases int
	Seed      uint64 // of the hash function: secret, against chosen keys
	NewRand   func() env.Rand
	NowMs     int64
	// PartDivisor is that of object.Kit: tests alone set it.
	PartDivisor int
}

// Keyspace is all databases of one server.
type Keyspace struct {
	arena     *arena.Arena
	shards    []shard
	shardBits uint
	seed      uint64
	databases int
	newRand   func() env.Rand
	solo      bool // one executor: shards need no locks
	kit       object.Kit
	hasher    func(key []byte) uint64 // what tables hash keys again with
	buried    atomic.Int64            // in the graveyards of all shards

	// limits are read on each command and changed by CONFIG SET.
	limits atomic.Pointer[Limits]
	// barrier is nil but while a snapshot is being taken; apart is what that alone has in
	// the arena (CountApart).
	barrier Barrier
	apart   atomic.Int64
	// exclusive is the View that runs alone, for the checks of the invariants
	// build.
	exclusive *View
}

// shard is one part of the keyspace. Everything in it is protected by mu, or by
// the exclusive mode. It fills two cache lines, the unit in which processors
// fetch, so that the locks of neighbours do not disturb each other.
type shard struct {
	mu      lock
	heap    *arena.Heap
	dbs     []*database
	watched map[watchKey][]watcher
	waiting map[watchKey]*waitQueue // clients in blocking commands, see wait.go
	leads   *leads                  // nil: serving them needs no other shard
	ends    int                     // queues in which somebody waits for the key to go
	left    *graveyard              // what is still to be freed, see graves.go; nil: nothing
	holder  *View                   // who holds mu, kept in the invariants build only
	index   int
	apart   int // things in the heap that only a snapshot needs
	_       [16]byte
}

// database is the part of a database that lies in one shard.
type database struct {
	heap     *arena.Heap
	table    hashtable.Table
	wheel    wheel.Wheel
	hasWheel bool
	stamp    uint8 // of the last record made
	volatile int   // entries with a deadline
	dated    int   // hashes with fields that have one
	// compactDue is how many records are still to be looked at for those that
	// were added beyond the bound.
	compactDue int
	own        map[string]int64 // see follow.go
}

// New makes an empty keyspace.
func New(o Options) *Keyspace {
	n := min(ShardsMax, 1<<bits.Len(uint(max(o.Loops, 1)*shardsPerLoop-1)))
	ks := &Keyspace{
		arena: o.Arena, shards: make([]shard, n), shardBits: uint(bits.TrailingZeros(uint(n))),
		seed: o.Seed, databases: o.Databases, newRand: o.NewRand, solo: o.Loops == 1,
	}
	ks.kit.Hash, ks.kit.PartDivisor, ks.hasher = ks.Hash, o.PartDivisor, ks.tableHash
	ks.begin(Limits{Samples: 5})
	return ks
}

// begin makes the shards empty ones.
func (ks *Keyspace) begin(l Limits) {
	for i := range ks.shards {
		ks.shards[i].index = i
		ks.shards[i].mu = newLock()
		ks.shards[i].heap = ks.arena.NewHeap()
		ks.shards[i].dbs = make([]*database, ks.databases)
	}
	ks.SetLimits(l)
}

// Close frees everything. No View may be used afterwards.
func (ks *Keyspace) Close() {
	for i := range ks.shards {
		sh := &ks.shards[i]
		if invariants.Enabled { // so that a leaked block is found
			ks.freeAll(sh)
			invariants.Check(sh.heap.Used() == 0, "shard %d: %d bytes left after its last key", i, sh.heap.Used())
		}
		for _, h := range append(sh.graves().heaps, sh.heap) {
			h.Close()
		}
	}
}

// Databases is the number of databases.
func (ks *Keyspace) Databases() int { return ks.databases }

// Shards is the number of shards.
func (ks *Keyspace) Shards() int { return len(ks.shards) }

// Arena is where the data lives.
func (ks *Keyspace) Arena() *arena.Arena { return ks.arena }

// Hash is the hash of a key: its top bits name the shard, the rest the place in
// the shard's table.
func (ks *Keyspace) Hash(key []byte) uint64 { return xxh3.HashSeed(key, ks.seed) }

// shardOf is the one function from a key's hash to its shard. A cluster mode
// would map the key's hash slot here instead.
func (ks *Keyspace) shardOf(hash uint64) int { return int(hash >> (64 - ks.shardBits)) }

// within is the hash as the shard's tables and wheels see it.
func (ks *Keyspace) within(hash uint64) uint64 { return hash << ks.shardBits }

// tableHash is the hash function that tables recompute hashes with.
func (ks *Keyspace) tableHash(key []byte) uint64 { return ks.within(ks.Hash(key)) }

// database returns the shard's part of a database, making it if need be.
func (ks *Keyspace) database(sh *shard, db int) *database {
	if d := sh.dbs[db]; d != nil {
		return d
	}
	d := &database{heap: sh.heap, table: hashtable.New(sh.heap, ks.hasher)}
	sh.dbs[db] = d
	return d
}
