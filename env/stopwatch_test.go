package env

import (
	"testing"
	"time"
)

// The readings of a Stopwatch stay close to the clock, in laps of any length.
func TestStopwatchFollowsTheClock(t *testing.T) {
	c := Real().Clock
	s := NewStopwatch(c)
	s.Calibrate()
	time.Sleep(20 * time.Millisecond)
	s.Calibrate()
	for _, pause := range []time.Duration{0, 10 * time.Microsecond, 3 * time.Millisecond} {
		closest := time.Hour
		for range 20 {
			at := s.Read()
			for range 10 {
				time.Sleep(pause)
				next := s.After(at)
				if next < at {
					t.Fatalf("time went back from %v to %v", at, next)
				}
				at = next
			}
			closest = min(closest, (c.Monotonic() - at).Abs())
		}
		if closest > 20*time.Microsecond {
			t.Errorf("after laps of %v it is at best %v from the clock", pause, closest)
		}
	}
}

// A clock that is not the machine's is asked every time, and so is the machine's
// after a reading that the Stopwatch has not given.
func TestStopwatchOfAnotherClock(t *testing.T) {
	c := &stoppedClock{}
	s := NewStopwatch(c)
	s.Calibrate()
	c.now = time.Hour
	s.Calibrate()
	at := s.Read()
	if next := s.After(at); next != at {
		t.Errorf("a clock that stands still went on by %v", next-at)
	}
	if c.now += time.Nanosecond; s.After(at) != c.now {
		t.Error("it does not show what the clock does")
	}
	r := NewStopwatch(Real().Clock)
	r.Calibrate()
	time.Sleep(time.Millisecond)
	r.Calibrate()
	if now := r.After(time.Hour); now > time.Hour {
		t.Errorf("it went on from a reading that is not its own: %v", now)
	}
}

type stoppedClock struct{ now time.Duration }

func (c *stoppedClock) Wall() time.Duration      { return c.now }
func (c *stoppedClock) Monotonic() time.Duration { return c.now }

func BenchmarkStopwatch(b *testing.B) {
	s := NewStopwatch(Real().Clock)
	s.Calibrate()
	time.Sleep(20 * time.Millisecond)
	s.Calibrate()
	at := s.Read()
	for b.Loop() {
		at = s.After(at)
	}
}
