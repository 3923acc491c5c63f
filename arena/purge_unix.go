//go:build unix && !linux && !race

package arena

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// purgeZeroes tells whether purged memory reads as zero.
const purgeZeroes = true

// adviseHuge does nothing: these systems choose the size of pages themselves.
func (r *region) adviseHuge(off, n int64, huge bool) {}

// purge gives the pages of a range back to the system. MADV_DONTNEED means
// other things outside Linux, so the range is mapped anew: the old pages go at
// once and the new ones read as zero.
func (r *region) purge(off, n int64) error {
	const flags = unix.MAP_FIXED | unix.MAP_PRIVATE | unix.MAP_ANON
	at := unsafe.Add(r.base, off)
	_, err := unix.MmapPtr(-1, 0, at, uintptr(n), unix.PROT_READ|unix.PROT_WRITE, flags)
	return err
}
