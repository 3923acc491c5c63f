package persist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"dozo/aof"
	"dozo/config"
	"dozo/env"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/rdb"
	"dozo/server"
	"dozo/snapshot"
	"dozo/text"
)

// loading is a load under way, as INFO shows it.
type loading struct {
	began    time.Duration
	at       int64        // Unix seconds
	total    int64        // bytes
	replace  bool         // keys that are there
	aside    bool         // beside the data
	emptied  atomic.Bool  // which was flushed to make room
	used     atomic.Int64 // memory that the file says was in use when it was written
	progress snapshot.LoadProgress
	lacking  bool // not all that was found was loaded
}

// Plan is what a start loads.
type Plan struct {
	found *findings
	from  source
	aof   bool
}

// Nothing tells whether there is nothing to load, and no file to be made.
func (p *Plan) Nothing() bool { return p.from == fromNothing && !p.aof }

// Plan looks at what there is, and refuses what would lose data: a *RefusedError, or one
// that wraps env.ErrLocked.
func (m *Manager) Plan() (*Plan, error) {
	if err := m.claimSnapshot(); err != nil {
		return nil, err
	}
	f, err := m.survey()
	if err != nil {
		return nil, err
	}
	if f.rdb != nil {
		m.saved.taken = f.rdb.at
	}
	if f.marker != nil {
		m.lastRun = f.marker.RunID
	}
	p := &Plan{found: f, aof: m.cfg.Bool(config.AppendOnly)}
	p.from, err = choose(f, p.aof)
	m.logPassedOver(f, p.from)
	if what := f.wiped(); err == nil && what != "" {
		m.logf(logger.Warning, "The server starts EMPTY: the last run has left %s, and that is not in %s any more. "+
			"If nobody has removed it on purpose, end the server before it saves, and look for it.", what, dataDir(m.cfg.Values()))
	}
	if refused := (*RefusedError)(nil); errors.As(err, &refused) && !m.cfg.Bool(config.StartupDataCheck) {
		m.logf(logger.Warning, "startup-data-check is off: starting all the same, although %v", err)
		err = nil
	}
	return p, err
}

// logPassedOver tells of a snapshot that is younger than the append only file that is
// loaded. If a run of ours has written that it has all of the data; a genuine server leaves
// no word of whether it was turned off, which could be told by nothing else.
func (m *Manager) logPassedOver(f *findings, from source) {
	switch {
	case from != fromAOF || f.rdb == nil || f.rdb.at <= f.aof.at:
	case f.marker == nil:
		m.logf(logger.Warning, "There is also %s, which is not loaded. It is younger than %s, and no run has left word of which has all of the data: "+
			"if appendonly was turned off by CONFIG SET before the snapshot was taken, end this server, start with appendonly no, and turn it on with CONFIG SET.", f.rdb.brief(), f.aof.brief())
	default:
		m.logf(logger.Notice, "There is also %s, which is not loaded: %s has all of the data", f.rdb.brief(), f.aof.brief())
	}
}

// BeginEmpty is for a start with nothing to load, before the server runs.
func (m *Manager) BeginEmpty() {
	m.sweep()
	m.leaveWord()
}

// Load loads what was planned, and begins the append only file if it is wanted. The
// server runs, and is loading (server.SetLoading). An error ends the server: nothing on
// the disk has been touched that cannot be had back.
func (m *Manager) Load(ctx context.Context, p *Plan) (err error) {
	m.loading.Store(&loading{began: m.env.Clock.Monotonic(), at: m.now()})
	defer m.loading.Store(nil)
	if p.aof {
		err = m.loadWithAOF(ctx, p.found, p.from)
	} else if p.from == fromRDB {
		err = m.loadRDB(ctx, p.found)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		m.ready()
	}
	return err
}

// ready ends the loading.
func (m *Manager) ready() {
	m.sweep()
	m.leaveWord()
	m.alone(func(*keyspace.View) {
		m.host.SetLoading(false)
		m.saved.at, m.saved.since, m.saved.changes = m.now(), m.env.Clock.Monotonic(), 0
		m.setGates(m.cfg.Values())
	})
}

// alone is Server.AloneWait, under mu. The server runs until the load has ended; what comes
// later may be forgotten with it.
func (m *Manager) alone(fn func(*keyspace.View)) {
	m.host.AloneWait(func(v *keyspace.View) {
		m.mu.Lock()
		defer m.mu.Unlock()
		fn(v)
	})
}

// loadRDB loads the snapshot.
func (m *Manager) loadRDB(ctx context.Context, f *findings) error {
	path := m.cfg.Path(config.DBFilename)
	file, err := m.env.FS.OpenFile(path, env.ReadOnly, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the snapshot %s cannot be opened: %w", path, err)
	}
	defer file.Close()
	if f.rdb.bytes == 0 {
		return fmt.Errorf("the snapshot %s has no bytes, not even those of one without keys: the data that it had is lost. "+
			"Restore the file from a backup, or remove it to start without data", path)
	}
	m.loading.Load().total = f.rdb.bytes
	got, err := m.loadFrom(ctx, m.loading.Load(), file, f.rdb.bytes, m.namesHistory(path))
	if err != nil {
		return fmt.Errorf("the snapshot %s cannot be loaded: %w", path, err)
	}
	m.goOnFrom(got.Info.Replication, nil)
	m.logf(logger.Notice, "DB loaded from disk: %.3f seconds", (m.env.Clock.Monotonic() - m.loading.Load().began).Seconds())
	return nil
}

// loadFrom loads what is in RDB format. The base of an append only file keeps keys whose
// time is over: the commands behind it know them; so does a node that follows, whose primary
// removes them, and one that has replicas which have such keys too: keep.
func (m *Manager) loadFrom(ctx context.Context, l *loading, file io.Reader, size int64, keep bool) (*snapshot.Loaded, error) {
	c := m.cfg.Values()
	got, err := snapshot.Load(ctx, file, snapshot.LoadOptions{
		Keyspace: m.host.Keyspace(), Limits: &m.host.Settings().Limits, Workers: int(c.Int(config.IOThreads)),
		Size: size, Now: m.env.Clock.Wall().Milliseconds(), KeepExpired: keep || m.host.Follows(), Following: m.host.Follows(),
		Deep: c.Int(config.SanitizeDumpPayload) == config.SanitizeYes, SkipChecksum: !c.Bool(config.RDBChecksum),
		Progress: &l.progress, Replace: l.replace,
		Fact: func(name, value string) { m.logFact(l, name, value) }, Pause: func() { m.pause(ctx) },
	})
	if err != nil {
		m.logf(logger.Warning, "Internal error in RDB reading: %v", err)
		return nil, err
	}
	if !got.Checked {
		m.logf(logger.Notice, "RDB file was saved with checksum disabled: no check performed.")
	}
	if len(got.Modules) > 0 {
		m.logf(logger.Warning, "The RDB has data of modules, which was left out: %q", got.Modules)
	}
	l.lacking = l.lacking || got.Empty > 0 || len(got.Modules) > 0
	m.functions = m.functions.with(got.Functions...)
	m.logLoaded(got)
	return got, nil
}

// logLoaded tells what a file in RDB format has brought.
func (m *Manager) logLoaded(got *snapshot.Loaded) {
	m.lastLoad.keys.Store(got.Keys)
	m.lastLoad.expired.Store(got.Expired)
	empty := ""
	if got.Empty > 0 {
		for _, name := range got.EmptyNames {
			m.logf(logger.Notice, "Loading RDB: skipping empty key: %s", name)
		}
		empty = fmt.Sprintf(", empty keys skipped: %d", got.Empty)
	}
	m.logf(logger.Notice, "Done loading RDB, keys loaded: %d, keys expired: %d%s.", got.Keys, got.Expired, empty)
}

// logFact tells what a file in RDB format says about itself.
func (m *Manager) logFact(l *loading, name, value string) {
	n, _ := strconv.ParseInt(value, 10, 64) // 0 for what is no number
	switch name {
	case "redis-ver", "valkey-ver":
		m.logf(logger.Notice, "Loading RDB produced by version %s", value)
	case "ctime":
		m.logf(logger.Notice, "RDB age %d seconds", max(m.now()-n, 0))
	case "used-mem":
		l.used.Store(n)
		m.logf(logger.Notice, "RDB memory usage when created %.2f Mb", float64(n)/(1<<20))
	case "aof-preamble":
		if n != 0 {
			m.logf(logger.Notice, "RDB has an AOF tail")
		}
	case "aof-base":
		if n != 0 {
			m.logf(logger.Notice, "RDB is base AOF")
		}
	default:
		if strings.HasPrefix(name, "%") {
			m.logf(logger.Notice, "RDB '%s': %s", name, value)
		}
	}
}

// pause is key-load-delay, by which tests make a load last. It is asked again while a
// pause is on, so that it can be ended by CONFIG SET.
func (m *Manager) pause(ctx context.Context) {
	delay := m.cfg.Int(config.KeyLoadDelay)
	if delay < 0 { // a microsecond after so many keys
		if m.pauses++; m.pauses%-delay == 0 {
			server.Sleep(time.Microsecond)
		}
		return
	}
	for took := time.Duration(0); ctx.Err() == nil; {
		left := time.Duration(m.cfg.Int(config.KeyLoadDelay))*time.Microsecond - took
		if left <= 0 {
			return
		}
		left = min(left, pauseSlice)
		server.Sleep(left)
		took += left
	}
}

const pauseSlice = 5 * time.Millisecond

// loadWithAOF loads the append only file, or, if there is none, the snapshot, of which
// it is made then; and begins to write it.
func (m *Manager) loadWithAOF(ctx context.Context, f *findings, from source) error {
	store, err := aof.Open(m.place())
	if err != nil {
		return err
	}
	store.Tidy(m.cfg.Bool(config.AOFDisableAutoGC))
	a := m.newAppendFile(store)
	var stands *rdb.ReplicationInfo
	var tail *server.LogTail
	if from == fromAOF {
		left, edited := m.standsAsLeft(f.marker, a.store.Set())
		var where *whereabouts
		if where, err = m.loadAOF(ctx, a.store); err == nil && !edited {
			stands, tail = m.standsAt(left, where)
		}
	} else if from == fromRDB {
		m.logf(logger.Notice, "There is no append only file yet: it is made from the snapshot")
		err = m.loadRDB(ctx, f)
	}
	if err != nil {
		_ = a.store.Close()
		return err
	}
	m.goOnFrom(stands, tail)
	m.alone(func(*keyspace.View) { // clients come and go meanwhile
		m.host.UseLog(server.LogFile, true)
		m.noting.Store(a.writer)
		m.NoteHistory()
	})
	if from == fromAOF {
		if err := a.writer.Resume(); err != nil {
			_ = a.store.Close()
			return err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.run(a)
		return nil
	}
	return m.firstBase(ctx, a)
}

// firstBase writes the first base of an append only file, and waits for it: nobody may be
// told that something is written before a restart would find it.
func (m *Manager) firstBase(ctx context.Context, a *appendFile) error {
	over := make(chan error, 1)
	m.alone(func(v *keyspace.View) {
		m.run(a)
		if err := m.beginRewrite(v); err != nil {
			over <- err
			return
		}
		j := m.rewriting()
		j.done = append(j.done, func(err error) { over <- err })
	})
	var err error
	select {
	case err = <-over:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("the append only file cannot be begun: %w", err)
	}
	return nil
}

// loadAOF executes what the append only file holds.
func (m *Manager) loadAOF(ctx context.Context, store *aof.Store) (*whereabouts, error) {
	if err := store.Upgrade(); err != nil {
		return nil, err
	}
	l := m.loading.Load()
	l.total = store.Set().Size()
	if extra := store.Set().Extra; len(extra) > 0 {
		m.logf(logger.Warning, "The AOF manifest does not name these files, which are not loaded and left as they are: %q", extra)
	}
	r := &replay{m: m, ctx: ctx, run: m.host.Replay}
	err := store.Load(m.loadOptions(l, r))
	if err == nil {
		err = r.flush()
	}
	if err != nil {
		return nil, err
	}
	l.lacking = l.lacking || r.refused > 0
	if r.refused > refusedShown {
		m.logf(logger.Warning, "%d commands in all were answered with an error", r.refused)
	}
	m.logf(logger.Notice, "DB loaded from append only file: %.3f seconds", (m.env.Clock.Monotonic() - l.began).Seconds())
	return &r.where, nil
}

// loadOptions are how an append only file is loaded.
func (m *Manager) loadOptions(l *loading, r *replay) aof.LoadOptions {
	return aof.LoadOptions{
		Truncated: m.cfg.Bool(config.AOFLoadTruncated),
		Preamble: func(file io.Reader, size int64) (int64, error) {
			m.logf(logger.Notice, "Reading RDB base file on AOF loading...")
			got, err := m.loadFrom(r.ctx, l, file, size, true)
			if err != nil {
				return 0, err
			}
			r.where.snapshot(got.Info.Replication)
			return got.End, nil
		},
		Command:  r.add,
		Progress: func(bytes int64) { l.progress.Bytes.Store(bytes) },
		Begin:    r.begin,
		End:      r.end,
	}
}

// Reload implements server.Persistence.
func (m *Manager) Reload(v *keyspace.View, o server.ReloadOptions) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.jobs) > 0 {
		return errSaving
	}
	if !o.NoSave {
		if err := m.saveHere(v); err != nil {
			return err
		}
	}
	if !o.NoFlush {
		v.Flush(-1)
		m.functions = nil
	}
	m.host.DoubtHistory()
	path := m.cfg.Path(config.DBFilename)
	file, err := m.env.FS.OpenFile(path, env.ReadOnly, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	l := &loading{began: m.env.Clock.Monotonic(), at: m.now(), replace: o.Merge}
	if _, err := m.loadFrom(context.Background(), l, file, 0, false); err != nil {
		return err
	}
	m.saved.changes = m.host.Changes()
	return nil
}

// saveHere saves while everybody waits.
func (m *Manager) saveHere(v *keyspace.View) error {
	j := m.newJob(v, m.cfg.Values())
	j.path, j.temp = m.cfg.Path(config.DBFilename), m.tempName()
	j.info.Replication = m.host.Standing()
	j.share(snapshot.Begin(v, m.picture(j)))
	over := make(chan error, 1)
	go func() {
		err := j.save()
		j.sink.Leave() // which ends the walk, if it is not through
		over <- err
	}()
	for !j.snap.Walked() {
		if !j.snap.Step(v, 0, 1, walkHere) {
			runtime.Gosched() // until the writer has caught up
		}
	}
	err := <-over
	j.snap.End(v)
	if err == nil {
		m.countSaved(j)
		m.noteSaved(j)
		m.leaveWordSoon()
	}
	return err
}

const walkHere = 1 << 20

// ReloadAOF implements server.Persistence.
func (m *Manager) ReloadAOF(v *keyspace.View) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing != nil {
		<-m.closing.ended // what is being written may be torn, and would be cut
	}
	switch {
	case m.starting():
		return errStarting
	case m.aof != nil:
		if err := m.aof.writer.Flush(); err != nil {
			return err
		}
	}
	m.host.DoubtHistory()
	v.Flush(-1)
	m.functions = nil
	l := &loading{began: m.env.Clock.Monotonic(), at: m.now()}
	r := &replay{m: m, ctx: context.Background(), run: func(fn replayFunc) { m.host.ReplayHere(v, fn) }}
	if err := aof.Read(m.place(), m.loadOptions(l, r)); err != nil {
		return err
	}
	if err := r.flush(); err != nil {
		return err
	}
	m.saved.changes = m.host.Changes()
	return nil
}

// replay executes commands some at a time: others have their turn in between.
type replay struct {
	m     *Manager
	run   func(replayFunc)
	ctx   context.Context
	db    int
	calls []replayed
	words [][]byte
	bytes []byte
	began time.Duration
	file  string
	// refused is how many commands were answered with an error.
	refused int
	where   whereabouts
}

// replayed is a command: its words are those from one place to another, and where the
// file has it.
type replayed struct {
	db, from, to int
	file         string
	offset       int64
}

type replayFunc = func(v *keyspace.View, exec func(db int, args [][]byte) error)

// replayBatch is how many bytes of commands are executed at once: some milliseconds.
const replayBatch = 256 << 10

// add takes a command.
func (r *replay) add(c *aof.Command) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	r.m.pause(r.ctx)
	r.where.pass(c)
	if done, err := r.control(c); done || err != nil {
		return err
	}
	if n := r.m.host.Keyspace().Databases(); r.db >= n {
		return fmt.Errorf("the append only file %s at offset %d writes to database %d, and `databases` says that there are %d", r.file, c.Offset, r.db, n)
	}
	from := len(r.words)
	for _, a := range c.Args {
		start := len(r.bytes)
		r.bytes = append(r.bytes, a...)
		r.words = append(r.words, r.bytes[start:len(r.bytes):len(r.bytes)])
	}
	r.calls = append(r.calls, replayed{r.db, from, len(r.words), r.file, c.Offset})
	if len(r.bytes) >= replayBatch {
		return r.flush()
	}
	return nil
}

// control sees to commands that are not executed: units come whole, databases are said
// with each command, and libraries of functions are kept for when there are scripts.
func (r *replay) control(c *aof.Command) (done bool, err error) {
	switch name := c.Args[0]; {
	case text.EqualFold(name, "SELECT") && len(c.Args) == 2:
		n, ok := text.ParseInt(c.Args[1])
		if !ok || n < 0 || n > math.MaxInt32 {
			return true, fmt.Errorf("the append only file %s at offset %d selects database %q", r.file, c.Offset, c.Args[1])
		}
		r.db = int(n)
		return true, nil
	case text.EqualFold(name, "MULTI"), text.EqualFold(name, "EXEC"):
		return true, nil
	case text.EqualFold(name, "FUNCTION"):
		r.m.functions, done = r.m.functions.after(c.Args[1:])
		return done, nil
	case text.EqualFold(name, "SCRIPT"): // what versions before 7.0 wrote of their cache
		return true, nil
	}
	return false, nil
}

// replaySlice is about how long others wait while commands are executed. One of them may
// take long, like any command.
const replaySlice = 5 * time.Millisecond

// looksEvery is after how many commands the clock is looked at.
const looksEvery = 8

// flush executes what was gathered.
func (r *replay) flush() (err error) {
	for rest := r.calls; len(rest) > 0 && err == nil; {
		r.run(func(_ *keyspace.View, exec func(db int, args [][]byte) error) {
			rest, err = r.slice(rest, exec)
		})
		if err == nil {
			err = r.ctx.Err()
		}
	}
	r.calls, r.words, r.bytes = r.calls[:0], r.words[:0], r.bytes[:0]
	return err
}

// slice executes commands for some time, and gives those that are left.
func (r *replay) slice(calls []replayed, exec func(db int, args [][]byte) error) ([]replayed, error) {
	until := r.m.env.Clock.Monotonic() + replaySlice
	for i, c := range calls {
		if err := r.judge(c, exec(c.db, r.words[c.from:c.to])); err != nil {
			return nil, err
		}
		if i%looksEvery == 0 && r.m.env.Clock.Monotonic() > until {
			return calls[i+1:], nil
		}
	}
	return nil, nil
}

// begin takes note of the file that is read next.
func (r *replay) begin(p *aof.Part) {
	r.file, r.began = p.Name, r.m.env.Clock.Monotonic()
	r.where.begin(p)
}

// refusedShown is how many commands that were refused the log shows.
const refusedShown = 10

// judge decides what follows from the error of a command. What the file holds has been
// executed once, without an error: so the data is not what it was then, which the log
// has to say, as in Redis, and propagation-error-behavior may forbid.
func (r *replay) judge(c replayed, err error) error {
	if err == nil {
		return nil
	}
	name := r.words[c.from]
	if errors.Is(err, server.ErrNotReplayed) {
		return fmt.Errorf("the append only file %s at offset %d: %w", c.file, c.offset, err)
	}
	if r.m.cfg.Int(config.PropagationErrorBehavior) == config.PropagationPanic {
		return fmt.Errorf("the append only file %s at offset %d: '%s' is answered with an error, and propagation-error-behavior is panic: %w", c.file, c.offset, name, err)
	}
	if r.refused++; r.refused <= refusedShown {
		r.m.logf(logger.Warning, "== CRITICAL == The append only file %s at offset %d: '%s' is answered with an error, which it was not when it was "+
			"written: '%v'. The data is not what it was then.", c.file, c.offset, name, err)
	}
	return nil
}

// end logs what a file has brought.
func (r *replay) end(p *aof.Part, torn *aof.TornError) {
	took := (r.m.env.Clock.Monotonic() - r.began).Seconds()
	if torn != nil {
		r.m.logf(logger.Warning, "!!! Warning: short read while loading the AOF file %s!!! %s", p.Name, torn.What())
		r.m.logf(logger.Warning, "!!! Truncating the AOF %s at offset %d !!!", p.Name, torn.Offset)
		r.m.logf(logger.Warning, "AOF %s loaded anyway because aof-load-truncated is enabled: these bytes were cut off", p.Name)
	}
	kind := "incr"
	if p.Type == aof.Base {
		kind = "base"
	}
	r.m.logf(logger.Notice, "DB loaded from %s file %s: %.3f seconds", kind, filepath.Base(p.Path), took)
}
