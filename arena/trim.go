package arena

import "os"

const (
	// dirtyMin is how much free memory stays resident in any case.
	dirtyMin = 4 << 20 >> granuleShift
	// dirtyShare is which part of the memory in use may stay resident when free.
	dirtyShare = 64
	// trimBatch bounds what one call gives back, in granules.
	trimBatch = 8 << 20 >> granuleShift
)

func osPageGranules() uint32 { return uint32(max(os.Getpagesize()>>granuleShift, 1)) }

// keepDirty is how many free granules may stay resident.
func (a *Arena) keepDirty() int64 { return max(dirtyMin, a.mapped/dirtyShare) }

// Trim gives free memory back to the system, at most max bytes of it, and
// returns how much it was. The arena does it by itself as blocks are freed, in
// bounded steps; Trim is for giving back the rest when there is time.
func (a *Arena) Trim(max int64) int64 {
	return a.trim(0, max>>granuleShift) << granuleShift
}

// trim purges dirty runs, largest first, until no more than keep granules are
// dirty or max are done. The lock is free while the system works.
func (a *Arena) trim(keep, max int64) (done int64) {
	for done < max {
		a.mu.Lock()
		g, n := a.popDirty(min(a.dirty.granules-keep, max-done))
		a.mu.Unlock()
		if n == 0 {
			break
		}
		err := a.data.purge(int64(g)<<granuleShift, int64(n)<<granuleShift)
		a.mu.Lock()
		if err != nil {
			a.join(&a.dirty, g, n) // the system refuses: keep it
			a.mu.Unlock()
			break
		}
		a.join(&a.clean, g, n)
		a.purged += int64(n) << granuleShift
		a.mu.Unlock()
		done += int64(n)
	}
	return done
}

// popDirty takes up to max granules, whole pages of the system, from one of the
// longest dirty runs.
func (a *Arena) popDirty(max int64) (g, n uint32) {
	b := a.dirty.lastBin()
	if max <= 0 || b < 0 || a.closed {
		return 0, 0
	}
	run := a.dirty.heads[b]
	end := run + a.desc(run).length
	g = alignUp(run, a.osPageGr)
	n = uint32(min(int64(end), int64(g)+max)) &^ (a.osPageGr - 1)
	if n <= g {
		return 0, 0
	}
	n -= g
	return a.cut(&a.dirty, run, n, a.osPageGr), n
}

// Stats is a look at the arena. All are bytes but the counts.
type Stats struct {
	Reserved  int64 // address space
	Committed int64 // accessible
	Mapped    int64 // in the hands of heaps: their slabs and large blocks
	Free      int64 // free, and perhaps resident
	Clean     int64 // free, and not resident
	Meta      int64 // descriptors, touched as far as the arena was ever used
	Purged    int64 // given back to the system since the start
	Used      int64 // in use, as published by the heaps
	Slabs     int
	Larges    int // blocks that are not in slabs
	Heaps     int
}

// Stats is a look at the arena.
func (a *Arena) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	return Stats{
		Reserved:  a.data.reserved,
		Committed: a.data.committed,
		Mapped:    a.mapped << granuleShift,
		Free:      a.dirty.granules << granuleShift,
		Clean:     a.clean.granules << granuleShift,
		Meta:      int64(a.top) << descShift,
		Purged:    a.purged,
		Used:      a.used.Load(),
		Slabs:     a.slabs,
		Larges:    a.larges,
		Heaps:     len(a.heaps),
	}
}
