package persist

import (
	"slices"

	"dozo/aof"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/rdb"
)

// Which moment of which history the data in a file is, so that a server that loads it, and
// its replicas, can go on from there without a snapshot.
//
// A snapshot says it in its header. The append only file cannot: its bytes are not all of
// the log, and a killed run leaves any number of them. A run that ends in good order leaves
// word (marker.go) of where its log ended, and of how each part of the file is then, when all
// of the log is in them and on the disk. That holds as long as they have that length and
// that time: who has edited one, cut it or put another in its place has changed the time,
// and a run that was killed has made them longer. In doubt nothing is claimed, and replicas
// get a snapshot. Word that was believed is replaced before a write.
//
// LIMITATIONS: after a crash with an append only file there is no partial resync. Who edits
// a file and sets its time back is believed.

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

// standsAsLeft is where the data of an append only file stands, nil if that is not known.
// It is called before anything is done to its parts.
func (m *Manager) standsAsLeft(k *marker, set *aof.Set) *rdb.ReplicationInfo {
	if k == nil || k.Stands == nil || !k.AOF || set.Upgrade || len(set.Missing) > 0 {
		return nil
	}
	parts := m.partsOf(set)
	if len(parts) == 0 || !slices.Equal(parts, k.Stands.Parts) {
		m.logf(logger.Notice, "The append only file is not as the last run has left it: replicas cannot go on from it")
		return nil
	}
	st := k.Stands
	return &rdb.ReplicationInfo{DB: st.DB, ID: st.ID, Offset: st.Offset, Lineage: st.Lineage, Primary: st.Primary, Time: st.Time}
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
func (m *Manager) goOnFrom(r *rdb.ReplicationInfo) {
	if r == nil || m.loading.Load().lacking {
		return
	}
	m.alone(func(*keyspace.View) {
		if m.host.ResumeHistory(r) {
			m.logf(logger.Notice, "The data is of the history %s at offset %d: replicas can go on from there", r.ID, r.Offset)
		}
	})
}
