package persist

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"dozo/aof"
	"dozo/config"
	"dozo/env"
	"dozo/rdb"
)

// Before anything is loaded, and long before anything is written over, the folder is
// looked at: which data lies there, how old it is, and what the last run has left word
// of (marker.go). Starting from the older one of two data sets, or empty beside one, is
// how data was lost that nobody had deleted; it is refused (choose.go).

// dataFile is a snapshot, or an append only file with all its parts.
type dataFile struct {
	name  string // as people know it
	bytes int64
	// at is when it was last written, as far as it says itself, else as the file system
	// says. Unix seconds.
	at int64
}

func (d *dataFile) String() string {
	return fmt.Sprintf("%s (%d bytes, of %s)", d.name, d.bytes, time.Unix(d.at, 0).UTC().Format(time.RFC3339))
}

// findings are what lies in the folder.
type findings struct {
	rdb, aof *dataFile // where the configuration has them; nil = not there, or empty
	set      *aof.Set
	// others are further files with data in them, by the names that they have in the folder.
	others []dataFile
	marker *marker // nil = no run has left one
}

// place is where the configuration has the append only file.
func (m *Manager) place() aof.Place {
	v := m.cfg.Values()
	return aof.Place{
		FS: m.env.FS, Dir: filepath.Dir(v.Path(config.DBFilename)),
		Folder: v.String(config.AppendDirname), Name: v.String(config.AppendFilename),
	}
}

// survey looks at the folder. Errors are those of the disk, and of a manifest that
// nobody can read.
func (m *Manager) survey() (*findings, error) {
	f, p := &findings{}, m.place()
	path := m.cfg.Path(config.DBFilename)
	info, err := m.env.FS.Stat(path)
	switch {
	case err == nil && info.Size() > 0:
		f.rdb = &dataFile{filepath.Base(path), info.Size(), m.createdAt(path, info)}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the snapshot %s cannot be looked at: %w", path, err)
	}
	if f.set, err = aof.Inspect(p); err != nil {
		return nil, err
	}
	if len(f.set.Parts) > 0 && (!f.set.Empty() || len(f.set.Missing) > 0) {
		f.aof = &dataFile{name: "append only file " + p.Name, bytes: f.set.Size(), at: m.lastWritten(f.set)}
	}
	if f.marker, err = readMarker(p); err != nil {
		return nil, err
	}
	f.others, err = m.otherData(p.Dir, map[string]bool{filepath.Base(path): true, p.Folder: true, p.Name: true})
	return f, err
}

// lastWritten is when the youngest part of an append only file was written.
func (m *Manager) lastWritten(s *aof.Set) (at int64) {
	for _, p := range s.Parts {
		if info, err := m.env.FS.Stat(p.Path); err == nil && info.Size() > 0 {
			at = max(at, info.ModTime().Unix())
		}
	}
	return at
}

// createdAt is when a snapshot was taken: it says so itself, unless it is very old.
func (m *Manager) createdAt(path string, info fs.FileInfo) int64 {
	at := info.ModTime().Unix()
	_ = m.readItems(path, func(it *rdb.Item) bool {
		if it.Kind == rdb.Aux && string(it.Name) == "ctime" {
			var n int64
			if _, err := fmt.Sscan(string(it.Value), &n); err == nil {
				at = n
			}
		}
		return it.Kind == rdb.Aux
	})
	return at
}

// readItems shows what a snapshot begins with, until show returns false.
func (m *Manager) readItems(path string, show func(*rdb.Item) bool) error {
	file, err := m.env.FS.OpenFile(path, env.ReadOnly, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	r := rdb.NewReader(file, rdb.ReaderOptions{})
	for it := (rdb.Item{}); ; {
		if err := r.Next(&it); err != nil {
			return err
		}
		if it.Kind == rdb.End || !show(&it) {
			return nil
		}
	}
}

// hasKeys tells whether a file is a snapshot with keys.
func (m *Manager) hasKeys(path string) (has bool) {
	_ = m.readItems(path, func(it *rdb.Item) bool { has = it.Kind == rdb.Key; return !has })
	return has
}

// otherData finds data that the configuration does not name: snapshots with keys, and
// folders with a manifest.
func (m *Manager) otherData(dir string, known map[string]bool) (list []dataFile, err error) {
	entries, err := m.env.FS.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("the folder of the data cannot be read: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := m.env.FS.Stat(path)
		switch {
		case known[e.Name()] || err != nil || strings.HasPrefix(e.Name(), tempPrefix):
		case info.IsDir():
			if name := m.manifestIn(path); name != "" {
				list = append(list, dataFile{name: filepath.Join(e.Name(), name), at: info.ModTime().Unix()})
			}
		case strings.HasSuffix(e.Name(), ".rdb") && m.hasKeys(path):
			list = append(list, dataFile{e.Name(), info.Size(), m.createdAt(path, info)})
		}
	}
	return list, nil
}

// manifestIn is the name of a manifest in a folder, if it has one that names data.
func (m *Manager) manifestIn(dir string) string {
	entries, err := m.env.FS.ReadDir(dir)
	if err != nil {
		return ""
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".manifest")
		if !ok {
			continue
		}
		s, err := aof.Inspect(aof.Place{FS: m.env.FS, Dir: filepath.Dir(dir), Folder: filepath.Base(dir), Name: name})
		if err == nil && !s.Empty() {
			return e.Name()
		}
	}
	return ""
}
