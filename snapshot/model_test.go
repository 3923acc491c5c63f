package snapshot

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"testing"

	"dozo/arena"
	"dozo/env"
	"dozo/keyspace"
	"dozo/object"
	"dozo/rdb"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 = a fixed list")

func seeds() []uint64 {
	if *seedFlag != 0 {
		return []uint64{*seedFlag}
	}
	return []uint64{1, 2, 3, 4, 5, 6, 7, 8}
}

const databases = 3

// history is a keyspace to which things happen at random.
type history struct {
	t    *testing.T
	ks   *keyspace.Keyspace
	v    *keyspace.View
	rand env.Rand
}

func newHistory(t *testing.T, seed uint64) *history {
	t.Helper()
	a, err := arena.New(arena.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ks := keyspace.New(keyspace.Options{
		Arena: a, Loops: 1, Databases: databases, Seed: seed,
		NewRand: func() env.Rand { return env.Seeded(seed) },
	})
	t.Cleanup(func() {
		ks.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &history{t: t, ks: ks, v: ks.NewView(nil), rand: env.Seeded(seed)}
	w.v.Now = 1_700_000_000_000
	return w
}

func (w *history) n(limit int) int { return int(w.rand.Uint64() % uint64(limit)) }

func (w *history) key() []byte { return fmt.Appendf(nil, "key:%d", w.n(300)) }

func (w *history) word() []byte { return fmt.Appendf(nil, "word:%d", w.n(40)) }

var (
	setLimits  = object.SetLimits{Intset: 4, Listpack: 8, Value: 64}
	hashLimits = object.HashLimits{Listpack: 8, Value: 64}
	zsetLimits = object.ZSetLimits{Listpack: 8, Value: 64}
	listLimits = object.ListLimits{Fill: 4}
)

// held runs fn with the shards of the keys held.
func (w *history) held(fn func(), keys ...[]byte) {
	var set keyspace.LockSet
	for _, k := range keys {
		w.ks.Add(&set, w.ks.Hash(k))
	}
	w.ks.Lock(w.v, &set)
	fn()
	w.ks.Unlock(w.v, &set)
}

// step is one thing that happens.
func (w *history) step() {
	key := w.key()
	w.v.DB = w.n(databases)
	w.v.Now += int64(w.n(3))
	switch w.n(16) {
	case 0, 1, 2:
		value := make([]byte, w.n(100))
		if w.n(30) == 0 {
			value = make([]byte, w.n(40_000))
		}
		w.held(func() { w.v.SetString(key, value, w.deadline(), false) }, key)
	case 3:
		w.held(func() { w.v.Delete(key) }, key)
	case 4:
		to := w.key()
		w.held(func() { w.move(key, to) }, key, to)
	case 5:
		to, db := w.key(), w.n(databases)
		w.held(func() {
			if c := w.v.Peek(key); c.Ok() && !(db == w.v.DB && bytes.Equal(key, to)) {
				w.v.Copy(&c, db, to)
			}
		}, key, to)
	case 6:
		w.held(func() { w.v.SetDeadline(key, w.deadline()) }, key)
	case 7:
		w.v.Expire(0, 1, 20)
		for w.v.FreeGraves(0, 1, 100) {
		}
	default:
		w.held(func() { w.edit(key) }, key)
	}
}

func (w *history) move(key, to []byte) {
	db := w.n(databases)
	if c := w.v.Peek(key); !c.Ok() || db == w.v.DB && bytes.Equal(key, to) {
		return
	}
	w.v.Move(key, db, to)
}

func (w *history) deadline() int64 {
	if w.n(3) != 0 {
		return 0
	}
	return w.v.Now + int64(w.n(3000)) - 100
}

// edit changes an element of a value, which it makes if need be.
func (w *history) edit(key []byte) {
	c := w.v.Edit(key)
	if !c.Ok() {
		c = w.make(key)
	}
	left := 1
	for range 1 + w.n(6) {
		m := w.word()
		switch c.Type() {
		case object.Set:
			left = w.editSet(object.SetValue{Cell: &c}, m)
		case object.Hash:
			left = w.editHash(object.HashValue{Cell: &c, Now: w.v.Now}, m)
		case object.ZSet:
			left = w.editZSet(object.ZSetValue{Cell: &c}, m)
		case object.List:
			left = w.editList(object.ListValue{Cell: &c}, m)
		}
		if left == 0 {
			w.v.Delete(key)
			return
		}
	}
}

func (w *history) make(key []byte) object.Cell {
	at := w.v.Place(key)
	switch w.n(4) {
	case 0:
		return w.v.Add(key, at.NewSet([]byte("a"), 1, &setLimits))
	case 1:
		return w.v.Add(key, at.NewHash())
	case 2:
		return w.v.Add(key, at.NewZSet(1, 1, &zsetLimits))
	}
	return w.v.Add(key, at.NewList())
}

func (w *history) editSet(s object.SetValue, m []byte) int {
	if w.n(3) == 0 && s.Len() > 0 {
		s.Remove(m)
	} else {
		s.Add(m, &setLimits)
	}
	return s.Len()
}

func (w *history) editHash(h object.HashValue, m []byte) int {
	if w.n(3) == 0 && h.Len() > 0 {
		h.Delete(m)
	} else {
		h.Set(m, w.word(), &hashLimits)
	}
	return h.Len()
}

func (w *history) editZSet(z object.ZSetValue, m []byte) int {
	if w.n(3) == 0 && z.Len() > 0 {
		z.Remove(m)
	} else {
		z.Add(m, float64(w.n(50)), 0, &zsetLimits)
	}
	return z.Len()
}

func (w *history) editList(l object.ListValue, m []byte) int {
	side := object.Side(w.n(2) == 0)
	switch {
	case w.n(3) == 0 && l.Len() > 0:
		l.Drop(1, side)
		l.Shrunk(&listLimits)
	case w.n(3) == 0 && l.Len() > 0:
		l.Set(w.n(l.Len()), m, &listLimits)
	default:
		l.Push(m, side, &listLimits)
	}
	return l.Len()
}

// spot is a key of a database.
type spot struct {
	db  int
	key string
}

// picture is each key's record as it is now, but for those whose time is over.
func (w *history) picture() map[spot]string {
	all := map[spot]string{}
	enc := rdb.Encoder{Version: rdb.VersionDefault, Now: w.v.Now}
	for i := range w.ks.Shards() {
		w.v.Hold(i, func(h keyspace.Held) {
			for db := range databases {
				for pos, more := uint64(0), true; more; more = pos != 0 {
					pos = h.Scan(db, pos, func(_ uint64, c *object.Cell) {
						if d := c.Entry.Deadline(); d == 0 || d > w.v.Now {
							head := rdb.RecordHead{Key: c.Entry.Key(), Deadline: d, Idle: -1, Freq: -1}
							all[spot{db, string(head.Key)}] = string(enc.AppendRecord(nil, &head, c))
						}
					})
				}
			}
		})
	}
	return all
}

// take takes what the writer would be given, as far as it is there.
func (w *history) take(s *Snapshot, left map[spot]string, wait bool) error {
	for wait || s.Held() > 0 {
		c, err := s.Next()
		if err != nil || c == nil {
			return err
		}
		w.match(c, left)
		s.Recycle(c)
	}
	return nil
}

// match takes the records of a chunk out of the picture.
func (w *history) match(c *Chunk, left map[spot]string) {
	p := c.Records
	for len(p) > 0 {
		key := keyAt(w.t, p)
		s := spot{c.DB, key}
		want, ok := left[s]
		if !ok {
			w.t.Fatalf("%q of database %d is written down, and was not there or has been", key, c.DB)
		}
		n := len(want)
		if n > len(p) || string(p[:n]) != want {
			w.t.Fatalf("%q of database %d was %q, is written down as %q", key, c.DB, want, p[:min(n, len(p))])
		}
		delete(left, s)
		p = p[n:]
	}
}

// keyAt reads the key of the record that p begins with.
func keyAt(t *testing.T, p []byte) string {
	t.Helper()
	if p[0] == 252 {
		p = p[9:]
	}
	d := rdb.NewDecoder(p[1:])
	k, err := d.String(nil)
	if err != nil {
		t.Fatalf("%v in %q", err, p)
	}
	return string(k)
}

// TestEpoch: whatever happens while a snapshot is taken, it shows the epoch.
func TestEpoch(t *testing.T) {
	for _, seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("-seed=%d", seed)
			w := newHistory(t, seed)
			for round := range 12 {
				for range w.n(2000) {
					w.step()
				}
				w.oneSnapshot(round)
			}
		})
	}
}

func (w *history) oneSnapshot(round int) {
	left := w.picture()
	s := Begin(w.v, Options{QueueMax: int64(1 + w.n(100_000))})
	defer s.End()
	swapped := 0
	for !s.Walked() {
		for range w.n(20) {
			w.step()
		}
		if w.n(40) == 0 {
			w.exclusively(func() { w.v.Swap(w.n(databases), w.n(databases)) })
			swapped++
		}
		if w.n(150) == 0 {
			w.exclusively(func() { w.v.Flush(w.n(databases+1) - 1) })
		}
		s.Step(w.v, 0, 1, w.n(2000))
		if err := w.take(s, left, false); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.take(s, left, true); err != nil {
		w.t.Fatal(err)
	}
	for k := range left {
		w.t.Fatalf("round %d, %d swaps: %q of database %d is not written down", round, swapped, k.key, k.db)
	}
	keys, of, kept := s.Progress()
	if keys > of || kept > keys {
		w.t.Errorf("%d of %d keys, %d of them before they changed", keys, of, kept)
	}
}

func (w *history) exclusively(fn func()) {
	w.ks.BeginExclusive(w.v)
	fn()
	w.ks.EndExclusive(w.v)
}

// TestFlushOfMuch: when what is flushed is too much to be kept, the snapshot says so
// instead of being half of one.
func TestFlushOfMuch(t *testing.T) {
	w := newHistory(t, 1)
	for i := range flushMax + 1 {
		key := fmt.Appendf(nil, "key:%d", i)
		w.held(func() { w.v.SetString(key, key, 0, false) }, key)
	}
	s := Begin(w.v, Options{})
	w.exclusively(func() { w.v.Flush(1); w.v.Flush(-1) })
	if _, err := s.Next(); !errors.Is(err, ErrFlushed) {
		t.Errorf("Next gives %v", err)
	}
	if s.Step(w.v, 0, 1, 100) || !s.Walked() {
		t.Error("it goes on")
	}
	s.End()
	key := []byte("key")
	w.held(func() { w.v.SetString(key, key, 0, false) }, key)
}

// TestPause: the walk waits for its writer, changes do not.
func TestPause(t *testing.T) {
	w := newHistory(t, 1)
	for i := range 20_000 {
		key := fmt.Appendf(nil, "key:%d", i)
		w.held(func() { w.v.SetString(key, key, 0, false) }, key)
	}
	s := Begin(w.v, Options{QueueMax: 100_000})
	defer s.End()
	for s.Step(w.v, 0, 1, 10_000) {
	}
	if held := s.Held(); held < 100_000 || held > 100_000+2*chunkSize {
		t.Errorf("%d bytes are held", held)
	}
	before := s.Held()
	for i := range 20_000 {
		key := fmt.Appendf(nil, "key:%d", i)
		w.held(func() { w.v.Delete(key) }, key)
	}
	if held := s.Held(); held < 2*before {
		t.Errorf("%d bytes are held after all has been deleted, %d before", held, before)
	}
	c, err := s.Next()
	if c == nil || err != nil {
		t.Fatal(c, err)
	}
	s.Recycle(c)
	s.Cancel(errors.New("enough"))
	if _, err := s.Next(); err == nil || err.Error() != "enough" {
		t.Errorf("Next gives %v", err)
	}
}
