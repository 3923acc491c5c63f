package eventloop

import (
	"sync"
	"sync/atomic"
)

// op tells the loop's own notes from those for the Handler.
type op uint8

const (
	opMessage op = iota // for the Handler
	opAdopt             // Conn is a new connection for this loop
	opArrived           // a reading goroutine has a result
	opSent              // a writing goroutine has a result
	opStop              // end the loop
)

// inbox is where other goroutines leave notes for a loop. The loop takes all of
// them at once, so the lock is held for one append or one swap.
//
// A loop that is about to sleep raises asleep and then looks at count again; a
// poster raises count and then looks at asleep. One of them sees the other, so no
// note is left lying while the loop sleeps, and nobody pays for a wake-up that is
// not needed: whoever lowers asleep makes the call.
type inbox struct {
	count  atomic.Int64 // of notes and woken
	asleep atomic.Bool
	woken  atomic.Pointer[feed] // a list of those that Wake was called for

	mu     sync.Mutex
	notes  []Message
	closed bool

	spare []Message // the loop's: the list taken last, emptied
}

// push adds m. ok is false when the loop has ended; wake is true when the caller
// must wake the loop.
func (b *inbox) push(m *Message) (ok, wake bool) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return false, false
	}
	b.notes = append(b.notes, *m)
	b.count.Add(1)
	b.mu.Unlock()
	return true, b.claimWake()
}

// claimWake says whether the caller is the one to wake the loop.
func (b *inbox) claimWake() bool {
	return b.asleep.Load() && b.asleep.CompareAndSwap(true, false)
}

// take returns all notes, to be given back with recycle.
func (b *inbox) take() []Message {
	if b.count.Load() == 0 {
		return nil
	}
	b.mu.Lock()
	notes := b.notes
	b.notes = b.spare
	b.mu.Unlock()
	b.count.Add(-int64(len(notes)))
	b.spare = nil
	return notes
}

// pushWoken adds f, which is on no list, and says whether the caller must wake the
// loop. The count goes first, or the loop could take f off before it was counted and
// overlook a note for it.
func (b *inbox) pushWoken(f *feed) (wake bool) {
	b.count.Add(1)
	for {
		f.next = b.woken.Load()
		if b.woken.CompareAndSwap(f.next, f) {
			return b.claimWake()
		}
	}
}

// takeWoken returns the list of those that were woken, the last of them first.
func (b *inbox) takeWoken() *feed {
	first := b.woken.Swap(nil)
	n := int64(0)
	for f := first; f != nil; f = f.next {
		n++
	}
	b.count.Add(-n)
	return first
}

// recycle gives back what take returned.
func (b *inbox) recycle(notes []Message) {
	const keep = 1024
	if cap(notes) > keep {
		return
	}
	clear(notes)
	b.spare = notes[:0]
}

// close refuses further notes and returns the last ones.
func (b *inbox) close() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	notes := b.notes
	b.notes, b.closed = nil, true
	return notes
}
