package server

import (
	"slices"
	"sync"
	"time"

	"dozo/command"
)

// latencySamples is how many samples of one event are kept.
const latencySamples = 160

// latencyMonitor remembers what took longer than latency-monitor-threshold, by
// event. Any loop adds to it.
type latencyMonitor struct {
	mu     sync.Mutex
	events map[string]*latencySeries
}

// latencySeries are the latest samples of one event, at most one a second: a
// ring.
type latencySeries struct {
	ring  [latencySamples]latencySample
	next  int
	worst int64 // milliseconds, since the event was first seen
}

// latencySample is the worst that was seen in one second.
type latencySample struct {
	at     int64 // Unix seconds; 0 = unused
	millis int64
}

// The events of the latency monitor. Their names are known to tools.
const (
	latencyCommand     = "command"
	latencyFastCommand = "fast-command"
	latencyExpire      = "expire-cycle"
	latencyEviction    = "eviction-cycle"
	latencyDefrag      = "active-defrag-cycle"
)

// noteLatency records an event if it took long enough.
func (s *Server) noteLatency(event string, took time.Duration) {
	if int64(took) >= s.spikeNanos.Load() {
		s.latency.add(event, s.unixSeconds(), millis(took))
	}
}

// noticeLong records a command that took longer than one of the thresholds.
func (w *worker) noticeLong(cl *Client, cmd *command.Command, args [][]byte, took time.Duration) {
	if int64(took) >= w.srv.slowNanos.Load() {
		w.noteSlow(cl, cmd, args, took)
	}
	event := latencyCommand
	if cmd.Flags&command.Fast != 0 {
		event = latencyFastCommand
	}
	w.srv.noteLatency(event, took)
}

func (m *latencyMonitor) add(event string, at, millis int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.events[event]
	if s == nil {
		s = &latencySeries{}
		if m.events == nil {
			m.events = make(map[string]*latencySeries)
		}
		m.events[event] = s
	}
	s.worst = max(s.worst, millis)
	if last := s.latest(); last.at == at {
		last.millis = max(last.millis, millis)
		return
	}
	s.ring[s.next] = latencySample{at, millis}
	s.next = (s.next + 1) % latencySamples
}

// latest is the newest sample.
func (s *latencySeries) latest() *latencySample {
	return &s.ring[(s.next+latencySamples-1)%latencySamples]
}

// samples are all samples, oldest first.
func (s *latencySeries) samples() []latencySample {
	all := slices.Concat(s.ring[s.next:], s.ring[:s.next])
	return slices.DeleteFunc(all, func(x latencySample) bool { return x.at == 0 })
}

// series is a copy of an event's samples; nil when there are none.
func (m *latencyMonitor) series(event string) *latencySeries {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.events[event]; s != nil {
		c := *s
		return &c
	}
	return nil
}

// names are the events that have samples, in order.
func (m *latencyMonitor) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.events {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// reset forgets an event and tells whether there was anything.
func (m *latencyMonitor) reset(event string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, known := m.events[event]
	delete(m.events, event)
	return known
}

// latencyFigures sum a series up.
type latencyFigures struct {
	samples            int
	average, deviation int64 // milliseconds; the mean absolute deviation
	period             float64
}

func (s *latencySeries) figures(now int64) (f latencyFigures) {
	all := s.samples()
	if len(all) == 0 {
		return f
	}
	n := int64(len(all))
	var sum, off int64
	for _, x := range all {
		sum += x.millis
	}
	f.samples, f.average = len(all), sum/n
	for _, x := range all {
		off += max(f.average-x.millis, x.millis-f.average)
	}
	f.deviation = off / n
	f.period = float64(max(now-all[0].at, 1)) / float64(n)
	return f
}

// unixSeconds is the wall clock.
func (s *Server) unixSeconds() int64 { return int64(s.clock.Wall() / time.Second) }
