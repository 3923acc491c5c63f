package persist

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"dozo/aof"
	"dozo/config"
	"dozo/env"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/oplog"
	"dozo/rdb"
	"dozo/server"
	"dozo/snapshot"
)

// job is one file that is being written from a snapshot, or what replicas are sent.
type job struct {
	m       *Manager
	snap    *snapshot.Snapshot
	sink    *snapshot.Sink
	began   time.Duration
	changes int64 // of the server at the epoch
	written atomic.Int64
	// What the file is to be: settings are those of the epoch.
	path, temp  string                 // of a save
	stream      *server.SnapshotStream // to replicas; nil = none
	rewrite     *aof.Rewrite           // of the append only file of; nil = none
	of          *appendFile
	libs        [][]byte
	info        rdb.Info
	opts        rdb.WriterOptions
	incremental bool
	commands    bool // and not records
	stamped     bool // they say first of when they are
	final       bool // nothing is written any more
	flushed     bool // what it saves is to have been flushed, and is not
	// done hears how it went, on a loop and alone; nil = nobody asks.
	done []func(error)
}

// saving is the save under way, nil = none. Under mu.
func (m *Manager) saving() *job {
	return m.jobThat(func(j *job) bool { return j.rewrite == nil && j.stream == nil })
}

// rewriting is the rewrite of the append only file under way, nil = none. Under mu.
func (m *Manager) rewriting() *job { return m.jobThat(func(j *job) bool { return j.rewrite != nil }) }

func (m *Manager) jobThat(is func(*job) bool) *job {
	if i := slices.IndexFunc(m.jobs, is); i >= 0 {
		return m.jobs[i]
	}
	return nil
}

// canShare tells whether another file can be written from now on: there is no job, or
// those that were begun in this very step have a snapshot of records. Under mu.
func (m *Manager) canShare() bool { return len(m.jobs) == 0 || !m.jobs[0].commands }

// begin begins a save. done, if it is not nil, waits for it. Only alone, under mu, with no
// job, or where canShare says so.
func (m *Manager) begin(v *keyspace.View, done func(error)) {
	c := m.cfg.Values()
	m.scheduled, m.lastTry = false, m.env.Clock.Monotonic()
	j := m.newJob(v, c)
	j.path, j.temp = c.Path(config.DBFilename), m.tempName()
	j.incremental = c.Bool(config.RDBSaveIncrementalFsync)
	j.info.Replication = m.host.Standing()
	if j.done, m.waiting = m.waiting, nil; done != nil {
		j.done = append(j.done, done)
	}
	if !m.start(j, v, m.picture(j)) {
		m.scheduled, m.waiting = true, j.done
		return
	}
	if len(j.done) == 0 {
		m.saved.count++
		m.logf(logger.Notice, "Background saving started by pid %d", m.pid)
	}
}

// picture is what a job wants of its snapshot. Replicas have what is over and not removed
// yet, as this server does, and wait to be told to remove it: by the next run, if it is that of
// this file. It must have it to do so.
func (m *Manager) picture(j *job) snapshot.Options {
	return snapshot.Options{Version: j.opts.Version, KeepOver: m.host.HasReplicas()}
}

// newJob is what all jobs have in common.
func (m *Manager) newJob(v *keyspace.View, c *config.Values) *job {
	return &job{
		m: m, began: m.env.Clock.Monotonic(), changes: m.host.Changes(),
		info: rdb.Info{ServerVersion: server.RedisVersion, CreatedAt: m.now(), UsedMemory: v.Keyspace().Arena().Used()},
		opts: rdb.WriterOptions{Version: int(c.Int(config.RDBVersion)), Compress: c.Bool(config.RDBCompression), NoChecksum: !c.Bool(config.RDBChecksum)},
		libs: m.functions,
	}
}

// start takes the snapshot, or shares that of this step, and has it written. It fails if
// the job that began the step has failed already, and its snapshot with it.
func (m *Manager) start(j *job, v *keyspace.View, o snapshot.Options) bool {
	s := (*snapshot.Snapshot)(nil)
	if len(m.jobs) > 0 {
		s = m.jobs[0].snap
	} else {
		s = snapshot.Begin(v, o)
	}
	if !j.share(s) {
		return false
	}
	m.resumeAt.Store(0)
	m.walked.Store(j.snap)
	m.jobs = append(m.jobs, j)
	if m.aof != nil {
		m.aof.writer.SetBusy(true)
	}
	m.host.Wake()
	m.writers.Go(j.run)
	return true
}

// share has the job write a snapshot, if it can be had from the beginning. Hashes whose
// fields have deadlines need a version that knows of them.
func (j *job) share(s *snapshot.Snapshot) bool {
	sink, err := s.NewSink()
	if err != nil {
		return false
	}
	j.snap, j.sink = s, sink
	for _, d := range j.snap.Databases() {
		j.opts.DatedHashes = j.opts.DatedHashes || d.Dated > 0
	}
	return true
}

// run writes the file and tells how it went.
func (j *job) run() {
	var err error
	switch {
	case j.rewrite != nil:
		err = j.writeBase()
	case j.stream != nil:
		err = j.records(j.stream.To)
	default:
		if err = j.save(); err == nil { // who is told so may rely on the next start
			j.m.mu.Lock()
			j.m.noteSaved(j)
			j.m.mu.Unlock()
			j.m.leaveWord()
		}
	}
	j.sink.Leave()
	j.m.host.Alone(func(v *keyspace.View) { j.end(v, err) })
}

// end is what follows a job. Only alone.
func (j *job) end(v *keyspace.View, err error) {
	m := j.m
	m.mu.Lock()
	switch {
	case j.rewrite != nil:
		m.peaks.rewrite = j.snap.Peak()
	case j.stream == nil:
		m.peaks.save = j.snap.Peak()
	}
	m.jobs = slices.DeleteFunc(m.jobs, func(o *job) bool { return o == j })
	if len(m.jobs) == 0 {
		j.snap.End(v)
		m.walked.Store(nil)
		if m.aof != nil {
			m.aof.writer.SetBusy(false)
		}
	}
	again := j.flushed && !m.ending && !m.quiet
	switch {
	case j.rewrite != nil:
		m.endRewrite(j, err)
	case j.stream != nil:
		m.endStream(err)
	case again:
		m.logf(logger.Notice, "The background save begins again, with what there is since FLUSHALL")
		m.scheduled, m.waiting = true, j.done
	default:
		m.endSave(j, err)
	}
	m.mu.Unlock()
	if again {
		return
	}
	m.judge()
	for _, done := range j.done {
		done(err)
	}
}

// endSave is what follows a save. That of somebody who waits for it is no background
// save: only its success is of interest to others. Under mu.
func (m *Manager) endSave(j *job, err error) {
	switch {
	case err == nil:
		m.saved.failed = false
		m.countSaved(j)
	case errors.Is(err, errEnding), errors.Is(err, errAborted), errors.Is(err, errFlushed):
		m.logf(logger.Notice, "The save was given up. The last good snapshot stays as it is.")
		return
	case len(j.done) > 0:
		m.logf(logger.Warning, "Write error while saving DB to the disk: %v. The last good snapshot stays as it is.", err)
		return
	default:
		m.saved.failed = true
		m.logf(logger.Warning, "Background saving error: %v. The last good snapshot stays as it is.", err)
	}
	if len(j.done) > 0 {
		return // it was no background save
	}
	m.saved.seconds = int64((m.env.Clock.Monotonic() - j.began) / time.Second)
	if err == nil {
		m.logf(logger.Notice, "Background saving terminated with success")
	}
}

// countSaved begins to count what is not saved yet. Under mu.
func (m *Manager) countSaved(j *job) {
	m.saved.at, m.saved.since, m.saved.changes = m.now(), m.env.Clock.Monotonic(), j.changes
}

// noteSaved notes what a marker says of the snapshot that is there. Under mu.
func (m *Manager) noteSaved(j *job) {
	m.saved.taken, m.saved.final = j.info.CreatedAt, j.final
	if r := &m.rewrites; j.began > r.offAt {
		r.ahead = false
	}
}

// writeBase writes the base of the append only file, and has it take its place. What is
// left of one that did not would be in the way of the next.
func (j *job) writeBase() error {
	err := j.writeBaseFile()
	if err == nil {
		err = j.publish()
	} else {
		j.rewrite.Abort(err)
	}
	if err != nil {
		_ = j.m.env.FS.Remove(j.rewrite.Path()) // it may not be there; the first error is what counts
	}
	return err
}

// publish has the base take its place: of an append only file that is not gone on with
// nothing else does.
func (j *job) publish() error {
	j.m.mu.Lock()
	alone := j.of.once
	j.of.alone = alone
	j.m.mu.Unlock()
	if alone {
		return j.rewrite.PublishAlone()
	}
	return j.rewrite.Publish()
}

// writeBaseFile writes the base to a temporary file.
func (j *job) writeBaseFile() error {
	f, err := j.m.env.FS.OpenFile(j.rewrite.Path(), env.Create, 0o644)
	if err != nil {
		return err
	}
	if j.rewrite.RDB() {
		err = j.write(f)
	} else {
		err = j.writeCommands(f)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// next is what is to be written next, nil at the end. A rewrite that has ended by itself
// is not written any further.
func (j *job) next() (*snapshot.Chunk, error) {
	if j.rewrite != nil {
		select {
		case <-j.rewrite.Done():
			return nil, j.rewrite.Err()
		default:
		}
	}
	return j.sink.Next()
}

// writeCommands writes what the snapshot gives as commands.
func (j *job) writeCommands(f env.File) error {
	w := bufio.NewWriterSize(f, commandsBuffer)
	if j.stamped {
		_, _ = w.Write(aof.AppendAnnotation(nil, j.info.CreatedAt)) // the error stays
	}
	for _, lib := range j.libs {
		_, _ = w.Write(oplog.AppendCommand(nil, []byte("FUNCTION"), []byte("LOAD"), []byte("REPLACE"), lib))
	}
	db := -1
	for {
		c, err := j.next()
		if err != nil {
			return err
		}
		if c == nil {
			return w.Flush()
		}
		if c.DB != db {
			db = c.DB
			_, _ = w.Write(oplog.AppendCommand(nil, []byte("SELECT"), strconv.AppendInt(nil, int64(db), 10)))
		}
		if _, err := w.Write(c.Records); err != nil {
			return err
		}
		j.wrote(c)
	}
}

const commandsBuffer = 128 << 10

// wrote is what follows a chunk.
func (j *job) wrote(c *snapshot.Chunk) {
	j.written.Add(int64(c.Keys))
	j.sink.Done(c)
}

// save writes the snapshot to a temporary file, which gets its name when all of it is on
// the disk.
func (j *job) save() error {
	temp := filepath.Join(filepath.Dir(j.path), j.temp)
	j.m.writing.Store(&temp)
	err := env.Replace(j.m.env.FS, j.path, env.Replacement{Temp: temp, Perm: 0o644, Fill: j.write})
	if err != nil {
		return fmt.Errorf("%s cannot be replaced: %w", j.path, err)
	}
	j.m.logf(logger.Notice, "DB saved on disk")
	return nil
}

// RemoveTemp removes the snapshot that is being written, for a process that ends at once.
func (m *Manager) RemoveTemp() {
	if name := m.writing.Load(); name != nil {
		_ = m.env.FS.Remove(*name) // it may have got its name by now
	}
}

// write writes what a file has.
func (j *job) write(f env.File) error {
	if !j.incremental {
		return j.records(f)
	}
	p := &pacedFile{f: f}
	err := j.records(p)
	if e := p.settle(); err == nil {
		err = e
	}
	return err
}

// records writes what a file has, as the snapshot gives it.
func (j *job) records(to io.Writer) error {
	w := rdb.NewWriter(to, j.opts)
	if err := w.Header(&j.info); err != nil {
		return err
	}
	for _, lib := range j.libs {
		if err := w.Function(lib); err != nil {
			return err
		}
	}
	if j.stream != nil && j.stream.NoData {
		return w.Close()
	}
	sizes, pack := j.snap.Databases(), (*rdb.Writer).Records
	if j.stream != nil && j.opts.Compress {
		t := &thrift{behind: j.stream.To.Behind}
		pack = t.records
	}
	way := courtesy{clock: j.m.env.Clock, since: j.m.env.Clock.Monotonic()}
	for {
		way.give()
		c, err := j.next()
		if err != nil {
			return err
		}
		if c == nil {
			return w.Close()
		}
		if err = w.Database(c.DB, sizes[c.DB].Keys, sizes[c.DB].Volatile); err == nil {
			err = pack(w, c.Records)
		}
		if err != nil {
			return err
		}
		j.wrote(c)
	}
}

// courtesy has a writer leave its core, after each chunk, to whoever waits for it: where
// there are no more cores than loops a client would else wait for the end of the
// writer's time slice, some milliseconds. A writer with a lower priority would do that
// too, but those who wait for a lock that it has would wait for as long as it is kept
// off.
type courtesy struct {
	clock       env.Clock
	since, lost time.Duration
}

// courtesyMax is how much of its time a writer loses to others at most, in percent: a
// server that is always busy has to be saved too.
const courtesyMax = 70

func (c *courtesy) give() {
	now := c.clock.Monotonic()
	if c.lost*100 > (now-c.since)*courtesyMax {
		return
	}
	server.GiveWay()
	c.lost += c.clock.Monotonic() - now
}

// syncEvery is how much is written before it is synced, so that the disk does not get
// all of it at the end.
const syncEvery = 4 << 20

// pacedFile syncs a file bit by bit while it is written on. One sync runs at a time, so
// no more than twice syncEvery waits for the disk.
type pacedFile struct {
	f      env.File
	dirt   int
	synced chan error // gives how the last sync went; nil = none runs
}

func (p *pacedFile) Write(b []byte) (int, error) {
	n, err := p.f.Write(b)
	if p.dirt += n; err != nil || p.dirt < syncEvery {
		return n, err
	}
	p.dirt = 0
	if err := p.settle(); err != nil {
		return n, err
	}
	synced := make(chan error, 1)
	p.synced = synced
	go func() { synced <- p.f.Sync() }()
	return n, nil
}

// settle waits for the sync that runs.
func (p *pacedFile) settle() error {
	if p.synced == nil {
		return nil
	}
	err := <-p.synced
	p.synced = nil
	return err
}
