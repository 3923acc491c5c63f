package server

import (
	"time"

	"dozo/eventloop"
	"dozo/keyspace"
)

// totals are the sums of what all workers counted since the start or since
// CONFIG RESETSTAT.
type totals struct {
	counters
	commands    int64
	commandTime time.Duration
	keys        keyspace.Stats
	loops       eventloop.Stats
	loopTime    time.Duration // spent in rounds of the loops
}

// totals sums everything up. Only in exclusive mode.
func (s *Server) totals() (t totals) {
	for _, w := range s.workers {
		for i := range w.stats.commands {
			t.commands += w.stats.commands[i].calls
			t.commandTime += time.Duration(w.stats.commands[i].nanos)
		}
		t.counters.add(&w.stats.counters)
		addKeyStats(&t.keys, &w.view.Stats)
		t.loopTime += time.Duration(w.busy.Load())
	}
	for _, l := range s.group.Loops() {
		addLoopStats(&t.loops, l.Stats(), 1)
	}
	addLoopStats(&t.loops, s.statsBase.loops, -1)
	t.loopTime -= s.statsBase.loopTime
	return t
}

func addKeyStats(sum, o *keyspace.Stats) {
	sum.Hits += o.Hits
	sum.Misses += o.Misses
	sum.Expired += o.Expired
	sum.ExpiredFields += o.ExpiredFields
	sum.Evicted += o.Evicted
	sum.ExpiredByLookup += o.ExpiredByLookup
	sum.ActiveExpireNanos += o.ActiveExpireNanos
	sum.LazyFreed += o.LazyFreed
	sum.DefragHits += o.DefragHits
	sum.DefragMisses += o.DefragMisses
	sum.DefragKeyHits += o.DefragKeyHits
	sum.DefragKeyMisses += o.DefragKeyMisses
}

// addLoopStats adds a loop's counters, or takes them off with sign -1. The number
// of connections is no counter.
func addLoopStats(sum *eventloop.Stats, o eventloop.Stats, sign int) {
	f := func(to *uint64, n uint64) { *to += uint64(sign) * n } // wraps as it should
	f(&sum.Accepted, o.Accepted)
	f(&sum.BytesIn, o.BytesIn)
	f(&sum.BytesOut, o.BytesOut)
	f(&sum.BytesFed, o.BytesFed)
	f(&sum.Rounds, o.Rounds)
	f(&sum.Sleeps, o.Sleeps)
	f(&sum.Reads, o.Reads)
	f(&sum.Writes, o.Writes)
}

// statsBase is what counters that cannot be set back stood at when CONFIG
// RESETSTAT was called.
type statsBase struct {
	loops         eventloop.Stats
	loopTime      time.Duration
	receivedBytes int64
}

// resetStats is CONFIG RESETSTAT. Only in exclusive mode.
func (s *Server) resetStats() {
	s.statsBase = statsBase{receivedBytes: s.receivedBytes.Load()}
	for _, w := range s.workers {
		w.stats.reset()
		w.view.Stats = keyspace.Stats{}
		s.statsBase.loopTime += time.Duration(w.busy.Load())
	}
	for _, l := range s.group.Loops() {
		addLoopStats(&s.statsBase.loops, l.Stats(), 1)
	}
	s.sampled = samples{}
	s.shortage = shortage{}
	s.resetDefragTimes()
	s.replicas.resetStats()
	s.applyErrors.Store(0)
	if p := s.opts.Persistence; p != nil {
		p.ResetStats()
	}
}

// shortage is the time during which memory was over its limit and eviction had
// not caught up.
type shortage struct {
	since time.Duration // monotonic; 0 = there is none now
	total time.Duration // of those that have ended
}

func (sh *shortage) note(over bool, now time.Duration) {
	switch {
	case over && sh.since == 0:
		sh.since = now
	case !over && sh.since != 0:
		sh.total += now - sh.since
		sh.since = 0
	}
}

// current is how long the present shortage has lasted.
func (sh *shortage) current(now time.Duration) time.Duration {
	if sh.since == 0 {
		return 0
	}
	return now - sh.since
}
