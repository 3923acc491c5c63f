package persist

import (
	"errors"
	"fmt"

	"dozo/command"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/resp"
	"dozo/text"
)

// Commands are the commands about persistence.
func (m *Manager) Commands() []command.Spec {
	return []command.Spec{
		{
			Name: "BGREWRITEAOF", Handler: m.bgrewriteaof, Group: command.Server, Since: "1.0.0", Complexity: "O(1)",
			Flags:   command.Admin | command.NoScript | command.NoAsyncLoading | command.Exclusive,
			Summary: "Rewrites the append only file in the background, so that it gets shorter.",
		},
		{
			Name: "BGSAVE", Handler: m.bgsave, Group: command.Server, Since: "1.0.0", Complexity: "O(1)",
			Syntax:  "[SCHEDULE]@3.2.2",
			Flags:   command.Admin | command.NoScript | command.NoAsyncLoading | command.Exclusive,
			History: []command.Change{{"3.2.2", "The option `SCHEDULE`."}},
			Summary: "Saves the data to disk in the background.",
		},
		{
			Name: "LASTSAVE", Handler: m.lastsave, Group: command.Server, Since: "1.0.0", Complexity: "O(1)",
			Flags: command.Loading | command.Stale | command.Fast, Categories: command.CatAdmin | command.CatDangerous,
			Tips:    []string{"nondeterministic_output"},
			Summary: "Tells when the data was last saved, in seconds since the epoch.",
		},
		{
			Name: "SAVE", Handler: m.save, Group: command.Server, Since: "1.0.0", Complexity: "O(N) for N keys",
			Flags:   command.Admin | command.NoScript | command.NoAsyncLoading | command.NoMulti | command.Exclusive,
			Summary: "Saves the data to disk and answers when that is done.",
		},
	}
}

const (
	errSaving       command.ReplyError = "ERR Background save already in progress"
	errSaveFails    command.ReplyError = "ERR the save has failed; the log says why"
	errOther        command.ReplyError = "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible."
	errRewriting    command.ReplyError = "ERR Background append only file rewriting already in progress"
	errRewriteFails command.ReplyError = "ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
)

func (m *Manager) bgsave(c *command.Context) error {
	if len(c.Args) > 2 || len(c.Args) == 2 && !text.EqualFold(c.Args[1], "SCHEDULE") {
		return command.ErrSyntax
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	within := m.host.InTransaction() // whose middle is no moment to be saved
	switch busy := len(m.jobs) > 0; {
	case m.quiet, m.saving() != nil:
		return errSaving
	case busy && !within && len(c.Args) == 1:
		return errOther
	case busy || within:
		m.scheduled = true
		c.Out.SimpleString("Background saving scheduled")
	default:
		m.begin(c.View, nil)
		c.Out.SimpleString("Background saving started")
	}
	return nil
}

func (m *Manager) bgrewriteaof(c *command.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch busy := len(m.jobs) > 0; {
	case m.rewriting() != nil, m.quiet, m.closing != nil:
		return errRewriting
	case busy, m.host.InTransaction():
		m.rewrites.scheduled = true
		m.rewrites.failures = 0
		c.Out.SimpleString("Background append only file rewriting scheduled")
	default:
		err := error(nil)
		if m.aof != nil {
			err = m.beginRewrite(c.View)
		} else {
			err = m.rewriteOnce(c.View)
		}
		if err != nil {
			m.logf(logger.Warning, "The AOF cannot be rewritten: %v", err)
			return errRewriteFails
		}
		c.Out.SimpleString("Background append only file rewriting started")
	}
	return nil
}

// save is SAVE. Others go on meanwhile; what is saved is the moment of the call.
func (m *Manager) save(c *command.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.jobs) > 0 || m.quiet {
		return errSaving
	}
	finish := c.Blocker.Postpone()
	m.begin(c.View, func(err error) {
		finish(func(out *resp.Writer) error {
			if err != nil {
				return errSaveFails
			}
			out.OK()
			return nil
		})
	})
	return nil
}

func (m *Manager) lastsave(c *command.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.Out.Int(m.saved.at)
	return nil
}

// Shutdown saves what there is if save is wanted, or if a rule exists and it is not
// forbidden. Nobody may write any more. An error means that what was written since the
// last save would be lost; with force, which is for who ends the server nevertheless, all
// is tried that can be.
func (m *Manager) Shutdown(save, forbidden, force bool) (err error) {
	m.setQuiet(true)
	defer func() {
		if err != nil {
			m.setQuiet(false)
		}
	}()
	if err = m.flushAOF(); err != nil && !force {
		return err
	}
	m.giveUp()
	if forbidden || !save && len(m.cfg.Values().Save()) == 0 {
		return err
	}
	return errors.Join(err, m.saveLast())
}

// saveLast saves what nobody changes any more.
func (m *Manager) saveLast() error {
	m.logf(logger.Notice, "Saving the final RDB snapshot before exiting.")
	over := make(chan error, 1)
	m.host.Alone(func(v *keyspace.View) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.begin(v, func(err error) { over <- err })
		m.saving().final = true
	})
	if err := <-over; err != nil {
		return err
	}
	m.leaveWord()
	return nil
}

// setQuiet has nothing begin by itself or by command: who ends the server must not find
// that something else has begun meanwhile.
func (m *Manager) setQuiet(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.quiet = on
}

// flushAOF has all that was written reach the disk.
func (m *Manager) flushAOF() error {
	m.mu.Lock()
	a, closing, starting := m.aof, m.closing, m.wanted(m.cfg.Values()) && (m.aof == nil || m.starting())
	m.mu.Unlock()
	if starting {
		return errStarting
	}
	if closing != nil {
		<-closing.ended
	}
	if a == nil {
		return nil
	}
	m.logf(logger.Notice, "Calling fsync() on the AOF file.")
	if err := a.writer.Flush(); err != nil {
		return fmt.Errorf("the append only file lacks what was written last: %w", err)
	}
	return nil
}

// errStarting is Redis' refusal to end before the first base is written: a restart would
// find no append only file, or one from before.
var errStarting = errors.New("the append only file was turned on and is not complete yet: aof_starting in INFO says when it is")

// Close ends what is being written. The server may have ended before.
func (m *Manager) Close() {
	m.mu.Lock()
	m.ending = true
	m.mu.Unlock()
	if s := m.walked.Load(); s != nil {
		s.Cancel(errEnding)
	}
	m.mu.Lock()
	if m.aof != nil {
		m.aof.writer.Stop()
	}
	m.mu.Unlock()
	m.writers.Wait()
	m.unclaim()
}

var errEnding = errors.New("the server is ending")

// giveUp ends the jobs that run, if any, and waits for their end.
func (m *Manager) giveUp() {
	over := make(chan struct{})
	m.host.Alone(func(*keyspace.View) {
		m.mu.Lock()
		defer m.mu.Unlock()
		left := len(m.jobs)
		if left == 0 {
			close(over)
			return
		}
		m.logf(logger.Warning, "A background save is under way: it is given up")
		for _, j := range m.jobs {
			j.done = append(j.done, func(error) {
				if left--; left == 0 {
					close(over)
				}
			})
		}
		m.jobs[0].snap.Cancel(errEnding)
	})
	<-over
}
