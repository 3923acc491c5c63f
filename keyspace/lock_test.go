package keyspace

import (
	"sync"
	"testing"
	"time"
	"unsafe"
)

// TestLock: one at a time, and nobody is forgotten asleep. Some hold it for so
// long that the others sleep.
func TestLock(t *testing.T) {
	l := newLock()
	var wg sync.WaitGroup
	count, turns := 0, steps(t, 4000)
	const executors = 6
	for id := range executors {
		wg.Go(func() {
			for i := range turns {
				l.lock()
				count++
				if i%500 == id {
					time.Sleep(200 * time.Microsecond)
				}
				l.unlock()
			}
		})
	}
	wg.Wait()
	if count != executors*turns {
		t.Errorf("%d turns counted of %d", count, executors*turns)
	}
	l.lock()
	if got := l.state.Load(); got != lockHeld && got != lockWanted {
		t.Errorf("state %d while held", got)
	}
	l.unlock()
	if got := l.state.Load(); got != lockFree {
		t.Errorf("state %d at the end", got)
	}
}

// TestLayout: what different executors write to does not share cache lines.
func TestLayout(t *testing.T) {
	if n := unsafe.Sizeof(shard{}); n%128 != 0 {
		t.Errorf("a shard has %d bytes", n)
	}
}

func BenchmarkLock(b *testing.B) {
	l := newLock()
	for b.Loop() {
		l.lock()
		l.unlock()
	}
}
