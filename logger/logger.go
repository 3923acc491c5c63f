// Package logger writes the log in Redis' line format, which tools and
// operators already read:
//
//	PID:ROLE DD Mon YYYY HH:MM:SS.mmm LEVEL text
//
// ROLE is M (master), S (replica), X (sentinel) or C (child); LEVEL one of . - *
// # for debug, verbose, notice and warning.
//
// LIMITATIONS: while what the lines are written to is stuck nobody waits for it; what has
// not been written when the process ends then is lost.
package logger

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dozo/env"
)

// Level is how much a line matters.
type Level int32

// The levels, in the order of `loglevel`.
const (
	Debug Level = iota
	Verbose
	Notice
	Warning
	// Nothing is above all levels: `loglevel nothing`.
	Nothing
)

const marks = ".-*#"

// lineMax is the longest line; the rest is cut, as Redis cuts it.
const lineMax = 1024

// Logger writes lines. It is safe for concurrent use.
type Logger struct {
	clock env.Clock
	pid   int
	level atomic.Int32
	role  atomic.Int32

	out     io.Writer // the goroutine's, while one drains
	mu      sync.Mutex
	pending []byte
	dropped int           // lines, since the last one that was not
	drained chan struct{} // closed when nothing is pending; nil = nothing is
	slow    bool          // nobody waits any more for what is pending
}

const (
	// patience is how long a line is waited for. Who logs may be a loop that has clients
	// waiting: a file on a disk that hangs, or a pipe that nobody reads, must not stop it.
	patience = 100 * time.Millisecond
	// pendingMax bounds what waits, in bytes; further lines are dropped, and counted.
	pendingMax = 1 << 20
)

// New is a logger for a process, writing lines of at least the level to out.
func New(out io.Writer, clock env.Clock, pid int, level Level) *Logger {
	l := &Logger{clock: clock, pid: pid, out: out}
	l.level.Store(int32(level))
	l.SetRole('M')
	return l
}

// SetLevel changes what is written from now on.
func (l *Logger) SetLevel(level Level) { l.level.Store(int32(level)) }

// SetRole changes the role letter.
func (l *Logger) SetRole(role byte) { l.role.Store(int32(role)) }

// Wants tells whether lines of a level are written, for callers whose text is
// dear to make.
func (l *Logger) Wants(level Level) bool { return int32(level) >= l.level.Load() }

// Logf writes one line.
func (l *Logger) Logf(level Level, format string, args ...any) {
	if !l.Wants(level) {
		return
	}
	text := fmt.Sprintf(format, args...)
	if len(text) > lineMax {
		text = text[:lineMax]
	}
	at := time.Unix(0, int64(l.clock.Wall()))
	mark := marks[min(max(level, Debug), Warning)]
	line := fmt.Sprintf("%d:%c %s %c %s\n", l.pid, l.role.Load(), at.Format("02 Jan 2006 15:04:05.000"), mark, oneLine(text))
	l.Raw(line)
}

// oneLine keeps a text that came from outside from faking further lines.
func oneLine(s string) string { return strings.NewReplacer("\r", " ", "\n", " ").Replace(s) }

// Raw writes text as it is, for banners and reports of several lines. It has been written
// when Raw returns, unless that takes long: then it is written when it can be.
func (l *Logger) Raw(text string) {
	drained := l.add(text)
	if drained == nil {
		return
	}
	enough, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	select {
	case <-drained:
	case <-enough.Done():
		l.mu.Lock()
		l.slow = l.drained == drained
		l.mu.Unlock()
	}
}

// add has a text written. It gives what to wait for, nil if that is in vain.
func (l *Logger) add(text string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) > pendingMax {
		l.dropped++
		return nil
	}
	if l.dropped > 0 {
		l.pending = fmt.Appendf(l.pending, "... %d lines are missing here: the log could not be written for a while\n", l.dropped)
		l.dropped = 0
	}
	l.pending = append(l.pending, text...)
	if l.drained == nil {
		l.drained = make(chan struct{})
		go l.drain()
	}
	if l.slow {
		return nil
	}
	return l.drained
}

// drain writes what is pending until nothing is.
func (l *Logger) drain() {
	for {
		l.mu.Lock()
		text := l.pending
		l.pending = nil
		if len(text) == 0 {
			close(l.drained)
			l.drained, l.slow = nil, false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		_, _ = l.out.Write(text) // there is nowhere to report it
	}
}

// ParseLevel reads a value of `loglevel`.
func ParseLevel(s string) (Level, bool) {
	for i, name := range []string{"debug", "verbose", "notice", "warning", "nothing"} {
		if strings.EqualFold(s, name) {
			return Level(i), true
		}
	}
	return 0, false
}
