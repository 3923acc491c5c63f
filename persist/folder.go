package persist

import (
	"sync"

	"dozo/aof"
	"dozo/command"
	"dozo/config"
	"dozo/keyspace"
	"dozo/logger"
)

// The folder of the append only file is made, synced, locked and looked through before
// anything is written to it. A disk may take long for that, so no loop does it: a CONFIG
// SET has it done before its values are running (prepare); who cannot wait, or tries again,
// goes on when it was done (openSoon). What was opened lies in folder.opened until somebody
// takes it, alone.

// folder is the folder of the append only file to come.
type folder struct {
	// working is held by who opens and closes it, off the loops; taken before mu.
	working sync.Mutex

	// The rest is under mu.
	opened  *aof.Store // nil = it is not
	dropped []*aof.Store
	opening bool // by openSoon
	asked   []func(error)
}

// prepare opens the folder for a CONFIG SET that turns the append only file on. It waits
// for the disk.
func (m *Manager) prepare(_, next *config.Values) error {
	if !next.Bool(config.AppendOnly) {
		return nil
	}
	if err := m.openFolder(next); err != nil {
		m.logf(logger.Warning, "The append only file cannot be turned on: %v", err)
		return command.ReplyError("Unable to turn on AOF. Check server logs.")
	}
	return nil
}

// openFolder opens the folder that the values name, unless it is in use. It waits for the
// disk.
func (m *Manager) openFolder(v *config.Values) error {
	m.folder.working.Lock()
	defer m.folder.working.Unlock()
	m.closeDropped()
	m.mu.Lock()
	needed := m.aof == nil && m.closing == nil && (m.folder.opened == nil || m.folder.opened.Place != m.placeOf(v))
	m.dropUnless(!needed)
	m.mu.Unlock()
	if !needed {
		return nil
	}
	m.closeDropped()
	store, err := aof.Open(m.placeOf(v))
	if err != nil {
		return err
	}
	store.Tidy(v.Bool(config.AOFDisableAutoGC))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.folder.opened = store
	return nil
}

// dropUnless lets go of what was opened. Under mu.
func (m *Manager) dropUnless(keep bool) {
	if s := m.folder.opened; s != nil && !keep {
		m.folder.opened, m.folder.dropped = nil, append(m.folder.dropped, s)
	}
}

// closeDropped gives the locks back of what nobody has taken. Under folder.working.
func (m *Manager) closeDropped() {
	m.mu.Lock()
	list := m.folder.dropped
	m.folder.dropped = nil
	m.mu.Unlock()
	for _, s := range list {
		_ = s.Close() // the lock ends with the process, too
	}
}

// dropOpened lets go of what was opened and is not wanted. Only alone, under mu.
func (m *Manager) dropOpened() {
	m.dropUnless(m.rewrites.scheduled || m.rewrites.missing || len(m.folder.asked) > 0)
	if len(m.folder.dropped) > 0 && !m.ending {
		m.writers.Go(func() {
			m.folder.working.Lock()
			defer m.folder.working.Unlock()
			m.closeDropped()
		})
	}
}

// isOpened tells whether the folder is opened that the configuration names. Only alone,
// under mu.
func (m *Manager) isOpened() bool {
	return m.folder.opened != nil && m.folder.opened.Place == m.place()
}

// takeOpened is the folder, if isOpened says that it is. Only alone, under mu.
func (m *Manager) takeOpened() *aof.Store {
	s := m.folder.opened
	m.folder.opened = nil
	return s
}

// openSoon has the folder opened, and what waits for it go on then. Only alone, under mu.
func (m *Manager) openSoon() {
	if m.folder.opening || m.ending {
		return
	}
	m.folder.opening = true
	v := m.cfg.Values()
	m.writers.Go(func() {
		err := m.openFolder(v)
		m.host.Alone(func(view *keyspace.View) { m.openedSoon(view, err) })
	})
}

// openedSoon goes on with what has waited for the folder. Only alone.
func (m *Manager) openedSoon(v *keyspace.View, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, r := &m.folder, &m.rewrites
	f.opening = false
	if err != nil {
		m.notOpened(err)
		return
	}
	asked := f.asked
	f.asked = nil
	m.considerTurningOn(v)
	for _, tell := range asked {
		switch {
		case m.aof != nil || m.closing != nil || m.quiet:
			tell(errRewriting)
		case len(m.jobs) > 0 || !m.isOpened():
			r.scheduled = true
			tell(nil)
		default:
			tell(m.noteRewriteOnce(m.rewriteOnce(v)))
		}
	}
	if m.aof == nil && len(m.jobs) == 0 && !m.quiet && !m.ending && !m.scheduled { // else both begin in Tick
		m.considerOnce(v)
	}
	m.dropOpened()
}

// notOpened tells who has waited that the folder cannot be opened. Under mu.
func (m *Manager) notOpened(err error) {
	f, r := &m.folder, &m.rewrites
	if r.missing {
		r.turnOnAt = m.env.Clock.Monotonic() + retryAfter
		m.logf(logger.Warning, "The append only file cannot be turned on: %v. It is tried again.", err)
	}
	if m.aof == nil && !m.cfg.Bool(config.AppendOnly) && (r.scheduled || len(f.asked) > 0) {
		r.scheduled = false
		_ = m.noteRewriteOnce(err)
	}
	for _, tell := range f.asked {
		tell(errRewriteFails)
	}
	f.asked = nil
}

// noteRewriteOnce makes a reply of an error.
func (m *Manager) noteRewriteOnce(err error) error {
	if err != nil {
		m.logf(logger.Warning, "The AOF cannot be rewritten: %v", err)
		return errRewriteFails
	}
	return nil
}

// closeFolder gives back what was opened, at the end.
func (m *Manager) closeFolder() {
	m.folder.working.Lock()
	defer m.folder.working.Unlock()
	m.mu.Lock()
	m.dropUnless(false)
	m.mu.Unlock()
	m.closeDropped()
}
