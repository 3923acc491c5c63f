package oplog

import "slices"

// Quorum is a gate that passes what at least need members hold: replicas in
// sync, or voters of safe mode (where two quorums in one All make the joint
// requirement of a change of voters).
//
// A member is counted from its first Ack to its Drop. Dropping one, or raising
// the need, can only delay what the gate has not passed.
type Quorum struct {
	*Gate
	need  int
	acked map[uint64]uint64 // offset by member
	sort  []uint64          // scratch
}

// Quorum makes a quorum gate, passed up to the present end of the log.
func (l *Log) Quorum(name string, need int) *Quorum {
	g := l.Gate(name)
	q := &Quorum{Gate: g, need: max(need, 1), acked: map[uint64]uint64{}}
	g.set.mu.Lock()
	g.quorum = q
	g.set.mu.Unlock()
	return q
}

// Ack says that a member holds everything up to offset, in the era in which the
// caller learnt it. A smaller offset than before is believed: the member began
// again.
func (q *Quorum) Ack(era Era, member, offset uint64) {
	q.set.mu.Lock()
	defer q.set.mu.Unlock()
	if era != q.set.era {
		return
	}
	q.acked[member] = offset
	q.count()
}

// Drop takes a member out.
func (q *Quorum) Drop(member uint64) {
	q.set.mu.Lock()
	defer q.set.mu.Unlock()
	delete(q.acked, member)
}

// SetNeed changes how many members must hold an offset; at least one.
func (q *Quorum) SetNeed(need int) {
	q.set.mu.Lock()
	defer q.set.mu.Unlock()
	q.need = max(need, 1)
	q.count()
}

// Holding is how many members hold everything up to offset at this moment: what
// WAIT answers. It may fall when a member is dropped; the gate does not.
func (q *Quorum) Holding(offset uint64) int {
	q.set.mu.Lock()
	defer q.set.mu.Unlock()
	n := 0
	for _, o := range q.acked {
		if o >= offset {
			n++
		}
	}
	return n
}

// count raises the gate to the need-th largest offset.
func (q *Quorum) count() {
	if len(q.acked) < q.need {
		return
	}
	q.sort = q.sort[:0]
	for _, o := range q.acked {
		q.sort = append(q.sort, o)
	}
	slices.Sort(q.sort)
	q.raise(q.sort[len(q.sort)-q.need])
}
