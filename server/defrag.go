package server

import (
	"sync/atomic"
	"time"

	"dozo/config"
)

// Active defragmentation: when it runs, and for how long. (What it does is in
// keyspace/defrag.go.)
//
// Once a second each loop measures what its shards waste (arena.Heap.Waste: freed
// blocks among others that are in use), and the first loop compares the sum with
// the thresholds, as Redis does: above the lower one, and with more than
// active-defrag-ignore-bytes, every loop makes one pass through its shards, with a
// share of its time between active-defrag-cycle-min and -max percent, depending on
// how far the waste is on its way to the upper threshold. The share is raised
// during a pass, never lowered.
//
// A share is spent in slices of 0.05 ms between the rounds of the loop, so that no
// command waits for more than that and the last step, whatever the share is: Redis
// works for the share of a tick in one go. What a loop may spend grows with the time, and is kept for
// creditMax at the most.
//
// A pass that finds nothing to be moved, since what is wasted lies in too many places
// to be joined, is not repeated for a while (defragRest).

const (
	defragPeriod = time.Second
	defragSlice  = 50 * time.Microsecond
	// creditMax lets a loop that has slept, which it does by the millisecond, make
	// up for it.
	creditMax  = 2 * time.Millisecond
	defragRest = 10 * time.Second
)

// defragSettings are the directives.
type defragSettings struct {
	ignoreBytes  int64
	lower, upper float64 // percent of what is in use
	least, most  float64 // percent of a loop's time
	fields       int
}

// defragger is what all loops know of active defragmentation.
type defragger struct {
	settings atomic.Pointer[defragSettings] // nil = it may not run
	share    atomic.Int32                   // percent of each loop's time; 0 = it does not run
	pass     atomic.Int64                   // its number
	working  atomic.Int32                   // loops that are not through with it
	found    atomic.Int64                   // slabs that it has found to be emptied

	since     atomic.Int64 // monotonic nanoseconds: it runs since then; 0 = it does not
	total     atomic.Int64 // nanoseconds for which it has run before that
	restUntil atomic.Int64 // monotonic nanoseconds
}

// loopDefrag is a loop's part.
type loopDefrag struct {
	used, wasted atomic.Int64 // as of measured
	measured     time.Duration

	pass   int64 // the last one that the loop has begun
	busy   bool  // and is not through with
	credit time.Duration
	at     time.Duration // when credit was counted
}

func (s *Server) applyDefrag(v *config.Values) {
	if !v.Bool(config.ActiveDefrag) {
		s.defrag.settings.Store(nil)
		s.stopDefrag()
		return
	}
	s.defrag.restUntil.Store(0)
	s.defrag.settings.Store(&defragSettings{
		ignoreBytes: v.Int(config.ActiveDefragIgnoreBytes),
		lower:       float64(v.Int(config.ActiveDefragThresholdLower)), upper: float64(v.Int(config.ActiveDefragThresholdUpper)),
		least: float64(v.Int(config.ActiveDefragCycleMin)), most: float64(v.Int(config.ActiveDefragCycleMax)),
		fields: int(v.Int(config.ActiveDefragMaxScanFields)),
	})
}

// shareFor is the percentage of its time that a loop spends on a waste of so many
// percent.
func (d *defragSettings) shareFor(percent float64) int32 {
	share := d.most
	if d.upper > d.lower {
		share = d.least + (percent-d.lower)*(d.most-d.least)/(d.upper-d.lower)
	}
	return int32(max(min(share, d.most), d.least))
}

// measureWaste does what is due once a second.
func (w *worker) measureWaste() {
	now := w.srv.clock.Monotonic()
	if w.srv.defrag.settings.Load() == nil || now-w.defrag.measured < defragPeriod && w.defrag.measured != 0 {
		return
	}
	w.defrag.measured = now
	w.gated(func() {
		used, wasted := w.view.Fragmentation(w.index, len(w.srv.workers))
		w.defrag.used.Store(used)
		w.defrag.wasted.Store(wasted)
	})
	if w.index == 0 {
		w.srv.considerDefrag(now)
	}
}

// considerDefrag begins a pass if it is worth it, or raises the share.
func (s *Server) considerDefrag(now time.Duration) {
	d := &s.defrag
	set, running := d.settings.Load(), d.share.Load()
	if set == nil {
		return
	}
	var used, wasted int64
	for _, w := range s.workers {
		used += w.defrag.used.Load()
		wasted += w.defrag.wasted.Load()
	}
	percent := 100 * ratio(wasted, used)
	if running == 0 && (percent < set.lower || wasted < set.ignoreBytes || int64(now) < d.restUntil.Load()) {
		return
	}
	share := set.shareFor(percent)
	if share <= running {
		return
	}
	if running == 0 {
		d.found.Store(0)
		d.working.Store(int32(len(s.workers)))
		d.since.Store(int64(now))
		d.pass.Add(1)
	}
	d.share.Store(share)
	s.logf(Verbose, "Active defragmentation takes %d%% of the time: %.0f%% (%s) of the memory is wasted", share, percent, humanBytes(wasted))
}

// stopDefrag ends a pass, and tells whether there was one.
func (s *Server) stopDefrag() bool {
	s.defrag.share.Store(0)
	since := s.defrag.since.Swap(0)
	if since != 0 {
		s.defrag.total.Add(int64(s.clock.Monotonic()) - since)
	}
	return since != 0
}

// defragBetween works on the loop's shards for a slice, if the time for it has come.
func (w *worker) defragBetween(share time.Duration) {
	set, p, now := w.srv.defrag.settings.Load(), &w.defrag, w.srv.clock.Monotonic()
	if n := w.srv.defrag.pass.Load(); n != p.pass {
		p.pass, p.busy, p.credit, p.at = n, true, 0, now
		w.view.BeginDefrag()
	}
	if !p.busy || set == nil {
		return
	}
	p.credit = min(p.credit+(now-p.at)*share/100, creditMax)
	p.at = now
	if p.credit >= defragSlice {
		more, took := w.defragSlice(set, now)
		p.credit -= took
		if now += took; !more {
			p.busy = false
			w.srv.defragged()
			return
		}
	}
	w.loop.WakeBy(now + max(defragSlice-p.credit, 0)*100/share)
}

// defragSlice works for a slice and tells whether there is more to do.
func (w *worker) defragSlice(set *defragSettings, begin time.Duration) (more bool, took time.Duration) {
	w.gated(func() {
		for more = true; more && took < defragSlice; took = w.srv.clock.Monotonic() - begin {
			var found int
			if more, found = w.view.Defrag(w.index, len(w.srv.workers), set.fields); !more {
				w.srv.defrag.found.Add(int64(found))
			}
		}
		w.srv.noteLatency(latencyDefrag, took)
	})
	return more, took
}

// defragged is called when a loop is through with its shards.
func (s *Server) defragged() {
	if s.defrag.working.Add(-1) != 0 || !s.stopDefrag() {
		return
	}
	found := s.defrag.found.Load()
	if found == 0 {
		s.defrag.restUntil.Store(int64(s.clock.Monotonic() + defragRest))
	}
	s.logf(Verbose, "Active defragmentation is through: it has found %d slabs to be emptied", found)
}

// defragTimes are for how long it runs now, and for how long it has run in all.
func (s *Server) defragTimes() (current, total time.Duration) {
	if since := s.defrag.since.Load(); since != 0 {
		current = s.clock.Monotonic() - time.Duration(since)
	}
	return current, current + time.Duration(s.defrag.total.Load())
}

// resetDefragTimes is CONFIG RESETSTAT.
func (s *Server) resetDefragTimes() {
	s.defrag.total.Store(0)
	if since := s.defrag.since.Load(); since != 0 {
		s.defrag.since.CompareAndSwap(since, int64(s.clock.Monotonic()))
	}
}
