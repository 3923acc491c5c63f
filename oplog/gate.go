package oplog

import (
	"math"
	"sync"
	"sync/atomic"
)

// Reply gates.
//
// A server that promises durability must not say OK before the promise is kept.
// The plain way is to stop: write, fsync, then reply, with everybody else
// waiting behind the disk. Here nothing stops. A command runs, its bytes get
// their place in the log, and its reply is put aside together with the offset it
// depends on; the loop goes on with the next command. What has become durable is
// said by a gate, a number that only grows: "the disk holds everything up to p",
// "two replicas hold everything up to p". A reply leaves when the gate has
// passed its offset. appendfsync always, synchronous replicas and the quorum of
// safe mode are this one mechanism with different gates.
//
// The offset that a reply needs is the end that Append returned for its command,
// or for its unit. That is enough, though the promise is about one command only,
// because every promise here is about prefixes: a disk or a replica that holds
// the log up to p holds all before p. So one number per requirement says
// everything, no list of commands in flight is kept, and advancing the gate once
// settles any number of replies. A composite requirement is the least of its
// parts (All); "k of n replicas" is the k-th largest of their offsets (Quorum).
//
// Order. Replies of a connection leave in the order of its commands, so a held
// reply holds back those behind it, also of reads. That is what a client of one
// connection expects. It is also what makes the cost small: a connection keeps a
// queue of (bytes, need), needs in a queue never fall, and a release looks at
// its head only.
//
// Reads. A read that saw a value whose write is not durable must wait for that
// write, or it would show what may be lost again: the reader asks with the
// offset of the last write to what it read (safe mode keeps that per slot), and
// a write that changed nothing with the offset it depended on. Whether reads
// wait is the mode's decision; the gate does not know what a reply is.
//
// No wake-up is lost. The loop first looks whether the gate has passed; if not
// it holds the reply and then tells its Waiter what it wants; the Waiter stores
// the wish and looks at the gate again. The advancing side stores the gate and
// then looks at the wish. Both are sequentially consistent, so at least one side
// sees the other, and a compare-and-swap on the wish lets only one act. The post
// carries the gate's value; a loop that gets an old one releases less and is
// told again.
//
// Nobody waits for a gate with a lock held: appends happen under shard locks,
// gates are advanced by the AOF's and the replicas' side, which take no shard
// lock. So a slow disk delays replies and nothing else, as long as the memory
// for held replies lasts: the server stops reading from connections that hold
// too much, which is the only back-pressure there is.
//
// Histories. Offsets of two histories must not meet. When the log begins anew
// (Activate) its gates are set to the new start under the same lock that
// advances take, and the era changes: an fsync or an ack that was under way for
// the former history arrives with the former era and is ignored. Without this
// a late "fsynced up to 1000" would open the gate for the first thousand bytes
// of the new history, which nobody has.
//
// LIMITATIONS
//   - A gate proves what its advancer claims. An fsync that lies, or a replica
//     that acknowledges what it did not apply, is believed.
//   - Gates never go back. A replica that acknowledged p and then lost its data
//     has been counted; safe mode therefore counts a member only in one
//     incarnation, and drops it from the quorum when it comes back as another.
//   - Held replies do not carry an era: whoever activates the log anew must
//     have settled them (answered, or closed the connections).
//   - A requirement that changes at run time applies to what the gate has not
//     passed yet; it takes nothing back and may release what was waiting.
//   - That a reply was released says that the write will not be lost. That it
//     was not released says nothing: the write has happened here, may have
//     reached replicas, and must not be reported as failed.

// Era tells one history of the log from the next: it changes when the log is
// activated. Whoever advances a gate says for which era.
type Era uint32

// gateSet is the gates of one log. One mutex for all makes an advance and a
// reset of several gates one step; gates advance per fsync and per ack, not per
// command.
type gateSet struct {
	end *atomic.Uint64 // the log's
	mu  sync.Mutex
	era Era
	all []*Gate
}

// Gate is a watermark: everything up to Passed is settled.
type Gate struct {
	name   string
	set    *gateSet
	passed atomic.Uint64

	// Under set.mu.
	parts  []*Gate // of a composite gate
	wholes []*Gate // composites that this gate is a part of
	subs   []*subscriber
	quorum *Quorum
}

type subscriber struct{ f func(offset uint64) }

// Gate makes a gate, passed up to the present end of the log. Names are for
// INFO and logs; nothing is looked up by them.
func (l *Log) Gate(name string) *Gate {
	l.gates.mu.Lock()
	defer l.gates.mu.Unlock()
	return l.gates.add(name, l.Offset())
}

// All makes a gate that passes what all its parts have passed. The parts must be
// gates of the same log.
func (l *Log) All(name string, parts ...*Gate) *Gate {
	l.gates.mu.Lock()
	g := l.gates.add(name, 0)
	l.gates.mu.Unlock()
	g.SetParts(parts...)
	return g
}

// Gates lists the log's gates, oldest first.
func (l *Log) Gates() []*Gate {
	l.gates.mu.Lock()
	defer l.gates.mu.Unlock()
	return append([]*Gate(nil), l.gates.all...)
}

// Era is the present history's.
func (l *Log) Era() Era {
	l.gates.mu.Lock()
	defer l.gates.mu.Unlock()
	return l.gates.era
}

func (s *gateSet) add(name string, offset uint64) *Gate {
	g := &Gate{name: name, set: s}
	g.passed.Store(offset)
	s.all = append(s.all, g)
	return g
}

// reset begins an era: all gates stand at its first offset. Subscribers hear
// nothing, since what they hold is of the former era.
func (s *gateSet) reset(offset uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.era++
	for _, g := range s.all {
		g.passed.Store(offset)
		if g.quorum != nil {
			clear(g.quorum.acked)
		}
	}
}

// Name is what the gate was called.
func (g *Gate) Name() string { return g.name }

// Passed is the watermark: one atomic load.
func (g *Gate) Passed() uint64 { return g.passed.Load() }

// Advance says that everything up to offset is settled, in the era in which the
// caller learnt the offset. What is older than the watermark or of another era
// is ignored. Subscribers are called before it returns, in order of offsets.
func (g *Gate) Advance(era Era, offset uint64) {
	if offset <= g.passed.Load() {
		return
	}
	g.set.mu.Lock()
	defer g.set.mu.Unlock()
	if era == g.set.era {
		g.raise(offset)
	}
}

// raise moves the watermark up, under the mutex, and tells those who care.
func (g *Gate) raise(offset uint64) {
	if offset <= g.passed.Load() {
		return
	}
	g.passed.Store(offset)
	for _, s := range g.subs {
		s.f(offset)
	}
	for _, w := range g.wholes {
		w.raise(w.least())
	}
}

// least is the smallest watermark among the parts.
func (g *Gate) least() uint64 {
	least := uint64(math.MaxUint64)
	for _, p := range g.parts {
		least = min(least, p.passed.Load())
	}
	return least
}

// SetParts changes what a composite gate requires (CONFIG SET appendfsync, a
// new voter set). What it has passed stays passed. With no parts left nothing is
// required: the gate passes up to the log's present end, so that what is held
// gets free; later commands need not ask a gate without parts.
func (g *Gate) SetParts(parts ...*Gate) {
	g.set.mu.Lock()
	defer g.set.mu.Unlock()
	for _, p := range g.parts {
		p.wholes = without(p.wholes, g)
	}
	g.parts = append([]*Gate(nil), parts...)
	for _, p := range g.parts {
		p.wholes = append(p.wholes, g)
	}
	if len(parts) == 0 {
		g.raise(g.set.end.Load())
		return
	}
	g.raise(g.least())
}

// Subscribe has f called after each advance, with the new watermark, by the
// goroutine that advances and with the gates' lock held: f may post to an event
// loop or signal, and must neither block nor call the log or a gate but Passed.
// The returned func ends it.
func (g *Gate) Subscribe(f func(offset uint64)) (cancel func()) {
	s := &subscriber{f}
	g.set.mu.Lock()
	defer g.set.mu.Unlock()
	g.subs = append(g.subs[:len(g.subs):len(g.subs)], s)
	return func() {
		g.set.mu.Lock()
		defer g.set.mu.Unlock()
		g.subs = without(g.subs, s)
	}
}

// without is a copy of list that lacks one element.
func without[T comparable](list []T, gone T) []T {
	kept := make([]T, 0, len(list))
	for _, e := range list {
		if e != gone {
			kept = append(kept, e)
		}
	}
	return kept
}

// Waiter is one event loop's interest in a gate: it turns advances into the
// posts that the loop needs, which is one when the first held reply is free and
// none while nothing is held.
type Waiter struct {
	gate   *Gate
	want   atomic.Uint64 // the least offset waited for; wantNothing
	post   func(offset uint64)
	cancel func()
}

const wantNothing = math.MaxUint64

// NewWaiter makes a waiter for the loop that post posts to; see Subscribe for
// what post may do.
func (g *Gate) NewWaiter(post func(offset uint64)) *Waiter {
	w := &Waiter{gate: g, post: post}
	w.want.Store(wantNothing)
	w.cancel = g.Subscribe(w.advanced)
	return w
}

// Want asks for one post when the gate has passed offset, the least that the
// loop waits for. It returns false, and asks for nothing, if the gate has passed
// it already: release up to Passed and ask again. Only the loop calls it.
func (w *Waiter) Want(offset uint64) bool {
	w.want.Store(offset)
	if w.gate.Passed() < offset {
		return true
	}
	return !w.want.CompareAndSwap(offset, wantNothing)
}

func (w *Waiter) advanced(offset uint64) {
	want := w.want.Load()
	if want <= offset && w.want.CompareAndSwap(want, wantNothing) {
		w.post(offset)
	}
}

// Close ends the waiter's subscription.
func (w *Waiter) Close() { w.cancel() }
