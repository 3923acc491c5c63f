package persist

import (
	"errors"

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
	errSaving    command.ReplyError = "ERR Background save already in progress"
	errSaveFails command.ReplyError = "ERR the save has failed; the log says why"
)

func (m *Manager) bgsave(c *command.Context) error {
	if len(c.Args) > 2 || len(c.Args) == 2 && !text.EqualFold(c.Args[1], "SCHEDULE") {
		return command.ErrSyntax
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.job != nil {
		return errSaving
	}
	m.begin(c.View, nil)
	c.Out.SimpleString("Background saving started")
	return nil
}

// save is SAVE. Others go on meanwhile; what is saved is the moment of the call.
func (m *Manager) save(c *command.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.job != nil {
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
// last save would be lost.
func (m *Manager) Shutdown(save, forbidden bool) error {
	m.giveUp()
	if forbidden || !save && len(m.cfg.Values().Save()) == 0 {
		return nil
	}
	m.logf(logger.Notice, "Saving the final RDB snapshot before exiting.")
	over := make(chan error, 1)
	m.host.Alone(func(v *keyspace.View) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.begin(v, func(err error) { over <- err })
	})
	return <-over
}

// Close ends what is being written. The server may have ended before.
func (m *Manager) Close() {
	if s := m.walked.Load(); s != nil {
		s.Cancel(errEnding)
	}
	m.writers.Wait()
}

var errEnding = errors.New("the server is ending")

// giveUp ends the job that runs, if any, and waits for its end.
func (m *Manager) giveUp() {
	over := make(chan struct{})
	m.host.Alone(func(*keyspace.View) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.job == nil {
			close(over)
			return
		}
		m.logf(logger.Warning, "A background save is under way: it is given up")
		m.job.done = append(m.job.done, func(error) { close(over) })
		m.job.snap.Cancel(errEnding)
	})
	<-over
}
