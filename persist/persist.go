// Package persist makes the data outlive the process: it takes snapshots and writes them
// down, when it is asked to and by the rules of `save`, and knows how that went.
//
//	m := persist.New(persist.Options{...})
//	srv := server.New(... Commands: [][]command.Spec{m.Commands(), ...}, Persistence: m)
//	m.Attach(srv)
//	...
//	err := m.Shutdown(mode) // nobody writes any more
//
// One snapshot is taken at a time. It is begun with all executors stopped, for some
// microseconds; they walk it between their commands (package snapshot), and a goroutine
// of this package for each file that is due writes it down: a save, a rewrite of the
// append only file, or both. A file takes the place of the old one only when it is whole
// and on the disk.
//
// Who may touch what: mu guards the state; files are written without it. Snapshots begin
// and end with all executors stopped (Host.Alone). Handlers of the commands here are
// Exclusive.
//
// Times are Unix seconds or monotonic durations.
package persist

import (
	"sync"
	"sync/atomic"
	"time"

	"dozo/aof"
	"dozo/command"
	"dozo/config"
	"dozo/env"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/oplog"
	"dozo/server"
	"dozo/snapshot"
)

// Options are what a Manager is made from.
type Options struct {
	Env    *env.Env
	Config *config.Config
	Logger *logger.Logger
	Log    *oplog.Log
	PID    int
}

// Manager is the persistence of one server.
type Manager struct {
	env    *env.Env
	cfg    *config.Config
	logger *logger.Logger
	pid    int
	host   *server.Server

	log *oplog.Log
	// What the append only file has on the disk, as far as appendfsync wants it there; what
	// it has handed to the system; and what is on the disk, whatever appendfsync says.
	gate, taken, synced *oplog.Gate

	// functions are libraries of functions, as they were found, to be written back.
	functions libraries

	loading atomic.Pointer[loading] // nil = it is over
	pauses  int64                   // of the load
	// receiving is the same for a primary's snapshot, the newest of those that come.
	receiving atomic.Pointer[loading]
	emptied   atomic.Bool // the data was flushed for one, and none has taken its place
	// lastLoad is what the last file in RDB format has brought.
	lastLoad struct{ keys, expired atomic.Int64 }

	// walked is the snapshot that executors walk; nil = none.
	walked atomic.Pointer[snapshot.Snapshot]

	writers sync.WaitGroup // goroutines that write
	// writing is the snapshot that was begun last, under the name that it has meanwhile.
	writing atomic.Pointer[string]

	marking sync.Mutex // markers are written one after the other; taken before mu
	// away is what is to be said where the data was before, unsaid that the last marker
	// could not be written; both under marking. If word is owed it is tried again at
	// owesAgain, which is under mu.
	away      *away
	unsaid    bool
	owes      atomic.Bool
	owesAgain time.Duration

	claim claim // under marking once the server runs

	// Where a restart would look for the snapshot: its folder and name at the start.
	startedIn, startedAs string

	lastRun string // that has left a marker

	// delay is rdb-key-save-delay, microseconds; the walk goes on at resumeAt, monotonic
	// nanoseconds.
	delay, resumeAt atomic.Int64

	mu        sync.Mutex
	jobs      []*job                   // what is being written, all of it from one snapshot
	streams   []*server.SnapshotStream // that have not begun
	scheduled bool                     // a save, when nothing else runs
	waiting   []func(error)            // who hears of it
	ending    bool                     // nothing begins again
	files     int                      // temporary files made so far
	quiet     bool                     // nor while the last save is being made
	aof       *appendFile
	closing   *appendFile // one that was turned off, until its lock is free
	folder    folder      // of one to come
	complete  bool        // aof is, and replies go by it,
	ungated   uint64      // which those before this offset of the log did not
	said      bool        // the marker on the disk says that aof is complete
	rewrites  rewrites
	lastTry   time.Duration
	saved     saved
	stands    *standing // of the append only file that is complete, at the end of the run

	noting    atomic.Pointer[aof.Writer] // what is told of histories
	notesOwed atomic.Bool

	beforeWrite func()                        // of the append only file; nil = nothing is done
	peaks       struct{ save, rewrite int64 } // of what the last ones held in memory, bytes
}

// saved is the last save that succeeded, and how the last one went.
type saved struct {
	at      int64
	since   time.Duration // at, by the clock that is not set
	taken   int64         // when what the file holds was taken, as the file says; 0 = no file
	final   bool          // nothing was written since
	changes int64         // of the server by then
	failed  bool
	seconds int64 // that the last one took
	count   int64 // begun in the background
}

// New makes a manager. The start counts as a save.
func New(o Options) *Manager {
	m := &Manager{env: o.Env, cfg: o.Config, logger: o.Logger, log: o.Log, gate: o.Log.Gate("aof"), taken: o.Log.Gate("aof-write"), synced: o.Log.Gate("aof-fsync"), pid: o.PID}
	m.startedIn, m.startedAs = dataDir(m.cfg.Values()), m.cfg.String(config.DBFilename)
	m.delay.Store(m.cfg.Int(config.RDBKeySaveDelay))
	m.saved.at, m.saved.since, m.saved.seconds, m.rewrites.seconds = m.now(), m.env.Clock.Monotonic(), -1, -1
	return m
}

// Attach tells whose data it is. It is called once, before the server starts.
func (m *Manager) Attach(s *server.Server) {
	m.host = s
	m.cfg.OnChangeOf([]*config.Directive{config.StopWritesOnBgsaveError, config.Save}, func(_, _ *config.Values) error {
		m.host.Alone(func(*keyspace.View) { m.judge() })
		return nil
	})
	m.cfg.OnChangeOf([]*config.Directive{
		config.AppendOnly, config.AppendFsync, config.AOFTimestampEnabled, config.NoAppendFsyncOnRewrite, config.AOFDisableAutoGC,
	}, m.configured)
	m.cfg.OnPrepare([]*config.Directive{config.AppendOnly}, m.prepare)
	m.cfg.OnSettled([]*config.Directive{config.AppendOnly}, m.settled)
	m.cfg.OnChangeOf([]*config.Directive{config.RDBKeySaveDelay}, func(_, next *config.Values) error {
		m.slowDown(next.Int(config.RDBKeySaveDelay))
		return nil
	})
	m.cfg.OnSettled([]*config.Directive{config.Dir, config.DBFilename}, m.moved)
}

func (m *Manager) now() int64 { return int64(m.env.Clock.Wall() / time.Second) }

func (m *Manager) logf(level logger.Level, format string, args ...any) {
	m.logger.Logf(level, format, args...)
}

// Walking implements server.Persistence.
func (m *Manager) Walking() bool {
	s := m.walked.Load()
	return s != nil && !s.Walked()
}

// Step implements server.Persistence.
func (m *Manager) Step(v *keyspace.View, first, step, n int) (more bool) {
	s := m.walked.Load()
	if s == nil {
		return false
	}
	if m.delay.Load() > 0 {
		return m.slowStep(s, v, first, step)
	}
	return s.Step(v, first, step, n)
}

// slowDown sets rdb-key-save-delay, also for the save that runs: so it can be ended.
func (m *Manager) slowDown(micros int64) {
	m.delay.Store(micros)
	m.resumeAt.Store(0)
	m.host.Wake()
}

// slowStep is rdb-key-save-delay, by which tests make a save last: a little is walked,
// and nothing more until the time for it has passed.
func (m *Manager) slowStep(s *snapshot.Snapshot, v *keyspace.View, first, step int) (more bool) {
	now := int64(m.env.Clock.Monotonic())
	if now < m.resumeAt.Load() {
		return false
	}
	before, _, _ := s.Progress()
	more = s.Step(v, first, step, 1)
	keys, _, _ := s.Progress()
	m.resumeAt.Store(now + (keys-before)*m.delay.Load()*int64(time.Microsecond))
	return more
}

// retryAfter is how long a rule waits after a save that failed.
const retryAfter = 5 * time.Second

// Tick implements server.Persistence: it begins what is due.
func (m *Manager) Tick(v *keyspace.View) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noteOwed()
	if m.aof != nil {
		m.aof.writer.Tick()
	}
	if len(m.jobs) > 0 || m.quiet || m.loading.Load() != nil {
		return
	}
	now := m.env.Clock.Monotonic()
	m.leaveOwed(now)
	if m.considerTurningOn(v); len(m.jobs) == 0 {
		m.considerRewrite(v, now)
	}
	if m.canShare() && !(m.awaitsFolder() && m.scheduled) { // what was asked for together shares a snapshot
		m.considerSave(v, now)
	}
	if m.canShare() {
		m.considerStreams(v)
	}
}

// considerSave begins a save that is due. Only alone, under mu.
func (m *Manager) considerSave(v *keyspace.View, now time.Duration) {
	if m.saved.failed && now-m.lastTry < retryAfter && m.lastTry != 0 {
		return
	}
	if m.scheduled || m.saveStopsWrites() {
		m.begin(v, nil)
		return
	}
	changes, age := m.host.Changes()-m.saved.changes, now-m.saved.since
	for _, r := range m.cfg.Values().Save() {
		if changes >= r.Changes && age > time.Duration(r.Seconds)*time.Second {
			m.logf(logger.Notice, "%d changes in %d seconds. Saving...", r.Changes, r.Seconds)
			m.begin(v, nil)
			return
		}
	}
}

// Status implements server.Persistence.
func (m *Manager) Status() server.PersistenceStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	st := server.PersistenceStatus{
		Changes: m.host.Changes() - m.saved.changes, SavedAt: m.saved.at, SaveFailed: m.saved.failed,
		LastSaveSeconds: m.saved.seconds, SaveSeconds: -1, Saves: m.saved.count,
	}
	m.aofStatus(&st)
	m.loadStatus(&st)
	for _, j := range m.jobs {
		st.SaveElapsed = (m.env.Clock.Monotonic() - j.began).Seconds()
		seconds := int64(st.SaveElapsed)
		if j.rewrite == nil { // a transfer to replicas counts as a save, as in Redis
			st.Saving, st.SaveSeconds = true, seconds
		} else {
			st.Rewriting, st.RewriteSeconds = true, seconds
		}
		_, st.SaveKeysTotal, _ = j.snap.Progress()
		st.SaveKeysDone = max(st.SaveKeysDone, j.written.Load())
		st.SaveHeld, st.SaveHeldPeak = j.snap.Held(), j.snap.Peak()
	}
	st.LastSavePeak, st.LastRewritePeak = m.peaks.save, m.peaks.rewrite
	return st
}

// ResetStats implements server.Persistence.
func (m *Manager) ResetStats() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saved.count, m.rewrites.count = 0, 0
}

// errMisconf is what writes are answered while snapshots fail.
const errMisconf command.ReplyError = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. " +
	"Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB " +
	"snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."

// saveStopsWrites tells whether writes are refused until a save succeeds. One is tried
// again and again then, also where the one that failed was made by hand: no rule may be
// due for long, as nothing changes. Under mu.
func (m *Manager) saveStopsWrites() bool {
	return m.saved.failed && m.cfg.Bool(config.StopWritesOnBgsaveError) && len(m.cfg.Values().Save()) > 0
}

// judge decides whether writes are to be refused. Only alone.
func (m *Manager) judge() {
	m.mu.Lock()
	unsaved, fault := m.saveStopsWrites(), m.aofFault()
	m.mu.Unlock()
	why := command.ReplyError("")
	if fault != nil {
		why = errAOF(fault)
	}
	if unsaved {
		why = errMisconf
	}
	m.host.RefuseWrites(why)
}

// aofStatus is what INFO says of the append only file.
func (m *Manager) aofStatus(st *server.PersistenceStatus) {
	r := &m.rewrites
	st.RewriteScheduled = r.scheduled || m.aof == nil && m.wanted(m.cfg.Values()) // it is turned on when the former one is closed
	st.RewriteFailed = r.failed
	st.LastRewriteSeconds, st.RewriteSeconds = r.seconds, -1
	if m.awaitsFolder() {
		st.Rewriting, st.RewriteSeconds = true, 0
	}
	st.Rewrites, st.RewriteFailures = r.count, int64(r.failures)
	st.AOF, st.AOFStarting = m.wanted(m.cfg.Values()), !m.reliable()
	if m.aof == nil || m.aof.once {
		return
	}
	s := m.aof.writer.Stats()
	st.Rewriting = st.Rewriting || s.Removing // who copies the files then finds all that the manifest names
	st.AOFFault = s.Fault != nil
	st.AOFSize, st.AOFBaseSize, st.AOFDelayed = s.Size, s.BaseSize, s.DelayedFsync
	st.AOFPending = int64(m.log.Offset() - s.Written)
}

// loadStatus is what INFO says of a load.
func (m *Manager) loadStatus(st *server.PersistenceStatus) {
	st.LastLoadKeys, st.LastLoadExpired = m.lastLoad.keys.Load(), m.lastLoad.expired.Load()
	l := m.loading.Load()
	if l == nil {
		l = m.receiving.Load()
	}
	if l == nil {
		return
	}
	st.Receiving = l.aside && !l.emptied.Load()
	st.Loading, st.LoadStarted, st.LoadTotal = !st.Receiving, l.at, l.total
	st.LoadDone, st.LoadUsedMemory = l.progress.Bytes.Load(), l.used.Load()
	st.LoadSeconds = (m.env.Clock.Monotonic() - l.began).Seconds()
}
