package eventloop

import "sync/atomic"

// sharedStats is the copy of a loop's counters that other goroutines may read. It
// is written at each tick only: an atomic store costs as much as a short command.
type sharedStats struct {
	accepted, bytesIn, bytesOut, bytesFed, rounds, sleeps, reads, writes atomic.Uint64
}

// publish makes the counters visible to Stats.
func (l *Loop) publish() {
	p, n := &l.published, &l.count
	p.accepted.Store(n.Accepted)
	p.bytesIn.Store(n.BytesIn)
	p.bytesOut.Store(n.BytesOut)
	p.bytesFed.Store(n.BytesFed)
	p.rounds.Store(n.Rounds)
	p.sleeps.Store(n.Sleeps)
	p.reads.Store(n.Reads)
	p.writes.Store(n.Writes)
}

// Stats may be called from any goroutine. All but Conns is as of the last tick.
func (l *Loop) Stats() Stats {
	p := &l.published
	return Stats{
		Conns:    l.load.Load(),
		Accepted: p.accepted.Load(),
		BytesIn:  p.bytesIn.Load(),
		BytesOut: p.bytesOut.Load(),
		BytesFed: p.bytesFed.Load(),
		Rounds:   p.rounds.Load(),
		Sleeps:   p.sleeps.Load(),
		Reads:    p.reads.Load(),
		Writes:   p.writes.Load(),
	}
}
