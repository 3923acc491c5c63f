package oplog

import (
	"bytes"
	"runtime"
	"sync"
	"testing"
)

var sixty = bytes.Repeat([]byte("x"), 60)

func BenchmarkAppend60(b *testing.B) {
	l := started(b, Options{Retain: 1 << 20})
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		l.Append(0, sixty)
	}
}

// As the server does it: ask first, and nobody listens.
func BenchmarkInactive(b *testing.B) {
	l := newLog(b, Options{})
	n := 0
	for i := 0; i < b.N; i++ {
		if l.Active() {
			n++
		}
	}
	if n != 0 {
		b.Fatal("active")
	}
}

func BenchmarkAppend60TwoGoroutines(b *testing.B) {
	l := started(b, Options{Retain: 1 << 20})
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			for i := 0; i < b.N/2; i++ {
				l.Append(0, sixty)
			}
		}()
	}
	wg.Wait()
}

// Two loops that also do something else between their appends, as loops do.
func BenchmarkAppend60TwoLoops(b *testing.B) {
	l := started(b, Options{Retain: 1 << 20})
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			work := uint64(1)
			for i := 0; i < b.N/2; i++ {
				for range 300 {
					work = work*6364136223846793005 + 1
				}
				l.Append(int(work>>63)*0, sixty)
			}
		}()
	}
	wg.Wait()
}

// The same work without the log, to subtract.
func BenchmarkTwoLoopsWithoutLog(b *testing.B) {
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			work := uint64(1)
			for i := 0; i < b.N/2; i++ {
				for range 300 {
					work = work*6364136223846793005 + 1
				}
			}
			runtime.KeepAlive(work)
		}()
	}
	wg.Wait()
}

func BenchmarkAppend60WithReader(b *testing.B) {
	l := started(b, Options{DeferWake: true})
	s := NewSignal()
	r, err := l.NewReader(0, s.Notify)
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		defer r.Close()
		for total := 0; total < b.N*60; {
			p, err := r.Peek()
			if err != nil {
				b.Error(err)
				return
			}
			if len(p) == 0 {
				if r.Arm() {
					<-s
				}
				continue
			}
			total += len(p)
			r.Advance(len(p))
		}
	}()
	for i := 0; i < b.N; i++ {
		l.Append(0, sixty)
		if i%16 == 15 {
			l.Wake()
		}
	}
	l.Wake()
	wg.Wait()
}

func BenchmarkUnitOfThree(b *testing.B) {
	l := started(b, Options{Retain: 1 << 20})
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		l.AppendUnit(0, sixty, sixty, sixty)
	}
}

func BenchmarkEncodeSet(b *testing.B) {
	dst := make([]byte, 0, 128)
	name, k, v := []byte("SET"), []byte("key:000012345678"), sixty[:32]
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		dst = AppendCommand(dst[:0], name, k, v)
	}
}
