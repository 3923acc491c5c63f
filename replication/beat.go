package replication

import (
	"fmt"
	"time"
)

// Tick does what time asks for; a few times a second is enough.
func (p *Primary) Tick(v View, now time.Duration) []Order {
	p.out = p.out[:0]
	if now >= p.nextBeat {
		p.nextBeat = now + beatPeriod
		p.beat(now)
	}
	if now-p.pinged >= p.settings.PingPeriod {
		p.pinged = now
		if len(p.replicas) != 0 && !v.Follows && !v.Paused {
			p.do(Ping{})
		}
	}
	p.schedule(now)
	if ttl := p.settings.LogTTL; ttl > 0 && len(p.replicas) == 0 && v.Logging && !v.Follows && now-p.noneSince > ttl {
		p.noneSince = now
		p.log("Replication backlog freed after %d seconds without connected replicas.", int(ttl.Seconds()))
		p.do(DropLog{})
	}
	return p.out
}

// beat looks after each replica, once a second.
func (p *Primary) beat(now time.Duration) {
	for i := len(p.replicas) - 1; i >= 0; i-- { // some are removed
		r := p.replicas[i]
		switch r.state {
		case ReplicaWaits, ReplicaAttached:
			p.do(Keepalive{r.id})
		case ReplicaTransfer:
			if r.stuckSince >= 0 && now-r.stuckSince > p.settings.Timeout {
				p.disconnect(r, now, "Disconnecting timedout replica (full sync): %s", r.name())
			}
		case ReplicaOnline:
			if !r.plain && now-r.ackTime > p.settings.Timeout {
				p.disconnect(r, now, "Disconnecting timedout replica (streaming sync): %s", r.name())
			} else if now-r.since >= stableAfter {
				delete(p.penalty, r.name())
			}
		}
	}
}

// Progress: how much of the snapshot a replica's socket has taken so far, and whether
// there is more that it could take. To be called once a second.
func (p *Primary) Progress(r *Replica, sent uint64, more bool, now time.Duration) {
	switch {
	case sent != r.sent || !more:
		r.stuckSince = -1
	case r.stuckSince < 0:
		r.stuckSince = now
	}
	r.sent = sent
}

// LagMax is how far a replica may be behind the log's end, 0 for any distance. While it
// gets a snapshot, and until it has caught up with what was written meanwhile, the limit is
// another one: one that cuts it off for that lag makes it begin from the beginning for ever.
func (p *Primary) LagMax(r *Replica) uint64 {
	s := &p.settings
	hard := s.LagHard
	if hard != 0 {
		hard = max(hard, s.Backlog)
	}
	if r.state == ReplicaOnline && !r.catchesUp {
		return hard
	}
	if hard == 0 || s.LagSync == 0 {
		return 0
	}
	return max(hard, s.LagSync)
}

// Lagging: how far a replica is behind. It is cut off when that is too far, or the log has
// cut it off already: then cut is true. To be called once a second for each that is held.
func (p *Primary) Lagging(r *Replica, lag uint64, cut bool, now time.Duration) []Order {
	p.out = p.out[:0]
	if !r.IsReplica() {
		return nil
	}
	s := &p.settings
	soft := max(s.LagSoft, s.Backlog) // what is kept anyway costs nothing
	if r.state == ReplicaOnline && !r.awaitsAck && (s.LagHard == 0 || lag < max(s.LagHard, s.Backlog)/2) {
		r.catchesUp = false
	}
	if s.LagSoft == 0 || lag < soft || r.state != ReplicaOnline || r.catchesUp {
		r.laggedSince = -1
	} else if r.laggedSince < 0 {
		r.laggedSince = now
	}
	hard := p.LagMax(r)
	switch {
	case cut || (hard != 0 && lag >= hard):
		p.cutOff(r, fmt.Sprintf("it was %d bytes behind, where client-output-buffer-limit allows %d", lag, hard), now)
	case r.laggedSince >= 0 && now-r.laggedSince > s.LagSoftTime:
		p.cutOff(r, fmt.Sprintf("it was more than %d bytes behind for %s, longer than client-output-buffer-limit allows", soft, now-r.laggedSince), now)
	}
	return p.out
}

// cutOff disconnects a replica that is too slow. If it can go on from what the log keeps,
// it may come back at once; for another snapshot it has to wait, longer each time, since
// it is likely to fail again.
func (p *Primary) cutOff(r *Replica, why string, now time.Duration) {
	c := p.penalty[r.name()]
	wait := min(penaltyMax, penaltyFirst<<min(c.cuts, doublingMax))
	if len(p.penalty) < penaltiesMax || c.cuts > 0 {
		p.penalty[r.name()] = penalty{c.cuts + 1, now + wait, "this replica was cut off: " + why}
	}
	p.disconnect(r, now, "Disconnecting replica %s: %s. It gets no other snapshot for %s.", r.name(), why, wait)
}
