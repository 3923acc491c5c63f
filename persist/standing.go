package persist

import (
	"slices"

	"dozo/aof"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/rdb"
	"dozo/server"
)

// Which moment of which history the data in a file is, so that a server that loads it, and
// its replicas, can go on from there without a snapshot.
//
// A snapshot says it in its header, and the append only file in annotations: whereabouts.go.
// A run that ends in good order leaves word (marker.go) besides of where its log ended, and of
// how each part of the file is then, when all of the log is in them and on the disk. While
// there is such word the parts must have that length and that time: who has edited one, cut it
// or put another in its place has changed the time. In doubt nothing is claimed, and replicas
// get a snapshot. The word is replaced before a write of the next run.
//
// What makes the data something else than the history counts where a snapshot is taken of it,
// and so where a base is: writes to a replica that takes them, a reload (doubted). The append
// only file never has those, so it goes on to tell the truth.
//
// LIMITATIONS: who edits a file and sets its time back is believed, and so is who edits it
// after a crash, but for what replicas prove. With aof-use-rdb-preamble no a file of which
// nothing was written behind its base says nothing.

// standing is what a marker says of it.
type standing struct {
	Parts   []partLeft `json:"parts"`
	DB      int        `json:"db"`
	ID      string     `json:"id"`
	Offset  int64      `json:"offset"`
	Lineage string     `json:"lineage"`
	Primary string     `json:"primary,omitempty"`
	Time    int64      `json:"time,omitempty"`
}

// partLeft is a file of the append only file as the run has left it. At is nanoseconds.
type partLeft struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	At   int64  `json:"at"`
}

// LeaveEnd leaves word of where the data stands, for a server that has ended: nobody writes
// any more, to the log either.
func (m *Manager) LeaveEnd() {
	m.mu.Lock()
	a, r := m.aof, m.host.LogStanding()
	m.mu.Unlock()
	if a == nil || a.once || r == nil || a.writer.Flush() != nil || a.writer.State() != aof.On || a.writer.Fault() != nil || a.writer.Durable() != uint64(r.Offset) {
		return
	}
	set, err := aof.Inspect(a.store.Place)
	if err != nil {
		return
	}
	parts := m.partsOf(set)
	m.mu.Lock()
	m.stands = &standing{parts, r.DB, r.ID, r.Offset, r.Lineage, r.Primary, r.Time}
	m.mu.Unlock()
	m.leaveWord()
}

// partsOf is how the parts are; nil if one is not.
func (m *Manager) partsOf(s *aof.Set) (list []partLeft) {
	for _, p := range s.Parts {
		info, err := m.env.FS.Stat(p.Path)
		if err != nil {
			return nil
		}
		list = append(list, partLeft{p.Name, info.Size(), info.ModTime().UnixNano()})
	}
	return list
}

// standsAsLeft is where the data of an append only file stands by the word of the last run,
// nil if there is none; edited says that the parts are not as that has left them. It is called
// before anything is done to its parts.
func (m *Manager) standsAsLeft(k *marker, set *aof.Set) (left *rdb.ReplicationInfo, edited bool) {
	if k == nil || k.Stands == nil || !k.AOF || set.Upgrade || len(set.Missing) > 0 {
		return nil, false
	}
	parts := m.partsOf(set)
	if len(parts) == 0 || !slices.Equal(parts, k.Stands.Parts) {
		m.logf(logger.Notice, "The append only file is not as the last run has left it: replicas cannot go on from it")
		return nil, true
	}
	st := k.Stands
	return &rdb.ReplicationInfo{DB: st.DB, ID: st.ID, Offset: st.Offset, Lineage: st.Lineage, Primary: st.Primary, Time: st.Time}, false
}

// standsAt is where the data of an append only file stands that was loaded, and the end of the
// log that is in it.
func (m *Manager) standsAt(left *rdb.ReplicationInfo, w *whereabouts) (*rdb.ReplicationInfo, *server.LogTail) {
	found := w.end()
	if left == nil {
		left = found
	}
	if left == nil {
		return nil, nil
	}
	if found != nil && left.ID == found.ID && left.Offset == found.Offset {
		if tail := w.tail(m.env.FS, m.host.TailWanted()); tail != nil {
			return left, tail
		}
	}
	return left, &server.LogTail{From: uint64(left.Offset), DB: left.DB}
}

// NoteHistory implements server.Persistence. Inside a transaction nobody can say where the
// data stands: it is said when that is over.
func (m *Manager) NoteHistory() {
	w := m.noting.Load()
	if w == nil {
		return
	}
	m.notesOwed.Store(m.host.InTransaction())
	w.NoteHistory(historyText(m.host.LogStanding()))
}

// noteOwed is NoteHistory for what was done in a transaction. Only alone.
func (m *Manager) noteOwed() {
	if m.notesOwed.Load() && !m.host.InTransaction() {
		m.NoteHistory()
	}
}

// namesHistory tells whether a snapshot says which moment of which history it is.
func (m *Manager) namesHistory(path string) (names bool) {
	_ = m.readItems(path, func(it *rdb.Item) bool { // the load tells of an error
		names = names || it.Kind == rdb.Aux && string(it.Name) == "repl-id"
		return it.Kind == rdb.Aux
	})
	return names
}

// goOnFrom has the server go on in a history, if it is known. All was loaded, and no client
// has been served.
func (m *Manager) goOnFrom(r *rdb.ReplicationInfo, tail *server.LogTail) {
	if r == nil || m.loading.Load().lacking {
		return
	}
	m.alone(func(*keyspace.View) {
		if m.host.ResumeHistory(r, tail) {
			m.logf(logger.Notice, "The data is of the history %s at offset %d: replicas can go on from there", r.ID, r.Offset)
		}
	})
}
