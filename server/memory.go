package server

import (
	"fmt"
	"time"

	"dozo/arena"
	"dozo/keyspace"
)

// memoryPeak is the most memory ever in use.
type memoryPeak struct {
	bytes int64
	at    int64 // Unix seconds
}

// usedMemory is what INFO calls used_memory and maxmemory limits: the arena's
// blocks and what counts beside them.
func (s *Server) usedMemory() int64 { return s.ks.Arena().Used() + s.countedBeside() }

// countedBeside is the memory outside the arena that counts against maxmemory:
// connections and their buffers, as far as each worker has counted them.
func (s *Server) countedBeside() int64 {
	var n int64
	for _, w := range s.workers {
		n += w.beside.Load()
	}
	return n
}

// notePeak keeps the highest figure of used memory. Only in exclusive mode.
func (s *Server) notePeak(used int64) {
	if used > s.peak.bytes {
		s.peak = memoryPeak{bytes: used, at: int64(s.clock.Wall() / time.Second)}
	}
}

// memoryUse is where the memory is, at one moment.
type memoryUse struct {
	used, startup, peak int64
	resident            int64 // of the whole process
	clients, log        int64
	replicas, file      int64 // of the log, for replicas that lag behind, or the file that does
	tables, wheels      int64
	overhead, dataset   int64
	keys                int64
	databases           []databaseUse
	arena               arena.Stats
	untouched           int64 // of what is handed to the keyspace
}

// databaseUse is a database that has keys.
type databaseUse struct {
	db int
	keyspace.DatabaseStats
}

// memoryUse looks at everything. Only in exclusive mode.
func (s *Server) memoryUse(v *keyspace.View) (m memoryUse) {
	loading := s.loadsInPlace()
	if !loading { // else somebody else is at the heaps
		s.ks.Publish()
		m.untouched = s.ks.Untouched()
	}
	m.arena = s.ks.Arena().Stats()
	m.clients = s.countedBeside()
	m.used = m.arena.Used + m.clients
	s.notePeak(m.used)
	m.peak, m.startup, m.resident = s.peak.bytes, s.startupMemory, s.residentBytes()
	m.log = s.log.Stats().Memory
	switch {
	case s.replicas.any():
		m.replicas = s.log.Extra()
	case s.logUsers&LogFile != 0:
		m.file = s.log.Extra()
	}
	for db := range s.ks.Databases() {
		if loading {
			break
		}
		d := v.DatabaseStats(db)
		if d.Keys == 0 {
			continue
		}
		m.databases = append(m.databases, databaseUse{db, d})
		m.keys += int64(d.Keys)
		m.tables += d.TableBytes
		m.wheels += d.WheelBytes
	}
	m.overhead = m.startup + m.clients + m.log + m.tables + m.wheels
	m.dataset = max(m.used-m.overhead, 0)
	return m
}

// backlog is what is kept of the log for whoever comes.
func (m *memoryUse) backlog() int64 { return m.log - m.replicas - m.file }

// net is the memory in use beyond what an empty server takes; at least 1.
func (m *memoryUse) net() int64 { return max(m.used-m.startup, 1) }

func (m *memoryUse) datasetPercent() float64 { return 100 * ratio(m.dataset, m.net()) }

func (m *memoryUse) peakPercent() float64 { return 100 * ratio(m.used, m.peak) }

// active is what the allocator holds for blocks in use, freed ones among them
// included, and resident what it holds in all. What was never touched counts for
// neither: it has no pages.
func (m *memoryUse) active() int64 { return m.arena.Mapped - m.untouched }

func (m *memoryUse) allocatorResident() int64 { return m.active() + m.arena.Free + m.arena.Meta }

// purposes are the bytes of the arena by what they are for. Only in exclusive
// mode.
func (s *Server) purposes() (bytes [arena.NumPurposes]int64) {
	for p := range arena.NumPurposes {
		bytes[p] = s.ks.UsedBy(p)
	}
	bytes[arena.PurposeLog] += s.log.Stats().Memory // has a heap of its own
	return bytes
}

// ratio is a/b, 0 when b is.
func ratio(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// humanBytes is a number of bytes as INFO's ..._human fields show it.
func humanBytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	f, unit := float64(n), 0
	for f >= 1024 && unit < len("KMGTPE") {
		f /= 1024
		unit++
	}
	return fmt.Sprintf("%.2f%c", f, "KMGTPE"[unit-1])
}
