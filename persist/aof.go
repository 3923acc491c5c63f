package persist

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dozo/aof"
	"dozo/command"
	"dozo/config"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/oplog"
	"dozo/snapshot"
)

// appendFile is the append only file as this run has it.
type appendFile struct {
	store  *aof.Store
	writer *aof.Writer
	once   bool          // BGREWRITEAOF with appendonly no: it is not gone on with
	ended  chan struct{} // closed when its folder is unlocked
}

// rewrites is how rewrites of the append only file went.
type rewrites struct {
	scheduled bool // one, when nothing else runs
	failed    bool // the last one
	failures  int  // in a row
	seconds   int64
	count     int64
	lastTry   time.Duration
}

// settingsOf are what the writer is told of the configuration.
func (m *Manager) settingsOf(v *config.Values) aof.Settings {
	return aof.Settings{
		Policy: aof.Policy(v.Int(config.AppendFsync)), Timestamps: v.Bool(config.AOFTimestampEnabled),
		NoFsyncOnRewrite: v.Bool(config.NoAppendFsyncOnRewrite), BeforeWrite: m.beforeWrite,
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

// openAOF locks the folder of the append only file and makes a writer that is off.
func (m *Manager) openAOF() (*appendFile, error) {
	store, err := aof.Open(m.place())
	if err != nil {
		return nil, err
	}
	store.Tidy()
	w := aof.NewWriter(aof.Options{
		Store: store, Log: m.log, Gate: m.gate, Clock: m.env.Clock, Logger: m.logger, Events: aofEvents{m},
	}, m.settingsOf(m.cfg.Values()))
	return &appendFile{store: store, writer: w, ended: make(chan struct{})}, nil
}

// run lets the writer write. Under mu.
func (m *Manager) run(a *appendFile) {
	m.aof = a
	m.writers.Go(func() {
		a.writer.Run()
		_ = a.store.Close() // the lock is given back by the end of the process, too
		close(a.ended)
	})
}

// record has the loops write down what they do. Only alone, or while nothing is done.
func (m *Manager) record() {
	if !m.log.Active() {
		m.log.Activate(m.log.Offset())
		m.host.Record()
	}
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
	case on:
		m.aof.once = false
	case m.aof.once && m.job != nil && m.job.rewrite != nil: // BGREWRITEAOF ends it
	default:
		m.turnOff()
		m.setGates(now)
	}
}

// turnOn begins an append only file. It is complete only when its base is written. Only
// alone, under mu.
func (m *Manager) turnOn(v *keyspace.View) error {
	if err := m.awaitLeaving(); err != nil {
		return err
	}
	a, err := m.openAOF()
	if err != nil {
		return err
	}
	m.record()
	m.run(a)
	if m.job != nil {
		m.rewrites.scheduled = true
		m.logf(logger.Warning, "AOF was enabled but there is already another background operation. An AOF background was scheduled to start when possible.")
		return nil
	}
	return m.beginRewrite(v)
}

// awaitLeaving waits until what was turned off before has written its end and given its
// lock back, which takes milliseconds on a disk that works. It needs nobody's lock.
func (m *Manager) awaitLeaving() error {
	if m.leaving == nil {
		return nil
	}
	patience, enough := context.WithTimeout(context.Background(), leavingPatience)
	defer enough()
	select {
	case <-m.leaving.ended:
		m.leaving = nil
		return nil
	case <-patience.Done():
		return errLeaving
	}
}

// leavingPatience is how long the server may stand still for that.
const leavingPatience = 500 * time.Millisecond

var errLeaving = errors.New("it was turned off a moment ago, and its end is still being written to the disk: try again when that is done")

// turnOff ends the append only file. What it holds stays where it is. Under mu.
func (m *Manager) turnOff() {
	a := m.aof
	m.aof, m.leaving, m.rewrites.scheduled = nil, a, false
	if j := m.job; j != nil && j.rewrite != nil {
		j.snap.Cancel(errTurnedOff)
	}
	m.logf(logger.Notice, "The append only file is turned off")
	m.writers.Go(func() {
		if err := a.writer.TurnOff(); err != nil {
			m.logf(logger.Warning, "The end of the append only file may be missing: %v", err)
		}
		a.writer.Stop()
		m.host.Alone(func(*keyspace.View) { m.forgetLog() })
	})
}

var errTurnedOff = errors.New("the append only file was turned off")

// forgetLog ends the recording, if nobody needs it any more. Only alone.
func (m *Manager) forgetLog() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.aof == nil && m.log.Active() {
		m.log.Deactivate()
		m.host.Record()
	}
}

// setGates has replies wait for the disk, if that is wanted. Only alone, under mu.
func (m *Manager) setGates(v *config.Values) {
	var local, replies *oplog.Gate
	if m.aof != nil {
		local = m.gate
		if m.aof.writer.State() == aof.On && v.Int(config.AppendFsync) == config.FsyncAlways {
			replies = m.gate
		}
	}
	m.host.SetLocalGate(local)
	m.host.GateReplies(replies)
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
// appendonly no. Only alone, under mu, with no job.
func (m *Manager) rewriteOnce(v *keyspace.View) error {
	if err := m.awaitLeaving(); err != nil {
		return err
	}
	a, err := m.openAOF()
	if err != nil {
		return err
	}
	a.once = true
	m.record()
	m.run(a)
	if err = m.beginRewrite(v); err == nil {
		m.job.done = append(m.job.done, func(error) { m.turnOffUnlessWanted(a) })
		return nil
	}
	m.turnOff()
	return err
}

// turnOffUnlessWanted ends what rewriteOnce has begun. Only alone.
func (m *Manager) turnOffUnlessWanted(a *appendFile) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.aof == a && a.once && !m.cfg.Bool(config.AppendOnly) {
		m.turnOff()
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
	j := m.newJob(v, c)
	j.rewrite, j.incremental = rw, c.Bool(config.AOFRewriteIncrementalFsync)
	j.info.AOFBase = true
	o := snapshot.Options{Version: j.opts.Version}
	if !preamble {
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
		r.failures = 0
		r.count++
		m.logf(logger.Notice, "Background AOF rewrite terminated with success")
		m.setGates(m.cfg.Values())
		return
	}
	if errors.Is(err, errTurnedOff) {
		r.failed = false // it was asked for
		m.logf(logger.Notice, "Background AOF rewrite given up: %v", err)
		return
	}
	m.logf(logger.Warning, "Background AOF rewrite terminated with error: %v", err)
	if errors.Is(err, snapshot.ErrFlushed) {
		r.scheduled, r.failed = true, false // it is nobody's failure, and will be quick
		return
	}
	r.failures++
	if m.aof != nil && m.aof.writer.State() != aof.On {
		r.scheduled = true // there is no file without it
	}
}

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
	if m.aof == nil || r.failures > 0 && now-r.lastTry < rewriteBackoff(r.failures) {
		return
	}
	st, c := m.aof.writer.Stats(), m.cfg.Values()
	if !r.scheduled {
		percent := c.Int(config.AutoAOFRewritePercentage)
		base := max(st.BaseSize, 1)
		growth := st.Size*100/base - 100
		if st.State != aof.On || percent == 0 || st.Size < c.Int(config.AutoAOFRewriteMinSize) || growth < percent {
			return
		}
		m.logf(logger.Notice, "Starting automatic rewriting of AOF on %d%% growth", growth)
	}
	if err := m.beginRewrite(v); err != nil {
		r.failures++
		r.lastTry = now
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
	return command.ReplyError(fmt.Sprintf("MISCONF Errors writing to the AOF file: %v", fault))
}
