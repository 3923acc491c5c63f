package testutil

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Root is the top folder of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Oracle finds the genuine redis-server.
func Oracle() (string, error) {
	name := os.Getenv("DOZO_ORACLE")
	if name == "" {
		name = "redis-server"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("the tests compare with a genuine %s, which is not here: install it (Debian: apt-get install redis-server redis-tools)", name)
	}
	return path, nil
}

// Variant is a way to build Dozo.
type Variant string

// The variants that tests run.
const (
	Plain      Variant = "plain"
	Race       Variant = "race"
	Invariants Variant = "invariants"
)

func (v Variant) buildFlags() []string {
	switch v {
	case Race:
		return []string{"-race"}
	case Invariants: // as scripts/check tests it, so that each package is compiled once
		return []string{"-tags", "invariants", "-gcflags=dozo/...=-d=checkptr"}
	}
	return nil
}

// builds remembers what this test process has built: go build checks all inputs
// again on each call, which costs more than the tests of a small package.
var builds struct {
	sync.Mutex
	path map[Variant]string
}

// Build compiles Dozo (bin/dozo, or bin/dozo-VARIANT) and returns the path. The
// binary is always made anew from the sources at hand, so no test can pass
// against a stale one.
func Build(v Variant) (string, error) {
	builds.Lock()
	defer builds.Unlock()
	if path, ok := builds.path[v]; ok {
		return path, nil
	}
	path := filepath.Join(Root(), "bin", "dozo")
	if v != Plain {
		path += "-" + string(v)
	}
	args := append([]string{"build"}, v.buildFlags()...)
	cmd := exec.Command("go", append(args, "-o", path, "./cmd/dozo")...)
	cmd.Dir = Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build (%s): %w\n%s", v, err, out)
	}
	if builds.path == nil {
		builds.path = map[Variant]string{}
	}
	builds.path[v] = path
	return path, nil
}

// DozoOptions gives the options that start Dozo, or what DOZO_SERVER names.
func DozoOptions(v Variant, config ...string) (Options, error) {
	if name := os.Getenv("DOZO_SERVER"); name != "" {
		path, err := exec.LookPath(name)
		return Options{Program: path, Config: config}, err
	}
	path, err := Build(v)
	return Options{Program: path, Args: []string{"server"}, Config: config}, err
}

// RedisOptions gives the options that start the oracle.
func RedisOptions(config ...string) (Options, error) {
	path, err := Oracle()
	return Options{Program: path, Config: config}, err
}

// StartDozo starts Dozo with extra directives ("--maxmemory", "1mb", ...) until
// the end of the test, which fails if the server crashed meanwhile.
func StartDozo(tb testing.TB, config ...string) *Server {
	tb.Helper()
	return StartVariant(tb, Plain, config...)
}

// StartVariant is StartDozo with a build of choice.
func StartVariant(tb testing.TB, v Variant, config ...string) *Server {
	tb.Helper()
	o, err := DozoOptions(v, config...)
	return start(tb, o, err)
}

// StartRedis starts the oracle until the end of the test.
func StartRedis(tb testing.TB, config ...string) *Server {
	tb.Helper()
	o, err := RedisOptions(config...)
	return start(tb, o, err)
}

func start(tb testing.TB, o Options, err error) *Server {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	s, err := Start(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.finish(tb) })
	return s
}

// finish ends a test's server and makes its log part of the verdict.
func (s *Server) finish(tb testing.TB) {
	if fault := s.Fault(); fault != "" {
		tb.Errorf("%s (pid %d) logged a fault:\n%s", s.Name, s.Pid, fault)
	} else if tb.Failed() || os.Getenv("DOZO_TEST_LOG") != "" {
		tb.Logf("log of %s (pid %d, port %d):\n%s", s.Name, s.Pid, s.Port, tail(s.Log(), 40))
	}
	s.Stop()
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
