// Package node is the data node: it puts arena, keyspace, log and server
// together from one configuration, listens, and takes them apart again.
//
// Several nodes run in one process; nothing here is global. What concerns the
// process rather than the node (signals, daemonizing, the pid file) is in
// cmd/dozo.
package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"

	"dozo/arena"
	"dozo/command"
	"dozo/commands"
	"dozo/config"
	"dozo/env"
	"dozo/eventloop"
	"dozo/follower"
	"dozo/internal/invariants"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/oplog"
	"dozo/persist"
	"dozo/rdb"
	"dozo/server"
)

// Options are what a node is made from.
type Options struct {
	Env    *env.Env
	Config *config.Config
	// Log takes the log's lines; PID is the number they carry.
	Log io.Writer
	PID int
	// Executable is reported by INFO.
	Executable string
	Transport  eventloop.Transport
	// Addr and UnixSocket are listened on beside what the configuration names;
	// empty: nothing more. Addr is host:port, with port 0 for a free one.
	Addr, UnixSocket string
	// Warnings are lines for the log about what came before the start.
	Warnings []string
	// InMemory has the node begin empty, whatever lies in its folder.
	InMemory bool
	// Listening, if not nil, runs when the ports are open and before a client is served:
	// what it has follow the configuration misses no CONFIG SET.
	Listening func(*logger.Logger)
	// RoleChanged, if not nil, hears whether the node is a replica, whenever that changes.
	// It must not take long: nothing is executed meanwhile.
	RoleChanged func(replica bool)
	// Interrupt ends the loading, and so the start, when it is done. nil = nothing does.
	Interrupt context.Context
}

// ErrInterrupted is what Start gives when the end was asked for, by Options.Interrupt or
// by SHUTDOWN, before the data was loaded. The files are as they were.
var ErrInterrupted = errors.New("the server was ended before its data was loaded")

// Node is a running data node.
type Node struct {
	opts    Options
	logger  *logger.Logger
	arena   *arena.Arena
	ks      *keyspace.Keyspace
	log     *oplog.Log
	persist *persist.Manager
	follow  *follower.Manager
	server  *server.Server
	tcp     []listener // those of `bind` and `port`

	load load
	done chan struct{} // closed when a client or signal has asked to end
	ask  sync.Once
	stop sync.Once
}

// load is the loading of the data, as those see it who want to end it.
type load struct {
	ctx    context.Context
	cancel context.CancelFunc
	over   chan struct{} // closed when it has ended, or there was nothing to load
	failed bool          // once it is over
	began  bool
}

// Start makes a node and lets it serve.
func Start(o Options) (*Node, error) {
	n := &Node{opts: o, done: make(chan struct{})}
	n.load.over = make(chan struct{})
	n.load.ctx, n.load.cancel = context.WithCancel(context.Background())
	level, _ := logger.ParseLevel(o.Config.String(config.LogLevel))
	n.logger = logger.New(o.Log, o.Env.Clock, o.PID, level)
	n.greet()
	for _, line := range o.Warnings {
		n.logger.Logf(logger.Warning, "%s", line)
	}
	n.warnOfMissing()
	o.Config.WarnTo(func(message string) { n.logger.Logf(logger.Warning, "%s", message) })
	if err := n.build(); err != nil {
		n.close()
		return nil, err
	}
	n.logger.Logf(logger.Notice, "Server initialized")
	if err := n.listen(); err != nil {
		n.close()
		return nil, err
	}
	o.Config.OnChangeOf([]*config.Directive{config.Bind, config.Port}, n.listenAgain)
	if o.Listening != nil {
		o.Listening(n.logger)
	}
	networks := n.networks() // later, clients may change what it looks at
	if err := n.serve(); err != nil {
		return nil, n.endStart(err)
	}
	n.follow.Start()
	for _, name := range networks {
		n.logger.Logf(logger.Notice, "Ready to accept connections %s", name)
	}
	return n, nil
}

// serve lets the loops run, and loads the data meanwhile.
func (n *Node) serve() (err error) {
	defer func() {
		n.load.failed = err != nil
		close(n.load.over)
	}()
	n.follow.Prepare()
	if n.opts.InMemory {
		n.server.Start()
		return nil
	}
	plan, err := n.persist.Plan()
	if err != nil {
		return err
	}
	if plan.Nothing() {
		n.persist.BeginEmpty()
		n.server.Start()
		return nil
	}
	n.server.SetLoading(true)
	n.server.Start()
	return n.loadData(plan)
}

// loadData loads what is planned, unless the end is asked for meanwhile.
func (n *Node) loadData(plan *persist.Plan) error {
	if n.opts.Interrupt != nil {
		stop := context.AfterFunc(n.opts.Interrupt, func() {
			n.logger.Logf(logger.Warning, "Received shutdown signal during loading, scheduling shutdown.")
			n.load.cancel()
		})
		defer stop()
	}
	n.load.began = true
	err := n.persist.Load(n.load.ctx, plan)
	if err != nil && n.load.ctx.Err() != nil {
		return ErrInterrupted
	}
	return err
}

// endStart closes a node whose start has failed; the log ends with why.
func (n *Node) endStart(err error) error {
	if errors.Is(err, ErrInterrupted) {
		n.Close()
		return err
	}
	if f := (*rdb.FileError)(nil); errors.As(err, &f) {
		n.logger.Logf(logger.Warning, "Terminating server after rdb file reading failure.")
	}
	if n.load.began {
		n.logger.Logf(logger.Warning, "Fatal error loading the DB: %v. Exiting.", err)
	} else {
		n.logger.Logf(logger.Warning, "%v", err)
	}
	n.close()
	return err
}

// networks are the kinds of network that the node listens on.
func (n *Node) networks() (list []string) {
	for _, at := range n.server.Addrs() {
		if !slices.Contains(list, at.Network()) {
			list = append(list, at.Network())
		}
	}
	return list
}

// greet writes the first lines of the log. Tools look for the one with the PID.
func (n *Node) greet() {
	o := n.opts
	n.logger.Logf(logger.Notice, "oO0OoO0OoO0Oo Dozo is starting oO0OoO0OoO0Oo")
	n.logger.Logf(logger.Notice, "Redis version=%s, Dozo version=%s, bits=%d, pid=%d, just started",
		server.RedisVersion, server.DozoVersion, strconv.IntSize, o.PID)
	if file := o.Config.File(); file != "" {
		n.logger.Logf(logger.Notice, "Configuration loaded from %s", file)
	} else {
		n.logger.Logf(logger.Notice, "No config file: what the command line does not say has its default")
	}
	if file := o.Config.Overlay(); file != "" {
		n.logger.Logf(logger.Notice, "What CONFIG SET has kept in %s is in force over that", file)
	}
	n.logger.Logf(logger.Notice, "Running mode=standalone, port=%d, loops=%d. PID: %d",
		o.Config.Int(config.Port), o.Config.Int(config.IOThreads), o.PID)
}

// partDivisor lets the tests of the invariants build meet many values that have parts of
// a heap.
func partDivisor() int {
	if invariants.Enabled {
		return 128
	}
	return 0
}

// build makes the parts, in the order in which they stand on each other.
func (n *Node) build() (err error) {
	o := n.opts
	if n.arena, err = arena.New(arena.Options{}); err != nil {
		return fmt.Errorf("cannot reserve address space for the data set: %w", err)
	}
	loops := int(o.Config.Int(config.IOThreads))
	n.ks = keyspace.New(keyspace.Options{
		Arena: n.arena, Loops: loops, Databases: int(o.Config.Int(config.Databases)),
		Seed: o.Env.NewRand().Uint64(), NewRand: o.Env.NewRand, PartDivisor: partDivisor(),
	})
	n.log = oplog.New(n.arena, oplog.Options{DeferWake: true})
	n.persist = persist.New(persist.Options{Env: o.Env, Config: o.Config, Logger: n.logger, Log: n.log, PID: o.PID})
	n.follow = follower.New(follower.Options{Env: o.Env, Config: o.Config, Logger: n.logger, Persist: n.persist, Log: n.log})
	n.server, err = server.New(server.Options{
		Env: o.Env, Config: o.Config, Keyspace: n.ks, Log: n.log, Logger: n.logger,
		Commands: append(n.savingFlush(families()), n.persist.Commands(), n.follow.Commands()),
		Loops:    loops, Transport: o.Transport, PID: o.PID, Executable: o.Executable,
		OnShutdown: n.endServing, Persistence: n.persist, Following: n.follow, RoleChanged: o.RoleChanged,
	})
	if err == nil {
		n.persist.Attach(n.server)
		n.follow.Attach(n.server)
	}
	return err
}

// families are the commands that a node has beside those of package server.
func families() [][]command.Spec {
	return [][]command.Spec{
		commands.String, commands.Generic, commands.List, commands.Set, commands.Hash, commands.ZSet, commands.Geo, commands.Stream,
		commands.Bitmap, commands.HyperLogLog, commands.Server,
	}
}

// savingFlush has FLUSHALL save.
func (n *Node) savingFlush(all [][]command.Spec) [][]command.Spec {
	for i, family := range all {
		if at := slices.IndexFunc(family, func(s command.Spec) bool { return s.Name == "FLUSHALL" }); at >= 0 {
			all[i] = slices.Clone(family)
			all[i][at].Handler = n.persist.SaveAfter(family[at].Handler)
		}
	}
	return all
}

// Check lists what would keep a node from starting beyond what Config.Check finds.
func Check(cfg *config.Config) []error { return server.Check(families(), cfg) }

// Addrs are the addresses that the node listens on.
func (n *Node) Addrs() []net.Addr { return n.server.Addrs() }

// Logger is the node's log.
func (n *Node) Logger() *logger.Logger { return n.logger }

// RequestStop asks the node's owner to close it. It may be called by anyone.
func (n *Node) RequestStop() { n.ask.Do(func() { close(n.done) }) }

// Done is closed when RequestStop was called.
func (n *Node) Done() <-chan struct{} { return n.done }

// endServing is what SHUTDOWN does: everyone is disconnected, which is its reply,
// and the owner is asked to close the node.
//
// What is not loaded yet is neither awaited nor, least of all, saved over what it is
// loaded from: the loading ends, and with it the start.
func (n *Node) endServing(m server.ShutdownMode) {
	n.load.cancel()
	if <-n.load.over; n.load.failed {
		return // Start closes the node
	}
	n.server.HoldWrites()
	n.server.AwaitReplicas(m)
	err := n.persist.Shutdown(m)
	decided := n.server.DecideEnd()
	if decided && err != nil {
		n.logger.Logf(logger.Warning, "Errors trying to shut down the server. Check the logs for more information. "+
			"SHUTDOWN NOSAVE ends it without a last save, SHUTDOWN FORCE whatever fails.")
	}
	if !decided || err != nil {
		n.persist.Stay()
		n.server.StayAlive()
		return
	}
	n.follow.Close() // what it receives it can only drop while there are loops
	if err := n.server.Close(); err != nil {
		n.logger.Logf(logger.Warning, "While ending connections: %v", err)
	}
	n.persist.LeaveEnd()
	n.RequestStop()
}

// Close ends the node: connections, loops, then the data. It returns the first
// thing that went wrong.
func (n *Node) Close() error {
	first, err := n.close()
	if first {
		n.logger.Logf(logger.Warning, "Dozo is now ready to exit, bye bye...")
	}
	return err
}

// close is Close without a word of it: of a start that fails the log ends with why.
func (n *Node) close() (first bool, err error) {
	n.stop.Do(func() {
		first = true
		n.RequestStop()
		if n.follow != nil {
			n.follow.Close()
		}
		if n.persist != nil {
			n.persist.Close()
		}
		if n.server != nil {
			err = n.server.Close()
		}
		if n.log != nil {
			n.log.Close()
		}
		if n.ks != nil {
			n.ks.Close()
		}
		if n.arena != nil {
			err = errors.Join(err, n.arena.Close())
		}
	})
	return first, err
}

// Ending tells whether a shutdown is under way.
func (n *Node) Ending() bool { return n.server.Ending() }

// Shutdown ends the node as SHUTDOWN does, for signals.
func (n *Node) Shutdown(m server.ShutdownMode) { n.server.RequestShutdown(m) }

// Abandon is for a process that ends at once, in the middle of what it does.
func (n *Node) Abandon() { n.persist.RemoveTemp() }

// CrashBySignal writes the crash report for a signal that means one, and ends the
// process.
func (n *Node) CrashBySignal(number int) { n.server.CrashBySignal(number) }
