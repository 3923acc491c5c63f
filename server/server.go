// Package server is the RESP server: connections and their state, the way of a
// command from its bytes to its reply, transactions, and the commands that are
// about the server rather than its data.
//
// Each event loop has a worker, which parses, executes and answers on the loop's
// own thread (see dispatch.go for the order of checks, gate.go for how workers
// are kept apart when one must be alone). A worker's state is touched by its
// loop only; a command that looks at all workers is declared Exclusive, which
// makes reading and changing them safe without a lock.
package server

import (
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dozo/command"
	"dozo/config"
	"dozo/env"
	"dozo/eventloop"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/oplog"
	"dozo/pubsub"
	"dozo/replication"
	"dozo/resp"
)

// Options are what a Server is made of. Env, Config, Log and Keyspace are
// needed.
type Options struct {
	Env       *env.Env
	Config    *config.Config
	Keyspace  *keyspace.Keyspace
	Log       *oplog.Log
	Logger    *logger.Logger
	Commands  [][]command.Spec // the families; the server adds its own
	Loops     int
	Transport eventloop.Transport
	PID       int
	// Executable and ConfigFile are reported by INFO.
	Executable string
	// Persistence makes the data outlive the process; nil = nothing does.
	Persistence Persistence
	// Following makes it a replica; nil = it is always a primary.
	Following Following
	// RoleChanged hears of the beginning and the end of following, alone; nil = nobody does.
	RoleChanged func(replica bool)
	// OnShutdown is called, from a goroutine of its own, when a client or a signal asks
	// for the end; the owner then calls Close, or StayAlive.
	OnShutdown func(save ShutdownMode)
	// Exit ends the process, after a crash was reported. nil = the system's exit.
	Exit func(status int)
}

// Server is a running server.
type Server struct {
	env    *env.Env
	clock  env.Clock
	cfg    *config.Config
	ks     *keyspace.Keyspace
	log    *oplog.Log
	logger *logger.Logger
	table  *command.Table
	group  *eventloop.Group
	gate   *gate
	hub    *pubsub.Hub
	opts   Options

	workers []*worker
	addrs   []eventloop.Addr

	// What every command reads, kept in words that change rarely.
	attention      atomic.Uint32
	notifyMask     atomic.Uint32
	trackLatency   atomic.Bool
	noticeNanos    atomic.Int64 // the least of the next two
	slowNanos      atomic.Int64 // calls as long as this go to the slow log
	spikeNanos     atomic.Int64 // ... and to the latency monitor
	queryBufferMax atomic.Int64
	settings       atomic.Pointer[command.Settings]
	live           atomic.Pointer[liveSettings]
	connected      atomic.Int64 // open connections that count for maxclients

	// refusal is what writes are answered under attnMisconf.
	refusal atomic.Pointer[command.ReplyError]
	// slowMu protects slowlog: commands become slow on any loop.
	slowMu  sync.Mutex
	slowlog slowlog
	// replies holds replies back, when the configuration asks for it; else nil. What was
	// held when that ended is released by formerGate. writes is the gate where only
	// replies to writes are held. synced is what the log's file has
	// durable, once it has everything (syncedAll); nil without one. All change alone.
	replies, formerGate *replyGate
	writes              *replyGate
	logMax              atomic.Int64 // bytes of the log that may wait for the disk; 0 = any
	logHold             logHold
	synced              *oplog.Gate
	syncedAll           bool

	// What only exclusive commands touch.
	started  time.Duration // monotonic
	runID    string
	pauses   [pauseReasons]pauseState
	loadTold time.Duration // monotonic: from then on clients are told of a load
	monitors int           // clients in MONITOR
	sampled  samples
	peak     memoryPeak
	shortage shortage
	// startupMemory is what was in use when the server began to serve.
	startupMemory int64
	statsBase     statsBase
	lineage       replication.Lineage
	ownName       string // of the history, if this server has given it
	resumedFrom   string // the file in which it was found at the start; empty = in none
	doubted       bool   // what changed the data is not all in the log
	unlogged      bool   // the log never had all that was done to the data
	origin        string // see Origin
	linkUp        bool   // to the primary
	logUsers      LogUser
	upstream      *Upstream    // the connection to the primary, nil = none
	replicas      *replicas    // has its own lock
	ackWaiters    atomic.Int64 // clients in WAIT and WAITAOF
	applyErrors   atomic.Int64
	appliedAt     atomic.Int64 // when something came from the primary, monotonic
	obeyedNote    atomic.Int64 // when the log said last that the disk does not keep it, monotonic
	receivedBytes atomic.Int64 // of its snapshots
	backlog       backlog
	kept          uint64 // what the log was told to retain
	debug         debugSwitches
	overClients   bool // maxmemory-clients is passed and nobody can be evicted
	jobs          fileJobs

	time    groupTime      // has its own lock
	latency latencyMonitor // has its own lock
	defrag  defragger
	drift   driftWatch // has its own lock

	ending    atomic.Int32 // how far a shutdown has come
	enders    []func(reply func(out *resp.Writer) error)
	endWaits  atomic.Int64 // until when the end waits for replicas, monotonic; 0 = it does not
	replayer  *Client
	closeOnce sync.Once
	over      chan struct{} // closed when no loop runs any more
	crashing  atomic.Bool
	// warnedOfBrowser is when a client that speaks HTTP was last logged; 0 = never.
	warnedOfBrowser atomic.Int64
}

// New makes a server that does not listen yet.
func New(o Options) (*Server, error) {
	s := &Server{
		env: o.Env, clock: o.Env.Clock, cfg: o.Config, ks: o.Keyspace, log: o.Log, logger: o.Logger, opts: o,
		gate: newGate(o.Loops), hub: pubsub.NewHub(o.Loops), over: make(chan struct{}),
	}
	table, wrong := makeTable(o.Commands, o.Config)
	if len(wrong) > 0 {
		return nil, wrong[0]
	}
	s.table = table
	s.started = s.clock.Monotonic()
	s.time.init(s.clock)
	random := o.Env.NewRand()
	s.runID, s.lineage = randomHex(random, 40), replication.NewLineage(replication.NewID(random))
	if err := s.bindConfig(); err != nil {
		return nil, err
	}
	s.replicas = newReplicas(s)
	for i := range o.Loops {
		s.workers = append(s.workers, newWorker(s, i))
	}
	s.replayer = newReplayer(s.workers[0])
	var err error
	s.group, err = eventloop.New(eventloop.Options{
		Loops: o.Loops, Transport: o.Transport, Clock: s.clock, Hz: int(s.cfg.Int(config.HZ)),
		Backlog:   int(s.cfg.Int(config.TCPBacklog)),
		KeepAlive: time.Duration(s.cfg.Int(config.TCPKeepalive)) * time.Second,
		UnixPerm:  fs.FileMode(s.cfg.Int(config.UnixSocketPerm)),
		Handler:   func(i int) eventloop.Handler { return s.workers[i] },
		Report:    func(err error) { s.logf(Warning, "%v", err) },
		Crashed:   func(loop int, reason any) { s.crash(loop, reason) },
	})
	if err != nil {
		return nil, err
	}
	for i, l := range s.group.Loops() {
		s.workers[i].loop = l
	}
	return s, nil
}

// makeTable makes the table of all commands, by the names that the configuration
// gives them. It lists all that is wrong with those.
func makeTable(families [][]command.Spec, cfg *config.Config) (table *command.Table, wrong []error) {
	table, err := command.NewTable(append(families, ownCommands()...)...)
	if err != nil {
		return nil, []error{fmt.Errorf("command table: %w", err)}
	}
	for _, line := range cfg.Lines("rename-command") {
		if err := table.Rename(line.Args[1], line.Args[2]); err != nil {
			wrong = append(wrong, line.Wrong(err.Error()))
		}
	}
	return table, wrong
}

// Check lists what would keep a server from starting that package config cannot
// know of.
func Check(families [][]command.Spec, cfg *config.Config) []error {
	_, wrong := makeTable(families, cfg)
	return wrong
}

// Levels of the log, by their short names.
const (
	Debug   = logger.Debug
	Verbose = logger.Verbose
	Notice  = logger.Notice
	Warning = logger.Warning
)

func (s *Server) logf(level logger.Level, format string, args ...any) {
	s.logger.Logf(level, format, args...)
}

// Listen opens one listener; network is tcp or unix.
func (s *Server) Listen(network, addr string) (eventloop.Addr, error) {
	at, err := s.group.Listen(network, addr)
	if err == nil {
		s.addrs = append(s.addrs, at)
	}
	return at, err
}

// Unlisten ends a listener that Listen opened; its connections stay. Once the
// server runs, listeners are changed in exclusive mode only.
func (s *Server) Unlisten(at eventloop.Addr) error {
	s.addrs = slices.DeleteFunc(s.addrs, func(a eventloop.Addr) bool { return a == at })
	return s.group.Unlisten(at)
}

// Start lets the loops run.
func (s *Server) Start() {
	s.ks.Publish()
	s.startupMemory = s.usedMemory()
	s.group.Start()
}

// Addrs are the addresses that the server listens on.
func (s *Server) Addrs() []eventloop.Addr { return s.addrs }

// Table is the server's command table.
func (s *Server) Table() *command.Table { return s.table }

// Close ends listeners, connections and loops. It is not called on a loop.
func (s *Server) Close() error {
	var err error
	s.closeOnce.Do(func() {
		s.drift.over.Store(true)
		err = s.group.Close()
		close(s.over)
	})
	return err
}

// randomHex is n random hexadecimal digits.
func randomHex(r env.Rand, n int) string {
	b := make([]byte, 0, n+16)
	for len(b) < n {
		b = fmt.Appendf(b, "%016x", r.Uint64())
	}
	return string(b[:n])
}
