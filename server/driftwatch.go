package server

import (
	"sync"
	"sync/atomic"
	"time"

	"dozo/config"
)

// A running value that a restart would not load, and an edit of the file that was
// never loaded, are how settings are lost that everybody thought were there: the
// loss shows weeks later, when the process is replaced. So the files are looked at
// every few seconds, off the loops; INFO counts what differs, and the log warns of
// what has differed for as long as config-drift-warn-after says, once a day, and
// when the server ends.

const (
	// driftLook is the time between two looks at the files.
	driftLook = 10 * time.Second
	// driftRepeat is the time between two warnings of one directive.
	driftRepeat = 24 * time.Hour
	// driftLines bounds the lines of one warning.
	driftLines = 20
)

// driftWatch is what is known of the differences so far.
type driftWatch struct {
	looking atomic.Bool
	over    atomic.Bool   // the server has ended, and its log may have
	next    time.Duration // monotonic; the first worker's

	mu     sync.Mutex
	seen   map[string]driftSeen
	broken string // why the files cannot be read, as warned of
}

// driftSeen is one directive that differs.
type driftSeen struct {
	since, warned time.Duration // monotonic; warned 0 = not yet
}

// watchDrift looks at the files if it is time to. It is called in the first
// worker's tick, and waits for nothing: while a look takes long, none begins.
func (s *Server) watchDrift() {
	d, now := &s.drift, s.clock.Monotonic()
	if now < d.next || !d.looking.CompareAndSwap(false, true) {
		return
	}
	age := time.Duration(s.cfg.Int(config.ConfigDriftWarnAfter)) * time.Second
	d.next = now + driftLook
	if age != 0 {
		d.next = now + min(driftLook, age)
	}
	go func() {
		defer d.looking.Store(false)
		list, err := s.cfg.Drift()
		if s.drift.over.Load() {
			return
		}
		s.noteUnreadable(err)
		if err != nil {
			list, _ = s.cfg.KnownDrift()
		}
		s.warnOfOldDrift(list, age)
	}()
}

// noteUnreadable warns, once, that a restart would fail.
func (s *Server) noteUnreadable(err error) {
	s.drift.mu.Lock()
	defer s.drift.mu.Unlock()
	what := ""
	if err != nil {
		what = err.Error()
	}
	if what != "" && what != s.drift.broken {
		s.logf(Warning, "The configuration that a restart would load cannot be read, so that a restart would fail: %s", what)
	}
	s.drift.broken = what
}

// warnOfOldDrift warns of the differences that have stood for age, 0 = of none.
func (s *Server) warnOfOldDrift(list []config.Difference, age time.Duration) {
	if due := s.drift.due(list, age, s.clock.Monotonic()); len(due) > 0 {
		s.logf(Warning, "The configuration has drifted: for %d seconds and more, %d directives have not been what a restart would load. "+
			"%s, CONFIG DRIFT tells more.", age/time.Second, len(due), s.howToKeep("what is running"))
		s.logDrift(due)
	}
}

// due are the differences to warn of now. It remembers since when each is there.
func (d *driftWatch) due(list []config.Difference, age, now time.Duration) (due []config.Difference) {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := make(map[string]driftSeen, len(list))
	for _, diff := range list {
		was, known := d.seen[diff.Name]
		if !known {
			was.since = now
		}
		if age != 0 && now-was.since >= age && (was.warned == 0 || now-was.warned >= driftRepeat) {
			was.warned = now
			due = append(due, diff)
		}
		seen[diff.Name] = was
	}
	d.seen = seen
	return due
}

// howToKeep is the advice to who wants what is running to outlive the process.
func (s *Server) howToKeep(what string) string {
	if s.cfg.File() == "" {
		return "There is no config file for CONFIG REWRITE: the command line keeps " + what
	}
	return "CONFIG REWRITE keeps " + what
}

func (s *Server) logDrift(list []config.Difference) {
	for i, d := range list {
		if i == driftLines {
			s.logf(Warning, "... and %d more", len(list)-i)
			return
		}
		s.logf(Warning, "  %s", d)
	}
}

// tellDrift logs which of the directives that CONFIG SET has just set a restart
// would set back.
func (s *Server) tellDrift(set []config.Pair) {
	list, _ := s.cfg.KnownDrift()
	for _, d := range list {
		for _, p := range set {
			if config.Lookup(p.Name) == config.Lookup(d.Name) {
				how := s.howToKeep("it")
				if d.From.OverFile() && s.cfg.File() != "" {
					how = "The " + d.From.String() + " wins over CONFIG REWRITE: change it there to keep it"
				}
				s.logf(Notice, "CONFIG SET: %s. %s.", d, how)
				break
			}
		}
	}
}

// WarnOfDrift says in the log, before the process ends, which settings end with
// it, and which edits come into force. It goes by the last look at the files, so
// that no disk delays the end.
func (s *Server) WarnOfDrift() {
	list, broken := s.cfg.KnownDrift()
	if broken != nil {
		s.logf(Warning, "The next start will fail: %v", broken)
	}
	if len(list) > 0 {
		s.logf(Warning, "%d directives are not what the next start will load:", len(list))
		s.logDrift(list)
	}
}
