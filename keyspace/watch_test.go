package keyspace

import "testing"

// watching is a keyspace with one client that watches key k.
func watching(t *testing.T, deadline int64) (*View, *Watch) {
	ks := newTestKeyspace(t, 1, 2, 7)
	v := ks.NewView(nil)
	v.Now = 1000
	ks.BeginExclusive(v)
	t.Cleanup(func() { ks.EndExclusive(v) })
	if deadline >= 0 {
		v.SetString([]byte("k"), []byte("v"), deadline, false)
	}
	w := &Watch{}
	v.Watch(w, []byte("k"))
	return v, w
}

func TestWatchSeesChanges(t *testing.T) {
	key := []byte("k")
	for _, c := range []struct {
		name     string
		deadline int64 // of the key when it is watched; -1 = missing
		change   func(v *View)
		broken   bool
	}{
		{"nothing", 0, func(*View) {}, false},
		{"changed", 0, func(v *View) { v.Changed(0, key) }, true},
		{"changed in another database", 0, func(v *View) { v.Changed(1, key) }, false},
		{"another key", 0, func(v *View) { v.Changed(0, []byte("other")) }, false},
		{"time over", 1500, func(v *View) { v.Now = 2000 }, true},
		{"time over and removed", 1500, func(v *View) { v.Now = 2000; v.Find(key) }, true},
		{"dead when watched", 500, func(*View) {}, false},
		{"dead when watched, then removed", 500, func(v *View) { v.Find(key) }, false},
		{"dead when watched, then made", 500, func(v *View) { v.Find(key); v.Changed(0, key) }, true},
		{"flushed", 0, func(v *View) { v.Flush(0) }, true},
		{"all flushed", 0, func(v *View) { v.Flush(-1) }, true},
		{"missing and flushed", -1, func(v *View) { v.Flush(0) }, false},
		{"another database flushed", 0, func(v *View) { v.Flush(1) }, false},
		{"swapped", 0, func(v *View) { v.Swap(0, 1) }, true},
		{"missing on both sides and swapped", -1, func(v *View) { v.Swap(0, 1) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, w := watching(t, c.deadline)
			c.change(v)
			if got := v.Broken(w); got != c.broken {
				t.Errorf("Broken = %t, want %t", got, c.broken)
			}
			v.Unwatch(w)
			for i := range v.ks.shards {
				if n := len(v.ks.shards[i].watched); n != 0 {
					t.Errorf("shard %d still has %d watched keys", i, n)
				}
			}
		})
	}
}
