package aof

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dozo/env"
	"dozo/logger"
	"dozo/oplog"
)

// Policy is when writes are synced; the numbers are those of config.FsyncEverySec
// and so on.
type Policy int

// The policies.
const (
	EverySec Policy = iota
	Always
	No
)

// State is whether there is an AOF.
type State int32

// The states. A writer that is Starting has been asked for, but until its first
// base and the manifest are durable a restart does not find the data in it.
const (
	Off State = iota
	Starting
	On
)

func (s State) String() string { return [...]string{"off", "starting", "on"}[s] }

// Settings may change at run time.
type Settings struct {
	Policy           Policy
	Timestamps       bool // aof-timestamp-enabled
	NoFsyncOnRewrite bool // no-appendfsync-on-rewrite
	KeepHistory      bool // aof-disable-auto-gc: old files stay, for who copies them
	// BeforeWrite is called before each write to the file, for tests that need the
	// disk to be slow; nil = nothing is.
	BeforeWrite func()
}

// Events is told what happens. It is called by the writer's goroutine, or by the
// one that calls BeginRewrite, and must not wait for the writer.
type Events interface {
	// Took is a call of the disk and how long it took, under the names of
	// LATENCY: aof-write and one of aof-write-alone, aof-write-active-child,
	// aof-write-pending-fsync; aof-fsync-always, aof-fsync-everysec; aof-rename.
	Took(event string, d time.Duration)
	// Changed says that State or Fault give another answer now.
	Changed()
}

// Options of a Writer. All but Events must be given.
type Options struct {
	Store  *Store
	Log    *oplog.Log
	Gate   *oplog.Gate // advanced to what is durable
	Taken  *oplog.Gate // advanced to what the system has, which keeps it if the process is killed; nil = nobody asks
	Synced *oplog.Gate // advanced to what was synced, whatever appendfsync says; nil = nobody asks
	Clock  env.Clock
	Logger *logger.Logger
	Events Events
}

const (
	notice  = logger.Notice
	warning = logger.Warning
)

// Writer writes the log to the files of a store. What is done is done by its
// goroutine (Run); the other methods may be called by any, and return at once
// unless they say otherwise.
type Writer struct {
	Options
	signal   oplog.Signal
	settings atomic.Pointer[Settings]
	busy     atomic.Bool // a snapshot or rewrite is being written to disk
	marks    marks
	notes    notes
	risk     risk

	state        atomic.Int32
	fault        atomic.Pointer[error]
	durable      atomic.Uint64
	written      atomic.Uint64
	size         atomic.Int64 // of the files that would be loaded
	baseSize     atomic.Int64 // of those, as of the last rewrite
	delayed      atomic.Int64
	needsRewrite atomic.Bool
	removing     atomic.Bool // history files, which the manifest still names
	writes       meter
	syncs        meter

	mu      sync.Mutex // protects what is asked of the goroutine
	asked   requests
	stopped bool
	running *Rewrite // the one not finished yet

	// The goroutine's own.
	cur        *stream // of a file that the manifest names; nil unless On
	spare      *stream // of a file that only a finished rewrite will give a name
	rest       int64   // bytes of the files before cur's
	loggedAt   time.Duration
	settleAt   time.Duration
	lookedAt   time.Duration
	gathering  gathering
	background sync.WaitGroup // removals, and fsyncs that nobody waits for
	sweeping   bool           // history files are being removed (removing), or could not be
	launch     func(*flight)  // has an fsync made: fly, but in tests
}

// requests are what the goroutine is to do when it comes round.
type requests struct {
	off    []chan error
	flush  []flush
	forget []FileInfo // history files that are gone
}

// flush is a wait until an offset is durable.
type flush struct {
	upto uint64
	done chan error
}

// NewWriter is a writer that is Off: Resume or BeginRewrite begins it, Run runs
// it.
func NewWriter(o Options, s Settings) *Writer {
	w := &Writer{Options: o, signal: oplog.NewSignal()}
	w.launch = w.fly
	w.settings.Store(&s)
	return w
}

// Configure changes the settings. It must be called while nobody appends: annotations
// begin where the log ends.
func (w *Writer) Configure(s Settings) {
	w.settings.Store(&s)
	w.noteTime(w.Log.Offset())
	w.signal.Notify()
}

// noteTime marks the second that has begun, at an end of the log, if that is wanted.
func (w *Writer) noteTime(end uint64) {
	if w.settings.Load().Timestamps && w.State() != Off {
		w.marks.add(end, int64(w.Clock.Wall()/time.Second))
	}
}

// SetBusy says whether a snapshot or a rewrite is being written, during which
// no-appendfsync-on-rewrite suspends syncing.
func (w *Writer) SetBusy(busy bool) {
	w.busy.Store(busy)
	w.signal.Notify()
}

// State is one atomic load.
func (w *Writer) State() State { return State(w.state.Load()) }

// Fault is why the data is not getting to the disk, nil if it is: while there is
// one, writes are to be refused. One atomic load. It goes away by itself when
// the cause does.
func (w *Writer) Fault() error {
	if e := w.fault.Load(); e != nil {
		return *e
	}
	return nil
}

// Durable is the offset up to which the log is known to be on the disk.
func (w *Writer) Durable() uint64 { return w.durable.Load() }

// Stats are for INFO and LATENCY.
type Stats struct {
	State         State
	Fault         error
	Written       uint64 // offsets of the log
	Durable       uint64
	Size          int64 // aof_current_size
	BaseSize      int64 // aof_base_size
	DelayedFsync  int64 // aof_delayed_fsync: how often more than 2 s were at risk
	Rewriting     bool
	Removing      bool // files that a rewrite has made history of, which the manifest still names
	NeedsRewrite  bool // the fault lasts until there is a new base
	Writes, Syncs Latency
}

// Stats is what there is to tell.
func (w *Writer) Stats() Stats {
	w.mu.Lock()
	rewriting := w.running != nil
	w.mu.Unlock()
	return Stats{
		State: w.State(), Fault: w.Fault(), Written: w.written.Load(), Durable: w.durable.Load(),
		Size: w.size.Load(), BaseSize: w.baseSize.Load(), DelayedFsync: w.delayed.Load(),
		Rewriting: rewriting, Removing: w.removing.Load(), NeedsRewrite: w.needsRewrite.Load(), Writes: w.writes.read(), Syncs: w.syncs.read(),
	}
}

// Resume goes on with the files that the store has loaded, at the end of the log,
// which must be active. It is for the start, before Run. The store must have a
// base or incr files; if it has none begin with BeginRewrite.
func (w *Writer) Resume() error {
	set := w.Store.set
	var err error
	if n := len(set.Parts); n > 0 && set.Parts[n-1].Type == Incr {
		w.cur, err = w.resumeStream(set.Parts[n-1])
	} else {
		w.cur, err = w.firstIncr()
	}
	if err != nil {
		return fmt.Errorf("the append-only file cannot be opened for writing: %w", err)
	}
	w.rest = set.Size() - w.cur.size
	w.baseSize.Store(set.BaseSize())
	w.setState(On)
	w.noteTime(w.cur.whole.pos)
	w.publishNumbers()
	return nil
}

// firstIncr makes the first incr file behind a base.
func (w *Writer) firstIncr() (*stream, error) {
	end := &stream{whole: place{pos: w.Log.Offset()}}
	return w.relocate(end, end.whole.pos)
}

// Tick is to be called every 100 ms or so: it notes the time for annotations,
// wakes the writer for what is due, and measures what is at risk.
func (w *Writer) Tick() {
	end := w.Log.Offset()
	w.noteTime(end)
	if s := w.settings.Load(); w.State() == On && s.Policy == EverySec && !w.suspended() {
		w.watchRisk(end)
	} else {
		w.risk.reset()
	}
	w.signal.Notify()
}

func (w *Writer) watchRisk(end uint64) {
	age, crossed := w.risk.look(w.Clock.Monotonic(), end, w.Durable())
	switch {
	case !crossed:
	case age > riskMax:
		w.delayed.Add(1)
		w.Logger.Logf(warning, "Asynchronous AOF fsync is taking too long (disk is busy?). The writes of the last %.1f s, %d bytes, would be lost if the machine failed now; appendfsync everysec promises at most %.0f s.",
			age.Seconds(), end-w.Durable(), riskMax.Seconds())
	default:
		w.Logger.Logf(notice, "AOF fsync has caught up: what is at risk is less than %.0f s again.", riskMax.Seconds())
	}
}

// Run is the writer's goroutine; it returns after Stop.
func (w *Writer) Run() {
	for w.step() {
		if w.idle() {
			<-w.signal
		}
	}
	w.background.Wait()
	w.mu.Lock()
	gone := w.asked.forget
	w.mu.Unlock()
	_ = w.Store.forgetHistory(gone) // else at the next start
}

// Stop ends Run soon, without writing or syncing anything more of the log: Flush first.
// An fsync under way is waited for by nobody but Run.
func (w *Writer) Stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.signal.Notify()
}

// Flush waits until everything that the log has now is durable. It returns an
// error, the writer's fault, if an attempt made now fails.
func (w *Writer) Flush() error {
	done := make(chan error, 1)
	return w.await(done, func(r *requests) { r.flush = append(r.flush, flush{w.Log.Offset(), done}) })
}

// TurnOff makes what there is durable, closes the files and waits for it. The
// writer is Off even if the result is an error, which says that the end of the
// file is not what it should be.
func (w *Writer) TurnOff() error {
	done := make(chan error, 1)
	return w.await(done, func(r *requests) { r.off = append(r.off, done) })
}

// await asks for something and waits until it is done.
func (w *Writer) await(done chan error, f func(*requests)) error {
	if !w.ask(f) {
		return errStopped
	}
	return <-done
}

// ask asks the goroutine for something; false if it has been told to stop.
func (w *Writer) ask(f func(*requests)) bool {
	w.mu.Lock()
	stopped := w.stopped
	if !stopped {
		f(&w.asked)
	}
	w.mu.Unlock()
	w.signal.Notify()
	return !stopped
}

// errStopped answers those who wait for a writer that has been stopped.
var errStopped = errors.New("aof: the writer was stopped")

// step does all that can be done now; false after Stop.
func (w *Writer) step() bool {
	// The end first: a rewrite that begins at an offset is seen by all who see
	// an end beyond it.
	target := w.gather()
	w.mu.Lock()
	asked, rewrite, stopped := w.asked, w.running, w.stopped
	w.asked = requests{}
	w.mu.Unlock()
	if stopped {
		w.forget(asked.forget) // Run sees to it
		w.end(&asked, rewrite)
		return false
	}
	w.lookForFiles()
	w.settleManifest()
	force := asked.off != nil || len(asked.flush) > 0
	if len(asked.off) > 0 && rewrite != nil {
		w.giveUp(rewrite, errStopped)
		rewrite = nil
	}
	if w.cur != nil {
		upto := target
		if rewrite != nil && !rewrite.begun {
			upto = min(upto, rewrite.at)
		}
		w.serve(w.cur, upto, force)
	}
	if rewrite != nil {
		w.serveRewrite(rewrite, target)
	}
	if len(asked.forget) > 0 {
		_ = w.Store.forgetHistory(asked.forget) // else at the next start
		w.sweeping = false
		w.removing.Store(false)
	}
	if w.cur != nil {
		w.sweep()
	}
	w.dropMarks()
	w.publishNumbers()
	w.answer(&asked, rewrite)
	return true
}

// idle tells whether there is nothing to do before the signal is given.
func (w *Writer) idle() bool {
	for _, s := range []*stream{w.cur, w.spare} {
		if s != nil && s.fault == nil && !s.read.Arm() {
			return false
		}
	}
	return true
}

// serve writes and syncs what is due.
func (w *Writer) serve(s *stream, target uint64, force bool) {
	w.landIfOver(s)
	if s.fault != nil {
		if w.Clock.Monotonic() >= s.retryAt || force {
			s = w.tryAgain(s, target)
		}
		if s.cure > cureWrite {
			return
		}
	} else if err := w.writeNew(s, target); err != nil {
		w.writeFailed(s, err)
	}
	if s.cure <= cureWrite && !w.Store.unsettled {
		w.syncIfDue(s, force)
	}
	if s.cure <= cureWrite {
		w.advance(s)
	}
}

// writeNew writes what is new. With nothing new it looks whether the log is
// still the same.
func (w *Writer) writeNew(s *stream, target uint64) error {
	if s.whole.pos < target {
		return w.write(s, target)
	}
	p, err := s.read.Peek()
	if len(p) > 0 {
		s.read.Advance(0) // it has come since; the next step's
	}
	return err
}

// suspended tells whether syncing is suspended for the sake of a snapshot.
func (w *Writer) suspended() bool {
	return w.busy.Load() && w.settings.Load().NoFsyncOnRewrite
}

// advance tells how far things are. Where nothing is promised about the disk the
// log need not keep what was written, and replies need not wait.
func (w *Writer) advance(s *stream) {
	settled := s.synced.pos
	if s != w.cur || w.suspended() || w.settings.Load().Policy == No {
		settled = s.whole.pos
	}
	if err := s.release(settled); err != nil {
		w.failed(s, cureRewrite, err)
		return
	}
	if s == w.cur {
		if w.Taken != nil {
			w.Taken.Advance(s.read.Era(), s.whole.pos)
		}
		w.durable.Store(s.synced.pos)
		if !w.Store.unsettled {
			w.Gate.Advance(s.read.Era(), settled)
			if w.Synced != nil {
				w.Synced.Advance(s.read.Era(), s.synced.pos)
			}
		}
	}
}

// dropMarks forgets the times that no stream needs any more.
func (w *Writer) dropMarks() {
	need := uint64(math.MaxUint64)
	for _, s := range []*stream{w.cur, w.spare} {
		if s != nil {
			need = min(need, s.hold.Pos())
		}
	}
	if need != math.MaxUint64 {
		w.marks.drop(need)
		w.notes.drop(need)
	}
}

// settleManifest writes the manifest again after it is not known which one is on
// the disk. Until then nothing counts as durable.
func (w *Writer) settleManifest() {
	now := w.Clock.Monotonic()
	if !w.Store.unsettled || w.cur == nil || now < w.settleAt {
		return
	}
	w.settleAt = now + retryMin
	if err := w.Store.persist(w.Store.manifest); err != nil {
		w.logFault(fmt.Errorf("the AOF manifest cannot be written again: %w", err))
	}
}

// replace makes another stream the current one.
func (w *Writer) replace(s *stream) {
	if w.cur != nil {
		w.cur.close()
	}
	w.cur = s
	w.rest = w.Store.sizeWithout(s.name)
}

// answer finishes what was asked for.
func (w *Writer) answer(asked *requests, rewrite *Rewrite) {
	for _, f := range asked.flush {
		if err := w.flushed(f.upto); err != errNotYet {
			f.done <- err
		} else if !w.ask(func(r *requests) { r.flush = append(r.flush, f) }) {
			f.done <- errStopped
		}
	}
	if len(asked.off) > 0 {
		err := w.flushed(w.written.Load())
		w.close(rewrite)
		w.setState(Off)
		for _, done := range asked.off {
			done <- err
		}
	}
}

// flushed is why an offset is not durable, nil if it is, or need not be.
func (w *Writer) flushed(upto uint64) error {
	switch {
	case w.cur == nil || w.cur.synced.pos >= upto && !w.Store.unsettled:
		return nil
	case w.cur.fault != nil:
		return w.cur.fault
	case w.Store.unsettled:
		return errDoubtful
	}
	return errNotYet
}

// errNotYet says that the next step may do it: this one came to the point where
// a rewrite begins.
var errNotYet = errors.New("aof: not yet written")

// end answers those who wait and closes everything.
func (w *Writer) end(asked *requests, rewrite *Rewrite) {
	w.close(rewrite)
	for _, f := range asked.flush {
		f.done <- errStopped
	}
	for _, done := range asked.off {
		done <- errStopped
	}
}

// close closes the files and gives up a rewrite.
func (w *Writer) close(rewrite *Rewrite) {
	if rewrite != nil {
		w.giveUp(rewrite, errStopped)
	}
	if w.cur != nil {
		w.cur.close()
		w.cur = nil
	}
	w.risk.reset()
	w.tell(nil)
}

func (w *Writer) setState(s State) {
	if State(w.state.Swap(int32(s))) != s {
		w.changed()
	}
}

func (w *Writer) changed() {
	if w.Events != nil {
		w.Events.Changed()
	}
}

// publishNumbers lets others see how far things are.
func (w *Writer) publishNumbers() {
	w.needsRewrite.Store(w.cur != nil && w.cur.cure == cureRewrite)
	if w.cur == nil {
		w.tell(nil)
		return
	}
	w.written.Store(w.cur.whole.pos)
	w.size.Store(w.rest + w.cur.size)
	fault := w.cur.fault
	if fault == nil && w.Store.unsettled {
		fault = errDoubtful
	}
	w.tell(fault)
}

// tell makes a fault, or that there is none, known.
func (w *Writer) tell(fault error) {
	old := w.Fault()
	if fault == nil && old == nil || fault != nil && old != nil && fault.Error() == old.Error() {
		return
	}
	if fault == nil {
		w.fault.Store(nil)
	} else {
		w.fault.Store(&fault)
	}
	w.changed()
}

// tellFault logs a fault when it begins, and again from time to time.
func (w *Writer) tellFault(s *stream, first bool) {
	if first {
		w.loggedAt = 0
	}
	advice := ""
	if s.cure == cureRewrite {
		advice = ". Only a rewrite, which begins by itself, makes the AOF whole again"
	}
	w.logFault(fmt.Errorf("%w%s", s.fault, advice))
}

func (w *Writer) logFault(err error) {
	now := w.Clock.Monotonic()
	if w.loggedAt != 0 && now-w.loggedAt < logEvery {
		return
	}
	w.loggedAt = now
	line := err.Error()
	w.Logger.Logf(warning, "%s%s. It is tried again; until it works nothing written after offset %d of the log counts as durable.",
		strings.ToUpper(line[:1]), line[1:], w.Durable())
}

// writeEvent is the second name that a write goes by.
func (w *Writer) writeEvent(s *stream) string {
	switch {
	case s.flight != nil:
		return "aof-write-pending-fsync"
	case w.busy.Load():
		return "aof-write-active-child"
	}
	return "aof-write-alone"
}

// took reports how long a call of the disk took.
func (w *Writer) took(event string, d time.Duration) {
	if w.Events == nil {
		return
	}
	if strings.HasPrefix(event, "aof-write-") {
		w.Events.Took("aof-write", d)
	}
	w.Events.Took(event, d)
}
