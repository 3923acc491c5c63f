package aof

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"dozo/env"
)

// LoadOptions says what is done with what the files hold.
type LoadOptions struct {
	// Truncated allows the last file to be torn: it is cut where its last whole
	// command or unit ends (aof-load-truncated).
	Truncated bool
	// Preamble loads a snapshot in RDB format that a file begins with, and tells
	// how many bytes it has, its checksum included.
	Preamble func(file io.Reader, size int64) (consumed int64, err error)
	// Command executes one command, of a unit each in its turn; see Command for
	// how long the arguments last. An error ends the loading.
	Command func(c *Command) error
	// Progress, if not nil, is told now and then how many bytes of all files
	// have been loaded.
	Progress func(bytes int64)
	// Begin and End, if not nil, are told of each file. End has the tail that
	// was cut off, nil if none.
	Begin func(p *Part)
	End   func(p *Part, torn *TornError)
}

// progressStep is how many bytes lie between two calls of Progress.
const progressStep = 1 << 20

// Load reads all files in order. Nothing may have been written to the store
// before. The error is the disk's, the callbacks', *TornError, *FormatError or
// one that names the missing files.
func (s *Store) Load(o LoadOptions) error {
	if len(s.set.Missing) > 0 {
		return fmt.Errorf("the append log file %s doesn't exist: No such file or directory. The AOF manifest %s names it. Put it back, "+
			"or start from a backup; a set without it is not the data",
			strings.Join(s.set.Missing, " "), s.path(ManifestName(s.Name)))
	}
	l := loader{LoadOptions: o, store: s}
	for i := range s.set.Parts {
		if err := l.part(&s.set.Parts[i], lastWithData(s.set.Parts, i)); err != nil {
			return err
		}
	}
	return nil
}

// Read is Load of what lies in a place, for who does not begin to write there.
func Read(p Place, o LoadOptions) error {
	set, err := Inspect(p)
	if err != nil {
		return err
	}
	s := Store{Place: p, set: set, manifest: set.Manifest}
	return s.Load(o)
}

// lastWithData tells whether no file after this one has anything in it. A new
// file is made before the manifest names it and is written to after, so a crash
// in between leaves it empty behind a file with a torn end.
func lastWithData(parts []Part, i int) bool {
	for _, p := range parts[i+1:] {
		if p.Size > 0 {
			return false
		}
	}
	return true
}

type loader struct {
	LoadOptions
	store *Store
	done  int64 // bytes of the files before
	time  int64 // of the latest annotation
}

func (l *loader) part(p *Part, last bool) error {
	if l.Begin != nil {
		l.Begin(p)
	}
	file, err := l.store.FS.OpenFile(p.Path, env.ReadOnly, 0)
	if err != nil {
		return fmt.Errorf("the append only file %s cannot be opened for reading: %w", p.Name, err)
	}
	defer file.Close()
	err = l.read(file, p)
	var torn *TornError
	if errors.As(err, &torn) && last && l.Truncated {
		err = l.cut(p, torn)
	}
	if err == nil && l.End != nil {
		l.End(p, torn)
	}
	if l.done += p.Size; err == nil && l.Progress != nil {
		l.Progress(l.done)
	}
	return err
}

// read loads one file to its end.
func (l *loader) read(file env.File, p *Part) error {
	at, err := l.preamble(file, p)
	if err != nil {
		return err
	}
	r := NewReader(p.Name, file, at, p.Size)
	r.time = l.time
	defer func() { l.time = r.time }()
	for told := at; ; {
		c, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			l.store.annotated = l.store.annotated || c.History != nil
			err = l.Command(&c)
		}
		if err != nil {
			return err
		}
		if c.End-told >= progressStep && l.Progress != nil {
			told = c.End
			l.Progress(l.done + told)
		}
	}
}

func (l *loader) preamble(file env.File, p *Part) (consumed int64, err error) {
	if p.Hollow() {
		return 0, fmt.Errorf("the base of the AOF, %s, has no bytes, not even those of a snapshot without keys: the data that it had is lost. Restore the file from a backup", p.Name)
	}
	rdb, err := BeginsWithRDB(file)
	if err != nil || !rdb {
		return 0, err
	}
	if consumed, err = l.Preamble(file, p.Size); err != nil {
		return 0, fmt.Errorf("error reading the RDB at the start of %s, AOF loading aborted: %w", p.Name, err)
	}
	return consumed, nil
}

// BeginsWithRDB tells whether a file begins with a snapshot in RDB format.
func BeginsWithRDB(file io.ReaderAt) (bool, error) {
	magic := make([]byte, 5)
	if _, err := file.ReadAt(magic, 0); err != nil && err != io.EOF {
		return false, err
	}
	return bytes.Equal(magic, []byte("REDIS")), nil
}

// cut takes the torn end off a file, for good.
func (l *loader) cut(p *Part, torn *TornError) error {
	file, err := l.store.FS.OpenFile(p.Path, env.Append, 0)
	if err == nil {
		if err = file.Truncate(torn.Offset); err == nil {
			err = file.Sync()
		}
		if closing := file.Close(); err == nil {
			err = closing
		}
	}
	if err != nil {
		return fmt.Errorf("%w; it could not be cut off: %w", torn, err)
	}
	p.Size = torn.Offset
	return nil
}
