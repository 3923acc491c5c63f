package server

// Notes are what one client's doing has to show to others: published messages,
// events of keys, and lines for MONITOR.
//
// Every note that is for clients of a loop waits in that loop's queue, whichever
// loop it comes from, and is handed out in the order of the queue. One note may
// mean thousands of writes to clients, while making it costs its author next to
// nothing, and author and receivers may be on different threads: nothing but the
// rules below keeps an author from filling the memory.
//
//   - A loop hands out a bounded number of bytes in a round (roundPushMax in all,
//     onePushMax to one client). Then the sockets get them, and clients of the loop
//     get their turn, before it goes on.
//   - The bytes of the notes that wait for a loop are counted (waitingMax). An
//     author who finds more has its next command held until half of them have
//     been handed out. So the slowest loop sets the pace, as the only thread does
//     in Redis.
//
// Memory is then bounded by what sockets refuse, which output limits are about.
//
// LIMITATIONS: the bounds are looked at between commands: the notes of one command
// (an EXEC, a MSET with key events) are made in any case. Expiry makes its events
// without being held.

import (
	"dozo/eventloop"
	"dozo/pubsub"
)

const (
	// roundPushMax is how many bytes a loop hands out in one round. Fewer and
	// larger writes are cheaper, so it is not small.
	roundPushMax = 8 << 20
	// onePushMax is how many a client may be given before they are offered to its
	// socket, so that output limits tell slow readers from fast authors.
	onePushMax = 256 << 10
	// waitingMax is how many bytes of notes may wait for a loop before their
	// authors have to.
	waitingMax = 1 << 20
	// noteBytes is what a note costs beside its text.
	noteBytes = 128
	// keptNotes is the largest queue that is kept when it is empty.
	keptNotes = 4096
)

// note is one entry of the queue: a message, or a line for MONITOR.
type note struct {
	message *pubsub.Message
	line    []byte
}

func (n *note) cost() int64 {
	if n.message == nil {
		return noteBytes + int64(len(n.line))
	}
	return noteBytes + int64(len(n.message.Channel)+len(n.message.Payload))
}

// noteQueue is what a loop has to hand out, the oldest first.
type noteQueue struct {
	notes []note
	next  int // notes[next:] wait
}

func (q *noteQueue) add(n note) { q.notes = append(q.notes, n) }

func (q *noteQueue) empty() bool { return q.next == len(q.notes) }

// take removes the oldest note; the queue is not empty.
func (q *noteQueue) take() note {
	n := q.notes[q.next]
	q.notes[q.next] = note{}
	q.next++
	if q.empty() {
		q.next = 0
		if q.notes = q.notes[:0]; cap(q.notes) > keptNotes {
			q.notes = nil
		}
	}
	return n
}

// tell puts a note in the queue of a worker.
func (w *worker) tell(to *worker, n note) {
	cost := n.cost()
	if to.waitingNotes.Add(cost) > waitingMax && w.current != nil {
		w.congested = to
	}
	switch {
	case to == w:
		w.local.queue.add(n)
	case n.message != nil:
		to.loop.Post(eventloop.Message{Kind: msgPublish, Any: n.message})
	default:
		to.loop.Post(eventloop.Message{Kind: msgMonitor, Bytes: n.line})
	}
}

// handOut gives notes to this loop's clients, as many as the round has room for.
func (w *worker) handOut() {
	for !w.local.queue.empty() && w.pushed < roundPushMax {
		n := w.local.queue.take()
		if n.message != nil {
			w.deliverMessage(n.message)
		} else {
			w.deliverMonitor(n.line)
		}
		w.settled(n.cost())
	}
}

// settled counts bytes of notes that were handed out, and lets their authors go
// on when enough were. An author raises hasAuthors before it looks at
// waitingNotes, and here it is the other way round, so one of the two sees that
// the author may go on.
func (w *worker) settled(cost int64) {
	if w.waitingNotes.Add(-cost) > waitingMax/2 || !w.hasAuthors.CompareAndSwap(true, false) {
		return
	}
	for _, other := range w.srv.workers {
		other.call((*worker).releaseHeld)
	}
}

// holdAuthor has a client wait until the worker that its command has congested is
// no longer so.
func (w *worker) holdAuthor(cl *Client) {
	to := w.congested
	w.congested = nil
	w.hold(cl)
	to.hasAuthors.Store(true)
	to.settled(0)
}
