package keyspace

import (
	"fmt"
	"maps"
	"testing"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/object"
)

// spot is a key of a database.
type spot struct {
	db  int
	key string
}

// rawState is all keys of a keyspace, dead ones included, each with all that a
// snapshot would keep.
func rawState(ks *Keyspace) map[spot]string {
	all := map[spot]string{}
	for i := range ks.shards {
		for db, d := range ks.shards[i].dbs {
			if d != nil {
				addRaw(ks, i, db, d, all)
			}
		}
	}
	return all
}

func addRaw(ks *Keyspace, shard, db int, d *database, all map[spot]string) {
	d.table.Each(func(ref arena.Ref) bool {
		e := entry.At(ks.arena, ref)
		all[spot{db, string(e.Key())}] = imageOf(object.Cell{Heap: ks.shards[shard].heap, Entry: e})
		return true
	})
}

func imageOf(c object.Cell) string {
	return fmt.Sprintf("%v %v %d %s", c.Type(), c.Encoding(), c.Entry.Deadline(), c.Bytes(nil))
}

// absent is the pre-image of a key that was not there.
const absent = "nothing"

// recorder is what a snapshot would be: from what the barrier tells it, and
// what is there at the end, it must be able to rebuild the state of its epoch.
type recorder struct {
	ks   *Keyspace
	kept map[spot]string // pre-images, by the databases of the epoch
	was  []int           // the epoch's number of each database
	all  bool            // nothing of it is left in the keyspace
}

func newRecorder(ks *Keyspace, databases int) *recorder {
	r := &recorder{ks: ks, kept: map[spot]string{}}
	for db := range databases {
		r.was = append(r.was, db)
	}
	ks.SetBarrier(r)
	return r
}

func (r *recorder) BeforeChange(_ *View, shard, db int, hash uint64, key []byte, old *object.Cell) *object.Kit {
	if got := r.ks.shardOf(r.ks.Hash(key)); got != shard {
		panic(fmt.Sprintf("%q is told of in shard %d, but lies in %d", key, shard, got))
	}
	if r.ks.tableHash(key) != hash {
		panic(fmt.Sprintf("%q is told of with another hash", key))
	}
	s := spot{r.was[db], string(key)}
	if _, ok := r.kept[s]; ok || r.all {
		return nil
	}
	r.kept[s] = absent
	if old.Ok() {
		r.kept[s] = imageOf(*old)
	}
	return nil
}

func (r *recorder) Take(*View, int, int, []byte, arena.Ref) bool { return false }

func (r *recorder) Moved(int, int, []byte, int, int, []byte) {}

func (r *recorder) TakeBase(_, db int, _ *Base) bool {
	for s, image := range rawState(r.ks) {
		if s.db == db {
			r.keep(s, image)
		}
	}
	return false
}

func (r *recorder) TakeAll(*Keyspace) bool {
	for s, image := range rawState(r.ks) {
		r.keep(s, image)
	}
	r.all = true
	return false
}

func (r *recorder) BeforeSwap(a, b int) { r.was[a], r.was[b] = r.was[b], r.was[a] }

func (r *recorder) keep(s spot, image string) {
	s.db = r.was[s.db]
	if _, ok := r.kept[s]; !ok && !r.all {
		r.kept[s] = image
	}
}

// epoch rebuilds the state in which the recorder was made.
func (r *recorder) epoch() map[spot]string {
	for s, image := range rawState(r.ks) {
		r.keep(s, image)
	}
	maps.DeleteFunc(r.kept, func(_ spot, image string) bool { return image == absent })
	return r.kept
}

// TestBarrierSeesEveryChange: whatever happens after an epoch, the pre-images and
// the rest give the state of the epoch.
func TestBarrierSeesEveryChange(t *testing.T) {
	for _, seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("-seed=%d", seed)
			m := newTwin(t, seed)
			for range 8 {
				for range m.n(500) {
					m.step()
				}
				want := rawState(m.ks)
				r := newRecorder(m.ks, len(m.dbs))
				for range m.n(500) {
					m.step()
				}
				if m.n(4) == 0 {
					m.stepFlush()
				}
				m.ks.SetBarrier(nil)
				compareStates(t, r.epoch(), want)
			}
			m.check()
		})
	}
}

func compareStates(t *testing.T, got, want map[spot]string) {
	t.Helper()
	for s, image := range want {
		if got[s] != image {
			t.Fatalf("%.40q of database %d was %.60q at the epoch, the pre-images give %.60q", s.key, s.db, image, got[s])
		}
	}
	for s := range got {
		if _, ok := want[s]; !ok {
			t.Fatalf("%.40q of database %d was not there at the epoch", s.key, s.db)
		}
	}
}

// TestBarrierSeesTheDead: a key whose time ran out since the epoch, while dead keys are
// kept, is shown before it is replaced.
func TestBarrierSeesTheDead(t *testing.T) {
	m := newTwin(t, 1)
	key := []byte("key")
	set := func(value string, deadline int64) {
		shard := m.ks.LockKey(m.v, m.ks.Hash(key))
		m.v.SetString(key, []byte(value), deadline, false)
		m.ks.UnlockShard(m.v, shard)
	}
	set("of the epoch", m.v.Now+10)
	want := rawState(m.ks)
	r := newRecorder(m.ks, len(m.dbs))
	m.v.Now += 10
	m.v.KeepDead = true
	set("later", 0)
	m.ks.SetBarrier(nil)
	compareStates(t, r.epoch(), want)
}
