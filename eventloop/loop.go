package eventloop

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"dozo/env"
	"dozo/internal/invariants"
)

// Loop is one event loop: a goroutine and the connections that it serves.
type Loop struct {
	Index int // position in Group.Loops

	group   *Group
	handler Handler
	waker   Waker       // nil unless the Handler is one
	ender   SourceEnder // nil unless the Handler is one
	clock   env.Clock
	poll    poller
	inbox   inbox

	now      time.Duration
	nextTick time.Duration
	wakeBy   time.Duration // 0 = not asked for
	stopping bool
	inside   atomic.Bool // the Handler may be running; kept in builds that check

	conns []*Conn // by slot; nil = free
	holes []int32 // free slots
	load  atomic.Int64
	ready []*Conn // to be looked at in the next round
	turn  []*Conn // being looked at in this round
	dirty []*Conn // c.Out to be written at the end of the round
	dying []*Conn // Closed is due

	held      []*Conn // connections with gates
	heldConns atomic.Int64
	released  atomic.Uint64 // by Release
	opened    uint64        // what the gates were last opened up to

	fed      []*feed // the sources of this loop's connections
	due      []*feed // those that send at the end of this round
	fedReads uint64  // count.Reads when sources sent last

	spare   pool
	readBuf []byte // where reads go that nothing bigger is expected of
	scratch []byte // where c.Out is during Data; in use up to its length
	peak    int    // longest reply since the last tick

	count     Stats // this goroutine's
	published sharedStats
}

// poller waits for work. Its calls but wake come from the loop's goroutine.
type poller interface {
	// wait blocks until there is work, wake is called, or timeout has passed; zero
	// looks without blocking. It returns the number of events to dispatch.
	wait(timeout time.Duration) int
	// dispatch handles the events that wait found.
	dispatch(l *Loop)
	// tick is called at first and after each Tick of the Handler, for what can wait
	// that long.
	tick(l *Loop)
	// wake ends a wait that is under way, or the next one.
	wake()
	close()
}

// Post sends m to the loop's Handler. It may be called from any goroutine, never
// blocks, and keeps the order of each caller. Once the Group is closed it does
// nothing.
func (l *Loop) Post(m Message) {
	m.op = opMessage
	l.post(&m)
}

// post delivers a note and wakes the loop if it sleeps. It returns false when the
// loop has ended.
func (l *Loop) post(m *Message) bool {
	ok, wake := l.inbox.push(m)
	if wake {
		l.poll.wake()
	}
	return ok
}

// Now is the loop's clock (Clock.Monotonic), read once per round. Loop goroutine only.
func (l *Loop) Now() time.Duration { return l.now }

// WakeBy makes the loop sleep no longer than until t, once. Loop goroutine only.
func (l *Loop) WakeBy(t time.Duration) {
	if l.wakeBy == 0 || t < l.wakeBy {
		l.wakeBy = max(t, 1)
	}
}

// Len is the number of open connections, those included that were just assigned
// to the loop. It may be called from any goroutine.
func (l *Loop) Len() int { return int(l.load.Load()) }

// Each calls visit for every open connection until it returns false. Loop
// goroutine only.
func (l *Loop) Each(visit func(c *Conn) bool) {
	for _, c := range l.conns {
		if c != nil && !c.flags.has(flagClosing) && !visit(c) {
			return
		}
	}
}

// Handler is the loop's Handler.
func (l *Loop) Handler() Handler { return l.handler }

// run is the loop's goroutine.
func (l *Loop) run() {
	if l.group.options.Crashed != nil {
		debug.SetPanicOnFault(true)
		defer l.crashed()
	}
	l.now = l.clock.Monotonic()
	l.nextTick = l.now + l.group.period()
	l.poll.tick(l)
	for !l.stopping {
		l.sleep()
		l.work()
	}
	l.shutdown()
}

// crashed reports a panic, with the stack that led to it still there.
func (l *Loop) crashed() {
	if reason := recover(); reason != nil {
		l.group.options.Crashed(l.Index, reason)
	}
}

// sleep waits for work, not at all if there is some at hand.
func (l *Loop) sleep() {
	timeout := l.timeout()
	if timeout > 0 && len(l.held) > 0 {
		runtime.Gosched() // who opens the gates may need no more than this processor, and to be let in
		timeout = l.timeout()
	}
	if timeout > 0 {
		l.inbox.asleep.Store(true)
		if l.inbox.count.Load() > 0 || l.gatesMoved() {
			timeout = 0
		}
		l.count.Sleeps++
	}
	l.poll.wait(timeout)
	if timeout > 0 {
		l.inbox.asleep.Store(false)
	}
	l.now = l.clock.Monotonic()
}

// timeout is how long the loop may sleep.
func (l *Loop) timeout() time.Duration {
	if len(l.ready) > 0 || l.inbox.count.Load() > 0 || l.gatesMoved() {
		return 0
	}
	until, now := l.nextTick, l.now
	if l.wakeBy != 0 && l.wakeBy < until {
		until, now = l.wakeBy, l.clock.Monotonic() // the round may have been long
	}
	return max(until-now, 0)
}

// work is one round after the sleep.
func (l *Loop) work() {
	l.count.Rounds++
	l.enter()
	if l.waker != nil {
		l.waker.AfterSleep(l)
	}
	l.poll.dispatch(l)
	if len(l.ready) > 0 {
		l.takeTurns()
	}
	if l.inbox.count.Load() > 0 {
		l.readNotes()
	}
	if l.now >= l.nextTick {
		l.tick()
	}
	if l.wakeBy != 0 && l.now >= l.wakeBy {
		l.wakeBy = 0
	}
	l.settleRound()
	if len(l.due) > 0 {
		l.feedDue()
	}
	l.handler.BeforeSleep(l)
	l.settleRound()
	l.leave()
}

// settleRound writes what was appended outside Data, opens gates and buries the
// connections that ended, until none of that leads to more of it.
func (l *Loop) settleRound() {
	for {
		if l.gatesMoved() {
			l.openHeld()
		}
		if len(l.dirty) > 0 {
			l.flushDirty()
		}
		if len(l.dying) == 0 && len(l.dirty) == 0 {
			return
		}
		l.bury()
	}
}

// tick calls the Handler's Tick and sets the time of the next.
func (l *Loop) tick() {
	l.handler.Tick(l, l.now)
	l.inspectSources()
	l.trimBuffers()
	l.publish()
	l.poll.tick(l)
	period := l.group.period()
	l.nextTick += period
	if l.nextTick <= l.now { // ticks that were missed are not made up for
		l.nextTick = l.now + period
	}
}

// makeReady has c looked at in the next round.
func (l *Loop) makeReady(c *Conn) {
	if !c.flags.has(flagReady) {
		c.flags |= flagReady
		l.ready = append(l.ready, c)
	}
}

// takeTurns looks at the connections that asked for it before this round.
func (l *Loop) takeTurns() {
	l.turn, l.ready = l.ready, l.turn[:0]
	for i, c := range l.turn {
		l.turn[i] = nil
		c.flags &^= flagReady
		l.takeTurn(c)
	}
}

func (l *Loop) takeTurn(c *Conn) {
	if c.flags.has(flagUnsent) {
		c.flags &^= flagUnsent
		c.progress()
	}
	if c.flags.has(flagOwed) {
		c.settle()
	}
	if c.flags.has(flagPaused | flagDraining | flagClosing) {
		return
	}
	if c.flags.has(flagKicked) {
		c.flags &^= flagKicked
		l.redeliver(c)
	}
	c.endWhenServed()
	if c.flags.has(flagUnread) && !c.flags.has(notReading) {
		c.flags &^= flagUnread
		c.link.read(c)
	}
}

// readNotes handles what the inbox holds; notes that come meanwhile wait for the
// next round.
func (l *Loop) readNotes() {
	notes := l.inbox.take()
	for i := range notes {
		l.readNote(&notes[i])
	}
	l.inbox.recycle(notes)
	if l.inbox.woken.Load() != nil {
		l.serveWoken()
	}
}

func (l *Loop) readNote(m *Message) {
	switch m.op {
	case opMessage:
		l.handler.Message(l, *m)
	case opAdopt:
		l.adopt(m.Conn)
	case opArrived:
		m.Conn.link.(*stream).arrived(m.Conn)
	case opSent:
		m.Conn.link.(*stream).finishedWrite(m.Conn)
	case opStop:
		l.stopping = true
	}
}

// adopt makes c, which was assigned to this loop, one of its connections.
func (l *Loop) adopt(c *Conn) {
	if n := len(l.holes); n > 0 {
		c.slot = l.holes[n-1]
		l.holes = l.holes[:n-1]
		l.conns[c.slot] = c
	} else {
		c.slot = int32(len(l.conns))
		l.conns = append(l.conns, c)
	}
	c.lastActive = l.now
	l.count.Accepted++
	l.lend(c)
	l.handler.Open(c)
	c.postpone()
	if c.flags.has(flagClosing) {
		return
	}
	if err := c.link.start(c); err != nil {
		c.end(err)
	}
	if c.flags.has(flagKicked) {
		l.makeReady(c) // for what AttachTo was given
	}
}

// bury ends the life of the connections that ended.
func (l *Loop) bury() {
	for i := 0; i < len(l.dying); i++ { // Closed may end others
		c := l.dying[i]
		l.dying[i] = nil
		if c.flags.has(flagHeld) {
			l.removeHeld(c)
		}
		if c.flags.has(flagFed) {
			c.dropSource()
		}
		l.conns[c.slot] = nil
		l.holes = append(l.holes, c.slot)
		l.load.Add(-1)
		l.handler.Closed(c, c.err) // before the peer can see the end
		c.link.close(c)
		c.queue.drop(&l.spare)
		c.in.drop(&l.spare)
		c.returnOut()
	}
	l.dying = l.dying[:0]
}

// shutdown closes what is left when the Group ends.
func (l *Loop) shutdown() {
	l.enter()
	for _, m := range l.inbox.close() {
		if m.op == opAdopt {
			l.load.Add(-1)
			m.Conn.link.close(m.Conn)
		}
	}
	for _, c := range l.conns {
		if c != nil {
			c.end(ErrGroupClosed)
		}
	}
	l.bury()
	l.publish()
	l.leave()
	l.poll.close()
}

// enter and leave mark the time in which connections may be touched.
func (l *Loop) enter() {
	if invariants.Enabled {
		l.inside.Store(true)
	}
}

func (l *Loop) leave() {
	if invariants.Enabled {
		invariants.Check(len(l.due) == 0 || l.stopping, "eventloop: loop %d goes to sleep with %d sources due", l.Index, len(l.due))
		l.inside.Store(false)
	}
}
