package persist

import (
	"slices"

	"dozo/config"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/rdb"
	"dozo/server"
)

// BeginStream implements server.Persistence.
func (m *Manager) BeginStream(v *keyspace.View, s *server.SnapshotStream) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.streams = append(m.streams, s)
	if len(m.jobs) == 0 && !m.host.InTransaction() {
		m.considerStreams(v)
	}
}

// ForgetStream implements server.Persistence.
func (m *Manager) ForgetStream(s *server.SnapshotStream) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := slices.Index(m.streams, s)
	if at < 0 {
		return false
	}
	m.streams = slices.Delete(m.streams, at, at+1)
	return true
}

// considerStreams begins the streams that wait, as far as they can be had from one
// snapshot. Only alone, under mu, where canShare says so.
func (m *Manager) considerStreams(v *keyspace.View) {
	if m.quiet || m.ending {
		return
	}
	m.streams = slices.DeleteFunc(m.streams, func(s *server.SnapshotStream) bool { return m.canShare() && m.stream(v, s) })
}

// stream begins one, unless the snapshot of this step is of another version.
func (m *Manager) stream(v *keyspace.View, s *server.SnapshotStream) bool {
	c := m.cfg.Values()
	j := m.newJob(v, c)
	j.stream = s
	if s.Version != 0 {
		j.opts.Version = s.Version
	}
	if len(m.jobs) > 0 && m.jobs[0].opts.Version != j.opts.Version {
		return false
	}
	if s.NoFunctions {
		j.libs = nil
	}
	j.opts.Compress = c.Bool(config.RDBCompression)
	j.info.Replication = s.Begun()
	j.done = append(j.done, s.Done)
	m.start(j, v, m.picture(j))
	m.logf(logger.Notice, "Background RDB transfer started by pid %d", m.pid)
	return true
}

// endStream is what follows a stream. Under mu.
func (m *Manager) endStream(err error) {
	if err != nil {
		m.logf(logger.Warning, "Background transfer error: %v", err)
		return
	}
	m.logf(logger.Notice, "Background RDB transfer terminated with success")
}

// thrift decides which records of a stream are compressed. To compress takes three times
// as long as all else that a primary does for a full resync, so it is only done while the
// replicas, or the network, are slower than that; and where it saves little it is tried
// again after a while.
type thrift struct {
	behind func() bool
	rest   int // chunks that are not to be compressed
	pause  int // how many they were the last time
}

const (
	// thriftLeast is the part of the bytes that must be saved.
	thriftLeast = 8
	// A try that was in vain is followed by a pause, twice as long each time.
	thriftPause, thriftPauseMax = 16, 1024
)

// records writes one chunk.
func (t *thrift) records(w *rdb.Writer, plain []byte) error {
	w.Encoder.Compress = t.rest == 0 && t.behind()
	t.rest = max(0, t.rest-1)
	before := w.Written()
	err := w.Records(plain)
	if w.Encoder.Compress {
		t.note(int64(len(plain)), w.Written()-before)
	}
	return err
}

// note takes how much became of a chunk that was compressed.
func (t *thrift) note(plain, packed int64) {
	if packed <= plain-plain/thriftLeast {
		t.pause = 0
		return
	}
	t.pause = min(max(2*t.pause, thriftPause), thriftPauseMax)
	t.rest = t.pause
}
