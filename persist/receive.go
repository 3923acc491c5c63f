package persist

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

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
}

// Receive loads a snapshot from a primary beside the data, which is served meanwhile. read
// counts the bytes. An error leaves nothing.
func (m *Manager) Receive(ctx context.Context, src io.Reader, size int64, read *atomic.Int64) (*Received, error) {
	l := &loading{began: m.env.Clock.Monotonic(), at: m.now(), total: size}
	r := &Received{m: m, shadow: m.host.Keyspace().NewShadow()}
	c := m.cfg.Values()
	got, err := snapshot.Load(ctx, src, snapshot.LoadOptions{
		Keyspace: r.shadow, Limits: &m.host.Settings().Limits, Workers: int(c.Int(config.IOThreads)),
		Size: size, Now: m.env.Clock.Wall().Milliseconds(), KeepExpired: true,
		Deep: c.Int(config.SanitizeDumpPayload) == config.SanitizeYes, SkipChecksum: !c.Bool(config.RDBChecksum),
		Progress: &l.progress, Fact: func(name, value string) { m.logFact(l, name, value) }, Pause: func() { m.pause(ctx) },
	})
	if err != nil {
		m.host.Alone(r.Discard) // not waited for: the server may have ended, which is why
		return nil, err
	}
	if len(got.Modules) > 0 {
		m.logf(logger.Warning, "The primary's snapshot has data of modules, which was left out: %q", got.Modules)
	}
	r.got = got
	return r, nil
}

var errOtherData = errors.New("the data is a primary's now, and gets an append only file of its own")

// Keys is how many keys it has.
func (r *Received) Keys() int64 { return r.got.Keys }

// DB is the database that the commands behind the snapshot begin in.
func (r *Received) DB() int {
	if i := r.got.Info.Replication; i != nil {
		return i.DB
	}
	return 0
}

// Discard frees it, in the background. Only alone.
func (r *Received) Discard(v *keyspace.View) { v.DiscardAll(r.shadow) }

// Adopt has it take the place of the data. The append only file ends with the data that it
// was of, and another begins; until that is complete a restart finds the former data. What
// is being saved is that, too. Only alone.
func (r *Received) Adopt(v *keyspace.View) {
	m := r.m
	m.mu.Lock()
	defer m.mu.Unlock()
	v.Adopt(r.shadow)
	v.DiscardAll(r.shadow)
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
