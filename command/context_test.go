package command

import (
	"fmt"
	"testing"

	"dozo/arena"
	"dozo/env"
	"dozo/internal/invariants"
	"dozo/keyspace"
	"dozo/object"
	"dozo/resp"
)

// listener writes down key events.
type listener struct{ heard []string }

func (l *listener) KeyEvent(class Event, event string, db int, key []byte) {
	l.heard = append(l.heard, fmt.Sprintf("%d %s %d %s", class, event, db, key))
}

func (l *listener) Serve(*keyspace.Wait, []int) bool { return false }

func (l *listener) Removed(int, []byte, keyspace.Reason) {}

func (l *listener) FieldExpired(int, []byte, []byte) {}

func (l *listener) FieldsExpired(int, []byte, bool) {}

// newContext makes a context on an empty keyspace of two databases.
func newContext(tb testing.TB) (*Context, *listener) {
	a, err := arena.New(arena.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	ks := keyspace.New(keyspace.Options{
		Arena: a, Loops: 1, Databases: 2, Seed: 7, NewRand: func() env.Rand { return env.Seeded(1) },
	})
	tb.Cleanup(func() {
		ks.Close()
		if err := a.Close(); err != nil {
			tb.Error(err)
		}
	})
	l := &listener{}
	c := &Context{View: ks.NewView(l), Out: &resp.Writer{Proto: 2}, Notifier: l, NotifyMask: EventAll | EventKeyMiss}
	c.Effects.Enabled = true
	ks.BeginExclusive(c.View)
	return c, l
}

func TestEffects(t *testing.T) {
	c, _ := newContext(t)
	e := &c.Effects
	e.Reset()
	c.Propagate([]byte("DEL"), []byte("a"))
	c.DB = 1
	c.Propagate([]byte("PERSIST"), []byte("b"))
	if !e.Explicit() {
		t.Error("a handler has said what to log")
	}
	e.Begin()
	if e.Explicit() || e.Dirty != 0 {
		t.Error("the next call of a transaction has said nothing yet")
	}
	e.Add(0, []byte("PING"))
	units, bytes := e.Units()
	want := "*2\r\n$3\r\nDEL\r\n$1\r\na\r\n*2\r\n$7\r\nPERSIST\r\n$1\r\nb\r\n*1\r\n$4\r\nPING\r\n"
	if string(bytes) != want || fmt.Sprint(units) != fmt.Sprint([]Effect{{0, 20}, {1, 44}, {0, 58}}) {
		t.Errorf("effects are %v of %q", units, bytes)
	}
	e.Reset()
	if units, bytes := e.Units(); len(units) != 0 || len(bytes) != 0 {
		t.Error("effects outlive a reset")
	}
	c.PropagateNothing()
	if !e.Explicit() {
		t.Error("a handler has said that nothing is to be logged")
	}
	e.Reset()
	e.Enabled = false
	c.Propagate([]byte("DEL"), []byte("a"))
	if units, _ := e.Units(); len(units) != 0 {
		t.Error("effects are kept although nobody reads the log")
	}
}

func TestModified(t *testing.T) {
	c, l := newContext(t)
	c.Modified([]byte("a"), EventString, "set")
	c.ModifiedIn(1, []byte("b"), EventGeneric, "copy_to")
	c.NotifyMask = EventGeneric
	c.Modified([]byte("c"), EventString, "set")
	c.Notify(EventGeneric, "del", 0, []byte("d"))
	if c.Effects.Dirty != 3 {
		t.Errorf("%d changes, want 3", c.Effects.Dirty)
	}
	want := []string{
		fmt.Sprintf("%d set 0 a", EventString), fmt.Sprintf("%d copy_to 1 b", EventGeneric),
		fmt.Sprintf("%d del 0 d", EventGeneric),
	}
	if fmt.Sprint(l.heard) != fmt.Sprint(want) {
		t.Errorf("events are %q, want %q", l.heard, want)
	}
}

func TestLookups(t *testing.T) {
	c, l := newContext(t)
	key := []byte("a")
	for _, lookup := range []func([]byte, object.Type) (object.Cell, error){c.Lookup, c.LookupEdit} {
		if cell, err := lookup(key, object.String); err != nil || cell.Ok() {
			t.Errorf("a missing key: %v, %v", cell, err)
		}
	}
	if fmt.Sprint(l.heard) != fmt.Sprintf("[%d keymiss 0 a]", EventKeyMiss) {
		t.Errorf("events are %q", l.heard)
	}
	c.SetString(key, []byte("text"), 0, false)
	for _, lookup := range []func([]byte, object.Type) (object.Cell, error){c.Lookup, c.LookupEdit} {
		if cell, err := lookup(key, object.String); err != nil || !cell.Ok() {
			t.Errorf("a string: %v, %v", cell, err)
		}
		if cell, err := lookup(key, object.List); err != ErrWrongType || cell.Ok() {
			t.Errorf("a string that must be a list: %v, %v", cell, err)
		}
	}
}

func TestContextDoesNotAllocate(t *testing.T) {
	if invariants.Enabled {
		t.Skip("checks of the build allocate")
	}
	c, _ := newContext(t)
	c.NotifyMask = 0
	key, verb := []byte("a"), []byte("DEL")
	c.SetString(key, []byte("text"), 0, false)
	if n := testing.AllocsPerRun(100, func() {
		c.Effects.Reset()
		_, _ = c.Lookup(key, object.String)
		_, _ = c.Lookup(key, object.List)
		c.Modified(key, EventString, "set")
		c.Propagate(verb, key)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkContext is what dispatch and a handler do to a Context beside the
// handler's own work.
func BenchmarkContext(b *testing.B) {
	c, _ := newContext(b)
	c.NotifyMask = 0
	args := toWords([]string{"SET", "a", "b"})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			c.Effects.Reset()
			c.Effects.Begin()
			c.Args = args
			if c.Effects.Dirty != 0 {
				b.Fatal("dirty")
			}
		}
	})
	b.Run("logged write", func(b *testing.B) {
		for b.Loop() {
			c.Effects.Reset()
			c.Effects.Begin()
			c.Effects.Dirty++
			c.Effects.Add(0, args...)
		}
	})
}
