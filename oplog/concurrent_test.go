package oplog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"runtime"
	"sync"
	"testing"
)

// A record of the concurrent tests: kind, writer, number within the writer,
// length, filling. Kind '(' opens a unit of three, ')' closes it.
const recordHead = 11

func record(dst []byte, kind, writer byte, seq uint32, size int) []byte {
	dst = append(dst, kind, writer)
	dst = binary.LittleEndian.AppendUint32(dst, seq)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(size))
	dst = append(dst, '|')
	for range size {
		dst = append(dst, writer+byte(seq))
	}
	return dst
}

// follower checks the stream record by record as it comes.
type follower struct {
	t    *testing.T
	buf  []byte
	next [8]uint32
	in   int // writer whose unit is open, or -1
	sum  uint32
	n    uint64
}

func (f *follower) take(p []byte) {
	f.sum = crc32.Update(f.sum, crc32.IEEETable, p)
	f.n += uint64(len(p))
	f.buf = append(f.buf, p...)
	for len(f.buf) >= recordHead {
		size := int(binary.LittleEndian.Uint32(f.buf[6:]))
		if len(f.buf) < recordHead+size {
			return
		}
		f.record(f.buf[:recordHead+size])
		f.buf = f.buf[recordHead+size:]
	}
}

func (f *follower) record(r []byte) {
	kind, writer, seq := r[0], r[1], binary.LittleEndian.Uint32(r[2:])
	if r[10] != '|' || seq != f.next[writer] {
		f.t.Fatalf("writer %d's record %d is broken or out of turn, want %d", writer, seq, f.next[writer])
	}
	f.next[writer]++
	if want := bytes.Repeat([]byte{writer + byte(seq)}, len(r)-recordHead); !bytes.Equal(r[recordHead:], want) {
		f.t.Fatalf("writer %d's record %d has foreign bytes", writer, seq)
	}
	if f.in >= 0 && f.in != int(writer) {
		f.t.Fatalf("writer %d stands within a unit of writer %d", writer, f.in)
	}
	switch kind {
	case '(':
		f.in = int(writer)
	case ')':
		f.in = -1
	}
}

func appendSome(l *Log, writer byte, n int) {
	var a, b, c []byte
	for seq := uint32(0); seq < uint32(n); {
		if seq%7 == 3 && seq+3 <= uint32(n) {
			a = record(a[:0], '(', writer, seq, int(seq%50))
			b = record(b[:0], '.', writer, seq+1, int(seq%90))
			c = record(c[:0], ')', writer, seq+2, int(seq%30))
			l.AppendUnit(NoDB, a, b, c)
			seq += 3
			continue
		}
		a = record(a[:0], '.', writer, seq, int(seq%200))
		l.Append(NoDB, a)
		seq++
	}
}

// follow reads until the end that is announced on done.
func follow(t *testing.T, l *Log, r *Reader, s Signal, done chan struct{}) *follower {
	f := &follower{t: t, in: -1}
	for {
		p, err := r.Peek()
		if err != nil {
			t.Error(err)
			return f
		}
		f.take(p)
		if len(p) > 0 {
			r.Advance(len(p))
			continue
		}
		if !r.Arm() {
			continue
		}
		select {
		case <-s:
		case <-done:
			if r.Lag() == 0 {
				return f
			}
		}
	}
}

func TestConcurrentAppendersAndReaders(t *testing.T) {
	records := 6000
	if testing.Short() {
		records = 2000
	}
	l := started(t, Options{BlockSize: 2000, Retain: 5000})
	done := make(chan struct{})
	var readers, writers sync.WaitGroup
	followers := make([]*follower, 3)
	for i := range followers {
		s := NewSignal()
		r, err := l.NewReader(0, s.Notify)
		if err != nil {
			t.Fatal(err)
		}
		readers.Add(1)
		go func() { defer readers.Done(); defer r.Close(); followers[i] = follow(t, l, r, s, done) }()
	}
	for w := byte(0); w < 4; w++ {
		writers.Add(1)
		go func() { defer writers.Done(); appendSome(l, w, records) }()
	}
	writers.Wait()
	close(done)
	readers.Wait()
	for i, f := range followers {
		if f.n != l.Offset() || f.sum != followers[0].sum || len(f.buf) != 0 || f.in != -1 {
			t.Errorf("reader %d: %d bytes of %d, sum %x, %d left over", i, f.n, l.Offset(), f.sum, len(f.buf))
		}
	}
	if kept := l.Offset() - l.First(); kept > 5000+2*2000 {
		t.Errorf("%d bytes kept in the end", kept)
	}
}

// Readers come, lag, are cut and go while the log is written and restarted: the
// race detector and the arena's checks are the judges.
func TestChurn(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 20
	}
	l := started(t, Options{BlockSize: 512, Retain: 1000})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := 0; i < 3; i++ {
		wg.Add(1)
		go func() { defer wg.Done(); churn(t, l, stop, uint64(200*(i+1))) }()
	}
	for i := 0; i < rounds; i++ {
		fill(l, 20_000)
		if i%5 == 4 {
			l.Activate(uint64(i%3) * 100_000)
		}
		runtime.Gosched()
	}
	close(stop)
	wg.Wait()
	if n := l.Stats().Readers; n != 0 {
		t.Errorf("%d readers left", n)
	}
}

func churn(t *testing.T, l *Log, stop chan struct{}, lag uint64) {
	s := NewSignal()
	for {
		select {
		case <-stop:
			return
		default:
		}
		r, err := l.NewTailReader(s.Notify)
		if errors.Is(err, ErrInactive) {
			continue
		}
		if err != nil {
			t.Error(err)
			return
		}
		r.SetLagMax(lag)
		for range 500 {
			p, err := r.Peek()
			if err != nil {
				if !errors.Is(err, ErrLagging) && !errors.Is(err, ErrReset) {
					t.Error(err)
				}
				break
			}
			if len(p) == 0 {
				r.Arm()
				continue
			}
			if bytes.IndexByte(p, 0xdb) >= 0 {
				t.Error("freed bytes under a reader's eyes")
			}
			r.Advance(min(len(p), 100))
		}
		r.Close()
	}
}
