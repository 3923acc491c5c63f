package keyspace

import (
	"bytes"
	"fmt"
	"testing"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/env"
	"dozo/object"
)

// shadowTwin is a shadow, and what a twin that adopts it has then.
type shadowTwin struct {
	ks  *Keyspace
	v   *View
	dbs []map[string]twinKey
}

// stepShadow begins to load aside, goes on with it, or gives it up.
func (m *twin) stepShadow() {
	s := m.shadow
	switch {
	case s == nil:
		s = &shadowTwin{ks: m.ks.NewShadow()}
		s.v = s.ks.NewView(nil)
		for range m.dbs {
			s.dbs = append(s.dbs, map[string]twinKey{})
		}
		m.shadow = s
	case m.n(8) == 0:
		m.dropShadow()
		return
	}
	for range m.n(400) {
		key, val, dl := m.key(), m.value(), m.deadline()
		s.v.DB, s.v.Now = m.n(3), m.v.Now
		s.v.Timeless = true // what is loaded stays, though its time be over
		s.v.holding(key, func() { s.v.SetString(key, val, dl, false) })
		s.dbs[s.v.DB][string(key)] = twinKey{string(val), dl}
	}
}

// dropShadow gives up what is loaded aside: its bytes would be counted.
func (m *twin) dropShadow() {
	if m.shadow != nil {
		m.v.DiscardAll(m.shadow.ks)
		m.shadow = nil
	}
}

// aside makes a shadow with some keys, and strings of a length in them.
func aside(ks *Keyspace, n, length int) *Keyspace {
	s := ks.NewShadow()
	v := s.NewView(nil)
	v.Now = 1000
	for i := range n {
		key := fmt.Appendf(nil, "key:%d", i)
		v.holding(key, func() { v.SetString(key, bytes.Repeat([]byte("n"), length), int64(i%2)*5000, false) })
	}
	return s
}

// TestAdoptedMemory: of what there was nothing is left, whether it was in use, flushed or
// buried; nor of what was loaded aside and given up.
func TestAdoptedMemory(t *testing.T) {
	const keys = 5000
	ks := newTestKeyspace(t, 2, 2, 1)
	v := ks.NewView(nil)
	v.Now = 1000
	fill := func(db int) {
		v.DB = db
		for i := range keys {
			key := fmt.Appendf(nil, "key:%d", i)
			v.holding(key, func() { v.SetString(key, make([]byte, i%3000), int64(i%2)*5000, false) })
		}
		v.DB = 0
	}
	var after []int64
	for range 4 {
		fill(0)
		fill(1)
		alone(v, func() { v.Flush(1) }) // which leaves graves, as there are others in the heaps
		fill(1)
		largeSet(v, "large", 3000)
		v.holding([]byte("large"), func() { v.Delete([]byte("large")) })
		v.DiscardAll(aside(ks, keys, 300))
		s := aside(ks, keys, 100)
		sv := s.NewView(nil)
		largeSet(sv, "large", 3000)
		largeSet(sv, "gone", 3000)
		sv.holding([]byte("gone"), func() { sv.Delete([]byte("gone")) })
		alone(v, func() { v.Adopt(s) })
		if v.Len(0) != keys+1 || v.Len(1) != 0 || ks.Over() != 0 || ks.Apart() != 0 {
			t.Errorf("%d and %d keys, %d bytes apart", v.Len(0), v.Len(1), ks.Apart())
		}
		rounds := 1
		for v.FreeGraves(0, 1, 100) {
			rounds++
		}
		if rounds < 20 || ks.Graves() != 0 {
			t.Errorf("%d graves are left after %d rounds", ks.Graves(), rounds)
		}
		checkKeyspace(t, ks)
		after = append(after, ks.Arena().Stats().Used)
	}
	if after[0] != after[3] {
		t.Errorf("bytes in use after each: %v", after)
	}
	v.Now = 6000
	for v.Expire(0, 1, 1000) {
	}
	if v.Len(0) != keys/2+1 {
		t.Errorf("%d keys are left after half of them have expired", v.Len(0))
	}
}

// TestAdoptTellsWatchers goes through what a key can be before and after, for who saw it
// dead when he began and who did not, by Redis' rule (touchAllWatchedKeysInDb).
func TestAdoptTellsWatchers(t *testing.T) {
	const missing, living, over = 0, 1, 2
	deadlines := []int64{0, 0, 500}
	for was := range 3 {
		for is := range 3 {
			for _, before := range []bool{false, true} { // he watched while the key was alive
				ks := newTestKeyspace(t, 1, 1, 1)
				v := ks.NewView(nil)
				v.Now = 1000
				if before {
					v.Now = 100
				}
				key := []byte("key")
				v.Timeless = true
				set := func(v *View, state int) {
					if state != missing {
						v.holding(key, func() { v.SetString(key, []byte("v"), deadlines[state], false) })
					}
				}
				set(v, was)
				v.Timeless = false
				var w Watch
				v.holding(key, func() { v.Watch(&w, key) })
				v.Now = 1000
				s := ks.NewShadow()
				set(s.NewView(nil), is)
				alone(v, func() { v.Adopt(s) })
				sawDead := was == missing || was == over && !before
				want := is == living || !sawDead
				if was == missing && is == missing {
					want = false
				}
				if got := w.Dirty.Load(); got != want {
					t.Errorf("was %d, is %d, watched while it was alive: %t: dirty is %t", was, is, before, got)
				}
				v.Unwatch(&w)
			}
		}
	}
}

// served notes who was served with what.
type served struct {
	twin
	got []string
}

func (s *served) Serve(w *Wait, args []int) bool {
	s.got = append(s.got, fmt.Sprint(w.Owner, args))
	return true
}

// TestAdoptServes: who waits for a key is served if the new data has it as the type that he
// waits for, and who waits for the end of a key hears of it.
func TestAdoptServes(t *testing.T) {
	ks := newTestKeyspace(t, 2, 2, 1)
	ev := new(served)
	v := ks.NewView(ev)
	wait := func(w *Wait, db int, keys ...string) {
		var words [][]byte
		var args []int
		for i, k := range keys {
			words, args = append(words, []byte(k)), append(args, i+1)
		}
		v.DB = db
		alone(v, func() { v.Begin(w, words, args, nil) })
	}
	waits := []*Wait{
		{Owner: "set", Type: object.Set}, {Owner: "list", Type: object.List}, {Owner: "other", Type: object.Set}, {Owner: "end", Type: object.Stream, Gone: true},
	}
	wait(waits[0], 0, "nothing", "members")
	wait(waits[1], 0, "members")
	wait(waits[2], 1, "members")
	wait(waits[3], 0, "nothing")
	s := ks.NewShadow()
	largeSet(s.NewView(nil), "members", 10)
	alone(v, func() {
		v.Adopt(s)
		v.ServeReady()
	})
	if got := fmt.Sprint(ev.got); got != "[set[2] end[1]]" && got != "[end[1] set[2]]" {
		t.Errorf("served: %s", got)
	}
	for _, w := range waits {
		w.Abandon()
		v.End(w)
	}
}

// TestScanAcrossAdopt: a SCAN that goes on in the new data meets all that was there before
// and is there now.
func TestScanAcrossAdopt(t *testing.T) {
	for _, seed := range seeds() {
		t.Logf("-seed=%d", seed)
		rand := env.Seeded(seed)
		ks := newTestKeyspace(t, 2, 1, seed)
		v := ks.NewView(nil)
		key := func(i int) []byte { return fmt.Appendf(nil, "key:%d", i) }
		fill := func(v *View) {
			for i := range 2000 {
				if i%2 == 0 || rand.Uint64()%2 == 0 {
					v.holding(key(i), func() { v.SetString(key(i), []byte("v"), 0, false) })
				}
			}
		}
		fill(v)
		met := map[string]bool{}
		cursor := uint64(0)
		for steps := 0; cursor != 0 || steps == 0; steps++ {
			cursor = v.Scan(cursor, 10, func(e entry.Entry) { met[string(e.Key())] = true })
			if steps%40 == 20 {
				s := ks.NewShadow()
				fill(s.NewView(nil))
				alone(v, func() { v.Adopt(s) })
			}
		}
		for i := 0; i < 2000; i += 2 {
			if !met[string(key(i))] {
				t.Fatalf("%s was there all the time and was not met", key(i))
			}
		}
	}
}

// TestAdoptWhileDefragmenting: a pass that is within a large value goes on in another heap.
func TestAdoptWhileDefragmenting(t *testing.T) {
	for _, g := range giants {
		if g.thin == nil {
			continue
		}
		for _, steps := range []int{1, 3, 10, 30, 100} {
			ks, v := giantKeyspace(t)
			g.thinOut(v, 5000)
			v.BeginDefrag()
			for range steps {
				v.Defrag(0, 1, 100)
			}
			s := ks.NewShadow()
			sv := s.NewView(nil)
			sv.Now = 1000
			g.thinOut(sv, 3000)
			var want, got object.Digest
			alone(sv, func() { want = sv.Digest() })
			alone(v, func() { v.Adopt(s) })
			for range 2 {
				for more := true; more; {
					more, _ = v.Defrag(0, 1, 100)
				}
				v.BeginDefrag()
			}
			if alone(v, func() { got = v.Digest() }); got != want {
				t.Errorf("%s, %d steps: the value has changed", g.name, steps)
			}
			if g.name != "hash with deadlines" { // the wheel has not been told of those
				checkKeyspace(t, ks)
			}
		}
	}
}

// hoarder is a snapshot that takes whatever it is offered.
type hoarder struct {
	recorder
	taken []arena.Ref
	bases []*Base
	old   *Keyspace
}

func (k *hoarder) BeforeChange(*View, int, int, uint64, []byte, *object.Cell) *object.Kit { return nil }

func (k *hoarder) Take(_ *View, _, _ int, _ []byte, ref arena.Ref) bool {
	k.taken = append(k.taken, ref)
	return true
}

func (k *hoarder) TakeBase(_, _ int, b *Base) bool {
	k.bases = append(k.bases, b)
	return true
}

func (k *hoarder) TakeAll(old *Keyspace) bool {
	k.old = old
	return true
}

// TestAdoptWhatIsTaken: what a snapshot has taken of the old data before stays where it is,
// and nothing of it is left behind in the new.
func TestAdoptWhatIsTaken(t *testing.T) {
	ks := newTestKeyspace(t, 1, 2, 1)
	v := ks.NewView(nil)
	v.Now = 1000
	k := new(hoarder)
	ks.SetBarrier(k)
	key := []byte("large")
	largeSet(v, "large", 1000)
	v.holding(key, func() { v.Delete(key) })
	largeSet(v, "large", 1000)
	alone(v, func() { v.Flush(0) })
	largeSet(v, "large", 1000)
	alone(v, func() { v.Adopt(aside(ks, 100, 10)) })
	if len(k.taken) != 1 || len(k.bases) != 1 || k.old == nil {
		t.Fatalf("%d values and %d bases were taken", len(k.taken), len(k.bases))
	}
	i := ks.ShardOf(ks.Hash(key))
	v.HoldFormer(k.old, i, func(h Held) {
		var word uint64
		c := h.Taken(k.taken[0], &word)
		old := h.Find(0, key)
		if n := (object.SetValue{Cell: &c}).Len() + (object.SetValue{Cell: &old}).Len() + k.bases[0].Len(); n != 2001 {
			t.Errorf("%d elements are left of the old data", n)
		}
		h.Release(k.taken[0])
		h.ReleaseBase(k.bases[0])
	})
	for i := range ks.shards {
		if n := ks.shards[i].apart; n != 0 {
			t.Errorf("shard %d: %d things are a snapshot's", i, n)
		}
	}
	v.DiscardAll(k.old)
	v.DiscardAll(k.old)
	if n := ks.Apart(); n != 0 {
		t.Errorf("%d bytes are apart", n)
	}
	ks.SetBarrier(nil)
	checkKeyspace(t, ks)
	if n := ks.Graves(); n != 0 {
		t.Errorf("%d graves are left", n)
	}
}

// TestAdoptKeepsLimits: memory is counted as closely as the limit now in force demands.
func TestAdoptKeepsLimits(t *testing.T) {
	ks := newTestKeyspace(t, 1, 1, 1)
	v := ks.NewView(nil)
	s := aside(ks, 10, 10)
	const limit = 16 << 20
	ks.SetLimits(Limits{MaxMemory: limit, Samples: 5})
	alone(v, func() { v.Adopt(s) })
	for v.FreeGraves(0, 1, 1000) {
	}
	for i := range 200 {
		key := fmt.Appendf(nil, "new:%d", i)
		v.holding(key, func() { v.SetString(key, make([]byte, 100), 0, false) })
	}
	before := ks.Arena().Used()
	ks.Publish()
	if off := ks.Arena().Used() - before; off > limit/publishShare || off < -limit/publishShare {
		t.Errorf("the count was wrong by %d bytes", off)
	}
}
