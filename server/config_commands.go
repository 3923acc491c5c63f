package server

import (
	"dozo/command"
	"dozo/config"
	"dozo/resp"
)

// configCommands is the CONFIG family.
var configCommands = []command.Spec{{
	Name: "CONFIG", Group: command.Server, Since: "2.0.0",
	Summary: "Commands about the configuration.",
	Subs: []command.Spec{
		{
			Name: "DRIFT", Handler: configDrift, Group: command.Server, Since: "7.2.0", Complexity: "O(N) for N directives",
			Flags: command.Admin | command.NoScript | command.Loading | command.Stale,
			Summary: "Lists the directives whose running value is not what a restart would load: both values, where the latter comes from, " +
				"who changed the former and when. Dozo only.",
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
	s, cl := serverOf(c), clientOf(c)
	set := &configChange{s: s, who: config.Caller{
		Loading: s.attends(attnLoading | attnReceiving), Local: cl.isLocal(), At: s.clock.Wall(),
		Addr: cl.remote, Name: cl.name, User: cl.user,
	}}
	for i := 2; i < len(c.Args); i += 2 {
		set.pairs = append(set.pairs, config.Pair{Name: string(c.Args[i]), Value: string(c.Args[i+1])})
	}
	if !c.CanBlock() {
		return set.now(c.Out)
	}
	return s.runJob(c, set.job())
}

// configChange is a call of CONFIG SET.
type configChange struct {
	s     *Server
	pairs []config.Pair
	who   config.Caller
	begun *config.Change
	ended bool  // by an error, which is err
	err   error // of the disk, or of the hooks
}

// now makes the change on the spot.
func (ch *configChange) now(out *resp.Writer) error {
	begun, err := ch.s.cfg.Begin(ch.pairs, ch.who)
	if err != nil {
		return err
	}
	if begun.Persists() {
		err = begun.PersistSoon()
	}
	if err = begun.End(err); err != nil {
		return err
	}
	ch.s.tellDrift(ch.pairs)
	return replyOK(out)
}

// job makes the change with all that concerns the disk done off the loops. While the file
// is written its values are running, as those of a write that is not durable yet; if they
// cannot be written they are taken back before the client hears of it.
func (ch *configChange) job() *fileJob {
	prepared := false
	return &fileJob{
		change: true,
		begin: func() (err error) {
			if ch.begun, err = ch.s.cfg.Draft(ch.pairs, ch.who); err == nil && !ch.begun.Prepares() {
				prepared = true
				err = ch.begun.Apply()
			}
			return err
		},
		idle: func() bool { return prepared && !ch.begun.Persists() },
		work: func() {
			if prepared {
				ch.err = ch.begun.Persist()
			} else {
				ch.err = ch.begun.Prepare()
			}
		},
		goesOn: func() bool {
			if prepared || ch.err != nil {
				return false
			}
			prepared = true
			ch.err = ch.begun.Apply()
			ch.ended = ch.err != nil
			return !ch.ended && ch.begun.Persists()
		},
		end:   ch.end,
		reply: replyOK,
	}
}

// end is what follows, alone.
func (ch *configChange) end() error {
	err := ch.err
	if !ch.ended {
		err = ch.begun.End(err)
	}
	if err != nil {
		ch.s.logf(Warning, "%s", dropCode(err.Error()))
		return err
	}
	ch.s.tellDrift(ch.pairs)
	return nil
}

// configRewrite writes the file.
func configRewrite(c *command.Context) error {
	return rewrite(c, false, func(err error) error { return err })
}

// rewrite writes the file; reply makes the reply of an error.
func rewrite(c *command.Context, all bool, reply func(error) error) error {
	s := serverOf(c)
	plan := s.cfg.PlanRewrite(all)
	if !c.CanBlock() {
		if err := s.noteRewrite(plan.WriteSoon()); err != nil {
			return reply(err)
		}
		return replyOK(c.Out)
	}
	var err error
	return s.runJob(c, &fileJob{
		begin: nothing,
		work:  func() { err = plan.Write() },
		end: func() error {
			if err := s.noteRewrite(err); err != nil {
				return reply(err)
			}
			return nil
		},
		reply: replyOK,
	})
}

// noteRewrite logs how a rewrite went.
func (s *Server) noteRewrite(err error) error {
	if err != nil {
		s.logf(Warning, "CONFIG REWRITE failed: %v", err)
	} else {
		s.logf(Notice, "CONFIG REWRITE executed with success.")
	}
	return err
}

func configResetstat(c *command.Context) error {
	serverOf(c).resetStats()
	c.Out.OK()
	return nil
}

// configDrift reads the files again and replies what differs.
func configDrift(c *command.Context) error {
	s := serverOf(c)
	if !c.CanBlock() {
		list, err := s.cfg.KnownDrift()
		return writeDrift(c.Out, list, err)
	}
	var list []config.Difference
	var err error
	return s.runJob(c, &fileJob{
		begin: nothing,
		work:  func() { list, err = s.cfg.Drift() },
		end:   nothing,
		reply: func(out *resp.Writer) error { return writeDrift(out, list, err) },
	})
}

// writeDrift is the reply of CONFIG DRIFT: a map from directives to maps, all with
// the same fields. Values are as CONFIG GET shows them, secrets too.
func writeDrift(out *resp.Writer, list []config.Difference, err error) error {
	if err != nil {
		return command.ReplyError("ERR the configuration that a restart would load cannot be read, so that a restart would fail: " + err.Error())
	}
	out.Map(len(list))
	for _, d := range list {
		out.BulkString(d.Name)
		texts := [...]string{
			"running", d.Running, "restart", d.Restart, "source", d.From.Source, "cause", driftCause(d),
			"addr", d.By.Addr, "name", d.By.Name, "user", d.By.User,
		}
		out.Map(len(texts)/2 + 2)
		for _, t := range texts {
			out.BulkString(t)
		}
		out.BulkString("line")
		out.Int(int64(d.From.Line))
		out.BulkString("changed-at-ms")
		out.Int(millis(d.At))
	}
	return nil
}

// driftCause says which side has changed since the start.
func driftCause(d config.Difference) string {
	switch {
	case d.Set && d.Edited:
		return "set and edited"
	case d.Edited:
		return "edited"
	}
	return "set"
}
