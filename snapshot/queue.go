package snapshot

import (
	"sync"
	"sync/atomic"
)

// Chunk is some records of one database.
type Chunk struct {
	DB      int
	Keys    int // records that end in it
	Records []byte
}

// queue is what waits to be written.
type queue struct {
	max  int64
	held atomic.Int64 // bytes

	mu     sync.Mutex
	filled sync.Cond
	chunks []*Chunk
	spare  [][]byte
	closed bool
	why    error
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
	q.held.Add(int64(len(c.Records)))
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed && q.why != nil {
		return
	}
	q.chunks = append(q.chunks, c)
	q.filled.Signal()
}

// close ends the queue: with nil when all is in it, else at once.
func (q *queue) close(why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
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
func (s *Snapshot) Next() (*Chunk, error) {
	q := &s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.chunks) == 0 && !q.closed {
		q.filled.Wait()
	}
	if len(q.chunks) == 0 {
		return nil, q.why
	}
	c := q.chunks[0]
	q.chunks[0] = nil
	q.chunks = q.chunks[1:]
	return c, nil
}

// Recycle gives back a chunk that has been written.
func (s *Snapshot) Recycle(c *Chunk) {
	q := &s.queue
	q.held.Add(-int64(len(c.Records)))
	if cap(c.Records) > 2*bufferSize {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.spare = append(q.spare, c.Records[:0])
	}
}
