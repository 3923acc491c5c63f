package server

import (
	"time"

	"dozo/eventloop"
	"dozo/pubsub"
)

const (
	// expireSlice bounds the keys that one worker removes in one slice of
	// expiry work, so that commands wait for no more than that.
	expireSlice = 64
	// expireShare is the part of a tick's time that expiry may take, in percent.
	expireShare = 25
	// trimPerTick bounds the bytes of free memory given back to the system in one
	// tick, and trimSlice those in one go, which takes about 60 us a MiB.
	trimPerTick = 8 << 20
	trimSlice   = 2 << 20
)

// gravesPerRound is how many elements of deleted values one worker frees in a round:
// some 100 us.
const gravesPerRound = 512

// Message is what others send to this worker's loop.
func (w *worker) Message(_ *eventloop.Loop, m eventloop.Message) {
	w.enter()
	switch m.Kind {
	case msgPublish:
		w.local.queue.add(note{message: m.Any.(*pubsub.Message)})
		w.handOut()
	case msgMonitor:
		w.local.queue.add(note{line: m.Bytes})
		w.handOut()
	case msgServed:
		w.mono = w.watch.Read()
		w.deliver(m.Any.(*waiter))
	case msgCall:
		m.Any.(func(*worker))(w)
	}
	w.leave()
}

// The kinds of messages between loops.
const (
	msgCall    = iota + 1 // Any is a func(*worker)
	msgPublish            // Any is a *pubsub.Message
	msgMonitor            // Bytes is a line for the clients in MONITOR
	msgServed             // Any is a *waiter of a client of this loop
)

// call runs fn on the worker's own loop, soon, inside the gate.
func (w *worker) call(fn func(*worker)) {
	w.loop.Post(eventloop.Message{Kind: msgCall, Any: fn})
}

// Tick does the periodic work of one loop; the first also that of the server.
func (w *worker) Tick(_ *eventloop.Loop, _ time.Duration) {
	w.watch.Calibrate()
	if w.index == 0 {
		w.srv.time.adjust(w.srv.clock)
	}
	paused := false
	w.gated(func() {
		w.readTime()
		w.thread = threadTimes()
		if paused = w.srv.debug.pauseCron.Load(); !paused {
			w.periodic()
		}
	})
	if paused || w.srv.loadsInPlace() {
		return
	}
	w.warming = w.ks.MayWarm() && w.ks.Large()
	if w.index == 0 {
		w.trimDue = trimPerTick
	}
	w.measureWaste()
	w.expire(w.tickLength() * expireShare / 100)
}

// periodic is the part of a tick that is done inside the gate.
func (w *worker) periodic() {
	begin := w.mono
	w.inspectClients()
	w.hearHeld()
	if w.index == 0 {
		w.srv.tick(w)
	}
	w.stats.tickTime += w.srv.clock.Monotonic() - begin
}

func (w *worker) tickLength() time.Duration { return time.Second / time.Duration(max(w.srv.hz(), 1)) }

// expire removes dead keys for at most the given time. If there are more, the
// loop comes back to it right after the commands that wait.
func (w *worker) expire(budget time.Duration) {
	if w.srv.settings.Load().ActiveExpireStop || w.srv.attends(attnPaused) {
		return
	}
	expire := func() bool { return w.view.Expire(w.index, len(w.srv.workers), expireSlice) }
	if w.srv.attends(attnFollows) {
		expire = func() bool { return w.view.ExpireOwn(w.index, len(w.srv.workers)) }
	}
	begin, took, more := w.srv.clock.Monotonic(), time.Duration(0), true
	for more && took < budget {
		w.gated(func() { more = expire() })
		took = w.srv.clock.Monotonic() - begin
		if more && took >= expireYield {
			w.expirePending = true
			w.loop.WakeBy(w.loop.Now())
			break
		}
	}
	w.gated(func() {
		w.view.Stats.ActiveExpireNanos += int64(took)
		if more {
			w.stats.expireCapped++
		}
		w.srv.noteLatency(latencyExpire, took)
	})
}

// expireYield is how long expiry goes on before commands get their turn.
const expireYield = 100 * time.Microsecond

// BeforeSleep ends a round.
func (w *worker) BeforeSleep(l *eventloop.Loop) {
	if d := w.mono - l.Now(); d > 0 {
		w.busy.Store(w.busy.Load() + int64(d))
	}
	w.srv.log.Wake() // once for all that the round's commands have written
	if w.srv.mayBeLong() {
		w.gated(w.checkLog)
	}
	if w.srv.attends(attnMaxMemory) && w.ks.Over() > 0 && !w.srv.loadsInPlace() {
		w.gated(w.evictBetween)
	}
	if w.owed != nil {
		w.gated(w.answerOwed)
	}
	if w.acks.asks {
		w.gated(w.askReplicas)
	}
	if w.timed.Load() != 0 || len(w.served) != 0 || len(w.heldClients) != 0 || !w.local.queue.empty() {
		w.gated(w.endRound)
	}
	if w.pushed = 0; !w.local.queue.empty() {
		l.WakeBy(l.Now())
	}
	if w.trimDue > 0 && !w.expirePending { // what expires first may be taken again
		w.trim()
	}
	if w.ks.Graves() > 0 && !w.srv.loadsInPlace() {
		w.gated(w.freeGraves)
	}
	if p := w.srv.opts.Persistence; p != nil && p.Walking() {
		w.walkSnapshot(p)
	}
	if share := w.srv.defrag.share.Load(); share != 0 {
		w.defragBetween(time.Duration(share))
	}
	if w.expirePending {
		w.expirePending = false
		w.gated(w.readTime)
		w.expire(expireYield)
	}
	if len(w.servedHere) != 0 || w.view.HasRechecks() {
		w.gated(w.endWaits)
	}
	w.srv.log.Wake() // for what was written meanwhile: questions to replicas, removals
}

// freeGraves frees some of what is buried, and has the loop come back while there is
// more.
func (w *worker) freeGraves() {
	if w.view.FreeGraves(w.index, len(w.srv.workers), gravesPerRound) {
		w.loop.WakeBy(w.loop.Now())
	}
}

// trim gives some free memory back to the system, if there is any.
func (w *worker) trim() {
	if w.trimDue -= trimSlice; w.ks.Arena().Trim(trimSlice) < trimSlice {
		w.trimDue = 0
	}
	if w.trimDue > 0 {
		w.loop.WakeBy(w.loop.Now())
	}
}

// endRound is what is left to do when all that arrived has been handled.
func (w *worker) endRound() {
	w.fireTimers()
	w.wakeFromPause()
	w.handOut() // what expiry has published, or is left from before
	w.checkClients()
}

// endWaits tells clients what they were served, and owners what to look at.
func (w *worker) endWaits() {
	w.deliverServed()
	w.sendRechecks()
}

// inspectClients looks at every connection of this loop: idle ones are ended,
// slow readers past their soft limit too, and their memory is summed up.
func (w *worker) inspectClients() {
	live := w.srv.live.Load()
	w.loop.Each(func(conn *eventloop.Conn) bool {
		cl := conn.User.(*Client)
		if cl.freed {
			return true
		}
		before := cl.seen.out
		w.recount(cl)
		if cl.seen.out < before {
			cl.lastUsed = w.mono // it reads
		}
		if cl.has(fromPrimary) {
			return true
		}
		if cl.seen.out != 0 {
			w.enforceOutput(cl)
		}
		if live.timeout != 0 {
			w.checkTimeout(cl, live.timeout)
		}
		return true
	})
	w.checkClients()
}

// checkTimeout ends a client that has sent and read nothing for too long, one too
// that is only left to read its last replies.
func (w *worker) checkTimeout(cl *Client, timeout time.Duration) {
	if cl.flags&(blocked|held|subscribed|monitoring|isReplica) != 0 {
		return
	}
	if w.mono-max(cl.lastUsed, cl.conn.LastActive()) > timeout {
		w.srv.logf(Verbose, "Closing idle client")
		cl.conn.Close(errIdle)
	}
}
