package keyspace

import "sync/atomic"

// lock is the lock of a shard: held for a fraction of a microsecond as a rule,
// by threads that the scheduler of goroutines must not part from their loops.
//
// To sleep costs such a thread two wake-ups by way of another thread, on a busy
// machine milliseconds; so a waiting one looks again and again first, for some
// twenty microseconds, at growing distances, which leaves the cache line with the
// holder. Only then it sleeps: the holder has a long job, or was itself put
// aside by the system. (sync.Mutex looks four times, almost two microseconds
// apart, which is both too seldom for a short job and too short for a long one.)
//
// LIMITATIONS: the lock is not fair. With more loops than processors a holder
// that the system has put aside costs each that waits those microseconds.
type lock struct {
	state atomic.Uint32
	wake  chan struct{}
}

// The states of a lock.
const (
	lockFree   = iota
	lockHeld   // nobody sleeps
	lockWanted // somebody may be asleep
)

const (
	// spinSteps is how long a lock is looked at before sleeping, in turns of an
	// empty loop.
	spinSteps = 1 << 16
	// spinFirst and spinLast are the distances between two looks.
	spinFirst = 1 << 4
	spinLast  = 1 << 9
)

func newLock() lock { return lock{wake: make(chan struct{}, 1)} }

func (l *lock) lock() {
	if !l.state.CompareAndSwap(lockFree, lockHeld) {
		l.lockSlow()
	}
}

//go:noinline
func (l *lock) lockSlow() {
	distance := spinFirst
	for spun := 0; spun < spinSteps; spun += distance {
		for range distance { // a pause
		}
		distance = min(2*distance, spinLast)
		if l.state.Load() == lockFree && l.state.CompareAndSwap(lockFree, lockHeld) {
			return
		}
	}
	// Whoever finds the state wanted when he unlocks leaves one token. It stays
	// until somebody takes it, so it cannot come too early; who wakes up for it in
	// vain makes the state wanted again before he sleeps again.
	for l.state.Swap(lockWanted) != lockFree {
		<-l.wake
	}
}

func (l *lock) unlock() {
	if l.state.Swap(lockFree) == lockWanted {
		select {
		case l.wake <- struct{}{}:
		default: // one is there
		}
	}
}
