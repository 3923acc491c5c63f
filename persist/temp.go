package persist

import (
	"fmt"
	"path/filepath"
	"strings"

	"dozo/logger"
)

// A save that is killed leaves its file behind, which may be as large as the data. Its
// name says which run it was of; the next start, which knows from the marker which run was
// the last one, removes it. Process numbers would not do: in containers all are the same,
// also those of two that share a folder.

// runDigits is how much of the run's number is in the name.
const runDigits = 8

// tempName is a name for a file that is being written. No two runs have the same.
func (m *Manager) tempName() string {
	m.files++
	return fmt.Sprintf(tempPrefix+"%d-%.*s-%d.rdb", m.pid, runDigits, m.host.RunID(), m.files)
}

// RescueTemp is the name of a rescue file that is being written. There is one at a time.
func (m *Manager) RescueTemp() string { return rescueTemp(m.host.RunID()) }

func rescueTemp(run string) string {
	return fmt.Sprintf(tempPrefix+"rescue-%.*s.aof", runDigits, run)
}

// ofRun tells whether a file was being written by a run.
func ofRun(name, run string) bool {
	if len(run) > runDigits && name == rescueTemp(run) {
		return true
	}
	parts := strings.Split(strings.TrimPrefix(name, tempPrefix), "-")
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, ".rdb") &&
		len(parts) == 3 && len(run) > runDigits && parts[1] == run[:runDigits]
}

// sweep removes what the last run's saves have left. Nothing follows if it cannot.
func (m *Manager) sweep() {
	dir := m.place().Dir
	entries, err := m.env.FS.ReadDir(dir)
	if err != nil || m.lastRun == "" {
		return
	}
	for _, e := range entries {
		if !ofRun(e.Name(), m.lastRun) {
			continue
		}
		if err := m.env.FS.Remove(filepath.Join(dir, e.Name())); err == nil {
			m.logf(logger.Notice, "Removed %s, which the last run has left half written", e.Name())
		}
	}
}
