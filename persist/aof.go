package persist

import (
	"errors"
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

// appendFile is the append only file as this run has it.
type appendFile struct {
	store  *aof.Store
	writer *aof.Writer
	once   bool          // BGREWRITEAOF with appendonly no: it is not gone on with
	alone  bool          // ... and its base is published so: one that is wanted now is begun anew
	ended  chan struct{} // closed when nobody writes it and its lock is free
}

// rewrites is how rewrites of the append only file went.
type rewrites struct {
	scheduled bool // one, when nothing else runs
	failed    bool // the last one
	failures  int  // in a row
	toldOf    int  // so many failures the log has told of, and of the wait that follows
	seconds   int64
	count     int64 // begun
	lastTry   time.Duration
	missing   bool // there is no file though it is wanted
	turnOnAt  time.Duration
	ahead     bool // a file that is turned off has more than the snapshot, since
	offAt     time.Duration
}

// settingsOf are what the writer is told of the configuration.
func (m *Manager) settingsOf(v *config.Values) aof.Settings {
	return aof.Settings{
		Policy: aof.Policy(v.Int(config.AppendFsync)), Timestamps: v.Bool(config.AOFTimestampEnabled),
		NoFsyncOnRewrite: v.Bool(config.NoAppendFsyncOnRewrite), KeepHistory: v.Bool(config.AOFDisableAutoGC), BeforeWrite: m.beforeWrite,
	}
}

// SlowAOF implements server.Persistence.
func (m *Manager) SlowAOF(pause func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.beforeWrite = pause
	if m.aof != nil {
		m.aof.writer.Configure(m.settingsOf(m.cfg.Values()))
	}
}

// newAppendFile makes a writer that is off, for a folder that was opened.
func (m *Manager) newAppendFile(store *aof.Store) *appendFile {
	w := aof.NewWriter(aof.Options{
		Store: store, Log: m.log, Gate: m.gate, Taken: m.taken, Synced: m.synced,
		Clock: m.env.Clock, Logger: m.logger, Events: aofEvents{m},
	}, m.settingsOf(m.cfg.Values()))
	return &appendFile{store: store, writer: w, ended: make(chan struct{})}
}

// run lets the writer write. Under mu.
func (m *Manager) run(a *appendFile) {
	m.aof = a
	m.noting.Store(a.writer)
	m.writers.Go(func() {
		a.writer.Run()
		_ = a.store.Close() // the lock is given back by the end of the process, too
		close(a.ended)
	})
}

// configured is called by CONFIG SET when something about the append only file has
// changed, alone. What was to be turned off goes on until the change is settled.
func (m *Manager) configured(_, next *config.Values) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.aof != nil:
		m.aof.writer.Configure(m.settingsOf(next))
	case next.Bool(config.AppendOnly):
		if err := m.turnOn(m.host.AloneView()); err != nil {
			m.logf(logger.Warning, "The append only file cannot be turned on: %v", err)
			return command.ReplyError("Unable to turn on AOF. Check server logs.")
		}
	}
	m.setGates(next)
	return nil
}

// settled is called when it is certain whether there is to be an append only file: at the
// end of a CONFIG SET of appendonly, alone. Turning one off and, since the change fails,
// on again would be no way back: for as long as its new base takes nothing would be kept
// of what is acknowledged.
func (m *Manager) settled(_, now *config.Values) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch on := now.Bool(config.AppendOnly); {
	case m.aof == nil:
		m.rewrites.missing = m.rewrites.missing && on
		m.dropOpened()
	case on:
		m.aof.once = false
		m.leaveWordSoon()
	case m.aof.once && m.rewriting() != nil: // BGREWRITEAOF ends it
	default:
		m.turnOff()
	}
	m.setGates(now)
}

// turnOn begins an append only file. It is complete only when its base is written. While
// the former one is still being closed it is begun after that (closed), and in a
// transaction when its folder was opened. Only alone, under mu.
func (m *Manager) turnOn(v *keyspace.View) error {
	if m.closing != nil {
		m.logf(logger.Notice, "The append only file is turned on again when its end has reached the disk")
		return nil
	}
	if !m.isOpened() {
		m.rewrites.missing, m.rewrites.turnOnAt = true, 0
		m.openSoon()
		return nil
	}
	a := m.newAppendFile(m.takeOpened())
	m.host.UseLog(server.LogFile, true)
	m.run(a)
	m.NoteHistory()
	switch {
	case len(m.jobs) > 0 || m.quiet:
		m.rewrites.scheduled = true
		m.logf(logger.Warning, "AOF was enabled but there is already another background operation. An AOF background was scheduled to start when possible.")
		return nil
	case m.host.InTransaction(): // what of it is done already will be in the log all the same
		m.rewrites.scheduled = true
		m.logf(logger.Notice, "AOF was enabled during a transaction. An AOF background was scheduled to start when possible.")
		return nil
	}
	return m.beginRewrite(v)
}

// turnOff ends the append only file. What it holds stays where it is; replies that wait
// for it go on waiting until its end has reached the disk. Under mu.
func (m *Manager) turnOff() {
	a := m.aof
	m.aof, m.rewrites.scheduled, m.closing = nil, false, a
	if j := m.rewriting(); j != nil {
		j.sink.Cancel(errTurnedOff)
	}
	if !a.once && a.writer.State() == aof.On {
		m.rewrites.ahead, m.rewrites.offAt = true, m.env.Clock.Monotonic()
	}
	m.logf(logger.Notice, "The append only file is turned off")
	m.leaveWordSoon()
	m.writers.Go(func() {
		if err := a.writer.TurnOff(); err != nil {
			m.logf(logger.Warning, "The end of the append only file may be missing: %v", err)
		}
		a.writer.Stop()
		<-a.ended
		m.host.Alone(m.closed)
	})
}

var errTurnedOff = errors.New("the append only file was turned off")

// closed follows when an append only file is closed: another begins, if it was wanted
// again meanwhile, or else the recording ends. Only alone.
func (m *Manager) closed(v *keyspace.View) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closing = nil
	m.host.ReleaseReplies() // if the disk has failed they wait for nothing
	if m.cfg.Bool(config.AppendOnly) && !m.ending {
		m.rewrites.missing = true
		m.considerTurningOn(v)
	}
	if m.aof == nil && len(m.jobs) == 0 && !m.quiet && !m.ending {
		m.considerOnce(v) // asked for meanwhile
	}
	if m.aof == nil {
		m.host.UseLog(server.LogFile, false)
	}
}

// awaitsFolder tells whether a rewrite was asked for that begins as soon as the former
// append only file is closed, or ends with that, or as soon as the folder is opened. Nobody
// else has to do anything for it any more, so INFO calls it one in progress: who has asked
// for it and waits until there is none gets the new file. Under mu.
func (m *Manager) awaitsFolder() bool {
	due := m.rewrites.scheduled || m.cfg.Bool(config.AppendOnly)
	return m.closing != nil && (m.closing.once || due) || m.aof == nil && m.folder.opening && due
}

// considerTurningOn begins an append only file that could not be begun when it was
// due. Only alone, under mu.
func (m *Manager) considerTurningOn(v *keyspace.View) {
	r, now := &m.rewrites, m.env.Clock.Monotonic()
	if !r.missing || m.quiet || now < r.turnOnAt {
		return
	}
	if r.missing = m.aof == nil && m.closing == nil && m.cfg.Bool(config.AppendOnly); !r.missing {
		return
	}
	if !m.isOpened() {
		m.openSoon()
		return
	}
	if err := m.turnOn(v); err != nil {
		r.turnOnAt = now + retryAfter
		m.logf(logger.Warning, "The append only file cannot be turned on: %v. It is tried again.", err)
		return
	}
	r.missing = false
	m.setGates(m.cfg.Values())
}

// wanted tells whether there is an append only file for clients, complete or not: none is
// that of BGREWRITEAOF with appendonly no. Under mu.
func (m *Manager) wanted(v *config.Values) bool {
	if m.aof != nil {
		return !m.aof.once
	}
	return v.Bool(config.AppendOnly) && (m.closing != nil || m.rewrites.missing)
}

// setGates has replies wait for the disk, if that is wanted. Only alone, under mu.
func (m *Manager) setGates(v *config.Values) {
	var local *oplog.Gate
	complete := m.wanted(v) && m.aof != nil && m.aof.writer.State() == aof.On
	if complete && !m.complete {
		m.ungated = m.log.Offset()
		m.logf(logger.Notice, "The append only file is complete: what is written from now on is in it after a restart, as far as appendfsync says")
	}
	if m.complete = complete; m.wanted(v) {
		local = m.synced
	}
	m.host.SetLocalGate(local, complete)
	if m.aof != nil && !m.aof.once {
		m.host.BoundLog(m.gate)
	} else {
		m.host.BoundLog(nil)
	}
	switch {
	case !complete:
		m.host.GateReplies(nil)
	case v.Int(config.AppendFsync) == config.FsyncAlways:
		m.host.GateReplies(m.gate)
	default:
		m.host.GateWrites(m.taken)
	}
}

// reliable tells whether the append only file is all that was asked for, so that INFO may
// say so: whoever reads that relies on it. It is complete, the next start knows of it, and,
// with appendfsync always, what was answered before replies waited for the disk is there,
// too. Under mu.
func (m *Manager) reliable() bool {
	always := m.cfg.Int(config.AppendFsync) == config.FsyncAlways
	return m.aof != nil && m.complete && m.said && (!always || m.aof.writer.Durable() >= m.ungated)
}

// aofEvents are what the writer tells.
type aofEvents struct{ m *Manager }

// Took implements aof.Events.
func (e aofEvents) Took(event string, d time.Duration) { e.m.host.NoteLatency(event, d) }

// Changed implements aof.Events.
func (e aofEvents) Changed() {
	e.m.host.Alone(func(*keyspace.View) {
		e.m.mu.Lock()
		e.m.setGates(e.m.cfg.Values())
		e.m.mu.Unlock()
		e.m.judge()
	})
}

// rewriteOnce writes an append only file that is not gone on with: BGREWRITEAOF with
// appendonly no. Its folder was opened. Only alone, under mu, with no job.
func (m *Manager) rewriteOnce(v *keyspace.View) error {
	a := m.newAppendFile(m.takeOpened())
	a.once = true
	m.host.UseLog(server.LogFile, true)
	m.run(a)
	m.NoteHistory()
	err := m.beginRewrite(v)
	if err == nil {
		j := m.rewriting()
		j.done = append(j.done, func(err error) { m.turnOffUnlessWanted(a, errors.Is(err, errFlushed)) })
		return nil
	}
	m.turnOff()
	return err
}

// turnOffUnlessWanted ends what rewriteOnce has begun, which may be to be done again. Only
// alone.
func (m *Manager) turnOffUnlessWanted(a *appendFile, again bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.aof == a && (a.alone || a.once && !m.cfg.Bool(config.AppendOnly)) {
		m.turnOff()
		m.rewrites.scheduled = again
		m.setGates(m.cfg.Values())
	}
}

// beginRewrite begins to write a new base. Only alone, under mu, with no job.
func (m *Manager) beginRewrite(v *keyspace.View) error {
	c := m.cfg.Values()
	preamble := c.Bool(config.AOFUseRDBPreamble)
	rw, err := m.aof.writer.BeginRewrite(preamble)
	if err != nil {
		return err
	}
	m.rewrites.scheduled, m.rewrites.lastTry = false, m.env.Clock.Monotonic()
	m.rewrites.count++
	j := m.newJob(v, c)
	j.rewrite, j.of, j.incremental = rw, m.aof, c.Bool(config.AOFRewriteIncrementalFsync)
	j.info.AOFBase, j.info.Replication = true, m.host.LogStanding()
	o := m.picture(j)
	if j.commands = !preamble; j.commands {
		j.stamped = c.Bool(config.AOFTimestampEnabled)
		o.NewAppender = func(now int64) snapshot.Appender { return &snapshot.Image{Now: now} }
	}
	m.logf(logger.Notice, "Background append only file rewriting started by pid %d", m.pid)
	m.start(j, v, o)
	return nil
}

// endRewrite is what follows a rewrite. Only alone, under mu.
func (m *Manager) endRewrite(j *job, err error) {
	r := &m.rewrites
	r.seconds = int64((m.env.Clock.Monotonic() - j.began) / time.Second)
	if r.failed = err != nil; err == nil {
		r.failures, r.ahead, r.offAt = 0, j.of.once, j.began
		m.logf(logger.Notice, "Background AOF rewrite terminated with success")
		m.setGates(m.cfg.Values())
		m.leaveWordSoon()
		return
	}
	if errors.Is(err, errFlushed) { // with the save that shares its snapshot
		r.failed, r.scheduled = false, true
	}
	if j.of != m.aof || errors.Is(err, errEnding) { // it was asked for
		r.failed = false
		r.scheduled = r.scheduled || m.starting()
	}
	if !r.failed {
		m.logf(logger.Notice, "Background AOF rewrite given up: %v", err)
		return
	}
	m.logf(logger.Warning, "Background AOF rewrite terminated with error: %v", err)
	r.failures++
	if m.starting() {
		r.scheduled = true // there is no file without it
	}
}

// starting tells whether there is an append only file that is not complete yet. Under mu.
func (m *Manager) starting() bool { return m.aof != nil && m.aof.writer.State() != aof.On }

// rewriteBackoff is how long a rewrite waits after so many failures in a row: none of
// the first, and no more than an hour.
func rewriteBackoff(failures int) time.Duration {
	if failures < 3 {
		return time.Duration(min(failures, 1)) * retryAfter
	}
	return min(time.Minute<<min(failures-3, 6), time.Hour)
}

// considerRewrite begins a rewrite that is due. Only alone, under mu, with no job.
func (m *Manager) considerRewrite(v *keyspace.View, now time.Duration) {
	r := &m.rewrites
	if m.aof == nil {
		m.considerOnce(v)
		return
	}
	growth, grown := m.hasGrown()
	if !r.scheduled && !grown && !m.aof.writer.Stats().NeedsRewrite || m.mustNotRetry(now) {
		return
	}
	if grown {
		m.logf(logger.Notice, "Starting automatic rewriting of AOF on %d%% growth", growth)
	}
	if err := m.beginRewrite(v); err != nil {
		r.failures++
		r.lastTry = now
		m.logf(logger.Warning, "The AOF cannot be rewritten: %v", err)
	}
}

// hasGrown tells by how many percent the append only file is larger than its last base
// was, and whether that is too much. Under mu.
func (m *Manager) hasGrown() (growth int64, grown bool) {
	st, c := m.aof.writer.Stats(), m.cfg.Values()
	percent := c.Int(config.AutoAOFRewritePercentage)
	growth = st.Size*100/max(st.BaseSize, 1) - 100
	return growth, st.State == aof.On && percent != 0 && st.Size >= c.Int(config.AutoAOFRewriteMinSize) && growth >= percent
}

// mustNotRetry tells whether it is too early for a rewrite that is due: the last ones have
// failed. When the wait is long the log tells of it, once. Under mu.
func (m *Manager) mustNotRetry(now time.Duration) bool {
	r := &m.rewrites
	wait := rewriteBackoff(r.failures)
	if r.failures == 0 || now-r.lastTry >= wait {
		return false
	}
	if wait >= time.Minute && r.toldOf != r.failures {
		r.toldOf = r.failures
		m.logf(logger.Warning, "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in %d minutes", wait/time.Minute)
	}
	return true
}

// considerOnce is considerRewrite with appendonly no.
func (m *Manager) considerOnce(v *keyspace.View) {
	if !m.rewrites.scheduled || m.closing != nil {
		return
	}
	if !m.isOpened() {
		m.openSoon()
		return
	}
	m.rewrites.scheduled = false
	if err := m.rewriteOnce(v); err != nil {
		m.logf(logger.Warning, "The AOF cannot be rewritten: %v", err)
	}
}

// aofFault is why writes would not reach the append only file; nil = they do.
func (m *Manager) aofFault() error {
	if m.aof == nil {
		return nil
	}
	return m.aof.writer.Fault()
}

// errAOF is what writes are answered then.
func errAOF(fault error) command.ReplyError {
	return command.ReplyError("MISCONF Errors writing to the AOF file: " + env.Reason(fault))
}
