//go:build race || !unix

package arena

import (
	"strings"
	"unsafe"
)

// Here a region is Go memory: the race detector watches no other. Nothing is
// given back to the system, and the reserve is small.

// Watched: the race detector sees accesses to the arena, and so would report those
// of a peeker (see Peekable) as what they are.
const Watched = true

const (
	defaultReserve = 256 << 20
	commitStep     = 1 << 20
)

// reserveRegion takes n bytes from the Go heap. A Builder's memory is not
// cleared, and so not touched, which matters for tests that open many arenas.
func reserveRegion(n int64) (region, error) {
	var b strings.Builder
	b.Grow(int(n) + 64)
	b.WriteByte(0)
	start := unsafe.Pointer(unsafe.StringData(b.String()))
	return region{base: unsafe.Add(start, -uintptr(start)&63), reserved: n}, nil
}

// commit clears the bytes from r.committed to `to`.
func (r *region) commit(to int64) error {
	clear(r.bytes(r.committed, to-r.committed))
	return nil
}

func (r *region) release() error {
	*r = region{}
	return nil
}

func roomFor(int64) bool { return true }

func osPageSize() int { return pageSize }

// purgeZeroes tells whether purged memory reads as zero.
const purgeZeroes = false

func (r *region) purge(off, n int64) error { return nil }
