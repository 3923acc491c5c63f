package oplog

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func fill(l *Log, bytes int) {
	c := command("SET", "key", "0123456789")
	for n := 0; n < bytes; n += len(c) {
		l.Append(0, c)
	}
}

func TestRetain(t *testing.T) {
	const block = 1 << 10
	l := started(t, Options{BlockSize: block, Retain: 10 * block})
	for i := 0; i < 100; i++ {
		fill(l, block/3)
		kept := l.Offset() - l.First()
		if l.Offset() > 11*block && (kept < 10*block || kept > 12*block) {
			t.Fatalf("%d bytes kept at %d", kept, l.Offset())
		}
	}
	reader(t, l, l.First()).Close()
	if _, err := l.NewReader(l.First()-1, nil); !errors.Is(err, ErrTrimmed) {
		t.Errorf("before the first: %v", err)
	}
	l.SetRetain(2 * block)
	if kept := l.Offset() - l.First(); kept < 2*block || kept > 4*block {
		t.Errorf("%d bytes kept after SetRetain", kept)
	}
	if s := l.Stats(); s.Memory > 5*block || s.Retain != 2*block {
		t.Errorf("after SetRetain: %+v", s)
	}
}

func TestReaderHoldsTheLog(t *testing.T) {
	const block = 1 << 10
	l := started(t, Options{BlockSize: block})
	slow, fast := reader(t, l, 0), reader(t, l, 0)
	fill(l, 50*block)
	all := drain(t, fast)
	if l.First() != 0 {
		t.Fatalf("trimmed to %d under a reader at 0", l.First())
	}
	wantBytes(t, "slow reader", drain(t, slow), all)
	if kept := l.Offset() - l.First(); kept > 2*block {
		t.Errorf("%d bytes kept though nobody needs them", kept)
	}
	lazy := reader(t, l, l.Offset())
	fill(l, 50*block)
	lazy.Close()
	lazy.Close()
	slow.Close()
	fast.Close()
	if kept := l.Offset() - l.First(); kept > 2*block {
		t.Errorf("%d bytes kept after Close", kept)
	}
	if _, err := lazy.Peek(); !errors.Is(err, ErrClosed) {
		t.Errorf("closed reader: %v", err)
	}
	if n := l.Stats().Readers; n != 0 {
		t.Errorf("%d readers", n)
	}
}

func TestLagMax(t *testing.T) {
	const block = 1 << 10
	l := started(t, Options{BlockSize: block})
	woken := 0
	asleep, err := l.NewTailReader(func() { woken++ })
	if err != nil {
		t.Fatal(err)
	}
	looking := reader(t, l, 0)
	for _, r := range []*Reader{asleep, looking} {
		r.SetLagMax(5 * block)
	}
	fill(l, block/2)
	seen, _ := looking.Peek()
	was := bytes.Clone(seen)
	fill(l, 20*block)
	if woken != 0 {
		t.Error("woken without Arm")
	}
	wantBytes(t, "bytes under the eyes of a cut reader", seen, was)
	looking.Advance(len(seen))
	for _, r := range []*Reader{asleep, looking} {
		if _, err := r.Peek(); !errors.Is(err, ErrLagging) {
			t.Errorf("reader that lags: %v", err)
		}
		if r.Arm() {
			t.Error("a cut reader could be armed")
		}
	}
	if s := l.Stats(); s.Readers != 0 || s.End-s.First > 2*block {
		t.Errorf("cut readers still hold: %+v", s)
	}
}

func TestResetUnderTheEyes(t *testing.T) {
	for _, at := range []uint64{0, 1, 1 << 30} {
		l := started(t, Options{BlockSize: 256})
		c := command("SET", "k", "v")
		l.Append(0, c)
		a, b, end := reader(t, l, 0), reader(t, l, 3), reader(t, l, l.Offset())
		pa, _ := a.Peek()
		pb, _ := b.Peek()
		was := bytes.Clone(pa)
		l.Activate(at)
		fill(l, 2000)
		wantBytes(t, "a's bytes", pa, was)
		wantBytes(t, "b's bytes", pb, was[3:])
		a.Advance(len(pa))
		b.Close()
		for _, r := range []*Reader{a, b, end} {
			if _, err := r.Peek(); err == nil {
				t.Errorf("a reader of the former history reads on")
			}
		}
	}
}

func TestArmCoalesces(t *testing.T) {
	l := started(t, Options{})
	woken := 0
	r, err := l.NewReader(0, func() { woken++ })
	if err != nil {
		t.Fatal(err)
	}
	fill(l, 1)
	if woken != 0 || r.Arm() {
		t.Error("armed though there are bytes")
	}
	drain(t, r)
	for i := 1; i <= 3; i++ {
		for range 2 { // twice is once
			if !r.Arm() {
				t.Fatal("cannot arm at the end")
			}
		}
		fill(l, 300)
		if woken != i {
			t.Fatalf("woken %d times, want %d", woken, i)
		}
		drain(t, r)
	}
	r.Arm()
	l.Deactivate()
	if woken != 4 {
		t.Error("Deactivate does not wake")
	}
	if l.armed.Load() != 0 {
		t.Errorf("%d readers armed in the end", l.armed.Load())
	}
}

func TestDeferWake(t *testing.T) {
	l := started(t, Options{DeferWake: true})
	woken := 0
	r, _ := l.NewReader(0, func() { woken++ })
	r.Arm()
	l.Wake()
	fill(l, 300)
	if woken != 0 {
		t.Error("woken before Wake, or without bytes")
	}
	l.Wake()
	l.Wake()
	if woken != 1 {
		t.Errorf("woken %d times", woken)
	}
}

func TestSignal(t *testing.T) {
	l := started(t, Options{})
	s := NewSignal()
	r, _ := l.NewReader(0, s.Notify)
	got := make(chan int)
	go func() {
		n, buf := 0, make([]byte, 64)
		for n < 5000 {
			m, _ := r.Read(buf)
			n += m
			if m == 0 && r.Arm() {
				<-s
			}
		}
		got <- n
	}()
	fill(l, 5000)
	select {
	case <-got:
	case <-time.After(10 * time.Second):
		t.Fatal("the reader sleeps though there are bytes")
	}
}

func TestPeekTwice(t *testing.T) {
	l := started(t, Options{})
	r := reader(t, l, 0)
	fill(l, 10)
	if _, err := r.Peek(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Peek(); err == nil {
		t.Error("Peek within Peek has no error")
	}
	r.Advance(1)
	if p, err := r.Peek(); err != nil || r.Pos() != 1 || len(p) == 0 {
		t.Errorf("after Advance: %q, %v at %d", p, err, r.Pos())
	}
	r.Advance(0)
}

// TestCut: whoever cuts a reader decides what is the last byte that its owner gets.
func TestCut(t *testing.T) {
	l := started(t, Options{BlockSize: 1 << 10})
	woken := 0
	asleep, err := l.NewTailReader(func() { woken++ })
	if err != nil {
		t.Fatal(err)
	}
	asleep.Arm()
	looking := reader(t, l, 0)
	fill(l, 100)
	seen, _ := looking.Peek()
	was := bytes.Clone(seen)
	reason := errors.New("the history has another name")
	for _, r := range []*Reader{asleep, looking} {
		r.Cut(reason)
		r.Cut(ErrLagging) // the first reason stays
	}
	fill(l, 100)
	wantBytes(t, "bytes under the eyes of a cut reader", seen, was)
	looking.Advance(len(seen))
	for _, r := range []*Reader{asleep, looking} {
		if b, err := r.Peek(); len(b) != 0 || !errors.Is(err, reason) {
			t.Errorf("a cut reader gives %q, %v", b, err)
		}
		r.Close()
	}
	if woken != 1 || l.Stats().Readers != 0 {
		t.Errorf("woken %d times, %d readers are left", woken, l.Stats().Readers)
	}
}
