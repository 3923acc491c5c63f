package arena

const (
	// dirtyMin is how much free memory may stay resident in any case, in granules.
	dirtyMin = 4 << 20 >> granuleShift
	// dirtyShare is which part of what is in use may stay resident when free.
	dirtyShare = 64

	// One step that gives memory back is bounded by both: the system takes some
	// 3 us a call, and 60 us for a MiB of small pages.
	trimBatch = 1 << 20 >> granuleShift
	trimCalls = 16
	// unbounded is for the calls of those that have time.
	unbounded = 1 << 62
)

// keepDirty is how many free granules may stay resident.
func (a *Arena) keepDirty() int64 { return max(dirtyMin, a.mapped/dirtyShare) }

// trimStep gives back a little. It is called as runs are freed, with a shard
// locked, so it must not take long.
func (a *Arena) trimStep() {
	a.mu.Lock()
	keep := a.keepDirty()
	a.mu.Unlock()
	a.trim(keep-trimBatch, trimBatch, trimCalls)
}

// Trim gives free memory back to the system, at most limit bytes of it, and
// returns how much it was. Some is kept for the next blocks. The arena does
// the same by itself as blocks are freed, but in steps so small that they may
// lag behind: a timer should call Trim as well.
func (a *Arena) Trim(limit int64) int64 {
	a.mu.Lock()
	keep := a.keepDirty()
	a.mu.Unlock()
	return a.trim(keep, limit>>granuleShift, unbounded) << granuleShift
}

// Purge gives all free memory back to the system, and returns how much it was.
func (a *Arena) Purge() int64 {
	return a.trim(0, unbounded, unbounded) << granuleShift
}

// trim purges dirty runs, longest first, until no more than keep granules are
// dirty, limit granules are done or calls calls made. The lock is free while
// the system works, and the run in hand belongs to nobody else.
func (a *Arena) trim(keep, limit, calls int64) (done int64) {
	for ; done < limit && calls > 0; calls-- {
		a.mu.Lock()
		g, n := a.popDirty(min(a.dirty.granules-keep, limit-done))
		a.mu.Unlock()
		if n == 0 {
			break
		}
		err := a.purgeRun(g, n)
		a.mu.Lock()
		ok := a.purged(g, n, err)
		a.mu.Unlock()
		if !ok {
			break
		}
		done += int64(n)
	}
	return done
}

func (a *Arena) purgeRun(g, n uint32) error {
	return a.data.purge(int64(g)<<granuleShift, int64(n)<<granuleShift)
}

// purged makes a run free again, without pages unless the system refused.
func (a *Arena) purged(g, n uint32, err error) bool {
	if err != nil {
		a.join(&a.dirty, g, n)
		return false
	}
	a.join(&a.clean, g, n)
	a.purgedBytes += int64(n) << granuleShift
	return true
}

// purgeAll is for the case that addresses run out: it lets free runs join that
// are apart only because some have pages and some not. The lock stays held.
func (a *Arena) purgeAll() {
	for {
		g, n := a.popDirty(unbounded)
		if n == 0 || !a.purged(g, n, a.purgeRun(g, n)) {
			return
		}
	}
}

// popDirty takes up to limit granules, whole pages of the system, from one of
// the longest dirty runs.
func (a *Arena) popDirty(limit int64) (g, n uint32) {
	b := a.dirty.lastBin()
	if limit <= 0 || b < 0 || a.closed {
		return 0, 0
	}
	run := a.dirty.heads[b]
	end := run + a.desc(run).length
	g = alignUp(run, a.osPage)
	last := uint32(min(int64(end), int64(g)+limit)) &^ (a.osPage - 1)
	if last <= g {
		return 0, 0
	}
	return a.cut(&a.dirty, run, last-g, a.osPage), last - g
}

// Stats is a look at the arena. All are bytes but the counts.
type Stats struct {
	Reserved  int64 // address space
	Committed int64 // accessible
	Mapped    int64 // in the hands of heaps: their slabs and large blocks
	Free      int64 // free, and perhaps resident
	Clean     int64 // free, and not resident
	Meta      int64 // descriptors, as far as the arena was ever used
	Purged    int64 // given back to the system since the start
	Used      int64 // in use, as published by the heaps
	Slabs     int
	Larges    int // blocks that are not in slabs
	Heaps     int
	Parts     int // of heaps: see Part
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
		Purged:    a.purgedBytes,
		Used:      a.used.Load(),
		Slabs:     a.slabs,
		Larges:    a.larges,
		Heaps:     len(a.heaps),
		Parts:     int(a.parts.Load()),
	}
}
