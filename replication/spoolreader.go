package replication

import "io"

// SpoolReader is one replica's way through a spool: what comes before the body, the body,
// and what comes after it; an eventloop.Source. Its methods but Sent are for one goroutine
// at a time, do not wait for a disk, and return io.EOF when all was given.
type SpoolReader struct {
	s      *Spool
	notify func()

	// Under the spool's mutex.
	at             int // block
	off            int // in it
	look           *block
	holds          int // how many blocks from at on count it as a user
	before, after  []byte
	begun          bool // Begin was called
	asleep, closed bool
	err            error
	sent           uint64
}

// NewReader is a place at the beginning: nothing of what follows is let go. notify is
// called after Arm when there is something to read; by any goroutine and with locks held,
// so it must neither block nor call the spool.
func (s *Spool) NewReader(notify func()) (*SpoolReader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	if s.released {
		return nil, ErrReleased
	}
	r := &SpoolReader{s: s, notify: notify}
	s.readers[r] = true
	s.hold(r)
	return r, nil
}

// Begin says what to put before and behind the body. Without it nothing can be read.
func (r *SpoolReader) Begin(before, after string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.before, r.after, r.begun = []byte(before), []byte(after), true
	r.wake()
}

// Close leaves the spool.
func (r *SpoolReader) Close() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.err == nil {
		r.err = ErrSpoolClosed
	}
	r.s.leave(r)
}

// Peek is the next bytes, in place; they stay until Advance, which must follow if there are
// any. None are there if the writer, or the disk, has not come so far.
func (r *SpoolReader) Peek() ([]byte, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	b, err := r.peek()
	if len(b) > 0 && len(r.before) == 0 && r.at < len(r.s.blocks) {
		r.look = r.s.blocks[r.at]
		r.look.looks++
	}
	return b, err
}

func (r *SpoolReader) peek() ([]byte, error) {
	s := r.s
	switch {
	case r.err != nil:
		return nil, r.err
	case !r.begun:
		return nil, nil
	case len(r.before) > 0:
		return r.before, nil
	case r.at < len(s.blocks):
		b := s.blocks[r.at]
		if b.data == nil {
			s.want(b)
			return nil, b.err
		}
		if r.off < b.n || r.at+1 < len(s.blocks) || !s.whole {
			return b.data[r.off:b.n], nil
		}
	case !s.whole:
		return nil, nil
	}
	if len(r.after) == 0 {
		return nil, io.EOF
	}
	return r.after, nil
}

// Advance takes n of the bytes that Peek gave.
func (r *SpoolReader) Advance(n int) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.look != nil {
		r.look.looks--
		r.look = nil
	}
	if r.err != nil || n == 0 {
		return
	}
	r.sent += uint64(n)
	switch {
	case len(r.before) > 0:
		r.before = r.before[n:]
	case r.at < len(s.blocks) && r.off < s.blocks[r.at].n:
		if r.off += n; r.off == s.o.block {
			r.next()
		}
	default:
		r.after = r.after[n:]
	}
}

// next goes on to the following block.
func (r *SpoolReader) next() {
	s := r.s
	s.drop(r.at)
	r.at, r.off = r.at+1, 0
	r.holds--
	s.hold(r)
	s.trim()
	s.moved.Signal()
}

// hold counts a reader at its block and the next, as far as they are there, and has them
// loaded.
func (s *Spool) hold(r *SpoolReader) {
	for ; r.holds < 2 && r.at+r.holds < len(s.blocks); r.holds++ {
		b := s.blocks[r.at+r.holds]
		b.users++
		s.want(b)
	}
}

// drop takes a user from a block, and lets it go from memory if that is short.
func (s *Spool) drop(i int) {
	b := s.blocks[i]
	b.users--
	if b.users == 0 && b.data != nil && b.slot >= 0 && s.inMemory >= s.most {
		s.forget(b)
	}
}

// leave takes a reader out.
func (s *Spool) leave(r *SpoolReader) {
	if r.closed {
		return
	}
	r.closed = true
	for ; r.holds > 0; r.holds-- {
		s.drop(r.at + r.holds - 1)
	}
	delete(s.readers, r)
	r.wake()
	s.trim()
	s.moved.Signal()
	s.discard()
}

// Arm asks for a call of notify when there is something to read. It returns false, asking
// for nothing, if there is already.
func (r *SpoolReader) Arm() bool {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	b, err := r.peek()
	r.asleep = len(b) == 0 && err == nil
	return r.asleep
}

// wake calls notify, once for each Arm.
func (r *SpoolReader) wake() {
	if r.asleep {
		if b, err := r.peek(); len(b) == 0 && err == nil {
			return
		}
		r.asleep = false
		r.notify()
	}
}

// Sent is how much was taken, and whether there is more to be taken now. Any goroutine may
// ask.
func (r *SpoolReader) Sent() (n uint64, more bool) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	b, _ := r.peek()
	return r.sent, len(b) > 0
}

// position is how much of the body was taken.
func (r *SpoolReader) position() int64 { return int64(r.at)*int64(r.s.o.block) + int64(r.off) }
