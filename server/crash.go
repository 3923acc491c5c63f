package server

// The crash report. A bug that shows itself as a panic (a broken invariant, a bad
// index, a bad access to memory) ends the process, since nobody knows what state
// it has left; but first it is written down in the form in which tools and
// people look for it in Redis' log: what happened, the stacks, INFO, the
// clients, and the command that was running.
//
// Whatever the report needs may itself be broken. So the other loops are kept out
// of the gate first, each part is made on a goroutine of its own that may panic
// or hang, and a part that does so is left out.
//
// LIMITATIONS: only panics on loops are caught: they run everything that touches
// data. What the Go runtime calls fatal (a map written by two goroutines, memory
// exhausted) is printed by the runtime.

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"dozo/config"
	"dozo/text"
)

const (
	// crashPatience is how long a loop, or a part of the report, is waited for.
	crashPatience = 2 * time.Second
	// crashArgs and crashArgBytes bound what is shown of the current command.
	crashArgs     = 32
	crashArgBytes = 128
	// crashStatus is the exit status of the process.
	crashStatus = 1
	// crashStackBytes bounds the stacks of all goroutines.
	crashStackBytes = 1 << 20
)

// crash reports why loop i panicked, on that loop's goroutine, and ends the
// process.
func (s *Server) crash(i int, reason any) {
	stack := debug.Stack()
	s.report(i, describeCrash(reason), stack)
}

// CrashBySignal reports that the process got a signal that means a crash, and
// ends it.
func (s *Server) CrashBySignal(number int) {
	s.report(-1, fmt.Sprintf("Redis %s crashed by signal: %d", RedisVersion, number), nil)
}

// describeCrash is the headline of a report.
func describeCrash(reason any) string {
	if err, ok := reason.(runtime.Error); ok {
		if msg := err.Error(); strings.Contains(msg, "memory address") || strings.Contains(msg, "fault address") {
			return fmt.Sprintf("Redis %s crashed by signal: %d, %s", RedisVersion, unix.SIGSEGV, msg)
		}
	}
	return fmt.Sprintf("Software failure: %v", reason)
}

// report writes everything down. Loop i is the one that crashed, -1 = none; stack
// is its stack. A second crash, which the first may have caused, waits here for the
// end.
func (s *Server) report(i int, headline string, stack []byte) {
	if !s.crashing.CompareAndSwap(false, true) {
		select {}
	}
	s.logger.Raw("\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n")
	s.logf(Warning, "%s", headline)
	s.logf(Warning, "Dozo %s, %s %s/%s", DozoVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if s.cfg.Bool(config.CrashLogEnabled) {
		s.reportParts(i, stack)
	}
	s.logger.Raw("\n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n\n" +
		"       This is a bug in Dozo: please report it with everything above.\n\n")
	if exit := s.opts.Exit; exit != nil {
		exit(crashStatus)
		return
	}
	unix.Exit(crashStatus)
}

// reportParts writes the parts that may fail.
func (s *Server) reportParts(i int, stack []byte) {
	all := make([]byte, crashStackBytes)
	all = all[:runtime.Stack(all, true)]
	title := "STACK TRACE" // what tools look for, also when nobody knows which goroutine is to blame
	if stack != nil {
		s.logger.Raw("\n------ STACK TRACE ------\n" + string(stack))
		title = "GOROUTINES"
	}
	s.logger.Raw("\n------ " + title + " ------\n" + string(all) + "\n")
	w := s.workers[max(i, 0)]
	until := s.clock.Monotonic() + crashPatience
	patient := func() bool {
		Sleep(time.Millisecond)
		return s.clock.Monotonic() < until
	}
	frozen := s.gate.freeze(i, i >= 0 && w.isAlone, patient)
	for _, part := range []struct {
		title     string
		allFrozen bool // the other loops must stand still
		text      func() string
	}{
		{"INFO OUTPUT", true, func() string { return s.info(w.view, []string{"all", "debug"}) }},
		{"CLIENT LIST OUTPUT", true, func() string { return w.listing() }},
		{"CURRENT CLIENT INFO", i < 0, func() string { return w.currentCall() }},
		{"CONFIG DEBUG OUTPUT", false, s.cfg.DebugInfo},
	} {
		made := "(left out: another loop did not stop)\n"
		if frozen || !part.allFrozen {
			made = s.attempt(part.text)
		}
		s.logger.Raw("\n------ " + part.title + " ------\n" + made)
	}
}

// attempt makes a text that may panic or hang.
func (s *Server) attempt(make func() string) string {
	var made atomic.Pointer[string]
	go func() {
		defer func() {
			if reason := recover(); reason != nil {
				failed := fmt.Sprintf("(failed, too: %v)\n", reason)
				made.Store(&failed)
			}
		}()
		text := make()
		made.Store(&text)
	}()
	for until := s.clock.Monotonic() + crashPatience; s.clock.Monotonic() < until; Sleep(time.Millisecond) {
		if text := made.Load(); text != nil {
			return *text
		}
	}
	return "(left out: it took too long)\n"
}

// listing is CLIENT LIST of all clients. Only in exclusive mode.
func (w *worker) listing() string {
	var b strings.Builder
	for _, cl := range w.srv.everyone() {
		b.WriteString(w.describe(cl) + "\n")
	}
	return b.String()
}

// currentCall is the client that is being served, and its command.
func (w *worker) currentCall() string {
	cl := w.current
	if cl == nil {
		return "(none)\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nargc: '%d'\n", w.describe(cl), len(w.ctx.Args))
	from, to := 0, 0
	if w.ctx.Cmd != nil {
		from, to = redactedFrom(w.ctx.Cmd, w.ctx.Args)
	}
	for i, a := range w.ctx.Args[:min(len(w.ctx.Args), crashArgs)] {
		shown := text.Quote(a[:min(len(a), crashArgBytes)])
		if from > 0 && i >= from && i < to {
			shown = `"(redacted)"`
		}
		fmt.Fprintf(&b, "argv[%d]: '%s'\n", i, shown)
	}
	return b.String()
}
