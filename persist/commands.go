package persist

import (
	"errors"
	"fmt"

	"dozo/command"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/resp"
	"dozo/server"
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
	case m.rewriting() != nil, m.quiet, m.awaitsFolder(), len(m.folder.asked) > 0:
		return errRewriting
	case busy, m.host.InTransaction(), m.closing != nil:
		m.rewrites.scheduled = true
		m.rewrites.failures = 0
		c.Out.SimpleString("Background append only file rewriting scheduled")
	case m.aof != nil:
		if err := m.beginRewrite(c.View); err != nil {
			return m.noteRewriteOnce(err)
		}
		c.Out.SimpleString(rewriteStarted)
	default:
		m.rewriteWhenOpened(c)
	}
	return nil
}

const rewriteStarted = "Background append only file rewriting started"

// rewriteWhenOpened is BGREWRITEAOF with appendonly no. Only alone, under mu.
func (m *Manager) rewriteWhenOpened(c *command.Context) {
	finish := c.Blocker.Postpone()
	m.folder.asked = append(m.folder.asked, func(err error) {
		finish(func(out *resp.Writer) error {
			if err == nil {
				out.SimpleString(rewriteStarted)
			}
			return err
		})
	})
	m.openSoon()
}

// save is SAVE. Others go on meanwhile; what is saved is the moment of the call. While the
// append only file is being rewritten it waits for the next snapshot, which has more.
func (m *Manager) save(c *command.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.saving() != nil || m.quiet {
		return errSaving
	}
	finish := c.Blocker.Postpone()
	done := func(err error) {
		finish(func(out *resp.Writer) error {
			if err != nil {
				return errSaveFails
			}
			out.OK()
			return nil
		})
	}
	if len(m.jobs) > 0 {
		m.scheduled, m.waiting = true, append(m.waiting, done)
		return nil
	}
	m.begin(c.View, done)
	return nil
}

// SaveAfter makes of FLUSHALL's handler one that saves where there are rules for saves:
// somebody who empties the data may be about to fill it anew, and a restart must not
// bring the old data back. Where there are none a save that runs is given up. The reply waits for the save; within a transaction nothing
// can wait. What is executed again (Timeless) was saved after, or is about to be undone.
func (m *Manager) SaveAfter(handler command.Handler) command.Handler {
	return func(c *command.Context) error {
		mark := len(c.Out.Buf)
		err := handler(c)
		if err != nil || c.Timeless {
			return err
		}
		if len(m.cfg.Values().Save()) == 0 {
			m.host.Alone(m.giveUpFlushed)
			return nil
		}
		finish := func(func(*resp.Writer) error) {}
		if c.CanBlock() {
			c.Out.Buf = c.Out.Buf[:mark]
			finish = c.Blocker.Postpone()
		}
		m.host.Alone(func(v *keyspace.View) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.saveFlushed(v, func(error) { finish(answerOK) }) // the log has the error, as Redis'
		})
		return nil
	}
}

func answerOK(out *resp.Writer) error {
	out.OK()
	return nil
}

// saveFlushed saves after FLUSHALL. A save that runs is of what was before: it begins
// again. Only alone, under mu.
func (m *Manager) saveFlushed(v *keyspace.View, done func(error)) {
	switch j := m.saving(); {
	case m.quiet || m.ending:
		done(nil) // there will be a last save, or none is wanted
	case j != nil:
		j.flushed, j.done = true, append(j.done, done)
		j.snap.Cancel(errFlushed)
	case len(m.jobs) > 0: // a rewrite, which may take long
		m.scheduled = true
		done(nil)
	default:
		m.begin(v, done)
	}
}

// giveUpFlushed gives up a save that runs: it is of what was before FLUSHALL, which the next
// start would bring back. A snapshot that others write, too, is theirs as well. Only alone.
func (m *Manager) giveUpFlushed(*keyspace.View) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if j := m.saving(); j != nil && len(m.jobs) == 1 {
		j.snap.Cancel(errFlushed)
	}
}

func (m *Manager) lastsave(c *command.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.Out.Int(m.saved.at)
	return nil
}

// Shutdown has all that is to outlive the server reach the disk: it saves if save is
// wanted, or if a rule exists and it is not forbidden. Nobody may write any more. An error
// means that what was written last would be lost; with Force all is tried that can be, and
// none is given. Who does not end the server after all calls Stay.
func (m *Manager) Shutdown(mode server.ShutdownMode) error {
	m.setQuiet(true)
	for _, e := range []struct {
		act   func(server.ShutdownMode) error
		fails string
	}{
		{m.awaitBase, "Writing initial AOF"},
		{m.flushAOF, "Error trying to write the end of the append only file"},
		{m.giveUp, ""},
		{m.saveLast, "Error trying to save the DB"},
	} {
		err := m.notAborted()
		if err == nil {
			err = e.act(mode)
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, errAborted):
		case mode.Force:
			m.logf(logger.Warning, "%s. Exit anyway. (%v)", e.fails, err)
			continue
		default:
			m.logf(logger.Warning, "%s, can't exit. (%v)", e.fails, err)
		}
		return err
	}
	return nil
}

// Stay is for a server that does not end after Shutdown.
func (m *Manager) Stay() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.quiet = false
	if m.saved.final {
		m.saved.final = false
		m.leaveWordSoon()
	}
}

// notAborted is an error if the shutdown was taken back: what is left of it is of no use,
// and writes wait for its end.
func (m *Manager) notAborted() error {
	if m.host.EndAborted() {
		return errAborted
	}
	return nil
}

// AbortShutdown implements server.Persistence.
func (m *Manager) AbortShutdown() {
	m.host.Alone(func(*keyspace.View) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if j := m.saving(); j != nil && j.final {
			j.snap.Cancel(errAborted)
		}
	})
}

// saveLast saves what nobody changes any more, if that is wanted.
func (m *Manager) saveLast(mode server.ShutdownMode) error {
	if mode.NoSave || !mode.Save && len(m.cfg.Values().Save()) == 0 {
		return nil
	}
	m.logf(logger.Notice, "Saving the final RDB snapshot before exiting.")
	over := make(chan error, 1)
	m.host.Alone(func(v *keyspace.View) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if err := m.notAborted(); err != nil { // AbortShutdown has found nothing to end
			over <- err
			return
		}
		m.begin(v, func(err error) { over <- err })
		m.saving().final = true
	})
	return <-over
}

// setQuiet has nothing begin by itself or by command: who ends the server must not find
// that something else has begun meanwhile.
func (m *Manager) setQuiet(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.quiet = on
}

// awaitBase refuses while the first base of an append only file is to be written: a
// restart would find no append only file, or one from before.
func (m *Manager) awaitBase(server.ShutdownMode) error {
	m.mu.Lock()
	closing, starting := m.closing, m.wanted(m.cfg.Values()) && (m.aof == nil || m.starting())
	m.mu.Unlock()
	if starting {
		return errStarting
	}
	if closing != nil {
		<-closing.ended
	}
	return nil
}

// flushAOF has all that was written reach the disk.
func (m *Manager) flushAOF(server.ShutdownMode) error {
	m.mu.Lock()
	a, starting := m.aof, m.starting()
	m.mu.Unlock()
	if a == nil || starting {
		return nil
	}
	m.logf(logger.Notice, "Calling fsync() on the AOF file.")
	if err := a.writer.Flush(); err != nil {
		return fmt.Errorf("the append only file lacks what was written last: %w", err)
	}
	return nil
}

// Close ends what is being written. The server may have ended before.
func (m *Manager) Close() {
	m.mu.Lock()
	m.ending, m.quiet = true, true
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
	m.closeFolder()
	m.unclaim()
}

// Why jobs are ended, and servers are not.
var (
	errEnding   = errors.New("the server is ending")
	errAborted  = errors.New("the shutdown was aborted")
	errFlushed  = errors.New("FLUSHALL has removed what was being saved")
	errStarting = errors.New("the append only file was turned on and is not complete yet: aof_starting in INFO says when it is")
)

// giveUp ends the jobs that run, if any, and waits for their end.
func (m *Manager) giveUp(server.ShutdownMode) error {
	over := make(chan struct{})
	m.host.Alone(func(*keyspace.View) {
		m.mu.Lock()
		defer m.mu.Unlock()
		left := len(m.jobs)
		if left == 0 {
			close(over)
			return
		}
		m.logf(logger.Warning, "There is a background save or rewrite under way. It is given up.")
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
	return nil
}
