package server

import (
	"strings"
	"time"

	"dozo/command"
	"dozo/text"
)

// serverCommands are the commands about the server that have no family of their
// own here.
var serverCommands = []command.Spec{
	// COMMAND DOCS lists this one with doc_flags syscmd.
	{
		Name: "DEBUG", Handler: debugCall, Group: command.Server, Since: "1.0.0", Complexity: "That of the subcommand",
		Arity:   -2,
		Flags:   command.Admin | command.NoScript | command.Loading | command.Stale | command.Protected | command.Exclusive | command.SysCmd,
		Summary: "Commands for tests and for finding faults.",
	},
	{
		Name: "INFO", Handler: info, Group: command.Server, Since: "1.0.0", Complexity: "O(1)",
		Syntax: "[section [section ...]]",
		Flags:  command.Loading | command.Stale | command.SentinelToo | command.Exclusive, Categories: command.CatDangerous,
		Tips:    []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
		History: []command.Change{{"7.0.0", "Takes several sections."}},
		Summary: "Reports the state of the server and its counters.",
	},
	{
		Name: "LOLWUT", Handler: lolwut, Group: command.Server, Since: "5.0.0", Complexity: "O(1)",
		Syntax:  "[VERSION version]",
		Flags:   command.ReadOnly | command.Fast,
		Summary: "Shows a piece of computer art and the version.",
	},
	{
		Name: "MONITOR", Handler: monitor, Group: command.Server, Since: "1.0.0", Complexity: "O(1)",
		Flags:   command.Admin | command.NoScript | command.Loading | command.Stale | command.Exclusive,
		Summary: "Shows every command that the server runs, as it comes.",
	},
	{
		Name: "SHUTDOWN", Handler: shutdown, Group: command.Server, Since: "1.0.0", Complexity: "O(N) for N keys when it saves",
		Syntax:  "save-selector=[NOSAVE | SAVE] [NOW]@7.0.0 [FORCE]@7.0.0 [ABORT]@7.0.0",
		Flags:   command.Admin | command.NoScript | command.Loading | command.Stale | command.NoMulti | command.SentinelToo | command.AllowBusy | command.Exclusive,
		History: []command.Change{{"7.0.0", "The options `NOW`, `FORCE` and `ABORT`."}},
		Summary: "Ends the server, after a save if one is due or asked for.",
	},
	{
		Name: "TIME", Handler: timeCommand, Group: command.Server, Since: "2.6.0", Complexity: "O(1)",
		Flags:   command.Loading | command.Stale | command.Fast,
		Tips:    []string{"nondeterministic_output"},
		Summary: "Tells the time of the server, in seconds and microseconds.",
	},
	{
		Name: "WAIT", Handler: wait, Group: command.Generic, Since: "3.0.0", Complexity: "O(1)",
		Syntax:     "numreplicas timeout",
		Categories: command.CatConnection, NotCategories: command.CatKeyspace,
		Tips:    []string{"request_policy:all_shards", "response_policy:agg_min"},
		Summary: "Waits until the writes of this connection have reached so many replicas.",
	},
	{
		Name: "WAITAOF", Handler: waitAOF, Group: command.Generic, Since: "7.2.0", Complexity: "O(1)",
		Syntax: "numlocal numreplicas timeout",
		Flags:  command.NoScript, Categories: command.CatConnection, NotCategories: command.CatKeyspace,
		Tips:    []string{"request_policy:all_shards", "response_policy:agg_min"},
		Summary: "Waits until the writes of this connection are on disk here and on so many replicas.",
	},
}

// moduleCommands is the MODULE family. There are no modules.
var moduleCommands = []command.Spec{{
	Name: "MODULE", Group: command.Server, Since: "4.0.0",
	Summary: "Commands about modules.",
	Subs: []command.Spec{
		{
			Name: "HELP", Handler: command.Help, Group: command.Server, Since: "5.0.0", Complexity: "O(1)",
			Flags:   command.Loading | command.Stale,
			Summary: "Lists the subcommands.",
		},
		{
			Name: "LIST", Handler: moduleList, Group: command.Server, Since: "4.0.0", Complexity: "O(N) for N modules",
			Flags:   command.Admin | command.NoScript,
			Tips:    []string{"nondeterministic_output_order"},
			Summary: "Lists the loaded modules.",
		},
		{
			Name: "LOAD", Handler: moduleLoad, Group: command.Server, Since: "4.0.0", Complexity: "O(1)",
			Syntax:  "path [arg [arg ...]]",
			Flags:   command.NoAsyncLoading | command.Admin | command.NoScript | command.Protected,
			Summary: "Loads a module.",
		},
		{
			Name: "LOADEX", Handler: moduleLoad, Group: command.Server, Since: "7.0.0", Complexity: "O(1)",
			Syntax:  "path [CONFIG configs=<name value> [...]] [ARGS args [args ...]]",
			Flags:   command.NoAsyncLoading | command.Admin | command.NoScript | command.Protected,
			Summary: "Loads a module with directives of its own.",
		},
		{
			Name: "UNLOAD", Handler: moduleUnload, Group: command.Server, Since: "4.0.0", Complexity: "O(1)",
			Syntax:  "name",
			Flags:   command.NoAsyncLoading | command.Admin | command.NoScript | command.Protected,
			Summary: "Unloads a module.",
		},
	},
}}

// slowlogCommands is the SLOWLOG family.
var slowlogCommands = []command.Spec{{
	Name: "SLOWLOG", Group: command.Server, Since: "2.2.12",
	Summary: "Commands about calls that took long.",
	Subs: []command.Spec{
		{
			Name: "GET", Handler: slowlogGet, Group: command.Server, Since: "2.2.12", Complexity: "O(N) for N entries",
			Syntax:  "[count]",
			Flags:   command.Admin | command.Loading | command.Stale,
			Tips:    []string{"request_policy:all_nodes", "nondeterministic_output"},
			History: []command.Change{{"4.0.0", "The address and the name of the client."}},
			Summary: "Lists the latest slow calls.",
		},
		{
			Name: "HELP", Handler: command.Help, Group: command.Server, Since: "6.2.0", Complexity: "O(1)",
			Flags:   command.Loading | command.Stale,
			Summary: "Lists the subcommands.",
		},
		{
			Name: "LEN", Handler: slowlogLen, Group: command.Server, Since: "2.2.12", Complexity: "O(1)",
			Flags:   command.Admin | command.Loading | command.Stale,
			Tips:    []string{"request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"},
			Summary: "Counts the entries of the slow log.",
		},
		{
			Name: "RESET", Handler: slowlogReset, Group: command.Server, Since: "2.2.12", Complexity: "O(N) for N entries",
			Flags:   command.Admin | command.Loading | command.Stale,
			Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
			Summary: "Forgets all slow calls.",
		},
	},
}}

// serverOf is the server that runs a handler of this package.
func serverOf(c *command.Context) *Server { return clientOf(c).worker.srv }

func timeCommand(c *command.Context) error {
	micros := int64(serverOf(c).clock.Wall() / time.Microsecond)
	c.Out.Array(2)
	c.Out.BulkInt(micros / 1e6)
	c.Out.BulkInt(micros % 1e6)
	return nil
}

func moduleList(c *command.Context) error {
	c.Out.Array(0)
	return nil
}

// moduleLoad refuses every file: modules are C libraries made for another
// program.
func moduleLoad(c *command.Context) error {
	serverOf(c).logf(Warning, "Module %s failed to load: Dozo runs no modules", text.Shorten(string(c.Args[2])))
	return command.ReplyError("ERR Error loading the extension. Please check the server logs.")
}

func moduleUnload(*command.Context) error {
	return command.ReplyError("ERR Error unloading module: no such module with that name")
}

// lolwut draws a storehouse.
func lolwut(c *command.Context) error {
	if len(c.Args) >= 3 && text.EqualFold(c.Args[1], "VERSION") {
		if _, err := argInt(c.Args[2]); err != nil {
			return err
		}
	}
	c.Out.Verbatim("txt", strings.Join(storehouse, "\n")+"\n\nRedis ver. "+RedisVersion+" (Dozo "+DozoVersion+")\n")
	return nil
}

var storehouse = []string{
	`            __/\__`,
	`        ___/      \___`,
	`    ___/    ______    \___`,
	`   /_______/______\_______\`,
	`     |  _   _    _   _  |`,
	`     | |_| |_|  |_| |_| |`,
	`     |      ______      |`,
	`     |     |  ||  |     |`,
	`   __|_____|__||__|_____|__`,
	`  /________________________\`,
}
