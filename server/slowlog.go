package server

import (
	"fmt"
	"time"

	"dozo/command"
	"dozo/config"
	"dozo/text"
)

// slowlog is the log of slow commands, oldest first.
type slowlog struct {
	entries []slowEntry
	nextID  int64
}

// slowEntry is one slow command.
type slowEntry struct {
	id      int64
	unix    int64 // seconds
	micros  int64
	args    []string
	address string
	name    string
}

const (
	slowArgsMax   = 32  // arguments kept of a slow command
	slowArgLenMax = 128 // bytes kept of each
)

// noteSlow records a command that took longer than slowlog-log-slower-than.
func (w *worker) noteSlow(cl *Client, cmd *command.Command, args [][]byte, took time.Duration) {
	if cmd.Flags&command.SkipSlowlog != 0 {
		return
	}
	e := slowEntry{
		unix: int64(w.srv.clock.Wall() / time.Second), micros: int64(took / time.Microsecond),
		args: slowArgs(cmd, args), address: cl.remote, name: cl.name,
	}
	s := w.srv
	s.slowMu.Lock()
	defer s.slowMu.Unlock()
	e.id = s.slowlog.nextID
	s.slowlog.nextID++
	s.slowlog.entries = append(s.slowlog.entries, e)
	s.slowlog.trim(s.cfg.Int(config.SlowlogMaxLen))
}

// trim drops the oldest entries beyond n.
func (l *slowlog) trim(n int64) {
	if over := int64(len(l.entries)) - n; over > 0 {
		clear(l.entries[:over])
		l.entries = l.entries[over:]
	}
}

// slowArgs copies arguments, cut to what is worth keeping.
func slowArgs(cmd *command.Command, args [][]byte) []string {
	n := min(len(args), slowArgsMax)
	from, to := redactedFrom(cmd, args)
	out := make([]string, 0, n)
	for i, a := range args[:n] {
		switch {
		case i == n-1 && len(args) > n:
			out = append(out, fmt.Sprintf("... (%d more arguments)", len(args)-n+1))
		case from > 0 && i >= from && i < to:
			out = append(out, "(redacted)")
		case len(a) > slowArgLenMax:
			out = append(out, fmt.Sprintf("%s... (%d more bytes)", a[:slowArgLenMax], len(a)-slowArgLenMax))
		default:
			out = append(out, string(a))
		}
	}
	return out
}

const slowShownByDefault = 10

func slowlogGet(c *command.Context) error {
	n := int64(slowShownByDefault)
	if len(c.Args) > 3 {
		return command.WrongArgs(c)
	}
	if len(c.Args) == 3 {
		var ok bool
		if n, ok = text.ParseInt(c.Args[2]); !ok || n < -1 {
			return command.ReplyError("ERR count should be greater than or equal to -1")
		}
	}
	s := clientOf(c).worker.srv
	s.slowMu.Lock()
	defer s.slowMu.Unlock()
	if n < 0 || n > int64(len(s.slowlog.entries)) {
		n = int64(len(s.slowlog.entries))
	}
	c.Out.Array(int(n))
	last := len(s.slowlog.entries)
	for i := range int(n) {
		s.slowlog.entries[last-1-i].write(c)
	}
	return nil
}

func (e *slowEntry) write(c *command.Context) {
	c.Out.Array(6)
	c.Out.Int(e.id)
	c.Out.Int(e.unix)
	c.Out.Int(e.micros)
	c.Out.Array(len(e.args))
	for _, a := range e.args {
		c.Out.BulkString(a)
	}
	c.Out.BulkString(e.address)
	c.Out.BulkString(e.name)
}

func slowlogLen(c *command.Context) error {
	s := clientOf(c).worker.srv
	s.slowMu.Lock()
	defer s.slowMu.Unlock()
	c.Out.Int(int64(len(s.slowlog.entries)))
	return nil
}

func slowlogReset(c *command.Context) error {
	s := clientOf(c).worker.srv
	s.slowMu.Lock()
	defer s.slowMu.Unlock()
	s.slowlog.entries = nil
	c.Out.OK()
	return nil
}
