package keyspace

// Waiting for keys: what blocking commands stand on.
//
// A client that finds nothing in its keys leaves a Wait in the queue of each of
// them, in the key's shard, and is served by whoever makes one of them of use: in
// the same step as the command that does it, before its shards are given back. So
// nobody can come between, and those who wait have their turn in the order in which
// they came (FIFO for each key).
//
// A key becomes of use when it is inserted, by whatever command, or when it is
// signalled (XADD to a stream that is there). Insertions of this package note the
// key's queue in the View; ServeReady, at the end of the step, goes through what was
// noted. What serving inserts is noted as well, so chains of BLMOVE run to their
// end.
//
// Serving may write to another key (BLMOVE's destination), and a handler cannot
// take a shard later. So a shard counts where its waits lead (leads), and Lock goes
// on until the shards that can be reached from those it holds are held, too. For a
// command of one key LeadsAway tells whether it must take that way.
//
// A Wait is in several shards but is served once. Whoever wants to serve it or to
// end it (its time is over, its client goes) claims it first; an atomic word
// says which of them it is:
//
//	waiting --claim--> claimed --served or ended--> done
//	   ^                  |  \
//	   +---- no use ------+   +-- another one looked --> poked
//
// One that is claimed is passed over. If it turns out that its claimer had nothing
// for it, what the other one had would be missed: so that one leaves it poked, and
// the claimer has the Wait's owner look at all its keys again (Recheck). The same
// way is taken for what goes without a command, as keys do that expire: there nobody
// holds what serving needs.
//
// Links are guarded by the lock of their shard, so whoever holds a queue may take
// links out of it, and the owner takes out the rest.
//
// LIMITATIONS: a Wait that was served by one key stays in the queues of its others,
// to be passed over, until its owner's loop has taken it out. Clients that wait for
// the same key with commands of another type are asked each time, and cost a step. Only
// what is of use is looked at when a client is served: Redis 7.2 runs the whole call again,
// so that it fails if another of its keys has come to hold something else meanwhile.

import (
	"runtime"
	"slices"
	"sync/atomic"

	"dozo/object"
)

// Wait is one client's waiting for keys. It must not be copied once begun.
type Wait struct {
	// Owner is the caller's.
	Owner any
	// Type is what a key must hold to be of use.
	Type object.Type
	// Gone: a key that goes, or comes to hold something else, is of use, too.
	Gone bool
	// Rivals is a name that all share of whom one has the same use for a key as the
	// other, so that when there was nothing for one, the others of this name are not
	// asked; "" = none.
	Rivals string

	db    int
	links []waitLink
	leads int // the shard that serving writes to beside its key's; -1 = none
	state atomic.Uint32
}

// The states of a Wait.
const (
	waitWaiting = iota
	waitClaimed
	waitPoked
	waitDone
)

// waitLink is a Wait's place in the queue of one key.
type waitLink struct {
	wait       *Wait
	queue      *waitQueue
	arg        int  // the caller's number of the key
	linked     bool // guarded, like prev and next, by the queue's shard
	prev, next *waitLink
}

// waitQueue is who waits for a key, the oldest first.
type waitQueue struct {
	shard       *shard
	name        watchKey
	first, last *waitLink
	gone        int  // how many wait for its going
	noted       bool // in the list of the View that holds the shard, and its turn is to come
	// of is the View whose step the key is of use to. It alone finds itself here, so
	// others may ask without the shard.
	of atomic.Pointer[View]
}

// leads is where serving those who wait in a shard leads to.
type leads struct {
	set   LockSet
	count [ShardsMax]int32
}

// Begin makes w wait for keys of the view's database; args are the caller's numbers
// of them. Serving will write to dest, too, unless that is nil. All of them are
// held.
func (v *View) Begin(w *Wait, keys [][]byte, args []int, dest []byte) {
	w.db, w.leads = v.DB, -1
	if dest != nil {
		w.leads = v.ks.shardOf(v.ks.Hash(dest))
	}
	w.links = make([]waitLink, 0, len(keys))
	for i, key := range keys {
		sh := &v.ks.shards[v.ks.shardOf(v.ks.Hash(key))]
		q := sh.queueOf(watchKey{v.DB, string(key)})
		if q.last != nil && q.last.wait == w {
			continue // the same key twice
		}
		w.links = append(w.links, waitLink{wait: w, queue: q, arg: args[i]})
		q.append(&w.links[len(w.links)-1])
	}
}

// queueOf is the queue of a key, made if need be.
func (sh *shard) queueOf(k watchKey) *waitQueue {
	if q := sh.waiting[k]; q != nil {
		return q
	}
	if sh.waiting == nil {
		sh.waiting = make(map[watchKey]*waitQueue)
	}
	q := &waitQueue{shard: sh, name: k}
	sh.waiting[k] = q
	return q
}

func (q *waitQueue) append(l *waitLink) {
	l.linked, l.prev = true, q.last
	if q.last == nil {
		q.first = l
	} else {
		q.last.next = l
	}
	q.last = l
	if l.wait.Gone {
		if q.gone++; q.gone == 1 {
			q.shard.ends++
		}
	}
	if to := l.wait.leads; to >= 0 {
		q.shard.addLead(to)
	}
}

// remove takes a link out of its queue, if it is still there.
func (q *waitQueue) remove(l *waitLink) {
	if !l.linked {
		return
	}
	l.linked = false
	if l.prev == nil {
		q.first = l.next
	} else {
		l.prev.next = l.next
	}
	if l.next == nil {
		q.last = l.prev
	} else {
		l.next.prev = l.prev
	}
	if l.wait.Gone {
		if q.gone--; q.gone == 0 {
			q.shard.ends--
		}
	}
	if to := l.wait.leads; to >= 0 {
		q.shard.dropLead(to)
	}
	if q.first == nil {
		delete(q.shard.waiting, q.name)
	}
}

func (sh *shard) addLead(to int) {
	if sh.leads == nil {
		sh.leads = new(leads)
	}
	if sh.leads.count[to]++; sh.leads.count[to] == 1 {
		sh.leads.set.add(to)
	}
}

func (sh *shard) dropLead(to int) {
	if sh.leads.count[to]--; sh.leads.count[to] > 0 {
		return
	}
	if sh.leads.set.drop(to); sh.leads.set.Empty() {
		sh.leads = nil
	}
}

// LeadsAway tells whether serving those who wait in a shard that is held may need
// others: the command has to take them all, by Lock.
func (ks *Keyspace) LeadsAway(shard int) bool { return ks.shards[shard].leads != nil }

// widen adds the shards that serving may reach from those of the set, which are held,
// and tells whether there were any.
func (ks *Keyspace) widen(set *LockSet) bool {
	all := *set
	set.each(func(i int) {
		if l := ks.shards[i].leads; l != nil {
			all.Union(&l.set)
		}
	})
	if all == *set {
		return false
	}
	*set = all
	return true
}

// Signal says that a key has become of use to those who wait for it although it was
// there before. The key is held.
func (v *View) Signal(key []byte) {
	sh := &v.ks.shards[v.ks.shardOf(v.ks.Hash(key))]
	if len(sh.waiting) != 0 {
		v.note(sh.waiting[watchKey{v.DB, string(key)}])
	}
}

// noteInsert and noteGone are for changes of keys; only when somebody waits in the
// shard.
func (v *View) noteInsert(sh *shard, db int, key []byte) {
	v.note(sh.waiting[watchKey{db, string(key)}])
}

func (v *View) noteGone(sh *shard, db int, key []byte) {
	if q := sh.waiting[watchKey{db, string(key)}]; q != nil && q.gone > 0 {
		v.note(q)
	}
}

func (v *View) note(q *waitQueue) {
	if q != nil && !q.noted {
		q.noted = true
		q.of.Store(v)
		v.ready = append(v.ready, q)
	}
}

// HasReady tells whether ServeReady has anything to do.
func (v *View) HasReady() bool { return len(v.ready) != 0 }

// ServeReady offers what the step has made of use to those who wait for it, by
// Events.Serve. What the step held is still held.
func (v *View) ServeReady() {
	for i := 0; i < len(v.ready); i++ { // it grows meanwhile
		q := v.ready[i]
		q.noted = false
		v.serveQueue(q)
	}
	v.endReady()
}

// endReady forgets what was of use.
func (v *View) endReady() {
	for _, q := range v.ready {
		q.of.Store(nil)
	}
	clear(v.ready)
	if v.ready = v.ready[:0]; cap(v.ready) > readyKept {
		v.ready = nil
	}
}

// readyKept is the longest list that is kept from one step to the next.
const readyKept = 1024

// serveQueue offers a key to those who wait for it.
func (v *View) serveQueue(q *waitQueue) {
	there, holds := v.stateOf(q.name)
	v.losers = v.losers[:0]
	for l := q.first; l != nil && (there || q.gone > 0); {
		next, w := l.next, l.wait
		if w.wants(there, holds) && !(there && slices.Contains(v.losers, w.Rivals)) && w.claim() {
			if v.offer(w); w.state.Load() != waitDone && w.Rivals != "" {
				v.losers = append(v.losers, w.Rivals)
			}
			there, holds = v.stateOf(q.name)
		}
		if w.state.Load() == waitDone {
			q.remove(l)
		}
		l = next
	}
}

// stateOf tells whether a key of a shard that is held is there, and what it holds.
func (v *View) stateOf(k watchKey) (there bool, t object.Type) {
	c, _, _ := v.lookup(k.db, []byte(k.key))
	if !c.Ok() {
		return false, 0
	}
	return true, c.Type()
}

// wants tells whether a key in this state is of use to w.
func (w *Wait) wants(there bool, holds object.Type) bool {
	return there && holds == w.Type || w.Gone
}

// offer serves w, which is claimed, with what is of use to it among the keys of this
// step.
func (v *View) offer(w *Wait) {
	v.args = v.args[:0]
	for i := range w.links {
		if l := &w.links[i]; l.queue.of.Load() == v && w.wants(v.stateOf(l.queue.name)) {
			v.args = append(v.args, l.arg)
		}
	}
	v.serve(w)
}

// serve has the owner of a claimed Wait served, and ends the Wait if it was.
func (v *View) serve(w *Wait) {
	if len(v.args) > 0 && v.Events.Serve(w, v.args) {
		w.state.Store(waitDone)
	} else {
		v.unclaim(w)
	}
}

// claim takes w for serving or ending it. When somebody else has it, he is told to
// have it looked at again.
func (w *Wait) claim() bool {
	for {
		switch w.state.Load() {
		case waitWaiting:
			if w.state.CompareAndSwap(waitWaiting, waitClaimed) {
				return true
			}
		case waitClaimed:
			if w.state.CompareAndSwap(waitClaimed, waitPoked) {
				return false
			}
		default:
			return false
		}
	}
}

// unclaim gives back a Wait that there was nothing for.
func (v *View) unclaim(w *Wait) {
	if !w.state.CompareAndSwap(waitClaimed, waitWaiting) {
		w.state.Store(waitWaiting)
		v.recheck = append(v.recheck, w)
	}
}

// leaveReady hands what became of use without a command, which are keys that went, to
// the owners of the waits, before the shard is given back: serving may need more than
// this shard.
func (v *View) leaveReady() {
	for _, q := range v.ready {
		q.noted = false
		for l := q.first; l != nil; l = l.next {
			if l.wait.Gone {
				v.recheck = append(v.recheck, l.wait)
			}
		}
	}
	v.endReady()
}

// HasRechecks tells whether Rechecks gives any.
func (v *View) HasRechecks() bool { return len(v.recheck) != 0 }

// Rechecks are the waits whose owners must call Recheck. They are handed over by the
// call.
func (v *View) Rechecks() []*Wait {
	list := v.recheck
	v.recheck = nil
	return list
}

// AddWaited adds the shards of all keys of w to a lock set.
func (ks *Keyspace) AddWaited(set *LockSet, w *Wait) {
	for i := range w.links {
		set.add(w.links[i].queue.shard.index)
	}
	if w.leads >= 0 {
		set.add(w.leads)
	}
}

// Recheck offers all its keys to w, and what comes of that to others. The shards of
// AddWaited are held.
func (v *View) Recheck(w *Wait) {
	if w.claim() {
		v.args = v.args[:0]
		for i := range w.links {
			if l := &w.links[i]; w.wants(v.stateOf(l.queue.name)) {
				v.args = append(v.args, l.arg)
			}
		}
		v.serve(w)
	}
	v.ServeReady()
}

// Abandon ends a Wait for its owner: false if it has been served. The owner holds no
// shard, or runs alone; End must follow.
func (w *Wait) Abandon() bool {
	for !w.state.CompareAndSwap(waitWaiting, waitDone) {
		if w.state.Load() == waitDone {
			return false
		}
		runtime.Gosched() // somebody is about to serve it, or to find that he cannot
	}
	return true
}

// End takes a Wait that is done out of the queues. It takes the shards one by one, or
// none if v runs alone; no shard of w's may be held otherwise.
func (v *View) End(w *Wait) {
	for i := range w.links {
		l := &w.links[i]
		v.roam(l.queue.shard.index, func(*shard) { l.queue.remove(l) })
	}
}

// noteFlushed, noteSwapped and noteReplaced are for databases as wholes, in exclusive mode.
func (v *View) noteFlushed(sh *shard, db int) {
	if sh.ends == 0 {
		return
	}
	for k, q := range sh.waiting {
		if k.db == db && q.gone > 0 {
			v.note(q)
		}
	}
}

func (v *View) noteSwapped(sh *shard, a, b int) {
	for k, q := range sh.waiting {
		if k.db == a || k.db == b {
			v.note(q)
		}
	}
}

func (v *View) noteReplaced(sh *shard) {
	for _, q := range sh.waiting {
		v.note(q)
	}
}

// WaitedKeys is the number of keys that clients wait for, and of these the number of
// those that somebody wants to hear the end of. Exclusive mode only.
func (v *View) WaitedKeys() (keys, gone int) {
	for i := range v.ks.shards {
		keys += len(v.ks.shards[i].waiting)
		gone += v.ks.shards[i].ends
	}
	return keys, gone
}
