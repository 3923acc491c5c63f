package aof

import (
	"sync"
	"sync/atomic"
	"time"
)

// flight is an fsync of a stream. What it covers is what was whole when it began:
// bytes that were written while it lasted may be on the disk after it, or not.
//
// There is never more than one for a file. The system tells of a failure once to
// each descriptor, so of two at the same time one could succeed over the other's
// loss; and whoever cuts, closes or replaces a file waits first for what the
// flight has to say.
type flight struct {
	upto  place
	began time.Duration
	ended time.Duration // to be read after sync

	sync func() error // makes the call once; a second caller waits for the same answer
	over atomic.Bool
}

// takeOff begins an fsync. It does nothing before its sync is called.
func (w *Writer) takeOff(s *stream) *flight {
	f := &flight{upto: s.whole, began: w.Clock.Monotonic()}
	file := s.file
	f.sync = sync.OnceValue(func() error {
		err := file.Sync()
		f.ended = w.Clock.Monotonic()
		return err
	})
	s.flight, s.lastSync = f, f.began
	return f
}

// fly makes the call on a goroutine of its own, and wakes the writer after it.
func (w *Writer) fly(f *flight) {
	w.background.Go(func() { w.arrive(f) })
}

// arrive is what the goroutine does.
func (w *Writer) arrive(f *flight) {
	_ = f.sync() // whoever lands it gets the answer
	f.over.Store(true)
	w.signal.Notify()
}

// land waits for the fsync under way, if there is one, and takes note of what it
// has made durable.
func (w *Writer) land(s *stream) error {
	f := s.flight
	if f == nil {
		return nil
	}
	s.flight = nil
	if err := f.sync(); err != nil {
		return err
	}
	group := f.upto.pos - s.synced.pos
	s.synced = f.upto
	event := "aof-fsync-everysec"
	if w.settings.Load().Policy == Always {
		event = "aof-fsync-always"
	}
	d := f.ended - f.began
	w.took(event, d)
	w.syncs.add(d)
	if s == w.cur {
		w.gathering.note(group+w.Log.Offset()-f.upto.pos, f.ended, d)
	}
	return s.release(s.synced.pos)
}

// landIfOver takes note of an fsync that has ended.
func (w *Writer) landIfOver(s *stream) {
	if s.flight == nil || !s.flight.over.Load() {
		return
	}
	if err := w.land(s); err != nil {
		w.syncFailed(s, err)
	}
}

// sync makes what is whole durable, and waits for it.
func (w *Writer) sync(s *stream) error {
	if s.flight != nil {
		if err := w.land(s); err != nil || s.synced == s.whole {
			return err
		}
	}
	w.takeOff(s)
	return w.land(s)
}

// syncIfDue syncs. Where a reply waits for it, or a caller, the writer waits too:
// what is written meanwhile could not be told from what is covered any sooner.
// Else it goes on to write.
func (w *Writer) syncIfDue(s *stream, force bool) {
	switch {
	case s.synced.size == s.whole.size:
	case force || w.repliesWait(s):
		if err := w.sync(s); err != nil {
			w.syncFailed(s, err)
		}
	case s.flight == nil && w.syncDue(s):
		w.launch(w.takeOff(s))
		w.landIfOver(s)
	}
}

// repliesWait tells whether somebody waits for each fsync.
func (w *Writer) repliesWait(s *stream) bool {
	return s == w.cur && w.settings.Load().Policy == Always && !w.suspended()
}

// syncDue tells whether what is written now and then is to be synced now: when it has
// been long enough, or is much. The log is kept in memory from the last fsync on, so
// with a second of the fastest writes it would have to grow by some hundred megabytes
// and give them back, over and over.
func (w *Writer) syncDue(s *stream) bool {
	if w.suspended() || w.settings.Load().Policy == No {
		return false
	}
	return s.whole.size-s.synced.size >= syncBytes || w.Clock.Monotonic()-s.lastSync >= syncInterval
}
