package oplog

import (
	"fmt"
	"sync/atomic"

	"dozo/internal/invariants"
)

// The states of a reader. A reader's owner goes from idle to looking and back
// without a lock; the log, under its mutex, turns idle to cut and looking to
// doomed. Who finds the other's mark acts on it, so a reader is cut at once and
// its bytes are never taken away from under its eyes.
const (
	idle    = iota
	looking // between Peek and Advance: the bytes at pos are in use
	doomed  // cut while looking: the block is pinned until Advance
	cut     // no more; err says why
)

// Reader is a position in the log. The log keeps what lies behind it, so a
// reader that is not read must be closed, or be given a lag that it may have.
// Its methods are for one goroutine at a time, except Pos and Lag.
type Reader struct {
	log    *Log
	pos    atomic.Uint64
	state  atomic.Int32
	armed  atomic.Bool
	lagMax atomic.Uint64
	notify func()

	block *block // changed by the owner under the log's mutex
	db    int
	era   Era
	err   error // set before state becomes cut or doomed
}

// NewReader is a reader that starts at a retained offset. notify may be nil; it
// is called after Arm when there are bytes to read or the reader is cut, by any
// goroutine and with locks held: it may post or signal, and must neither block
// nor call the log.
func (l *Log) NewReader(from uint64, notify func()) (*Reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.retained(from); err != nil {
		return nil, err
	}
	return l.attach(from, notify), nil
}

// NewTailReader is a reader that starts at the present end, wherever it is.
func (l *Log) NewTailReader(notify func()) (*Reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tail == nil {
		return nil, ErrInactive
	}
	return l.attach(l.end.Load(), notify), nil
}

// retained tells what is wrong with an offset, if anything.
func (l *Log) retained(offset uint64) error {
	if l.tail == nil {
		return ErrInactive
	}
	first, end := l.first(), l.end.Load()
	if offset < first {
		return fmt.Errorf("%w (asked for %d, kept from %d to %d)", ErrTrimmed, offset, first, end)
	}
	if offset > end {
		return fmt.Errorf("%w (asked for %d, kept from %d to %d)", ErrFuture, offset, first, end)
	}
	return nil
}

func (l *Log) attach(from uint64, notify func()) *Reader {
	b := l.find(from)
	r := &Reader{log: l, notify: notify, block: b, db: b.dbAt(from), era: l.era}
	r.pos.Store(from)
	old := *l.readers.Load()
	list := append(old[:len(old):len(old)], r)
	l.readers.Store(&list)
	return r
}

// detach takes a reader off the list.
func (l *Log) detach(r *Reader) {
	list := without(*l.readers.Load(), r)
	l.readers.Store(&list)
}

// cut ends a reader from the log's side, under the mutex.
func (l *Log) cut(r *Reader, err error) {
	r.err = err
	for !r.state.CompareAndSwap(idle, cut) {
		if r.state.CompareAndSwap(looking, doomed) {
			r.block.pins++
			break
		}
	}
	l.detach(r)
	r.wake()
}

// Cut ends the reader with an error, which Peek tells. It may be called by any goroutine: of
// what is appended from then on the reader's owner gets nothing.
func (r *Reader) Cut(err error) {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if !r.IsCut() {
		l.cut(r, err)
		if l.tail != nil {
			l.trim()
		}
	}
}

// DB is the database in force where the reader started.
func (r *Reader) DB() int { return r.db }

// Era is the history that the reader reads: what to advance a gate with.
func (r *Reader) Era() Era { return r.era }

// IsCut tells whether the log has ended the reader: Peek says why. It may be called by any
// goroutine.
func (r *Reader) IsCut() bool { return r.state.Load() >= doomed }

// Pos is the offset of the next byte to read.
func (r *Reader) Pos() uint64 { return r.pos.Load() }

// Lag is how many bytes the reader is behind the log's end.
func (r *Reader) Lag() uint64 {
	pos, end := r.pos.Load(), r.log.end.Load()
	return end - min(pos, end) // a cut reader may stand beyond a new history's end
}

// SetLagMax bounds how far the reader may fall behind before it is cut off with
// ErrLagging and its bytes are let go; 0 means no bound. The bound is looked at
// whenever a block has been filled.
func (r *Reader) SetLagMax(bytes uint64) { r.lagMax.Store(bytes) }

// Peek is the next bytes, in place: as many as lie in one piece, none if the
// reader is at the end. If it returns any, they are valid until Advance, which
// must follow.
func (r *Reader) Peek() ([]byte, error) {
	if !r.state.CompareAndSwap(idle, looking) {
		return nil, r.fault()
	}
	pos := r.pos.Load()
	for {
		b := r.block
		end := r.log.end.Load() // before limit: see block.limit
		limit := b.limit.Load()
		if upto := min(end, limit); upto > pos {
			return b.data[pos-b.start : upto-b.start], nil
		}
		if pos < limit {
			return nil, r.release()
		}
		if err := r.step(); err != nil {
			return nil, err
		}
	}
}

// step goes on to the block that follows, and lets the log free what is behind.
func (r *Reader) step() error {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.state.Load() == doomed {
		l.unpin(r.block)
		r.state.Store(cut)
		return r.fault()
	}
	r.block = l.find(r.pos.Load())
	l.trim()
	return nil
}

// Advance ends the look that Peek began, with n of its bytes taken.
func (r *Reader) Advance(n int) {
	pos := r.pos.Load() + uint64(n)
	if invariants.Enabled {
		invariants.Check(n >= 0 && r.state.Load() != idle, "oplog: Advance(%d) without Peek at %d", n, pos)
		invariants.Check(pos <= r.block.limit.Load(), "oplog: Advance(%d) to %d, beyond the block's %d", n, pos, r.block.limit.Load())
	}
	r.pos.Store(pos)
	r.release() // the next Peek tells the error
}

// release goes back to idle, or to cut if the log says so.
func (r *Reader) release() error {
	if r.state.CompareAndSwap(looking, idle) {
		return nil
	}
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.state.CompareAndSwap(doomed, cut) {
		l.unpin(r.block)
	}
	return r.fault()
}

// fault is why the reader cannot be read, with its position.
func (r *Reader) fault() error {
	switch s := r.state.Load(); s {
	case cut:
		return fmt.Errorf("%w (the reader was at %d)", r.err, r.pos.Load())
	default:
		return fmt.Errorf("oplog: Peek before Advance, at %d: end one look before the next", r.pos.Load())
	}
}

// Read copies the next bytes into p. It does not wait: at the end of the log it
// returns 0 without an error.
func (r *Reader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		b, err := r.Peek()
		if err != nil {
			return n, err
		}
		if len(b) == 0 {
			return n, nil
		}
		m := copy(p[n:], b)
		r.Advance(m)
		n += m
	}
	return n, nil
}

// Close gives the reader up; what only it kept is freed. To close twice does no
// harm.
func (r *Reader) Close() {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	switch r.state.Load() {
	case cut:
		return
	case doomed:
		l.unpin(r.block)
	default:
		l.detach(r)
	}
	r.err = ErrClosed
	r.state.Store(cut)
	r.disarm()
	if l.tail != nil {
		l.trim()
	}
}

// Arm asks for one call of notify when there is something to read. It returns
// false, and asks for nothing, if there is something already: read again.
// Calls coalesce: however much is appended, notify comes once for each Arm.
func (r *Reader) Arm() bool {
	if r.armed.CompareAndSwap(false, true) {
		r.log.armed.Add(1)
	}
	// An append stores the end and then looks for armed readers; this arms and
	// then looks at the end. Whichever comes first, one sees the other.
	if r.state.Load() == idle && r.log.end.Load() == r.pos.Load() {
		return true
	}
	return !r.disarm()
}

// disarm takes the request back; false if notify has been or is being called.
func (r *Reader) disarm() bool {
	if !r.armed.CompareAndSwap(true, false) {
		return false
	}
	r.log.armed.Add(-1)
	return true
}

func (r *Reader) wake() {
	if r.disarm() && r.notify != nil {
		r.notify()
	}
}

// Wake notifies the armed readers that have something to read. Appends do it
// by themselves unless Options.DeferWake is set; then the appender calls it once
// for a batch, after its locks are released. With nobody armed it is one load.
func (l *Log) Wake() {
	if l.armed.Load() == 0 {
		return
	}
	end := l.end.Load()
	for _, r := range *l.readers.Load() {
		if r.pos.Load() != end {
			r.wake()
		}
	}
}

// Signal is a wake-up for a reader that has a goroutine: pass Notify to
// NewReader and receive from the channel after Arm. Wake-ups coalesce.
type Signal chan struct{}

// NewSignal is a signal not given.
func NewSignal() Signal { return make(Signal, 1) }

// Notify gives the signal if it is not given already.
func (s Signal) Notify() {
	select {
	case s <- struct{}{}:
	default:
	}
}
