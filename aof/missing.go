package aof

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// lookEvery is how often it is looked whether the files are still there.
const lookEvery = time.Second

// lookForFiles sees whether somebody has removed the file that is written, or the
// manifest, or what it names. To write goes on to work then, into a file that nobody will
// ever find, or that is not the data without the others, which memory still has; only a
// rewrite makes an append only file again. The system does not tell, so it is asked
// now and then: what was acknowledged in between is in the rewrite's base.
func (w *Writer) lookForFiles() {
	now := w.Clock.Monotonic()
	if w.cur == nil || w.cur.cure == cureRewrite || now-w.lookedAt < lookEvery {
		return
	}
	w.lookedAt = now
	names := []string{ManifestName(w.Store.Name)}
	for _, f := range w.Store.manifest.live() {
		names = append(names, f.Name)
	}
	for _, name := range names {
		if _, err := w.Store.FS.Stat(w.Store.path(name)); errors.Is(err, fs.ErrNotExist) {
			w.failed(w.cur, cureRewrite, fmt.Errorf("the file %s is not in %s any more", name, w.Store.folder()))
			w.Store.remake()
			return
		}
	}
}

// remake makes the folder again if that is gone, too, and locks it. What fails here fails
// for the rewrite, which says so.
func (s *Store) remake() {
	if s.FS.Mkdir(s.folder(), 0o755) == nil {
		_ = s.FS.SyncDir(s.Dir)
	}
	if lock, err := s.FS.Lock(s.path(s.Name + ".lock")); err == nil {
		_ = s.lock.Close() // of a file that is gone; while it is there it is ours, and Lock fails
		s.lock = lock
	}
}
