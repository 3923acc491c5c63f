// Package follower has a node be a replica: it keeps the link to the primary that
// `replicaof` names, gets the data over when that has to be, and hands the primary's writes
// to the server, which executes them.
//
//	f := follower.New(follower.Options{...})
//	srv := server.New(... Commands: f.Commands(), Following: f)
//	f.Attach(srv)
//	f.Prepare()
//	srv.Start()
//	f.Start() // once the data is loaded
//
// What is decided is decided by a replication.Link, a machine; this package is its hands.
// Each connection to the primary has a goroutine, which reads what comes before the stream
// of writes, loads a snapshot beside the data that is served, and gives the connection to a
// loop of the server in the end (server.AttachUpstream). Another goroutine sees to what the
// loops post: their handlers never wait for the link, nor for a socket.
//
// Who may touch what: mu guards the link and the present session. What says whom the server
// follows (primary, generation, upstream) is touched by who runs alone: a session that was
// begun for another primary finds its generation gone when it wants to change the data.
//
// Times are those of env.Clock, monotonic.
package follower

import (
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dozo/config"
	"dozo/env"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/oplog"
	"dozo/persist"
	"dozo/replication"
	"dozo/server"
)

// Options are what a Manager is made from.
type Options struct {
	Env     *env.Env
	Config  *config.Config
	Logger  *logger.Logger
	Persist *persist.Manager
	Log     *oplog.Log // the server's
}

// Manager is the replica's side of one server.
type Manager struct {
	env     *env.Env
	cfg     *config.Config
	logger  *logger.Logger
	persist *persist.Manager
	rescues rescuer
	host    *server.Server

	ctx    context.Context // ends with the manager
	cancel context.CancelFunc
	wakes  chan struct{} // the goroutine of run has something to do
	goers  sync.WaitGroup

	mu      sync.Mutex
	link    *replication.Link
	session *session // of the link's try; nil = none
	asks    context.CancelFunc
	seen    atomic.Pointer[seen] // read by all

	posts struct {
		sync.Mutex
		list []replication.Event
	}
	heard atomic.Int64 // what AppliedAt said when the link was told

	asked atomic.Int32 // how far the handing over is: mayAsk ...

	// Touched alone.
	primary    config.Primary // Host "" = the server is one itself
	generation int
	upstream   *server.Upstream
}

// New makes a manager of a server that follows nobody.
func New(o Options) *Manager {
	m := &Manager{env: o.Env, cfg: o.Config, logger: o.Logger, persist: o.Persist, wakes: make(chan struct{}, 1)}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.rescues.init(m, o)
	m.link = replication.NewLink(m.settings(), o.Env.NewRand())
	m.show()
	return m
}

// Attach tells whose link it is. It is called once, before the server starts.
func (m *Manager) Attach(s *server.Server) {
	m.host = s
	m.cfg.OnChangeOf([]*config.Directive{
		config.MasterUser, config.MasterAuth, config.ReplTimeout, config.ReplicaAnnounceIP, config.ReplicaAnnouncePort, config.ReplicaRefuseOlderPrimary,
	}, func(_, _ *config.Values) error {
		m.post(nil) // which looks at the settings
		return nil
	})
	m.goers.Go(m.run)
	m.goers.Go(m.rescues.watch)
}

// Prepare has the server be a replica from the beginning, if the configuration says so: no
// client is to find a moment in which it can write. It is called before the server starts.
func (m *Manager) Prepare() {
	if p, ok := m.cfg.Values().Primary(); ok {
		m.become(p)
	}
}

// Start connects to the primary that the configuration names, if it names one. The data is
// loaded; if it says that it was had from that very primary, the link goes by that.
func (m *Manager) Start() {
	m.host.Alone(func(*keyspace.View) {
		if p := m.primary; p.Host != "" {
			m.post(replication.Follow{Host: p.Host, Port: p.Port, Known: m.host.Origin() == m.address()})
		}
	})
}

// Close ends the link. The server may have ended before.
func (m *Manager) Close() {
	m.cancel()
	m.mu.Lock()
	if m.session != nil {
		m.session.end()
	}
	m.mu.Unlock()
	m.goers.Wait()
}

// settings are what the link is told of the configuration.
func (m *Manager) settings() replication.LinkSettings {
	v := m.cfg.Values()
	port := int(v.Int(config.ReplicaAnnouncePort))
	if port == 0 {
		port = int(v.Int(config.Port))
	}
	return replication.LinkSettings{
		User: v.String(config.MasterUser), Password: v.String(config.MasterAuth),
		Port: port, IP: v.String(config.ReplicaAnnounceIP), Version: server.RedisVersion,
		Timeout: time.Duration(v.Int(config.ReplTimeout)) * time.Second, KeepData: v.Bool(config.ReplicaRefuseOlderPrimary),
	}
}

// dialer connects to the primary, from the address that bind-source-addr says.
func (m *Manager) dialer() env.Dialer {
	return env.From(m.env.Dialer, m.cfg.String(config.BindSourceAddr))
}

// address is the primary's, as what is loaded says it.
func (m *Manager) address() string {
	return net.JoinHostPort(strings.ToLower(m.primary.Host), strconv.Itoa(m.primary.Port))
}

// follow has the server follow a primary. Only alone.
func (m *Manager) follow(f replication.Follow) {
	m.leave()
	m.host.SetOrigin("")
	m.become(config.Primary{Host: f.Host, Port: f.Port})
	// At once: who asks now must not be told of the former primary's link.
	m.seen.Store(&seen{replication.LinkStatus{State: replication.LinkConnect, Host: f.Host, Port: f.Port, DownFor: -1}, m.env.Clock.Monotonic()})
	m.post(f)
}

// become has the server be a replica. Only alone, or before it starts.
func (m *Manager) become(of config.Primary) {
	m.primary = of
	m.host.UseLog(server.LogReplicas, true) // what comes is passed on, and remembered for a promotion
	m.host.Follow(true)
	m.host.SetLinkUp(false)
	m.logger.SetRole('S')
}

// unfollow makes the server a primary. Only alone.
func (m *Manager) unfollow() {
	m.leave()
	m.host.SetOrigin("")
	m.primary = config.Primary{}
	m.host.ShiftHistory("")
	m.host.Follow(false)
	if m.persist.TakeEmptied() {
		m.host.LogEmptied()
	}
	m.logger.SetRole('M')
	m.post(replication.Unfollow{})
}

// leave ends what comes from the primary at once. Only alone.
func (m *Manager) leave() {
	m.generation++
	if m.upstream != nil {
		m.host.DetachUpstream(m.upstream)
		m.upstream = nil
	}
}

// post has the link hear of an event, soon. It may be called by anyone; nil is for a look at
// the settings.
func (m *Manager) post(e replication.Event) {
	m.posts.Lock()
	m.posts.list = append(m.posts.list, e)
	m.posts.Unlock()
	m.nudge()
}

func (m *Manager) nudge() {
	select {
	case m.wakes <- struct{}{}:
	default: // it is awake
	}
}

// Tick implements server.Following.
func (m *Manager) Tick() {
	m.nudge()
	m.rescues.tick()
}

// run passes on what was posted, and the time.
func (m *Manager) run() {
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-m.wakes:
		}
		m.posts.Lock()
		list := m.posts.list
		m.posts.list = nil
		m.posts.Unlock()
		for _, e := range list {
			if e == nil {
				m.mu.Lock()
				m.link.Set(m.settings())
				m.mu.Unlock()
			} else {
				m.step(e)
			}
		}
		m.passTime()
	}
}

// passTime tells the link that the primary was heard, and that time passes.
func (m *Manager) passTime() {
	m.mu.Lock()
	try, due := m.link.Try(), m.link.Due() <= m.env.Clock.Monotonic()
	m.mu.Unlock()
	if at := m.host.AppliedAt(); at != m.heard.Swap(at) {
		m.step(replication.Heard{Try: try})
	}
	if due {
		m.step(replication.Tick{})
	}
}

// step tells the link what happened and does what it wants. It is not called on a loop.
func (m *Manager) step(e replication.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.seen.Load().State
	for _, effect := range m.link.Step(e, m.env.Clock.Monotonic()) {
		m.do(effect)
	}
	m.showChange(before)
}

// shown shows that the server has the stream: only now is the link up for who asks, since who
// reads that may rely on the name of the history, and on the replicas' having been told it.
func (m *Manager) shown() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.showChange(m.seen.Load().State)
}

// showChange is show, and tells the server whether the link is up. Under mu.
func (m *Manager) showChange(before replication.LinkState) {
	if m.show(); m.seen.Load().State != before {
		m.host.Alone(func(*keyspace.View) { m.host.SetLinkUp(m.seen.Load().State == replication.LinkConnected) })
	}
}

// do does one thing that the link wants. Under mu.
func (m *Manager) do(effect replication.Effect) {
	s := m.session
	switch e := effect.(type) {
	case replication.Dial:
		s = &session{m: m, try: e.Try, address: net.JoinHostPort(e.Host, strconv.Itoa(e.Port))}
		s.ctx, s.cancel = context.WithCancelCause(m.ctx)
		m.session = s
		m.goers.Go(s.serve)
	case replication.Close:
		m.hangUp()
	case replication.Send:
		if e.Failover && !m.mayAsk() {
			s.end() // it is taken back
			return
		}
		s.send(e.Args)
	case replication.HandedOver:
		if e.Doubt {
			m.host.Alone(func(*keyspace.View) { m.host.HandOverInDoubt() })
			return
		}
		m.asked.CompareAndSwap(asked, answered(e.Why))
		m.host.Alone(func(*keyspace.View) { m.host.HandedOver(e.Why) })
	case replication.Newline:
		s.write([]byte("\n"))
	case replication.Hold:
		s.held = make(chan struct{})
	case replication.Receive:
		s.receive = &e
		if s.held != nil {
			close(s.held)
			s.held = nil
		}
	case replication.Stream:
		s.stream = &e
	case replication.Ack:
		if s != nil && s.stream != nil && !s.given.Load() {
			s.acks = true // with the first words of the stream's connection
			return
		}
		m.host.Alone(func(*keyspace.View) { m.host.AcknowledgeUpstream(m.upstream) })
	case replication.Ask:
		m.ask(e)
	case replication.Log:
		level := logger.Notice
		if e.Warning {
			level = logger.Warning
		}
		m.logger.Logf(level, "%s", e.Text)
	}
}

// hangUp ends the present connection. Under mu.
func (m *Manager) hangUp() {
	if m.asks != nil {
		m.asks()
		m.asks = nil
	}
	if m.session == nil {
		return
	}
	s := m.session
	m.session = nil
	s.end()
	m.host.Alone(func(*keyspace.View) {
		if m.upstream != nil && m.upstream == s.upstream {
			m.host.DetachUpstream(m.upstream)
			m.upstream = nil
		}
	})
}

// seen is how the link stood at a moment.
type seen struct {
	replication.LinkStatus
	at time.Duration
}

// Status implements server.Following. It waits for nobody.
func (m *Manager) Status() replication.LinkStatus {
	was := m.seen.Load()
	st, since := was.LinkStatus, m.env.Clock.Monotonic()-was.at
	st.LastIO += since
	if st.DownFor >= 0 {
		st.DownFor += since
	}
	return st
}

// show has Status tell how the link stands now. Under mu.
func (m *Manager) show() {
	now := m.env.Clock.Monotonic()
	st := m.link.Status(now)
	if st.State == replication.LinkConnected && (m.session == nil || !m.session.given.Load()) {
		return // not yet: see shown
	}
	m.seen.Store(&seen{st, now})
}
