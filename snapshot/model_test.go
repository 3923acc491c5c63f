package snapshot

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"testing"

	"dozo/arena"
	"dozo/container/listpack"
	"dozo/container/stream"
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
	if testing.Short() {
		return []uint64{1, 2, 3}
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
	next []byte // a file of what is adopted next
}

func newHistory(t *testing.T, seed uint64) *history {
	t.Helper()
	a, err := arena.New(arena.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ks := keyspace.New(keyspace.Options{
		Arena: a, Loops: 1, Databases: databases, Seed: seed, PartDivisor: int(seed%2) * 128,
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

// key is one of many, or one of a few that get large.
func (w *history) key() []byte {
	if w.n(3) == 0 {
		return fmt.Appendf(nil, "large:%d", w.n(12))
	}
	return fmt.Appendf(nil, "key:%d", w.n(300))
}

func (w *history) word() []byte { return fmt.Appendf(nil, "word:%d", w.n(400)) }

var (
	setLimits    = object.SetLimits{Intset: 4, Listpack: 8, Value: 64}
	hashLimits   = object.HashLimits{Listpack: 8, Value: 64}
	zsetLimits   = object.ZSetLimits{Listpack: 8, Value: 64}
	listLimits   = object.ListLimits{Fill: 4}
	streamLimits = object.StreamLimits{NodeEntries: 3}
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
		if key[0] == 'l' && w.n(20) != 0 {
			return
		}
		value := w.bytes(w.n(100))
		if w.n(10) == 0 {
			value = w.bytes(w.n(40_000))
		}
		w.held(func() { w.v.SetString(key, value, w.deadline(), false) }, key)
	case 3:
		if key[0] != 'l' || w.n(6) == 0 {
			w.held(func() { w.v.Delete(key) }, key)
		}
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
		w.defragment()
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
	if c.Type() == object.Hash {
		was := object.HashValue{Cell: &c}.Earliest()
		defer func() {
			if left != 0 {
				w.v.FieldsDated(key, &c, was)
			}
		}()
	}
	times := 1 + w.n(6)
	if key[0] == 'l' {
		times *= 5
	}
	for range times {
		m := w.word()
		switch c.Type() {
		case object.String:
			w.editString(&c)
		case object.Set:
			left = w.editSet(object.SetValue{Cell: &c}, m)
		case object.Hash:
			left = w.editHash(object.HashValue{Cell: &c, Now: w.v.Now}, m)
		case object.ZSet:
			left = w.editZSet(object.ZSetValue{Cell: &c}, m)
		case object.List:
			left = w.editList(object.ListValue{Cell: &c}, m)
		case object.Stream:
			w.editStream(object.StreamValue{Cell: &c}, m)
		}
		if left == 0 {
			w.v.Delete(key)
			return
		}
	}
}

func (w *history) make(key []byte) object.Cell {
	at := w.v.Place(key)
	switch w.n(6) {
	case 0:
		return w.v.Add(key, at.NewSet([]byte("a"), 1, &setLimits))
	case 1:
		return w.v.Add(key, at.NewHash())
	case 2:
		return w.v.Add(key, at.NewZSet(1, 1, &zsetLimits))
	}
	if w.n(2) == 0 {
		return w.v.Add(key, at.NewStream())
	}
	return w.v.Add(key, at.NewList())
}

// defragment goes on with a pass: blocks are moved while they are walked through.
func (w *history) defragment() {
	for range w.n(30) {
		if more, _ := w.v.Defrag(0, 1, 1+w.n(100)); !more {
			w.v.BeginDefrag()
		}
	}
}

// bytes are n bytes that are not all alike.
func (w *history) bytes(n int) []byte {
	b := make([]byte, n)
	for i, x := 0, w.n(256); i < n; i++ {
		b[i] = byte(x + i/7)
	}
	return b
}

func (w *history) editString(c *object.Cell) {
	n := c.Len()
	switch w.n(12) {
	case 0:
		c.SetInt(int64(w.n(1000)))
	case 1:
		c.SetString(w.bytes(w.n(1000)), object.Attrs{Deadline: c.Entry.Deadline()})
	case 2:
		copy(c.Resize(w.n(2*n+1)), w.bytes(1+n/2))
	case 3:
		copy(c.Grow(0), w.bytes(1+n/3))
	case 4:
		m := w.n(5000)
		copy(c.GrowFor(n+m, n, n+m)[n:], w.bytes(m))
	default:
		from, m := w.n(n+100), 1+w.n(200)
		copy(c.GrowFor(from+m, from, from+m)[from:], w.bytes(m))
	}
}

func (w *history) editSet(s object.SetValue, m []byte) int {
	if s.Len() > setLimits.Listpack && w.n(15) == 0 { // as SPOP with a count does
		for s.Len() > setLimits.Listpack/2 {
			s.Remove(s.Random(w.rand.Uint64()).Append(nil))
		}
		s.Compact(&setLimits)
		return s.Len()
	}
	if w.n(3) == 0 && s.Len() > 0 {
		s.Remove(m)
	} else {
		s.Add(m, &setLimits)
	}
	return s.Len()
}

func (w *history) editHash(h object.HashValue, m []byte) int {
	if _, ok := h.Get(m); ok && w.n(3) == 0 {
		h.SetFieldDeadline(m, w.v.Now+int64(1+w.n(300)))
		return h.Len()
	}
	if w.n(3) == 0 && h.Len() > 0 {
		h.Delete(m)
	} else {
		h.Set(m, w.word(), &hashLimits)
	}
	return h.Len()
}

func (w *history) editZSet(z object.ZSetValue, m []byte) int {
	if n := z.Len(); n > 3 && w.n(12) == 0 {
		from := w.n(n)
		z.DeleteRange(from, min(n, from+w.n(60)), nil)
		return z.Len()
	}
	if w.n(3) == 0 && z.Len() > 0 {
		z.Remove(m)
	} else {
		z.Add(m, float64(w.n(50)), 0, &zsetLimits)
	}
	return z.Len()
}

func (w *history) editList(l object.ListValue, m []byte) int {
	side := object.Side(w.n(2) == 0)
	switch n := l.Len(); {
	case n == 0 || w.n(2) == 0:
		l.Expect(1, len(m), &listLimits)
		l.Push(m, side, &listLimits)
	case w.n(4) == 0:
		l.Set(w.n(n), m, &listLimits)
	case w.n(4) == 0:
		pivot, _ := l.At(w.n(n))
		l.Expect(1, len(m), &listLimits)
		l.Insert(pivot.Append(nil), m, w.n(2) == 0, &listLimits)
	case w.n(4) == 0:
		x, _ := l.At(w.n(n))
		l.Remove(x.Append(nil), 1+w.n(3), side)
		l.Shrunk(&listLimits)
	default:
		l.Drop(1+w.n(3), side)
		l.Shrunk(&listLimits)
	}
	return l.Len()
}

func (w *history) editStream(v object.StreamValue, m []byte) {
	s := v.Open()
	switch last := s.LastID(); w.n(6) {
	case 0:
		s.Delete(stream.ID{Ms: uint64(w.n(int(last.Ms + 1)))})
	case 1:
		s.Trim(stream.Trim{MaxLen: uint64(1 + w.n(60))})
	default:
		w.append(v)
	}
}

// append adds an entry with the next ID.
func (w *history) append(v object.StreamValue) {
	s := v.Open()
	if err := s.Append(stream.ID{Ms: s.LastID().Ms + 1}, streamLimits, [][]byte{w.word(), w.word()}); err != nil {
		w.t.Fatal(err)
	}
}

// spot is a key of a database.
type spot struct {
	db  int
	key string
}

// picture is what each key holds now, but for those whose time is over at a moment.
func (w *history) picture(now int64) map[spot]string {
	all := map[spot]string{}
	for i := range w.ks.Shards() {
		w.v.Hold(i, func(h keyspace.Held) {
			for db := range databases {
				for pos, more := uint64(0), true; more; more = pos != 0 {
					pos = h.Scan(db, pos, func(_ uint64, c *object.Cell) {
						if d := c.Entry.Deadline(); (d == 0 || d > now) && !fieldless(c, now) {
							all[spot{db, string(c.Entry.Key())}] = image(c, now)
						}
					})
				}
			}
		})
	}
	return all
}

// fieldless tells whether a value is a hash whose fields are all due by a moment.
func fieldless(c *object.Cell, now int64) bool {
	return c.Type() == object.Hash && object.HashValue{Cell: c, Now: now}.Len() == 0
}

// image is a value, whatever its encoding.
func image(c *object.Cell, now int64) string {
	var d object.Digest
	c.Digest(&d, now)
	text := fmt.Sprintf("%v %x until %d", c.Type(), d, c.Entry.Deadline())
	switch c.Type() {
	case object.List: // its digest knows no order
		object.ListValue{Cell: c}.Each(func(v listpack.Value) bool { text += " " + string(v.Append(nil)); return true })
	case object.Stream:
		s := object.StreamValue{Cell: c}.Open()
		text += fmt.Sprint(s.State(), s.Groups())
	}
	return text
}

// file is what the writer has of a snapshot.
type file struct {
	w    *history
	sink *Sink
	out  bytes.Buffer
	rdb  *rdb.Writer
	keys int
}

func newFile(w *history, s *Snapshot) *file {
	w.t.Helper()
	sink, err := s.NewSink()
	if err != nil {
		w.t.Fatal(err)
	}
	f := &file{w: w, sink: sink}
	f.rdb = rdb.NewWriter(&f.out, rdb.WriterOptions{DatedHashes: true})
	if err := f.rdb.Header(&rdb.Info{}); err != nil {
		w.t.Fatal(err)
	}
	return f
}

// take takes what there is, or, if wait, all.
func (f *file) take(wait bool) error {
	for wait || f.sink.waiting() {
		c, err := f.sink.Next()
		if err != nil || c == nil {
			return err
		}
		if err = f.rdb.Database(c.DB, 0, 0); err == nil {
			err = f.rdb.Records(c.Records)
		}
		if err != nil {
			f.w.t.Fatal(err)
		}
		f.keys += c.Keys
		f.sink.Done(c)
	}
	return nil
}

// waiting tells whether there is a chunk to take.
func (k *Sink) waiting() bool {
	q := &k.s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	return k.next < q.first+len(q.chunks)
}

// load makes a keyspace of a file.
func (f *file) load(seed uint64) *history {
	t := f.w.t
	if err := f.rdb.Close(); err != nil {
		t.Fatal(err)
	}
	w := newHistory(t, seed)
	r := rdb.NewReader(bytes.NewReader(f.out.Bytes()), rdb.ReaderOptions{})
	b := &rdb.Builder{Deep: true, Limits: &object.Limits{
		Set: setLimits, Hash: hashLimits, ZSet: zsetLimits, List: listLimits, Stream: streamLimits,
	}}
	for it := (rdb.Item{}); ; {
		if err := r.Next(&it); err != nil {
			t.Fatal(err)
		}
		switch it.Kind {
		case rdb.End:
			return w
		case rdb.Key:
			key := bytes.Clone(it.Name)
			w.v.DB = it.DB
			w.held(func() {
				if old := w.v.Peek(key); old.Ok() {
					t.Fatalf("%q of database %d is written down twice", key, it.DB)
				}
				var d object.Draft
				if err := r.ReadRecord(b, w.v.Place(key), &d); err != nil {
					t.Fatalf("%q: %v", key, err)
				}
				w.v.Store(key, &d, it.Deadline)
			}, key)
		}
	}
}

// TestEpoch: whatever happens while a snapshot is taken, it shows the epoch.
func TestEpoch(t *testing.T) {
	for _, seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("-seed=%d", seed)
			w := newHistory(t, seed)
			for round := range 20 {
				for range w.n(2000) {
					w.step()
				}
				w.oneSnapshot(round)
			}
			if w.v.Stats.DefragHits == 0 {
				t.Error("no block was moved meanwhile")
			}
		})
	}
}

func (w *history) oneSnapshot(round int) {
	w.v.SetFollows(round%3 == 2) // then what is over is not, until a primary says so
	want, now := w.picture(w.v.Lost()), w.v.Lost()
	s := Begin(w.v, Options{QueueMax: int64(1 + w.n(100_000)), GiantFrom: 1 + w.n(60)})
	defer s.End(w.v)
	f := newFile(w, s)
	pace := 1 + w.n(20)
	for !s.Walked() {
		for range w.n(pace) {
			w.step()
		}
		if w.n(40) == 0 {
			w.exclusively(func() { w.v.Swap(w.n(databases), w.n(databases)) })
		}
		if w.n(700) == 0 {
			w.exclusively(func() { w.v.Flush(w.n(databases)) })
		}
		if w.n(900) == 0 {
			w.adopt()
		}
		s.Step(w.v, 0, 1, w.n(2000))
		if err := f.take(false); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := f.take(true); err != nil {
		w.t.Fatal(err)
	}
	got := f.load(uint64(round)).picture(now)
	for k, image := range want {
		if got[k] != image {
			w.t.Fatalf("round %d: %q of database %d was\n%.300q\nand is written down as\n%.300q", round, k.key, k.db, image, got[k])
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			w.t.Fatalf("round %d: %q of database %d was not there", round, k.key, k.db)
		}
	}
	if keys, of, kept := s.Progress(); int(keys) != f.keys || keys > of || kept > keys {
		w.t.Errorf("%d of %d keys, %d of them before they changed, %d in the file", keys, of, kept, f.keys)
	}
}

// TestFlush: what is flushed is written down all the same, however often that happens, and
// is given back when the snapshot ends, before it is whole or then.
func TestFlush(t *testing.T) {
	for _, seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("-seed=%d", seed)
			w := newHistory(t, seed)
			for range 30 {
				for range w.n(400) {
					w.step()
				}
				w.flushes(seed)
			}
		})
	}
}

func (w *history) flushes(seed uint64) {
	want, now := w.picture(w.v.Now), w.v.Now
	s := Begin(w.v, Options{GiantFrom: 1 + w.n(60)})
	f := newFile(w, s)
	for range w.n(6) {
		s.Step(w.v, 0, 1, w.n(8000))
		w.exclusively(func() { w.v.Flush(w.n(databases+1) - 1) })
		w.exclusively(func() { w.v.Swap(w.n(databases), w.n(databases)) })
		if w.n(4) == 0 {
			w.adopt()
		}
		for range w.n(100) {
			w.step()
		}
	}
	if w.n(4) != 0 {
		for s.Step(w.v, 0, 1, 1000) {
		}
		if err := f.take(true); err != nil {
			w.t.Error(err)
		}
		if got := f.load(seed).picture(now); !maps.Equal(got, want) {
			w.t.Errorf("%d keys are written down, not %d, or not as they were", len(got), len(want))
		}
	}
	s.End(w.v)
	if n := w.ks.Apart(); n != 0 {
		w.t.Errorf("%d bytes count as a snapshot's that has ended", n)
	}
	w.used() // no grave may be left
}

func (w *history) exclusively(fn func()) {
	w.ks.BeginExclusive(w.v)
	fn()
	w.ks.EndExclusive(w.v)
}

// TestFlushOfMuch: a flush of much that was not saved writes nothing down itself.
func TestFlushOfMuch(t *testing.T) {
	w := newHistory(t, 1)
	const keys = 100_000
	w.fill("key", keys)
	s := Begin(w.v, Options{})
	f := newFile(w, s)
	w.exclusively(func() { w.v.Flush(1); w.v.Flush(-1) })
	w.fill("key", keys) // which has nothing to do with what there was
	if n, _, kept := s.Progress(); n != 0 || kept != 0 {
		t.Errorf("%d keys were written down at once", n)
	}
	if held := w.ks.Apart(); held < 20*keys {
		t.Errorf("%d bytes count as the snapshot's", held)
	}
	for !s.Walked() {
		s.Step(w.v, 0, 1, 10_000)
		if err := f.take(false); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.take(true); err != nil || f.keys != keys {
		t.Errorf("%d keys are written down, %v", f.keys, err)
	}
	if held := w.ks.Apart(); held != 0 {
		t.Errorf("%d bytes count as the snapshot's when it is whole", held)
	}
	s.End(w.v)
}

// TestPause: the walk waits for its writer, changes do not.
func TestPause(t *testing.T) {
	w := newHistory(t, 1)
	for i := range 20_000 {
		key := fmt.Appendf(nil, "key:%d", i)
		w.held(func() { w.v.SetString(key, key, 0, false) }, key)
	}
	s := Begin(w.v, Options{QueueMax: 100_000})
	defer s.End(w.v)
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
	sink := newFile(w, s).sink
	c, err := sink.Next()
	if c == nil || err != nil {
		t.Fatal(c, err)
	}
	sink.Done(c)
	s.Cancel(errors.New("enough"))
	if _, err := sink.Next(); err == nil || err.Error() != "enough" {
		t.Errorf("Next gives %v", err)
	}
}

// TestTrimmedStream: a stream that loses all of many nodes at once is written down with
// them.
func TestTrimmedStream(t *testing.T) {
	w := newHistory(t, 1)
	key := []byte("stream")
	w.held(func() {
		c := w.v.Add(key, w.v.Place(key).NewStream())
		for range 3000 {
			w.append(object.StreamValue{Cell: &c})
		}
	}, key)
	want, now := w.picture(w.v.Now), w.v.Now
	s := Begin(w.v, Options{})
	f := newFile(w, s)
	defer s.End(w.v)
	s.Step(w.v, 0, 1, 1)
	w.held(func() {
		c := w.v.Edit(key)
		v := object.StreamValue{Cell: &c}
		all := v.Open()
		all.Trim(stream.Trim{})
		w.append(v)
	}, key)
	for s.Step(w.v, 0, 1, 1000) {
	}
	if err := f.take(true); err != nil {
		t.Fatal(err)
	}
	if got := f.load(1).picture(now); !maps.Equal(got, want) {
		t.Errorf("%.200v is written down as %.200v", want, got)
	}
}

// TestStreamSetBack: a stream that loses its entries can go back to lower IDs; those that
// it gets then are none of the epoch's, though the epoch's were higher.
func TestStreamSetBack(t *testing.T) {
	w := newHistory(t, 1)
	key := []byte("stream")
	edit := func(fn func(s *stream.Stream)) {
		w.held(func() {
			c := w.v.Edit(key)
			s := object.StreamValue{Cell: &c}.Open()
			fn(&s)
		}, key)
	}
	w.held(func() { w.v.Add(key, w.v.Place(key).NewStream()) }, key)
	add := func(s *stream.Stream, id uint64) {
		if err := s.Append(stream.ID{Ms: id}, streamLimits, [][]byte{w.word(), w.word()}); err != nil {
			t.Fatal(err)
		}
	}
	edit(func(s *stream.Stream) {
		for id := range 300 {
			add(s, uint64(1000+id))
		}
	})
	want, now := w.picture(w.v.Now), w.v.Now
	s := Begin(w.v, Options{GiantFrom: 1})
	f := newFile(w, s)
	defer s.End(w.v)
	s.Step(w.v, 0, 1, 1)
	edit(func(s *stream.Stream) {
		s.Trim(stream.Trim{})
		s.SetLastID(stream.ID{Ms: 1})
		for _, id := range []uint64{2, 1000, 1001, 1299, 1300} {
			add(s, id)
		}
	})
	for s.Step(w.v, 0, 1, 1000) {
	}
	if err := f.take(true); err != nil {
		t.Fatal(err)
	}
	if got := f.load(1).picture(now); !maps.Equal(got, want) {
		t.Errorf("%.200v is written down as %.200v", want, got)
	}
}

// TestSinks: sinks that come and go and have speeds of their own are given the same;
// who comes when something is gone waits for the next snapshot.
func TestSinks(t *testing.T) {
	for _, seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("-seed=%d", seed)
			w := newHistory(t, seed)
			for range 10 {
				for range w.n(3000) {
					w.step()
				}
				w.sinks()
			}
		})
	}
}

func (w *history) sinks() {
	s := Begin(w.v, Options{QueueMax: int64(1 + w.n(100_000)), GiantFrom: 1 + w.n(60)})
	defer s.End(w.v)
	files := []*file{newFile(w, s)}
	for !s.Walked() {
		for range w.n(10) {
			w.step()
		}
		s.Step(w.v, 0, 1, w.n(3000))
		if w.n(3) == 0 && len(files) < 4 { // the walk waits for the slowest
			files = w.join(s, files)
		}
		if n := len(files); n > 1 && w.n(6) == 0 {
			if last := files[n-1].sink; w.n(2) == 0 && last.waiting() {
				_, _ = last.Next() // its disk fails while it writes this
			}
			files[n-1].sink.Leave()
			files = files[:n-1]
		}
		f := files[w.n(len(files))]
		if err := f.take(false); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, f := range files {
		if err := f.take(true); err != nil {
			w.t.Fatal(err)
		}
		if !bytes.Equal(f.out.Bytes(), files[0].out.Bytes()) || f.keys != files[0].keys {
			w.t.Errorf("a sink got %d keys and not %d, or others", f.keys, files[0].keys)
		}
		f.sink.Leave()
	}
	if held := s.Held(); held != 0 {
		w.t.Errorf("%d bytes are held for nobody", held)
	}
}

// join adds a sink, if it is not too late.
func (w *history) join(s *Snapshot, files []*file) []*file {
	gone := s.queue.first > 0
	sink, err := s.NewSink()
	if gone != errors.Is(err, ErrLate) || !gone && err != nil {
		w.t.Fatalf("chunks gone %v, and a new sink hears %v", gone, err)
	}
	if gone {
		return files
	}
	sink.Leave()
	return append(files, newFile(w, s))
}

// TestSinkFailsWithALargeRecord: one whose disk fails while it writes a record that is as
// large as the queue does not stop the walk for the other.
func TestSinkFailsWithALargeRecord(t *testing.T) {
	w := newHistory(t, 1)
	const keys = 200
	w.fill("key", keys)
	s := Begin(w.v, Options{QueueMax: 1})
	defer s.End(w.v)
	fails, goesOn := newFile(w, s), newFile(w, s)
	s.Step(w.v, 0, 1, 1)
	if c, err := fails.sink.Next(); c == nil || err != nil {
		t.Fatalf("there is no chunk: %v", err)
	}
	fails.sink.Leave()
	for range keys {
		if err := goesOn.take(s.Walked()); err != nil {
			t.Fatal(err)
		}
		s.Step(w.v, 0, 1, 1000)
	}
	if !s.Walked() || goesOn.keys != keys {
		t.Errorf("the walk stands still: the other has %d keys of %d, and %d bytes are held", goesOn.keys, keys, s.Held())
	}
}

// TestLastSinkLeaves: a snapshot that nobody wants is given up.
func TestLastSinkLeaves(t *testing.T) {
	w := newHistory(t, 1)
	for range 100 {
		w.step()
	}
	s := Begin(w.v, Options{})
	newFile(w, s).sink.Leave()
	if s.Step(w.v, 0, 1, 100) || !s.Walked() || s.Held() != 0 {
		t.Error("it goes on")
	}
	s.End(w.v)
	w.step()
}
