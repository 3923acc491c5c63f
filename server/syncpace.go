package server

import (
	"slices"
	"sync"
	"time"

	"dozo/eventloop"
	"dozo/replication"
)

// syncPace keeps the snapshots that replicas get, all of them together, to
// repl-sync-rate-limit. Each has a bucket that time fills with its part of the limit: when
// that is empty its source has nothing to give, and the next tick of the first loop wakes it.
// The log is not in it: a replica that is online must keep up.
//
// LIMITATIONS: the limit is kept over tenths of seconds (the period of the tick, see hz), in
// which the bytes leave as fast as they can. What a replica does not take of its part is
// nobody's.
type syncPace struct {
	mu      sync.Mutex
	rate    int64 // bytes a second; 0 = no limit
	at      time.Duration
	sources []*pacedSource
}

// paceBurst is for how long a bucket fills when nobody takes from it.
const paceBurst = 200 * time.Millisecond

// tick fills the buckets.
func (p *syncPace) tick(rate int64, now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	passed := min(now-p.at, paceBurst)
	p.at, p.rate = now, rate
	if len(p.sources) == 0 {
		return
	}
	part := float64(rate) / float64(len(p.sources))
	fill, most := int64(part*passed.Seconds())+1, int64(part*paceBurst.Seconds())+1
	for _, s := range p.sources {
		s.left = min(s.left+fill, most)
		if s.waits {
			s.waits = false
			s.wake()
		}
	}
}

// pace is a source that gives a snapshot as fast as it may.
func (p *syncPace) pace(of *replication.SpoolReader, wake func()) *pacedSource {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &pacedSource{SpoolReader: of, pace: p, wake: wake}
	p.sources = append(p.sources, s)
	return s
}

// drop forgets a source.
func (p *syncPace) drop(s *pacedSource) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.sources, s); i >= 0 {
		p.sources = slices.Delete(p.sources, i, i+1)
	}
}

// pacedSource is a replica's snapshot.
type pacedSource struct {
	*replication.SpoolReader
	pace *syncPace
	wake func()

	// Under the pace's mutex.
	left  int64 // bytes that may leave now
	waits bool  // for more
}

var _ eventloop.Source = (*pacedSource)(nil)

// room is how much of n bytes may leave now.
func (s *pacedSource) room(n int) int {
	s.pace.mu.Lock()
	defer s.pace.mu.Unlock()
	if s.pace.rate == 0 {
		return n
	}
	return int(min(int64(n), max(s.left, 0)))
}

// Peek implements eventloop.Source.
func (s *pacedSource) Peek() ([]byte, error) {
	b, err := s.SpoolReader.Peek()
	if len(b) == 0 {
		return b, err
	}
	room := s.room(len(b))
	if room == 0 {
		s.SpoolReader.Advance(0)
	}
	return b[:room], err
}

// Advance implements eventloop.Source.
func (s *pacedSource) Advance(n int) {
	s.SpoolReader.Advance(n)
	s.pace.mu.Lock()
	defer s.pace.mu.Unlock()
	s.left = max(s.left-int64(n), 0)
}

// Arm implements eventloop.Source.
func (s *pacedSource) Arm() bool {
	s.pace.mu.Lock()
	if s.waits = s.pace.rate != 0 && s.left == 0; s.waits {
		s.pace.mu.Unlock()
		return true
	}
	s.pace.mu.Unlock()
	return s.SpoolReader.Arm()
}
