package replication

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"dozo/env"
)

// The body of a full resync, written once and read by many.
//
// A snapshot is written while its data changes, and what it is slow to write down costs
// memory; so it must not wait for the slowest replica. A spool takes it: in memory up to a
// bound, then in a file. Readers come at any time until Release and begin at the beginning.
//
// The body is blocks of one size. A block that somebody reads stays in memory; of the
// others the oldest goes to the file when the bound is reached, and comes back for whoever
// gets there, one block before he needs it. Blocks that all have read go when nobody else
// can come. All waiting for the disk is done by the writer's goroutine and one that loads;
// readers, which are event loops, only ever look at memory.
//
// If there is no file, or it is full or fails, the writer waits for the readers, but not
// for the slowest alone: if another waits for the writer, the slowest is cut off, which is
// a whole bound behind then. Nobody can join any more from that moment on, since the
// beginning is let go.
//
// Invariants: blocks[i] is the bytes from i times the size on; base is the first that is
// kept. A block has its bytes in memory (data), in the file (slot >= 0), or in both; only
// the writer writes to the file. users counts the readers that are at a block, or before it.
//
// LIMITATIONS: a reader keeps up to two blocks in memory beyond the bound. The memory is
// Go's: it is a few large blocks that live as long as a snapshot.

const (
	spoolBlock  = 256 << 10
	spoolSpares = 4 // blocks that are kept for the next use
)

// What a reader of a spool can meet.
var (
	// ErrReleased: the beginning is not kept any more.
	ErrReleased = errors.New("replication: the beginning of the snapshot is not kept any more: wait for the next one")
	// ErrSlow: the reader was cut off so that the others need not wait for it.
	ErrSlow = errors.New("replication: the replica read the snapshot so slowly that all its room, in memory and in the file, was taken: give it another try, or the spool more room")
	// ErrNoRoom: a reader that needs all of it at once cannot have it.
	ErrNoRoom = errors.New("replication: the snapshot is larger than the room for it, in memory and in the file, and this replica can only take it when it is whole: give the spool more room")
	// ErrSpoolClosed: what was being written or read was given up.
	ErrSpoolClosed = errors.New("replication: the snapshot was given up")
)

// SpoolOptions say what a spool may take.
type SpoolOptions struct {
	Memory int64 // bytes; at least a few blocks
	Disk   int64 // bytes of the file; 0 = no file
	FS     env.FS
	Path   string // of the file, which is made when it is needed, and not to be seen
	block  int    // tests have smaller ones
}

// Spool is the body of one full resync. Write, Finish and Fail are for one goroutine.
type Spool struct {
	o    SpoolOptions
	most int // blocks in memory

	mu       sync.Mutex
	moved    sync.Cond // something changed for the writer
	blocks   []*block
	base     int // blocks before it are gone
	inMemory int
	size     int64
	whole    bool
	err      error // of the snapshot: all end with it
	released bool
	readers  map[*SpoolReader]bool
	spares   [][]byte
	wanted   []*block // to be loaded
	loading  bool

	file   env.File
	named  bool // the file has a name still
	noFile error
	slots  int64   // of the file, used or free
	freed  []int64 // those that are free
	spills *block  // being written to the file
}

// block is a part of the body.
type block struct {
	data  []byte // nil = only in the file
	n     int
	slot  int64 // in the file; -1 = none
	users int
	looks int   // readers between Peek and Advance: its memory is not used again
	err   error // it cannot be loaded
}

// NewSpool is an empty one.
func NewSpool(o SpoolOptions) *Spool {
	if o.block == 0 {
		o.block = spoolBlock
	}
	s := &Spool{o: o, most: max(int(o.Memory/int64(o.block)), 2), readers: map[*SpoolReader]bool{}}
	s.moved.L = &s.mu
	return s
}

// Write adds to the body. It waits as long as there is no room.
func (s *Spool) Write(p []byte) (n int, err error) {
	for n < len(p) {
		s.mu.Lock()
		b, err := s.tail()
		s.mu.Unlock()
		if err != nil {
			return n, err
		}
		k := copy(b.data[b.n:], p[n:]) // beyond what readers see, who need not wait for it
		s.mu.Lock()
		b.n += k
		s.size += int64(k)
		s.wakeAll()
		s.mu.Unlock()
		n += k
	}
	return n, nil
}

// tail is the block that has room at its end.
func (s *Spool) tail() (*block, error) {
	if s.err != nil {
		return nil, s.err
	}
	if n := len(s.blocks); n > s.base && s.blocks[n-1].n < s.o.block {
		return s.blocks[n-1], nil
	}
	if err := s.makeRoom(); err != nil {
		return nil, err
	}
	b := &block{data: s.take(), slot: -1}
	s.blocks = append(s.blocks, b)
	for r := range s.readers { // those who wait for it
		s.hold(r)
	}
	return b, nil
}

// take is memory for a block.
func (s *Spool) take() []byte {
	s.inMemory++
	if n := len(s.spares); n > 0 {
		data := s.spares[n-1]
		s.spares = s.spares[:n-1]
		return data
	}
	return make([]byte, s.o.block)
}

// forget takes a block out of memory.
func (s *Spool) forget(b *block) {
	if len(s.spares) < spoolSpares && b.looks == 0 {
		s.spares = append(s.spares, b.data)
	}
	b.data = nil
	s.inMemory--
}

// makeRoom waits until there is memory for another block.
func (s *Spool) makeRoom() error {
	for {
		s.trim()
		if s.err != nil || s.inMemory < s.most {
			return s.err
		}
		idle := s.oldestIdle()
		switch {
		case idle == nil:
			return nil // all is being read: that much is allowed
		case idle.slot >= 0:
			s.forget(idle)
		case s.spill(idle):
		case !s.released:
			s.released = true
		case s.cutSlowest():
		default:
			s.moved.Wait()
		}
	}
}

// oldestIdle is the oldest block in memory that nobody is reading.
func (s *Spool) oldestIdle() *block {
	for _, b := range s.blocks[s.base:] {
		if b.data != nil && b.users == 0 {
			return b
		}
	}
	return nil
}

// trim lets go of what nobody can need.
func (s *Spool) trim() {
	if !s.released {
		return
	}
	least := len(s.blocks)
	if !s.whole && least > s.base && s.blocks[least-1].n < s.o.block {
		least-- // it is being written
	}
	for r := range s.readers {
		least = min(least, r.at)
	}
	for ; s.base < least && s.blocks[s.base] != s.spills; s.base++ {
		b := s.blocks[s.base]
		if b.data != nil {
			s.forget(b)
		}
		if b.slot >= 0 {
			s.freed = append(s.freed, b.slot)
		}
		s.blocks[s.base] = nil
	}
}

// cutSlowest ends the reader that is behind, if another waits for the writer.
func (s *Spool) cutSlowest() bool {
	var slowest *SpoolReader
	starved := false
	for r := range s.readers {
		starved = starved || r.position() == s.size
		if slowest == nil || r.position() < slowest.position() {
			slowest = r
		}
	}
	switch {
	case slowest == nil:
		return false
	case !slowest.begun: // it waits for the end
		slowest.err = s.because(ErrNoRoom)
	case starved && slowest.position() < s.size:
		slowest.err = s.because(ErrSlow)
	default:
		return false
	}
	s.leave(slowest)
	return true
}

// because adds to a reason why there was no more room, if that is a failure.
func (s *Spool) because(err error) error {
	if s.noFile == nil {
		return err
	}
	return fmt.Errorf("%w (%w)", err, s.noFile)
}

// Finish says that the body is whole.
func (s *Spool) Finish() {
	s.mu.Lock()
	s.whole = true
	s.wakeAll()
	s.trim()
	s.discard()
	s.mu.Unlock()
}

// Fail ends the spool for all: what was written so far is no snapshot. It may be called by
// any goroutine, and again.
func (s *Spool) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = err
	for r := range s.readers {
		if r.err == nil {
			r.err = err
		}
		s.leave(r)
	}
	s.moved.Broadcast()
	s.discard()
}

// Size is how much has been written.
func (s *Spool) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// Behind tells whether all readers have much to read: half of what memory may hold. Then
// it is not the writer whom they wait for.
func (s *Spool) Behind() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	far := int64(s.most) * int64(s.o.block) / 2
	for r := range s.readers {
		if s.size-r.position() < far {
			return false
		}
	}
	return s.size >= far
}

// Release says that nobody else will come. The spool is empty when its readers are done.
func (s *Spool) Release() {
	s.mu.Lock()
	s.released = true
	s.trim()
	s.moved.Broadcast()
	s.discard()
	s.mu.Unlock()
}

// discard gives all back when nothing will be read or written any more.
func (s *Spool) discard() {
	done := s.err != nil || (s.released && s.whole)
	if !done || len(s.readers) > 0 || s.spills != nil || s.loading {
		return
	}
	s.blocks, s.base, s.inMemory, s.spares, s.wanted = nil, 0, 0, nil, nil
	if s.err == nil {
		s.err = ErrSpoolClosed
	}
	if s.file != nil {
		go closeFile(s.o, s.file, s.named) // a disk that hangs holds nobody else
		s.file = nil
	}
	s.noFile = s.err
}

func closeFile(o SpoolOptions, f env.File, named bool) {
	f.Close() // what it held is of no use to anybody
	if named {
		o.FS.Remove(o.Path)
	}
}

// wakeAll tells the readers that sleep to look again.
func (s *Spool) wakeAll() {
	for r := range s.readers {
		r.wake()
	}
}

// spill writes a block to the file, without the lock. It says whether it could.
func (s *Spool) spill(b *block) bool {
	slot, ok := s.slot()
	if !ok {
		return false
	}
	s.spills = b
	s.mu.Unlock()
	err := s.store(b.data, slot)
	s.mu.Lock()
	s.spills = nil
	if err != nil {
		s.noFile = fmt.Errorf("replication: cannot write the snapshot for replicas to %s, only memory is used from here on: %w", s.o.Path, err)
	} else {
		b.slot = slot
	}
	s.discard() // if all was given up meanwhile
	return s.err != nil || err == nil
}

// slot is a place in the file.
func (s *Spool) slot() (int64, bool) {
	if s.noFile != nil {
		return 0, false
	}
	if n := len(s.freed); n > 0 {
		slot := s.freed[n-1]
		s.freed = s.freed[:n-1]
		return slot, true
	}
	if (s.slots+1)*int64(s.o.block) > s.o.Disk {
		return 0, false
	}
	s.slots++
	return s.slots - 1, true
}

// store is the writer's part of spill.
func (s *Spool) store(data []byte, slot int64) error {
	if s.file == nil {
		f, err := s.o.FS.OpenFile(s.o.Path, env.Scratch, 0o600)
		if err != nil {
			return err
		}
		named := s.o.FS.Remove(s.o.Path) != nil // a process that is killed leaves nothing
		s.mu.Lock()
		s.file, s.named = f, named
		s.mu.Unlock()
	}
	if _, err := s.file.Seek(slot*int64(s.o.block), io.SeekStart); err != nil {
		return err
	}
	_, err := s.file.Write(data)
	return err
}

// FileError is why the file could not be used any more, if so.
func (s *Spool) FileError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.noFile
}

// want has a block loaded.
func (s *Spool) want(b *block) {
	if b.data != nil || b.err != nil || b.slot < 0 {
		return
	}
	for _, w := range s.wanted {
		if w == b {
			return
		}
	}
	s.wanted = append(s.wanted, b)
	if !s.loading {
		s.loading = true
		go s.load()
	}
}

// load brings back what is wanted, until nothing is.
func (s *Spool) load() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.wanted) > 0 && s.err == nil {
		b, data, file := s.wanted[0], s.take(), s.file
		s.mu.Unlock()
		_, err := file.ReadAt(data, b.slot*int64(s.o.block))
		s.mu.Lock()
		s.wanted = s.wanted[1:]
		s.loaded(b, data, err)
		s.wakeAll()
	}
	s.loading = false
	s.discard()
}

// loaded takes what was read.
func (s *Spool) loaded(b *block, data []byte, err error) {
	if err != nil {
		b.err = fmt.Errorf("replication: cannot read the snapshot for replicas back from %s: %w", s.o.Path, err)
	}
	if b.data = data; err != nil || b.users == 0 {
		s.forget(b)
	}
}
