package server

import "dozo/command"

// connectionCommands are the commands about the connection itself.
var connectionCommands = []command.Spec{
	{
		Name: "AUTH", Handler: auth, Group: command.Connection, Since: "1.0.0", Complexity: "O(N) for N passwords of the user",
		Syntax:  "[username]@6.0.0 password",
		Flags:   command.NoScript | command.Loading | command.Stale | command.Fast | command.NoAuth | command.SentinelToo | command.AllowBusy,
		History: []command.Change{{"6.0.0", "A user name may precede the password."}},
		Summary: "Logs the connection in.",
	},
	{
		Name: "CLIENT", Group: command.Connection, Since: "2.4.0",
		Flags:   command.SentinelToo,
		Summary: "Commands about connections.",
		Subs: []command.Spec{
			{
				Name: "GETNAME", Handler: clientGetName, Group: command.Connection, Since: "2.6.9", Complexity: "O(1)",
				Flags:   command.NoScript | command.Loading | command.Stale | command.SentinelToo,
				Summary: "Tells the name of this connection.",
			},
			{
				Name: "HELP", Handler: command.Help, Group: command.Connection, Since: "5.0.0", Complexity: "O(1)",
				Flags:   command.Loading | command.Stale | command.SentinelToo,
				Summary: "Lists the subcommands.",
			},
			{
				Name: "ID", Handler: clientID, Group: command.Connection, Since: "5.0.0", Complexity: "O(1)",
				Flags:   command.NoScript | command.Loading | command.Stale | command.SentinelToo,
				Summary: "Tells the ID of this connection.",
			},
			{
				Name: "INFO", Handler: clientInfo, Group: command.Connection, Since: "6.2.0", Complexity: "O(1)",
				Flags:   command.NoScript | command.Loading | command.Stale | command.SentinelToo,
				Tips:    []string{"nondeterministic_output"},
				Summary: "Describes this connection, as a line of CLIENT LIST.",
			},
			{
				Name: "KILL", Handler: clientKill, Group: command.Connection, Since: "2.4.0", Complexity: "O(N) for N connections",
				Syntax: "filter=<old-format=ip:port@-2.8.12 | new-format=<[ID client-id]@2.8.12 | [TYPE client-type=<'normal' | 'master'@3.2.0 | 'slave' | 'replica'@5.0.0 | 'pubsub'>]@2.8.12 | [USER username] | [ADDR addr=ip:port] | [LADDR laddr=ip:port]@6.2.0 | [SKIPME <YES | NO>]> [...]>",
				Flags:  command.Admin | command.NoScript | command.Loading | command.Stale | command.SentinelToo | command.Exclusive, Arity: -3,
				History: []command.Change{
					{"2.8.12", "Filters in place of an address."},
					{"2.8.12", "The `ID` filter."},
					{"3.2.0", "`TYPE master`."},
					{"5.0.0", "`TYPE replica`; `slave` goes on to work."},
					{"6.2.0", "The `LADDR` filter."},
				},
				Summary: "Closes connections, chosen by address or by filters.",
			},
			{
				Name: "LIST", Handler: clientList, Group: command.Connection, Since: "2.4.0", Complexity: "O(N) for N connections",
				Syntax: "[TYPE client-type=<'normal' | 'master' | 'replica' | 'pubsub'>]@5.0.0 [ID client-id [client-id ...]]@6.2.0",
				Flags:  command.Admin | command.NoScript | command.Loading | command.Stale | command.SentinelToo | command.Exclusive,
				Tips:   []string{"nondeterministic_output"},
				History: []command.Change{
					{"2.8.12", "The `id` field."},
					{"5.0.0", "The `TYPE` filter."},
					{"6.0.0", "The `user` field."},
					{"6.2.0", "The `ID` filter; the fields `argv-mem`, `tot-mem`, `laddr` and `redir`."},
					{"7.0.0", "The fields `resp`, `multi-mem`, `rbs` and `rbp`."},
					{"7.0.3", "The `ssub` field."},
				},
				Summary: "Describes all connections, or the chosen ones.",
			},
			{
				Name: "NO-EVICT", Handler: clientSwitch(noEvict), Group: command.Connection, Since: "7.0.0", Complexity: "O(1)",
				Syntax:  "enabled=<ON | OFF>",
				Flags:   command.Admin | command.NoScript | command.Loading | command.Stale | command.SentinelToo,
				Summary: "Exempts this connection from being evicted when clients use too much memory, or ends that.",
			},
			{
				Name: "NO-TOUCH", Handler: clientSwitch(noTouch), Group: command.Connection, Since: "7.2.0", Complexity: "O(1)",
				Syntax:  "enabled=<ON | OFF>",
				Flags:   command.NoScript | command.Loading | command.Stale,
				Summary: "Keeps reads of this connection from counting as use of a key for LRU and LFU, or ends that.",
			},
			{
				Name: "PAUSE", Handler: clientPause, Group: command.Connection, Since: "3.0.0", Complexity: "O(1)",
				Syntax:  "timeout mode=[WRITE | ALL]@6.2.0",
				Flags:   command.Admin | command.NoScript | command.Loading | command.Stale | command.SentinelToo | command.Exclusive,
				History: []command.Change{{"6.2.0", "The modes `WRITE` and `ALL`."}},
				Summary: "Holds the commands of all clients, or only writes, for a time.",
			},
			{
				Name: "REPLY", Handler: clientReply, Group: command.Connection, Since: "3.2.0", Complexity: "O(1)",
				Syntax:  "action=<ON | OFF | SKIP>",
				Flags:   command.NoScript | command.Loading | command.Stale | command.SentinelToo,
				Summary: "Turns replies to this connection off or on, or skips the next one.",
			},
			{
				Name: "SETINFO", Handler: clientSetInfo, Group: command.Connection, Since: "7.2.0", Complexity: "O(1)",
				Syntax:  "attr=<'lib-name' libname | 'lib-ver' libver>",
				Flags:   command.NoScript | command.Loading | command.Stale | command.SentinelToo,
				Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Summary: "Tells the server the name or the version of the client library.",
			},
			{
				Name: "SETNAME", Handler: clientSetName, Group: command.Connection, Since: "2.6.9", Complexity: "O(1)",
				Syntax:  "connection-name",
				Flags:   command.NoScript | command.Loading | command.Stale | command.SentinelToo,
				Tips:    []string{"request_policy:all_nodes", "response_policy:all_succeeded"},
				Summary: "Gives this connection a name.",
			},
			{
				Name: "UNBLOCK", Handler: clientUnblock, Group: command.Connection, Since: "5.0.0", Complexity: "O(log(N)) for N connections",
				Syntax:  "client-id unblock-type=[TIMEOUT | ERROR]",
				Flags:   command.Admin | command.NoScript | command.Loading | command.Stale | command.SentinelToo | command.Exclusive,
				Summary: "Wakes a client that waits in a blocking command.",
			},
			{
				Name: "UNPAUSE", Handler: clientUnpause, Group: command.Connection, Since: "6.2.0", Complexity: "O(N) for N held clients",
				Flags:   command.Admin | command.NoScript | command.Loading | command.Stale | command.SentinelToo | command.Exclusive,
				Summary: "Lets clients held by CLIENT PAUSE go on.",
			},
		},
	},
	{
		Name: "ECHO", Handler: echo, Group: command.Connection, Since: "1.0.0", Complexity: "O(1)",
		Syntax:  "message",
		Flags:   command.Loading | command.Stale | command.Fast,
		Summary: "Replies its argument.",
	},
	{
		Name: "HELLO", Handler: hello, Group: command.Connection, Since: "6.0.0", Complexity: "O(1)",
		Syntax:  "arguments=[protover [AUTH <username password>] [SETNAME clientname]]",
		Flags:   command.NoScript | command.Loading | command.Stale | command.Fast | command.NoAuth | command.SentinelToo | command.AllowBusy,
		History: []command.Change{{"6.2.0", "May be called without `protover`, to ask about the connection as it is."}},
		Summary: "Chooses the protocol version and describes the server; may log in and name the connection.",
	},
	{
		Name: "PING", Handler: ping, Group: command.Connection, Since: "1.0.0", Complexity: "O(1)",
		Syntax:  "[message]",
		Flags:   command.Fast | command.SentinelToo,
		Tips:    []string{"request_policy:all_shards", "response_policy:all_succeeded"},
		Summary: "Replies PONG or its argument: a sign of life.",
	},
	{
		Name: "QUIT", Handler: quit, Group: command.Connection, Since: "1.0.0", Complexity: "O(1)",
		Flags: command.AllowBusy | command.NoScript | command.Loading | command.Stale | command.Fast | command.NoAuth, Arity: -1,
		Deprecated: "7.2.0", Replaced: "closing the connection",
		Summary: "Ends the connection after the replies that are due.",
	},
	{
		Name: "RESET", Handler: reset, Group: command.Connection, Since: "6.2.0", Complexity: "O(1)",
		Flags:   command.NoScript | command.Loading | command.Stale | command.Fast | command.NoAuth | command.AllowBusy,
		Summary: "Puts the connection back to the state of a new one.",
	},
	{
		Name: "SELECT", Handler: selectDB, Group: command.Connection, Since: "1.0.0", Complexity: "O(1)",
		Syntax:  "index",
		Flags:   command.Loading | command.Stale | command.Fast,
		Summary: "Chooses the database that later commands of this connection use.",
	},
}
