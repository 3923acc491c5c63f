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
		{"time over and flushed", 1500, func(v *View) { v.Now = 2000; v.Flush(0) }, true},
		{"dead when watched, then flushed", 500, func(v *View) { v.Flush(0) }, false},
		{"dead when watched, then swapped for nothing", 500, func(v *View) { v.Swap(0, 1) }, false},
		{"dead when watched, then swapped for a dead one", 500, func(v *View) { v.inOther(1, 600); v.Swap(0, 1) }, false},
		{"dead when watched, then swapped for a dead one that is removed", 500, func(v *View) { v.inOther(1, 600); v.Swap(0, 1); v.Find(key) }, false},
		{"dead when watched, then swapped for a living one", 500, func(v *View) { v.inOther(1, 1600); v.Swap(0, 1) }, true},
		{"missing and swapped for a dead one", -1, func(v *View) { v.inOther(1, 600); v.Swap(0, 1) }, false},
		{"missing and swapped for a dead one that is removed", -1, func(v *View) { v.inOther(1, 600); v.Swap(1, 0); v.Find(key) }, false},
		{"missing and swapped for a living one", -1, func(v *View) { v.inOther(1, 1600); v.Swap(0, 1) }, true},
		{"missing and swapped for a living one that died", -1, func(v *View) { v.inOther(1, 1600); v.Swap(0, 1); v.Now = 1700 }, true},
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

// inOther sets the watched key in another database.
func (v *View) inOther(db int, deadline int64) {
	v.DB = db
	v.SetString([]byte("k"), []byte("other"), deadline, false)
	v.DB = 0
}

// TestWatchManyTimes: a client may watch one key twice, and keys of several
// databases; another's watch of the same key is apart.
func TestWatchManyTimes(t *testing.T) {
	v, w := watching(t, 500)
	other := &Watch{}
	v.Now = 400
	v.Watch(other, []byte("k"))
	v.Now = 1000
	v.Watch(w, []byte("k"))
	v.DB = 1
	v.Watch(w, []byte("k"))
	v.DB = 0
	if w.Count() != 2 || other.Count() != 1 {
		t.Fatalf("%d and %d watched, want 2 and 1", w.Count(), other.Count())
	}
	if v.Broken(w) || !v.Broken(other) {
		t.Error("the one who saw the key dead is broken, or the one who saw it alive is not")
	}
	v.Find([]byte("k"))
	if v.Broken(w) || !v.Broken(other) {
		t.Error("the same, after the key was removed")
	}
	v.UnwatchHeld(other)
	v.Changed(1, []byte("k"))
	if !v.Broken(w) || v.Broken(other) {
		t.Error("changed in the other database: it should break the one who watches there")
	}
	v.UnwatchHeld(w)
	if v.Broken(w) || w.Watching() {
		t.Error("still broken or watching after UnwatchHeld")
	}
}
