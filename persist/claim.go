package persist

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"dozo/aof"
	"dozo/config"
	"dozo/env"
	"dozo/logger"
)

// claim is the right to save to a snapshot's name: a lock on a file beside it, which ends
// with the process however that ends. Several servers in one folder are usual, each with
// a `dbfilename` of its own. Two with the same one replace each other's snapshots, and
// after a restart both have the data of one of them: so where saves are configured the
// second does not start. One that saves only when it is told to starts, and the log says
// loudly what will happen then; so does CONFIG SET, which has the data go to another name
// for a backup, perhaps.
//
// LIMITATIONS: a genuine server does not look at the lock. A folder in which no file can
// be made is not locked; nothing can be saved there either.
type claim struct {
	path string
	lock io.Closer // nil = it is not ours
	// taken tells that it is another server's: so is the marker that lies there, which
	// that server goes by. takenAtStart is the same of the name of the start.
	taken, takenAtStart bool
}

// claimSnapshot claims the snapshot's name at the start.
func (m *Manager) claimSnapshot() error {
	err := m.claimNow()
	if !errors.Is(err, env.ErrLocked) {
		return nil
	}
	if v := m.cfg.Values(); len(v.Save()) > 0 && v.Bool(config.StartupDataCheck) {
		return fmt.Errorf("the snapshot %s is in use by another server, and the two would replace each other's data: give this one another dir or dbfilename, "+
			"or turn its saves off (save \"\"). `startup-data-check no` starts all the same: %w", m.claim.path, err)
	}
	m.claim.takenAtStart = true
	m.warnOfOther()
	return nil
}

// speaksOf tells whether a snapshot's marker is this server's to write.
func (c *claim) speaksOf(snapshot, atStart string) bool {
	if snapshot == filepath.Base(c.path) && c.taken {
		return false
	}
	return snapshot != atStart || !c.takenAtStart
}

// claimMoved claims the name that CONFIG SET has given.
func (m *Manager) claimMoved() {
	m.marking.Lock()
	defer m.marking.Unlock()
	if m.claim.path == m.snapshotPath() {
		return
	}
	m.unclaim()
	if errors.Is(m.claimNow(), env.ErrLocked) {
		m.warnOfOther()
	}
}

func (m *Manager) snapshotPath() string { return m.cfg.Path(config.DBFilename) }

// claimNow claims the present name. Under marking, or before anybody else is there.
func (m *Manager) claimNow() (err error) {
	m.claim.path = m.snapshotPath()
	m.claim.lock, err = m.env.FS.Lock(lockOf(m.claim.path))
	m.claim.taken = errors.Is(err, env.ErrLocked)
	return err
}

func lockOf(snapshot string) string { return snapshot + ".lock" }

// inUse tells whether another server has claimed a snapshot, or writes the append only file
// of a manifest: then it is that server's data, and none that a wrong configuration has lost
// sight of. The claim that is tried for
// that could meet the owner's own at its start; so it is tried only where the answer
// decides whether this server starts at all.
func (m *Manager) inUse(path string) bool {
	path = lockOf(strings.TrimSuffix(path, aof.ManifestName("")))
	if _, err := m.env.FS.Stat(path); err != nil {
		return false
	}
	lock, err := m.env.FS.Lock(path)
	if err == nil {
		_ = lock.Close() // nothing was written to it
	}
	return errors.Is(err, env.ErrLocked)
}

// unclaim gives the name back. Under marking, or when nobody else is there any more.
func (m *Manager) unclaim() {
	if m.claim.lock != nil {
		_ = m.claim.lock.Close() // it ends with the process, too
		m.claim.lock = nil
	}
}

func (m *Manager) warnOfOther() {
	m.logf(logger.Warning, "Another server saves to %s, too. Each save replaces the other's data: give one of them another dir or dbfilename.", m.claim.path)
}
