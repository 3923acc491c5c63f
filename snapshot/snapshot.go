// Package snapshot takes a picture of a keyspace as it is at one moment, the epoch,
// while commands go on changing it, without fork.
//
//	s := snapshot.Begin(view, options)       // no other executor runs
//	sink, err := s.NewSink()
//	...
//	more := s.Step(view, first, step, n)     // each executor, between commands
//	...
//	for {                                    // whoever writes it down
//		c, err := sink.Next()            // waits; nil, nil: this was all
//		write(c.DB, c.Records)
//		sink.Done(c)
//	}
//	...
//	s.End(view)                              // no other executor runs
//
// # How
//
// The executors walk through their shards in the order of the hashes, as SCAN does, and
// write each key down as the record that an RDB file has for it. Whatever is about to
// change a key tells the snapshot before it does (keyspace.Barrier). A key whose hash
// lies before the walk's place has been written down. One that lies beyond is written
// down there and then, as it still is, and its name is kept, so that the walk passes it
// over; of a key that is not there only the name is kept. So each key that there was at
// the epoch is written once, in the state of the epoch, and no other.
//
// What a flush takes out of the keyspace belongs to the snapshot until it has been written
// down: nothing changes there any more, so the walk just goes on in it. So it is, for all
// that there was at once, when the content of another keyspace comes in its place.
//
// Records of one shard and database are gathered into chunks, which go into a queue.
// The walk pauses while the queue is full; pre-images cannot wait and go beyond it. Any
// number of sinks read the queue; a chunk is let go when all are done with it.
//
// Units: times are Unix milliseconds, sizes bytes. Records are those of package rdb,
// with strings as they are: compression is for the one who writes, on another thread.
//
// # Invariants
//
//   - What concerns a shard (part) is touched with the shard held, or alone.
//   - A name is kept only for a hash at or beyond the walk's place.
//   - Chunks hold whole records, each of one database; those of a giant (giant.go) hold
//     pieces of its record, and nothing lies between them.
//
// # LIMITATIONS
//
// Keys that are over by the epoch are left out, but for KeepOver. How idle a key was is that of the
// moment in which it was written down.
//
// A pre-image takes memory until it is written; if everything is overwritten faster
// than it can be written down, that is as much as the data had at the epoch. Redis
// after fork pays whole pages for it.
package snapshot

import (
	"errors"
	"sync/atomic"

	"dozo/keyspace"
	"dozo/object"
	"dozo/rdb"
)

// Options are what a snapshot is begun with.
type Options struct {
	// Version is that of the RDB format to write; 0 = the default.
	Version int
	// NewAppender makes what writes keys down, one for each shard, if they are not to be
	// records of RDB files. Fields of hashes that are due by now are not there any more.
	NewAppender func(now int64) Appender
	// QueueMax is how many bytes of chunks may wait for their writers before the walk
	// pauses; 0 = QueueDefault.
	QueueMax int64
	// GiantFrom is how many elements a value has at least to be written in pieces; 0 = the
	// default, which only tests change.
	GiantFrom int
	// KeepOver has what is over and was not removed yet in the snapshot, too: for servers
	// whose replicas have it as well, and wait for its removal.
	KeepOver bool
}

// Appender writes a key down. (rdb.Encoder, Image)
type Appender interface {
	AppendRecord(dst []byte, h *rdb.RecordHead, c *object.Cell) []byte
}

// QueueDefault is the default of Options.QueueMax: what a writer compresses in 20 ms, so
// that it does not run dry while executors are busy with something else.
const QueueDefault = 2 << 20

// Database is the size of a database at the epoch.
type Database struct {
	Keys, Volatile int
	Dated          int // hashes with fields that have a deadline
}

// Snapshot is one picture being taken.
type Snapshot struct {
	ks    *keyspace.Keyspace
	epoch int64 // Unix milliseconds
	opts  Options
	parts []part
	sizes []Database
	// was is the number that each database had at the epoch, now that of the
	// database which had a number then. They change in exclusive mode only.
	was, now []int

	queue   queue
	giants  giants
	walking atomic.Int32       // parts that are not through
	whole   atomic.Bool        // all is written down
	over    atomic.Bool        // it was given up, or ended
	former  *keyspace.Keyspace // what was taken as a whole; it changes in exclusive mode only
	keys    atomic.Int64       // records made
	kept    atomic.Int64       // of them pre-images
}

// Begin begins a snapshot of what there is now: view.Now is its epoch. What is over and
// waits for its removal by a primary (View.Follows) is in it. No other
// executor runs, and there is no other snapshot. Nothing is walked through yet.
func Begin(v *keyspace.View, o Options) *Snapshot {
	ks := v.Keyspace()
	if o.QueueMax == 0 {
		o.QueueMax = QueueDefault
	}
	if o.GiantFrom == 0 {
		o.GiantFrom = giantFrom()
	}
	s := &Snapshot{
		ks: ks, epoch: v.Lost(), opts: o, parts: make([]part, ks.Shards()),
		sizes: make([]Database, ks.Databases()), was: make([]int, ks.Databases()), now: make([]int, ks.Databases()),
	}
	if o.KeepOver {
		s.epoch = 0
	}
	for db := range s.sizes {
		s.was[db], s.now[db] = db, db
	}
	for i := range s.parts {
		s.parts[i].init(s, i)
		v.Hold(i, func(h keyspace.Held) { s.measure(h) })
	}
	s.walking.Store(int32(len(s.parts)))
	s.queue.init(o.QueueMax)
	ks.SetBarrier(s)
	return s
}

func (s *Snapshot) measure(h keyspace.Held) {
	for db := range s.sizes {
		s.sizes[db].Keys += h.Len(db)
		s.sizes[db].Volatile += h.Volatile(db)
		s.sizes[db].Dated += h.Dated(db)
	}
}

// Databases are the sizes at the epoch, keys that were over included.
func (s *Snapshot) Databases() []Database { return s.sizes }

// Progress is how many keys have been written down, of how many, and how many of them
// because they were about to change.
func (s *Snapshot) Progress() (keys, of, preimages int64) {
	for _, d := range s.sizes {
		of += int64(d.Keys)
	}
	return s.keys.Load(), of, s.kept.Load()
}

// Held is how many bytes of records wait for the sinks.
func (s *Snapshot) Held() int64 { return s.queue.held.Load() }

// Peak is the most that Held has been.
func (s *Snapshot) Peak() int64 { return s.queue.peak.Load() }

// Walked tells whether there is nothing left for Step to do.
func (s *Snapshot) Walked() bool { return s.whole.Load() || s.over.Load() }

// Cancel gives the snapshot up; Next returns why from then on. It may be called by
// anyone, and does nothing when all has been handed out.
func (s *Snapshot) Cancel(why error) {
	s.over.Store(true)
	s.queue.close(why)
}

// End takes the snapshot out of the keyspace's way, whatever its state. No other
// executor runs.
func (s *Snapshot) End(v *keyspace.View) {
	if !s.whole.Load() {
		s.Cancel(errors.New("the snapshot was ended before it was whole"))
	}
	s.over.Store(true)
	s.ks.SetBarrier(nil)
	for i := range s.parts {
		s.parts[i].forget()
		s.hold(v, i, s.parts[i].leaveBases)
	}
	s.dropGiants(v)
	s.dropFormer(v)
}

// finish says that all is written down. No shard is held.
func (s *Snapshot) finish(v *keyspace.View) {
	s.whole.Store(true)
	s.queue.close(nil)
	s.dropFormer(v)
}

// hold runs fn with a shard held as it was at the epoch but for what was told of.
func (s *Snapshot) hold(v *keyspace.View, i int, fn func(keyspace.Held)) {
	if s.former != nil {
		v.HoldFormer(s.former, i, fn)
	} else {
		v.Hold(i, fn)
	}
}

// dropFormer gives back what was taken as a whole. Several executors may.
func (s *Snapshot) dropFormer(v *keyspace.View) {
	if s.former != nil {
		v.DiscardAll(s.former)
	}
}

// Step walks on through the shards of one executor (every step-th from first), about n
// bytes of records, and tells whether there is more to do at once: not when the walk is
// through, nor when the queue is full. No shard is held by the caller.
func (s *Snapshot) Step(v *keyspace.View, first, step, n int) (more bool) {
	for i := first; i < len(s.parts); i += step {
		p := &s.parts[i]
		for !p.through.Load() {
			if s.over.Load() || s.queue.full() {
				return false
			}
			if n <= 0 {
				return true
			}
			s.hold(v, i, func(h keyspace.Held) { n -= p.walk(v, h, n) })
		}
	}
	if s.walking.Load() > 0 || s.Walked() {
		return false
	}
	return s.walkGiants(v, first, step, n)
}

// BeforeChange keeps a key as it is, unless it has been written down. (keyspace.Barrier)
func (s *Snapshot) BeforeChange(v *keyspace.View, shard, db int, hash uint64, key []byte, old *object.Cell) *object.Kit {
	if s.Walked() || s.former != nil {
		return nil
	}
	if g := s.parts[shard].keep(v, s.was[db], hash, key, old); g != nil {
		return &g.kit
	}
	return nil
}

// flushed is a part of a database that was flushed, and how many still need it: the walk,
// and giants that lie in it.
type flushed struct {
	base  *keyspace.Base
	users int
}

// release is one need less. The shard is held.
func (f *flushed) release(h keyspace.Held) {
	if f.users--; f.users == 0 {
		h.ReleaseBase(f.base)
	}
}

// TakeBase takes what a flush leaves of a database that the walk has not left behind: it
// goes on there. (keyspace.Barrier)
func (s *Snapshot) TakeBase(shard, db int, base *keyspace.Base) bool {
	if s.Walked() || s.former != nil {
		return false
	}
	p, was, f := &s.parts[shard], s.was[db], &flushed{base: base}
	if b := &p.bases[was]; !p.past(was) && b.flushed == nil {
		b.flushed, f.users = f, 1
	}
	for at, g := range p.giants {
		if at.db == was {
			g.taken, g.from = s.ks.FindIn(base, []byte(at.key)), f
			f.users++
			delete(p.giants, at)
		}
	}
	return f.users > 0
}

// TakeAll takes everything, unless all is written down: what comes in its place is none of
// the snapshot's. (keyspace.Barrier)
func (s *Snapshot) TakeAll(old *keyspace.Keyspace) bool {
	if s.whole.Load() || s.former != nil {
		return false
	}
	s.former = old
	return true
}

// BeforeSwap follows the databases to their new numbers. (keyspace.Barrier)
func (s *Snapshot) BeforeSwap(a, b int) {
	if s.former != nil {
		return
	}
	s.was[a], s.was[b] = s.was[b], s.was[a]
	s.now[s.was[a]], s.now[s.was[b]] = a, b
}
