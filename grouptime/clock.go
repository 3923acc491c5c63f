// Package grouptime is the time that a primary and its replicas share: what decides
// when keys are over. It is a machine without a clock of its own: each call brings what
// the two clocks of the machine show (Moment).
//
// A node that leads follows its wall clock, as every server does. It stamps its stream
// with the time now and then (Stamp, AppendStamp); from then on others rely on that, so
// its time does not go back below it any more: when the wall clock is set back, time goes
// on more slowly until both agree. So it is after a promotion: the time of the group goes
// on where it was, and comes to the node's own wall clock by no more than slewPart, so
// that no key comes back, and none goes an hour early because this node's clock is wrong.
//
// A node that follows ignores its wall clock: its time is the last stamp and what has
// passed since on the clock that nobody sets. Is the stream late, its time is late by as
// much, and answers are those that the primary gave at that point of the stream. When the
// delay grows, time stands still until the stamps have caught up; it does not go back.
// A primary that sends no stamps (Redis) is followed by the own wall clock, as Redis does.
//
// The answer is a Line: what the time is at any reading of the monotonic clock until
// somebody asks the machine again. So whoever executes commands needs no lock for it.
//
// Units: Moment and Line are durations since the epoch of their clock; stamps are Unix
// milliseconds.
//
// Invariants, for one history of data:
//
//   - On a node that follows and has heard a stamp, and on one that leads, as far as
//     stamps have gone out, time never goes back.
//   - No stamp that a node sends is below one that it has sent or heard.
//
// LIMITATIONS. While the stream is late or cut a follower's time goes on: it may hide a
// key for which a later deadline is on the way. Time on two machines differs by what the
// network takes. A wall clock that is set back by years after stamps were sent is not
// followed in a lifetime: a node started anew that has no stamps follows it at once.
package grouptime

import "time"

const (
	// slewPart: time is never faster or slower than the clock by more than this part.
	slewPart = 20 // 5 %
	// snap is how far a wall clock may be ahead for time to join it in one step.
	snap = 10 * time.Millisecond
	// slack is how far the wall clock may be behind without being called set back.
	slack = time.Millisecond
)

// Moment is what the clocks of a machine show.
type Moment struct {
	Wall time.Duration // since the Unix epoch; may jump
	Mono time.Duration // nobody sets it
}

// Line is the time as a function of the monotonic clock: it was At at From, and goes on
// with it, faster or slower by a slewPart-th until it has gained Gain, which may be
// negative; but it is not before Floor.
type Line struct {
	From, At, Floor time.Duration
	Gain            time.Duration
}

// Time is what time it is at a reading of the monotonic clock.
func (l *Line) Time(mono time.Duration) time.Duration {
	d := mono - l.From
	if l.Gain != 0 && d > 0 {
		part := d / slewPart
		d += max(min(l.Gain, part), -part)
	}
	return max(l.At+d, l.Floor)
}

// Millis is Time in Unix milliseconds.
func (l *Line) Millis(mono time.Duration) int64 { return int64(l.Time(mono) / time.Millisecond) }

// Clock is one node's view of its group's time. Make it by New.
type Clock struct {
	line    Line
	follows bool
	heard   bool          // a stamp, of the history that is followed or was
	stamped time.Duration // the latest stamp sent or heard: others rely on it
	slewing bool          // time is on its way to the wall clock
}

// New is the clock of a node that leads, and follows its wall clock.
func New(now Moment) Clock { return Clock{line: Line{From: now.Mono, At: now.Wall}} }

// Line is the time from now on.
func (c *Clock) Line() Line { return c.line }

// Heard tells whether the time is that of a group, by stamps, rather than the node's own.
func (c *Clock) Heard() bool { return c.heard }

// Follows tells whether the node follows.
func (c *Clock) Follows() bool { return c.follows }

// Slewing tells whether time is on its way to the wall clock.
func (c *Clock) Slewing() bool { return c.slewing }

// Follow has the node follow another one: time goes on as it is until the first stamp is
// heard, which may not be below what this node has told others as a leader.
func (c *Clock) Follow(now Moment) {
	if !c.follows {
		c.follows = true
		c.set(now, c.line.Time(now.Mono), 0)
	}
}

// Lead has the node lead: time goes on as it is, and comes to its wall clock.
func (c *Clock) Lead(now Moment) {
	if c.follows {
		t := c.line.Time(now.Mono)
		if c.heard {
			c.stamped = max(c.stamped, t) // it has been shown
		}
		c.follows, c.heard, c.slewing = false, false, c.slewing || c.heard
		c.set(now, t, 0)
		c.Adjust(now)
	}
}

// Anew forgets all that was heard, since the data is of another history: time is the
// node's own until a stamp comes.
func (c *Clock) Anew(now Moment) {
	c.heard, c.slewing, c.stamped = false, false, 0
	c.set(now, now.Wall, 0)
}

// Hear tells a node that follows what time its primary has: a stamp has come. It says
// false if there is nothing to it: the node leads, or no clock can show that.
func (c *Clock) Hear(ms int64, now Moment) bool {
	if !c.follows || ms < 0 || ms > stampMax {
		return false
	}
	floor := c.stamped
	if c.heard { // what has been shown since is the group's time, too
		floor = max(floor, c.line.Time(now.Mono))
	}
	t := time.Duration(ms) * time.Millisecond
	c.heard, c.slewing, c.stamped = true, false, max(c.stamped, t)
	c.set(now, t, floor)
	return true
}

// Resume has a node that leads go on with a history in which it was ms at least: its time
// does not go below that. A wall clock that is ahead is right, since the node was off.
func (c *Clock) Resume(ms int64, now Moment) {
	if c.follows || ms <= 0 || ms > stampMax {
		return
	}
	t := time.Duration(ms) * time.Millisecond
	c.stamped = max(c.stamped, t)
	if c.line.Time(now.Mono) < t {
		c.set(now, t, 0)
		c.Adjust(now)
	}
}

// Shown tells whether others rely on the time: a stamp was sent or heard.
func (c *Clock) Shown() bool { return c.stamped != 0 }

// stampMax keeps durations from overflowing: the year 2262.
const stampMax = int64(1<<63-1)/int64(time.Millisecond) - 1

// Stamp is the time to be told to others, in Unix milliseconds.
func (c *Clock) Stamp(now Moment) int64 {
	c.Adjust(now)
	ms := c.line.Millis(now.Mono)
	c.stamped = max(c.stamped, time.Duration(ms)*time.Millisecond)
	return ms
}

// Adjust looks at the wall clock, which has gone on, or was set. It is to be called some
// times a second. It says whether Line has changed.
func (c *Clock) Adjust(now Moment) bool {
	if c.follows && c.heard {
		return false
	}
	before, t := c.line, c.line.Time(now.Mono)
	switch ahead := now.Wall - t; { // of the wall clock
	case ahead >= 0 && (!c.slewing || ahead <= snap):
		c.slewing = false
		if ahead > 0 {
			c.set(now, now.Wall, 0)
		}
	case ahead < 0 && ahead > -slack:
		if c.slewing {
			c.slewing = false
			c.set(now, t, 0)
		}
	case ahead < 0 && !c.slewing && now.Wall >= c.stamped:
		c.set(now, now.Wall, 0)
	default:
		c.slewing = true
		c.set(now, t, 0)
		c.line.Gain = ahead
	}
	return c.line != before
}

func (c *Clock) set(now Moment, t, floor time.Duration) {
	c.line = Line{From: now.Mono, At: t, Floor: floor}
}
