package oplog

import (
	"bytes"
	"fmt"
	"testing"

	"dozo/arena"
)

// newLog is a log on an arena of its own, which must be empty at the end.
func newLog(t testing.TB, o Options) *Log {
	t.Helper()
	a, err := arena.New(arena.Options{Reserve: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	l := New(a, o)
	t.Cleanup(func() {
		l.Close()
		if l.held != 0 {
			t.Errorf("the closed log still counts %d bytes", l.held)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// started is a log that is active from offset 0.
func started(t testing.TB, o Options) *Log {
	t.Helper()
	l := newLog(t, o)
	l.Activate(0)
	return l
}

func reader(t testing.TB, l *Log, from uint64) *Reader {
	t.Helper()
	r, err := l.NewReader(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// drain reads all that there is.
func drain(t testing.TB, r *Reader) []byte {
	t.Helper()
	var all []byte
	buf := make([]byte, 700)
	for {
		n, err := r.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return all
		}
		all = append(all, buf[:n]...)
	}
}

func command(args ...string) []byte {
	var b []byte
	b = AppendHeader(b, len(args))
	for _, a := range args {
		b = AppendArgString(b, a)
	}
	return b
}

func selectCommand(db int) []byte { return command("SELECT", fmt.Sprint(db)) }

func wantBytes(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	t.Fatalf("%s: %d bytes, want %d; they differ at %d: %q and %q", what, len(got), len(want), i, tail(got, i), tail(want, i))
}

func tail(b []byte, i int) []byte { return b[i:min(len(b), i+60)] }
