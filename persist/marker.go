package persist

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"dozo/aof"
	"dozo/config"
	"dozo/env"
	"dozo/logger"
)

// markerName is the file in which a run leaves word, for the next one, of how it keeps
// its data.
const markerName = "dozo.run"

// marker is what a run leaves word of. It is written when the run has loaded its data,
// and whenever what it says changes.
type marker struct {
	Version int    `json:"version"`
	RunID   string `json:"run_id"`
	// At is when it was written, Unix seconds.
	At int64 `json:"at"`
	// RDB is the name of the snapshot; AOF tells whether changes go to the append only
	// file, in AOFFolder under AOFName.
	RDB       string `json:"rdb"`
	AOF       bool   `json:"aof"`
	AOFFolder string `json:"aof_folder"`
	AOFName   string `json:"aof_name"`
	// MovedTo is the folder where the data is kept now, if `dir` was changed.
	MovedTo string `json:"moved_to,omitempty"`
}

const markerVersion = 1

// readMarker reads the marker, nil if there is none. One that nobody can read is none:
// it only helps.
func readMarker(p aof.Place) (*marker, error) {
	content, err := p.FS.ReadFile(filepath.Join(p.Dir, markerName))
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

// writeMarker writes it, as one step.
func writeMarker(files env.FS, dir string, k *marker) error {
	content, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, markerName)
	return replaceFile(files, path, append(content, '\n'))
}

// replaceFile writes a small file as one step: after a crash there is the old one or the
// new one.
func replaceFile(files env.FS, path string, content []byte) error {
	temp := filepath.Join(filepath.Dir(path), tempPrefix+filepath.Base(path))
	f, err := files.OpenFile(temp, env.Create, 0o644)
	if err != nil {
		return err
	}
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = files.Rename(temp, path)
	}
	if err != nil {
		_ = files.Remove(temp) // the first error is what counts
		return err
	}
	return files.SyncDir(filepath.Dir(path))
}

// tempPrefix begins the names of files that are being written.
const tempPrefix = "temp-"

// mark leaves word of how this run keeps its data; movedTo is where, if not here.
func (m *Manager) mark(movedTo string) error {
	v := m.cfg.Values()
	return m.markIn(filepath.Dir(v.Path(config.DBFilename)), v, movedTo)
}

func (m *Manager) markIn(dir string, v *config.Values, movedTo string) error {
	return writeMarker(m.env.FS, dir, &marker{
		Version: markerVersion, RunID: m.host.RunID(), At: m.now(), RDB: v.String(config.DBFilename), AOF: v.Bool(config.AppendOnly),
		AOFFolder: v.String(config.AppendDirname), AOFName: v.String(config.AppendFilename), MovedTo: movedTo,
	})
}

// moved is called at the end of a CONFIG SET by which the data is kept elsewhere, or
// otherwise, from now on. Word of it is left in both folders, off the loop: of what holds
// when it is written, since these goroutines may overtake each other.
func (m *Manager) moved(old, _ *config.Values) {
	from := filepath.Dir(old.Path(config.DBFilename))
	m.writers.Go(func() {
		m.marking.Lock()
		defer m.marking.Unlock()
		v := m.cfg.Values()
		to := filepath.Dir(v.Path(config.DBFilename))
		err := m.markIn(to, v, "")
		if err == nil && from != to {
			err = m.markIn(from, old, to)
		}
		if err != nil {
			m.logf(logger.Warning, "What a restart should know of CONFIG SET cannot be written to %s: %v", markerName, err)
		}
	})
}
