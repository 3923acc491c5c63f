package aof

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"dozo/env"
)

// Place says where the files are: the directives dir, appenddirname and
// appendfilename.
type Place struct {
	FS     env.FS
	Dir    string
	Folder string
	Name   string
}

func (p Place) folder() string          { return filepath.Join(p.Dir, p.Folder) }
func (p Place) path(name string) string { return filepath.Join(p.Dir, p.Folder, name) }

// old is where a version before 7 had its only file.
func (p Place) old() string { return filepath.Join(p.Dir, p.Name) }

// Part is one file of the set.
type Part struct {
	FileInfo
	Path string
	Size int64
}

// Set is what lies on the disk. To look changes nothing.
type Set struct {
	// Manifest is what the files say; with Upgrade, what they will say. It is
	// empty if there is no AOF.
	Manifest *Manifest
	// Parts are the files to load, in order; those that are missing have Size -1.
	Parts []Part
	// Missing are the files that the manifest names and the folder lacks.
	Missing []string
	// Extra are the files of this name in the folder that the manifest does not
	// know: left by a crash, or by a manifest that was put back.
	Extra []string
	// Upgrade says that the only part is a file in the old place, which
	// Store.Upgrade moves.
	Upgrade bool
}

// Hollow tells whether a part has no bytes though nobody has ever written one like that: a
// snapshot has some without keys, too. What it had is lost.
func (p *Part) Hollow() bool {
	return p.Size == 0 && p.Type == Base && strings.HasSuffix(p.Name, ".base.rdb")
}

// Empty says that there is nothing to load: no AOF at all, or one without a byte that
// has lost none.
func (s *Set) Empty() bool {
	return s.Size() == 0 && !slices.ContainsFunc(s.Parts, func(p Part) bool { return p.Hollow() })
}

// Size is the bytes of all parts.
func (s *Set) Size() int64 {
	var n int64
	for _, p := range s.Parts {
		n += max(0, p.Size)
	}
	return n
}

// BaseSize is the bytes of the base.
func (s *Set) BaseSize() int64 {
	if s.Manifest.Base == nil || len(s.Parts) == 0 {
		return 0
	}
	return max(0, s.Parts[0].Size)
}

// Inspect tells what there is. Errors are those of the disk and *ManifestError;
// missing files are reported in the Set.
func Inspect(p Place) (*Set, error) {
	s := &Set{Manifest: &Manifest{}}
	content, err := p.FS.ReadFile(p.path(ManifestName(p.Name)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("the AOF manifest cannot be read: %w", err)
	default:
		if s.Manifest, err = ParseManifest(content); err != nil {
			return nil, fmt.Errorf("%s: %w", p.path(ManifestName(p.Name)), err)
		}
	}
	if err := s.findUpgrade(p); err != nil {
		return nil, err
	}
	if err := s.measure(p); err != nil {
		return nil, err
	}
	return s, s.findExtra(p)
}

// findUpgrade sees whether the data set is a single file in the old place: there
// is such a file, and no manifest, or one that was written for this very file by
// an upgrade that did not get to move it.
func (s *Set) findUpgrade(p Place) error {
	old, err := p.FS.Stat(p.old())
	if errors.Is(err, fs.ErrNotExist) || err == nil && !old.Mode().IsRegular() {
		return nil
	}
	if err != nil {
		return err
	}
	m := s.Manifest
	fresh := m.Base == nil && len(m.Incr) == 0
	begun := m.Base != nil && len(m.Incr) == 0 && m.Base.Name == p.Name
	if begun {
		_, err := p.FS.Stat(p.path(p.Name))
		begun = errors.Is(err, fs.ErrNotExist)
	}
	if s.Upgrade = fresh || begun; s.Upgrade {
		m.Base, m.baseSeq = &FileInfo{Name: p.Name, Seq: 1, Type: Base}, 1
	}
	return nil
}

// measure lists the parts with their sizes.
func (s *Set) measure(p Place) error {
	for _, f := range s.Manifest.live() {
		part := Part{FileInfo: f, Path: p.path(f.Name), Size: -1}
		if s.Upgrade {
			part.Path = p.old()
		}
		info, err := p.FS.Stat(part.Path)
		switch {
		case err == nil:
			part.Size = info.Size()
		case errors.Is(err, fs.ErrNotExist):
			s.Missing = append(s.Missing, f.Name)
		default:
			return fmt.Errorf("the length of the AOF file %s cannot be had: %w", f.Name, err)
		}
		s.Parts = append(s.Parts, part)
	}
	return nil
}

func (s *Set) findExtra(p Place) error {
	list, err := p.FS.ReadDir(p.folder())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	known := s.Manifest.names()
	for _, e := range list {
		if p.isPart(e.Name()) && !known[e.Name()] {
			s.Extra = append(s.Extra, e.Name())
		}
	}
	return err
}

// isPart tells whether a name is one that base and incr files have.
func (p Place) isPart(name string) bool {
	rest, ok := strings.CutPrefix(name, p.Name+".")
	if !ok {
		return false
	}
	number, kind, _ := strings.Cut(rest, ".")
	return strings.Trim(number, "0123456789") == "" && slices.Contains([]string{"base.rdb", "base.aof", "incr.aof"}, kind)
}

// Store is the folder of an AOF, locked for this process. Its methods are for one
// goroutine at a time.
type Store struct {
	Place
	set      *Set
	manifest *Manifest
	lock     io.Closer
	// unsettled is true after replacing the manifest failed half way: the one on
	// disk is this one or the other. doubtful are the files that only the other
	// names; they must stay until this one has been written again.
	unsettled bool
	doubtful  []string
	annotated bool // what was loaded says which history it is of
}

// Open locks the folder, which is made if it is not there, and looks at what it
// holds. The error wraps env.ErrLocked if another server uses it.
func Open(p Place) (*Store, error) {
	if err := p.FS.Mkdir(p.folder(), 0o755); err == nil {
		err = p.FS.SyncDir(p.Dir)
		if err != nil {
			return nil, fmt.Errorf("the folder of the AOF, %s, was made but may not survive a crash: %w", p.folder(), err)
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("the folder of the AOF, %s, can neither be opened nor made: %w", p.folder(), err)
	}
	lock, err := p.FS.Lock(p.path(p.Name + ".lock"))
	if errors.Is(err, env.ErrLocked) {
		return nil, fmt.Errorf("the AOF in %s is in use by another server: give this one another dir, appenddirname or appendfilename: %w", p.folder(), err)
	}
	if err != nil {
		return nil, err
	}
	s := &Store{Place: p, lock: lock}
	if s.set, err = Inspect(p); err != nil {
		_ = lock.Close()
		return nil, err
	}
	s.manifest = s.set.Manifest
	return s, nil
}

// Close gives the lock back.
func (s *Store) Close() error { return s.lock.Close() }

// Set is what Open found.
func (s *Store) Set() *Set { return s.set }

// Upgrade moves an old single file into the folder, under a manifest with it as
// base. If it fails, or the machine does, the next start takes up where it ended.
func (s *Store) Upgrade() error {
	if !s.set.Upgrade {
		return nil
	}
	if err := s.persist(s.manifest); err != nil {
		return err
	}
	to := s.path(s.Name)
	if err := s.FS.Rename(s.old(), to); err != nil {
		return fmt.Errorf("the old AOF file %s cannot be moved into %s: %w", s.Name, s.Folder, err)
	}
	if err := s.FS.SyncDir(s.folder()); err != nil {
		return err
	}
	if err := s.FS.SyncDir(s.Dir); err != nil {
		return err
	}
	s.set.Upgrade = false
	s.set.Parts[0].Path = to
	return nil
}

// Tidy removes what is of no use any more: history files, what was under way when
// a process ended, and extra files without a byte. Errors do not matter: the next
// time will do. keepHistory leaves history files for who copies them.
func (s *Store) Tidy(keepHistory bool) (removed []string) {
	list, err := s.FS.ReadDir(s.folder())
	if err != nil {
		return nil
	}
	for _, e := range list {
		useless := strings.HasPrefix(e.Name(), tempPrefix+s.Name)
		if info, err := e.Info(); err == nil && info.Size() == 0 && slices.Contains(s.set.Extra, e.Name()) {
			useless = true
		}
		if useless && s.FS.Remove(s.path(e.Name())) == nil {
			removed = append(removed, e.Name())
		}
	}
	if keepHistory {
		return removed
	}
	for _, f := range s.manifest.History {
		if s.FS.Remove(s.path(f.Name)) == nil {
			removed = append(removed, f.Name)
		}
	}
	_ = s.forgetHistory(s.manifest.History)
	return removed
}

// forgetHistory takes history files, which are gone, off the manifest.
func (s *Store) forgetHistory(gone []FileInfo) error {
	m := s.manifest.clone()
	m.History = slices.DeleteFunc(m.History, func(f FileInfo) bool { return slices.Contains(gone, f) })
	if len(m.History) == len(s.manifest.History) {
		return nil
	}
	return s.persist(m)
}

// taken is for names that must not be used: a file that the manifest does not
// know may still be somebody's data.
func (s *Store) taken(name string) bool {
	_, err := s.FS.Stat(s.path(name))
	return err == nil
}

// errDoubtful is wrapped by persist when the manifest may have been replaced.
var errDoubtful = errors.New("it is not known whether the new AOF manifest survives a crash")

// persist replaces the manifest as one step: after a crash there is the old one
// or the new one. All files that it names must be durable under their names.
func (s *Store) persist(m *Manifest) error {
	name := ManifestName(s.Name)
	err := env.Replace(s.FS, s.path(name), env.Replacement{Temp: s.path(tempPrefix + name), Perm: 0o644, Fill: env.Content(m.AppendText(nil))})
	if unsettled := (*env.UnsettledError)(nil); errors.As(err, &unsettled) {
		s.unsettled = true
		return fmt.Errorf("%w: %w", errDoubtful, err)
	}
	if err != nil {
		return fmt.Errorf("the AOF manifest %s cannot be replaced: %w", name, err)
	}
	s.manifest = m
	s.settle()
	return nil
}

// settle removes the files that were doubtful, now that the manifest is certain.
func (s *Store) settle() {
	known := s.manifest.names()
	for _, name := range s.doubtful {
		if !known[name] {
			_ = s.FS.Remove(s.path(name))
		}
	}
	s.unsettled, s.doubtful = false, nil
}

// discard removes a file that was made for a manifest which was not persisted.
func (s *Store) discard(name string, why error) {
	if errors.Is(why, errDoubtful) {
		s.doubtful = append(s.doubtful, name)
		return
	}
	_ = s.FS.Remove(s.path(name))
}

// sizeWithout is the bytes of all files to load but one.
func (s *Store) sizeWithout(name string) int64 {
	var n int64
	for _, f := range s.manifest.live() {
		if info, err := s.FS.Stat(s.path(f.Name)); err == nil && f.Name != name {
			n += info.Size()
		}
	}
	return n
}
