package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"

	"dozo/keyspace"
	"dozo/object"
	"dozo/rdb"
)

// Loading a file. One goroutine reads it, a buffer at a time, and finds where records
// end without decoding them; it hashes their names and sorts them by shard. Workers,
// each with shards of its own, decode the records in place and put them in the
// keyspace. A buffer goes back to the reader when all workers have done with it; there
// are a few, so that memory does not depend on the file. A value that is longer than a
// buffer is decoded by its worker straight from the file, while the reader waits.
//
// LIMITATIONS: a single value that is longer than a buffer is decoded by one worker, and
// nothing else of the file meanwhile.

// LoadOptions say how to load.
type LoadOptions struct {
	Keyspace *keyspace.Keyspace
	Limits   *object.Limits
	// Workers is how many goroutines decode, 0 = one.
	Workers int
	// Size is how long the file is, 0 = not known.
	Size int64
	// Now is the time, in Unix milliseconds.
	Now int64
	// KeepExpired loads keys whose time is over: as a replica does, which waits for its
	// primary to delete them, and for the base of an AOF, whose commands were run with
	// them.
	KeepExpired bool
	// Following is for a replica, for which no key is over: they are kept, and not counted.
	Following bool
	// Replace lets a key that comes twice, or is there before, have the last value.
	// Otherwise it is damage.
	Replace bool
	// Deep is sanitize-dump-payload yes.
	Deep bool
	// SkipChecksum is rdbchecksum no.
	SkipChecksum bool
	// Progress, if not nil, is kept up to date.
	Progress *LoadProgress
	// Fact, if not nil, is told each of the facts about itself that a file begins with.
	Fact func(name, value string)
	// Pause, if not nil, is called after each key: tests have a load last.
	Pause func()
}

// LoadProgress is how far a load has come; it can be read at any time.
type LoadProgress struct {
	Bytes, Keys, Expired atomic.Int64
}

// Loaded is what was in a file besides keys, and how many there were.
type Loaded struct {
	Version int
	Info    rdb.Info
	Checked bool // there was a checksum
	// Functions are libraries, to be written back.
	Functions [][]byte
	// Modules are types of modules whose data besides keys was left out.
	Modules []string
	// Keys are those in the keyspace, Expired those whose time was over, which are left out
	// unless KeepExpired, and Empty
	// those left out since old versions wrote them without elements; some of their
	// names are in EmptyNames.
	Keys, Expired, Empty int64
	EmptyNames           []string
	// End is where in the stream the file ends. Rest was read from it beyond that.
	End  int64
	Rest []byte
}

const (
	loadBuffer    = 256 << 10
	loadBuffers   = 6
	emptyNamesMax = 10 // names of each worker
	loadAhead     = 8  // keys
)

// Load reads a file into a keyspace that nobody else changes meanwhile: while it starts, or
// a shadow, beside which the executors go on. In the first case they may count keys, but do
// no background work. After an error, which of the file is a rdb.FileError, the keyspace has
// a part of what is in the file, and is to be emptied, or discarded.
//
// The stream is read as it arrives, and no further than the next bytes of the file need. When
// the context ends so does the load, within a few ms; who gives a stream that can keep a Read
// waiting, as a connection does, closes it then.
func Load(ctx context.Context, src io.Reader, o LoadOptions) (*Loaded, error) {
	o.Workers = min(max(o.Workers, 1), o.Keyspace.Shards())
	if o.Progress == nil {
		o.Progress = new(LoadProgress)
	}
	l := &loader{o: o, free: make(chan *batch, loadBuffers)}
	for range loadBuffers {
		l.free <- newBatch(o.Keyspace.Shards())
	}
	l.batch = <-l.free
	l.r = rdb.NewReader(stoppable{ctx, src}, rdb.ReaderOptions{
		Size: o.Size, SkipChecksum: o.SkipChecksum, Buffer: l.turn, BufferSize: loadBuffer,
	})
	l.begin()
	err := l.read()
	l.hand()
	l.finish()
	if err := l.firstFault(err); err != nil {
		return nil, err
	}
	l.got.Version, l.got.Checked = l.r.Version, l.r.Checked
	l.got.End, l.got.Rest = l.r.Offset(), l.r.Rest()
	return &l.got, nil
}

// stoppable is a stream that ends with an error when the context does, which is why.
type stoppable struct {
	ctx context.Context
	io.Reader
}

func (s stoppable) Read(p []byte) (n int, err error) {
	if s.ctx.Err() == nil {
		n, err = s.Reader.Read(p)
	}
	if s.ctx.Err() != nil { // maybe the stream was closed for it
		return 0, context.Cause(s.ctx)
	}
	return n, err
}

// loader is a load under way: the reader's side of it.
type loader struct {
	o       LoadOptions
	r       *rdb.Reader
	free    chan *batch
	batch   *batch // being filled
	long    bool   // a worker is reading a long value
	longBuf []byte
	workers []*loadWorker
	running sync.WaitGroup
	got     Loaded
	failed  atomic.Bool
	mu      sync.Mutex
	faults  []error // of workers
}

// batch is a buffer and the records that are in it, for each shard in a list.
type batch struct {
	buf     []byte
	records []record
	first   []int32 // by shard; -1: none
	last    []int32
	left    atomic.Int32 // workers that are not through with it
}

// record is a key with its value, as it is in the file.
type record struct {
	bytes    []byte
	hash     uint64
	offset   int64 // in the file
	deadline int64 // 0 = none
	idle     int64
	db       int32
	next     int32 // of the shard, -1 = none
	freq     int16
	kind     rdb.Type
}

func newBatch(shards int) *batch {
	b := &batch{buf: make([]byte, loadBuffer), first: make([]int32, shards), last: make([]int32, shards)}
	b.clear()
	return b
}

func (b *batch) clear() {
	b.records = b.records[:0]
	for i := range b.first {
		b.first[i] = -1
	}
}

func (b *batch) add(shard int, r *record) {
	n := int32(len(b.records))
	if b.first[shard] < 0 {
		b.first[shard] = n
	} else {
		b.records[b.last[shard]].next = n
	}
	b.last[shard] = n
	b.records = append(b.records, *r)
}

// turn gives the reader its next buffer; what is in the last one goes to the workers.
// While a worker reads a long value itself, there is one buffer for that: the others
// may all be waiting for this worker.
func (l *loader) turn() []byte {
	l.o.Progress.Bytes.Store(l.r.Offset())
	if l.long {
		if l.longBuf == nil {
			l.longBuf = make([]byte, loadBuffer)
		}
		return l.longBuf
	}
	l.hand()
	l.batch = <-l.free
	return l.batch.buf
}

// hand gives the batch to the workers.
func (l *loader) hand() {
	l.batch.left.Store(int32(len(l.workers)))
	for _, w := range l.workers {
		w.todo <- job{batch: l.batch}
	}
}

// read reads the file to its end.
func (l *loader) read() error {
	it := new(rdb.Item)
	for {
		if l.failed.Load() {
			return nil
		}
		if err := l.r.Next(it); err != nil {
			return err
		}
		switch it.Kind {
		case rdb.End:
			return nil
		case rdb.Aux:
			l.aux(string(it.Name), string(it.Value))
		case rdb.Function:
			l.got.Functions = append(l.got.Functions, append([]byte(nil), it.Value...))
		case rdb.ModuleAux:
			l.got.Modules = append(l.got.Modules, string(it.Name))
		case rdb.Key:
			if err := l.key(it); err != nil {
				return err
			}
			if l.o.Pause != nil {
				l.o.Pause()
			}
		}
	}
}

// key gives a record to its worker.
func (l *loader) key(it *rdb.Item) error {
	if n := l.o.Keyspace.Databases(); it.DB >= n {
		return it.Fail(&rdb.Fault{What: fmt.Sprintf("there are only %d databases here: set the directive databases to %d at least", n, it.DB+1)})
	}
	if it.Dated && it.Deadline < l.o.Now && !l.o.Following {
		l.got.Expired++
		l.o.Progress.Expired.Store(l.got.Expired)
		if !l.o.KeepExpired {
			return nil
		}
	}
	if it.Dated && it.Deadline <= 0 {
		it.Deadline = 1 // 0 would be never
	}
	hash := l.o.Keyspace.Hash(it.Name)
	shard := l.o.Keyspace.ShardOf(hash)
	r := record{
		bytes: it.Record, hash: hash, offset: it.Offset, deadline: it.Deadline, idle: it.Idle,
		db: int32(it.DB), next: -1, freq: int16(it.Freq), kind: it.Type,
	}
	if r.bytes == nil {
		l.longValue(shard, r)
	} else {
		l.batch.add(shard, &r)
	}
	return nil
}

// longValue has a worker read a value from the file, behind what it has to do before.
// The buffer that the value begins in is read to the end before any other is asked for.
func (l *loader) longValue(shard int, r record) {
	l.hand()
	l.long = true
	done := make(chan struct{})
	l.workers[shard%len(l.workers)].todo <- job{long: &r, shard: shard, done: done}
	<-done
	l.long, l.longBuf = false, nil // there may be records behind it in the buffer now
	l.batch = <-l.free
}

func (l *loader) aux(name, value string) {
	i := &l.got.Info
	n, _ := strconv.ParseInt(value, 10, 64) // 0 for what is no number
	repl := func() *rdb.ReplicationInfo {
		if i.Replication == nil {
			i.Replication = &rdb.ReplicationInfo{DB: -1, Offset: -1}
		}
		return i.Replication
	}
	switch name {
	case "redis-ver", "valkey-ver":
		i.ServerVersion = value
	case "ctime":
		i.CreatedAt = n
	case "used-mem":
		i.UsedMemory = n
	case "aof-base", "aof-preamble":
		i.AOFBase = n != 0
	case "repl-stream-db":
		repl().DB = int(n)
	case "repl-id":
		repl().ID = value
	case "repl-offset":
		repl().Offset = n
	case "dozo-lineage":
		repl().Lineage = value
	case "dozo-primary":
		repl().Primary = value
	case "dozo-time":
		repl().Time = n
	}
	if l.o.Fact != nil {
		l.o.Fact(name, value)
	}
}

func (l *loader) begin() {
	for range l.o.Workers {
		w := &loadWorker{l: l, me: len(l.workers), todo: make(chan job, loadBuffers), view: l.o.Keyspace.NewView(nil)}
		w.view.Now, w.view.Doing = l.o.Now, "loading"
		w.builder = rdb.Builder{Limits: l.o.Limits, Deep: l.o.Deep}
		l.workers = append(l.workers, w)
		l.running.Add(1)
	}
	for _, w := range l.workers {
		go w.run()
	}
}

// finish waits for the workers and adds up what they have done.
func (l *loader) finish() {
	for _, w := range l.workers {
		close(w.todo)
	}
	l.running.Wait()
	for _, w := range l.workers {
		l.got.Keys += w.keys
		l.got.Empty += w.empty
		l.got.EmptyNames = append(l.got.EmptyNames, w.emptyNames...)
	}
	l.o.Progress.Bytes.Store(l.r.Offset())
}

// firstFault is what is wrong first in the file, of what the workers have found and what
// the reader has.
func (l *loader) firstFault(err error) error {
	at := func(err error) int64 {
		var f *rdb.FileError
		if errors.As(err, &f) {
			return f.Offset
		}
		return 0
	}
	for _, e := range l.faults {
		if err == nil || at(e) < at(err) {
			err = e
		}
	}
	return err
}

func (l *loader) fault(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, err)
	l.failed.Store(true)
}

// loadWorker decodes the records of every so many-th shard.
type loadWorker struct {
	l          *loader
	me         int
	todo       chan job
	view       *keyspace.View
	builder    rdb.Builder
	name       [64]byte // scratch space
	in         rdb.Decoder
	draft      object.Draft
	keys       int64
	told       int64 // of them in the progress
	empty      int64
	emptyNames []string
	_          [64]byte // what lies next belongs to another thread
}

// job is a batch, or a single record whose value is still in the file.
type job struct {
	batch *batch
	long  *record
	shard int
	done  chan struct{}
}

func (w *loadWorker) run() {
	defer w.l.running.Done()
	for j := range w.todo {
		if j.long != nil {
			w.longValue(j.shard, j.long)
			close(j.done)
			continue
		}
		b := j.batch
		for shard := w.me; shard < len(b.first); shard += len(w.l.workers) {
			if b.first[shard] >= 0 {
				w.view.Hold(shard, func(h keyspace.Held) { w.records(h, b.records, b.first[shard]) })
			}
		}
		w.l.o.Progress.Keys.Add(w.keys - w.told)
		w.told = w.keys
		if b.left.Add(-1) == 0 {
			b.clear()
			w.l.free <- b
		}
	}
}

// records puts the records of a shard, from the i-th on, in it.
func (w *loadWorker) records(h keyspace.Held, all []record, i int32) {
	ahead := i
	for range loadAhead {
		ahead = warm(h, all, ahead)
	}
	for ; i >= 0; i = all[i].next {
		ahead = warm(h, all, ahead)
		r := &all[i]
		w.in = rdb.NewDecoder(r.bytes)
		name, err := w.in.String(w.name[:])
		if err == nil {
			err = w.builder.Body(r.kind, &w.in, h.Place(name, r.deadline), &w.draft)
		}
		if err != nil {
			w.fail(r, name, err)
			continue
		}
		w.store(h, r, name, &w.draft)
	}
}

// warm asks for memory for the i-th record and returns which comes next.
func warm(h keyspace.Held, all []record, i int32) int32 {
	if i < 0 {
		return i
	}
	h.Warm(int(all[i].db), all[i].hash)
	return all[i].next
}

// longValue makes a value straight from the file, with its shard not held: that can take
// long, and who only counts keys shall not wait for it. Nobody else makes anything in
// the shard's heap.
func (w *loadWorker) longValue(shard int, r *record) {
	var held keyspace.Held
	w.view.Hold(shard, func(h keyspace.Held) { held = h })
	it := w.l.r.Item()
	err := w.l.r.ReadRecord(&w.builder, held.Place(it.Name, r.deadline), &w.draft)
	if err != nil {
		w.fail(r, it.Name, err)
		return
	}
	w.view.Hold(shard, func(h keyspace.Held) { w.store(h, r, it.Name, &w.draft) })
	w.builder.Trim(loadBuffer)
}

// store puts a value in its shard.
func (w *loadWorker) store(h keyspace.Held, r *record, name []byte, draft *object.Draft) {
	h.SetUse(draft.Entry, r.idle, int(r.freq))
	switch added := h.Load(int(r.db), r.hash, name, draft, w.l.o.Replace); {
	case added:
		w.keys++
	case !w.l.o.Replace:
		h.Discard(draft)
		w.fail(r, name, errThere)
	}
}

var errThere = &rdb.Fault{What: "the key is in the file twice, or was there before"}

// fail notes that a record cannot be loaded, or that it has nothing.
func (w *loadWorker) fail(r *record, name []byte, err error) {
	if errors.Is(err, rdb.ErrEmpty) {
		if w.empty++; len(w.emptyNames) < emptyNamesMax {
			w.emptyNames = append(w.emptyNames, string(name))
		}
		return
	}
	var f *rdb.FileError
	if !errors.As(err, &f) {
		it := rdb.Item{Kind: rdb.Key, Offset: r.offset, DB: int(r.db), Name: name, Type: r.kind}
		err = it.Fail(err)
	}
	w.l.fault(err)
}
