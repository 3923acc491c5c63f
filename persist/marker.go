package persist

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"dozo/aof"
	"dozo/config"
	"dozo/env"
	"dozo/logger"
)

// marker is what a run leaves word of, for the next one, of how it keeps its data. It is
// written when the run has loaded its data, and whenever what it says changes.
//
// It lies beside the data, in a file named after the snapshot: after the name that the
// configuration had at the start, which is what a restart goes by, and after the present
// one. So servers that share a folder, each with a snapshot of its own, do not hear each
// other's words.
type marker struct {
	Version int    `json:"version"`
	RunID   string `json:"run_id"`
	// At is when it was written, Unix seconds.
	At int64 `json:"at"`
	// RDB is the name of the snapshot. SavedAt is when it was taken, as far as the run
	// knows it, 0 = there is none. Final says that nothing was written since.
	RDB     string `json:"rdb"`
	SavedAt int64  `json:"saved_at"`
	Final   bool   `json:"final,omitempty"`
	// AOF tells whether the append only file has all of the data: not while its first
	// base is being written. It is in AOFFolder under AOFName, and AOFFolder beside the
	// marker, or in AOFDir if `dir` was changed.
	AOF bool `json:"aof"`
	// AOFNewer says that it is written no more, and that no snapshot was taken since:
	// files tell their times in seconds, within which much can happen.
	AOFNewer bool   `json:"aof_newer,omitempty"`
	AOFDir   string `json:"aof_dir,omitempty"`
	// AOFBase is the number of its base; 0 = not known.
	AOFBase   int64  `json:"aof_base,omitempty"`
	AOFFolder string `json:"aof_folder"`
	AOFName   string `json:"aof_name"`
	// MovedTo is the folder where the data is kept now, if `dir` was changed.
	MovedTo string `json:"moved_to,omitempty"`
	// Stands is where the data of the append only file stands, of a run that ended in good
	// order; nil = that is not known.
	Stands *standing `json:"stands,omitempty"`
}

const markerVersion = 1

// markerName is the file of a marker.
func markerName(dbfilename string) string { return dbfilename + ".run" }

// readMarker reads the marker, nil if there is none. One that nobody can read is none:
// it only helps.
func readMarker(files env.FS, dir, dbfilename string) (*marker, error) {
	content, err := files.ReadFile(filepath.Join(dir, markerName(dbfilename)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("what the last run has left word of cannot be read: %w", err)
	}
	var k marker
	if json.Unmarshal(content, &k) != nil || k.Version != markerVersion {
		return nil, nil
	}
	return &k, nil
}

// tempPrefix begins the names of files that are being written.
const tempPrefix = "temp-"

// leaveWord tells the next run how this one keeps its data now. It waits for the disk.
func (m *Manager) leaveWord() {
	m.marking.Lock()
	defer m.marking.Unlock()
	m.mu.Lock()
	k, dir := m.word()
	m.said = m.said && k.AOF
	m.mu.Unlock()
	k.AOFBase = m.baseOf(k, dir)
	told := m.tell(dir, k)
	m.owes.Store(!told)
	if told {
		m.mu.Lock()
		m.said = k.AOF
		m.mu.Unlock()
	}
	if m.away != nil && m.tell(m.away.dir, &m.away.marker) {
		m.away = nil
	}
	if m.away != nil {
		m.owes.Store(true)
	}
}

// away is word for a folder that the data has left.
type away struct {
	marker
	dir string
}

// leaveOwed leaves word where that has failed before: without it the next start would
// have to guess. Under mu.
func (m *Manager) leaveOwed(now time.Duration) {
	if now >= m.owesAgain && m.owes.CompareAndSwap(true, false) { // it is set again if it fails again
		m.owesAgain = now + retryAfter
		m.leaveWordSoon()
	}
}

// leaveWordSoon is leaveWord for a loop. Under mu.
func (m *Manager) leaveWordSoon() {
	if !m.ending {
		m.writers.Go(m.leaveWord)
	}
}

// baseOf is the number of the base of the append only file that a marker tells of.
func (m *Manager) baseOf(k *marker, dir string) int64 {
	if !k.AOF {
		return 0
	}
	p := aof.Place{FS: m.env.FS, Dir: dir, Folder: k.AOFFolder, Name: k.AOFName}
	if k.AOFDir != "" {
		p.Dir = k.AOFDir
	}
	content, err := p.FS.ReadFile(filepath.Join(p.Dir, p.Folder, aof.ManifestName(p.Name)))
	if err != nil {
		return 0
	}
	if set, err := aof.ParseManifest(content); err == nil && set.Base != nil {
		return set.Base.Seq
	}
	return 0
}

// word is what there is to leave word of, and the folder of the data. Under mu.
func (m *Manager) word() (k *marker, dir string) {
	v := m.cfg.Values()
	dir = dataDir(v)
	k = &marker{
		Version: markerVersion, RunID: m.host.RunID(), At: m.now(),
		RDB: v.String(config.DBFilename), SavedAt: m.saved.taken, Final: m.saved.final, AOFNewer: m.rewrites.ahead,
		AOFFolder: v.String(config.AppendDirname), AOFName: v.String(config.AppendFilename),
	}
	if a := m.aof; a != nil {
		k.AOF = !a.once && a.writer.State() == aof.On
		if a.store.Dir != dir {
			k.AOFDir = a.store.Dir
		}
		k.Stands = m.stands
	}
	return k, dir
}

// lookAgain sees what snapshot lies where the data is kept from now on.
func (m *Manager) lookAgain() {
	path, taken := m.cfg.Path(config.DBFilename), int64(0)
	if info, err := m.env.FS.Stat(path); err == nil && info.Size() > 0 {
		taken = m.createdAt(path, info)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saved.taken, m.saved.final = taken, false
}

func dataDir(v *config.Values) string { return filepath.Dir(v.Path(config.DBFilename)) }

// tell writes a marker, and tells whether it did. That it cannot be written is no reason
// not to serve. Under marking.
func (m *Manager) tell(dir string, k *marker) bool {
	content, err := json.MarshalIndent(k, "", "  ")
	for _, name := range m.markerNames(k.RDB) {
		if err == nil {
			err = env.Replace(m.env.FS, filepath.Join(dir, name), env.Replacement{
				Temp: filepath.Join(dir, tempPrefix+name), Perm: 0o644, Fill: env.Content(append(content, '\n')),
			})
		}
	}
	path := filepath.Join(dir, markerName(k.RDB))
	if err != nil && !m.unsaid {
		m.logf(logger.Warning, "What a restart should know of this run cannot be written to %s: %s. It is tried again.", path, env.Reason(err))
	} else if err == nil && m.unsaid {
		m.logf(logger.Notice, "What a restart should know of this run is written to %s now", path)
	}
	m.unsaid = err != nil
	return err == nil
}

// markerNames are the files of a run's markers: none is another server's. Under marking.
func (m *Manager) markerNames(present string) (names []string) {
	for _, snapshot := range slices.Compact([]string{m.startedAs, present}) {
		if m.claim.speaksOf(snapshot, m.startedAs) {
			names = append(names, markerName(snapshot))
		}
	}
	return names
}

// moved is called at the end of a CONFIG SET by which the snapshot is kept elsewhere. Word of
// it is left in the folder in which the run was started, to which a restart would come;
// in another one, where a backup was made perhaps, no word is left behind. Off the loop.
func (m *Manager) moved(old, _ *config.Values) {
	from := dataDir(old)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ending {
		return
	}
	m.writers.Go(func() {
		m.claimMoved()
		m.lookAgain()
		m.leave(from, old)
		m.leaveWord()
	})
}

// leave sees to the word in a folder that the data has left.
func (m *Manager) leave(from string, old *config.Values) {
	m.marking.Lock()
	defer m.marking.Unlock()
	name := old.String(config.DBFilename)
	now := dataDir(m.cfg.Values())
	if now == m.startedIn {
		m.away = nil // it has come back
	}
	switch {
	case from == now:
	case from == m.startedIn:
		m.away = &away{marker{Version: markerVersion, RunID: m.host.RunID(), At: m.now(), RDB: name, MovedTo: now}, from}
	default:
		for _, name := range m.markerNames(name) {
			_ = m.env.FS.Remove(filepath.Join(from, name)) // it may not be there
		}
	}
}
