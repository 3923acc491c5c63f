package aof

import (
	"errors"
	"fmt"
	"time"

	"dozo/env"
	"dozo/oplog"
)

// stream is one incr file being written, and where it is in the log. Three
// places in the file have their offset in the log:
//
//	synced <= whole <= written
//
// written is where the next byte goes. whole is the last place between two units
// that a write came to. synced is what an fsync has covered, and stands between
// two units too. The reader hold keeps the log from synced on, so that what is
// not known to be durable can be written again; the reader read is at written.
type stream struct {
	name string // its name in the manifest, or of a temporary file
	seq  int64  // its number in the manifest; 0 for a temporary file
	file env.File

	start  uint64 // where in the log it was begun by this process
	size   int64
	whole  place
	synced place

	read, hold *oplog.Reader
	flight     *flight       // the fsync under way, nil if there is none
	lastSync   time.Duration // when the last one began

	// What is wrong, nil if nothing, and since when and how it is tried again.
	fault   error
	cure    cure
	since   time.Duration
	retryAt time.Duration
	backoff time.Duration
	retries int
}

// place is a place in a file and the offset of the log that it stands for. stamp
// is the time of the latest annotation before it.
type place struct {
	size  int64
	pos   uint64
	stamp int64
	gap   bool // what the log has right before it is not in the file
}

// cure is what a stream with a fault needs.
type cure int

const (
	cureNone     cure = iota
	cureWrite         // the same write again: the disk was full
	cureReplace       // a new file from whole on: this one cannot be written
	cureRecover       // a new file from synced on: what was written since may be lost
	cureRewrite       // what would have to be written again is no longer in the log
	retryMin     = 100 * time.Millisecond
	retryMax     = 5 * time.Second
	logEvery     = 30 * time.Second
	syncInterval = time.Second
	syncBytes    = 4 << 20
)

// openStream makes a file that begins at an offset of the log.
func (w *Writer) openStream(name string, from uint64) (*stream, error) {
	s := &stream{name: name, start: from, lastSync: w.Clock.Monotonic()}
	s.whole.pos, s.synced.pos = from, from
	err := w.attach(s, from)
	if err == nil {
		s.file, err = w.Store.FS.OpenFile(w.Store.path(name), env.AppendNew, 0o644)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// attach puts the readers of a stream at an offset.
func (w *Writer) attach(s *stream, at uint64) (err error) {
	if s.hold, err = w.Log.NewReader(at, nil); err == nil {
		s.read, err = w.Log.NewReader(at, w.signal.Notify)
	}
	return err
}

// begin writes what stands before the first command: the database in force,
// which bytes before it in the log have chosen. A new file without a command
// stays empty.
func (s *stream) begin() error {
	if !s.selects() {
		return nil // the first command brings its own
	}
	cmd := oplog.AppendHeader(nil, 2)
	cmd = oplog.AppendArgString(cmd, "SELECT")
	return s.put(oplog.AppendArgInt(cmd, int64(s.read.DB())))
}

// selects tells whether begin has anything to write.
func (s *stream) selects() bool { return s.read.DB() != oplog.NoDB }

// resumeStream goes on with a file that was loaded, at the end of the log.
func (w *Writer) resumeStream(p Part) (*stream, error) {
	at := w.Log.Offset()
	s := &stream{name: p.Name, seq: p.Seq, start: at, size: p.Size, lastSync: w.Clock.Monotonic()}
	s.whole = place{size: p.Size, pos: at}
	s.synced = s.whole
	err := w.attach(s, at)
	if err == nil {
		s.file, err = w.Store.FS.OpenFile(p.Path, env.Append, 0)
	}
	if err == nil {
		err = s.file.Sync() // what a killed process wrote may be in memory only
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stream) close() {
	for _, r := range []*oplog.Reader{s.read, s.hold} {
		if r != nil {
			r.Close()
		}
	}
	if s.file != nil {
		_ = s.file.Close()
	}
}

// write brings the file up to an offset between two units.
func (w *Writer) write(s *stream, target uint64) error {
	set := w.settings.Load()
	if set.BeforeWrite != nil {
		set.BeforeWrite()
	}
	began := w.Clock.Monotonic()
	stamps := set.Timestamps
	stamp, gap := s.whole.stamp, s.whole.gap
	for s.read.Pos() < target {
		upto := target
		if stamps {
			second, next := w.marks.at(s.read.Pos())
			if second > stamp {
				stamp = second
				if err := s.put(AppendAnnotation(nil, second)); err != nil {
					return err
				}
			}
			upto = min(upto, next)
		}
		next, err := w.annotate(s, gap)
		if err != nil {
			return err
		}
		upto, gap = min(upto, next), false
		if s.read.Pos() == s.start {
			if err := s.begin(); err != nil {
				return err
			}
		}
		until, next := w.Log.LeftOut(s.read.Pos())
		if until != 0 {
			if err := advance(s.read, min(until, upto)); err != nil {
				return err
			}
			gap = true
			continue
		}
		if err := s.copy(min(upto, next)); err != nil {
			return err
		}
	}
	s.whole = place{s.size, target, stamp, gap}
	d := w.Clock.Monotonic() - began
	w.writes.add(d)
	w.took(w.writeEvent(s), d)
	return nil
}

// copy writes what the log has in one piece, up to an offset.
func (s *stream) copy(upto uint64) error {
	p, err := s.read.Peek()
	if err != nil {
		return err
	}
	p = p[:min(uint64(len(p)), upto-s.read.Pos())]
	before := s.size
	err = s.put(p)
	s.read.Advance(int(s.size - before))
	return err
}

func (s *stream) put(p []byte) error {
	n, err := s.file.Write(p)
	s.size += int64(n)
	return err
}

// rewind takes back what was written behind the last whole place.
func (w *Writer) rewind(s *stream) error {
	if err := s.file.Truncate(s.whole.size); err != nil {
		return err
	}
	r, err := w.Log.NewReader(s.whole.pos, w.signal.Notify)
	if err != nil {
		return err
	}
	s.read.Close()
	s.read, s.size = r, s.whole.size
	return nil
}

// release lets the log go up to an offset.
func (s *stream) release(upto uint64) error { return advance(s.hold, upto) }

// advance puts a reader at an offset ahead.
func advance(r *oplog.Reader, upto uint64) error {
	for r.Pos() < upto {
		p, err := r.Peek()
		if err != nil {
			return err
		}
		r.Advance(int(min(uint64(len(p)), upto-r.Pos())))
	}
	return nil
}

// lost tells whether an error is the log's: the bytes are not there any more.
func lost(err error) bool {
	for _, e := range []error{oplog.ErrTrimmed, oplog.ErrReset, oplog.ErrLagging, oplog.ErrInactive, oplog.ErrFuture, oplog.ErrClosed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// writeFailed takes note of a failed write.
func (w *Writer) writeFailed(s *stream, err error) {
	c := cureReplace
	switch {
	case lost(err):
		c = cureRewrite
	case env.NoSpace(err):
		c = cureWrite
	}
	err = env.Cause(err)
	if c != cureRewrite {
		if back := w.rewind(s); back != nil {
			err = fmt.Errorf("%w; what was written of it could not be taken back: %w", err, env.Cause(back))
			c = cureReplace
		}
	}
	w.failed(s, c, fmt.Errorf("error writing to the AOF file %s: %w", s.name, err))
}

// syncFailed takes note of a failed fsync. Nobody knows which of the bytes since
// the last good one are on the disk, and a second fsync that succeeds says
// nothing about them.
func (w *Writer) syncFailed(s *stream, err error) {
	c := cureRecover
	if lost(err) || s.hold.Pos() > s.synced.pos {
		c = cureRewrite
	}
	w.failed(s, c, fmt.Errorf("fsync of the AOF file %s failed, what was written since offset %d of it is not known to be there: %w", s.name, s.synced.size, env.Cause(err)))
}

// failed begins a fault or goes on with it; a fault never gets a milder cure.
func (w *Writer) failed(s *stream, c cure, err error) {
	now := w.Clock.Monotonic()
	first := s.fault == nil
	if first {
		s.since, s.backoff, s.retries = now, retryMin, 0
	} else {
		s.backoff = min(2*s.backoff, retryMax)
		s.retries++
	}
	s.fault, s.cure = err, max(c, s.cure)
	s.retryAt = now + s.backoff
	w.tellFault(s, first)
}

// tryAgain works on a stream with a fault. The result is the stream to go on
// with, which may be another.
func (w *Writer) tryAgain(s *stream, target uint64) *stream {
	switch s.cure {
	case cureWrite:
		if err := w.write(s, target); err != nil {
			w.writeFailed(s, err)
		} else {
			w.cured(s)
		}
	case cureReplace, cureRecover:
		return w.recover(s, target)
	case cureRewrite:
		s.backoff = retryMax // only a rewrite helps; remind
		w.failed(s, cureRewrite, s.fault)
	}
	return s
}

// cured ends a fault.
func (w *Writer) cured(s *stream) {
	w.Logger.Logf(notice, "AOF write error looks solved, Redis can write again. (It lasted %.1f s.)", (w.Clock.Monotonic() - s.since).Seconds())
	s.fault, s.cure = nil, cureNone
}

// recover goes on in a new file. The old one must end, durably, where the new
// one takes up, before the manifest has both; until then nothing is changed that
// the next attempt could not do again.
func (w *Writer) recover(s *stream, target uint64) *stream {
	if err := w.land(s); err != nil {
		w.syncFailed(s, err)
		return s
	}
	from := s.whole
	if s.cure == cureRecover {
		from = s.synced
	}
	if err := w.endFile(s, from); err != nil {
		if s.cure == cureReplace {
			w.syncFailed(s, err)
			return s
		}
		w.failed(s, s.cure, fmt.Errorf("the AOF file %s cannot be cut where it is known to be good: %w", s.name, err))
		return s
	}
	s.size, s.whole, s.synced = from.size, from, from
	fresh, err := w.relocate(s, target)
	if err != nil {
		c := s.cure
		if lost(err) {
			c = cureRewrite
		}
		w.failed(s, c, fmt.Errorf("no new AOF file could take the place of %s: %w", s.name, err))
		return s
	}
	fresh.since = s.since
	w.replace(fresh)
	w.cured(fresh)
	return fresh
}

// endFile cuts a file at a place and makes that durable. It opens the file anew:
// the old descriptor may be what is broken.
func (w *Writer) endFile(s *stream, at place) error {
	f, err := w.Store.FS.OpenFile(w.Store.path(s.name), env.Append, 0)
	if err != nil {
		return err
	}
	if err = f.Truncate(at.size); err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}

// relocate makes a new incr file that goes on where s is whole, brings it up to
// target, durably, and has the manifest name it.
func (w *Writer) relocate(s *stream, target uint64) (*stream, error) {
	m := w.Store.manifest.clone()
	info := m.addIncr(w.Store.Name, w.Store.taken)
	fresh, err := w.openStream(info.Name, s.whole.pos)
	if err == nil {
		fresh.seq, fresh.whole.stamp = info.Seq, s.whole.stamp
		if err = w.complete(fresh, target); err == nil {
			err = w.Store.persist(m)
		}
	}
	if err != nil {
		if fresh != nil {
			fresh.close()
			w.Store.discard(info.Name, err)
		}
		return nil, err
	}
	w.Logger.Logf(notice, "Creating AOF incr file %s", info.Name)
	return fresh, nil
}

// complete brings a new file up to target and makes it durable with its name.
func (w *Writer) complete(s *stream, target uint64) error {
	if err := w.write(s, target); err != nil {
		return err
	}
	if err := w.sync(s); err != nil {
		return err
	}
	return w.Store.FS.SyncDir(w.Store.folder())
}
