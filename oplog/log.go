package oplog

import (
	"errors"
	"sync"
	"sync/atomic"

	"dozo/arena"
	"dozo/internal/invariants"
)

const (
	// NoDB as a database says that the command belongs to none (PING, MULTI),
	// so that no SELECT is needed before it; as an answer, that nobody knows
	// which database is in force until the next SELECT.
	NoDB = -1

	blockSizeMin     = 16 << 10
	blockSizeDefault = 64 << 10
	cacheLine        = 64
)

// What can be wrong with a position. Errors returned wrap one of these.
var (
	// ErrTrimmed: the position is older than what is kept.
	ErrTrimmed = errors.New("oplog: the position is older than the retained log: start again from a snapshot")
	// ErrFuture: the position has not been written.
	ErrFuture = errors.New("oplog: the position is beyond the end of the log: it is of another history, start again from a snapshot")
	// ErrInactive: there is no log to read.
	ErrInactive = errors.New("oplog: the log is not active: activate it before reading")
	// ErrReset: the log was ended or begun anew under the reader.
	ErrReset = errors.New("oplog: the log was reset under its reader: positions from before mean nothing now, start again from a snapshot")
	// ErrLagging: the reader was cut off for being further behind than allowed.
	ErrLagging = errors.New("oplog: the reader fell behind by more than it may: start again from a snapshot, or allow a larger lag")
	// ErrClosed: the reader was closed by its owner.
	ErrClosed = errors.New("oplog: the reader is closed: make a new one")
)

// Options of a Log.
type Options struct {
	// Retain is how many bytes are kept for readers to come: the backlog.
	Retain uint64
	// BlockSize is the largest piece that memory is taken in; 0 means 64 KiB.
	BlockSize int
	// DeferWake leaves it to the appender to call Wake, once for many appends
	// and after it has let its locks go. Without it each append wakes.
	DeferWake bool
}

// Log is the log of writes. All methods may be called by any goroutine.
type Log struct {
	// active is read by every write of every loop, so it has a cache line of
	// its own that appends do not touch.
	active atomic.Bool
	_      [cacheLine]byte

	// end is what is published: stored under mu, read by readers at will.
	end atomic.Uint64
	// armed counts the readers that want to be woken.
	armed atomic.Int64
	// leavesOut is true from the first part that is left out on.
	leavesOut atomic.Bool
	// readers is replaced, never changed, so that Wake needs no lock.
	readers atomic.Pointer[[]*Reader]
	_       [cacheLine]byte

	mu     sync.Mutex // protects what follows; a leaf: held under a shard's lock
	tail   *block     // nil when inactive
	next   uint64     // end of the bytes written; beyond end only within a unit
	db     int        // database in force at next, or NoDB
	blocks []*block   // oldest first; the last is tail
	retain uint64
	left   []leftOut // the oldest first

	arena        *arena.Arena
	heap         *arena.Heap
	spare        arena.Ref // memory of the block freed last, 0 = none
	spareSize    int
	held         int64 // bytes taken from the arena
	extra        atomic.Int64
	beyond       atomic.Int64
	blockSizeMax int
	deferWake    bool
	era          Era // of the gates, as of Activate

	gates gateSet // has its own mutex, never taken under mu
}

// New is an inactive log at offset 0 that takes its memory from a.
func New(a *arena.Arena, o Options) *Log {
	l := &Log{arena: a, heap: a.NewHeap(), retain: o.Retain, deferWake: o.DeferWake, db: NoDB}
	l.blockSizeMax = o.BlockSize
	if o.BlockSize <= 0 {
		l.blockSizeMax = blockSizeDefault
	}
	l.blockSizeMax = max(l.blockSizeMax, 2*markSize)
	l.readers.Store(new([]*Reader))
	l.gates.end = &l.end
	return l
}

// Close ends the log for good and gives all memory back. No reader may be
// between Peek and Advance any more.
func (l *Log) Close() {
	l.Deactivate()
	l.mu.Lock()
	l.heap.Close()
	l.mu.Unlock()
}

// Active tells whether appends are kept. A caller asks it before it goes to the
// length of encoding a command.
func (l *Log) Active() bool { return l.active.Load() }

// Offset is the end of the log: how many bytes its history has. It stays when
// the log is deactivated. It is always the end of a command.
func (l *Log) Offset() uint64 { return l.end.Load() }

// Activate begins the log at an offset; the next command brings its SELECT. An
// active log is ended first: its readers get ErrReset. The log's gates are set
// to the offset, in a new era: replies held for the former history must have
// been settled. No appends may be made meanwhile, and one goroutine activates.
func (l *Log) Activate(offset uint64) {
	l.Deactivate()
	l.gates.reset(offset)
	era := l.Era()
	l.mu.Lock()
	l.next, l.db, l.era = offset, NoDB, era
	l.end.Store(offset)
	l.openBlock()
	l.active.Store(true)
	l.mu.Unlock()
}

// Deactivate frees everything. Readers get ErrReset; appends are ignored.
func (l *Log) Deactivate() {
	l.mu.Lock()
	l.active.Store(false)
	l.clear()
	l.mu.Unlock()
}

// clear drops all readers and blocks. The tail is sealed so that a reader that
// loads a later end cannot run beyond the bytes that were written.
func (l *Log) clear() {
	if l.tail == nil {
		return
	}
	l.tail.limit.Store(l.next)
	for _, r := range *l.readers.Load() {
		l.cut(r, ErrReset)
	}
	for _, b := range l.blocks {
		l.retire(b)
	}
	l.blocks, l.tail, l.left = nil, nil, nil
	l.leavesOut.Store(false)
	l.dropSpare()
}

// Append adds one command, which must be whole and in RESP, and returns the
// offset after it: what a reply to it may have to wait for. A SELECT is put
// before it if db differs from the database in force. It keeps no reference to
// cmd. On an inactive log it does nothing and returns the offset as it stands.
func (l *Log) Append(db int, cmd []byte) (end uint64) {
	l.mu.Lock()
	l.write(db, cmd)
	return l.publish()
}

// AppendUnit adds several commands of one database with nothing in between.
func (l *Log) AppendUnit(db int, cmds ...[]byte) (end uint64) {
	l.mu.Lock()
	for _, c := range cmds {
		l.write(db, c)
	}
	return l.publish()
}

// AppendRaw adds bytes as they came from elsewhere: a master's stream to be
// passed on. They may hold SELECTs; db is the one in force after them. What of them could
// not be executed here is left out of files, in order (LeftOut).
func (l *Log) AppendRaw(p []byte, db int, leftOut ...Span) (end uint64) {
	l.mu.Lock()
	l.leave(leftOut)
	l.write(NoDB, p)
	if db != l.db {
		l.setDB(db)
	}
	return l.publish()
}

// ForgetDB makes the next command bring its SELECT along, whatever database is
// in force: for one who begins to read at Offset and was not told.
func (l *Log) ForgetDB() {
	l.mu.Lock()
	if l.db != NoDB {
		l.setDB(NoDB)
	}
	l.mu.Unlock()
}

// Unit is a row of commands being appended: MULTI to EXEC. It holds the log's
// mutex, so nobody else appends in between, and its owner must neither block
// nor call the log until End.
type Unit struct{ l *Log }

// Begin starts a unit. Readers see nothing of it before End.
func (l *Log) Begin() Unit {
	l.mu.Lock()
	return Unit{l}
}

// Write adds one whole command, as Append does.
func (u Unit) Write(db int, cmd []byte) { u.l.write(db, cmd) }

// End publishes the unit and returns the offset after it.
func (u Unit) End() (end uint64) { return u.l.publish() }

// write puts one command after l.next, under the mutex.
func (l *Log) write(db int, cmd []byte) {
	if l.tail == nil {
		return
	}
	if db != l.db && db != NoDB {
		l.selectDB(db)
	}
	l.put(cmd)
}

// put copies bytes to the log's end, into as many blocks as it takes.
func (l *Log) put(p []byte) {
	for {
		b := l.tail
		n := copy(b.data[b.used:len(b.data)-b.marks*markSize], p)
		b.used += n
		l.next += uint64(n)
		if n == len(p) {
			return
		}
		p = p[n:]
		l.openBlock()
	}
}

// publish makes what was written readable and lets the mutex go.
func (l *Log) publish() uint64 {
	end := l.end.Load()
	if l.tail != nil && end != l.next {
		end = l.next
		l.end.Store(end)
	}
	if invariants.Enabled {
		l.check()
	}
	l.mu.Unlock()
	if !l.deferWake && l.armed.Load() != 0 {
		l.Wake()
	}
	return end
}

// selectDB writes the SELECT that a command of another database needs.
func (l *Log) selectDB(db int) {
	var scratch [64]byte
	cmd := AppendHeader(scratch[:0], 2)
	cmd = AppendArgString(cmd, "SELECT")
	l.put(AppendArgInt(cmd, int64(db)))
	l.setDB(db)
}

// setDB notes that db is in force from l.next on.
func (l *Log) setDB(db int) {
	l.db = db
	if l.tail == nil {
		return
	}
	if l.tail.room() < markSize {
		l.openBlock() // which notes l.db at its start
		return
	}
	l.tail.mark(db)
}

// check is the invariants build's look at the latest blocks.
func (l *Log) check() {
	at := l.next
	for i := len(l.blocks) - 1; i >= max(0, len(l.blocks)-4); i-- {
		b := l.blocks[i]
		invariants.Check(b.start+uint64(b.used) == at, "oplog: block %d has bytes %d+%d, the next one starts at %d", i, b.start, b.used, at)
		invariants.Check(b.room() >= 0 && !b.freed, "oplog: block %d is overfull or freed: %d bytes, %d marks", i, b.used, b.marks)
		at = b.start
	}
	invariants.Check(l.tail == nil || l.tail.limit.Load() == open, "oplog: the tail is sealed")
	invariants.Check(l.next >= l.end.Load() || l.tail == nil, "oplog: end %d is beyond %d bytes written", l.end.Load(), l.next)
}
