package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dozo/config"
	"dozo/env"
	"dozo/eventloop"
	"dozo/internal/testutil"
	"dozo/node"
	"dozo/server"
)

// clockShift, in the environment, has this test program be a server whose clock is wrong by
// so many seconds.
const clockShift = "CLOCK_SHIFT"

func TestMain(m *testing.M) {
	if by := os.Getenv(clockShift); by != "" {
		os.Exit(serveShifted(by))
	}
	flag.Parse()
	os.Exit(m.Run())
}

// shiftedClock is a clock that is wrong.
type shiftedClock struct {
	env.Clock
	by time.Duration
}

func (c shiftedClock) Wall() time.Duration { return c.Clock.Wall() + c.by }

// serveShifted is `dozo server` with a clock that is wrong, until it is told to end.
func serveShifted(by string) int {
	err := func() error {
		seconds, err := strconv.Atoi(by)
		if err != nil {
			return err
		}
		ends := make(chan os.Signal, 1)
		signal.Notify(ends, syscall.SIGTERM)
		world := *env.Real()
		world.Clock = shiftedClock{world.Clock, time.Duration(seconds) * time.Second}
		cfg := config.New(config.Options{FS: world.FS, WorkDir: os.TempDir(), Cores: 1})
		if err := cfg.Load(config.Sources{Options: config.ParseArgs(os.Args[1:]).Options}); err != nil {
			return err
		}
		n, err := node.Start(node.Options{Env: &world, Config: cfg, Log: os.Stdout, PID: os.Getpid(), Transport: eventloop.Auto})
		if err != nil {
			return err
		}
		select {
		case <-ends:
			n.Shutdown(server.ShutdownMode{NoSave: true})
			<-n.Done()
		case <-n.Done():
		}
		return n.Close()
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// shiftedPeer starts a Dozo, or a genuine server, with a clock that is wrong.
func shiftedPeer(t *testing.T, redis bool, by time.Duration, config ...string) *testutil.Server {
	t.Helper()
	o := testutil.Options{Config: append([]string{"--repl-diskless-sync-delay", "0"}, config...), Env: []string{fmt.Sprintf("%s=%d", clockShift, int(by.Seconds()))}}
	var err error
	if redis {
		o.Program, err = testutil.Oracle()
		o.Env = append(o.Env, "LD_PRELOAD="+shiftLibrary(t))
	} else {
		o.Program, err = os.Executable()
	}
	must(t, err)
	s, err := testutil.Start(o)
	must(t, err)
	t.Cleanup(s.Stop)
	off := time.Unix(s.Conn(t, 2).MustOK("TIME").Elems[0].Int(), 0).Sub(time.Now().Add(by))
	if off.Abs() > 10*time.Second {
		t.Fatalf("the clock of %s is not wrong by %v, but by %v more", s.Name, by, off)
	}
	return s
}

// shiftLibrary compiles what makes the clock of a program wrong.
func shiftLibrary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clockshift.so")
	out, err := exec.Command("gcc", "-shared", "-fPIC", "-O1", "-o", path, "testdata/clockshift.c").CombinedOutput()
	if err != nil {
		t.Skipf("without a C compiler no other program's clock can be wrong: %v\n%s", err, strings.TrimSpace(string(out)))
	}
	return path
}
