package keyspace

import (
	"dozo/arena"
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/object"
)

// DatabaseStats is a look at one database.
type DatabaseStats struct {
	Keys       int   // dead ones that were not met yet included
	Volatile   int   // of them have a deadline
	Dated      int   // hashes with fields that have one
	TableBytes int64 // memory of the tables, without the entries
	WheelBytes int64 // memory of the timing wheels
	// AverageTTL is how many milliseconds the keys with a deadline have left on
	// average, estimated from a sample.
	AverageTTL int64
}

// DatabaseStats looks at a database. Exclusive mode only.
func (v *View) DatabaseStats(db int) (s DatabaseStats) {
	var left, weight float64
	for i := range v.ks.shards {
		d := v.ks.shards[i].dbs[db]
		if d == nil {
			continue
		}
		s.Keys += d.table.Len()
		s.Volatile += d.volatile
		s.Dated += d.dated
		s.TableBytes += d.table.Bytes()
		if !d.hasWheel {
			continue
		}
		s.WheelBytes += d.wheel.Bytes()
		if ttl, ok := v.sampleTTL(d); ok && d.volatile > 0 {
			left += ttl * float64(d.volatile)
			weight += float64(d.volatile)
		}
	}
	if weight > 0 {
		s.AverageTTL = int64(left / weight)
	}
	return s
}

// ttlSamples is how many keys of each shard the average time to live is
// estimated from.
const ttlSamples = 4

// sampleTTL is the average time to live of a few keys with a deadline.
func (v *View) sampleTTL(d *database) (average float64, ok bool) {
	var sum float64
	n := 0
	for range ttlSamples {
		hash40, _, found := d.wheel.Sample(v.Rand.Uint64())
		if !found {
			break
		}
		d.table.Probe(hash40, recordBits, func(s hashtable.Slot) bool {
			if dl := entry.At(v.ks.arena, s.Ref()).Deadline(); dl > v.Now {
				sum += float64(dl - v.Now)
				n++
			}
			return true
		})
	}
	return sum / float64(max(n, 1)), n > 0
}

// Publish makes the arena's count of bytes in use exact. Exclusive mode only.
func (ks *Keyspace) Publish() {
	for i := range ks.shards {
		ks.shards[i].heap.Publish()
	}
}

// Cells calls fn with every living value of a database until it returns false.
// The cells are for reading: they have no slot. Exclusive mode only.
func (v *View) Cells(db int, fn func(c *object.Cell) bool) {
	for i := range v.ks.shards {
		sh := &v.ks.shards[i]
		d := sh.dbs[db]
		if d == nil {
			continue
		}
		on := true
		d.table.Each(func(ref arena.Ref) bool {
			c := v.cell(sh, hashtable.Slot{}, entry.At(v.ks.arena, ref))
			if !v.gone(sh.heap, c.Entry) {
				on = fn(&c)
			}
			return on
		})
		if !on {
			return
		}
	}
}

// Digest is the digest of all databases, as DEBUG DIGEST shows it. Exclusive mode only.
func (v *View) Digest() (all object.Digest) {
	for db := range v.ks.databases {
		if v.Len(db) == 0 {
			continue
		}
		all.MixInt(uint32(db))
		v.Cells(db, func(c *object.Cell) bool {
			var d object.Digest
			d.Mix(c.Entry.Key())
			c.Digest(&d, v.Horizon())
			all.Xor(d[:])
			return true
		})
	}
	return all
}
