package persist

import (
	"slices"

	"dozo/config"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/server"
	"dozo/snapshot"
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
	m.start(j, v, snapshot.Options{Version: j.opts.Version})
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
