package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What the garbage collector is told.
//
// The data is not on Go's heap. What is there is a few megabytes, so a collection
// more or less costs little memory and much time: collections are made rarer. But
// now and then a reply of hundreds of megabytes is built, or ten thousand clients
// do not read, and then the same setting would let the heap grow to a multiple of
// that, and keep it long after. So a limit is kept a little above what lives, and
// when nothing has been collected for a while although the heap is large, that is
// done and the memory given back to the system.
const (
	// collectorPercent is how much garbage may pile up before it is collected, in
	// percent of the living heap.
	collectorPercent = 400
	// heapLimitMin is the least limit of the whole of Go's memory.
	heapLimitMin = 256 << 20
	// heapIdleMax is how large a heap may be that is left alone.
	heapIdleMax = 64 << 20
	// collectorPeriod is how often the keeper looks, and idleLooks after how many
	// looks without a collection it makes one; it backs off up to idleLooksMax
	// when that was in vain.
	collectorPeriod = 250 * time.Millisecond
	idleLooks       = 4
	idleLooksMax    = 240
)

// tuneCollector sets the collector up, unless the environment already has.
func tuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectorPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		go new(heapKeeper).run()
	}
}

// heapKeeper follows the size of the heap.
type heapKeeper struct {
	limit  int64
	cycles uint64 // collections so far
	quiet  int    // looks since the last one
	wait   int    // looks without a collection before one is made
}

func (k *heapKeeper) run() {
	k.wait = idleLooks
	for range time.Tick(collectorPeriod) {
		k.look()
	}
}

// look is one look at the heap.
func (k *heapKeeper) look() {
	h := measureHeap()
	k.keepLimit(h.live)
	if h.cycles != k.cycles || h.held < heapIdleMax {
		k.cycles, k.quiet = h.cycles, 0
		return
	}
	if k.quiet++; k.quiet < k.wait {
		return
	}
	debug.FreeOSMemory()
	after := measureHeap()
	k.cycles, k.quiet = after.cycles, 0
	if k.wait = idleLooks; after.held > h.held/2 {
		k.wait = idleLooksMax // it lives
	}
}

// keepLimit sets the limit anew when what lives has changed much: each change
// stops the world for a moment.
func (k *heapKeeper) keepLimit(live int64) {
	want := max(heapLimitMin, live+live/2)
	if k.limit == 0 || want > k.limit || want < k.limit/2 {
		k.limit = want
		debug.SetMemoryLimit(want)
	}
}

// heapSize is what is known of Go's heap.
type heapSize struct {
	live   int64 // found living by the last collection
	held   int64 // objects, dead ones included, and free memory that was not given back
	cycles uint64
}

func measureHeap() heapSize {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(samples)
	n := func(i int) uint64 { return min(samples[i].Value.Uint64(), math.MaxInt64/4) }
	return heapSize{live: int64(n(0)), held: int64(n(1) + n(2)), cycles: n(3)}
}

// sparePs is how many of the scheduler's processors there are beyond the loops: a
// loop keeps its own during short waits, and others (timers, the collector, the
// network's poller) should not have to take it away.
const sparePs = 2

func tuneScheduler(loops int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), loops+sparePs))
	}
}
