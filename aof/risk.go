package aof

import (
	"sync"
	"time"
)

// riskMax is how much a power failure may take with appendfsync everysec before
// it is said aloud.
const riskMax = 2 * time.Second

// risk measures how old the oldest byte is that is not known to be durable. It
// is looked at from outside the writer, which may be stuck in an fsync.
type risk struct {
	mu      sync.Mutex
	samples []sample // of the log's end; oldest first
	loud    bool     // the bound is exceeded
}

type sample struct {
	at  time.Duration
	end uint64
}

// samplesMax is how many looks are remembered; when the disk stands still for
// longer the newest is overwritten, which loses nothing but the age of new bytes.
const samplesMax = 64

// look notes the log's end and tells the age of what is at risk, and whether the
// bound was crossed by this look, upwards or downwards.
func (r *risk) look(now time.Duration, end, durable uint64) (age time.Duration, crossed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.samples); n > 0 && r.samples[n-1].end > end { // of another history
		r.samples = nil
	}
	// The last sample that is durable in full tells since when there is more.
	first := 0
	for first+1 < len(r.samples) && r.samples[first+1].end <= durable {
		first++
	}
	if len(r.samples) > 0 {
		r.samples = append(r.samples[:0], r.samples[first:]...)
	}
	if end > durable && len(r.samples) > 0 {
		age = now - r.samples[0].at
	}
	if len(r.samples) == samplesMax {
		r.samples = r.samples[:samplesMax-1]
	}
	r.samples = append(r.samples, sample{now, end})
	crossed = r.loud != (age > riskMax)
	r.loud = age > riskMax
	return age, crossed
}

func (r *risk) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples, r.loud = nil, false
}
