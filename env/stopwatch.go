package env

import "time"

// Stopwatch times short spans that follow one another at a third of what reading
// the clock costs: by the processor's own counter where there is one, by the clock
// everywhere else. It belongs to one goroutine.
//
// Its answers are readings of the clock's Monotonic, and never far from it: the
// counter is only believed for a short span since the last reading, at the rate that
// the last two calls of Calibrate have found. So when it jumps, as it may when a
// virtual machine moves, durations of less than spanMax are wrong until the next
// call, and nothing else.
type Stopwatch struct {
	clock Clock
	real  bool // the clock is the machine's, which the counter belongs to

	last  time.Duration // the reading that was given last,
	ticks uint64        // and the counter then

	rate uint64 // nanoseconds in 2^32 ticks; 0 = not known
	most uint64 // ticks in spanMax

	calibrated time.Duration // when Calibrate last looked,
	from       uint64        // and the counter then
}

const (
	// spanMax is the longest span that is left to the counter.
	spanMax = time.Millisecond
	// glance is how long a look at both clock and counter may take, or they say
	// different times.
	glance = 2 * time.Microsecond
	// A tick takes from 1/tickLeast to tickMost nanoseconds.
	tickLeast, tickMost = 16, 64
)

// NewStopwatch makes one for a clock.
func NewStopwatch(c Clock) Stopwatch {
	_, real := c.(realClock)
	return Stopwatch{clock: c, real: real}
}

// Read reads the clock.
func (s *Stopwatch) Read() time.Duration {
	s.last = s.clock.Monotonic()
	s.ticks = ticks()
	return s.last
}

// After is the time now, when a reading was the time before.
func (s *Stopwatch) After(reading time.Duration) time.Duration {
	now := ticks()
	n := now - s.ticks
	if n >= s.most || reading != s.last {
		return s.Read()
	}
	s.ticks = now
	s.last += time.Duration(n * s.rate >> 32)
	return s.last
}

// Calibrate finds out how fast the counter has been since the last call. It is to be
// called a few times a second.
func (s *Stopwatch) Calibrate() {
	if !s.real {
		return
	}
	now, from := s.clock.Monotonic(), ticks()
	if s.clock.Monotonic()-now > glance {
		return // something came between
	}
	s.setRate(float64(now-s.calibrated) / float64(from-s.from))
	s.calibrated, s.from = now, from
}

// setRate says how many nanoseconds a tick takes.
func (s *Stopwatch) setRate(nanos float64) {
	s.rate, s.most = 0, 0
	if nanos >= 1.0/tickLeast && nanos <= tickMost {
		s.rate = uint64(nanos * (1 << 32))
		s.most = uint64(float64(spanMax) / nanos)
	}
}
