package arena

import (
	"fmt"
	"unsafe"
)

// region is one reserved range of addresses that is made accessible from its
// start, piece by piece. Its base never moves. The platform files give
// reserveRegion and the methods commit, purge and release.
type region struct {
	base      unsafe.Pointer
	reserved  int64  // bytes of address space
	committed int64  // bytes accessible
	hugeFrom  int64  // from this offset on, huge pages are asked for
	raw       []byte // the whole mapping, where base lies
}

// never is a hugeFrom that no offset reaches.
const never = 1 << 62

// ensure makes the first n bytes accessible. It returns an error when the
// region has fewer, or when the system refuses.
func (r *region) ensure(n int64) error {
	if n <= r.committed {
		return nil
	}
	if n > r.reserved {
		return fmt.Errorf("%d bytes wanted of %d reserved", n, r.reserved)
	}
	to := min((n+commitStep-1)&^(commitStep-1), r.reserved)
	if err := r.commit(to); err != nil {
		return fmt.Errorf("making %d bytes accessible: %w", to-r.committed, err)
	}
	r.committed = to
	return nil
}

// bytes is the part of the region from off on, n bytes long.
func (r *region) bytes(off, n int64) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(r.base, off)), n)
}
