//go:build unix && !race

package arena

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// defaultReserve is the address space asked for when Options does not say.
const defaultReserve = 1 << 40

// Watched: nobody watches accesses to the arena.
const Watched = false

// commitStep is how much is made accessible at once: enough that the calls do
// not count, little enough that a system that accounts for every accessible
// byte (vm.overcommit_memory=2) is not asked for much more than is used.
const commitStep = 16 << 20

// regionAlign is the alignment of a region's base: that of a huge page.
const regionAlign = 2 << 20

const reserveFlags = unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_NORESERVE

// reserveRegion reserves n bytes of address space, none of it accessible.
func reserveRegion(n int64) (region, error) {
	raw, err := unix.Mmap(-1, 0, int(n+regionAlign), unix.PROT_NONE, reserveFlags)
	if err != nil {
		return region{}, fmt.Errorf("reserving %d bytes of address space: %w", n, err)
	}
	start := unsafe.Pointer(unsafe.SliceData(raw))
	skip := -uintptr(start) & (regionAlign - 1)
	return region{base: unsafe.Add(start, skip), reserved: n, raw: raw}, nil
}

// roomFor tells whether n bytes more of address space could be had.
func roomFor(n int64) bool {
	probe, err := reserveRegion(n)
	return err == nil && probe.release() == nil
}

// commit makes the bytes from r.committed to `to` accessible.
func (r *region) commit(to int64) error {
	from := r.committed
	if err := unix.Mprotect(r.bytes(from, to-from), unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return err
	}
	split := min(max(r.hugeFrom, from), to)
	r.adviseHuge(from, split-from, false)
	r.adviseHuge(split, to-split, true)
	return nil
}

// osPageSize is the size of a page of the system.
func osPageSize() int { return unix.Getpagesize() }

// release gives the addresses back.
func (r *region) release() error {
	raw := r.raw
	*r = region{}
	if raw == nil {
		return nil
	}
	return unix.Munmap(raw)
}
