package eventloop

import "slices"

const (
	// chunkSize is the least size of a chunk of pending output.
	chunkSize = 16 << 10
	// stealSize is the length from which a whole buffer is taken over as a chunk
	// instead of being copied.
	stealSize = 32 << 10
)

// outQueue holds the bytes of one connection that its socket did not take, in
// chunks: adding at the end and taking from the front never move what is between,
// so n pending bytes cost O(n) however slowly they leave.
//
// Invariants: size is the sum of the unsent parts of the chunks; no chunk but one
// that is being written by a goroutine is without unsent bytes.
type outQueue struct {
	chunks []chunk // chunks[head:] are in use
	head   int
	size   int
	memory int
}

// chunk is a buffer of which buf[off:] is unsent.
type chunk struct {
	buf []byte
	off int
}

// add copies p to the end.
func (q *outQueue) add(p []byte, spare *pool) {
	q.size += len(p)
	if last := len(q.chunks) - 1; last >= q.head {
		c := &q.chunks[last]
		room := min(cap(c.buf)-len(c.buf), len(p))
		c.buf = append(c.buf, p[:room]...)
		p = p[room:]
	}
	if len(p) > 0 {
		b := spare.get(max(len(p), chunkSize))
		q.push(append(b, p...), 0)
	}
}

// steal appends b[off:] without copying; b belongs to the queue from then on.
func (q *outQueue) steal(b []byte, off int) {
	q.size += len(b) - off
	q.push(b, off)
}

// unshift puts b in front of all others; b belongs to the queue from then on.
func (q *outQueue) unshift(b []byte) {
	q.size += len(b)
	q.memory += cap(b)
	if q.head == 0 {
		q.chunks = slices.Insert(q.chunks, 0, chunk{buf: b})
		return
	}
	q.head--
	q.chunks[q.head] = chunk{buf: b}
}

func (q *outQueue) push(b []byte, off int) {
	if q.head > 32 && q.head > len(q.chunks)/2 {
		n := copy(q.chunks, q.chunks[q.head:])
		clear(q.chunks[n:])
		q.chunks, q.head = q.chunks[:n], 0
	}
	q.chunks = append(q.chunks, chunk{b, off})
	q.memory += cap(b)
}

// advance drops n bytes from the front and gives finished chunks back.
func (q *outQueue) advance(n int, spare *pool) {
	q.size -= n
	for n > 0 {
		c := &q.chunks[q.head]
		left := len(c.buf) - c.off
		if n < left {
			c.off += n
			return
		}
		n -= left
		q.memory -= cap(c.buf)
		spare.put(c.buf)
		*c = chunk{}
		q.head++
	}
	if q.size == 0 {
		q.reset()
	}
}

// reset forgets the chunks, which are all finished, but keeps a small list.
func (q *outQueue) reset() {
	q.head = 0
	if cap(q.chunks) > 64 {
		q.chunks = nil
		return
	}
	q.chunks = q.chunks[:0]
}

// drop forgets everything.
func (q *outQueue) drop(spare *pool) {
	for i := q.head; i < len(q.chunks); i++ {
		spare.put(q.chunks[i].buf)
	}
	*q = outQueue{}
}

// only is the first chunk's unsent part, if there is no other.
func (q *outQueue) only() (part []byte, ok bool) {
	if len(q.chunks) != q.head+1 {
		return nil, false
	}
	c := &q.chunks[q.head]
	return c.buf[c.off:], true
}

// view appends to list the unsent parts of the first chunks: at most limit bytes
// and at most len(list's capacity) parts.
func (q *outQueue) view(list [][]byte, limit int) [][]byte {
	for i := q.head; i < len(q.chunks) && limit > 0 && len(list) < cap(list); i++ {
		part := q.chunks[i].buf[q.chunks[i].off:]
		if len(part) > limit {
			part = part[:limit]
		}
		limit -= len(part)
		list = append(list, part)
	}
	return list
}
