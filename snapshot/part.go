package snapshot

import (
	"sync/atomic"

	"dozo/keyspace"
	"dozo/object"
	"dozo/rdb"
)

const (
	// chunkSize is how large a chunk gets before it is handed on.
	chunkSize = 16 << 10
	// walkShare is how many bytes of records are made with a shard held: of BenchmarkWalk's
	// keys, 0.3 us each on a busy machine, some fifty.
	walkShare = 4 << 10
	// bucketCost is what a bucket counts of them, though it be empty.
	bucketCost = 64
)

// part is what concerns one shard.
type part struct {
	s     *Snapshot
	shard int
	// The walk's place: databases below db have been written down, and in db the keys
	// with a hash below pos.
	db      int
	pos     uint64
	through atomic.Bool
	bases   []base
	giants  map[spotOf]*giant // put aside and not written yet
	enc     Appender
	head    rdb.RecordHead // of the record that is written
	_       [64]byte       // what lies next belongs to another executor
}

// base is a part's share of one database, by its number at the epoch.
type base struct {
	db   int
	out  []byte         // records, to become a chunk
	keys int            // of them
	kept keyspace.Names // what the walk passes over
	// flushed is where the keys of the epoch are, if no longer in the keyspace: all that
	// is there has come since.
	flushed *flushed
}

func (p *part) init(s *Snapshot, shard int) {
	p.s, p.shard, p.bases = s, shard, make([]base, len(s.sizes))
	for db := range p.bases {
		p.bases[db].db = db
	}
	if s.opts.NewAppender != nil {
		p.enc = s.opts.NewAppender(s.epoch)
		return
	}
	enc := rdb.NewEncoder(s.opts.Version, false)
	enc.Now, enc.Plain = s.epoch, true
	p.enc = enc
}

// past tells whether the walk has left a database behind.
func (p *part) past(db int) bool { return db < p.db || p.through.Load() }

// walk goes on for a while and says how much it has done.
func (p *part) walk(v *keyspace.View, h keyspace.Held, n int) (done int) {
	n = min(n, walkShare)
	for ; p.db < len(p.bases); p.nextBase(h) {
		b := &p.bases[p.db]
		for more := p.size(h, b) > 0; more; more = p.pos != 0 {
			if done >= n {
				return done
			}
			before := len(b.out)
			p.pos = p.scan(h, b, func(hash uint64, c *object.Cell) {
				if key := c.Entry.Key(); !b.kept.Has(hash, key) {
					p.save(v, b, key, c)
				}
			})
			done += len(b.out) - before + bucketCost
			p.handOn(b, chunkSize)
		}
	}
	p.finish()
	return done
}

// size is how many keys there are where a base lies now.
func (p *part) size(h keyspace.Held, b *base) int {
	if b.flushed != nil {
		return b.flushed.base.Len()
	}
	return h.Len(p.s.now[b.db])
}

func (p *part) scan(h keyspace.Held, b *base, visit func(hash uint64, c *object.Cell)) (next uint64) {
	if b.flushed != nil {
		return h.ScanBase(b.flushed.base, p.pos, visit)
	}
	return h.Scan(p.s.now[b.db], p.pos, visit)
}

// nextBase leaves a database behind.
func (p *part) nextBase(h keyspace.Held) {
	p.db, p.pos = p.db+1, 0
	p.leaveBase(h, &p.bases[p.db-1])
}

func (p *part) leaveBase(h keyspace.Held, b *base) {
	if b.flushed != nil {
		b.flushed.release(h)
		b.flushed = nil
	}
}

// leaveBases gives back what flushes have left.
func (p *part) leaveBases(h keyspace.Held) {
	for i := range p.bases {
		p.leaveBase(h, &p.bases[i])
	}
}

// keep writes a key of a database of the epoch down before it changes, unless that has
// been done. A giant is only put aside: what is returned hears of its changes.
func (p *part) keep(v *keyspace.View, db int, hash uint64, key []byte, old *object.Cell) *giant {
	b := &p.bases[db]
	if p.past(db) || b.flushed != nil || db == p.db && hash < p.pos || b.kept.Has(hash, key) {
		return p.giantAt(db, key)
	}
	p.s.ks.AddName(&b.kept, hash, key)
	if !old.Ok() {
		return nil
	}
	before := len(b.out)
	g := p.save(v, b, key, old)
	if len(b.out) > before {
		p.s.kept.Add(1)
	}
	p.handOn(b, chunkSize)
	return g
}

// finish ends the walk of this part.
func (p *part) finish() {
	p.forget()
	for i := range p.bases {
		p.handOn(&p.bases[i], 1)
	}
	p.through.Store(true)
	p.s.walking.Add(-1)
}

// forget gives the names back.
func (p *part) forget() {
	for i := range p.bases {
		p.bases[i].kept.Free()
	}
}

// handOn makes a chunk of the records, if they are so many bytes.
func (p *part) handOn(b *base, least int) {
	if len(b.out) < least {
		return
	}
	p.s.queue.add(&Chunk{DB: b.db, Keys: b.keys, Records: b.out})
	b.out, b.keys = nil, 0
}

// save appends a key's record, unless its time was over at the epoch, or puts the key
// aside.
func (p *part) save(v *keyspace.View, b *base, key []byte, c *object.Cell) *giant {
	deadline := c.Entry.Deadline()
	if deadline != 0 && deadline <= p.s.epoch || object.AllDue(c, p.s.epoch) {
		return nil
	}
	if p.isGiant(c) {
		return p.putAside(v, b, key, c)
	}
	p.head = rdb.RecordHead{Key: key, Deadline: deadline}
	p.head.Idle, p.head.Freq = v.Aging(c.Entry)
	if b.out == nil {
		b.out = p.s.queue.buffer()
	}
	b.out = p.enc.AppendRecord(b.out, &p.head, c)
	b.keys++
	p.s.keys.Add(1)
	return nil
}
