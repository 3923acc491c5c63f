package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dozo/env"
	"dozo/internal/invariants"
	"dozo/keyspace"
	"dozo/object"
	"dozo/rdb"
)

// ownLimits are those that the values of a history are made by.
var ownLimits = object.Limits{Set: setLimits, Hash: hashLimits, ZSet: zsetLimits, List: listLimits, Stream: streamLimits}

// fileOf is a file of all that there is.
func (w *history) fileOf() []byte {
	s := Begin(w.v, Options{GiantFrom: 20})
	defer s.End(w.v)
	f := newFile(w, s)
	for !s.Walked() {
		s.Step(w.v, 0, 1, 100_000)
		if err := f.take(false); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := f.take(true); err != nil {
		w.t.Fatal(err)
	}
	if err := f.rdb.Close(); err != nil {
		w.t.Fatal(err)
	}
	return f.out.Bytes()
}

// aside loads a file into a shadow.
func (w *history) aside(ctx context.Context, src io.Reader) (*keyspace.Keyspace, *Loaded, error) {
	shadow := w.ks.NewShadow()
	got, err := Load(ctx, src, LoadOptions{Keyspace: shadow, Limits: &ownLimits, Workers: 1 + w.n(4), Now: w.v.Now, KeepExpired: true})
	return shadow, got, err
}

// adopt loads something else and has it take the place of what there is.
func (w *history) adopt() {
	if w.next == nil || w.n(20) == 0 {
		other := newHistory(w.t, uint64(w.n(1000)+1))
		other.v.Now = w.v.Now
		for range w.n(1500) {
			other.step()
		}
		w.next = other.fileOf()
	}
	shadow, _, err := w.aside(context.Background(), bytes.NewReader(w.next))
	if err != nil {
		w.t.Fatal(err)
	}
	w.exclusively(func() { w.v.Adopt(shadow) })
}

// used is what is in use when all that is buried has been freed.
func (w *history) used() int64 {
	for w.v.FreeGraves(0, 1, 10_000) {
	}
	w.exclusively(w.ks.Publish)
	if n := w.ks.Graves(); n != 0 {
		w.t.Errorf("%d graves are left", n)
	}
	return w.ks.Arena().Used()
}

// TestAdopt: what was loaded aside is what there is then, whatever there was before, and
// whatever had become of that; nothing else is left in memory.
func TestAdopt(t *testing.T) {
	for _, seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("-seed=%d", seed)
			w, other := newHistory(t, seed), newHistory(t, seed)
			for range 5 {
				for range w.n(2000) {
					w.step()
					other.step()
				}
				other.v.Now = w.v.Now
				file := other.fileOf()
				shadow, _, err := w.aside(context.Background(), bytes.NewReader(file))
				if err != nil {
					t.Fatal(err)
				}
				for range w.n(500) {
					w.step()
				}
				w.exclusively(func() { w.v.Adopt(shadow) })
				if got, want := w.picture(0), other.picture(other.v.Now); !maps.Equal(got, want) {
					t.Fatalf("%d keys, and not %d, or not as they were", len(got), len(want))
				}
				if w.n(2) == 0 {
					continue
				}
				again := newHistory(t, seed)
				again.v.Now = other.v.Now
				shadow, _, err = again.aside(context.Background(), bytes.NewReader(file))
				if err != nil {
					t.Fatal(err)
				}
				again.exclusively(func() { again.v.Adopt(shadow) })
				if got, want := w.used(), again.used(); got != want {
					t.Fatalf("%d bytes are in use, and %d where there was nothing before", got, want)
				}
			}
		})
	}
}

// TestAdoptOfMuch: an adoption writes nothing down itself, and what is a snapshot's counts as
// that until it is whole, and is freed then: the file may take long.
func TestAdoptOfMuch(t *testing.T) {
	w := newHistory(t, 1)
	const keys = 50_000
	w.fill("key", keys)
	s := Begin(w.v, Options{})
	f := newFile(w, s)
	w.next = smallFile(t, 0)
	shadow, _, err := w.aside(context.Background(), bytes.NewReader(w.next))
	if err != nil {
		t.Fatal(err)
	}
	w.exclusively(func() { w.v.Adopt(shadow) })
	w.fill("other", 1000)
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
	if held, graves := w.ks.Apart(), w.ks.Graves(); held != 0 || graves == 0 {
		t.Errorf("%d bytes count as the snapshot's when it is whole, %d graves", held, graves)
	}
	if used := w.used(); used > 1<<20 {
		t.Errorf("%d bytes are in use", used)
	}
	if err := f.take(true); err != nil || f.keys != keys {
		t.Errorf("%d keys are written down, %v", f.keys, err)
	}
	s.End(w.v)
}

// TestLoadCutShort: a stream that ends before the file does, at each place, is not taken for
// a file, nor is one with another byte; and nothing is left of it.
func TestLoadCutShort(t *testing.T) {
	w, other := newHistory(t, 1), newHistory(t, 2)
	for range 15 {
		other.step()
	}
	file := other.fileOf()
	for range 500 {
		w.step()
	}
	was, before := w.picture(0), w.used()
	broken := errors.New("the connection was lost")
	refuse := func(src io.Reader, about string, args ...any) {
		shadow, _, err := w.aside(context.Background(), src)
		var f *rdb.FileError
		if !errors.As(err, &f) {
			t.Errorf("%s: %v", fmt.Sprintf(about, args...), err)
		}
		w.v.DiscardAll(shadow)
		for w.v.FreeGraves(0, 1, 1000) {
		}
	}
	step := 1 + len(file)/cuts()
	for at := 0; at < len(file); at += step {
		refuse(io.MultiReader(bytes.NewReader(file[:at]), &failing{broken}), "cut at %d of %d", at, len(file))
		if at%4 != 0 {
			continue
		}
		changed := bytes.Clone(file)
		changed[at] ^= byte(1 + w.n(255))
		refuse(bytes.NewReader(changed), "changed at %d of %d", at, len(file))
	}
	if after := w.used(); after != before {
		t.Errorf("%d bytes are in use, and were %d before", after, before)
	}
	if !maps.Equal(w.picture(0), was) {
		t.Error("the data has changed meanwhile")
	}
}

// cuts is in how many places the file is cut: all, or some.
func cuts() int {
	if testing.Short() || invariants.Enabled {
		return 150
	}
	return 1 << 20
}

// failing is a stream that fails.
type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// slow is a stream whose bytes arrive some at a time, and that can be closed.
type slow struct {
	data   []byte
	rand   env.Rand
	delay  time.Duration
	closed chan struct{}
}

func (s *slow) Read(p []byte) (int, error) {
	wait := time.Duration(s.rand.Uint64() % uint64(s.delay))
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	if s.rand.Uint64()%64 == 0 {
		wait = time.Hour // until it is closed
	}
	select {
	case <-time.After(wait):
	case <-s.closed:
		return 0, errors.New("use of closed network connection")
	}
	n := copy(p[:min(len(p), 1+int(s.rand.Uint64()%20_000))], s.data)
	s.data = s.data[n:]
	return n, nil
}

// TestLoadStopped: a load can be given up at any time, also while it waits for bytes, says
// why, and leaves nothing.
func TestLoadStopped(t *testing.T) {
	w, other := newHistory(t, 1), newHistory(t, 2)
	for range 30_000 {
		other.step()
	}
	file := other.fileOf()
	before := w.used()
	why := errors.New("REPLICAOF NO ONE")
	for i := range 60 {
		ctx, stop := context.WithCancelCause(context.Background())
		src := &slow{data: file, rand: env.Seeded(uint64(i)), delay: 200 * time.Microsecond, closed: make(chan struct{})}
		after := time.Duration(w.n(20_000)) * time.Microsecond
		var asked atomic.Int64
		time.AfterFunc(after, func() {
			asked.Store(time.Now().UnixNano())
			stop(why)
			close(src.closed)
		})
		shadow, _, err := w.aside(ctx, src)
		if took := time.Since(time.Unix(0, asked.Load())); err != nil && took > 2*time.Second {
			t.Errorf("it took %v to give it up", took)
		}
		if err != nil && !errors.Is(err, why) {
			t.Errorf("after %v: %v", after, err)
		}
		w.v.DiscardAll(shadow)
		<-src.closed
	}
	if now := w.used(); now != before {
		t.Errorf("%d bytes are in use, and were %d before", now, before)
	}
}

// TestLoadWaitsForNoMore: what is needed of a stream is read, and no byte more is waited for:
// behind a file there may be nothing for long.
func TestLoadWaitsForNoMore(t *testing.T) {
	w := newHistory(t, 1)
	file := smallFile(t, 3000)
	const behind = "the mark, and what comes then"
	r, pipe := io.Pipe()
	go func() {
		for rest := append(bytes.Clone(file), behind...); len(rest) > 0; {
			n, err := pipe.Write(rest[:min(len(rest), 1+len(rest)/3)])
			if err != nil {
				return
			}
			rest = rest[n:]
		}
		select {} // nor is it closed
	}()
	shadow, got, err := w.aside(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.Rest); got.End != int64(len(file)) || got.Keys != 3000 || string(got.Rest) != behind[:n] {
		t.Errorf("%d keys, the end at %d and not %d, %q behind it", got.Keys, got.End, len(file), got.Rest)
	}
	w.v.DiscardAll(shadow)
}

// TestServingWhileLoading: executors read and write, and a snapshot is taken, while loads go
// on aside, of which some are given up; each adoption is of all shards at once. Under -race
// the detector looks on.
func TestServingWhileLoading(t *testing.T) {
	const executors, keys, rounds = 3, 300, 12
	s := newStore(t, executors)
	versions := make([][]byte, 4)
	for i := range versions {
		versions[i] = versionFile(t, i, keys)
	}
	var gate sync.RWMutex // as the server's: who adopts is alone
	var stop atomic.Bool
	var snap atomic.Pointer[Snapshot]
	var wg sync.WaitGroup
	load := func(i int) *keyspace.Keyspace {
		shadow := s.ks.NewShadow()
		if _, err := Load(context.Background(), bytes.NewReader(versions[i%4]), LoadOptions{Keyspace: shadow, Limits: &s.limits, Workers: 3, Now: 1}); err != nil {
			t.Error(err)
		}
		return shadow
	}
	alone := func(fn func()) {
		gate.Lock()
		defer gate.Unlock()
		s.alone(fn)
	}
	first := load(0)
	alone(func() { s.v.Adopt(first) })
	for id := range executors {
		v := s.ks.NewView(nil)
		wg.Go(func() {
			for r := env.Seeded(uint64(id)); !stop.Load(); {
				gate.RLock()
				serveSome(t, v, r, keys)
				v.FreeGraves(id, executors, 200)
				v.Expire(id, executors, 100)
				if more, _ := v.Defrag(id, executors, 50); !more {
					v.BeginDefrag()
				}
				if p := snap.Load(); p != nil {
					p.Step(v, id, executors, 2000)
				}
				gate.RUnlock()
			}
		})
	}
	for round := range rounds {
		over := s.saveMeanwhile(t, &snap, alone)
		shadow := load(round)
		alone(func() {
			if round%3 == 2 {
				s.v.DiscardAll(shadow)
				return
			}
			s.v.Adopt(shadow)
		})
		<-over
	}
	stop.Store(true)
	wg.Wait()
}

// versionFile is a file in which all values are of one version.
func versionFile(t *testing.T, version, keys int) []byte {
	s := newStore(t, 1)
	defer s.close()
	for i := range keys {
		key := fmt.Appendf(nil, "key:%d", i)
		s.alone(func() { s.v.SetString(key, fmt.Append(nil, "version ", version), 0, false) })
	}
	s.alone(func() {
		c := s.v.Add([]byte("large"), s.v.Place([]byte("large")).NewSet([]byte("a"), 1, &setLimits))
		for i := range 2000 {
			object.SetValue{Cell: &c}.Add(fmt.Append(nil, "member:", i), &setLimits)
		}
	})
	return s.save(t, rdb.WriterOptions{}, &rdb.Info{}, nil)
}

// serveSome reads two keys of different shards at once, which must be of one version, and
// writes to others.
func serveSome(t *testing.T, v *keyspace.View, r env.Rand, keys int) {
	a, b := fmt.Appendf(nil, "key:%d", r.Uint64()%uint64(keys)), fmt.Appendf(nil, "key:%d", r.Uint64()%uint64(keys))
	own := fmt.Appendf(nil, "own:%d", r.Uint64()%100)
	ks := v.Keyspace()
	var set keyspace.LockSet
	for _, k := range [][]byte{a, b, own, []byte("large")} {
		ks.Add(&set, ks.Hash(k))
	}
	ks.Lock(v, &set)
	defer ks.Unlock(v, &set)
	one, two := v.Find(a), v.Find(b)
	if !one.Ok() || !two.Ok() || !bytes.Equal(one.Bytes(nil), two.Bytes(nil)) {
		t.Errorf("%s and %s are not of one version", a, b)
	}
	v.SetString(own, make([]byte, r.Uint64()%2000), int64(r.Uint64()%2), false)
	if c := v.Edit([]byte("large")); c.Ok() {
		object.SetValue{Cell: &c}.Add(own, &setLimits)
		object.SetValue{Cell: &c}.Remove(fmt.Append(nil, "member:", r.Uint64()%2000))
	}
}

// saveMeanwhile begins a snapshot that the executors walk, and checks the file in the end.
func (s *store) saveMeanwhile(t *testing.T, snap *atomic.Pointer[Snapshot], alone func(func())) (over chan struct{}) {
	var p *Snapshot
	var want object.Digest
	alone(func() {
		want = s.v.Digest()
		p = Begin(s.v, Options{GiantFrom: 100, QueueMax: 10_000})
	})
	sink, err := p.NewSink()
	if err != nil {
		t.Fatal(err)
	}
	snap.Store(p)
	over = make(chan struct{})
	go func() {
		defer close(over)
		file := writeAll(t, p, sink)
		alone(func() {
			snap.Store(nil)
			p.End(s.v)
			if n := s.ks.Apart(); n != 0 {
				t.Errorf("%d bytes count as a snapshot's that has ended", n)
			}
		})
		again := newStore(t, 1)
		if _, err := again.load(file, LoadOptions{Workers: 1, KeepExpired: true}); err != nil {
			t.Error(err)
			return
		}
		var got object.Digest
		again.alone(func() { got = again.v.Digest() })
		if got != want {
			t.Error("the snapshot does not show its epoch")
		}
	}()
	return over
}

// writeAll writes down what a sink gives.
func writeAll(t *testing.T, p *Snapshot, sink *Sink) []byte {
	var out bytes.Buffer
	w := rdb.NewWriter(&out, rdb.WriterOptions{})
	err := w.Header(&rdb.Info{})
	for c := new(Chunk); err == nil; {
		if c, err = sink.Next(); c == nil || err != nil {
			break
		}
		if err = w.Database(c.DB, 0, 0); err == nil {
			err = w.Records(c.Records)
		}
		sink.Done(c)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Error(err)
		p.Cancel(err)
	}
	return out.Bytes()
}
