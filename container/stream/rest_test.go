package stream

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTrimAll: when nothing stays of a long stream its nodes are left to be freed, and
// the stream is as if they had been trimmed one by one.
func TestTrimAll(t *testing.T) {
	const n = 3000
	for _, trim := range []Trim{{}, {Approx: true, Limit: n}, {ByID: true, MinID: ID{n, 1}}} {
		s := New(newHeap(t))
		g, _ := s.CreateGroup([]byte("g"), ID{}, 0)
		g.CreateConsumer([]byte("c"), 0)
		for i := range uint64(n) {
			if err := s.Append(ID{i + 1, 0}, Limits{NodeEntries: 10}, bytesOf("field", "value")); err != nil {
				t.Fatal(err)
			}
		}
		s.Delete(ID{77, 0})
		want := s.State()
		want.Length, want.First = 0, ID{}
		deleted, rest := s.Trim(trim)
		if deleted != n-1 || rest.IsNone() || s.Nodes() != 0 || s.State() != want {
			t.Errorf("%+v: %d trimmed, %d nodes, %+v", trim, deleted, s.Nodes(), s.State())
		}
		freed(t, 0, rest)
		check(t, &s)
		if err := s.Append(ID{n + 1, 0}, redisLimits, bytesOf("a", "b")); err != nil || s.State().First != (ID{n + 1, 0}) {
			t.Errorf("%v, %+v", err, s.State())
		}
		check(t, &s)
		s.Free()
	}
}

// TestDeleteGreatConsumer: what is pending for one who has most of it is left to be
// freed, and the others keep what they have.
func TestDeleteGreatConsumer(t *testing.T) {
	seeds(t, func(t *testing.T, r *rand.Rand) {
		s := New(newHeap(t))
		defer s.Free()
		g, _ := s.CreateGroup([]byte("g"), ID{}, 0)
		great, _ := g.CreateConsumer([]byte("great"), 0)
		small := make([]Consumer, 3)
		for i := range small {
			small[i], _ = g.CreateConsumer([]byte{"aiz"[i]}, 0)
		}
		want, all, mine := make([][]ID, len(small)), []ID(nil), 0
		for i := range uint64(2000 + r.IntN(5000)) {
			id := ID{i / 7, i}
			if k := r.IntN(12); k < len(small) {
				g.Deliver(&small[k], id, int64(i))
				want[k], all = append(want[k], id), append(all, id)
			} else {
				g.Deliver(&great, id, int64(i))
				mine++
			}
		}
		n, rest := g.DeleteConsumer(great)
		if n != mine || rest.IsNone() || g.Pending() != len(all) || g.Consumers() != len(small) {
			t.Fatalf("%d were pending, want %d; %d are, want %d", n, mine, g.Pending(), len(all))
		}
		freed(t, 0, rest)
		check(t, &s)
		if got := pendingIDs(g.PendingFrom(ID{})); !slices.Equal(got, all) {
			t.Errorf("pending: %v, want %v", got, all)
		}
		for i := range small {
			if got := pendingIDs(g.PendingOf(&small[i], ID{})); !slices.Equal(got, want[i]) {
				t.Errorf("%q has %v, want %v", small[i].Name(), got, want[i])
			}
		}
	})
}

func pendingIDs(it PendingIterator) (ids []ID) {
	for it.Next() {
		ids = append(ids, it.Pending.ID)
	}
	return ids
}
