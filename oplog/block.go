package oplog

import (
	"encoding/binary"
	"math"
	"sync/atomic"

	"dozo/arena"
)

const (
	// markSize is the size of one change of database in a block's tail:
	// 4 bytes where (from the block's start), 4 bytes which.
	markSize = 8
	open     = math.MaxUint64 // limit of a block that is still written
)

// block is one piece of the log. Everything but limit and the bytes below the
// published end is under the log's mutex.
type block struct {
	start uint64
	// limit is the end of the block's bytes once another block follows, and
	// open before. It is set before an end beyond it is published, so a reader
	// that has loaded the end first sees it.
	limit atomic.Uint64
	ref   arena.Ref
	data  []byte // all of the block's memory: bytes upwards, marks downwards
	used  int    // bytes
	marks int    // changes of database
	db    int    // in force at start
	pins  int    // cut readers that are still looking at data
	freed bool   // the log is done with it; the last pin frees the memory
}

// room is how many more bytes fit.
func (b *block) room() int { return len(b.data) - b.marks*markSize - b.used }

// mark notes that db is in force from the present end on. The caller has made
// sure of markSize bytes of room.
func (b *block) mark(db int) {
	b.marks++
	m := b.data[len(b.data)-b.marks*markSize:]
	binary.LittleEndian.PutUint32(m, uint32(b.used))
	binary.LittleEndian.PutUint32(m[4:], uint32(int32(db)))
}

// dbAt is the database in force at an offset within the block.
func (b *block) dbAt(offset uint64) int {
	db := b.db
	for i := 1; i <= b.marks; i++ {
		m := b.data[len(b.data)-i*markSize:]
		if b.start+uint64(binary.LittleEndian.Uint32(m)) > offset {
			break
		}
		db = int(int32(binary.LittleEndian.Uint32(m[4:])))
	}
	return db
}

// openBlock begins a new block at l.next and makes it the tail. Trimming first
// lets a full backlog run on the same few pieces of memory for ever.
func (l *Log) openBlock() {
	if l.tail != nil {
		l.tail.limit.Store(l.next)
		l.trim()
	}
	b := &block{start: l.next, db: l.db}
	b.limit.Store(open)
	b.ref, b.data = l.takeMemory(l.blockSize())
	l.blocks = append(l.blocks, b)
	l.tail = b
}

// blockSize follows the retained size, so that a small backlog is not rounded
// up to a multiple of itself.
func (l *Log) blockSize() int {
	return int(min(max(l.retain/16, blockSizeMin), uint64(l.blockSizeMax)))
}

// takeMemory gives a block's memory, the spare piece if it has the size.
func (l *Log) takeMemory(n int) (arena.Ref, []byte) {
	if l.spare != 0 && l.spareSize == n {
		ref := l.spare
		l.spare = 0
		return ref, l.arena.Bytes(ref, n)
	}
	l.dropSpare()
	ref := l.heap.Alloc(arena.PurposeLog, n)
	l.hold(n)
	return ref, l.arena.Bytes(ref, n)
}

// giveMemory takes a block's memory back, the latest piece as the spare one.
func (l *Log) giveMemory(b *block) {
	l.dropSpare()
	l.spare, l.spareSize = b.ref, len(b.data)
	b.data = nil
}

func (l *Log) dropSpare() {
	if l.spare == 0 {
		return
	}
	l.heap.Free(arena.PurposeLog, l.spare, l.spareSize)
	l.hold(-l.spareSize)
	l.spare = 0
}

// hold counts memory that was taken, or given back if n is negative.
func (l *Log) hold(n int) {
	l.held += int64(n)
	l.setExtra()
}

func (l *Log) setExtra() {
	const around = 2 // the tail, and the spare piece
	beyond := max(0, l.held-int64(l.retain))
	l.beyond.Store(beyond)
	l.extra.Store(max(0, beyond-int64(around*l.blockSize())))
}

// retire gives a block up. A reader that was cut while it looked at the bytes
// keeps them until it is done.
func (l *Log) retire(b *block) {
	b.freed = true
	if b.pins == 0 {
		l.giveMemory(b)
	}
}

// unpin is the end of one cut reader's look.
func (l *Log) unpin(b *block) {
	b.pins--
	if b.pins > 0 || !b.freed || b.data == nil {
		return // in use; or the reader stood at its end, and it went long ago
	}
	l.giveMemory(b)
	if l.tail == nil {
		l.dropSpare()
	}
}

// find is the block that holds the byte at offset, or the tail when the offset
// is the end. The offset must be retained.
func (l *Log) find(offset uint64) *block {
	lo, hi := 0, len(l.blocks)-1
	for lo < hi {
		mid := (lo + hi + 1) / 2
		if l.blocks[mid].start <= offset {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return l.blocks[lo]
}
