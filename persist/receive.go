package persist

import (
	"context"
	"errors"
	"io"

	"dozo/config"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/snapshot"
)

// Received is a primary's snapshot that was loaded beside the data. It takes the data's
// place by Adopt, or goes by Discard.
type Received struct {
	m      *Manager
	shadow *keyspace.Keyspace
	got    *snapshot.Loaded
	load   *loading
}

// Receiving says what is received, and how.
type Receiving struct {
	// Src is read to the end of the snapshot; Size is its length, 0 = not known.
	Src  io.Reader
	Size int64
	// MayFlush tells, alone, whether what is served may be flushed before the snapshot is
	// whole, where there is not memory enough for both.
	MayFlush func() bool
}

// Receive loads a snapshot from a primary beside the data, which is served meanwhile. An
// error leaves nothing of it. If the data was flushed to make room it is gone all the same;
// a restart finds what there was, as long as nothing is saved.
func (m *Manager) Receive(ctx context.Context, o Receiving) (*Received, error) {
	l := &loading{began: m.env.Clock.Monotonic(), at: m.now(), total: o.Size, aside: true}
	r := &Received{m: m, shadow: m.host.Keyspace().NewShadow(), load: l}
	m.alone(func(*keyspace.View) { r.begin() })
	m.logf(logger.Notice, "MASTER <-> REPLICA sync: Loading DB in memory")
	c := m.cfg.Values()
	got, err := snapshot.Load(ctx, o.Src, snapshot.LoadOptions{
		Keyspace: r.shadow, Limits: &m.host.Settings().Limits, Workers: int(c.Int(config.IOThreads)),
		Size: o.Size, Now: m.env.Clock.Wall().Milliseconds(), KeepExpired: true, Following: true,
		Deep: c.Int(config.SanitizeDumpPayload) == config.SanitizeYes, SkipChecksum: !c.Bool(config.RDBChecksum),
		Progress: &l.progress, Pause: func() { m.pause(ctx) },
		Fact: func(name, value string) {
			m.logFact(l, name, value)
			if name == "used-mem" {
				m.alone(func(v *keyspace.View) { r.makeRoom(v, o.MayFlush) })
			}
		},
	})
	if err != nil {
		m.logf(logger.Warning, "Internal error in RDB reading: %v", err)
		m.host.Alone(r.Discard) // not waited for: the server may have ended, which is why
		if l.emptied.Load() {
			m.logf(logger.Warning, "The data was flushed to make room for the primary's, which did not come: this server has NO DATA until a full resync succeeds. It is tried again.")
		}
		return nil, err
	}
	if len(got.Modules) > 0 {
		m.logf(logger.Warning, "The primary's snapshot has data of modules, which was left out: %q", got.Modules)
	}
	r.got = got
	return r, nil
}

// begin says that this is what is received. A former one may still be on its way out, and
// what was flushed for that is not back. Only alone.
func (r *Received) begin() {
	if former := r.m.receiving.Swap(r.load); former != nil && former.emptied.Load() {
		r.load.emptied.Store(true)
	}
	r.m.host.SetReceiving(true, r.load.emptied.Load())
}

// end says that nothing is received any more, unless another has begun. Only alone.
func (r *Received) end() {
	if r.m.receiving.CompareAndSwap(r.load, nil) {
		r.m.host.SetReceiving(false, false)
	}
}

// roomShare is how much more memory a data set may take here than it does on its primary,
// in percent, and while it is loaded.
const roomShare = 110

// makeRoom flushes the data if there is not memory enough for it and for the primary's, of
// which the size is known now. Only alone, before the first key.
func (r *Received) makeRoom(v *keyspace.View, mayFlush func() bool) {
	m, need := r.m, r.load.used.Load()/100*roomShare
	spare := m.host.SpareMemory()
	if need <= spare || r.load.emptied.Load() || m.host.KeyCount(v) == 0 || !mayFlush() {
		return
	}
	if m.cfg.Int(config.ReplDisklessLoad) == config.DisklessLoadSwapDB {
		m.logf(logger.Warning, "The primary's data needs %d KiB beside the data here, and %d KiB are to be had. repl-diskless-load swapdb demands to keep both: memory may run out.", need>>10, spare>>10)
		return
	}
	m.logf(logger.Warning, "The primary's data needs %d KiB beside the data here, and %d KiB are to be had (see maxmemory): the data here is flushed first. Clients are told LOADING until the primary's is there.", need>>10, spare>>10)
	r.load.emptied.Store(true)
	m.emptied.Store(true)
	m.host.EmptyForSync(v)
}

// TakeEmptied tells whether the data was flushed for a primary's that has not come, and that
// whoever asks sees to it: what the append only file holds is of before.
func (m *Manager) TakeEmptied() bool { return m.emptied.Swap(false) }

// Keys is how many keys it has.
func (r *Received) Keys() int64 { return r.got.Keys }

// DB is the database that the commands behind the snapshot begin in.
func (r *Received) DB() int {
	if i := r.got.Info.Replication; i != nil {
		return max(i.DB, 0)
	}
	return 0
}

// Time is what time it was for the primary, Unix milliseconds, 0 if it does not say so.
func (r *Received) Time() int64 {
	if i := r.got.Info.Replication; i != nil {
		return i.Time
	}
	return 0
}

// Discard frees it, in the background. Only alone.
func (r *Received) Discard(v *keyspace.View) {
	v.DiscardAll(r.shadow)
	r.end()
}

var errOtherData = errors.New("the data is a primary's now, and gets an append only file of its own")

// Adopt has it take the place of the data. The append only file ends with the data that it
// was of, and another begins; until that is complete a restart finds the former data. What
// is being saved is that, too. Only alone.
func (r *Received) Adopt(v *keyspace.View) {
	m := r.m
	m.mu.Lock()
	defer m.mu.Unlock()
	m.logf(logger.Notice, "MASTER <-> REPLICA sync: Swapping active DB with loaded DB. Discarding old DB in background")
	v.Adopt(r.shadow)
	r.end()
	m.emptied.Store(false)
	m.functions = libraries(nil).with(r.got.Functions...)
	m.logLoaded(r.got)
	if m.aof != nil {
		m.abandon()
	}
}

// abandon ends the append only file where it is. Another begins when it is closed. Only
// alone, under mu.
func (m *Manager) abandon() {
	a := m.aof
	m.aof, m.closing = nil, a
	if j := m.rewriting(); j != nil {
		j.sink.Cancel(errOtherData)
	}
	m.setGates(m.cfg.Values())
	m.host.ReleaseReplies()
	a.writer.Stop()
	m.writers.Go(func() {
		<-a.ended
		m.host.Alone(m.closed)
	})
}
