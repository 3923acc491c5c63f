package aof

import (
	"runtime"
	"time"
)

// Group commit, and why it waits for a moment.
//
// The clients whose writes an fsync has covered get their replies and come back
// with their next writes a moment later, one after the other. If the next fsync
// begins as soon as the first is there, the others miss it by that moment and
// wait for it in full: the clients fall into groups which take turns, and an
// fsync carries only some of them. Waiting a small part of an fsync's time for
// the others brings all into one group.
//
// How many may come is told by the last group and those who had come while it
// was synced. So a single client is never delayed; and when less than half of
// what was waited for has come in time, which is so if the clients do not come
// back, the wait is left out for a while, longer each time.
//
// The wait spins, yielding to others: it is shorter than what a timer may be off.
const (
	gatherShare   = 4 // of an fsync's time, one part in so many
	gatherMax     = 300 * time.Microsecond
	gatherSkipMax = 64  // groups
	gatherYields  = 100 // between two looks at the clock
)

// gathering is what the wait goes by.
type gathering struct {
	group  uint64        // bytes of the last group
	ended  time.Duration // when its fsync ended
	lasted time.Duration
	skip   int // groups to let go without a wait
	vain   int // groups that were skipped the last time
}

// gather waits for more to come, if that is worth while, and tells the end of
// the log.
func (w *Writer) gather() uint64 {
	end := w.Log.Offset()
	g := &w.gathering
	if g.group == 0 || w.settings.Load().Policy != Always || w.cur == nil || end <= w.cur.whole.pos {
		return end
	}
	all := w.cur.whole.pos + g.group
	g.group = 0
	now := w.Clock.Monotonic()
	switch {
	case end >= all || now-g.ended > g.lasted:
		return end
	case g.skip > 0:
		g.skip--
		return end
	}
	came := end
	stop := now + min(g.lasted/gatherShare, gatherMax)
	for before := time.Duration(-1); end < all && now < stop && now != before; now = w.Clock.Monotonic() {
		for i := 0; i < gatherYields && end < all; i++ {
			runtime.Gosched()
			end = w.Log.Offset()
		}
		before = now
	}
	g.vain = min(2*g.vain+1, gatherSkipMax)
	if end-came >= (all-came)/2 {
		g.vain = 0
	}
	g.skip = g.vain
	return end
}

// note takes note of an fsync: how many bytes it has covered, together with
// those that came meanwhile, when it ended and how long it lasted.
func (g *gathering) note(bytes uint64, ended, lasted time.Duration) {
	g.group, g.ended, g.lasted = bytes, ended, lasted
}
