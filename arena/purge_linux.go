//go:build linux && !race

package arena

import "golang.org/x/sys/unix"

// purgeZeroes tells whether purged memory reads as zero.
const purgeZeroes = true

// adviseHuge asks for huge pages or against them. A kernel that has none refuses
// both, which is as good.
func (r *region) adviseHuge(off, n int64, huge bool) {
	advice := unix.MADV_NOHUGEPAGE
	if huge {
		advice = unix.MADV_HUGEPAGE
	}
	if n > 0 {
		_ = unix.Madvise(r.bytes(off, n), advice)
	}
}

// purge gives the pages of a range back to the system. The range stays
// accessible and reads as zero.
func (r *region) purge(off, n int64) error {
	return unix.Madvise(r.bytes(off, n), unix.MADV_DONTNEED)
}
