package keyspace

import (
	"testing"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/object"
)

// checkKeyspace recounts what the package comment promises: places, wheels,
// counters and bytes. No other executor may be inside.
func checkKeyspace(t *testing.T, ks *Keyspace) {
	t.Helper()
	v := ks.exclusive
	if v == nil {
		v = &View{ks: ks}
	}
	for v.FreeGraves(0, 1, 1000) { // what is left is counted
	}
	var bytes [arena.NumPurposes]int64
	collections := int64(0) // bytes of values that have several purposes
	for i := range ks.shards {
		sh := &ks.shards[i]
		for db, d := range sh.dbs {
			if d != nil {
				collections += checkDatabase(t, ks, i, db, d, &bytes)
			}
		}
		if err := sh.heap.Audit(); err != nil {
			t.Fatal(err)
		}
	}
	sum := collections
	for p, n := range bytes {
		if got := ks.UsedBy(arena.Purpose(p)); got != n && collections == 0 {
			t.Fatalf("%d bytes in use for purpose %v, counted %d", got, arena.Purpose(p), n)
		}
		sum += n
	}
	ks.Publish()
	if got := ks.arena.Used(); got != sum {
		t.Fatalf("the arena has %d bytes in use, counted %d", got, sum)
	}
	if err := ks.arena.Audit(); err != nil {
		t.Fatal(err)
	}
}

// record is what a wheel's record says of an entry.
type record struct {
	hash  uint64 // cut to recordBits
	stamp uint8
}

func checkDatabase(t *testing.T, ks *Keyspace, shard, db int, d *database, bytes *[arena.NumPurposes]int64) (collections int64) {
	t.Helper()
	if err := d.table.Check(); err != nil {
		t.Fatalf("shard %d database %d: %v", shard, db, err)
	}
	bytes[arena.PurposeTable] += d.table.Bytes()
	earliest := map[record]int64{}
	if d.hasWheel {
		if err := d.wheel.Check(); err != nil {
			t.Fatalf("shard %d database %d: %v", shard, db, err)
		}
		bytes[arena.PurposeExpiry] += d.wheel.Bytes()
		d.wheel.Each(func(hash40 uint64, deadline int64) {
			r := record{hash40 >> (64 - recordBits), uint8(hash40 >> stampShift & stampMask)}
			if at, ok := earliest[r]; !ok || deadline < at {
				earliest[r] = deadline
			}
		})
	}
	volatile, dated := 0, 0
	v := View{ks: ks}
	d.table.Each(func(ref arena.Ref) bool {
		e := entry.At(ks.arena, ref)
		if object.Type(e.Type()) != object.String {
			c := v.cell(&ks.shards[shard], hashtable.Slot{}, e)
			collections += int64(c.MemoryUsage(0))
		} else if bytes[arena.PurposeEntry] += int64(arena.UsableSize(e.Size())); e.IsOutside() {
			bytes[arena.PurposeValue] += int64(arena.UsableSize(e.Outside().Cap))
		}
		if got := ks.shardOf(ks.Hash(e.Key())); got != shard {
			t.Fatalf("%.40q lies in shard %d, but belongs to %d", e.Key(), shard, got)
		}
		times := v.timesOf(e)
		if times.dated {
			dated++
		}
		if e.HasDeadline() {
			volatile++
		}
		if times.next != 0 {
			r := record{ks.tableHash(e.Key()) >> (64 - recordBits), e.Stamp()}
			if at, ok := earliest[r]; !ok || at > times.next {
				t.Fatalf("%.40q with deadline %d and stamp %d has no record (%t, %d)", e.Key(), times.next, e.Stamp(), ok, at)
			}
		}
		return true
	})
	if volatile != d.volatile || dated != d.dated {
		t.Fatalf("shard %d database %d: %d keys with a deadline, counted %d; %d dated hashes, counted %d", shard, db, volatile, d.volatile, dated, d.dated)
	}
	return collections
}
