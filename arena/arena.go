package arena

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"dozo/internal/invariants"
)

// Ref is the address of a block: its distance from the arena's base in bytes,
// a multiple of 8 below 1<<43. Zero is no block.
type Ref uint64

const (
	maxReserve = 1 << 43
	minReserve = 1 << 20

	// From these offsets on huge pages are asked for, if at all: a small arena
	// touches few pages, and would pay for whole huge ones.
	hugeDataFrom = 256 << 20
	hugeMetaFrom = 2 << 20
)

// Options are what New can be told.
type Options struct {
	// Reserve is the address space to reserve in bytes, and so the most that
	// the arena can ever hold. 0 means 1 TiB. Less is reserved when the system
	// does not grant so much; Stats tells how much it is.
	Reserve int64
	// HugePages asks the system for huge pages once the arena is large. The
	// essay on top of the package says what that gives and what it costs.
	HugePages bool
}

// Arena is one reserved range of addresses, from which heaps take their memory.
// Its methods may be called from any goroutine.
type Arena struct {
	base     unsafe.Pointer
	descs    unsafe.Pointer
	markBase unsafe.Pointer // under invariants: one byte for each 8 of the arena
	poison   []byte         // under invariants: what a freed block looks like
	reach    atomic.Uint64  // addresses below can be read: see Peekable

	_    [64]byte
	used atomic.Int64 // published by the heaps
	_    [64]byte

	parts atomic.Int64 // of heaps

	mu          sync.Mutex
	data        region
	meta        region
	marks       region
	top         uint32 // granules from here on were never used
	mapped      int64  // granules that heaps have
	dirty       runList
	clean       runList
	slabs       int
	larges      int
	purgedBytes int64 // bytes given back to the system, ever
	heapIDs     uint32
	heaps       []*Heap
	closed      bool
	osPage      uint32 // granules in a page of the system, at least 1
}

// New reserves the range. It fails when the system grants not even a small one.
func New(o Options) (*Arena, error) {
	want := o.Reserve
	if want == 0 {
		want = defaultReserve
	}
	if want < 0 || want > maxReserve {
		return nil, fmt.Errorf("arena: reserve of %d bytes: must be between 0 and %d", want, int64(maxReserve))
	}
	want = (max(want, minReserve) + granuleSize - 1) &^ (granuleSize - 1)
	var err error
	for ; want >= minReserve; want = want / 2 &^ (granuleSize - 1) {
		a := &Arena{
			top: 1, dirty: runList{kind: kindDirty}, clean: runList{kind: kindClean},
			osPage: uint32(max(osPageSize()>>granuleShift, 1)),
		}
		if err = a.reserve(want, o.HugePages); err == nil {
			return a, nil
		}
		_ = a.unmap()
	}
	return nil, fmt.Errorf("arena: no address space: %w: raise the limit (ulimit -v)", err)
}

// noRoom is the place where carving stands in granule 0, which is never handed
// out, so that it can stand for "no slab".
const noRoom = 1<<16 - 1

// reserve gets the ranges for n bytes of blocks. Granule 0 stays unused: Ref 0
// is no block, and granule number 0 ends lists. A quarter of n is left to the
// rest of the process: under a limit (ulimit -v) the Go heap needs addresses too.
func (a *Arena) reserve(n int64, huge bool) (err error) {
	if a.data, err = reserveRegion(n); err != nil {
		return err
	}
	if a.meta, err = reserveRegion(n >> (granuleShift - descShift)); err != nil {
		return err
	}
	if invariants.Enabled {
		if a.marks, err = reserveRegion(n >> 3); err != nil {
			return err
		}
		a.poison = make([]byte, smallMax)
		fill(a.poison, poisonFreed)
	}
	if !roomFor(n / 4) {
		return errors.New("too little would be left for the rest of the process")
	}
	a.base, a.descs, a.markBase = a.data.base, a.meta.base, a.marks.base
	a.data.hugeFrom, a.meta.hugeFrom, a.marks.hugeFrom = never, never, never
	if huge {
		a.data.hugeFrom, a.meta.hugeFrom = hugeDataFrom, hugeMetaFrom
	}
	if err = a.ensure(1); err != nil {
		return err
	}
	a.desc(0).carved = noRoom
	return nil
}

func (a *Arena) markBytes(g uint32) int64 {
	if !invariants.Enabled {
		return 0
	}
	return int64(g) << (granuleShift - 3)
}

func (a *Arena) unmap() error {
	return errors.Join(a.data.release(), a.meta.release(), a.marks.release())
}

// Close gives all memory back; no Ref and no pointer may be used after it.
// Under invariants it returns an error when blocks were still in use.
func (a *Arena) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	a.closed = true
	var leak error
	if invariants.Enabled {
		leak = a.leaks()
	}
	return errors.Join(leak, a.unmap())
}

// leaks says what is still in use, by purpose.
func (a *Arena) leaks() (err error) {
	for _, h := range a.heaps {
		for p := range NumPurposes {
			if n := h.used[p]; n != 0 {
				err = errors.Join(err, fmt.Errorf("arena: heap %d closed with %d bytes of %v in use", h.id, n, p))
			}
		}
	}
	return err
}

// Base is the address of Ref 0. It never changes.
func (a *Arena) Base() unsafe.Pointer { return a.base }

// Ptr is the address of the block at r. It stays the same until r is freed.
func (a *Arena) Ptr(r Ref) unsafe.Pointer { return unsafe.Add(a.base, r) }

// Bytes is the block at r as n bytes, in place.
func (a *Arena) Bytes(r Ref, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(a.base, r)), n)
}

// Used is the number of bytes in use that the heaps have published.
func (a *Arena) Used() int64 { return a.used.Load() }
