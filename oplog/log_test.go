package oplog

import (
	"errors"
	"math"
	"strings"
	"testing"

	"dozo/internal/invariants"
)

func TestSelectIsInjected(t *testing.T) {
	l := started(t, Options{})
	r := reader(t, l, 0)
	set, ping := command("SET", "k", "v"), command("PING")
	for _, db := range []int{0, 0, NoDB, 3, NoDB, 3, 0} {
		if db == NoDB {
			l.Append(db, ping)
		} else {
			l.Append(db, set)
		}
	}
	var want []byte
	for _, c := range [][]byte{selectCommand(0), set, set, ping, selectCommand(3), set, ping, set, selectCommand(0), set} {
		want = append(want, c...)
	}
	wantBytes(t, "stream", drain(t, r), want)
	if l.Offset() != uint64(len(want)) {
		t.Errorf("offset %d after %d bytes", l.Offset(), len(want))
	}
}

func TestForgetDB(t *testing.T) {
	l := started(t, Options{Retain: 1 << 20})
	set := command("SET", "k", "v")
	at := l.Append(7, set)
	l.ForgetDB()
	if db, err := l.DBAt(at); db != NoDB || err != nil {
		t.Errorf("DBAt after ForgetDB = %d, %v", db, err)
	}
	if db, _ := l.DBAt(at - 1); db != 7 {
		t.Errorf("DBAt before ForgetDB = %d", db)
	}
	l.Append(7, set)
	wantBytes(t, "after ForgetDB", drain(t, reader(t, l, at)), append(selectCommand(7), set...))
}

func TestAppendRawIsVerbatim(t *testing.T) {
	l := started(t, Options{Retain: 1 << 20})
	raw := append(selectCommand(5), command("SET", "a", "1")...)
	l.AppendRaw(raw, 5)
	set := command("SET", "b", "2")
	l.Append(5, set)
	wantBytes(t, "mirrored", drain(t, reader(t, l, 0)), append(raw, set...))
	if db, _ := l.DBAt(uint64(len(raw))); db != 5 {
		t.Errorf("database after the mirrored bytes = %d", db)
	}
}

func TestUnitIsSeenWhole(t *testing.T) {
	l := started(t, Options{BlockSize: 64})
	r := reader(t, l, 0)
	want := append(command("MULTI"), selectCommand(2)...)
	u := l.Begin()
	u.Write(NoDB, command("MULTI"))
	for i := 0; i < 20; i++ {
		u.Write(2, command("SET", "key", "value"))
		want = append(want, command("SET", "key", "value")...)
		if b, err := r.Peek(); len(b) != 0 || err != nil {
			t.Fatalf("a reader sees %q, %v of an open unit", b, err)
		}
		if l.Offset() != 0 {
			t.Fatalf("offset %d within a unit", l.Offset())
		}
	}
	u.Write(NoDB, command("EXEC"))
	want = append(want, command("EXEC")...)
	if end := u.End(); end != uint64(len(want)) || l.Offset() != end {
		t.Errorf("unit ends at %d, log at %d, want %d", end, l.Offset(), len(want))
	}
	wantBytes(t, "unit", drain(t, r), want)
}

func TestAppendUnit(t *testing.T) {
	l := started(t, Options{})
	r := reader(t, l, 0)
	end := l.AppendUnit(1, command("DEL", "x"), command("SET", "y", "1"))
	want := append(append(selectCommand(1), command("DEL", "x")...), command("SET", "y", "1")...)
	wantBytes(t, "unit", drain(t, r), want)
	if end != uint64(len(want)) {
		t.Errorf("end %d, want %d", end, len(want))
	}
}

func TestInactive(t *testing.T) {
	l := newLog(t, Options{Retain: 100})
	if l.Active() || l.Append(0, command("PING")) != 0 || l.Offset() != 0 {
		t.Error("an inactive log moved")
	}
	if _, err := l.NewReader(0, nil); !errors.Is(err, ErrInactive) {
		t.Errorf("NewReader: %v", err)
	}
	if _, err := l.NewTailReader(nil); !errors.Is(err, ErrInactive) {
		t.Errorf("NewTailReader: %v", err)
	}
	if _, err := l.DBAt(0); !errors.Is(err, ErrInactive) {
		t.Errorf("DBAt: %v", err)
	}
	u := l.Begin()
	u.Write(0, command("PING"))
	if u.End() != 0 || l.First() != 0 || l.Stats().Memory != 0 {
		t.Error("an inactive log took a unit")
	}
}

func TestActivateDeactivate(t *testing.T) {
	l := newLog(t, Options{Retain: 1 << 20})
	l.Activate(1000)
	set := command("SET", "k", "v")
	end := l.Append(0, set)
	if want := uint64(1000 + len(selectCommand(0)) + len(set)); end != want {
		t.Fatalf("end %d, want %d", end, want)
	}
	r := reader(t, l, 1000)
	l.Deactivate()
	if l.Active() || l.Offset() != end || l.Stats().Memory != 0 {
		t.Errorf("after Deactivate: active %v, offset %d, %d bytes", l.Active(), l.Offset(), l.Stats().Memory)
	}
	if _, err := r.Peek(); !errors.Is(err, ErrReset) {
		t.Errorf("reader of a deactivated log: %v", err)
	}
	l.Append(0, set)
	if l.Offset() != end {
		t.Error("an inactive log moved")
	}
	for _, at := range []uint64{end, 5, 1 << 40} {
		l.Activate(at)
		if l.Offset() != at || l.First() != at {
			t.Errorf("activated at %d: %d to %d", at, l.First(), l.Offset())
		}
		r := reader(t, l, at)
		l.Append(0, set)
		wantBytes(t, "new history", drain(t, r), append(selectCommand(0), set...))
		if _, err := l.NewReader(at-1, nil); !errors.Is(err, ErrTrimmed) {
			t.Errorf("a position before the activation: %v", err)
		}
	}
}

func TestPositions(t *testing.T) {
	l := newLog(t, Options{Retain: 1 << 20})
	l.Activate(50)
	end := l.Append(0, command("SET", "k", "v"))
	for at, want := range map[uint64]error{49: ErrTrimmed, 50: nil, 60: nil, end: nil, end + 1: ErrFuture} {
		r, err := l.NewReader(at, nil)
		if !errors.Is(err, want) {
			t.Errorf("NewReader(%d): %v, want %v", at, err, want)
		}
		if err == nil && (r.Pos() != at || r.Lag() != end-at) {
			t.Errorf("reader at %d: pos %d, lag %d", at, r.Pos(), r.Lag())
		}
	}
}

func TestWireOffsets(t *testing.T) {
	for _, p := range []uint64{0, 1, 1 << 40} {
		if back, err := FromWire(ToWire(p)); back != p || err != nil {
			t.Errorf("FromWire(ToWire(%d)) = %d, %v", p, back, err)
		}
	}
	for _, n := range []int64{0, -1, -1 << 63} {
		if _, err := FromWire(n); err == nil {
			t.Errorf("FromWire(%d) has no error", n)
		}
	}
}

// TestExtra: what is kept for a reader that is behind is told apart from what is
// retained anyway.
func TestExtra(t *testing.T) {
	const retain = 256 << 10
	l := started(t, Options{Retain: retain})
	r := reader(t, l, 0)
	cmd := command("SET", "key", strings.Repeat("x", 1000))
	for l.Offset() < 4<<20 {
		l.Append(0, cmd)
	}
	if n := l.Extra(); n < 3<<20 || n > 4<<20 {
		t.Errorf("%d bytes extra while a reader is behind", n)
	}
	drain(t, r)
	l.SetRetain(retain) // trims
	if n := l.Extra(); n != 0 {
		t.Errorf("%d bytes extra with nobody behind", n)
	}
}

func TestDBAtEveryOffset(t *testing.T) {
	l := started(t, Options{BlockSize: 128, Retain: 1 << 20})
	want := []int{}
	note := func(end uint64, db int) {
		for uint64(len(want)) < end {
			want = append(want, db)
		}
	}
	cur := NoDB
	for i := 0; i < 300; i++ {
		db := i * i % 5
		before := l.Offset()
		if db != cur {
			// The command's SELECT still counts to the former database.
			note(before+uint64(len(selectCommand(db))), cur)
			cur = db
		}
		note(l.Append(db, command("SET", "k", "v")), db)
	}
	for at, db := range want {
		r := reader(t, l, uint64(at))
		if r.DB() != db {
			t.Fatalf("database at %d = %d, want %d", at, r.DB(), db)
		}
		r.Close()
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	if invariants.Enabled {
		t.Skip("the checks allocate")
	}
	l := started(t, Options{Retain: 1 << 10})
	scratch := make([]byte, 0, 256)
	k, v := []byte("key"), []byte("value")
	db := 0
	n := testing.AllocsPerRun(2000, func() {
		db ^= 1
		scratch = AppendCommand(scratch[:0], []byte("SET"), k, v)
		scratch = AppendHeader(scratch, 2)
		scratch = AppendArgInt(AppendArgString(scratch, "INCRBY"), -17)
		l.Append(db, scratch)
		l.AppendUnit(db, k, v)
	})
	if n >= 1 {
		t.Errorf("%.2f allocations an append", n)
	}
}

func TestEncode(t *testing.T) {
	big := make([]byte, 12345)
	got := AppendCommand(nil, []byte("SET"), nil, []byte("0123456789"), big)
	want := "*4\r\n$3\r\nSET\r\n$0\r\n\r\n$10\r\n0123456789\r\n$12345\r\n" + string(big) + "\r\n"
	wantBytes(t, "command", got, []byte(want))
	wantBytes(t, "number", AppendArgInt(nil, -9223372036854775808), []byte("$20\r\n-9223372036854775808\r\n"))
	wantBytes(t, "header", AppendHeader(nil, 12), []byte("*12\r\n"))
}

// TestLeftOut: what is not to be executed again is told of at each offset, also when much has
// come since, until the log has let it go.
func TestLeftOut(t *testing.T) {
	l := newLog(t, Options{Retain: 1 << 10, BlockSize: blockSizeMin})
	l.Activate(100)
	if until, next := l.LeftOut(100); until != 0 || next != math.MaxUint64 {
		t.Errorf("an empty log leaves out %d, %d", until, next)
	}
	l.AppendRaw(make([]byte, 10), 0)                                     // 100 to 110
	l.AppendRaw(make([]byte, 5), 0, Span{0, 5})                          // to 115
	l.AppendRaw(make([]byte, 20), 0, Span{0, 2}, Span{4, 6}, Span{6, 7}) // to 135
	for at, want := range map[uint64][2]uint64{
		100: {0, 110}, 109: {0, 110}, 110: {117, 110}, 116: {117, 110}, 117: {0, 119}, 119: {122, 119}, 121: {122, 119}, 122: {0, math.MaxUint64},
	} {
		if until, next := l.LeftOut(at); until != want[0] || next != want[1] {
			t.Errorf("at %d: %d, %d; want %v", at, until, next, want)
		}
	}
	for range 5000 {
		l.AppendRaw(make([]byte, 100), 0, Span{1, 2})
	}
	if n := len(l.left); n > 1000 {
		t.Errorf("%d parts are remembered of a log of %d bytes", n, l.Offset()-l.First())
	}
	l.Activate(0)
	if until, next := l.LeftOut(0); until != 0 || next != math.MaxUint64 {
		t.Errorf("a new log leaves out %d, %d", until, next)
	}
}
