package keyspace

import (
	"fmt"
	"testing"

	"dozo/container/entry"
)

// TestFollows: what is over stays for the primary, whose commands find it, and goes on the
// day on which the node leads; a new deadline brings it back.
func TestFollows(t *testing.T) {
	ks := newTestKeyspace(t, 1, 2, 9)
	v := ks.NewView(nil)
	ks.BeginExclusive(v)
	defer ks.EndExclusive(v)
	v.SetFollows(true)
	obey := func(fn func()) {
		v.Timeless = true
		fn()
		v.Timeless = false
	}
	for i := range 1000 {
		obey(func() { v.SetString(fmt.Appendf(nil, "k%d", i), []byte("v"), int64(10+i), false) })
	}
	v.Now = 509
	if seen := count(v); seen != 500 || v.Len(0) != 1000 {
		t.Errorf("%d of %d keys are seen", seen, v.Len(0))
	}
	for v.Expire(0, 1, 100) {
	}
	obey(func() {
		fifth := v.Peek([]byte("k5"))
		if v.Len(0) != 1000 || !v.SetDeadline([]byte("k3"), 5000) || !v.Delete([]byte("k4")) || !fifth.Ok() {
			t.Error("the primary does not find what is over")
		}
	})
	if seen := count(v); seen != 501 || v.Len(0) != 999 || v.OwnKeys() != 0 || v.Stats.Expired != 0 {
		t.Errorf("%d of %d keys are seen, %d are own, %d have expired", seen, v.Len(0), v.OwnKeys(), v.Stats.Expired)
	}
	checkKeyspace(t, ks)
	v.SetFollows(false)
	for v.Expire(0, 1, 100) {
	}
	if v.Len(0) != 501 || v.Stats.Expired != 498 {
		t.Errorf("%d keys are left, %d have expired", v.Len(0), v.Stats.Expired)
	}
	checkKeyspace(t, ks)
}

// TestOwnKeys: deadlines that clients give are kept whatever becomes of the databases, and
// forgotten when the node leads.
func TestOwnKeys(t *testing.T) {
	ks := newTestKeyspace(t, 1, 2, 9)
	v := ks.NewView(nil)
	ks.BeginExclusive(v)
	defer ks.EndExclusive(v)
	v.SetFollows(true)
	for i := range 500 {
		v.SetString(fmt.Appendf(nil, "own%d", i), []byte("v"), 10, false)
		v.Timeless = true
		v.SetString(fmt.Appendf(nil, "primarys%d", i), []byte("v"), 10, false)
		v.Timeless = false
	}
	v.Swap(0, 1)
	for v.Now = 9; v.ExpireOwn(0, 1); {
	}
	if v.OwnKeys() != 500 {
		t.Errorf("%d own keys", v.OwnKeys())
	}
	v.Now = 10
	for range 1000 {
		v.ExpireOwn(0, 1)
	}
	if v.OwnKeys() != 0 || v.Len(1) != 500 || v.Stats.Expired != 500 {
		t.Errorf("%d own keys, %d keys, %d have expired", v.OwnKeys(), v.Len(1), v.Stats.Expired)
	}
	v.SetString([]byte("last"), []byte("v"), 20, false)
	v.SetFollows(false)
	if v.OwnKeys() != 0 {
		t.Error("a node that leads looks after own keys")
	}
	checkKeyspace(t, ks)
}

// count is how many keys SCAN shows.
func count(v *View) (n int) {
	for cursor, again := uint64(0), true; again; again = cursor != 0 {
		cursor = v.Scan(cursor, 100, func(entry.Entry) { n++ })
	}
	return n
}
