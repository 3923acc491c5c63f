package replication

import (
	"strconv"
	"time"
)

// Snapshots that are shared.
//
// All replicas that need one get the same: at most one is being made at a time. It begins
// as Redis' does, when the first of them has waited for repl-diskless-sync-delay or enough
// have come. Whoever comes later joins it: its body is read from the beginning, and the log
// is kept from its offset on as long as anybody needs it. That ends when it is whole and
// the window is over, which is as long as it took to be made, up to a bound: another one
// of little data costs less than what latecomers would have to catch up with; or when the log behind its offset has grown so much that who joined
// would be cut off for its lag at once; such replicas wait for the next one.
//
// How the end is told is each replica's own affair (a mark, or a length, for which it has
// to wait until all is there); the body is the same. Only a filter makes another one.

// shot is the snapshot under way, or the last one.
type shot struct {
	number uint64 // 0 = there never was one
	filter Filter
	began  bool // at what position is known
	since  time.Duration
	at     Position
	whole  bool // size is known
	size   int64
	ended  time.Duration
	failed bool
	lost   bool // its history is not this server's any more, or it was canceled
	open   bool // it began, and Release was not said
}

// making tells whether it is being made.
func (s *shot) making() bool { return s.number != 0 && !s.whole && !s.failed && !s.lost }

// joinable tells whether a replica can still have the snapshot under way.
func (p *Primary) joinable(r *Replica, v View, now time.Duration) bool {
	s := &p.shot
	if !s.open || s.filter != r.filter || p.over(now) {
		return false
	}
	if r.snapshotOnly {
		return true
	}
	limit := p.settings.LagSync
	return s.at.Offset >= v.First && (limit == 0 || v.End-s.at.Offset <= limit/2)
}

// begin orders a snapshot.
func (p *Primary) begin(f Filter) {
	p.release()
	p.shot = shot{number: p.shot.number + 1, filter: f}
	p.log("Starting BGSAVE for SYNC with target: replicas sockets")
	p.do(Snapshot{p.shot.number, f})
}

// attach gives a replica its place in the snapshot that has begun.
func (p *Primary) attach(r *Replica, now time.Duration) {
	s := &p.shot
	r.number, r.sent, r.stuckSince, r.acked = s.number, 0, -1, false
	p.do(Attach{Replica: r.id, Number: s.number, From: s.at.Offset, Log: !r.snapshotOnly})
	if !r.plain {
		p.do(Reply{r.id, "+FULLRESYNC " + s.at.ID + " " + strconv.FormatUint(s.at.Offset, 10)})
	}
	r.become(ReplicaAttached, now)
	if r.marked || s.whole {
		p.transfer(r, now)
	}
}

// transfer lets it have the body.
func (p *Primary) transfer(r *Replica, now time.Duration) {
	t := Transfer{Replica: r.id, Number: p.shot.number}
	if r.marked {
		t.Trailer = NewID(p.rand)
		t.Preamble = "$EOF:" + t.Trailer + "\r\n"
	} else {
		t.Preamble = "$" + strconv.FormatInt(p.shot.size, 10) + "\r\n"
	}
	r.become(ReplicaTransfer, now)
	p.do(t)
}

// DontJoin: the beginning of a snapshot's body is not kept any more, so that nobody else can
// have it.
func (p *Primary) DontJoin(number uint64) []Order {
	p.out = p.out[:0]
	if number == p.shot.number {
		p.release()
	}
	return p.out
}

// SnapshotBegan: the position that an ordered snapshot will be of, or why there is none.
// The log is kept from there on at the moment of the call, or more of it.
func (p *Primary) SnapshotBegan(number uint64, at Position, err error, now time.Duration) []Order {
	p.out = p.out[:0]
	s := &p.shot
	if number != s.number || !s.making() {
		return nil
	}
	if err != nil {
		p.notBegun(err, now)
		return p.out
	}
	s.began, s.open, s.at, s.since = true, true, at, now
	for _, r := range p.replicas {
		if r.state == ReplicaWaits && r.filter == s.filter {
			p.attach(r, now)
		}
	}
	p.cancelUnwanted()
	return p.out
}

// notBegun tells all who wait that there will be nothing for them.
func (p *Primary) notBegun(err error, now time.Duration) {
	p.shot.failed = true
	p.warn("BGSAVE for replication failed: %v", err)
	for _, r := range p.those(ReplicaWaits, 0) {
		p.do(Refuse{Replica: r.id, Text: "ERR BGSAVE failed, replication can't continue", Close: true})
		p.remove(r, now)
	}
}

// SnapshotEnded: the whole body is there, of this size; or there will be no more of it.
func (p *Primary) SnapshotEnded(number uint64, size int64, err error, now time.Duration) []Order {
	p.out = p.out[:0]
	s := &p.shot
	if number != s.number || !s.making() || !s.began {
		return nil
	}
	if err != nil {
		s.failed = true
		p.release()
		for _, r := range append(p.those(ReplicaAttached, number), p.those(ReplicaTransfer, number)...) {
			p.disconnect(r, now, "SYNC failed. The snapshot for replica %s could not be made: %v", r.name(), err)
		}
		return p.out
	}
	s.whole, s.size, s.ended = true, size, now
	if p.settings.Diskless {
		p.log("Diskless rdb transfer, done reading from pipe, %d replicas still up.", len(p.those(ReplicaAttached, number))+len(p.those(ReplicaTransfer, number)))
	}
	for _, r := range p.those(ReplicaAttached, number) {
		p.transfer(r, now)
	}
	return p.out
}

// those are the replicas in a state, and of a snapshot if number is not 0.
func (p *Primary) those(s ReplicaState, number uint64) (list []*Replica) {
	for _, r := range p.replicas {
		if r.state == s && (number == 0 || r.number == number) {
			list = append(list, r)
		}
	}
	return list
}

// Sent: preamble, body and trailer have all been written to the replica's socket.
func (p *Primary) Sent(r *Replica, now time.Duration) []Order {
	p.out = p.out[:0]
	if r.state != ReplicaTransfer {
		return nil
	}
	if r.snapshotOnly {
		p.log("RDB transfer completed, rdb only replica (%s) should be disconnected asap", r.name())
		p.do(Disconnect{r.id, "it wanted the snapshot only, and has it"})
		p.remove(r, now)
		return p.out
	}
	acked := r.acked
	p.online(r, now)
	r.awaitsAck, r.catchesUp = r.marked, true
	if r.marked {
		p.log("Streamed RDB transfer with replica %s succeeded (socket). Waiting for REPLCONF ACK from replica to enable streaming", r.name())
		r.acked = acked // it may have been faster than this news
		p.startIfAcked(r)
	} else {
		p.do(Start{r.id})
	}
	p.log("Synchronization with replica %s succeeded", r.name())
	return p.out
}

// cancelUnwanted stops a snapshot that nobody waits for any more.
func (p *Primary) cancelUnwanted() {
	s := &p.shot
	if !s.making() {
		return
	}
	for _, r := range p.replicas {
		if (r.state == ReplicaWaits && r.filter == s.filter) || (r.state > ReplicaWaits && r.number == s.number) {
			return
		}
	}
	s.lost = true
	p.log("Diskless rdb transfer, last replica dropped: the snapshot is canceled")
	s.open = false
	p.do(CancelSnapshot{s.number})
}

// release lets go of the body of a snapshot that nobody will join.
func (p *Primary) release() {
	if p.shot.open {
		p.shot.open = false
		p.do(Release{p.shot.number})
	}
}

// over tells whether a snapshot is too old to be joined.
func (p *Primary) over(now time.Duration) bool {
	s := &p.shot
	return s.whole && now-s.ended > min(p.settings.JoinWindow, s.ended-s.since)
}

// schedule begins the next snapshot when it is time.
func (p *Primary) schedule(now time.Duration) {
	if p.over(now) {
		p.release()
	}
	if p.shot.making() {
		return
	}
	waiting := p.those(ReplicaWaits, 0)
	if len(waiting) == 0 {
		return
	}
	s, first, n, longest := &p.settings, waiting[0], 0, time.Duration(0)
	for _, r := range waiting {
		if r.filter == first.filter {
			n++
			longest = max(longest, now-r.since)
		}
	}
	if !s.Diskless || longest >= s.DisklessDelay || (s.DisklessMaxReplicas > 0 && n >= s.DisklessMaxReplicas) {
		p.begin(first.filter)
	}
}
