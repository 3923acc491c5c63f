package env

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Replacement is how a file gets new content.
type Replacement struct {
	// Temp is where the content is written first: in the folder of the file. What lies
	// there is of no use to anybody.
	Temp string
	Perm fs.FileMode // of the new file, as the umask allows
	// Fill writes the content.
	Fill func(f File) error
	// Ready, if not nil, is called when the content is durable and the name still the
	// old file's.
	Ready func() error
}

// UnsettledError is the error of a Replace that came as far as the new file having its
// name, which a power failure may take back.
type UnsettledError struct{ Cause error }

func (e *UnsettledError) Error() string {
	return fmt.Sprintf("it is not known whether the new file keeps its name in a power failure: %v", e.Cause)
}

// Unwrap is the cause.
func (e *UnsettledError) Unwrap() error { return e.Cause }

// Replace gives a file new content as one step: who opens it, also after a power failure,
// finds the old content or the new. After an error that is no *UnsettledError the old file
// is there as it was, and no temporary one.
func Replace(files FS, path string, r Replacement) error {
	// One left by a crash may have other rights, or be a link to somewhere.
	if err := files.Remove(r.Temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := r.write(files)
	if err == nil && r.Ready != nil {
		err = r.Ready()
	}
	if err == nil {
		err = files.Rename(r.Temp, path)
	}
	if err != nil {
		_ = files.Remove(r.Temp) // it may not be there; the first error is what counts
		return err
	}
	if err := files.SyncDir(filepath.Dir(path)); err != nil {
		return &UnsettledError{err}
	}
	return nil
}

// write makes the temporary file, durably but for its name.
func (r *Replacement) write(files FS) error {
	f, err := files.OpenFile(r.Temp, CreateNew, r.Perm)
	if err != nil {
		return err
	}
	if err = r.Fill(f); err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}

// Content is Fill for what is in memory.
func Content(p []byte) func(f File) error {
	return func(f File) error {
		_, err := f.Write(p)
		return err
	}
}
