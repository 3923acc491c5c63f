//go:build race || !unix

package arena

import "unsafe"

// Here the arena is one Go byte slice: the race detector watches Go memory
// only. Nothing is given back to the system, and the reserve is small.

const defaultReserve = 256 << 20

func reserveRegion(n int64) (region, error) {
	raw := make([]byte, n+64)
	start := unsafe.Pointer(unsafe.SliceData(raw))
	return region{base: unsafe.Add(start, -uintptr(start)&63), reserved: n, raw: raw}, nil
}

func (r *region) commit(int64) error { return nil }

func (r *region) release() error {
	*r = region{}
	return nil
}

func roomFor(int64) bool { return true }

func osPageSize() int { return pageSize }

// purgeZeroes tells whether purged memory reads as zero.
const purgeZeroes = false

func (r *region) purge(off, n int64) error { return nil }
