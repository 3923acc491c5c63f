package testutil

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// readyTimeout bounds the start of a server: a -race build on a busy machine is
// slow, but not that slow.
const readyTimeout = 30 * time.Second

// stopTimeout is how long a server may take to end after SIGTERM.
const stopTimeout = 10 * time.Second

// startAttempts bounds the retries when another process took the port between
// choosing and binding it.
const startAttempts = 5

// Options says what to start.
type Options struct {
	// Program and Args are the command line up to the configuration.
	Program string
	Args    []string
	// Wrap is put before the program, such as "taskset", "-c", "0". The
	// wrapper must exec the program, so that the process id is the server's.
	Wrap []string
	// Config is appended as "--directive", "value", ... and wins over Defaults.
	Config []string
	// Env is added to the environment.
	Env []string
	// Patience is how long it may take until it is ready; 0 = half a minute.
	Patience time.Duration
	// Bare leaves out the default directives, but for port, bind and dir.
	Bare bool
}

// Server is a running server process.
type Server struct {
	Name string // for messages: the base name of the program
	Port int
	Pid  int
	Dir  string // its working directory, removed by Stop

	cmd     *exec.Cmd
	logPath string
	done    chan struct{} // closed when the process has ended
	exit    error         // valid after done
}

// Start starts a server and waits until it answers PING.
func Start(o Options) (*Server, error) {
	var last error
	for range startAttempts {
		s, err := startOnce(o)
		if err == nil {
			return s, nil
		}
		last = err
		if !errors.Is(err, errPortTaken) {
			break
		}
	}
	return nil, last
}

var errPortTaken = errors.New("the port was taken by another process")

// Launch starts a server and waits for nothing: it may not even have its port yet, or
// find it taken.
func Launch(o Options) (*Server, error) {
	dir, err := os.MkdirTemp("", "dozo-test-")
	if err != nil {
		return nil, err
	}
	s := &Server{
		Name: filepath.Base(o.Program), Dir: dir,
		logPath: filepath.Join(dir, "server.log"), done: make(chan struct{}),
	}
	if s.Port, err = freePort(); err == nil {
		err = s.launch(o)
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

func startOnce(o Options) (*Server, error) {
	s, err := Launch(o)
	if err != nil {
		return nil, err
	}
	if err := s.waitReady(cmp.Or(o.Patience, readyTimeout)); err != nil {
		text := s.Log()
		s.Stop()
		if strings.Contains(text, "already in use") || strings.Contains(text, "Failed listening") {
			return nil, errPortTaken
		}
		return nil, fmt.Errorf("%s did not become ready: %w\nits log:\n%s", s.Name, err, text)
	}
	return s, nil
}

func (s *Server) launch(o Options) error {
	log, err := os.Create(s.logPath)
	if err != nil {
		return err
	}
	defer log.Close() // the child holds its own descriptor
	line := append(append([]string{}, o.Wrap...), o.Program)
	line = append(append(line, o.Args...), s.directives(o)...)
	s.cmd = exec.Command(line[0], line[1:]...)
	s.cmd.Dir = s.Dir
	s.cmd.Env = append(os.Environ(), o.Env...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	Tie(s.cmd)
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", o.Program, err)
	}
	s.Pid = s.cmd.Process.Pid
	go func() {
		s.exit = s.cmd.Wait()
		close(s.done)
	}()
	return nil
}

// directives is the configuration every test server gets: quiet, loopback only,
// no files, and DEBUG allowed.
func (s *Server) directives(o Options) []string {
	d := []string{"--port", strconv.Itoa(s.Port), "--bind", "127.0.0.1", "--dir", s.Dir}
	if !o.Bare {
		d = append(d, "--save", "", "--appendonly", "no", "--enable-debug-command", "yes")
	}
	return append(d, o.Config...)
}

// freePort asks the kernel for a loopback port that is free at this moment.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (s *Server) waitReady(patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		err := s.tryPing()
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("it ended: %v", s.exit)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer to PING within %v: %w", patience, err)
		}
	}
}

// tryPing accepts any reply but -LOADING as a sign of life: a server that asks
// for a password is ready too.
func (s *Server) tryPing() error {
	c, err := s.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetTimeout(time.Second)
	raw, err := c.DoRaw("PING")
	if err == nil && bytes.HasPrefix(raw, []byte("-LOADING")) {
		err = errors.New("still loading")
	}
	return err
}

// Addr is host:port.
func (s *Server) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.Port) }

// Alive says whether the process still runs.
func (s *Server) Alive() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// Log returns what the server wrote to its standard output and error so far.
func (s *Server) Log() string {
	b, _ := os.ReadFile(s.logPath) // gone after Stop: then there is nothing to show
	return string(b)
}

// Signal sends a signal to the server.
func (s *Server) Signal(sig os.Signal) error { return s.cmd.Process.Signal(sig) }

// Await waits for the end that somebody has asked for, and is as Terminate about it.
func (s *Server) Await() error {
	select {
	case <-s.done:
		return s.exit
	case <-time.After(stopTimeout):
		_ = s.cmd.Process.Kill()
		<-s.done
		return fmt.Errorf("%s (pid %d) did not end within %v", s.Name, s.Pid, stopTimeout)
	}
}

// Terminate sends SIGTERM and waits for the end. The error says when the exit
// was not clean, or did not come in time (then the process was killed).
func (s *Server) Terminate() error {
	if s.Alive() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
	}
	return s.Await()
}

// Stop kills the server and removes its folder.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.done
	_ = os.RemoveAll(s.Dir)
}

// faultMarks are the lines that no healthy server ever logs.
var faultMarks = []string{
	"WARNING: DATA RACE", "panic:", "broken invariant", "BUG REPORT START",
	"fatal error:", "SIGSEGV",
}

// Fault returns the part of the log that shows a crash, a data race or a broken
// invariant, or "".
func (s *Server) Fault() string {
	text := s.Log()
	first := -1
	for _, mark := range faultMarks {
		if i := strings.Index(text, mark); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if first < 0 {
		return ""
	}
	const shown = 6000
	return text[first:min(len(text), first+shown)]
}
