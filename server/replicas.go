package server

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"dozo/command"
	"dozo/config"
	"dozo/eventloop"
	"dozo/keyspace"
	"dozo/oplog"
	"dozo/rdb"
	"dozo/replication"
)

// Replicas of this server.
//
// What they get, and when, is decided by a replication.Primary, a machine; this file is its
// hands. A replica is a client whose output is a source (eventloop): first the body of a
// snapshot that all who need one share, then the log, each read from where it lies. So a
// replica that reads slowly costs no memory but the part of the log that it has not got,
// which is the same for all, and no loop ever waits for one.
//
// Who may touch what: mu guards the machine and all that is reached from replicas. Orders
// are carried out under it: what they do to a connection is posted to the connection's loop,
// unless it is the caller's own reply. A snapshot is begun and given up by who runs alone.
// mu is taken inside the gate, alone or not, and before the locks of the log.

// replicas are all of them.
type replicas struct {
	srv *Server

	mu      sync.Mutex
	machine *replication.Primary
	handing replication.Failover // changed alone
	byID    map[uint64]*replica
	bodies  map[uint64]*body // of snapshots, by number
	looked  time.Duration    // when each was looked at last, monotonic

	pace syncPace // of what is sent of snapshots
}

// replica is a client that follows this server, or is about to say so.
type replica struct {
	cl   *Client
	peer *replication.Replica

	log     *oplog.Reader                // what it gets, or will when it has the snapshot; nil = nothing
	follows atomic.Pointer[oplog.Reader] // log, for who does not hold mu
	body    *replication.SpoolReader
	// paced is how body is sent, once it is.
	paced *pacedSource

	why   error    // its connection has ended, nil = it has said so itself
	again []string // the call that is to be made when this server is a primary
}

// body is what is sent of a snapshot.
type body struct {
	spool  *replication.Spool
	stream *SnapshotStream
}

// SnapshotStream is a snapshot that goes to somebody else than a file: replicas that need
// all of the data.
type SnapshotStream struct {
	// Version of the format; 0 = that of rdb-version.
	Version int
	// NoData and NoFunctions leave out what is not wanted.
	NoData, NoFunctions bool
	// To is written by a goroutine of its own; its error ends the stream. Nothing else is
	// held up by a slow one but the walk, once what is in memory has reached its bound.
	To interface {
		Write(p []byte) (n int, err error)
		// Behind tells whether it is not the writer whom the readers wait for.
		Behind() bool
	}
	// Begun is called at the epoch, alone: what is logged from there on is not in the
	// snapshot. It says which moment of which history that is.
	Begun func() *rdb.ReplicationInfo
	// Done is called when all is written, or when it will not be, alone.
	Done func(err error)
}

// Why connections of replicas are ended.
var (
	errReplicaReplied = errors.New("a replica has sent a command that has a reply")
	errCutReplica     = errors.New("the replica was disconnected")
	errNobodyWaits    = errors.New("nobody waits for the snapshot any more")
)

const (
	errFewReplicas command.ReplyError = "NOREPLICAS Not enough good replicas to write."
	errStale       command.ReplyError = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
)

func newReplicas(s *Server) *replicas {
	r := &replicas{srv: s, byID: make(map[uint64]*replica), bodies: make(map[uint64]*body)}
	r.pace.rate = s.cfg.Int(config.ReplSyncRateLimit)
	r.machine = replication.NewPrimary(s.primarySettings(s.cfg.Values()), s.env.NewRand(), s.clock.Monotonic())
	return r
}

// joinWindow is how long the body of a snapshot is kept for latecomers at most.
const joinWindow = 10 * time.Second

// syncShare is the part of the memory that the log may take for replicas that get a snapshot,
// where nobody has said how far they may be behind.
const syncShare = 8

// primarySettings are what the machine is told of the configuration.
func (s *Server) primarySettings(v *config.Values) replication.PrimarySettings {
	seconds := func(d *config.Directive) time.Duration { return time.Duration(v.Int(d)) * time.Second }
	limit := v.OutputLimits()[config.ReplicaClient]
	p := replication.PrimarySettings{
		Diskless: v.Bool(config.ReplDisklessSync), DisklessDelay: seconds(config.ReplDisklessSyncDelay),
		DisklessMaxReplicas: int(v.Int(config.ReplDisklessSyncMaxReplicas)), MaxFullSyncs: int(v.Int(config.ReplMaxFullSyncs)),
		JoinWindow: joinWindow, Timeout: seconds(config.ReplTimeout), PingPeriod: seconds(config.ReplPingReplicaPeriod),
		LogTTL: seconds(config.ReplBacklogTTL), Backlog: s.backlogSize(),
		LagHard: uint64(limit.Hard), LagSoft: uint64(limit.Soft), LagSoftTime: time.Duration(limit.SoftSeconds) * time.Second,
		LagSync: uint64(limit.Hard), MinReplicas: int(v.Int(config.MinReplicasToWrite)), MinReplicasMaxLag: seconds(config.MinReplicasMaxLag),
	}
	if v.String(config.ClientOutputBufferLimit) == s.cfg.Default(config.ClientOutputBufferLimit) {
		p.LagSync = max(p.LagSync, uint64(s.memoryLimit())/syncShare)
	}
	return p
}

// view is what the machine must know of the server. Only alone.
func (s *Server) view() replication.View {
	v := replication.View{
		Lineage: s.lineage, Logging: s.log.Active() && s.logUsers&LogReplicas != 0, End: s.log.Offset(),
		Follows: s.Follows(), LinkUp: s.linkUp, FailingOver: s.FailingOver(), Paused: s.FailingOver() || s.Ending(),
	}
	if v.Logging {
		v.First, v.Sum = s.log.First(), s.sumLog
	}
	return v
}

// ask has the machine decide, and carries its orders out. w is the loop whose client asks,
// nil where none does.
func (r *replicas) ask(w *worker, fn func(m *replication.Primary, now time.Duration) []replication.Order) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range fn(r.machine, r.srv.clock.Monotonic()) {
		r.carryOut(w, o)
	}
}

// carryOut does one thing that the machine wants. Under mu.
func (r *replicas) carryOut(w *worker, order replication.Order) {
	s := r.srv
	switch o := order.(type) {
	case replication.Log:
		level := Notice
		if o.Warning {
			level = Warning
		}
		s.logf(level, "%s", o.Text)
	case replication.KeepLog:
		s.UseLog(LogReplicas, true)
	case replication.DropLog:
		s.UseLog(LogReplicas, false)
	case replication.Snapshot:
		r.beginSnapshot(o)
	case replication.CancelSnapshot:
		r.cancelSnapshot(o.Number)
	case replication.Release:
		r.release(o.Number)
	case replication.Ping:
		s.ping()
	case replication.SendAck:
		s.Alone(func(*keyspace.View) { s.AcknowledgeUpstream(s.upstream) })
	default:
		r.serve(w, order)
	}
}

// serve carries out what is for one replica. Under mu.
func (r *replicas) serve(w *worker, order replication.Order) {
	switch o := order.(type) {
	case replication.Reply:
		r.reply(w, r.byID[o.Replica], o.Line+"\r\n")
	case replication.Refuse:
		r.refuse(w, r.byID[o.Replica], o)
	case replication.Keepalive:
		r.reply(nil, r.byID[o.Replica], "\n")
	case replication.Attach:
		r.attach(r.byID[o.Replica], o)
	case replication.Transfer:
		r.transfer(r.byID[o.Replica], o)
	case replication.Continue:
		r.hold(r.byID[o.Replica], o.From)
		r.start(r.byID[o.Replica])
	case replication.Start:
		r.start(r.byID[o.Replica])
	case replication.Disconnect:
		r.disconnect(r.byID[o.Replica])
	case replication.Promote:
		r.byID[o.Replica].again = o.Again
	}
}

// onLoop has fn done to a replica's connection on its own loop, if it is still there then.
func (p *replica) onLoop(fn func(w *worker)) {
	p.cl.worker.call(func(w *worker) {
		if !p.cl.freed {
			fn(w)
		}
	})
}

// reply writes to a replica: at once, if it is the client that w serves.
func (r *replicas) reply(w *worker, p *replica, text string) {
	if w != nil && w.current == p.cl {
		w.out.Buf = append(w.out.Buf, text...)
		return
	}
	p.onLoop(func(w *worker) { w.push(p.cl, []byte(text)) })
}

func (r *replicas) refuse(w *worker, p *replica, o replication.Refuse) {
	if w != nil && w.current == p.cl {
		w.replyError(p.cl.last, o.Text)
		return
	}
	p.onLoop(func(w *worker) {
		p.cl.set(isReplica, false)
		w.push(p.cl, []byte("-"+o.Text+"\r\n"))
		if o.Close {
			p.cl.closeSoon()
		}
	})
}

// attach holds the log from where a snapshot was taken, and the snapshot's body.
func (r *replicas) attach(p *replica, o replication.Attach) {
	reader, err := r.bodies[o.Number].spool.NewReader(p.cl.conn.Wake)
	if err != nil {
		p.onLoop(func(*worker) { p.cl.conn.Close(err) })
		return
	}
	p.body = reader
	if o.Log {
		r.hold(p, o.From)
	}
}

// hold keeps the log from an offset for a replica, which goes if that cannot be had.
func (r *replicas) hold(p *replica, from uint64) {
	reader, err := r.srv.log.NewReader(from, p.cl.conn.Wake)
	if err != nil {
		p.onLoop(func(*worker) { p.cl.conn.Close(err) })
		return
	}
	reader.SetLagMax(r.machine.LagMax(p.peer))
	p.log = reader
	p.follows.Store(reader)
}

// transfer sends the snapshot.
func (r *replicas) transfer(p *replica, o replication.Transfer) {
	source := p.body
	if source == nil {
		return // the connection is about to be closed
	}
	source.Begin(o.Preamble, o.Trailer)
	paced := r.pace.pace(source, p.cl.conn.Wake)
	p.paced = paced
	p.onLoop(func(*worker) { p.cl.conn.SetSource(paced) })
}

// start sends the log.
func (r *replicas) start(p *replica) {
	source := p.log
	if source == nil {
		return // the connection is about to be closed
	}
	p.onLoop(func(*worker) { p.cl.conn.SetSource(source) })
}

// disconnect ends a replica. What is logged from now on may be under another name of the
// history, and must not reach who knows the former: it could not go on from there.
func (r *replicas) disconnect(p *replica) {
	if p.log != nil {
		p.log.Cut(errCutReplica)
	}
	p.onLoop(func(*worker) {
		p.cl.conn.SetSource(nil)
		p.cl.conn.Close(errCutReplica)
	})
}

// SourceEnded implements eventloop.SourceEnder: all of a snapshot has left.
func (w *worker) SourceEnded(conn *eventloop.Conn, _ eventloop.Source) {
	p := conn.User.(*Client).replica
	w.gated(func() {
		w.srv.replicas.pace.drop(p.paced)
		w.srv.replicas.ask(w, func(m *replication.Primary, now time.Duration) []replication.Order { return m.Sent(p.peer, now) })
	})
}

// beginSnapshot has a snapshot made, when nobody else has one made. Under mu.
func (r *replicas) beginSnapshot(o replication.Snapshot) {
	s := r.srv
	b := &body{spool: replication.NewSpool(replication.SpoolOptions{
		Memory: spoolMemory, Disk: spoolDisk, FS: s.env.FS, Path: s.spoolPath(o.Number),
	})}
	b.stream = &SnapshotStream{
		Version: rdb.VersionShared, To: b.spool,
		NoData: o.Filter&replication.WithoutData != 0, NoFunctions: o.Filter&replication.WithoutFunctions != 0,
		Begun: func() *rdb.ReplicationInfo {
			at, db := s.Position(), s.StreamDB()
			if !s.Follows() {
				s.log.ForgetDB() // for those who do not read what the snapshot says
			}
			dozo := false
			r.ask(nil, func(m *replication.Primary, now time.Duration) []replication.Order {
				dozo = r.anyDozo()
				return m.SnapshotBegan(o.Number, at, nil, now)
			})
			info := &rdb.ReplicationInfo{DB: db, ID: at.ID, Offset: int64(at.Offset)}
			if dozo { // which goes by this time from then on, and before the first stamp of the stream
				info.Time = s.stamp()
			}
			return info
		},
		Done: func(err error) {
			if err == nil {
				b.spool.Finish()
			} else {
				b.spool.Fail(err)
			}
			size := b.spool.Size()
			r.ask(nil, func(m *replication.Primary, now time.Duration) []replication.Order {
				return m.SnapshotEnded(o.Number, size, err, now)
			})
		},
	}
	r.bodies[o.Number] = b
	s.Alone(func(v *keyspace.View) { s.opts.Persistence.BeginStream(v, b.stream) })
}

// spoolMemory is how much of a snapshot's body is in memory before a file takes the rest,
// and spoolDisk how much that may be.
const (
	spoolMemory = 32 << 20
	spoolDisk   = 1 << 50
)

// spoolPath is that file. Its name is like those of package persist, whose next run removes
// what a killed one has left.
func (s *Server) spoolPath(number uint64) string {
	return filepath.Join(s.cfg.Path(config.Dir), fmt.Sprintf("temp-%d-%.8s-sync%d.rdb", s.opts.PID, s.runID, number))
}

// cancelSnapshot ends the making of a snapshot. Under mu.
func (r *replicas) cancelSnapshot(number uint64) {
	b := r.bodies[number]
	delete(r.bodies, number)
	b.spool.Fail(errNobodyWaits)
	s := r.srv
	s.Alone(func(*keyspace.View) { s.opts.Persistence.ForgetStream(b.stream) })
}

// release lets the body of a snapshot go when those who read it have read it. Under mu.
func (r *replicas) release(number uint64) {
	r.bodies[number].spool.Release()
	delete(r.bodies, number)
}

// alive: a replica sent an empty line, as it does while it loads what it has got.
func (r *replicas) alive(p *replica) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.machine.Alive(p.peer, r.srv.clock.Monotonic())
}

// gone says that a client that was a replica, or might have been, has ended.
func (r *replicas) gone(p *replica) {
	r.ask(nil, func(m *replication.Primary, now time.Duration) []replication.Order {
		delete(r.byID, p.cl.ID)
		return m.Gone(p.peer, p.why, now)
	})
}

// letGo gives back what a replica reads from. Its connection has ended, and this is its loop.
func (r *replicas) letGo(p *replica) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.log != nil {
		p.follows.Store(nil)
		p.log.Close()
	}
	if p.body != nil {
		p.body.Close()
		r.pace.drop(p.paced)
	}
}

// tick does what time asks for. Only alone.
func (r *replicas) tick() {
	v := r.srv.view()
	r.ask(nil, func(m *replication.Primary, now time.Duration) []replication.Order {
		m.Set(r.srv.primarySettings(r.srv.cfg.Values()))
		return m.Tick(v, now)
	})
	r.pace.tick(r.srv.cfg.Int(config.ReplSyncRateLimit), r.srv.clock.Monotonic())
	if now := r.srv.clock.Monotonic(); now-r.looked >= time.Second {
		r.looked = now
		r.look()
	}
	r.srv.judgeReplicas()
	r.srv.stepFailover()
}

// look sees how far each replica is.
func (r *replicas) look() {
	r.mu.Lock()
	list := make([]*replica, 0, len(r.byID))
	for _, p := range r.byID {
		list = append(list, p)
	}
	r.mu.Unlock()
	for _, p := range list {
		r.lookAt(p)
	}
}

// lookAt sees how far a replica is, or that the log has cut it off: for that it is looked at
// before it is gone, so that the log says why, and it gets no other snapshot at once.
func (r *replicas) lookAt(p *replica) {
	r.ask(nil, func(m *replication.Primary, now time.Duration) []replication.Order {
		if p.body != nil {
			sent, more := p.body.Sent()
			m.Progress(p.peer, sent, more, now)
		}
		if p.log == nil {
			return nil
		}
		p.log.SetLagMax(m.LagMax(p.peer))
		return m.Lagging(p.peer, p.log.Lag(), p.log.IsCut(), now)
	})
}

// renamed disconnects all replicas, since the history has another name. Only alone.
func (r *replicas) renamed(why string) {
	r.ask(nil, func(m *replication.Primary, now time.Duration) []replication.Order { return m.Renamed(why, now) })
}

// status is all replicas, for INFO and ROLE.
func (r *replicas) status() []replication.ReplicaStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.machine.Replicas(r.srv.clock.Monotonic())
}

// resetStats begins to count anew.
func (r *replicas) resetStats() {
	r.mu.Lock()
	defer r.mu.Unlock()
	*r.machine.Stats() = replication.PrimaryStats{}
}

// any tells whether there is a replica.
func (r *replicas) any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.byID {
		if p.peer.IsReplica() {
			return true
		}
	}
	return false
}

// lag is how much of the log a replica has not got, 0 for who is none.
func (p *replica) lag() int {
	if p == nil {
		return 0
	}
	if log := p.follows.Load(); log != nil {
		return int(log.Lag())
	}
	return 0
}

// good is how many replicas min-replicas-to-write counts.
func (r *replicas) good() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.machine.Good(r.srv.clock.Monotonic())
}

// anyDozo tells whether there is a replica that understands the time.
func (r *replicas) anyDozo() bool {
	for _, p := range r.byID {
		if p.peer.IsReplica() && p.peer.Dozo() {
			return true
		}
	}
	return false
}

// judgeReplicas decides whether there are enough replicas for writes. Only alone.
func (s *Server) judgeReplicas() {
	r := s.replicas
	r.mu.Lock()
	enough := r.machine.Writable(s.clock.Monotonic())
	r.mu.Unlock()
	s.attend(attnFewReplicas, !enough && !s.Follows())
}

// applyReplication is what follows a CONFIG SET.
func (s *Server) applyReplication(v *config.Values) {
	s.doubtIfWritable(v)
	s.replicas.mu.Lock()
	s.replicas.machine.Set(s.primarySettings(v))
	s.replicas.mu.Unlock()
	s.judgeReplicas()
	s.judgeStale(v)
}

// memoryLimit is how much memory there is for everything: maxmemory, or the machine's.
func (s *Server) memoryLimit() int64 {
	if n := s.cfg.Int(config.MaxMemory); n != 0 {
		return n
	}
	return systemMemory()
}
