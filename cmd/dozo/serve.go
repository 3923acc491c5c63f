package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"dozo/command"
	"dozo/config"
	"dozo/env"
	"dozo/eventloop"
	"dozo/logger"
	"dozo/node"
	"dozo/server"
)

// serve is `dozo server`. It returns the process' exit status.
func serve(args []string) int {
	a := config.ParseArgs(args)
	switch a.Action {
	case config.ShowVersion:
		fmt.Printf("Redis server v=%s sha=00000000:0 malloc=dozo-arena bits=64 build=dozo-%s\n", server.RedisVersion, server.DozoVersion)
		return 0
	case config.ShowHelp:
		serverUsage(os.Stdout)
		return 0
	case config.CheckConfig:
		return checkConfig(a.Operands, os.Stdout, os.Stderr)
	case config.TestMemory, config.CheckSystem:
		fmt.Fprintln(os.Stderr, "dozo server: this check is not part of Dozo; use memtest86 or your system's own tools")
		return 1
	}
	if a.Sentinel {
		fmt.Fprintln(os.Stderr, "dozo server: --sentinel is not available in this version")
		return 1
	}
	cfg, from, err := load(a)
	if err != nil {
		complain(err)
		return 1
	}
	if cfg.Bool(config.Daemonize) && os.Getenv(daemonMark) == "" {
		return daemonize(from)
	}
	return runServer(cfg)
}

func serverUsage(w io.Writer) {
	fmt.Fprint(w, `Usage: dozo server [/path/to/redis.conf] [options] [-]
       dozo server - (read the configuration from standard input)
       dozo server --version | --help
       dozo server --check-config FILE [--against HOST:PORT|SOCKET] [--user NAME] [--pass PASSWORD] [-- options]

Every directive of redis.conf can be given as an option:
       dozo server --port 7777
       dozo server /etc/redis/6379.conf --loglevel verbose --save 900 1 300 10

--check-config starts nothing. It reads FILE, and the options, as a start would,
and lists all that is wrong. With --against it lists what a running server, Dozo or
Redis, has that they do not say. Exit status: 0 nothing, 1 the server differs, 2 the
configuration is wrong or the server cannot be asked. REDISCLI_AUTH is the password
if none is given.
`)
}

// origin is what a configuration was read from beside the command line: a daemon,
// which is this program started again, must find the same.
type origin struct {
	dir   string // the working folder, which relative names start from
	stdin []byte // what came from standard input
}

// load reads the configuration from where the command line says.
func load(a config.Args) (cfg *config.Config, from origin, err error) {
	if from.dir, err = os.Getwd(); err != nil {
		return nil, from, fmt.Errorf("cannot tell the working folder: %w", err)
	}
	cfg = config.New(config.Options{
		FS: env.Real().FS, WorkDir: from.dir, Cores: runtime.GOMAXPROCS(0),
	})
	src := config.Sources{File: a.File, Options: a.Options}
	if a.Stdin {
		if from.stdin, err = io.ReadAll(os.Stdin); err != nil {
			return nil, from, fmt.Errorf("cannot read the configuration from standard input: %w", err)
		}
		src.Stdin = from.stdin
	}
	if err := cfg.Load(src); err != nil {
		return nil, from, err
	}
	if err := os.Chdir(cfg.String(config.Dir)); err != nil {
		return nil, from, fmt.Errorf("cannot change to the folder of `dir`: %w", err)
	}
	return cfg, from, nil
}

// complain reports why the server does not start.
func complain(err error) {
	var e *config.Error
	if errors.As(err, &e) {
		fmt.Fprint(os.Stderr, e.Report(server.RedisVersion))
		return
	}
	fmt.Fprintln(os.Stderr, "dozo server:", err)
}

// runServer starts the node and waits for its end.
func runServer(cfg *config.Config) int {
	sent := catchSignals() // a client may find the port open before the node is whole
	out, err := openLog(cfg.String(config.LogFile))
	if err != nil {
		fmt.Fprintf(os.Stderr, "Can't open the log file: %v\n", err)
		return 1
	}
	tuneCollector()
	tuneScheduler(int(cfg.Int(config.IOThreads)))
	exe, _ := os.Executable() // "" is a fine answer
	warnings, err := fitClients(cfg)
	if err != nil {
		complain(err)
		return 1
	}
	removePid := func() {}
	defer func() { removePid() }()
	interrupt, started := sent.duringStart()
	score := &oomScore{cfg: cfg}
	n, err := node.Start(node.Options{
		Env: env.Real(), Config: cfg, Log: out, PID: os.Getpid(), Executable: exe, Transport: eventloop.Auto,
		Warnings: warnings, Interrupt: interrupt, RoleChanged: score.roleChanged,
		Listening: func(log *logger.Logger) {
			keepTitle(cfg, title, programName())
			score.keep(log)
			removePid = writePid(cfg, log)
		},
	})
	started()
	if errors.Is(err, node.ErrInterrupted) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dozo server:", err)
		return 1
	}
	sent.awaitEnd(n, cfg)
	if err := n.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "dozo server: while ending:", err)
		return 1
	}
	return 0
}

// programName is how this program was called, with the subcommand if it has one.
func programName() string {
	if name := os.Args[0]; len(os.Args) < 2 || filepath.Base(name) == "redis-server" {
		return name
	}
	return os.Args[0] + " " + os.Args[1]
}

// fitClients makes maxclients, now and whenever it is set, and the number of files
// that the system allows fit each other.
func fitClients(cfg *config.Config) (warnings []string, err error) {
	beside := filesBeside(int(cfg.Int(config.IOThreads)))
	want := int(cfg.Int(config.MaxClients))
	files := raiseFileLimit(want + beside)
	if fit := files - beside; fit < 1 {
		return nil, fmt.Errorf("the current 'ulimit -n' of %d is not enough for the server to start: %d files are needed "+
			"beside those of clients. Please increase your open file limit to at least %d", files, beside, want+beside)
	} else if fit < want {
		warnings = append(warnings,
			fmt.Sprintf("You requested maxclients of %d requiring at least %d max file descriptors.", want, want+beside),
			fmt.Sprintf("Current maximum open files is %d. maxclients has been reduced to %d to compensate for low ulimit. "+
				"If you need higher maxclients increase 'ulimit -n'.", files, fit))
		err = cfg.Adjust(config.MaxClients, strconv.Itoa(fit))
	}
	cfg.OnChange(config.MaxClients, func(_, next *config.Values) error {
		want := int(next.Int(config.MaxClients))
		if fit := raiseFileLimit(want+beside) - beside; fit < want {
			return command.ReplyError(fmt.Sprintf("The operating system is not able to handle the specified number of clients, try with %d", fit))
		}
		return nil
	})
	return warnings, err
}

// openLog opens the log file for appending; standard output without one.
func openLog(name string) (io.Writer, error) {
	if name == "" {
		if os.Getenv(daemonMark) != "" {
			return io.Discard, nil
		}
		return os.Stdout, nil
	}
	return os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

// signals are those that the process was sent.
type signals struct {
	ends    chan os.Signal // ask for the end
	crashes chan os.Signal // sent by hand: what the processor finds, the runtime reports
}

// catchSignals keeps signals from ending the process before it is asked about
// them. SIGHUP and SIGUSR1 are harmless, as they are to Redis.
func catchSignals() signals {
	s := signals{ends: make(chan os.Signal, 1), crashes: make(chan os.Signal, 1)}
	signal.Ignore(syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGPIPE)
	signal.Notify(s.ends, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(s.crashes, syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGABRT)
	return s
}

// duringStart watches for signals while the node starts: the context ends with the first
// that asks for the end. started ends the watch; what came too late to end the start is
// left to awaitEnd.
func (s signals) duringStart() (interrupt context.Context, started func()) {
	interrupt, cancel := context.WithCancel(context.Background())
	over, watched := make(chan struct{}), make(chan struct{})
	var got os.Signal
	go func() {
		defer close(watched)
		for {
			select {
			case sig := <-s.ends:
				if sig == syscall.SIGINT && interrupt.Err() != nil {
					os.Exit(1) // as awaitEnd does
				}
				got = sig
				cancel()
			case <-over:
				return
			}
		}
	}()
	return interrupt, func() {
		close(over)
		if <-watched; got != nil {
			select {
			case s.ends <- got:
			default: // there is another
			}
		}
		cancel()
	}
}

// awaitEnd waits for a signal or a client that ends the server. What a signal asks for
// may fail: then the server lives on. SIGINT that comes while it is ending ends the
// process at once: a command that runs for long, or a save, must not keep the operator
// waiting.
func (s signals) awaitEnd(n *node.Node, cfg *config.Config) {
	for {
		select {
		case sig := <-s.ends:
			if sig == syscall.SIGINT && n.Ending() {
				n.Logger().Logf(server.Warning, "You insist... exiting now.")
				n.Abandon()
				os.Exit(1)
			}
			name, how := "SIGTERM", config.ShutdownOnSigterm
			if sig == syscall.SIGINT {
				name, how = "SIGINT", config.ShutdownOnSigint
			}
			n.Logger().Logf(server.Warning, "Received %s scheduling shutdown...", name)
			n.Shutdown(shutdownMode(cfg.Int(how)))
		case sig := <-s.crashes:
			n.CrashBySignal(int(sig.(syscall.Signal)))
		case <-n.Done():
			return
		}
	}
}

// shutdownMode is what the directives for signals say.
func shutdownMode(bits int64) server.ShutdownMode {
	return server.ShutdownMode{
		Save: bits&config.ShutdownSave != 0, NoSave: bits&config.ShutdownNoSave != 0,
		Now: bits&config.ShutdownNow != 0, Force: bits&config.ShutdownForce != 0,
	}
}

// writePid writes the pid file, if one is wanted, and returns how to remove it.
func writePid(cfg *config.Config, log *logger.Logger) (remove func()) {
	name := cfg.String(config.PidFile)
	if name == "" && cfg.Bool(config.Daemonize) {
		name = "/var/run/redis.pid"
	}
	if name == "" {
		return func() {}
	}
	if err := os.WriteFile(name, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		log.Logf(server.Warning, "Failed to write PID file: %v", err)
		return func() {}
	}
	return func() { _ = os.Remove(name) }
}
