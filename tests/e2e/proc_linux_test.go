package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"dozo/internal/testutil"
)

// TestProcessTitle: the process list shows what proc-title-template says, longer
// or shorter than the command line.
func TestProcessTitle(t *testing.T) {
	link := filepath.Join(t.TempDir(), "redis-server")
	must(t, os.Symlink(dozoBinary(t), link))
	s, err := testutil.Start(testutil.Options{Program: link, Args: []string{"--bind", "127.0.0.1"}})
	must(t, err)
	defer s.Stop()
	c := s.Conn(t, 2)
	port := c.MustOK("CONFIG", "GET", "port").Elems[1].Str
	expect := func(want string) {
		t.Helper()
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.Pid))
		must(t, err)
		if got, _, _ := strings.Cut(string(b), "\x00"); got != want {
			t.Errorf("the title is %q, want %q", got, want)
		}
	}
	expect(link + " 127.0.0.1:" + port)
	c.MustOK("CONFIG", "SET", "proc-title-template", "x{{{port}")
	expect("x{" + port)
	long := strings.Repeat("long ", 20) + "{listen-addr}"
	c.MustOK("CONFIG", "SET", "proc-title-template", long)
	expect(strings.ReplaceAll(long, "{listen-addr}", "127.0.0.1:"+port))
	c.MustOK("CONFIG", "SET", "proc-title-template", "{server-mode} {tls-port} {config-file} ")
	expect("0 -")
}

// TestOOMScore: the system's score follows the configuration, relative to what it
// was before, and is given back.
func TestOOMScore(t *testing.T) {
	s := testutil.StartDozo(t)
	c := s.Conn(t, 2)
	score := func() int {
		t.Helper()
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", s.Pid))
		must(t, err)
		n, err := strconv.Atoi(strings.TrimSpace(string(b)))
		must(t, err)
		return n
	}
	base := score()
	for _, step := range []struct {
		set  []string
		want int
	}{
		{[]string{"oom-score-adj-values", "10 20 30", "oom-score-adj", "yes"}, min(base+10, 1000)},
		{[]string{"oom-score-adj-values", "15 20 30"}, min(base+15, 1000)},
		{[]string{"oom-score-adj-values", "2000 20 30"}, 1000},
		{[]string{"oom-score-adj", "no"}, base},
		{[]string{"oom-score-adj", "absolute", "oom-score-adj-values", "900 0 0"}, 900},
		{[]string{"oom-score-adj", "no", "oom-score-adj-values", "0 0 0"}, base},
	} {
		c.MustOK(append([]string{"CONFIG", "SET"}, step.set...)...)
		if got := score(); got != step.want {
			t.Errorf("after CONFIG SET %q: %d, want %d", step.set, got, step.want)
		}
	}
}

// TestCrashSignal: a signal that means a crash leaves a report with the stacks.
func TestCrashSignal(t *testing.T) {
	o, err := testutil.DozoOptions(testutil.Plain)
	must(t, err)
	s, err := testutil.Start(o) // StartDozo's end would complain of the report
	must(t, err)
	defer s.Stop()
	s.Conn(t, 2).MustOK("PING")
	must(t, s.Signal(syscall.SIGABRT))
	waitFor(t, "the end", func() bool { return !s.Alive() })
	for _, want := range []string{"REDIS BUG REPORT START", "crashed by signal: 6", "------ STACK TRACE ------", "goroutine "} {
		if !strings.Contains(s.Log(), want) {
			t.Errorf("the report has no %q", want)
		}
	}
}
