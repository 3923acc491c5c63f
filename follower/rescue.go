package follower

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"dozo/config"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/oplog"
	"dozo/replication"
	"dozo/rescue"
	"dozo/server"
)

// The losing tail.
//
// A primary that was demoted while it went on writing, or a replica that was ahead of the one
// that was promoted, has writes that the new primary never saw, and a full resync drops them.
// So before the primary's snapshot is even read, it is found out where the new primary's
// history left ours (replication.ForkFrom; the primary is asked for INFO on a connection of
// its own), and what the log has behind that goes to a rescue file. This is done by the
// session's goroutine from a reader of the log: no loop waits for it.
//
// If nobody knows where the fork is, everything that the log still has is kept: the new
// primary may have some of it. If the log no longer reaches back to the fork, what is left is
// kept, and the log and INFO (dozo_rescue_incomplete) say so.
//
// A file that cannot be written has the data stay (repl-rescue yes): the connection is given
// up, and before each next one the same file is tried again, so that the primary does not make
// a snapshot for nothing every time. best-effort complains and goes on.
//
// What is in a file already is not written again: a resync is tried more than once, and the
// process may end between the file and the resync.

// lookEvery is how often the folder is looked at, since operators move files away.
const lookEvery = 10 * time.Second

// errWritten ends a resync that would drop what came behind the file.
var errWritten = errors.New("something was written here while the primary's snapshot was loaded")

// rescuer writes the files of one server.
type rescuer struct {
	m      *Manager
	log    *oplog.Log
	busy   chan struct{} // who has put something in writes
	looks  chan struct{} // the folder shall be looked at
	looked atomic.Int64

	pending *loss // a file that could not be written; under busy

	mu     sync.Mutex
	status server.RescueStatus
	warned replication.Position // what was told about already
}

// loss is what a full resync would drop.
type loss struct {
	generation int
	at         replication.Position // where the history ends here
	name       string               // of the history, which a restart does not change
	fork       uint64
	known      bool
	keys       int
	primary    string
	offered    replication.Position
}

func (r *rescuer) init(m *Manager, o Options) {
	r.m, r.log = m, o.Log
	r.busy, r.looks = make(chan struct{}, 1), make(chan struct{}, 1)
	r.looks <- struct{}{}
}

// Rescues implements server.Following.
func (m *Manager) Rescues() server.RescueStatus {
	m.rescues.mu.Lock()
	defer m.rescues.mu.Unlock()
	return m.rescues.status
}

// tick has the folder looked at now and then.
func (r *rescuer) tick() {
	now := int64(r.m.env.Clock.Monotonic())
	if was := r.looked.Load(); now-was < int64(lookEvery) {
		return
	}
	r.looked.Store(now)
	select {
	case r.looks <- struct{}{}:
	default: // the disk hangs
	}
}

// watch looks at the folder.
func (r *rescuer) watch() {
	for {
		select {
		case <-r.m.ctx.Done():
			return
		case <-r.looks:
			_, _ = r.look() // who writes there finds out what is wrong with the folder
		}
	}
}

func (r *rescuer) dir() string { return filepath.Dir(r.m.cfg.Values().Path(config.DBFilename)) }

// look counts the files of the folder.
func (r *rescuer) look() ([]rescue.File, error) {
	list, _, err := rescue.List(r.m.env.FS, r.dir())
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	st := &r.status
	st.Files, st.Bytes, st.LastName, st.LastTime = len(list), 0, "", 0
	for _, f := range list {
		st.Bytes += f.Size
		st.LastName, st.LastTime = f.Name, f.Time.Unix()
	}
	return list, nil
}

// acquire has nobody else write a file.
func (r *rescuer) acquire(ctx context.Context) error {
	select {
	case r.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errSuperseded
	}
}

func (r *rescuer) release() { <-r.busy }

// rescue keeps what the resync that begins now would drop.
func (s *session) rescue(r *replication.Receive) error {
	l, lineage, err := s.loss(r)
	if err != nil {
		return err
	}
	s.rescued = l.at
	if l.keys == 0 && s.m.rescues.log.First() >= l.at.Offset { // nothing was written that could be told
		return nil
	}
	if s.m.cfg.Values().Int(config.ReplRescue) == config.RescueNo || r.At.ID == l.at.ID && r.At.Offset >= l.at.Offset {
		return nil
	}
	info, err := s.info()
	if err != nil {
		s.m.logger.Logf(logger.Warning, "The primary does not say where its history left ours (INFO: %v): what is kept in a rescue file may be more than it lacks.", err)
	}
	if l.fork, l.known = replication.ForkFrom(lineage, l.at.Offset, r.At, info); l.known && l.fork >= l.at.Offset {
		return nil
	}
	if err := s.m.rescues.acquire(s.ctx); err != nil {
		return err
	}
	defer s.m.rescues.release()
	return s.keep(l)
}

// loss looks at where this server stands.
func (s *session) loss(r *replication.Receive) (l *loss, lineage replication.Lineage, err error) {
	l = &loss{generation: s.generation, primary: s.conn.RemoteAddr().String(), offered: r.At}
	if !s.m.host.AloneWait(func(v *keyspace.View) {
		if s.isOver() {
			err = errSuperseded
		}
		lineage, l.at, l.keys = s.m.host.Lineage(), s.m.host.Position(), s.m.host.KeyCount(v)
		l.name = s.m.host.KnownPosition().ID
	}) {
		err = errSuperseded
	}
	return l, lineage, err
}

// info is the primary's INFO.
func (s *session) info() (string, error) {
	ctx, cancel := context.WithTimeout(s.ctx, askPatience)
	defer cancel()
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return "", err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return "", err
	}
	v := s.m.cfg.Values()
	return s.m.askInfo(ctx, replication.Ask{Host: host, Port: number, User: v.String(config.MasterUser), Password: v.String(config.MasterAuth)})
}

// rescueAgain writes what could not be written before, so that the primary is not troubled
// before there is hope.
func (s *session) rescueAgain() error {
	r := &s.m.rescues
	if err := r.acquire(s.ctx); err != nil {
		return err
	}
	defer r.release()
	l := r.pending
	if l == nil {
		return nil
	}
	same := false
	if !s.m.host.AloneWait(func(*keyspace.View) { same = l.generation == s.m.generation && l.at == s.m.host.Position() }) {
		return errSuperseded
	}
	if !same || s.m.cfg.Values().Int(config.ReplRescue) == config.RescueNo {
		r.pending = nil
		return nil
	}
	if err := s.keep(l); err != nil {
		return fmt.Errorf("what the primary never saw could not be kept (repl-rescue): %w", err)
	}
	return nil
}

// keep writes the file, or says what becomes of the data without. It is called by who has
// acquired the rescuer.
func (s *session) keep(l *loss) error {
	r := &s.m.rescues
	err := s.save(l)
	switch {
	case err == nil:
		r.pending = nil
		r.setTrouble("")
	case s.ctx.Err() != nil:
		return errSuperseded
	case s.m.cfg.Values().Int(config.ReplRescue) == config.RescueBestEffort:
		r.pending = nil
		r.setTrouble(err.Error())
		r.incomplete(l, fmt.Sprintf("The writes of '%s' up to offset %d that the new primary %s never saw are lost: no rescue file could be written (%v), "+
			"and repl-rescue is best-effort.", l.at.ID, l.at.Offset, l.primary, err))
		err = nil
	default:
		r.pending = l
		r.setTrouble(err.Error())
	}
	return err
}

func (r *rescuer) setTrouble(text string) {
	r.mu.Lock()
	r.status.Trouble = text
	r.mu.Unlock()
}

// incomplete tells, once, that something is dropped that is in no file.
func (r *rescuer) incomplete(l *loss, text string) {
	r.mu.Lock()
	told := r.warned == l.at
	if r.warned = l.at; !told {
		r.status.Incomplete++
	}
	r.mu.Unlock()
	if !told {
		r.m.logger.Logf(logger.Warning, "%s", text)
	}
}

// save writes the file, if it is not there yet.
func (s *session) save(l *loss) error {
	r := &s.m.rescues
	first, from := r.log.First(), l.fork
	if !l.known {
		from = first
	}
	list, err := r.look()
	if err != nil {
		return err
	}
	room := s.m.cfg.Values().Int(config.ReplRescueMaxBytes)
	for _, f := range list {
		if f.History == l.name && f.From-f.Missing <= from && f.To >= l.at.Offset {
			return nil
		}
		room -= f.Size
	}
	f, err := s.copyTail(l, from, max(from, first), room)
	if err != nil && !errors.Is(err, rescue.ErrNothing) {
		return err
	}
	r.report(l, f, err == nil)
	_, err = r.look()
	return err
}

// copyTail copies what the log has. from is where the tail begins, and first where the log
// does.
func (s *session) copyTail(l *loss, from, first uint64, room int64) (rescue.File, error) {
	head := rescue.Head{
		Time: time.Unix(0, int64(s.m.env.Clock.Wall())), History: l.name, From: first, To: l.at.Offset,
		Fork: l.fork, Known: l.known, Missing: min(first, l.at.Offset) - from, Primary: l.primary, Taken: l.offered.String(),
	}
	if first >= l.at.Offset {
		return rescue.File{Head: head}, rescue.ErrNothing
	}
	in, err := s.m.rescues.log.NewReader(first, nil)
	if err != nil {
		return rescue.File{}, err
	}
	defer in.Close()
	return rescue.Write(s.ctx, s.m.env.FS, s.m.rescues.dir(), rescue.Tail{
		Head: head, Source: &alive{Reader: in, s: s}, Seek: !l.known || head.Missing > 0, DB: in.DB(),
		Keys: s.m.host.Table().KeysOf, Max: room, Temp: s.m.persist.RescueTemp(),
	})
}

// report says what was kept, and what was not.
func (r *rescuer) report(l *loss, f rescue.File, written bool) {
	if written {
		r.m.logger.Logf(logger.Warning, "%d commands of %d keys that the new primary %s never saw were kept in %s before its data is taken "+
			"('dozo rescue show' tells what they are).", f.Commands, f.Keys, l.primary, f.Name)
	}
	switch {
	case l.known && f.Missing > 0:
		r.incomplete(l, fmt.Sprintf("The log does not reach back to where the history of the new primary %s left ours: of %d bytes of writes that it never saw, "+
			"the first %d are lost (a larger repl-backlog-size or repl-backlog-time keeps more).", l.primary, l.at.Offset-l.fork, f.Missing))
	case !l.known && l.keys > 0:
		r.incomplete(l, fmt.Sprintf("The primary %s has another history than the %d keys here, which it replaces: nobody knows what of them it has, "+
			"and no more than the log still had is kept.", l.primary, l.keys))
	}
}

// alive is a reader of the log that has the link know that the session lives.
type alive struct {
	*oplog.Reader
	s  *session
	at time.Duration
}

func (a *alive) Peek() ([]byte, error) {
	if now := a.s.m.env.Clock.Monotonic(); now-a.at > reportEvery {
		a.at = now
		a.s.m.step(replication.Received{Try: a.s.try})
	}
	return a.Reader.Peek()
}
