package aof

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sync"

	"dozo/oplog"
)

// Rewrite is the making of a new base. Its methods may be called by any
// goroutine.
type Rewrite struct {
	w    *Writer
	at   uint64 // the base holds all before this offset of the log
	rdb  bool
	done chan struct{}

	once sync.Once
	err  error // before done is closed

	mu      sync.Mutex
	publish bool
	alone   bool // without an incr file
	abort   error

	// The writer's own.
	hold  *oplog.Reader // keeps the log from at on until the rewrite has begun
	begun bool
	keep  int64 // number of the first incr file that goes with the new base
}

// ErrRewriteRunning is given when a second rewrite is begun.
var ErrRewriteRunning = errors.New("aof: a rewrite is running: wait for its end, or abort it")

// BeginRewrite begins a rewrite at the present end of the log. It must be called
// while nobody appends, together with the snapshot that the base is made from.
// The writer goes on in a new incr file from exactly there: at once, named by the
// manifest, if all is well; if the writer is Off, which makes it Starting, or the
// present files cannot be written, in a file that gets its name together with
// the base. rdb tells what format the base will have.
//
// What follows is: the base is written to Path and synced there; then Publish, or
// Abort. A rewrite may also end by itself, with an error: see Done.
func (w *Writer) BeginRewrite(rdb bool) (*Rewrite, error) {
	r, err := w.newRewrite(rdb)
	if err != nil {
		return nil, err
	}
	if w.state.CompareAndSwap(int32(Off), int32(Starting)) {
		w.changed()
	}
	w.noteTime(r.at)
	w.signal.Notify()
	return r, nil
}

func (w *Writer) newRewrite(rdb bool) (*Rewrite, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.stopped:
		return nil, errStopped
	case w.running != nil:
		return nil, ErrRewriteRunning
	}
	hold, err := w.Log.NewTailReader(nil)
	if err != nil {
		return nil, err
	}
	w.running = &Rewrite{w: w, at: hold.Pos(), rdb: rdb, hold: hold, done: make(chan struct{})}
	return w.running, nil
}

// At is the offset of the log where the base ends and the new incr file begins.
func (r *Rewrite) At() uint64 { return r.at }

// Path is where the base is to be written; what is there is of no use. Whoever writes it
// removes it if the rewrite fails, since it may be written on after that.
func (r *Rewrite) Path() string { return r.w.Store.path(tempPrefix + r.w.Store.Name + ".base") }

// RDB tells what format the base is to have: RDB, or commands.
func (r *Rewrite) RDB() bool { return r.rdb }

// Done is closed when the rewrite has ended, one way or the other.
func (r *Rewrite) Done() <-chan struct{} { return r.done }

// Err is why the rewrite failed, nil if it did not; after Done.
func (r *Rewrite) Err() error {
	<-r.done
	return r.err
}

// Publish puts the base, which is complete and synced, in the place of the old
// files, and waits for it. With a nil result a restart finds the new files, and a
// writer that was Starting is On. Otherwise it goes on with the old ones.
func (r *Rewrite) Publish() error {
	r.mu.Lock()
	r.publish = true
	r.mu.Unlock()
	r.w.signal.Notify()
	return r.Err()
}

// PublishAlone is Publish for a base that is not gone on with: no incr file follows it. The
// writer stays Starting, and can only be turned off.
func (r *Rewrite) PublishAlone() error {
	r.mu.Lock()
	r.alone = true
	r.mu.Unlock()
	return r.Publish()
}

// Abort gives the rewrite up, and waits for it. The error becomes Err's; it does
// nothing if the rewrite has ended.
func (r *Rewrite) Abort(err error) {
	r.mu.Lock()
	r.abort = err
	r.mu.Unlock()
	r.w.signal.Notify()
	<-r.done
}

// wishes are what was asked of the rewrite.
func (r *Rewrite) wishes() (publish bool, abort error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.publish, r.abort
}

// serveRewrite does what is due for a rewrite.
func (w *Writer) serveRewrite(r *Rewrite, target uint64) {
	publish, abort := r.wishes()
	if abort != nil {
		w.giveUp(r, abort)
		return
	}
	if !r.begun {
		if err := w.begin(r); err != nil {
			w.giveUp(r, fmt.Errorf("the AOF cannot go on in a new file: %w", err))
			return
		}
	}
	if w.spare != nil {
		w.serve(w.spare, target, false)
		if err := w.spare.fault; err != nil {
			w.giveUp(r, err)
			return
		}
	}
	if publish && r.begun {
		w.finish(r)
	}
}

// begin goes on in a new file. With files that work that waits until they are
// written up to the point.
func (w *Writer) begin(r *Rewrite) error {
	if w.cur == nil || w.cur.fault != nil || w.Store.unsettled {
		name := tempPrefix + IncrName(w.Store.Name, 0)
		if err := w.Store.FS.Remove(w.Store.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		spare, err := w.openStream(name, r.at)
		if err != nil {
			return err
		}
		w.spare = spare
		w.beginAt(r, 0)
		return nil
	}
	if w.cur.whole.pos != r.at {
		return nil
	}
	return w.rotate(r)
}

// rotate goes on in a new file that the manifest names. The old one is complete
// and synced before: only the last file may be torn.
func (w *Writer) rotate(r *Rewrite) error {
	if w.cur.synced != w.cur.whole {
		if err := w.sync(w.cur); err != nil {
			w.syncFailed(w.cur, err)
			return nil // a fault now: the rewrite goes another way
		}
		w.advance(w.cur)
	}
	fresh, err := w.relocate(w.cur, r.at)
	if err != nil {
		return err
	}
	w.replace(fresh)
	w.beginAt(r, fresh.seq)
	return nil
}

func (w *Writer) beginAt(r *Rewrite, keep int64) {
	r.begun, r.keep = true, keep
	r.hold.Close()
}

// finish makes the base the first file to load.
func (w *Writer) finish(r *Rewrite) {
	began := w.Clock.Monotonic()
	if r.isAlone() && w.cur == nil {
		w.dropSpare()
	}
	base, incr, err := w.exchange(r)
	if err != nil {
		for _, name := range []string{base, incr} {
			if name != "" {
				w.Store.discard(name, err)
			}
		}
		w.giveUp(r, fmt.Errorf("the new AOF base cannot take its place: %w", err))
		return
	}
	w.took("aof-rename", w.Clock.Monotonic()-began)
	if w.spare != nil {
		w.adopt(incr)
	}
	if w.cur != nil {
		w.rest = w.Store.sizeWithout(w.cur.name)
		w.baseSize.Store(w.rest + w.cur.size)
		w.advance(w.cur)
		w.publishNumbers()
	}
	w.sweeping = false // what could not be removed is tried again
	w.sweep()
	w.ended(r, nil)
}

// adopt makes the stream that had no name the current one.
func (w *Writer) adopt(name string) {
	s := w.spare
	w.spare = nil
	s.name, s.seq = name, w.Store.manifest.incrSeq
	if w.cur != nil && w.cur.fault != nil {
		w.cured(w.cur)
	}
	w.replace(s)
	w.setState(On)
}

// exchange gives the new files their names and replaces the manifest. The names
// that it returns are of files that were made, also if there is an error.
func (w *Writer) exchange(r *Rewrite) (base, incr string, err error) {
	s := w.Store
	m := s.manifest.clone()
	keep := r.keep
	if w.cur == nil {
		keep = math.MaxInt64 // nor would any go with a base that is alone
	}
	if w.spare != nil {
		keep = math.MaxInt64
		if err := w.sync(w.spare); err != nil {
			return "", "", err
		}
	}
	info := m.addBase(s.Name, r.rdb, s.taken)
	m.retireIncr(keep)
	if err := s.FS.Rename(r.Path(), s.path(info.Name)); err != nil {
		return "", "", err
	}
	if w.spare != nil {
		name := m.addIncr(s.Name, s.taken).Name
		if err := s.FS.Rename(s.path(w.spare.name), s.path(name)); err != nil {
			return info.Name, "", err
		}
		incr = name
	}
	if err := s.FS.SyncDir(s.folder()); err != nil {
		return info.Name, incr, err
	}
	return info.Name, incr, s.persist(m)
}

// giveUp ends a rewrite that failed. The files that it has begun to write to and
// that the manifest names stay in use.
func (w *Writer) giveUp(r *Rewrite, err error) {
	if w.spare != nil {
		w.Logger.Logf(notice, "Removing the temp incr aof file %s", w.spare.name)
		w.dropSpare()
	}
	_ = w.Store.FS.Remove(r.Path())
	w.ended(r, err)
}

// dropSpare gives up the file that would have gone with the new base.
func (w *Writer) dropSpare() {
	w.spare.close()
	_ = w.Store.FS.Remove(w.Store.path(w.spare.name))
	w.spare = nil
}

func (r *Rewrite) isAlone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.alone
}

func (w *Writer) ended(r *Rewrite, err error) {
	r.hold.Close()
	w.mu.Lock()
	w.running = nil
	w.mu.Unlock()
	r.once.Do(func() {
		r.err = err
		close(r.done)
	})
}

// sweep removes the history files in the background: to remove a large file
// takes its time. They leave the manifest when they are gone.
func (w *Writer) sweep() {
	gone := w.Store.manifest.History
	if len(gone) == 0 || w.sweeping || w.Store.unsettled || w.settings.Load().KeepHistory {
		return
	}
	w.sweeping = true
	w.removing.Store(true)
	fsys, paths := w.Store.FS, make([]string, len(gone))
	for i, f := range gone {
		paths[i] = w.Store.path(f.Name)
		w.Logger.Logf(notice, "Removing the history file %s in the background", f.Name)
	}
	w.background.Go(func() {
		for _, p := range paths {
			if err := fsys.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
				w.removing.Store(false)
				return // after the next rewrite, or at the next start
			}
		}
		w.forget(gone)
	})
}

// forget has files leave the manifest that are gone, also of a writer that ends.
func (w *Writer) forget(gone []FileInfo) {
	w.mu.Lock()
	w.asked.forget = append(w.asked.forget, gone...)
	w.mu.Unlock()
	w.signal.Notify()
}
