package server

import (
	"math"
	"time"

	"dozo/config"
)

// Eviction. A command that finds memory over its limit evicts before it runs, for
// as long as maxmemory-eviction-tenacity lets it wait. What is left to do then
// (the limit was lowered, or a large value came) is done between rounds, slice by
// slice, until memory is within its limit again: a server that nobody talks to
// does not stay above it, and no command waits for all of it.

const (
	// evictSlice is how many keys are evicted between two looks at the clock.
	evictSlice = 16
	// evictStep is what one point of tenacity adds to the time that a command may
	// have to evict, up to tenacityPlain points; each further one multiplies it.
	evictStep     = 50 * time.Microsecond
	tenacityPlain = 10
	tenacityBase  = 1.15
	tenacityMax   = 100
)

// evictBudget is how long a command may evict.
func evictBudget(v *config.Values) time.Duration {
	switch tenacity := v.Int(config.MaxMemoryEvictionTenacity); {
	case tenacity >= tenacityMax:
		return math.MaxInt64
	case tenacity > tenacityPlain:
		return time.Duration(float64(tenacityPlain*evictStep) * math.Pow(tenacityBase, float64(tenacity-tenacityPlain)))
	default:
		return time.Duration(tenacity) * evictStep
	}
}

// makeRoom evicts until memory is within its limit or the time for it is used up;
// false when nothing can go. The caller holds no shard.
func (w *worker) makeRoom() (ok bool) {
	if w.srv.pausing() || w.srv.sparesMemory() {
		return true
	}
	w.ctx.Effects.Enabled = w.srv.records()
	begin, budget := w.srv.clock.Monotonic(), w.srv.live.Load().evictBudget
	for {
		ok = w.view.Evict(evictSlice)
		w.mono = w.watch.Read() // the command that waited did not take this long
		if !ok || w.ks.Over() <= 0 || w.mono-begin >= budget {
			break
		}
	}
	w.srv.noteLatency(latencyEviction, w.mono-begin)
	return ok
}

// evictBetween goes on with what commands have left to do, and has the loop come
// back to it at once while there is more.
func (w *worker) evictBetween() {
	if w.srv.pausing() || w.srv.sparesMemory() || w.srv.loadsInPlace() {
		return
	}
	w.mono = w.watch.Read()
	w.tellTime()
	if w.makeRoom() && w.ks.Over() > 0 {
		w.loop.WakeBy(w.loop.Now())
	}
}
