package snapshot

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"dozo/keyspace"
	"dozo/object"
	"dozo/rdb"
)

// TestGiantsOfSeveralExecutors: the pieces of each giant lie together, whoever wrote the
// one before.
func TestGiantsOfSeveralExecutors(t *testing.T) {
	const executors, keys, rounds = 4, 1000, 5
	s := newStore(t, executors)
	s.alone(func() {
		for i := range keys {
			key := fmt.Appendf(nil, "set:%d", i)
			v := s.v.Place(key).NewSet([]byte("member"), 1, &setLimits)
			c := s.v.Add(key, v)
			for n := range 20 {
				object.SetValue{Cell: &c}.Add(fmt.Appendf(nil, "member:%d:%d", i, n), &setLimits)
			}
		}
	})
	want := s.digest()
	for range rounds {
		file := s.saveBy(t, executors)
		again := newStore(t, 1)
		if _, err := again.load(file, LoadOptions{Workers: 1}); err != nil {
			t.Fatal(err)
		}
		if got := again.digest(); got != want {
			t.Fatalf("digest %s and not %s", got, want)
		}
	}
}

// saveBy has several executors walk at once.
func (s *store) saveBy(t *testing.T, executors int) []byte {
	t.Helper()
	var snap *Snapshot
	s.alone(func() { snap = Begin(s.v, Options{GiantFrom: 1}) })
	sink, err := snap.NewSink()
	if err != nil {
		t.Fatal(err)
	}
	var walkers sync.WaitGroup
	for i := range executors {
		v := s.ks.NewView(nil)
		v.Now = s.v.Now
		walkers.Go(func() { walkAll(snap, v, i, executors) })
	}
	var out bytes.Buffer
	w := rdb.NewWriter(&out, rdb.WriterOptions{})
	err = w.Header(&rdb.Info{})
	for c := new(Chunk); err == nil; {
		if c, err = sink.Next(); c == nil || err != nil {
			break
		}
		size := snap.Databases()[c.DB]
		if err = w.Database(c.DB, size.Keys, size.Volatile); err == nil {
			err = w.Records(c.Records)
		}
		sink.Done(c)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		snap.Cancel(err)
		t.Error(err)
	}
	walkers.Wait()
	s.alone(func() { snap.End(s.v) })
	return out.Bytes()
}

func walkAll(snap *Snapshot, v *keyspace.View, first, step int) {
	for !snap.Walked() {
		snap.Step(v, first, step, 4<<10)
	}
}
