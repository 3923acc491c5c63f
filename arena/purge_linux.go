//go:build linux && !race

package arena

import "golang.org/x/sys/unix"

// purgeZeroes tells whether purged memory reads as zero.
const purgeZeroes = true

// purge gives the pages of a range back to the system. The range stays
// accessible and reads as zero.
func (r *region) purge(off, n int64) error {
	return unix.Madvise(r.bytes(off, n), unix.MADV_DONTNEED)
}
