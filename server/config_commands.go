package server

import (
	"strings"

	"dozo/command"
	"dozo/config"
)

// configCommands is the CONFIG family.
var configCommands = []command.Spec{{
	Name: "CONFIG", Group: command.Server, Since: "2.0.0",
	Summary: "Commands about the configuration.",
	Subs: []command.Spec{
		{
			Name: "DRIFT", Handler: configDrift, Group: command.Server, Since: "7.2.0", Complexity: "O(N) for N directives",
			Flags:   command.Admin | command.NoScript | command.Loading | command.Stale,
			Summary: "Lists the directives whose value in force differs from what a restart would load. Dozo only.",
		},
		{
			Name: "GET", Handler: configGet, Group: command.Server, Since: "2.0.0", Complexity: "O(N) for N patterns",
			Syntax:  "parameter [parameter ...]",
			Flags:   command.Admin | command.NoScript | command.Loading | command.Stale,
			History: []command.Change{{"7.0.0", "Takes several patterns."}},
			Summary: "Replies the directives whose names match, with their values.",
		},
		{
			Name: "HELP", Handler: command.Help, Group: command.Server, Since: "5.0.0", Complexity: "O(1)",
			Flags:   command.Loading | command.Stale,
			Summary: "Lists the subcommands.",
		},
		{
			Name: "RESETSTAT", Handler: configResetstat, Group: command.Server, Since: "2.0.0", Complexity: "O(1)",
			Flags:   command.Admin | command.NoScript | command.Loading | command.Stale | command.Exclusive,
			Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
			Summary: "Sets the counters of INFO back to zero.",
		},
		{
			Name: "REWRITE", Handler: configRewrite, Group: command.Server, Since: "2.8.0", Complexity: "O(1)",
			Flags:   command.Admin | command.NoScript | command.Loading | command.Stale | command.Exclusive,
			Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
			Summary: "Writes the configuration in force to its file.",
		},
		{
			Name: "SET", Handler: configSet, Group: command.Server, Since: "2.0.0", Complexity: "O(N) for N directives",
			Syntax:  "data=<parameter value> [parameter value ...]",
			Flags:   command.Admin | command.NoScript | command.Loading | command.Stale | command.Exclusive,
			Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
			History: []command.Change{{"7.0.0", "Takes several directives."}},
			Summary: "Changes directives: all of them, or none if one is refused.",
		},
	},
}}

func configGet(c *command.Context) error {
	patterns := make([]string, 0, len(c.Args)-2)
	for _, a := range c.Args[2:] {
		patterns = append(patterns, string(a))
	}
	pairs := serverOf(c).cfg.Get(patterns...)
	c.Out.Map(len(pairs))
	for _, p := range pairs {
		c.Out.BulkString(p.Name)
		c.Out.BulkString(p.Value)
	}
	return nil
}

func configSet(c *command.Context) error {
	if len(c.Args)%2 != 0 {
		return command.ErrSyntax
	}
	var pairs []config.Pair
	for i := 2; i < len(c.Args); i += 2 {
		pairs = append(pairs, config.Pair{Name: string(c.Args[i]), Value: string(c.Args[i+1])})
	}
	s := serverOf(c)
	who := config.Caller{Loading: s.attends(attnLoading), Local: clientOf(c).isLocal()}
	if err := s.cfg.Set(pairs, who); err != nil {
		return err
	}
	s.watchDrift(pairs)
	c.Out.OK()
	return nil
}

// configRewrite writes the file. Nobody sets anything meanwhile.
func configRewrite(c *command.Context) error {
	s := serverOf(c)
	if err := s.cfg.Rewrite(); err != nil {
		s.logf(Warning, "CONFIG REWRITE failed: %v", err)
		return err
	}
	s.logf(Notice, "CONFIG REWRITE executed with success.")
	s.watchDrift(nil)
	c.Out.OK()
	return nil
}

func configResetstat(c *command.Context) error {
	serverOf(c).resetStats()
	c.Out.OK()
	return nil
}

// configDrift replies a map of the directives that differ, each with the value
// in force and the one that a restart would give it.
func configDrift(c *command.Context) error {
	s := serverOf(c)
	list, err := s.cfg.Drift()
	if err != nil {
		return command.ReplyError("ERR the configuration that a restart would load cannot be read: " + err.Error())
	}
	s.drifted.Store(int64(len(list)))
	c.Out.Map(len(list))
	for _, d := range list {
		c.Out.BulkString(d.Name)
		c.Out.Map(2)
		c.Out.BulkString("running")
		c.Out.BulkString(d.Running)
		c.Out.BulkString("restart")
		c.Out.BulkString(d.File)
	}
	return nil
}

// watchDrift counts the directives that a restart would change, for INFO, and
// warns of those that CONFIG SET has just set: that they are gone after the next
// restart is how data was lost that everybody thought was on disk.
//
// LIMITATIONS: the count is as of the last CONFIG SET, REWRITE or DRIFT. Somebody
// who edits the file meanwhile is noticed by the next of them.
func (s *Server) watchDrift(set []config.Pair) {
	list, err := s.cfg.Drift()
	if err != nil {
		s.logf(Warning, "The configuration that a restart would load cannot be read: %v", err)
		return
	}
	s.drifted.Store(int64(len(list)))
	for _, d := range list {
		for _, p := range set {
			if config.Lookup(p.Name) == config.Lookup(d.Name) {
				s.logf(Notice, "CONFIG SET %s: the running value '%s' is not what a restart would load ('%s'). Use CONFIG REWRITE to keep it.",
					d.Name, shorten(d.Running), shorten(d.File))
				break
			}
		}
	}
}

// shorten keeps a value from filling a line of the log.
func shorten(s string) string {
	const shown = 128
	if len(s) <= shown {
		return s
	}
	return strings.ToValidUTF8(s[:shown], "") + "..."
}
