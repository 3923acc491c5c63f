package server

import (
	"container/heap"
	"time"

	"dozo/resp"
)

// blockState is a client that waits in a blocking command. Its further input
// stays unread until the wait ends.
type blockState struct {
	deadline time.Duration // monotonic; 0 = none
	index    int           // in the worker's timers, -1 = not there
	// timedOut writes the reply when the time is over; nil: nothing but the end of what
	// the call waits for ends the wait.
	timedOut func(out *resp.Writer)
	muted    bool          // CLIENT REPLY has the reply dropped
	over     bool          // somebody ends the wait
	took     time.Duration // by the call before it waited
	ack      ackWait       // of WAIT and WAITAOF
	// waiter is what waits for keys; nil for commands that wait for something else.
	waiter *waiter
}

// bytes is the memory that the wait takes.
func (b *blockState) bytes() int64 {
	if b.waiter == nil {
		return 0
	}
	return b.waiter.bytes
}

// block makes the client wait. timeout 0 means for ever.
func (w *worker) block(cl *Client, timeout time.Duration, timedOut func(out *resp.Writer)) {
	now := w.srv.clock.Monotonic()
	cl.block = blockState{index: -1, timedOut: timedOut, muted: cl.muted()}
	cl.set(blocked, true)
	w.blockedClients++
	if timeout > 0 {
		cl.block.deadline = now + timeout
		heap.Push(&w.timers, cl)
		w.timed.Add(1)
		w.loop.WakeBy(w.timers[0].block.deadline)
	}
}

// claim takes the right to end a wait from outside, so that nobody serves the client
// any more: false if somebody has it, or the client has been served, and the reply is on
// its way. For the client's own loop, or whoever runs alone.
func (b *blockState) claim() bool {
	if b.over || b.timedOut == nil || b.waiter != nil && !b.waiter.Abandon() {
		return false
	}
	b.over = true
	return true
}

// unblock ends a wait that was claimed: as if its time were over, or by an error.
func (w *worker) unblock(cl *Client, byError bool) {
	if cl.freed {
		return
	}
	if byError {
		w.unblockAs(cl, "UNBLOCKED client unblocked via CLIENT UNBLOCK")
	} else {
		w.unblockAs(cl, "")
	}
}

// unblockAs ends a wait that was claimed with an error, "" = as if its time were over.
func (w *worker) unblockAs(cl *Client, fault string) {
	b := cl.block.waiter
	out := resp.Writer{Proto: cl.proto}
	if fault != "" {
		w.stats.countError(fault)
		out.Error(fault)
	} else {
		cl.block.timedOut(&out)
	}
	if !cl.block.muted {
		w.push(cl, out.Buf)
	}
	w.endBlock(cl)
	w.accountWait(cl, b, 0, fault != "")
	cl.conn.Kick()
}

// endBlock forgets a wait. No shard is held, or all are.
func (w *worker) endBlock(cl *Client) {
	if !cl.has(blocked) {
		return
	}
	cl.set(blocked, false)
	w.blockedClients--
	if cl.block.index >= 0 {
		heap.Remove(&w.timers, cl.block.index)
		w.timed.Add(-1)
	}
	cl.block.timedOut = nil
	if cl.block.ack.active {
		w.acks.remove(cl)
		w.srv.ackWaiters.Add(-1)
	}
	if b := cl.block.waiter; b != nil {
		b.Abandon()
		w.view.End(&b.Wait)
		cl.block.waiter = nil
	}
}

// fireTimers ends the waits whose time is over, and has the loop wake for the
// next.
func (w *worker) fireTimers() {
	if len(w.timers) == 0 {
		return
	}
	now := w.srv.clock.Monotonic()
	for len(w.timers) > 0 && w.timers[0].block.deadline <= now {
		w.timed.Add(-1)
		if cl := heap.Pop(&w.timers).(*Client); cl.block.claim() {
			w.unblock(cl, false)
		}
	}
	if len(w.timers) > 0 {
		w.loop.WakeBy(w.timers[0].block.deadline)
	}
}

// timers are the waiting clients of a worker by deadline: a heap.
type timers []*Client

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].block.deadline < t[j].block.deadline }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].block.index, t[j].block.index = i, j
}

// Push and Pop are for package heap.
func (t *timers) Push(x any) {
	cl := x.(*Client)
	cl.block.index = len(*t)
	*t = append(*t, cl)
}

// Pop removes the last element.
func (t *timers) Pop() any {
	last := len(*t) - 1
	cl := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	cl.block.index = -1
	return cl
}
