package oplog

// SetRetain sets how many bytes are kept for readers to come. At least so many
// are kept once they were written, rounded up to whole blocks.
func (l *Log) SetRetain(bytes uint64) {
	l.mu.Lock()
	l.retain = bytes
	l.trim()
	l.setExtra()
	l.mu.Unlock()
}

// trim frees the blocks that lie before the retained part and before every
// reader. A reader further behind than it may be is cut off instead.
func (l *Log) trim() {
	floor := l.next - min(l.next, l.retain)
	for _, r := range *l.readers.Load() {
		pos := r.pos.Load()
		if lag := r.lagMax.Load(); lag != 0 && l.next-pos > lag {
			l.cut(r, ErrLagging)
			continue
		}
		floor = min(floor, pos)
	}
	for len(l.blocks) > 1 && l.blocks[0].limit.Load() <= floor {
		l.retire(l.blocks[0])
		l.blocks[0] = nil
		l.blocks = l.blocks[1:]
	}
}

// Extra is how many bytes of the arena are in use for the sake of readers that are
// behind, beyond what is retained anyway: of a disk that is slow to sync, or of a replica
// that is slow to read.
func (l *Log) Extra() int64 { return l.extra.Load() }

// Beyond is how many bytes of the arena are in use in all, beyond what is retained: those
// of Extra, and the block that is written and the next one. Like the buffers of Redis' file
// and replicas they must not count against maxmemory: what is evicted is logged, so that the
// log would only grow. What counts is as much as is retained, and never more.
func (l *Log) Beyond() int64 { return l.beyond.Load() }

// First is the oldest offset that a reader may start at.
func (l *Log) First() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first()
}

func (l *Log) first() uint64 {
	if l.tail == nil {
		return l.end.Load()
	}
	return l.blocks[0].start
}

// DBAt is the database in force at a retained offset, NoDB if none was selected
// yet or nobody knows.
func (l *Log) DBAt(offset uint64) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.retained(offset); err != nil {
		return NoDB, err
	}
	return l.find(offset).dbAt(offset), nil
}

// Stats is what INFO and MEMORY STATS show.
type Stats struct {
	First, End uint64 // what is readable
	Retain     uint64 // what SetRetain asked for
	Memory     int64  // bytes taken from the arena
	Blocks     int
	Readers    int
	LagMax     uint64 // of the reader furthest behind
}

// Stats tells the log's size and readers.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	readers := *l.readers.Load()
	s := Stats{
		First: l.first(), End: l.end.Load(), Retain: l.retain,
		Memory: l.held, Blocks: len(l.blocks), Readers: len(readers),
	}
	for _, r := range readers {
		s.LagMax = max(s.LagMax, s.End-r.pos.Load())
	}
	return s
}
