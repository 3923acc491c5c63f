package snapshot

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// Chunk is some records of one database. What has it must not change it: other sinks may
// have it too.
type Chunk struct {
	DB      int
	Keys    int // records that end in it
	Records []byte

	// Under queue.mu: sinks that have not taken it yet, and those that are not done with
	// it.
	takers, users int
}

// queue is what waits for the sinks. It has the chunks that not all of them have taken.
type queue struct {
	max  int64
	held atomic.Int64 // bytes of chunks that not all are done with
	peak atomic.Int64 // the most that was held

	mu     sync.Mutex
	filled sync.Cond
	chunks []*Chunk
	first  int // the number of chunks[0]: how many are gone
	sinks  int
	spare  [][]byte
	closed bool
	why    error
}

// Sink is one who gets all chunks of a snapshot, in their order, at his own speed: the
// walk goes on as fast as the slowest one. Its methods are for one goroutine, but for
// Cancel.
type Sink struct {
	s    *Snapshot
	next int // number of the chunk to take
	left bool
	why  error // it was cancelled
	// taken are the chunks that the sink has and is not done with.
	taken []*Chunk
}

// ErrLate is what a sink hears that comes when others have had what it would begin with:
// it has to wait for the next snapshot.
var ErrLate = errors.New("the snapshot has been under way for too long: wait for the next one")

// errAlone ends a snapshot whose last sink has left.
var errAlone = errors.New("nobody wants the snapshot any more")

// NewSink adds a sink. A snapshot that nobody listens to yet waits for its first one
// when its queue is full.
func (s *Snapshot) NewSink() (*Sink, error) {
	q := &s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed && q.why != nil:
		return nil, q.why
	case q.first > 0:
		return nil, ErrLate
	}
	for _, c := range q.chunks {
		c.takers++
		c.users++
	}
	q.sinks++
	return &Sink{s: s}, nil
}

// bufferSize is that of the buffers that chunks are gathered in: what is handed on at
// chunkSize has at most one bucket more, which is mostly less than this.
const bufferSize = chunkSize + walkShare

func (q *queue) init(max int64) {
	q.max = max
	q.filled.L = &q.mu
}

func (q *queue) full() bool { return q.held.Load() >= q.max }

func (q *queue) add(c *Chunk) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed && q.why != nil {
		return
	}
	q.peak.Store(max(q.peak.Load(), q.held.Add(int64(len(c.Records)))))
	c.takers, c.users = q.sinks, q.sinks
	q.chunks = append(q.chunks, c)
	q.filled.Broadcast()
}

// close ends the queue: with nil when all is in it, else at once.
func (q *queue) close(why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.end(why)
}

func (q *queue) end(why error) {
	if q.closed {
		return
	}
	q.closed, q.why, q.spare = true, why, nil
	if why != nil {
		q.chunks = nil
	}
	q.filled.Broadcast()
}

// buffer is room for records: a large piece at once, since smaller ones that grow would
// be garbage, which takes a multiple of its memory until it is collected.
func (q *queue) buffer() []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.spare); n > 0 {
		b := q.spare[n-1]
		q.spare = q.spare[:n-1]
		return b
	}
	return make([]byte, 0, bufferSize)
}

// Next waits for the next chunk. It returns nil without an error after the last one,
// and why the snapshot was given up if it was.
func (k *Sink) Next() (*Chunk, error) {
	q := &k.s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for k.next == q.first+len(q.chunks) && !q.closed && k.why == nil {
		q.filled.Wait()
	}
	switch {
	case k.why != nil:
		return nil, k.why
	case q.why != nil || k.next == q.first+len(q.chunks):
		return nil, q.why
	}
	c := q.chunks[k.next-q.first]
	k.next++
	c.takers--
	k.taken = append(k.taken, c)
	q.drop()
	return c, nil
}

// drop forgets what all have taken.
func (q *queue) drop() {
	for len(q.chunks) > 0 && q.chunks[0].takers == 0 && q.sinks > 0 {
		q.chunks[0] = nil
		q.chunks = q.chunks[1:]
		q.first++
	}
}

// Done gives back a chunk that the sink needs no more.
func (k *Sink) Done(c *Chunk) {
	q := &k.s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	k.taken = slices.DeleteFunc(k.taken, func(t *Chunk) bool { return t == c })
	q.done(c)
}

func (q *queue) done(c *Chunk) {
	if c.users--; c.users > 0 {
		return
	}
	q.held.Add(-int64(len(c.Records)))
	if !q.closed && cap(c.Records) <= 2*bufferSize {
		q.spare = append(q.spare, c.Records[:0])
	}
}

// Cancel has Next say why instead of giving more. Anyone may call it; the other sinks go
// on.
func (k *Sink) Cancel(why error) {
	q := &k.s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	k.why = why
	q.filled.Broadcast()
}

// Leave ends a sink that wants no more, whatever its state: one whose disk is full, or
// that was too slow. The others go on; without any the snapshot is given up. What the
// sink has taken is given back: a record as large as the queue that nobody were done with
// would stop the walk, and the others with it, for good.
func (k *Sink) Leave() {
	q := &k.s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if k.left {
		return
	}
	k.left = true
	q.sinks--
	for _, c := range k.taken {
		q.done(c)
	}
	k.taken = nil
	for n := k.next - q.first; n < len(q.chunks); n++ {
		c := q.chunks[n]
		c.takers--
		q.done(c)
	}
	if q.sinks > 0 {
		q.drop()
	} else if len(q.chunks) > 0 || !q.closed {
		k.s.over.Store(true)
		q.end(errAlone)
	}
}
