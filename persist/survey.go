package persist

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dozo/aof"
	"dozo/config"
	"dozo/env"
	"dozo/rdb"
	"dozo/rescue"
)

// Before anything is loaded, and long before anything is written over, the folder is
// looked at: which data lies there, how old it is, and what the last run has left word
// of (marker.go). Starting from the older one of two data sets, or empty beside one, is
// how data was lost that nobody had deleted; it is refused (choose.go).

// dataFile is a snapshot, or an append only file with all its parts.
type dataFile struct {
	name  string // as people know it
	bytes int64
	empty bool // an append only file in which there is no key, and was none
	// at is when it was last written, as far as it says itself, else as the file system
	// says. Unix seconds.
	at int64
	// keys says how many keys it has, which takes as long as to read it; nil = that is not
	// known.
	keys func() string
}

// String is what a refusal says of it.
func (d *dataFile) String() string {
	if d.keys == nil {
		return d.brief()
	}
	return fmt.Sprintf("%s (%s, %d bytes, of %s)", d.name, d.keys(), d.bytes, d.time())
}

// brief is String for a start that goes on: nothing is read for it.
func (d *dataFile) brief() string {
	return fmt.Sprintf("%s (%d bytes, of %s)", d.name, d.bytes, d.time())
}

func (d *dataFile) time() string { return time.Unix(d.at, 0).UTC().Format(time.RFC3339) }

// findings are what lies in the folder.
type findings struct {
	rdb, aof *dataFile // where the configuration has them; nil = not there
	set      *aof.Set
	// others are further files with data in them, by the names that they have in the folder.
	others []dataFile
	marker *marker // nil = no run has left one
	// orphans are files of the append only file with data in them, if no manifest is there.
	orphans []string
	// former is the append only file of the last run, if that is not where the
	// configuration has one.
	former *dataFile
	now    int64
}

// place is where the configuration has the append only file.
func (m *Manager) place() aof.Place { return m.placeOf(m.cfg.Values()) }

func (m *Manager) placeOf(v *config.Values) aof.Place {
	return aof.Place{
		FS: m.env.FS, Dir: filepath.Dir(v.Path(config.DBFilename)),
		Folder: v.String(config.AppendDirname), Name: v.String(config.AppendFilename),
	}
}

// survey looks at the folder. Errors are those of the disk, and of a manifest that
// nobody can read.
func (m *Manager) survey() (*findings, error) {
	f, p := &findings{now: m.now()}, m.place()
	path := m.cfg.Path(config.DBFilename)
	info, err := m.env.FS.Stat(path)
	switch {
	case err == nil:
		f.rdb = m.snapshotAt(path, info)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the snapshot %s cannot be looked at: %w", path, err)
	}
	if f.aof, f.set, err = m.inspect(p); err != nil {
		return nil, err
	}
	if f.aof == nil {
		f.orphans = m.orphansOf(f.set, p)
	}
	if f.marker, err = readMarker(m.env.FS, p.Dir, filepath.Base(path)); err != nil {
		return nil, err
	}
	if m.claim.taken { // it is the word of a server that runs, not of the last run
		f.marker = nil
	}
	if m.stayedHere(f.marker, p) {
		f.marker = &marker{Version: markerVersion, RunID: f.marker.RunID, At: f.marker.At, AOF: true, AOFFolder: p.Folder, AOFName: p.Name}
	}
	f.former = m.formerAOF(f.marker, p)
	if f.others, err = m.otherData(p, filepath.Base(path)); f.rdb == nil && f.aof == nil {
		f.others = slices.DeleteFunc(f.others, func(d dataFile) bool { return m.inUse(filepath.Join(p.Dir, d.name)) })
	}
	return f, err
}

// inspect looks at an append only file; nil = there is none.
func (m *Manager) inspect(p aof.Place) (*dataFile, *aof.Set, error) {
	set, err := aof.Inspect(p)
	if err != nil || len(set.Parts) == 0 || set.Empty() && len(set.Missing) == 0 {
		return nil, set, err
	}
	return &dataFile{
		name: "append only file " + p.Name, bytes: set.Size(), at: m.lastWritten(set), empty: m.isEmpty(set),
		keys: func() string { return m.countBase(set) },
	}, set, nil
}

func (m *Manager) snapshotAt(path string, info fs.FileInfo) *dataFile {
	return &dataFile{
		name: filepath.Base(path), bytes: info.Size(), at: m.createdAt(path, info),
		keys: func() string { return m.countKeys(path) },
	}
}

// countMax is how many keys are counted: that takes some seconds.
const countMax = 10_000_000

// countKeys says how many keys a snapshot has.
func (m *Manager) countKeys(path string) string {
	n := 0
	err := m.readItems(path, func(it *rdb.Item) bool {
		if it.Kind == rdb.Key {
			n++
		}
		return n <= countMax
	})
	switch {
	case err != nil:
		return fmt.Sprintf("damaged, %d keys up to there", n)
	case n > countMax:
		return fmt.Sprintf("more than %d keys", countMax)
	}
	return fmt.Sprintf("%d keys", n)
}

// countBase says how many keys there are in the base of an append only file, and how much
// comes behind it, of which only a load could tell.
func (m *Manager) countBase(s *aof.Set) string {
	base := "no base"
	if b := s.Manifest.Base; b != nil && len(s.Parts) > 0 && s.Parts[0].Size > 0 {
		if base = "commands"; strings.HasSuffix(b.Name, ".rdb") {
			base = m.countKeys(s.Parts[0].Path)
		}
	}
	return fmt.Sprintf("%s in its base and %d bytes of commands behind it", base, s.Size()-s.BaseSize())
}

// isEmpty tells whether there is nothing but a base without keys.
func (m *Manager) isEmpty(s *aof.Set) bool {
	if len(s.Missing) > 0 || s.BaseSize() != s.Size() {
		return false
	}
	has, err := m.hasKeys(s.Parts[0].Path)
	return !has && err == nil
}

// stayedHere tells whether a run that has left by CONFIG SET dir has kept its data in the
// append only file here to its end: that stays in its place, as long as it is not turned off
// and on again. The word in the other folder says so. Without this, no folder would do.
func (m *Manager) stayedHere(k *marker, here aof.Place) bool {
	if k == nil || k.MovedTo == "" {
		return false
	}
	there, err := readMarker(m.env.FS, k.MovedTo, k.RDB)
	return err == nil && there != nil && there.RunID == k.RunID && there.AOF &&
		there.AOFDir == here.Dir && there.AOFFolder == here.Folder && there.AOFName == here.Name
}

// formerAOF is the append only file of which a marker tells, if that is elsewhere.
func (m *Manager) formerAOF(k *marker, here aof.Place) *dataFile {
	if k == nil || !k.AOF {
		return nil
	}
	p := aof.Place{FS: here.FS, Dir: here.Dir, Folder: k.AOFFolder, Name: k.AOFName}
	if k.AOFDir != "" {
		p.Dir = k.AOFDir
	}
	if p == here {
		return nil
	}
	d, _, err := m.inspect(p)
	if err != nil || d == nil || d.empty {
		return nil
	}
	d.name = filepath.Join(p.Dir, p.Folder, p.Name)
	return d
}

// lastWritten is when the youngest part of an append only file was written.
func (m *Manager) lastWritten(s *aof.Set) (at int64) {
	for _, p := range s.Parts {
		if info, err := m.env.FS.Stat(p.Path); err == nil && (info.Size() > 0 || p.Hollow()) {
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

// hasKeys tells whether a file is a snapshot with keys. The error says that it is no
// snapshot, or a damaged one.
func (m *Manager) hasKeys(path string) (has bool, err error) {
	err = m.readItems(path, func(it *rdb.Item) bool {
		has = has || it.Kind == rdb.Key || it.Kind == rdb.Function
		return !has
	})
	return has, err
}

// orphansOf are the files of an append only file that have data in them and that no
// manifest names.
func (m *Manager) orphansOf(s *aof.Set, p aof.Place) (list []string) {
	for _, name := range s.Extra {
		path := filepath.Join(p.Dir, p.Folder, name)
		info, err := m.env.FS.Stat(path)
		has := err == nil && info.Size() > 0
		if has && strings.HasSuffix(name, ".rdb") {
			has, _ = m.hasKeys(path)
		}
		if has {
			list = append(list, name)
		}
	}
	return list
}

// otherData finds data that the configuration does not name: snapshots with keys, append
// only files of old versions, and folders with a manifest.
func (m *Manager) otherData(p aof.Place, dbfilename string) (list []dataFile, err error) {
	entries, err := m.env.FS.ReadDir(p.Dir)
	if err != nil {
		return nil, fmt.Errorf("the folder of the data cannot be read: %w", err)
	}
	for _, e := range entries {
		path, name := filepath.Join(p.Dir, e.Name()), e.Name()
		info, err := m.env.FS.Stat(path)
		switch {
		case name == dbfilename || name == p.Name || err != nil || strings.HasPrefix(name, tempPrefix):
		case info.IsDir():
			if set := m.setIn(p, name); set != nil {
				list = append(list, *set)
			}
		case rescue.Is(name): // what no primary has, not the data of this server
		case strings.HasSuffix(name, ".aof") && info.Size() > 0:
			list = append(list, dataFile{name: name, bytes: info.Size(), at: info.ModTime().Unix()})
		case m.isSnapshot(path):
			list = append(list, *m.snapshotAt(path, info))
		}
	}
	return list, nil
}

// isSnapshot tells whether a file looks like a snapshot by its name, and has data in it.
func (m *Manager) isSnapshot(path string) bool {
	has := false
	if strings.HasSuffix(path, ".rdb") {
		has, _ = m.hasKeys(path) // one that nobody can read helps nobody
	}
	return has
}

// setIn is the append only file in a folder, if that has a manifest which names data, and
// is not the one of the configuration.
func (m *Manager) setIn(here aof.Place, folder string) *dataFile {
	entries, err := m.env.FS.ReadDir(filepath.Join(here.Dir, folder))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".manifest")
		p := aof.Place{FS: here.FS, Dir: here.Dir, Folder: folder, Name: name}
		if !ok || p == here || strings.HasPrefix(name, tempPrefix) {
			continue
		}
		if d, _, err := m.inspect(p); err == nil && d != nil && !d.empty {
			d.name = filepath.Join(folder, e.Name())
			return d
		}
	}
	return nil
}
