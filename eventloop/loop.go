package eventloop

import "time"

// Loop is one event loop: a goroutine and the connections that it serves.
type Loop struct {
	Index int // position in Group.Loops
}

// Post sends m to the loop's Handler. It may be called from any goroutine, never
// blocks, and keeps the order of each caller. After the Group is closed it drops m.
func (l *Loop) Post(m Message) {}

// Release opens every gate of this loop's connections up to offset. It may be
// called from any goroutine.
func (l *Loop) Release(offset uint64) {}

// Now is the loop's clock (Clock.Monotonic), read once per round. Loop goroutine only.
func (l *Loop) Now() time.Duration { return 0 }

// WakeBy makes the loop sleep no longer than until t (once). Loop goroutine only.
func (l *Loop) WakeBy(t time.Duration) {}

// Len is the number of open connections. It may be called from any goroutine.
func (l *Loop) Len() int { return 0 }

// Each calls visit for every open connection until it returns false. Loop
// goroutine only.
func (l *Loop) Each(visit func(c *Conn) bool) {}

// Stats may be called from any goroutine; the numbers are as of the last round.
func (l *Loop) Stats() Stats { return Stats{} }

// Handler is the loop's Handler.
func (l *Loop) Handler() Handler { return nil }
